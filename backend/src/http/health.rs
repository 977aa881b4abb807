//! Whether the server lives, and whether it can take work.

use super::error::Refused;
use crate::app::App;
use axum::extract::State;
use shared::code::{Code, Rejection};
use std::sync::Arc;

/// `GET /healthz`: the process answers.
pub async fn live() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers too, and the server is not stopping.
///
/// # Errors
/// 503 otherwise.
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Refused> {
    app.store.ping().await?;
    if app.stopping.is_cancelled() {
        return Err(Rejection::new(Code::Overloaded, "The server is stopping").retry_after_ms(1_000).into());
    }
    Ok("ready")
}
