//! What the writer's thread does: batch after batch, each one transaction.

use super::{Audience, BATCH_MAX, Call, Effect, Job, NewMessage, Outcome, Progress, Recipients, Stored};
use crate::clock;
use crate::store::health::Gauge;
use crate::store::sqlite::event::NewEvent;
use crate::store::sqlite::row::Sql;
use crate::store::sqlite::{conversation, event};
use crate::store::{Error, Health, kind_of};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use shared::code::{Code, Rejection};
use shared::conversation::{ConversationKind, Summary};
use shared::event::EventKind;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::{Accepted, Message};
use std::collections::HashMap;
use tokio::sync::mpsc;

/// Conversations whose newest numbers and members are kept in memory. At 1,000 members of 16 bytes
/// each this is 64 MB at the very worst.
const HEADS_MAX: usize = 4_096;

/// Pages in the write-ahead log at which it is copied into the database: 4 MiB keep both the log and
/// the pause small.
const FOLD_PAGES: i64 = 1_000;

/// What the writer knows of a conversation without asking the database.
struct Head {
    id: ConversationId,
    last_seq: Cursor,
    message_count: u64,
    last_position: i64,
    audience: Audience,
    is_dirty: bool,
}

/// A position of one member that is not in the database yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    delivered: Cursor,
    read: Cursor,
    read_count: u64,
}

/// The conversation a message is for, with its summary if it is new; or what the sender is told
/// instead.
type Resolved = Result<(i64, Option<Box<Summary>>), Effect>;

/// What is done in a transaction and waits for its commit.
enum Pending<A> {
    Outcome(Outcome<A>),
    Call(Box<dyn Call>, Result<(), Error>),
}

pub(super) struct State {
    database: Connection,
    health: Gauge,
    heads: HashMap<i64, Head>,
    /// The heads that are not in the database as they are here.
    dirty: Vec<i64>,
    keys: HashMap<ConversationId, i64>,
    sets: HashMap<[u8; 32], i64>,
    everyone: Option<i64>,
    positions: HashMap<(i64, UserId), Position>,
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

    fn send(&mut self, user: UserId, message: NewMessage) -> Result<Effect, Error> {
        let at = clock::now();
        let (key, made) = match self.resolve(user, &message, at)? {
            Ok(found) => found,
            Err(effect) => return Ok(effect),
        };
        if let Some(target) = message.reply_to
            && !event::is_message(&self.database, key, target)?
        {
            return Ok(Effect::Refused(
                Rejection::new(Code::BadReference, "The message this replies to is not in this conversation")
                    .field("replyTo"),
            ));
        }
        let head = &self.heads[&key];
        let (id, seq, message_count) = (head.id, head.last_seq.next(), head.message_count + 1);
        let accepted = Accepted { id: message.id, conversation: id, seq, at };
        let print = fingerprint(&accepted.conversation, &message);
        if !self.claim(user, &accepted, key, &print)? {
            return self.repeated(user, message.id, Some(&print));
        }
        let NewMessage { id: command, content, reply_to, .. } = message;
        let kind = serde_json::to_string(&EventKind::Message(Message::new(command, content, reply_to)))
            .map_err(|error| Error::Corrupt(error.to_string()))?;
        let new = NewEvent { conversation: key, seq, at, sender: user, kind: &kind, message_count };
        let position = event::append(&self.database, &new)?;

        let head = self.heads.get_mut(&key).ok_or_else(|| Error::Corrupt("a head is missing".into()))?;
        head.last_seq = seq.into();
        head.message_count = message_count;
        head.last_position = position;
        if !std::mem::replace(&mut head.is_dirty, true) {
            self.dirty.push(key);
        }
        // Writing moves one's own read position.
        let own = Position { delivered: seq.into(), read: seq.into(), read_count: message_count };
        self.positions.insert((key, user), own);
        Ok(Effect::Stored(Stored { accepted, kind, audience: head.audience.clone(), made }))
    }

    /// Finds the conversation a message is for, or makes it.
    fn resolve(&mut self, user: UserId, message: &NewMessage, at: Timestamp) -> Result<Resolved, Error> {
        let key = match &message.to {
            Recipients::Everyone => Some(self.everyone()?),
            Recipients::Conversation(id) => self.key(*id)?,
            Recipients::Set(members) => {
                let set = conversation::member_set(members);
                match self.find_set(&set)? {
                    Some(key) => Some(key),
                    None => return self.make(user, message, members, &set, at),
                }
            }
        };
        if let Some(key) = key
            && self.head(key)?.audience.contains(user)
        {
            return Ok(Ok((key, None)));
        }
        // Somebody who has left may still ask what came of a command from before.
        self.repeated(user, message.id, None).map(Err)
    }

