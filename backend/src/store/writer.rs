//! The one writer: everything that changes the database waits in its queue.
//!
//! A thread takes whatever waits, applies it in one transaction and commits (group commit: under load
//! the flush that makes an `accepted` honest is shared by everything that arrived during the last
//! one). Only after the commit do the outcomes leave, in commit order, through a channel; the writer
//! does not know who reads it. `A`, the asker, is an address that travels with a command and comes
//! back with its outcome.
//!
//! Bounds: the queue holds so many jobs as the settings say ([`QUEUE_MAX`]) and refuses more ([`Error::Overloaded`]); a transaction
//! has at most [`BATCH_MAX`]; the cache of conversations is bounded where it is kept.
//!
//! When a transaction fails, nothing of it is in the database and every command in it is refused with
//! a code that says whether to try again. What was refused may be sent again under the same id. After
//! a failure of the disk everything is refused from then on; see [`super::Health`].

mod batch;

use super::Error;
use super::health::Gauge;
use super::sqlite::{account, open, session};
use crate::clock;
use rusqlite::Connection;
use shared::account::User;
use shared::code::Rejection;
use shared::conversation::Summary;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, SessionId, Timestamp, UserId};
use shared::message::Accepted;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait, if the settings do not say otherwise. At a commit each millisecond and a batch full each time this is ten
/// milliseconds of work; a disk that stalls for longer makes senders wait, not memory grow.
pub const QUEUE_MAX: usize = 8_192;

/// Jobs in one transaction: bounds how long the first of them waits for the last.
pub const BATCH_MAX: usize = 1_024;

/// Whom a message is for, checked: who is meant exists only once the writer has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// The conversation of exactly these people, sorted, each once, the sender among them.
    Set(Vec<UserId>),
    /// A conversation that may exist and that the sender may be a member of.
    Conversation(ConversationId),
    /// The conversation everybody is in.
    Everyone,
}

/// A message to be stored; its content is checked and trimmed.
#[derive(Debug)]
pub struct NewMessage {
    /// The command's id.
    pub id: CommandId,
    /// Whom it is for.
    pub to: Recipients,
    /// Its text.
    pub content: String,
    /// The message it answers.
    pub reply_to: Option<Seq>,
}

/// How far somebody has come in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has arrived.
    Delivered,
    /// It was read, and so has arrived.
    Read,
}

/// What came of a command, after its commit.
#[derive(Debug)]
pub struct Outcome<A> {
    /// Where the answer goes.
    pub asker: A,
    /// Who asked.
    pub user: UserId,
    /// The command's id, for those that have one.
    pub command: Option<CommandId>,
    /// What happened.
    pub effect: Effect,
}

/// What happened.
#[derive(Debug)]
pub enum Effect {
    /// An event was stored.
    Stored(Stored),
    /// The command had been stored before; this was its answer.
    Repeated(Accepted),
    /// Somebody's positions moved forward.
    Moved {
        /// Where.
        conversation: ConversationId,
        /// Whom it concerns; [`Audience::Everyone`] gets no receipts.
        audience: Audience,
        /// The new position of what has arrived, if it moved.
        delivered: Option<Cursor>,
        /// The new position of what was read, if it moved.
        read: Option<Cursor>,
    },
    /// Nothing changed, and nobody needs to know.
    Nothing,
    /// It was refused.
    Refused(Rejection),
    /// Everything before this one has been handed on; see [`Writer::flushed`].
    Flushed(oneshot::Sender<()>),
}

/// A stored event and who is to hear of it.
#[derive(Debug)]
pub struct Stored {
    /// What the asker is told.
    pub accepted: Accepted,
    /// The contract's `kind` object, as JSON: the same bytes that are in the database.
    pub kind: String,
    /// Who hears of it.
    pub audience: Audience,
    /// The conversation as it stood before this event, if this command made it.
    pub made: Option<Box<Summary>>,
}

/// Who hears of an event.
#[derive(Debug, Clone)]
pub enum Audience {
    /// Everybody connected.
    Everyone,
    /// These people, sorted.
    Members(Arc<[UserId]>),
}

impl Audience {
    fn contains(&self, user: UserId) -> bool {
        match self {
            Audience::Everyone => true,
            Audience::Members(members) => members.binary_search(&user).is_ok(),
        }
    }
}

enum Job<A> {
    Send { asker: A, user: UserId, message: NewMessage },
    Progress { asker: A, user: UserId, conversation: ConversationId, seq: Seq, progress: Progress },
    Call(Box<dyn Call>),
    Flush { asker: A, user: UserId, done: oneshot::Sender<()> },
}

