//! Group requests: declining one, and telling people that theirs have changed.

use crate::app::App;
use crate::registry::{Registry, Socket};
use crate::socket::queue::{About, Item};
use crate::store::writer::{Change, Requests};
use crate::store::{Error, SessionRow};
use shared::code::Rejection;
use shared::frame::ServerFrame;
use shared::group_request::GroupRequestsChanged;
use shared::ids::ConversationId;

/// Declines a request.
///
/// # Errors
/// `not_found`, or when the database fails.
pub async fn decline(app: &App, session: &SessionRow, id: ConversationId) -> Result<(), Rejection> {
    super::conversation::change(app, session, Change::Decline(id)).await.map(drop)
}

/// Tells people how many requests they have now.
pub(super) fn tell(registry: &Registry, requests: &Requests) {
    for (user, count) in requests {
        registry.push(*user, &item(*count), None);
    }
}

/// Tells one socket how many requests there are: it could not take that before.
///
/// # Errors
/// When the database fails.
pub(super) async fn tell_again(app: &App, socket: &Socket) -> Result<(), Error> {
    if socket.queue.take_stale_requests() {
        socket.queue.push(item(app.store.group_request_count(socket.user).await?));
    }
    Ok(())
}

fn item(count: u64) -> Item {
    let frame = ServerFrame::GroupRequests(GroupRequestsChanged { count });
    Item { frame: super::encode(&frame), about: About::GroupRequests }
}
