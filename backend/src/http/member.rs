//! Who is in a conversation: bringing people in, sending them away, leaving.

use super::conversation::parse;
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::chat;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use shared::code::Rejection;
use shared::ids::UserId;
use std::sync::Arc;

/// `PUT /api/conversations/{id}/members/{userId}`: any member brings somebody in.
///
/// # Errors
/// 401 without a session, 404 if the conversation or the person is not there or not yours, 409 if its
/// members are fixed or too many.
pub async fn add(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    chat::conversation::add(&app, &session, parse(&id)?, person(&user)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/conversations/{id}/members/{userId}`: anybody leaves, owners and moderators send away.
///
/// # Errors
/// 401 without a session, 403 if one may not, 404 if the conversation or the member is not there or
/// not yours, 409 if its members are fixed.
pub async fn remove(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    chat::conversation::remove(&app, &session, parse(&id)?, person(&user)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn person(id: &str) -> Result<UserId, Rejection> {
    id.parse().map_err(|_| Rejection::not_found())
}