/// The writer's queue and its thread. All handles share one; the last one dropped does not stop it,
/// [`Writer::close`] does.
#[derive(Debug)]
pub struct Writer<A> {
    queue: Mutex<Option<mpsc::Sender<Job<A>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: Gauge,
}

impl<A: Send + 'static> Writer<A> {
    pub(super) fn start(
        connection: Connection,
        lock: File,
        queue_max: usize,
        outcomes: mpsc::Sender<Vec<Outcome<A>>>,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(queue_max);
        let mut state = batch::State::new(connection);
        let health = state.health();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                state.run(jobs, &outcomes);
                state.finish();
                drop(lock);
            })
            .expect("a thread can be started at start-up");
        Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), health }
    }

    pub(super) fn health(&self) -> Gauge {
        self.health.clone()
    }

    fn push(&self, job: Job<A>) -> Result<(), Error> {
        if self.health.is_given_up() {
            return Err(Error::Failed);
        }
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(Error::Overloaded),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Err(Error::Closed),
        }
    }

    /// Queues a message. Its outcome comes through the channel.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::Closed`]; then nothing was queued.
    pub fn send(&self, asker: A, user: UserId, message: NewMessage) -> Result<(), Error> {
        self.push(Job::Send { asker, user, message })
    }

    /// Queues a position: everything up to `seq` has arrived or was read.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::Closed`]; then nothing was queued.
    pub fn progress(
        &self,
        asker: A,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
        progress: Progress,
    ) -> Result<(), Error> {
        self.push(Job::Progress { asker, user, conversation, seq, progress })
    }

    /// Makes an account with its first session. `Ok(false)`: the address is taken.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then there is no account.
    pub async fn create_account(&self, user: User, password_hash: String, session: NewSession) -> Result<bool, Error> {
        self.call(move |database| {
            let email = user.email.as_deref().unwrap_or_default();
            let at = clock::now();
            let made = account::insert(database, user.id, email, &user.display_name, &password_hash, at)?;
            if made {
                session.insert(database, user.id, at)?;
            }
            Ok(made)
        })
        .await
    }

    /// Signs somebody in.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then there is no session.
    pub async fn create_session(&self, user: UserId, session: NewSession) -> Result<(), Error> {
        self.call(move |database| session.insert(database, user, clock::now())).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then it goes on.
    pub async fn delete_session(&self, id: SessionId) -> Result<(), Error> {
        self.call(move |database| session::delete(database, id)).await
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn touch_session(&self, id: SessionId) -> Result<(), Error> {
        self.call(move |database| session::touch(database, id, clock::now())).await
    }

    /// Writes something, to see whether it can be done again after the disk was full.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn try_out(&self) -> Result<(), Error> {
        self.call(|database| {
            // A single page may fit where a message does not.
            open::try_space(database)?;
            database.execute("UPDATE meta SET value = value WHERE name = 'epoch'", [])?;
            Ok(())
        })
        .await
    }

    /// Waits until everything queued so far is committed and its outcomes were handled.
    pub async fn flushed(&self, asker: A, user: UserId) {
        let (done, waiting) = oneshot::channel();
        if self.push(Job::Flush { asker, user, done }).is_ok() {
            // The sender is dropped only together with the writer; then there is nothing to wait for.
            let _ = waiting.await;
        }
    }

    /// Runs `work` in the next transaction and answers after its commit. What it did is undone if it
    /// fails, and only that.
    async fn call<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.push(Job::Call(Box::new(TypedCall { work: Some(work), result: None, reply })))?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Commits what waits, takes nothing more, and closes the database. Blocks until that is done.
    pub fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("writer.panicked");
        }
    }
}

/// A session to be made; the token itself stays with the caller.
#[derive(Debug)]
pub struct NewSession {
    /// Which.
    pub id: SessionId,
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// What the browser calls itself.
    pub user_agent: String,
}

impl NewSession {
    fn insert(&self, database: &Connection, user: UserId, at: Timestamp) -> Result<(), Error> {
        session::insert(database, self.id, &self.token_hash, user, &self.user_agent, at)
    }
}

/// Work with a typed answer, kept in the queue without its types.
trait Call: Send {
    fn run(&mut self, database: &Connection) -> Result<(), Error>;
    /// Answers: with the result if `committed`, else with the error.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct TypedCall<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Error> + Send> Call for TypedCall<T, F> {
    fn run(&mut self, database: &Connection) -> Result<(), Error> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(database)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let Self { result, reply, .. } = *self;
        let answer = committed.and_then(|()| result.ok_or(Error::Closed));
        // The caller may have gone; the work is done all the same.
        let _ = reply.send(answer);
    }
}
