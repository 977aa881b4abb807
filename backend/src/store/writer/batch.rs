//! What the writer's thread does: batch after batch, each one transaction.

use super::head::{Head, Position};
use super::job::{Effect, Job, Outcome};
use super::{BATCH_MAX, Call};
use crate::store::health::Gauge;
use crate::store::{Error, Health};
use rusqlite::Connection;
use shared::ids::{ConversationId, UserId};
use std::collections::HashMap;
use tokio::sync::mpsc;

/// Pages in the write-ahead log at which it is copied into the database: 4 MiB keep both the log and
/// the pause small.
const FOLD_PAGES: i64 = 1_000;

/// What is done in a transaction and waits for its commit.
enum Pending<A> {
    Outcome(Outcome<A>),
    Call(Box<dyn Call>, Result<(), Error>),
}

pub(super) struct State {
    pub(super) database: Connection,
    health: Gauge,
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
            health: Gauge::default(),
            heads: HashMap::new(),
            dirty: Vec::new(),
            keys: HashMap::new(),
            sets: HashMap::new(),
            everyone: None,
            positions: HashMap::new(),
        }
    }

    pub(super) fn health(&self) -> Gauge {
        self.health.clone()
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
            self.fold();
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
        let failure = if self.health.is_given_up() {
            // A flush that failed may succeed the next time without having written anything: the file is
            // not touched again.
            pending.extend(batch.drain(..).map(untouched));
            Some(Error::Failed)
        } else {
            self.transact(batch, &mut pending).err().map(|error| self.failed(error, pending.len()))
        };
        if failure.is_none() {
            self.health.set(Health::Ready);
        }
        let failure = failure.map(|error| (error.rejection(), error));
        let mut outcomes = Vec::with_capacity(pending.len());
        for done in pending {
            match done {
                Pending::Call(call, result) => call.finish(match &failure {
                    None => result,
                    Some((_, Error::Full)) => Err(Error::Full),
                    Some((_, Error::Failed)) => Err(Error::Failed),
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
        // Dropping the transaction's half-done work; if even that fails, the next BEGIN says so.
        let _ = self.database.execute_batch("ROLLBACK");
        if error.is_disk_failure() {
            tracing::error!(
                %error,
                jobs,
                "store.disk_failed: nothing is written any more. Check the disk of the data folder, then restart Confab"
            );
            self.health.set(Health::Failed);
            return Error::Failed;
        }
        if matches!(error, Error::Full) {
            if self.health.get() != Health::Full {
                tracing::error!(jobs, "store.disk_full: free some space; Confab goes on by itself then");
            }
            self.health.set(Health::Full);
        } else {
            tracing::error!(%error, jobs, "store.failed");
        }
        error
    }

    /// Copies the write-ahead log into the database once it has grown. It is done here and not by
    /// COMMIT, which keeps to itself that it failed; and behind the answers, which need not wait for it.
    fn fold(&mut self) {
        if self.health.is_given_up() {
            return;
        }
        let pages = |mode: &str| {
            self.database.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?.query_row([], |row| row.get(1))
        };
        let folded = pages("NOOP").and_then(|waiting: i64| if waiting < FOLD_PAGES { Ok(0) } else { pages("PASSIVE") });
        if let Err(error) = folded.map_err(Error::from) {
            self.failed(error, 0);
        }
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
            // A call's error is its own, unless it tells of the disk.
            failure = match &done {
                Pending::Call(_, Err(Error::Full)) => Some(Error::Full),
                Pending::Call(_, Err(own)) if own.is_disk_failure() => Some(Error::Failed),
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
        if self.health.is_given_up() {
            // Closing would fold too. What is there is left as it is for the next start.
            let _ = self.database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return;
        }
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

    fn opened() -> (tempfile::TempDir, State, UserId) {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = open::open(folder.path()).expect("opens").connection;
        let user = clock::id(UserId::v7);
        account::insert(&connection, user, "a@b", "Ada", "x", clock::now()).expect("an account");
        (folder, State::new(connection), user)
    }

    fn send(user: UserId) -> Job<()> {
        Job::Send { asker: (), user, message: message(clock::id(CommandId::v7)) }
    }

    #[test]
    fn what_comes_late_from_a_deleted_account_is_refused_alone() {
        use super::super::job::Progress;
        use shared::ids::Seq;
        let (_folder, mut state, ada) = opened();
        let ben = clock::id(UserId::v7);
        account::insert(&state.database, ben, "c@d", "Ben", "x", clock::now()).expect("an account");
        let effects = commit(&mut state, ada, 1);
        let Effect::Stored(stored) = &effects[0] else { panic!("{effects:?}") };
        let conversation = stored.place.conversation;
        account::delete(&state.database, ben, clock::now()).expect("deleted");
        let late = Job::Progress { asker: (), user: ben, conversation, seq: Seq::FIRST, progress: Progress::Read };
        let effects: Vec<_> =
            state.commit(&mut vec![send(ada), late, send(ben)]).into_iter().map(|one| one.effect).collect();
        assert!(matches!(effects[..], [Effect::Stored(_), Effect::Refused(_), Effect::Refused(_)]), "{effects:?}");
    }

    #[test]
    fn a_retry_after_leaving_is_answered_like_the_first_time() {
        use super::super::job::Change;
        use shared::conversation::ConversationKind;
        let (_folder, mut state, ada) = opened();
        let change = |change| Job::Change { asker: (), user: ada, change };
        let made = Change::Create { kind: ConversationKind::Group, name: None, members: vec![ada] };
        let mut one = |job| state.commit(&mut vec![job]).remove(0).effect;
        let Effect::Stored(made) = one(change(made)) else { panic!("not made") };
        let to = Recipients::Conversation(made.place.conversation);
        let id = clock::id(CommandId::v7);
        let write = |content: &str| {
            let message = NewMessage { id, to: to.clone(), content: content.into(), reply_to: None };
            Job::Send { asker: (), user: ada, message }
        };
        let Effect::Stored(first) = one(write("x")) else { panic!("not stored") };
        let left = one(change(Change::Remove(made.place.conversation, ada)));
        assert!(matches!(left, Effect::Stored(_)), "{left:?}");
        let again = one(write("x"));
        assert!(matches!(&again, Effect::Repeated(place) if *place == first.place), "{again:?}");
        let other = one(write("y"));
        assert!(matches!(&other, Effect::Refused(no) if no.code == shared::code::Code::Conflict), "{other:?}");
    }

    #[test]
    fn somebody_who_signs_up_has_nothing_unread_of_the_same_moment() {
        let (_folder, mut state, ada) = opened();
        let ben = clock::id(UserId::v7);
        let (reply, _) = tokio::sync::oneshot::channel();
        let work = move |database: &Connection| account::insert(database, ben, "c@d", "Ben", "x", clock::now());
        let sign_up = Job::Call(Box::new(super::super::TypedCall { work: Some(work), result: None, reply }));
        state.commit(&mut vec![send(ada), send(ada), sign_up]);
        let unread: i64 = state
            .database
            .query_row(
                "SELECT message_count - read_count FROM member JOIN conversation ON key = conversation WHERE user = ?1",
                [crate::store::sqlite::row::Sql(ben)],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(unread, 0);
    }
}