    fn make(
        &mut self,
        user: UserId,
        message: &NewMessage,
        members: &[UserId],
        set: &[u8; 32],
        at: Timestamp,
    ) -> Result<Resolved, Error> {
        let existing = self.repeated(user, message.id, None)?;
        if matches!(existing, Effect::Refused(ref rejection) if rejection.code == Code::Conflict) {
            return Ok(Err(existing));
        }
        if message.reply_to.is_some() || !conversation::all_exist(&self.database, members)? {
            return Ok(Err(Effect::Refused(Rejection::not_found())));
        }
        let id = clock::id(ConversationId::v7);
        let kind = if members.len() <= 2 { ConversationKind::Direct } else { ConversationKind::Group };
        let key = conversation::insert(&self.database, id, kind, set, members, at)?;
        let summary = Summary {
            id,
            kind,
            name: None,
            members: Some(conversation::members(&self.database, key)?),
            last_seq: Cursor::START,
            read_seq: Cursor::START,
            unread: 0,
            last_event: None,
        };
        self.head(key)?;
        Ok(Ok((key, Some(Box::new(summary)))))
    }

    /// Takes a command's id for its user. `false`: it is taken.
    fn claim(&self, user: UserId, accepted: &Accepted, key: i64, print: &[u8; 16]) -> Result<bool, Error> {
        let inserted = self
            .database
            .prepare_cached(
                "INSERT INTO command (user, id, fingerprint, conversation, seq, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![Sql(user), Sql(accepted.id), print, key, Sql(accepted.seq), Sql(accepted.at)])?;
        Ok(inserted == 1)
    }

    /// The answer to a command whose id was used before: the same as then if it is the same command.
    /// Without a fingerprint to compare, the id being used at all is a conflict; an id never used is
    /// `not_found`.
    fn repeated(&self, user: UserId, id: CommandId, print: Option<&[u8; 16]>) -> Result<Effect, Error> {
        let found = self
            .database
            .prepare_cached(
                "SELECT fingerprint, conversation.id, seq, at FROM command
                 JOIN conversation ON conversation.key = command.conversation WHERE user = ?1 AND command.id = ?2",
            )?
            .query_row(params![Sql(user), Sql(id)], |row| {
                let (Sql(conversation), Sql(seq), Sql(at)) = (row.get(1)?, row.get(2)?, row.get(3)?);
                Ok((row.get::<_, [u8; 16]>(0)?, Accepted { id, conversation, seq, at }))
            })
            .optional()?;
        Ok(match (found, print) {
            (None, _) => Effect::Refused(Rejection::not_found()),
            (Some((stored, accepted)), Some(print)) if stored == *print => Effect::Repeated(accepted),
            (Some(_), _) => Effect::Refused(
                Rejection::new(Code::Conflict, "This id was used before for another command. Make a new id")
                    .field("id"),
            ),
        })
    }

    fn progress(&mut self, user: UserId, id: ConversationId, seq: Seq, progress: Progress) -> Result<Effect, Error> {
        let Some(key) = self.key(id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        let head = self.head(key)?;
        if !head.audience.contains(user) {
            return Ok(Effect::Refused(Rejection::not_found()));
        }
        let (audience, last_seq, last_count) = (head.audience.clone(), head.last_seq, head.message_count);
        let target = last_seq.min(seq.into());
        let before = self.position(key, user)?;
        let mut after = before;
        after.delivered = before.delivered.max(target);
        if progress == Progress::Read && target > before.read {
            after.read = target;
            after.read_count = match Seq::new(target.get()) {
                Some(_) if target == last_seq => last_count,
                Some(seq) => event::message_count(&self.database, key, seq)?,
                None => 0,
            };
        }
        if after == before {
            return Ok(Effect::Nothing);
        }
        self.positions.insert((key, user), after);
        Ok(Effect::Moved {
            conversation: id,
            audience,
            delivered: (after.delivered > before.delivered).then_some(after.delivered),
            read: (after.read > before.read).then_some(after.read),
        })
    }

    fn position(&self, key: i64, user: UserId) -> Result<Position, Error> {
        if let Some(position) = self.positions.get(&(key, user)) {
            return Ok(*position);
        }
        Ok(self
            .database
            .prepare_cached(
                "SELECT delivered_seq, read_seq, read_count FROM member WHERE conversation = ?1 AND user = ?2",
            )?
            .query_row(params![key, Sql(user)], |row| {
                let (Sql(delivered), Sql(read)) = (row.get(0)?, row.get(1)?);
                Ok(Position { delivered, read, read_count: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0) })
            })?)
    }

    fn key(&mut self, id: ConversationId) -> Result<Option<i64>, Error> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Some(*key));
        }
        let found = conversation::find_by_id(&self.database, id)?;
        if let Some(key) = found {
            self.keys.insert(id, key);
        }
        Ok(found)
    }

    fn find_set(&mut self, set: &[u8; 32]) -> Result<Option<i64>, Error> {
        if let Some(key) = self.sets.get(set) {
            return Ok(Some(*key));
        }
        let found = conversation::find_by_set(&self.database, set)?;
        if let Some(key) = found {
            self.sets.insert(*set, key);
        }
        Ok(found)
    }

    fn everyone(&mut self) -> Result<i64, Error> {
        match self.everyone {
            Some(key) => Ok(key),
            None => {
                let key = conversation::find_everyone(&self.database)?;
                self.everyone = Some(key);
                Ok(key)
            }
        }
    }

    /// What is known of a conversation, from memory or from the database.
    fn head(&mut self, key: i64) -> Result<&Head, Error> {
        if !self.heads.contains_key(&key) {
            let head = self.load(key)?;
            self.heads.insert(key, head);
        }
        Ok(&self.heads[&key])
    }

    fn load(&self, key: i64) -> Result<Head, Error> {
        let mut statement = self.database.prepare_cached(
            "SELECT id, kind, last_seq, message_count, last_position FROM conversation WHERE key = ?1",
        )?;
        let (id, kind, last_seq, message_count, last_position) = statement.query_row([key], |row| {
            let (Sql(id), Sql(last_seq)) = (row.get(0)?, row.get(2)?);
            Ok((id, row.get::<_, String>(1)?, last_seq, row.get::<_, i64>(3)?, row.get(4)?))
        })?;
        let audience = match kind_of(&kind)? {
            ConversationKind::Everyone => Audience::Everyone,
            _ => Audience::Members(conversation::members(&self.database, key)?.iter().map(|user| user.id).collect()),
        };
        let message_count = u64::try_from(message_count).unwrap_or(0);
        Ok(Head { id, last_seq, message_count, last_position, audience, is_dirty: false })
    }

    /// Writes what was only noted during the batch: one row for each conversation and member touched,
    /// however many messages there were.
    fn flush(&mut self) -> Result<(), Error> {
        let mut statement = self.database.prepare_cached(
            "UPDATE conversation SET last_seq = ?2, message_count = ?3, last_position = ?4 WHERE key = ?1",
        )?;
        for key in self.dirty.drain(..) {
            let Some(head) = self.heads.get_mut(&key) else { continue };
            let message_count = i64::try_from(head.message_count).unwrap_or(i64::MAX);
            statement.execute(params![key, Sql(head.last_seq), message_count, head.last_position])?;
            head.is_dirty = false;
        }
        drop(statement);
        let mut statement = self.database.prepare_cached(
            "UPDATE member SET delivered_seq = ?3, read_seq = ?4, read_count = ?5 WHERE conversation = ?1 AND user = ?2",
        )?;
        for ((key, user), position) in self.positions.drain() {
            let read_count = i64::try_from(position.read_count).unwrap_or(i64::MAX);
            statement.execute(params![key, Sql(user), Sql(position.delivered), Sql(position.read), read_count])?;
        }
        drop(statement);
        if self.heads.len() > HEADS_MAX || self.keys.len() > HEADS_MAX || self.sets.len() > HEADS_MAX {
            self.forget();
        }
        Ok(())
    }

    /// Drops everything remembered; the database is asked again.
    fn forget(&mut self) {
        self.heads.clear();
        self.dirty.clear();
        self.keys.clear();
        self.sets.clear();
        self.positions.clear();
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
        Job::Progress { asker, user, .. } => (asker, user, None, Effect::Nothing),
        Job::Flush { asker, user, done } => (asker, user, None, Effect::Flushed(done)),
        Job::Call(call) => return Pending::Call(call, Ok(())),
    };
    Pending::Outcome(Outcome { asker, user, command, effect })
}

/// Tells two commands with the same id apart: the first half of SHA-256 over where it goes and what
/// it says. Lengths come first, so that no two commands run together to the same bytes.
fn fingerprint(conversation: &ConversationId, message: &NewMessage) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"send");
    hash.update(conversation.as_bytes());
    hash.update(message.reply_to.map_or(0, Seq::get).to_be_bytes());
    hash.update((message.content.len() as u64).to_be_bytes());
    hash.update(&message.content);
    let whole: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{account, open};

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
            Effect::Stored(stored) => stored.accepted.seq.get(),
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
