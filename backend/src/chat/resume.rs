//! Resuming: what a client has missed is read from the log, page by page, on a task of its own.
//!
//! Live events and the replay meet in the socket's queue, see [`crate::socket::queue`]. However many
//! conversations are resumed, a page takes three statements, and the next one waits until the reader
//! has taken most of the last. A person has so many pages at once and so many a second, over all sockets
//! ([`Ledger::take_replay`](crate::ledger::Ledger::take_replay)): the next one waits for that, too.

use crate::app::App;
use crate::registry::Socket;
use crate::socket::queue::Page;
use crate::store::{Error, Missed};
use axum::extract::ws::Utf8Bytes;
use shared::event::Event;
use shared::frame::ServerFrame;
use shared::ids::{ConversationId, Seq};
use shared::limits::CURSORS_MAX;
use shared::resume::{Resume, Resync};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often it is looked whether a replay that waits for its turn is still wanted.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A `resume` frame.
pub fn resume(app: &App, socket: &Socket, resume: Resume) {
    let Resume { epoch, cursors } = resume;
    let is_ours = epoch == *app.store.epoch();
    let known = cursors.iter().take(if is_ours { CURSORS_MAX } else { 0 }).map(|(id, cursor)| (*id, *cursor));
    let mut refused = socket.queue.begin(known);
    refused.extend(cursors.keys().skip(if is_ours { CURSORS_MAX } else { 0 }));
    for conversation in refused {
        super::answer(socket, &ServerFrame::Resync(Resync { conversation }));
    }
}

/// Replays what the socket's queue asks for, until it asks for nothing more. To be called by whoever
/// has claimed it.
pub async fn run(app: Arc<App>, socket: Arc<Socket>) {
    if let Err(error) = replay(&app, &socket).await {
        tracing::error!(%error, "resume.failed");
        socket.queue.close(shared::close::FAULT);
    }
}

async fn replay(app: &Arc<App>, socket: &Socket) -> Result<(), Error> {
    loop {
        while socket.queue.room().await {
            for conversation in socket.queue.take_stale() {
                tell(app, socket, conversation).await?;
            }
            super::person::tell_again(app, socket, socket.queue.take_stale_people()).await?;
            super::group_request::tell_again(app, socket).await?;
            let cursors = socket.queue.replays();
            if cursors.is_empty() {
                break;
            }
            if let Err(wait) = app.ledger.take_replay(&app.ledger.person(socket.user), Instant::now()) {
                // Not longer: the socket may close, or something else be told, meanwhile.
                sleep(wait.min(LOOK_AGAIN)).await;
                continue;
            }
            let page = app.store.missed(socket.user, cursors.clone()).await?;
            if socket.has_written() {
                // The answers to one's own commands among these events are on their way: once they are
                // in the queue, each stands in its event's place.
                super::flush::flushed(app).await;
            }
            for (conversation, missed) in page.conversations {
                let from = cursors.iter().find(|(other, _)| *other == conversation).map(|(_, cursor)| *cursor);
                socket.queue.replay(conversation, from.unwrap_or_default(), frames(missed));
            }
        }
        // What was committed before the pages were read has been delivered after this.
        super::flush::flushed(app).await;
        if socket.queue.finish() {
            return Ok(());
        }
    }
}

/// Tells how a conversation stands now.
async fn tell(app: &App, socket: &Socket, conversation: ConversationId) -> Result<(), Error> {
    if let Some(summary) = app.store.summary(socket.user, conversation).await? {
        socket.queue.push(super::deliver::summary_item(summary));
    }
    Ok(())
}

fn frames(missed: Missed) -> Page {
    match missed {
        Missed::Nothing => Page::All(Vec::new()),
        Missed::All(events) => Page::All(events.into_iter().map(frame).collect()),
        Missed::Some(events) => Page::Some(events.into_iter().map(frame).collect()),
        Missed::Unknown => Page::Unknown,
    }
}

fn frame(event: Event) -> (Seq, Utf8Bytes) {
    (event.seq, super::encode(&ServerFrame::Event(event)))
}
