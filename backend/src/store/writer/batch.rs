//! What the writer's thread does: batch after batch, each one transaction.

use super::head::{Head, Position};
use super::job::{Effect, Job, Outcome};
use super::{BATCH_MAX, Call};
use crate::store::Error;
use rusqlite::Connection;
use shared::code::{Code, Rejection};
use shared::ids::{ConversationId, UserId};
use std::collections::HashMap;
use tokio::sync::mpsc;

/// What is done in a transaction and waits for its commit.
enum Pending<A> {
    Outcome(Outcome<A>),
    Call(Box<dyn Call>, Result<(), Error>),
}

pub(super) struct State {
    pub(super) database: Connection,
    pub(super) heads: HashMap<i64, Head>,
    /// The heads that are not in the database as they are here.
    pub(super) dirty: Vec<i64>,
    pub(super) keys: HashMap<ConversationId, i64>,
    pub(super) sets: HashMap<[u8; 32], i64>,
    pub(super) everyone: Option<i64>,
    pub(super) positions: HashMap<(i64, UserId), Position>,
}

impl State {
    pub(super) fn new(database: Connection) -> Self {
        Self {
            database,
            heads: HashMap::new(),
            dirty: Vec::new(),
            keys: HashMap::new(),
            sets: HashMap::new(),
            everyone: None,
            positions: HashMap::new(),
        }
    }

    pub(super) fn run<A: Send>(&mut self, mut jobs: mpsc::Receiver<Job<A>>, outcomes: &mpsc::Sender<Vec<Outcome<A>>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while jobs.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            #[cfg(debug_assertions)]
            if crate::fault::is_on("accept_before_commit") {
                self.lie(&mut batch, outcomes);
                continue;
            }
            let done = self.commit(&mut batch);
            if !done.is_empty() && outcomes.blocking_send(done).is_err() {
                return;
            }
        }
    }

    /// The fault the kill test must catch: outcomes leave first, the commit follows.
    #[cfg(debug_assertions)]
    fn lie<A: Send>(&mut self, batch: &mut Vec<Job<A>>, outcomes: &mpsc::Sender<Vec<Outcome<A>>>) {
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
        let committed = self.transact(batch, &mut pending);
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = pending.len() + batch.len(), "store.failed");
            self.forget();
            // Dropping the transaction's half-done work; if even that fails, the next BEGIN says so.
            let _ = self.database.execute_batch("ROLLBACK");
        }
        let failure = committed.as_ref().err().map(refusal);
        let mut outcomes = Vec::with_capacity(pending.len());
        for done in pending {
            match done {
                Pending::Call(call, result) => call.finish(match &failure {
                    None => result,
                    Some(rejection) if rejection.code == Code::StorageFull => Err(Error::Full),
                    Some(_) => Err(Error::Corrupt("the transaction failed".into())),
                }),
                Pending::Outcome(mut outcome) => {
                    if let Some(rejection) = &failure
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
            pending.push(done);
            failure = error;
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
            Job::Send { asker, user, message } => (asker, user, Some(message.id), self.send(user, message)),
            Job::Amend { asker, user, amendment } => (asker, user, Some(amendment.id), self.amend(user, &amendment)),
            Job::Change { asker, user, change } => (asker, user, None, self.change(user, change)),
            Job::Progress { asker, user, conversation, seq, progress } => {
                (asker, user, None, self.progress(user, conversation, seq, progress))
            }
            Job::Flush { asker, user, done } => (asker, user, None, Ok(Effect::Flushed(done))),
            Job::Call(call) => return self.call(call),
        };
        let (effect, error) = match effect {
            Ok(effect) => (effect, None),
            Err(error) => (Effect::Nothing, Some(error)),
        };
        (Pending::Outcome(Outcome { asker, user, command, effect }), error)
    }

    /// A call that fails is undone alone; the others' work stands.
    fn call<A>(&self, mut call: Box<dyn Call>) -> (Pending<A>, Option<Error>) {
        let fence = |database: &Connection, sql: &str| database.execute_batch(sql).map_err(Error::from);
        if let Err(error) = fence(&self.database, "SAVEPOINT call") {
            return (Pending::Call(call, Ok(())), Some(error));
        }
        let result = call.run(&self.database);
        let undone = match &result {
            Ok(()) => fence(&self.database, "RELEASE call"),
            Err(_) => fence(&self.database, "ROLLBACK TO call; RELEASE call"),
        };
        (Pending::Call(call, result), undone.err())
    }

    /// Folds the write-ahead log into the database, so that the next start finds one tidy file.
    pub(super) fn finish(self) {
        let folded = self.database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = folded {
            tracing::warn!(%error, "store.checkpoint_failed");
        }
        if let Err((_, error)) = self.database.close() {
            tracing::warn!(%error, "store.close_failed");
        }
    }
}

