//! How far people are in a conversation.

use super::conversation::parse;
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use shared::code::Rejection;
use shared::receipt::ReceiptList;
use std::sync::Arc;

/// `GET /api/conversations/{id}/receipts`: how far the others have received and read it.
///
/// # Errors
/// 401 without a session, 404 if it is not there or not yours.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let member = app.store.member(session.user.id, parse(&id)?).await?.ok_or_else(Rejection::not_found)?;
    let receipts = app.store.receipts(&member, session.user.id).await?;
    Ok(axum::Json(ReceiptList { receipts }).into_response())
}
