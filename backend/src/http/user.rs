//! Finding people.

use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::account::UserList;
use shared::limits;
use std::sync::Arc;

/// What may be asked.
#[derive(Debug, Deserialize)]
pub struct Search {
    #[serde(default)]
    search: String,
    limit: Option<i64>,
}

/// `GET /api/users?search=&limit=`: people whose name has a word that starts like this, by name.
///
/// # Errors
/// 401 without a session.
pub async fn list(
    State(app): State<Arc<App>>,
    _: SignedIn,
    query: Result<Query<Search>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refused> {
    let Query(query) = query.map_err(super::conversation::bad_query)?;
    let end = query.search.floor_char_boundary(limits::SEARCH_CHARS_MAX);
    let users = app.store.users(&query.search[..end], limits::page(query.limit)).await?;
    Ok(axum::Json(UserList { users }).into_response())
}
