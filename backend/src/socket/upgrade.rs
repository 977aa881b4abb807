//! The handshake: `GET /ws` (RFC 6455 section 4.2). Who asks, and from which page, is checked before
//! anything is upgraded.

use super::connection;
use crate::app::App;
use crate::http::error::Refused;
use crate::http::extract::{ConnectionSlot, SignedIn};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use shared::code::{Code, Rejection};
use std::sync::Arc;

/// The subprotocol of this contract.
pub const SUBPROTOCOL: &str = "chat.v1";

/// Bytes read from a socket at once. Axum's own default, 128 KiB, is allocated for every socket.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes gathered before they are written; above what one round of the queue hands out, so that a
/// round is one write.
const WRITE_BUFFER: usize = 64 * 1024;

/// `GET /ws`.
///
/// # Errors
/// 401 without a session, 403 for a foreign page, 400 for what is no handshake.
pub async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(slot): Extension<ConnectionSlot>,
    signed_in: SignedIn,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade = upgrade.map_err(|rejection| {
        let message = format!("This address speaks WebSocket, version 13: {}", rejection.body_text());
        Refused::with_status(Rejection::new(Code::Invalid, message), rejection.status())
    })?;
    if app.stopping.is_cancelled() {
        return Err(Rejection::new(Code::Overloaded, "The server is stopping. Please come back in a moment")
            .retry_after_ms(1_000)
            .into());
    }
    let frame_bytes = app.config.frame_bytes as usize;
    let tracker = app.sockets.clone();
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_frame_size(frame_bytes)
        .max_message_size(frame_bytes)
        .on_upgrade(move |socket| async move {
            // From here on the connection counts as a socket of its user, not of its address.
            slot.release();
            let task = tracker.spawn(connection::run(app, socket, signed_in.session));
            // The task is tracked where stopping waits for it; this future only started it.
            drop(task);
        })
        .into_response())
}
