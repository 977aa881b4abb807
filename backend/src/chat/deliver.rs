//! After the commit: who hears of it, in commit order.
//!
//! One task is fed by the writer. It never asks whether something may be said (the transaction has
//! decided that) and never waits for a socket: it puts bytes into bounded queues. A tab closed after
//! its message was committed cancels nothing here.

use super::message::{accepted_frame, event_frame, refused_frame};
use crate::registry::{Registry, SocketId};
use crate::socket::queue::{About, Item};
use crate::store::Store;
use crate::store::writer::{Audience, Effect, Outcome, Stored};
use axum::extract::ws::Utf8Bytes;
use shared::code::Rejection;
use shared::conversation::{ConversationChanged, Summary};
use shared::frame::ServerFrame;
use shared::ids::{ConversationId, Cursor, UserId};
use shared::message::Accepted;
use shared::receipt::Receipt;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Where the answer to a command goes.
#[derive(Debug)]
pub enum Asker {
    /// Into the queue of this socket, if it is still there.
    Socket(SocketId),
    /// To an HTTP call that waits. The second part tells whether it had been stored before.
    Caller(oneshot::Sender<Result<(Accepted, bool), Rejection>>),
    /// Nowhere.
    Nobody,
}

impl Asker {
    fn socket(&self) -> Option<SocketId> {
        match self {
            Asker::Socket(id) => Some(*id),
            Asker::Caller(_) | Asker::Nobody => None,
        }
    }
}

/// Delivers batch after batch until the writer is gone.
pub async fn run(mut outcomes: mpsc::Receiver<Vec<Outcome<Asker>>>, store: Store, registry: Arc<Registry>) {
    while let Some(batch) = outcomes.recv().await {
        for outcome in batch {
            deliver(outcome, &store, &registry);
        }
    }
}

fn deliver(outcome: Outcome<Asker>, store: &Store, registry: &Arc<Registry>) {
    let Outcome { asker, user, command, effect } = outcome;
    match effect {
        Effect::Stored(stored) => event(registry, asker, user, stored),
        Effect::Repeated(accepted) => answer(registry, asker, user, Ok((accepted, true))),
        Effect::Moved { conversation, audience, delivered, read } => {
            if let Audience::Members(members) = &audience {
                let receipt = Receipt { conversation, user, delivered, read };
                others(registry, members, user, &ServerFrame::Receipt(receipt), conversation);
            }
            if read.is_some() {
                own_position(store, registry, user, asker.socket(), conversation);
            }
        }
        Effect::Refused(rejection) => match asker {
            Asker::Socket(id) => {
                if let Some(socket) = registry.find(user, id) {
                    super::answer(&socket, &refused_frame(command, rejection));
                }
            }
            Asker::Caller(_) | Asker::Nobody => answer(registry, asker, user, Err(rejection)),
        },
        Effect::Flushed(done) => {
            // Whoever waited may have gone.
            let _ = done.send(());
        }
        Effect::Nothing => {}
    }
}

/// A new event: `conversation` to those who do not know it yet, the event's bytes, made once, to every
/// other socket it concerns, and `accepted` to the asker.
fn event(registry: &Registry, asker: Asker, sender: UserId, stored: Stored) {
    let Stored { accepted, kind, audience, made } = stored;
    if let (Some(summary), Audience::Members(members)) = (made, &audience) {
        registry.push_each(members.iter(), &summary_item(*summary), None);
    }
    let socket = asker.socket();
    let item = Item {
        frame: Utf8Bytes::from(event_frame(&accepted, sender, &kind)),
        about: About::Event(accepted.conversation, accepted.seq),
    };
    match &audience {
        Audience::Everyone => registry.push_everyone(&item, socket),
        Audience::Members(members) => registry.push_each(members.iter(), &item, socket),
    }
    // Last, so that who is told of it may rely on it being on its way to everybody else.
    answer(registry, asker, sender, Ok((accepted, false)));
}

fn answer(registry: &Registry, asker: Asker, user: UserId, result: Result<(Accepted, bool), Rejection>) {
    match (asker, result) {
        (Asker::Socket(id), Ok((accepted, _))) => {
            if let Some(socket) = registry.find(user, id) {
                socket.queue.push(Item::answer(Utf8Bytes::from(accepted_frame(&accepted))));
            }
        }
        (Asker::Caller(reply), result) => {
            // The caller may have hung up; what is stored is stored.
            let _ = reply.send(result);
        }
        (Asker::Socket(_), Err(_)) | (Asker::Nobody, _) => {}
    }
}

fn others(registry: &Registry, members: &[UserId], user: UserId, frame: &ServerFrame, conversation: ConversationId) {
    let item = Item { frame: super::encode(frame), about: About::Conversation(conversation) };
    registry.push_each(members.iter().filter(|member| **member != user), &item, None);
}

/// Tells a reader's other devices how the conversation stands now.
///
/// Read on a task of its own: delivery does not wait for the database. A summary says of which moment
/// it is, so it may arrive late.
fn own_position(
    store: &Store,
    registry: &Arc<Registry>,
    user: UserId,
    socket: Option<SocketId>,
    conversation: ConversationId,
) {
    if !registry.has_other(user, socket) {
        return;
    }
    let (store, registry) = (store.clone(), registry.clone());
    tokio::spawn(async move {
        match store.summary(user, conversation).await {
            Ok(Some(summary)) => registry.push(user, &summary_item(summary), socket),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "deliver.summary_failed"),
        }
    });
}

fn summary_item(summary: Summary) -> Item {
    let about = About::Conversation(summary.id);
    let changed = ConversationChanged { summary };
    Item { frame: super::encode(&ServerFrame::Conversation(Box::new(changed))), about }
}

/// A position as `welcome` has it: what it includes need not be sent again.
#[must_use]
pub fn includes(last_seq: Cursor, seq: shared::ids::Seq) -> bool {
    Cursor::from(seq) <= last_seq
}
