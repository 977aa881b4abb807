//! Finding people.

use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::account::UserList;
use shared::code::{Code, Rejection};
use shared::ids::NotAnId;
use shared::limits;
use std::sync::Arc;

/// What may be asked.
#[derive(Debug, Deserialize)]
pub struct Search {
    #[serde(default)]
    search: String,
    /// Ids, separated by commas: these people and no search.
    ids: Option<String>,
    limit: Option<i64>,
}

/// `GET /api/users?search=&limit=`: people whose name has a word that starts like this, by name.
/// `GET /api/users?ids=…,…`: the ones of these ids that exist, 100 at most.
///
/// # Errors
/// 401 without a session, 422 for what is no id.
pub async fn list(
    State(app): State<Arc<App>>,
    _: SignedIn,
    query: Result<Query<Search>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refused> {
    let Query(query) = query.map_err(super::conversation::bad_query)?;
    if let Some(ids) = query.ids {
        let ids = ids
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error: NotAnId| Rejection::new(Code::Invalid, error.to_string()).field("ids"))?;
        if ids.len() > limits::PAGE_MAX as usize {
            let message = format!("At most {} ids can be asked for at once", limits::PAGE_MAX);
            return Err(Rejection::new(Code::Invalid, message).field("ids").into());
        }
        let users = app.store.users_by_id(ids).await?;
        return Ok(axum::Json(UserList { users }).into_response());
    }
    let end = query.search.floor_char_boundary(limits::SEARCH_CHARS_MAX);
    let users = app.store.users(&query.search[..end], limits::page(query.limit)).await?;
    Ok(axum::Json(UserList { users }).into_response())
}
