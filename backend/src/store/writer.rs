//! The one writer: everything that changes the database waits in its queue.
//!
//! A thread takes whatever waits, applies it in one transaction and commits (group commit: under load
//! the flush that makes an `accepted` honest is shared by everything that arrived during the last
//! one). Only after the commit do the outcomes leave, in commit order, through a channel; the writer
//! does not know who reads it. `A`, the asker, is an address that travels with a command and comes
//! back with its outcome.
//!
//! People take turns in the queue (`queue.rs`): a flood of one person's commands holds up their own. The work for one
//! command does not grow with its text beyond copying it: what has to be read out of a text is read before it is queued
//! ([`Content`]).
//!
//! Bounds: the queue holds so many jobs as the settings say ([`QUEUE_MAX`]), a quarter of them of one person, and refuses more
//! ([`Error::Overloaded`]); a transaction has at most [`BATCH_MAX`]; the cache of conversations is bounded where it is kept.
//!
//! When a transaction fails, nothing of it is in the database and every command in it is refused with
//! a code that says whether to try again. A job that panics is refused alone where it was to be accepted by the journal,
//! and with its transaction otherwise; what the writer remembers is read anew. A panic outside a job ends the process. What was refused may be sent again under the same id. After
//! a failure of the disk everything is refused from then on; see [`super::Health`].

mod accept;
mod amend;
mod batch;
mod change;
mod group_request;
mod head;
mod invite;
mod job;
mod queue;
mod send;

pub use invite::Invites;
pub use job::{
    Action, Amendment, Audience, Change, Content, Description, Effect, NewMessage, News, Outcome, Place, Progress,
    Recipients, Requests, Stored,
};

use super::Error;
use super::health::{Gauge, Health};
use super::journal::Journal;
use super::sqlite::open;
use super::sqlite::{apply, event};
use super::tail::Tail;
use crate::task::Part;
use job::Job;
pub(super) use queue::Turn;
use rusqlite::Connection;
use shared::ids::{ConversationId, Seq, UserId};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait, if the settings do not say otherwise. At a commit each millisecond and a batch full each time this is ten
/// milliseconds of work; a disk that stalls for longer makes senders wait, not memory grow.
pub const QUEUE_MAX: usize = 8_192;

/// Jobs in one transaction: bounds how long the first of them waits for the last.
pub const BATCH_MAX: usize = 1_024;

/// How long until a full queue is asked again for a place to wait in.
const FLUSH_AGAIN: std::time::Duration = std::time::Duration::from_millis(5);

/// The writer's queue and its thread. All handles share one; the last one dropped does not stop it,
/// [`Writer::close`] does.
#[derive(Debug)]
pub struct Writer<A> {
    queue: queue::Sender<Job<A>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: Gauge,
}

