//! The first frame: the state needed for the first screen.
//!
//! The socket is registered before the snapshot is read, so nothing falls in between; what the queue
//! held back meanwhile and the snapshot includes is then forgotten.

use crate::app::App;
use crate::registry::{Registration, Socket};
use crate::store::{Error, FirstScreen, SessionRow};
use crate::{clock, socket};
use axum::extract::ws::Utf8Bytes;
use shared::frame::ServerFrame;
use shared::ids::Timestamp;
use shared::limits::WELCOME_CONVERSATIONS_MAX;
use shared::welcome::Welcome;
use std::sync::Arc;
use std::time::Duration;

/// How long a socket may keep what it need not any more: until then there are others with the same.
const SETTLE: Duration = Duration::from_millis(100);

/// Somebody who was let in: their session, their socket's place, and what it is told first. No screen: the session
/// has ended meanwhile.
pub type Entered = (SessionRow, Registration, Option<FirstScreen>);

/// Finds the session with this secret, registers its socket, and then reads what the socket is told first. `None`:
/// there is no such session, or it `fits` not.
///
/// # Errors
/// When the database fails.
pub async fn enter(
    app: &Arc<App>,
    token_hash: [u8; 32],
    not_before: Timestamp,
    fits: impl FnOnce(&SessionRow) -> bool + Send + 'static,
) -> Result<Option<Entered>, Error> {
    let limit = u32::try_from(WELCOME_CONVERSATIONS_MAX).expect("it is 100");
    let registry = app.registry.clone();
    let admit =
        move |session: &SessionRow| fits(session).then(|| registry.register(session.user.id, session.id, session.kind));
    app.store.enter(token_hash, not_before, limit, admit).await
}

/// The `welcome` of a socket that was registered before `screen` was read.
pub fn welcome(app: &Arc<App>, socket: &Arc<Socket>, session: SessionRow, screen: FirstScreen) -> Utf8Bytes {
    let (snapshot, contacts, group_requests) = screen;
    let known = snapshot.conversations.iter().map(|summary| (summary.id, summary.last_seq)).collect();
    socket.queue.has_up_to(known);
    let settled = socket.clone();
    // When all that the snapshot has has come by live, too, there is nothing to be kept from the socket.
    super::flush::when_flushed(app, SETTLE, move || settled.queue.forget_floors());
    let heartbeat_ms = u64::try_from(socket::watch::HEARTBEAT.as_millis()).expect("it is seconds");
    super::encode(&ServerFrame::Welcome(Box::new(Welcome {
        user: session.user,
        session: session.id,
        epoch: app.store.epoch().clone(),
        now: clock::now(),
        heartbeat_ms,
        limits: app.config.limits(),
        conversations: snapshot.conversations,
        more: snapshot.more,
        presence: app.presences.of(&contacts),
        group_requests,
    })))
}
