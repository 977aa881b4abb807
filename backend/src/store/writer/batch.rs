//! What the writer's thread does: batch after batch, each one transaction.

use super::accept::{Highest, Recent};
use super::head::{HEADS_MAX, Head, Position};
use super::job::{Effect, Job, Outcome};
use super::{BATCH_MAX, Call};
use crate::store::health::Gauge;
use crate::store::journal::{Journal, Record};
use crate::store::sqlite::apply;
use crate::store::tail::{FOLD_PAGES, Tail};
use crate::store::{Error, Health};
use foldhash::{HashMap, HashMapExt};
use rusqlite::Connection;
use shared::ids::{ConversationId, UserId};
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
    /// The highest id of a command that is not in [`State::recent`].
    pub(super) forgotten: Highest,
    /// What the next event's position is.
    pub(super) next_position: i64,
    /// The entries of the batch under way.
    pub(super) record: Record,
    pub(super) rows: usize,
    /// Bytes the last record needed.
    room: usize,
    /// The last append failed: what is remembered here may not be so.
    is_uncertain: bool,
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
            match self.accept_job(job) {
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
        Job::Call(call) => return Pending::Call(call, Ok(())),
    };
    Pending::Outcome(Outcome { asker, user, command, effect })
}

#[cfg(test)]
mod tests {
    use super::super::job::Change;
    use super::super::job::{NewMessage, Recipients};
    use super::*;
    use crate::clock;
    use crate::store::sqlite::account;
    use crate::store::sqlite::open::{self, Opened};
    use crate::store::tail::ROWS_MAX;
    use shared::conversation::ConversationKind;
    use shared::ids::CommandId;

    fn message(id: CommandId) -> NewMessage {
        NewMessage { id, to: Recipients::Everyone, content: "x".into(), reply_to: None }
    }

    fn send_some(state: &mut State, user: UserId, count: usize) -> Vec<Effect> {
        let job = || Job::Send { asker: (), user, message: message(clock::id(CommandId::v7)) };
        let batch: Vec<_> = std::iter::repeat_with(job).take(count).collect();
        handle(state, batch)
    }

    fn handle(state: &mut State, mut batch: Vec<Job<()>>) -> Vec<Effect> {
        let mut effects = Vec::new();
        state.handle(&mut batch, |done| effects.extend(done.into_iter().map(|outcome| outcome.effect)));
        effects
    }

    fn start(folder: &std::path::Path) -> State {
        let Opened { connection, second, journal, .. } = open::open(folder).expect("opens");
        let parts = super::super::Parts { database: connection, second, journal };
        parts.start(&Gauge::default()).expect("starts").0
    }

    fn seqs(effects: &[Effect]) -> Vec<u64> {
        let seq = |effect: &Effect| match effect {
            Effect::Stored(stored) => stored.place.seq.get(),
            other => panic!("not stored: {other:?}"),
        };
        effects.iter().map(seq).collect()
    }

    #[test]
    fn while_the_tables_are_locked_messages_are_accepted_and_the_rest_is_refused_whole() {
        let (folder, mut state, user) = opened();
        state.database.busy_timeout(std::time::Duration::ZERO).expect("set");
        assert_eq!(seqs(&send_some(&mut state, user, 2)), [1, 2]);
        drop(state.tail.apply().expect("applied"));

        let other = Connection::open(folder.path().join("confab.db")).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        assert_eq!(seqs(&send_some(&mut state, user, 3)), [3, 4, 5]);
        let create = || Job::Change {
            asker: (),
            user,
            change: Change::Create { kind: ConversationKind::Group, name: None, members: vec![user] },
        };
        let refused = handle(&mut state, vec![create(), send(user)]);
        assert!(matches!(refused[..], [Effect::Refused(_), Effect::Refused(_)]), "{refused:?}");
        other.execute_batch("ROLLBACK").expect("released");

        let stored = handle(&mut state, vec![create(), send(user)]);
        assert!(matches!(stored[..], [Effect::Stored(_), Effect::Stored(_)]), "{stored:?}");
        assert_eq!(seqs(&stored[1..]), [6]);
        drop(state.tail.apply().expect("applied"));
        let count: i64 = other.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count");
        assert_eq!(count, 7);
    }

