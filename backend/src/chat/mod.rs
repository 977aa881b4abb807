//! What a frame does. The switch here is a `match` and nothing else; each command has its own file.

pub mod deliver;
pub mod message;
pub mod receipt;
pub mod welcome;

use crate::app::App;
use crate::registry::Socket;
use crate::socket::queue::Item;
use crate::store::writer::Progress;
use axum::extract::ws::Utf8Bytes;
use shared::code::{Code, ErrorFrame, Rejected, Rejection};
use shared::frame::{ClientFrame, ServerFrame};

/// Does what a frame asks for. Never waits: what has to be stored is queued, and its answer comes
/// through the socket's own queue.
pub fn handle(app: &App, socket: &Socket, frame: ClientFrame) {
    match frame {
        ClientFrame::Send(send) => message::send(app, socket, send),
        ClientFrame::Delivered(up_to) => receipt::progress(app, socket, up_to, Progress::Delivered),
        ClientFrame::Read(up_to) => receipt::progress(app, socket, up_to, Progress::Read),
        ClientFrame::Ping(ping) => answer(socket, &ServerFrame::Pong(ping)),
        ClientFrame::Edit(_)
        | ClientFrame::Delete(_)
        | ClientFrame::React(_)
        | ClientFrame::Typing(_)
        | ClientFrame::Resume(_) => refuse(
            socket,
            &frame,
            Rejection::new(Code::UnknownType, "This server cannot do this yet. A newer version may"),
        ),
    }
}

/// Puts an answer into the socket's own queue.
pub fn answer(socket: &Socket, frame: &ServerFrame) {
    socket.queue.push(Item::answer(encode(frame)));
}

/// Refuses a frame in the form it is due: `rejected` for commands, `error` for the rest.
fn refuse(socket: &Socket, frame: &ClientFrame, rejection: Rejection) {
    answer(
        socket,
        &match frame.command() {
            Some(id) => ServerFrame::Rejected(Rejected { id, rejection }),
            None => ServerFrame::Error(error_frame(rejection)),
        },
    );
}

fn error_frame(rejection: Rejection) -> ErrorFrame {
    ErrorFrame { code: rejection.code, message: rejection.message, reference: None }
}

fn encode(frame: &ServerFrame) -> Utf8Bytes {
    Utf8Bytes::from(frame.encode())
}
