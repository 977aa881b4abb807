//! Receipts: somebody's positions move forward.

use super::deliver::Asker;
use crate::app::App;
use crate::registry::Socket;
use crate::store::writer::Progress;
use shared::receipt::UpTo;

/// A `delivered` or `read` frame. It has no answer; a refusal is an `error`.
pub fn progress(app: &App, socket: &Socket, up_to: UpTo, progress: Progress) {
    let UpTo { conversation, seq } = up_to;
    let queued = app.writer.progress(Asker::Socket(socket.id), socket.user, conversation, seq, progress);
    if let Err(error) = queued {
        super::refuse_frame(socket, super::message::refusal(&error));
    }
}