    #[test]
    fn what_was_accepted_before_the_process_died_is_there_at_the_next_start() {
        let (folder, mut state, ada) = opened();
        assert_eq!(seqs(&send_some(&mut state, ada, 3)), [1, 2, 3]);
        // What a killed process leaves: the journal as it was flushed, and tables that know nothing of it.
        let copy = tempfile::tempdir().expect("a folder");
        for name in ["confab.db", "confab.db-wal", "confab.journal-0", "confab.journal-1"] {
            let _ = std::fs::copy(folder.path().join(name), copy.path().join(name));
        }
        let mut state = start(copy.path());
        let count = |state: &State| -> i64 {
            state.database.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count")
        };
        assert_eq!(count(&state), 3);
        assert_eq!(seqs(&send_some(&mut state, ada, 1)), [4]);
        state.finish();
        let state = start(copy.path());
        assert_eq!(count(&state), 4, "and once");
    }

    #[test]
    fn a_retry_is_answered_the_same_from_the_tail_and_from_the_tables() {
        let (_folder, mut state, ada) = opened();
        let id = clock::id(CommandId::v7);
        let job = || Job::Send { asker: (), user: ada, message: message(id) };
        let first = handle(&mut state, vec![job(), job()]);
        let [Effect::Stored(stored), Effect::Repeated(place)] = &first[..] else { panic!("{first:?}") };
        assert_eq!(stored.place, *place);
        let later = handle(&mut state, vec![send(ada), job()]);
        assert!(matches!(&later[..], [Effect::Stored(_), Effect::Repeated(again)] if again == place), "{later:?}");
    }

    #[test]
    fn at_the_bound_of_the_tail_the_writer_waits_for_room_and_goes_on() {
        let (_folder, mut state, ada) = opened();
        send_some(&mut state, ada, 1);
        let tail = state.tail.clone();
        // Nobody applies anything while this is held.
        let turn = tail.apply().expect("applied");
        for _ in 0..ROWS_MAX / BATCH_MAX {
            send_some(&mut state, ada, BATCH_MAX);
        }
        let full = tail.accepted();
        let writer = std::thread::spawn(move || seqs(&send_some(&mut state, ada, 1)));
        assert!(!tail.has_room());
        assert_eq!(tail.accepted(), full, "nothing is accepted beyond the bound");
        drop(turn);
        assert!(tail.has_room(), "the tail's own thread makes room");
        assert_eq!(writer.join().expect("no panic"), [ROWS_MAX as u64 + 2]);
    }

    fn opened() -> (tempfile::TempDir, State, UserId) {
        let folder = tempfile::tempdir().expect("a folder");
        let state = start(folder.path());
        let user = clock::id(UserId::v7);
        account::insert(&state.database, user, "a@b", "Ada", "x", clock::now()).expect("an account");
        (folder, state, user)
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
        let effects = send_some(&mut state, ada, 1);
        let Effect::Stored(stored) = &effects[0] else { panic!("{effects:?}") };
        let conversation = stored.place.conversation;
        account::delete(&state.database, ben, clock::now()).expect("deleted");
        let late = Job::Progress { asker: (), user: ben, conversation, seq: Seq::FIRST, progress: Progress::Read };
        let effects = handle(&mut state, vec![send(ada), late, send(ben)]);
        assert!(matches!(effects[..], [Effect::Stored(_), Effect::Refused(_), Effect::Refused(_)]), "{effects:?}");
    }

    #[test]
    fn a_retry_after_leaving_is_answered_like_the_first_time() {
        let (_folder, mut state, ada) = opened();
        let change = |change| Job::Change { asker: (), user: ada, change };
        let made = Change::Create { kind: ConversationKind::Group, name: None, members: vec![ada] };
        let mut one = |job| handle(&mut state, vec![job]).remove(0);
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
        handle(&mut state, vec![send(ada), send(ada), sign_up]);
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
