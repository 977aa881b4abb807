//! After the commit: who hears of it, in commit order.
//!
//! One task is fed by the writer. It never asks whether something may be said (the transaction has
//! decided that) and never waits for a socket: it puts bytes into bounded queues. A tab closed after
//! its message was committed cancels nothing here.

use super::message::{accepted_frame, event_frame};
use crate::registry::{Registry, SocketId};
use crate::socket::queue::{About, Item};
use crate::store::Store;
use crate::store::writer::{Audience, Effect, News, Outcome, Place, Requests, Stored};
use axum::extract::ws::Utf8Bytes;
use shared::code::{Rejected, Rejection};
use shared::conversation::{ConversationChanged, Summary};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, UserId};
use shared::receipt::Receipt;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// Batches delivered before it is looked whether those who are to write them keep up.
const BATCHES_AT_ONCE: usize = 16;
/// The part of a large round's time that is waited after it if more waits already.
const PAUSE: u32 = 8;

/// Where the answer to a command goes.
#[derive(Debug)]
pub enum Asker {
    /// Into the queue of this socket, if it is still there.
    Socket(SocketId),
    /// To an HTTP call that waits.
    Caller(oneshot::Sender<Result<Answer, Rejection>>),
    /// Nowhere.
    Nobody,
}

/// What a command that was not refused comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is stored here, now.
    Stored(Place),
    /// It had been stored before, here.
    Repeated(Place),
    /// No event: it was so already, or none says so.
    Unchanged,
    /// Somebody has a group request.
    Asked,
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
    let mut round = Vec::new();
    while outcomes.recv_many(&mut round, BATCHES_AT_ONCE).await > 0 {
        for outcome in round.drain(..).flatten() {
            deliver(outcome, &store, &registry);
        }
        let begun = Instant::now();
        if registry.backlog().settled().await && !outcomes.is_empty() {
            // Behind: what comes in the next moment is still written with what waits.
            sleep(begun.elapsed() / PAUSE).await;
        }
    }
}

fn deliver(outcome: Outcome<Asker>, store: &Store, registry: &Arc<Registry>) {
    let Outcome { asker, user, command, effect } = outcome;
    let answer = |asker, result| answer(registry, asker, user, command, result);
    match effect {
        Effect::Stored(stored) => {
            let place = stored.place;
            store.note_growth();
            let requests = event(registry, asker.socket(), user, stored);
            super::group_request::tell(registry, &requests);
            // Last, so that who is told of it may rely on it being on its way to everybody else.
            answer(asker, Ok(Answer::Stored(place)));
        }
        Effect::Repeated(place) => answer(asker, Ok(Answer::Repeated(place))),
        Effect::Unchanged => answer(asker, Ok(Answer::Unchanged)),
        Effect::Asked(requests) => {
            super::group_request::tell(registry, &requests);
            answer(asker, Ok(Answer::Asked));
        }
        Effect::Declined(requests) => {
            super::group_request::tell(registry, &requests);
            answer(asker, Ok(Answer::Unchanged));
        }
        Effect::Moved { conversation, told, delivered, read } => {
            if let Some(members) = &told {
                let receipt = Receipt { conversation, user, delivered, read };
                others(registry, members, user, &ServerFrame::Receipt(receipt), conversation);
            }
            if read.is_some() && registry.has_other(user, asker.socket()) {
                tell_own(store, registry, user, conversation, asker.socket());
            }
        }
        Effect::Refused(rejection) => answer(asker, Err(rejection)),
        Effect::Flushed(done) => {
            // Whoever waited may have gone.
            let _ = done.send(());
        }
        Effect::Nothing => {}
    }
}

/// A new event: `conversation` to those who do not know it yet, and the event's bytes, made once, to
/// every other socket it concerns. What it means for a list follows from the event: nobody is told more.
/// Gives back whose group requests have changed with it.
fn event(registry: &Registry, socket: Option<SocketId>, sender: UserId, stored: Stored) -> Requests {
    let Stored { place, kind, audience, news, requests } = stored;
    let mut leaver = None;
    if let Audience::Members(members) = &audience {
        match news {
            News::None => {}
            News::Made(summary) => registry.push_each(members.iter(), &new_item(*summary), None),
            News::Joined(user, summary) => registry.push(user, &new_item(*summary), None),
            News::Left(user) => leaver = Some(user),
        }
    }
    let item = Item {
        frame: Utf8Bytes::from(event_frame(&place, sender, &kind)),
        about: About::Event(place.conversation, place.seq),
    };
    match &audience {
        Audience::Everyone => registry.push_everyone(&item, socket),
        Audience::Members(members) => {
            registry.push_each(members.iter().filter(|member| Some(**member) != leaver), &item, socket);
        }
    }
    if let Some(leaver) = leaver {
        registry.push(leaver, &Item { about: About::Left(place.conversation, place.seq), ..item }, socket);
    }
    requests
}

fn answer(
    registry: &Registry,
    asker: Asker,
    user: UserId,
    command: Option<CommandId>,
    result: Result<Answer, Rejection>,
) {
    let socket = match asker {
        Asker::Nobody => return,
        Asker::Caller(reply) => {
            // The caller may have hung up; what is stored is stored.
            let _ = reply.send(result);
            return;
        }
        Asker::Socket(id) => registry.find(user, id),
    };
    let Some(socket) = socket else { return };
    match (command, result) {
        (Some(id), Ok(Answer::Stored(place))) => {
            let frame = Utf8Bytes::from(accepted_frame(&place.accepted(id)));
            socket.queue.push(Item { frame, about: About::Accepted(place.conversation, place.seq) });
        }
        (Some(id), Ok(Answer::Repeated(place))) => {
            socket.queue.push(Item::answer(Utf8Bytes::from(accepted_frame(&place.accepted(id)))));
        }
        (Some(id), Err(rejection)) => super::answer(&socket, &ServerFrame::Rejected(Rejected { id, rejection })),
        (None, Err(rejection)) => super::refuse_frame(&socket, rejection),
        // Frames without an id have no answer when all is well.
        (_, Ok(_)) => {}
    }
}

fn others(registry: &Registry, members: &[UserId], user: UserId, frame: &ServerFrame, conversation: ConversationId) {
    let item = Item { frame: super::encode(frame), about: About::Conversation(conversation) };
    registry.push_each(members.iter().filter(|member| **member != user), &item, None);
}

/// Tells somebody how a conversation stands for them now, on all their sockets but one. It is read once.
///
/// Read on a task of its own: delivery does not wait for the database. A summary says of which moment
/// it is, so it may arrive late. Who is no member any more is told nothing.
pub(super) fn tell_own(
    store: &Store,
    registry: &Arc<Registry>,
    user: UserId,
    conversation: ConversationId,
    except: Option<SocketId>,
) {
    let (store, registry) = (store.clone(), registry.clone());
    tokio::spawn(async move {
        match store.summary(user, conversation).await {
            Ok(Some(summary)) => registry.push(user, &summary_item(summary), except),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "deliver.summary_failed"),
        }
    });
}

pub(super) fn summary_item(summary: Summary) -> Item {
    let about = About::Conversation(summary.id);
    let changed = ConversationChanged { summary };
    Item { frame: super::encode(&ServerFrame::Conversation(Box::new(changed))), about }
}

/// The same for whom the conversation is new.
fn new_item(summary: Summary) -> Item {
    let about = About::New(summary.id);
    Item { about, ..summary_item(summary) }
}