impl<A: Send + 'static> Writer<A> {
    pub(super) fn start(
        parts: Parts,
        lock: File,
        queue_max: usize,
        outcomes: mpsc::Sender<Vec<Outcome<A>>>,
    ) -> Result<(Self, Tail), Error> {
        let (queue, jobs) = queue::channel(queue_max);
        let health = Gauge::default();
        let (mut state, tail, applying) = parts.start(&health)?;
        let handle = tail.clone();
        let gauge = health.clone();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    state.run(jobs, &outcomes);
                    state.finish();
                }));
                if ended.is_err() {
                    gauge.break_down(Part::Writer);
                }
                tail.close();
                // It reports its own panic.
                let _ = applying.join();
                if gauge.get() == Health::Broken {
                    // Held until the process has ended: nobody else may use the folder before.
                    std::mem::forget(lock);
                }
            })
            .expect("a thread can be started at start-up");
        Ok((Self { queue, thread: Mutex::new(Some(thread)), health }, handle))
    }

    pub(super) fn health(&self) -> Gauge {
        self.health.clone()
    }

    fn push(&self, job: Job<A>) -> Result<(), Error> {
        if self.health.is_given_up() {
            return Err(self.health.given_up().unwrap_or(Error::Failed));
        }
        self.queue.push(job.turn(), job.weight(), job)
    }

    /// Queues a message. Its outcome comes through the channel.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::Closed`]; then nothing was queued.
    pub fn send(&self, asker: A, user: UserId, message: NewMessage) -> Result<(), Error> {
        self.push(Job::Send { asker, user, message })
    }

    /// Queues something to be done to a message. Its outcome comes through the channel.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::Closed`]; then nothing was queued.
    pub fn amend(&self, asker: A, user: UserId, amendment: Amendment) -> Result<(), Error> {
        self.push(Job::Amend { asker, user, amendment })
    }

    /// Queues a change of a conversation. Its outcome comes through the channel.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::Closed`]; then nothing was queued.
    pub fn change(&self, asker: A, user: UserId, change: Change) -> Result<(), Error> {
        self.push(Job::Change { asker, user, change })
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

    /// Writes something, to see whether it can be done again after the disk was full.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn try_out(&self) -> Result<(), Error> {
        self.call(Turn::Program, |database| {
            // A single page may fit where a message does not.
            open::try_space(database)?;
            database.execute("UPDATE meta SET value = value WHERE name = 'epoch'", [])?;
            Ok(())
        })
        .await
    }

    /// Waits until everything queued so far is committed and its outcomes were handled, whoever queued it.
    pub async fn flushed(&self, asker: impl Fn() -> A, user: UserId) {
        loop {
            let (done, waiting) = oneshot::channel();
            match self.push(Job::Flush { asker: asker(), user, done }) {
                // The sender is dropped only together with the writer; then there is nothing to wait for.
                Ok(()) => {
                    let _ = waiting.await;
                    return;
                }
                // What is to be waited for is in there.
                Err(Error::Overloaded) => tokio::time::sleep(FLUSH_AGAIN).await,
                Err(_) => return,
            }
        }
    }

    /// Runs `work` in the next transaction, in somebody's turn, and answers after its commit. What it did is undone if it
    /// fails, and only that.
    pub(super) async fn call<T, F>(&self, turn: Turn, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.push(Job::Call(turn, Box::new(TypedCall { work: Some(work), result: None, reply })))?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// The same, in the turn of this person, for work that may end their account.
    pub(super) async fn call_ending<T, F>(&self, user: UserId, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(TypedCall { work: Some(work), result: None, reply });
        self.push(Job::Call(Turn::Person(user), Box::new(Ending { user, call })))?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Commits what waits, takes nothing more, and closes the database. Blocks until that is done.
    pub fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("writer.panicked");
        }
    }
}

/// What the writer is made of.
pub(super) struct Parts {
    pub(super) database: Connection,
    /// Another connection, for what is applied behind the writer's back.
    pub(super) second: Connection,
    pub(super) journal: Journal,
    pub(super) invites: Invites,
}

impl Parts {
    fn start(self, health: &Gauge) -> Result<(batch::State, Tail, JoinHandle<()>), Error> {
        let Self { database, second, journal, invites } = self;
        let next_position = event::last_position(&database)? + 1;
        let forgotten = accept::Highest::read(&database)?;
        let (tail, applying) = Tail::start(second, apply::applied(&database)?, health.clone());
        let mut state = batch::State::new(database, journal, tail.clone(), health.clone(), next_position, forgotten);
        state.invites = invites;
        Ok((state, tail, applying))
    }
}

/// Work with a typed answer, kept in the queue without its types.
trait Call: Send {
    fn run(&mut self, database: &Connection) -> Result<(), Error>;
    /// Answers: with the result if `committed`, else with the error.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
    /// The account that it may end.
    fn ends(&self) -> Option<UserId> {
        None
    }
}

/// Work that may end an account.
struct Ending<C> {
    user: UserId,
    call: Box<C>,
}

impl<C: Call> Call for Ending<C> {
    fn run(&mut self, database: &Connection) -> Result<(), Error> {
        self.call.run(database)
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        self.call.finish(committed);
    }

    fn ends(&self) -> Option<UserId> {
        Some(self.user)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenError, Store};

    #[test]
    fn the_folder_stays_taken_after_a_part_has_panicked() {
        for is_broken in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let open = || Store::open::<()>(folder.path(), 16, mpsc::channel(1).0);
            let (store, writer) = open().expect("opens");
            if is_broken {
                store.break_down(Part::Presence);
                assert!(matches!(writer.push(Job::Call(Turn::Program, Box::new(nothing()))), Err(Error::Broken)));
            }
            writer.close();
            let again = open().map(|(_, writer)| writer.close());
            assert_eq!(matches!(again, Err(OpenError::InUse(_))), is_broken, "{again:?}");
        }
    }

    fn nothing() -> impl Call {
        TypedCall { work: Some(|_: &Connection| Ok(())), result: None, reply: oneshot::channel().0 }
    }
}
