//! Group requests: which there are, declining one; and what one has left and may come back to. One joins by bringing
//! oneself in (`member.rs`).

use super::conversation::parse;
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::chat;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use shared::code::Rejection;
use shared::group_request::{DepartureBody, GroupRequestList};
use std::sync::Arc;

/// `GET /api/group-requests`: the newest first.
///
/// # Errors
/// 401 without a session.
pub async fn list(State(app): State<Arc<App>>, SignedIn { session }: SignedIn) -> Result<Response, Refused> {
    let requests = app.store.group_requests(session.user.id).await?;
    Ok(axum::Json(GroupRequestList { requests }).into_response())
}

/// `DELETE /api/group-requests/{id}`: declines the request of this conversation.
///
/// # Errors
/// 401 without a session, 404 if there is none.
pub async fn decline(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    chat::group_request::decline(&app, &session, parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/conversations/{id}/departure`: whether one has left a conversation and may come back.
///
/// # Errors
/// 401 without a session, 404 if one has not left it, or may not come back.
pub async fn departure(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let kind = app.store.departure(session.user.id, parse(&id)?).await?.ok_or_else(Rejection::not_found)?;
    Ok(axum::Json(DepartureBody { kind }).into_response())
}
