//! The first frame: the state needed for the first screen.
//!
//! The socket is registered before the snapshot is read, so nothing falls in between; what the queue
//! held back meanwhile and the snapshot includes is then forgotten.

use super::deliver::Asker;
use crate::app::App;
use crate::registry::Socket;
use crate::store::{Error, SessionRow};
use crate::{clock, socket};
use axum::extract::ws::Utf8Bytes;
use shared::frame::ServerFrame;
use shared::limits::WELCOME_CONVERSATIONS_MAX;
use shared::welcome::Welcome;
use std::sync::Arc;

/// The `welcome` of a socket that is registered already.
///
/// `None`: the session has ended.
///
/// # Errors
/// When the database fails.
pub async fn welcome(app: &App, socket: &Socket, session: SessionRow) -> Result<Option<Utf8Bytes>, Error> {
    let limit = u32::try_from(WELCOME_CONVERSATIONS_MAX).expect("it is 100");
    let Some((snapshot, contacts)) = app.store.first_screen(session.user.id, session.id, limit).await? else {
        return Ok(None);
    };
    let known = snapshot.conversations.iter().map(|summary| (summary.id, summary.last_seq)).collect();
    socket.queue.has_up_to(known);
    let heartbeat_ms = u64::try_from(socket::watch::HEARTBEAT.as_millis()).expect("it is seconds");
    Ok(Some(super::encode(&ServerFrame::Welcome(Box::new(Welcome {
        user: session.user,
        session: session.id,
        epoch: app.store.epoch().clone(),
        now: clock::now(),
        heartbeat_ms,
        limits: app.config.limits(),
        conversations: snapshot.conversations,
        more: snapshot.more,
        presence: app.presences.of(&contacts),
    })))))
}

/// Waits until all that the snapshot of a `welcome` had has come by live, too. From then on there is
/// nothing to be kept from the socket.
pub async fn settle(app: Arc<App>, socket: Arc<Socket>) {
    app.writer.flushed(|| Asker::Nobody, socket.user).await;
    socket.queue.forget_floors();
}
