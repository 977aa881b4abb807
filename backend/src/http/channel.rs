//! Channels that everybody may join.

use super::conversation::bad_query;
use super::error::Refused;
use super::extract::SignedIn;
use super::member::Page;
use crate::app::App;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use shared::limits;
use std::sync::Arc;

/// `GET /api/channels?search=&skip=&limit=`: by name.
///
/// # Errors
/// 401 without a session, 422 for a query that cannot be read.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(page) = query.map_err(bad_query)?;
    let list = app.store.channels(session.user.id, page.search(), page.skip, limits::page(page.limit)).await?;
    Ok(axum::Json(list).into_response())
}
