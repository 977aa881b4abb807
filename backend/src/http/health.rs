//! Whether the server lives, and whether it can take work.

use super::error::Refused;
use crate::app::App;
use crate::store::{self, Health};
use axum::extract::State;
use axum::http::StatusCode;
use shared::code::{Code, Rejection};
use std::sync::Arc;
use std::time::Duration;

/// How long one look may take: longer ones are refused, and whoever asks looks again later.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers. A full or failed disk is not cured by starting it again and
/// again, so it does not count here.
pub async fn live() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers, what is written can be kept, and the server is not stopping.
///
/// # Errors
/// 503 otherwise, with the reason.
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Refused> {
    app.store.ping().await?;
    if app.stopping.is_cancelled() {
        return Err(Rejection::new(Code::Overloaded, "The server is stopping").retry_after_ms(1_000).into());
    }
    match health(&app).await {
        Health::Ready => Ok("ready"),
        Health::Full => Err(unavailable(&store::Error::Full)),
        Health::Failed => Err(unavailable(&store::Error::Failed)),
        Health::Broken => Err(unavailable(&store::Error::Broken)),
    }
}

/// How the store is. While nobody writes nobody would notice that there is space again, so this tries.
async fn health(app: &App) -> Health {
    #[cfg(debug_assertions)]
    if crate::fault::is_on("hide_full") {
        return Health::Ready;
    }
    if app.store.health() == Health::Full {
        // What comes of it is in the store's health.
        let _ = tokio::time::timeout(LOOK_MAX, app.writer.try_out()).await;
    }
    app.store.health()
}

fn unavailable(error: &store::Error) -> Refused {
    Refused::with_status(error.rejection(), StatusCode::SERVICE_UNAVAILABLE)
}
