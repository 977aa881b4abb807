//! What the writer's thread does: batch after batch, each one transaction.

use super::accept::{Highest, Recent};
use super::head::{HEADS_MAX, Head, Position};
use super::invite::{Invites, Taken};
use super::job::{Effect, Job, Outcome};
use super::{BATCH_MAX, Call, queue};
use crate::store::health::{Cause, Gauge};
use crate::store::journal::{Journal, Record};
use crate::store::sqlite::apply;
use crate::store::tail::{FOLD_PAGES, Tail};
use crate::store::{Error, Health};
use foldhash::{HashMap, HashMapExt};
use rusqlite::Connection;
use shared::ids::{ConversationId, UserId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::mpsc;

/// What is done in a transaction and waits for its commit.
enum Pending<A> {
    Outcome(Outcome<A>),
    Call(Box<dyn Call>, Result<(), Error>),
}

/// What the writer works with.
pub(super) struct State {
    pub(super) database: Connection,
    journal: Journal,
    tail: Tail,
    health: Gauge,
    pub(super) invites: Invites,
    pub(super) invited: Taken,
    pub(super) heads: HashMap<i64, Head>,
    /// The heads that are not in the database as they are here.
    pub(super) dirty: Vec<i64>,
    pub(super) keys: HashMap<ConversationId, i64>,
    pub(super) sets: HashMap<[u8; 32], i64>,
    pub(super) everyone: Option<i64>,
    /// Positions that are not in the tables as they are here.
    pub(super) positions: HashMap<(i64, UserId), Position>,
    /// The commands that may not be in the tables yet.
    pub(super) recent: Recent,
    /// The ids of the commands that are not in [`State::recent`], as far as they say which ids are new.
    pub(super) forgotten: Highest,
    /// What the next event's position is.
    pub(super) next_position: i64,
    /// The entries of the batch under way.
    pub(super) record: Record,
    pub(super) rows: usize,
    /// Bytes the last record needed.
    room: usize,
    /// The last append failed, or a job has panicked: what is remembered here may not be so.
    is_uncertain: bool,
    /// The last job that was to be accepted has panicked, and is refused.
    pub(super) has_panicked: bool,
}

impl State {
    pub(super) fn new(
        database: Connection,
        journal: Journal,
        tail: Tail,
        health: Gauge,
        next_position: i64,
        forgotten: Highest,
    ) -> Self {
        Self {
            database,
            journal,
            tail,
            health,
            invites: Invites::default(),
            invited: Taken::new(),
            heads: HashMap::new(),
            dirty: Vec::new(),
            keys: HashMap::new(),
            sets: HashMap::new(),
            everyone: None,
            positions: HashMap::new(),
            recent: Recent::default(),
            forgotten,
            next_position,
            record: Record::new(0, 0),
            rows: 0,
            room: 0,
            is_uncertain: false,
            has_panicked: false,
        }
    }

    pub(super) fn run<A: Send>(&mut self, jobs: queue::Receiver<Job<A>>, outcomes: &mpsc::Sender<Vec<Outcome<A>>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while jobs.take(&mut batch, BATCH_MAX) > 0 {
            #[cfg(debug_assertions)]
            crate::fault::panic_if_asked(crate::task::Part::Writer);
            #[cfg(debug_assertions)]
            if crate::fault::is_on("accept_before_commit") {
                self.lie(&mut batch, outcomes);
                continue;
            }
            let mut is_heard = true;
            self.handle(&mut batch, |done| is_heard = outcomes.blocking_send(done).is_ok());
            if !is_heard {
                return;
            }
        }
    }

    /// Does what a batch asks for: from its front, as far as that goes, by the journal; the rest in a transaction.
    fn handle<A>(&mut self, batch: &mut Vec<Job<A>>, mut done: impl FnMut(Vec<Outcome<A>>)) {
        let (accepted, mut rest) = self.accept(batch);
        if !accepted.is_empty() {
            done(accepted);
        }
        if rest.is_empty() {
            return;
        }
        let committed = self.commit(&mut rest);
        if !committed.is_empty() {
            done(committed);
        }
    }

    /// Accepts the jobs at the front of the batch that need nothing but the journal. Those behind the first that
    /// needs more are given back: everything stays in order.
    fn accept<A>(&mut self, batch: &mut Vec<Job<A>>) -> (Vec<Outcome<A>>, Vec<Job<A>>) {
        let is_crowded = self.heads.len().max(self.keys.len()).max(self.positions.len()) > HEADS_MAX;
        if self.is_uncertain || is_crowded || self.health.get() != Health::Ready || !self.tail.has_room() {
            return (Vec::new(), std::mem::take(batch));
        }
        let accepted = self.tail.accepted();
        self.recent.turn(accepted, self.tail.applied(), &mut self.forgotten);
        self.record = Record::new(accepted + 1, self.room);
        self.rows = 0;
        let mut done = Vec::with_capacity(batch.len());
        let mut rest = Vec::new();
        let mut jobs = batch.drain(..);
        for job in jobs.by_ref() {
            let (bytes, rows) = (self.record.entries().len(), self.rows);
            let accepted = self.accept_job(job);
            if std::mem::take(&mut self.has_panicked) {
                // The job is refused; what it has left is taken out, and nothing is accepted until what is remembered
                // here has been read anew.
                self.record.cut(bytes);
                self.rows = rows;
                self.is_uncertain = true;
                done.extend(accepted.ok());
                break;
            }
            match accepted {
                Ok(outcome) => done.push(outcome),
                Err(job) => {
                    rest.push(job);
                    break;
                }
            }
        }
        rest.extend(jobs);
        if self.record.is_empty() {
            return (done, rest);
        }
        match self.journal.append(&mut self.record, self.tail.applied()) {
            Ok(()) => {
                self.room = self.record.entries().len();
                self.tail.push(std::mem::replace(&mut self.record, Record::new(0, 0)), self.rows);
            }
            Err(error) => {
                self.is_uncertain = true;
                let error = self.health.failed(error, self.rows);
                refuse(&mut done, &error);
            }
        }
        (done, rest)
    }

    /// The fault the kill test must catch: outcomes leave first, the commit follows.
    #[cfg(debug_assertions)]
    fn lie<A: Send>(&mut self, batch: &mut Vec<Job<A>>, outcomes: &mpsc::Sender<Vec<Outcome<A>>>) {
        let tail = self.tail.clone();
        let Ok(_turn) = tail.apply() else { return };
        if self.database.execute_batch("BEGIN IMMEDIATE").is_err() {
            return;
        }
        let (mut done, mut calls) = (Vec::new(), Vec::new());
        for job in batch.drain(..) {
            match self.apply(job).0 {
                Pending::Outcome(outcome) => done.push(outcome),
                Pending::Call(call, result) => calls.push((call, result)),
            }
        }
        let _ = self.flush();
        let _ = outcomes.blocking_send(done);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let _ = self.database.execute_batch("COMMIT");
        for (call, result) in calls {
            call.finish(result);
        }
    }

    /// Applies a batch in one transaction and returns its outcomes; calls are answered here.
    fn commit<A>(&mut self, batch: &mut Vec<Job<A>>) -> Vec<Outcome<A>> {
        let mut pending = Vec::with_capacity(batch.len());
        let tail = self.tail.clone();
        // A flush that failed may succeed the next time without having written anything: then no file is touched
        // again, and this says so.
        let failure = match tail.apply() {
            Err(error) => {
                pending.extend(batch.drain(..).map(untouched));
                Some(error)
            }
            Ok(turn) => {
                // Everything is in the tables now.
                self.positions.clear();
                self.recent.forget(&mut self.forgotten);
                if std::mem::take(&mut self.is_uncertain) {
                    self.forget();
                }
                let failure = self.transact(batch, &mut pending).err().map(|error| self.failed(error, pending.len()));
                if failure.is_none() {
                    self.invited.clear();
                    self.health.set(Health::Ready);
                    // Behind the commit: its answers need not wait for it, and a failure is noticed here.
                    if let Err(error) = apply::fold(&turn, FOLD_PAGES) {
                        self.failed(error, 0);
                    }
                }
                failure
            }
        };
        let failure = failure.map(|error| (error.rejection(), error));
        let mut outcomes = Vec::with_capacity(pending.len());
        for done in pending {
            match done {
                Pending::Call(call, result) => call.finish(match &failure {
                    None => result,
                    Some((_, Error::Full)) => Err(Error::Full),
                    Some((_, Error::Failed)) => Err(Error::Failed),
                    Some((_, Error::Broken)) => Err(Error::Broken),
                    Some((_, Error::Panicked)) => Err(Error::Panicked),
                    Some((_, error)) if error.cause() == Cause::Passing => Err(Error::Overloaded),
                    Some(_) => Err(Error::Corrupt("the transaction failed".into())),
                }),
                Pending::Outcome(mut outcome) => {
                    if let Some((rejection, _)) = &failure
                        && !matches!(outcome.effect, Effect::Flushed(_))
                    {
                        outcome.effect = Effect::Refused(rejection.clone());
                    }
                    outcomes.push(outcome);
                }
            }
        }
        outcomes
    }

    /// Cleans up after a transaction that failed, and notes what that says about the disk.
    fn failed(&mut self, error: Error, jobs: usize) -> Error {
        self.forget();
        self.give_invites_back();
        // Dropping the transaction's half-done work; if even that fails, the next BEGIN says so.
        let _ = self.database.execute_batch("ROLLBACK");
        self.health.failed(error, jobs)
    }

    /// Applies the batch in one transaction. Behind a failure nothing more is applied: some failures
    /// (a full disk is one) make SQLite roll back by itself, and what came then would commit alone.
    /// Every job ends up in `pending` all the same, to be answered.
    fn transact<A>(&mut self, batch: &mut Vec<Job<A>>, pending: &mut Vec<Pending<A>>) -> Result<(), Error> {
        let mut failure = self.database.execute_batch("BEGIN IMMEDIATE").map_err(Error::from).err();
        for job in batch.drain(..) {
            if failure.is_some() {
                pending.push(untouched(job));
                continue;
            }
            let (done, error) = self.apply(job);
            // A call's error is its own, unless it tells of the disk, or that something is short.
            failure = match &done {
                Pending::Call(_, Err(own)) => own.ends_transaction().or(error),
                _ => error,
            };
            pending.push(done);
        }
        if let Some(error) = failure {
            return Err(error);
        }
        self.flush()?;
        Ok(self.database.execute_batch("COMMIT")?)
    }

    /// Does one job inside the transaction. An error means that the transaction must not commit.
    fn apply<A>(&mut self, job: Job<A>) -> (Pending<A>, Option<Error>) {
        let (asker, user, command, effect) = match job {
            Job::Send { asker, user, message } => {
                (asker, user, Some(message.id), self.attempt(|state| state.send(user, message)))
            }
            Job::Amend { asker, user, amendment } => {
                (asker, user, Some(amendment.id), self.attempt(|state| state.amend(user, &amendment)))
            }
            Job::Change { asker, user, change } => {
                (asker, user, None, self.attempt(|state| state.change(user, change)))
            }
            Job::Progress { asker, user, conversation, seq, progress } => {
                (asker, user, None, self.attempt(|state| state.progress(user, conversation, seq, progress)))
            }
            Job::Flush { asker, user, done } => (asker, user, None, Ok(Effect::Flushed(done))),
            Job::Call(_, call) => return self.call(call),
        };
        let (effect, error) = match effect {
            Ok(effect) => (effect, None),
            Err(error) => (Effect::Nothing, Some(error)),
        };
        (Pending::Outcome(Outcome { asker, user, command, effect }), error)
    }

    /// Does a job of which a panic is an error: the transaction is undone, and what is remembered here forgotten.
    pub(super) fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or(Err(Error::Panicked))
    }

    /// A call that fails is undone alone; the others' work stands.
    fn call<A>(&mut self, mut call: Box<dyn Call>) -> (Pending<A>, Option<Error>) {
        let fence = |database: &Connection, sql: &str| database.execute_batch(sql).map_err(Error::from);
        if let Err(error) = fence(&self.database, "SAVEPOINT call") {
            return (Pending::Call(call, Ok(())), Some(error));
        }
        let result = catch_unwind(AssertUnwindSafe(|| call.run(&self.database))).unwrap_or(Err(Error::Panicked));
        let undone = match &result {
            Ok(()) => fence(&self.database, "RELEASE call"),
            Err(_) => fence(&self.database, "ROLLBACK TO call; RELEASE call"),
        };
        let noted = call.ends().map_or(Ok(()), |user| self.note_ended(user));
        (Pending::Call(call, result), undone.and(noted).err())
    }

    /// Brings everything into one tidy file, as the next start likes to find it.
    pub(super) fn finish(self) {
        let tail = self.tail.clone();
        let Ok(turn) = tail.apply() else {
            // Closing would fold SQLite's log. What is there is left as it is for the next start.
            let _ = self.database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return;
        };
        self.journal.remove();
        let folded = self.database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = folded {
            tracing::warn!(%error, "store.checkpoint_failed");
        }
        drop(turn);
        if let Err((_, error)) = self.database.close() {
            tracing::warn!(%error, "store.close_failed");
        }
    }
}

fn refuse<A>(outcomes: &mut [Outcome<A>], error: &Error) {
    let rejection = error.rejection();
    for outcome in outcomes.iter_mut().filter(|outcome| !matches!(outcome.effect, Effect::Flushed(_))) {
        outcome.effect = Effect::Refused(rejection.clone());
    }
}

/// A job that nothing was done for.
fn untouched<A>(job: Job<A>) -> Pending<A> {
    let (asker, user, command, effect) = match job {
        Job::Send { asker, user, message } => (asker, user, Some(message.id), Effect::Nothing),
        Job::Amend { asker, user, amendment } => (asker, user, Some(amendment.id), Effect::Nothing),
        Job::Change { asker, user, .. } => (asker, user, None, Effect::Nothing),
        Job::Progress { asker, user, .. } => (asker, user, None, Effect::Nothing),
        Job::Flush { asker, user, done } => (asker, user, None, Effect::Flushed(done)),
        Job::Call(_, call) => return Pending::Call(call, Ok(())),
    };
    Pending::Outcome(Outcome { asker, user, command, effect })
}

#[cfg(test)]
mod tests;
