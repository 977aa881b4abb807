//! Typing: told to the other members, never stored. Who is a member is read on a task of its own, so
//! that a socket's task never waits for the database; at most one frame each three seconds gets there.

use crate::app::App;
use crate::registry::Socket;
use crate::socket::queue::{About, Item};
use crate::store::{Error, Members};
use shared::code::Rejection;
use shared::frame::ServerFrame;
use shared::ids::ConversationId;
use shared::limits::TYPING_EACH_MS;
use shared::typing::{Typing, UserTyping};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A client's clock and the network are not exact: a little early is on time.
const EACH: Duration = Duration::from_millis(TYPING_EACH_MS - 500);

/// A `typing` frame. More of them than one each three seconds for a conversation are ignored.
pub fn typing(app: &Arc<App>, socket: &Arc<Socket>, Typing { conversation }: Typing) {
    if app.presences.privacy(socket.user).hides_typing
        || !app.ledger.person(socket.user).may_type(conversation, Instant::now(), EACH)
    {
        return;
    }
    let (app, socket) = (app.clone(), socket.clone());
    tokio::spawn(async move {
        match tell(&app, &socket, conversation).await {
            Ok(true) => {}
            Ok(false) => super::refuse_frame(&socket, Rejection::not_found()),
            Err(error) => tracing::error!(%error, "typing.failed"),
        }
    });
}

/// `false`: the conversation is not there, or not theirs.
async fn tell(app: &App, socket: &Socket, conversation: ConversationId) -> Result<bool, Error> {
    let Some(member) = app.store.member(socket.user, conversation).await? else { return Ok(false) };
    let user = socket.user;
    let frame = super::encode(&ServerFrame::Typing(UserTyping { conversation, user }));
    let item = Item { frame, about: About::Typing(conversation) };
    match app.store.members(&member).await? {
        Members::Everyone => app.registry.push_others(user, &item),
        Members::These(members) => {
            app.registry.push_each(members.iter().filter(|member| **member != user), &item, None);
        }
    }
    Ok(true)
}
