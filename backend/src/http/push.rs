//! Being told of messages while the page is closed.

use super::error::Refused;
use super::extract::{Browser, Json};
use crate::app::App;
use crate::push;
use crate::store::push::Endpoint;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use shared::code::{Code, Rejection};
use shared::limits::PUSH_ENDPOINT_BYTES_MAX;
use shared::push::{PushKey, PushSubscription};
use std::sync::Arc;

/// `GET /api/push`: what a browser subscribes with.
///
/// # Errors
/// 401 without a session, 403 with a token.
pub async fn show(State(app): State<Arc<App>>, _: Browser) -> Result<Response, Refused> {
    let internal = |error: anyhow::Error| {
        tracing::error!(%error, "push.no_key");
        Rejection::internal()
    };
    let key = BASE64.encode(push::public_key(&push::signer(&app).await?).map_err(internal)?);
    Ok(axum::Json(PushKey { key }).into_response())
}

/// `PUT /api/push`: from now on this session's browser is told.
///
/// # Errors
/// 401 without a session, 403 with a token, 422 for an unknown push service or bad keys.
pub async fn subscribe(
    State(app): State<Arc<App>>,
    Browser { session }: Browser,
    Json(body): Json<PushSubscription>,
) -> Result<StatusCode, Refused> {
    let PushSubscription { endpoint: url, p256dh, auth } = body;
    if url.len() > PUSH_ENDPOINT_BYTES_MAX || !app.push_services.allow(&url) {
        let message =
            "This server does not know your browser's push service. Whoever runs it can allow it (push-service)";
        return Err(Rejection::new(Code::Invalid, message).field("endpoint").into());
    }
    let bad = |field| Rejection::new(Code::Invalid, "This is no key of a browser's").field(field);
    let public_key = BASE64.decode(p256dh.trim_end_matches('=')).map_err(|_| bad("p256dh"))?;
    let public_key = push::point(&public_key).ok_or_else(|| bad("p256dh"))?;
    let secret = BASE64.decode(auth.trim_end_matches('=')).ok().and_then(|auth| auth.try_into().ok());
    let secret = secret.ok_or_else(|| bad("auth"))?;
    // Whoever has not asked for the key subscribes with another one, which cannot be signed for; but the table wants a row.
    push::signer(&app).await?;
    app.writer.push_subscribe(session.user.id, session.id, Endpoint { url, public_key, secret }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/push`: this session's browser is not told any more.
///
/// # Errors
/// 401 without a session, 403 with a token.
pub async fn unsubscribe(State(app): State<Arc<App>>, Browser { session }: Browser) -> Result<StatusCode, Refused> {
    app.writer.push_unsubscribe(session.user.id, session.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