/// A job that was not looked at, because its transaction has failed already.
fn untouched<A>(job: Job<A>) -> Pending<A> {
    let (asker, user, command, effect) = match job {
        Job::Send { asker, user, message } => (asker, user, Some(message.id), Effect::Nothing),
        Job::Amend { asker, user, amendment } => (asker, user, Some(amendment.id), Effect::Nothing),
        Job::Change { asker, user, .. } => (asker, user, None, Effect::Nothing),
        Job::Progress { asker, user, .. } => (asker, user, None, Effect::Nothing),
        Job::Flush { asker, user, done } => (asker, user, None, Effect::Flushed(done)),
        Job::Call(call) => return Pending::Call(call, Ok(())),
    };
    Pending::Outcome(Outcome { asker, user, command, effect })
}

/// What the sender of a command is told when the database failed.
fn refusal(error: &Error) -> Rejection {
    match error {
        Error::Full => Rejection::new(
            Code::StorageFull,
            "The server's disk is full. Your message is kept here and can be sent again later",
        )
        .retry_after_ms(30_000),
        _ => Rejection::internal(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::{NewMessage, Recipients};
    use super::*;
    use crate::clock;
    use crate::store::sqlite::{account, open};
    use shared::ids::CommandId;

    fn message(id: CommandId) -> NewMessage {
        NewMessage { id, to: Recipients::Everyone, content: "x".into(), reply_to: None }
    }

    fn commit(state: &mut State, user: UserId, count: usize) -> Vec<Effect> {
        let job = || Job::Send { asker: (), user, message: message(clock::id(CommandId::v7)) };
        let mut batch: Vec<_> = std::iter::repeat_with(job).take(count).collect();
        state.commit(&mut batch).into_iter().map(|outcome| outcome.effect).collect()
    }

    fn seqs(effects: &[Effect]) -> Vec<u64> {
        let seq = |effect: &Effect| match effect {
            Effect::Stored(stored) => stored.place.seq.get(),
            other => panic!("not stored: {other:?}"),
        };
        effects.iter().map(seq).collect()
    }

    #[test]
    fn a_transaction_that_cannot_begin_stores_nothing_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let user = clock::id(UserId::v7);
        account::insert(&opened.connection, user, "a@b", "Ada", "x", clock::now()).expect("an account");
        opened.connection.busy_timeout(std::time::Duration::ZERO).expect("set");
        let mut state = State::new(opened.connection);
        assert_eq!(seqs(&commit(&mut state, user, 2)), [1, 2]);

        let other = Connection::open(folder.path().join("confab.db")).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        let refused = commit(&mut state, user, 3);
        assert_eq!(refused.len(), 3);
        assert!(refused.iter().all(|effect| matches!(effect, Effect::Refused(_))), "{refused:?}");
        other.execute_batch("ROLLBACK").expect("released");

        assert_eq!(seqs(&commit(&mut state, user, 2)), [3, 4]);
        let count: i64 = other.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count");
        assert_eq!(count, 4);
    }
}
