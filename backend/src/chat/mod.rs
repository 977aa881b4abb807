//! What a frame does. The switch here is a `match` and nothing else; each command has its own file.

pub mod account;
pub mod conversation;
pub mod deliver;
pub mod flush;
pub mod group_request;
pub mod message;
pub mod person;
pub mod presence;
pub mod receipt;
pub mod resume;
pub mod search;
pub mod session;
pub mod typing;
pub mod welcome;

use crate::app::App;
use crate::registry::Socket;
use crate::socket::queue::Item;
use crate::store::writer::Progress;
use axum::extract::ws::Utf8Bytes;
use shared::code::{ErrorFrame, Rejection};
use shared::frame::{ClientFrame, ServerFrame};
use std::sync::Arc;

/// Does what a frame asks for. Never waits: what has to be stored is queued, and its answer comes
/// through the socket's own queue.
pub fn handle(app: &Arc<App>, socket: &Arc<Socket>, frame: ClientFrame) {
    match frame {
        ClientFrame::Send(send) => message::send(app, socket, send),
        ClientFrame::Edit(edit) => message::edit(app, socket, edit),
        ClientFrame::Delete(delete) => message::delete(app, socket, delete),
        ClientFrame::React(react) => message::react(app, socket, react),
        ClientFrame::Delivered(up_to) => receipt::progress(app, socket, up_to, Progress::Delivered),
        ClientFrame::Read(up_to) => receipt::progress(app, socket, up_to, Progress::Read),
        ClientFrame::Typing(typing) => typing::typing(app, socket, typing),
        ClientFrame::Resume(resume) => resume::resume(app, socket, resume),
        ClientFrame::Ping(ping) => answer(socket, &ServerFrame::Pong(ping)),
    }
}

/// Whether a frame says that somebody is there, and not only their device.
#[must_use]
pub fn is_activity(frame: &ClientFrame) -> bool {
    !matches!(frame, ClientFrame::Ping(_) | ClientFrame::Delivered(_) | ClientFrame::Resume(_))
}

/// Puts an answer into the socket's own queue.
pub fn answer(socket: &Socket, frame: &ServerFrame) {
    socket.queue.push(Item::answer(encode(frame)));
}

/// Refuses a frame that was no command.
fn refuse_frame(socket: &Socket, rejection: Rejection) {
    let Rejection { code, message, .. } = rejection;
    answer(socket, &ServerFrame::Error(ErrorFrame { code, message, reference: None }));
}

fn encode(frame: &ServerFrame) -> Utf8Bytes {
    Utf8Bytes::from(frame.encode())
}
