//! API tokens: sessions for bots and command-line clients.

use super::account::check_owner;
use super::error::Refused;
use super::extract::{Browser, Json};
use crate::accounts::token::Secret;
use crate::app::App;
use crate::chat;
use crate::clock;
use crate::server::address::PeerAddress;
use crate::store::account::NewSession;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use shared::account::{CreateToken, CreatedToken, TokenList};
use shared::code::{Code, Rejection};
use shared::ids::{SessionId, TokenId};
use shared::limits::{TOKEN_DAYS_DEFAULT, TOKEN_DAYS_MAX, TOKEN_NAME_CHARS_MAX, TOKENS_MAX};
use std::sync::Arc;
use std::time::Duration;

/// `POST /api/tokens`: makes a token. Its secret is in this answer and nowhere else.
///
/// # Errors
/// 401 without a session, 403 with a token or a wrong password, 409 when there are too many, 422 for a bad name or end.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    Browser { session }: Browser,
    Json(body): Json<CreateToken>,
) -> Result<Response, Refused> {
    let name = shared::name::line(&body.name, TOKEN_NAME_CHARS_MAX, "name")?;
    let days = body.days.unwrap_or(TOKEN_DAYS_DEFAULT);
    if !(1..=TOKEN_DAYS_MAX).contains(&days) {
        let message = format!("A token ends after 1 to {TOKEN_DAYS_MAX} days");
        return Err(Rejection::new(Code::Invalid, message).field("days").into());
    }
    check_owner(&app, address, &session, Some(body.current_password)).await?;
    let expires_at = clock::after(clock::now(), Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let secret = Secret::new();
    let id = clock::id(SessionId::v7);
    let token = NewSession { id, token_hash: secret.hash(), user_agent: String::new(), expires_at };
    if !app.writer.create_token(session.user.id, session.id, name.clone(), token).await? {
        let message = format!("You have {TOKENS_MAX} tokens already. End one that is not needed any more");
        return Err(Rejection::new(Code::Conflict, message).into());
    }
    let id = TokenId::from_bytes(*id.as_bytes()).ok_or_else(Rejection::internal)?;
    tracing::info!(user = %session.user.id, token = %id, "token.created");
    Ok((
        StatusCode::CREATED,
        axum::Json(CreatedToken { id, name, token: secret.reveal(), expires_at: Some(expires_at) }),
    )
        .into_response())
}

/// `GET /api/tokens`: one's own, newest first.
///
/// # Errors
/// 401 without a session, 403 with a token.
pub async fn list(State(app): State<Arc<App>>, Browser { session }: Browser) -> Result<Response, Refused> {
    let tokens = app.store.tokens(session.user.id).await?;
    Ok(axum::Json(TokenList { tokens }).into_response())
}

/// `DELETE /api/tokens/{id}`: ends one and closes its sockets.
///
/// # Errors
/// 401 without a session, 403 with a token, 404 if it is not one's own.
pub async fn delete(
    State(app): State<Arc<App>>,
    Browser { session }: Browser,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let id: SessionId = id.parse().map_err(|_| Rejection::not_found())?;
    if !app.writer.delete_session(session.user.id, id, true).await? {
        return Err(Rejection::not_found().into());
    }
    chat::session::end(&app, session.user.id, &[id]);
    Ok(StatusCode::NO_CONTENT)
}
