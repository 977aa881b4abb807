//! What can be accepted by the journal alone: messages to conversations that exist, and positions.
//!
//! Everything here is decided from what the writer remembers and from tables that only the writer's
//! transactions change: who is a member of what. Where the answer may lie in the tail, the job is given
//! back untouched, and is done in a transaction after the tail has been applied.

use super::batch::State;
use super::head::Position;
use super::job::{Effect, Job, NewMessage, News, Outcome, Place, Progress, Recipients, Stored};
use super::send::{fingerprint, to_json};
use crate::clock;
use crate::store::Error;
use crate::store::journal::Number;
use crate::store::journal::entry::{self, Entry};
use crate::store::sqlite::{command, conversation, event};
use foldhash::HashSet;
use rusqlite::Connection;
use shared::code::Rejection;
use shared::event::EventKind;
use shared::ids::{CommandId, ConversationId, Seq, UserId};
use shared::message::Message;

impl State {
    /// Decides a job and writes its entry; or gives it back, because it needs the tables.
    #[expect(clippy::result_large_err, reason = "the job goes back into the batch as it came")]
    pub(super) fn accept_job<A>(&mut self, job: Job<A>) -> Result<Outcome<A>, Job<A>> {
        match job {
            Job::Send { asker, user, message } => match self.attempt(|state| state.accept_message(user, &message)) {
                Ok(Some(stored)) => {
                    Ok(Outcome { asker, user, command: Some(message.id), effect: Effect::Stored(stored) })
                }
                Err(Error::Panicked) => Ok(Outcome { asker, user, command: Some(message.id), effect: self.panicked() }),
                // An error too: the transaction will meet it again, and knows what to do about it.
                Ok(None) | Err(_) => Err(Job::Send { asker, user, message }),
            },
            Job::Progress { asker, user, conversation, seq, progress } => {
                match self.attempt(|state| state.accept_progress(user, conversation, seq, progress)) {
                    Err(Error::Panicked) => Ok(Outcome { asker, user, command: None, effect: self.panicked() }),
                    Ok(effect) => Ok(Outcome { asker, user, command: None, effect }),
                    Err(_) => Err(Job::Progress { asker, user, conversation, seq, progress }),
                }
            }
            Job::Flush { asker, user, done } => {
                Ok(Outcome { asker, user, command: None, effect: Effect::Flushed(done) })
            }
            job @ (Job::Amend { .. } | Job::Change { .. } | Job::Call(..)) => Err(job),
        }
    }

    /// The job under way has panicked.
    fn panicked(&mut self) -> Effect {
        self.has_panicked = true;
        Effect::Refused(Rejection::internal())
    }

    fn accept_message(&mut self, user: UserId, message: &NewMessage) -> Result<Option<Stored>, Error> {
        // Whose files they are is in the tables.
        if !message.attachments.is_empty() {
            return Ok(None);
        }
        let Some(key) = self.find(&message.to)? else { return Ok(None) };
        let is_heard = self.is_member(key, user)? && self.refuse_audience(key, &message.to)?.is_none();
        if !is_heard || !self.may_refer(key, message.reply_to)? || !self.is_new(user, message.id)? {
            return Ok(None);
        }
        let at = clock::now();
        let head = self.head(key)?;
        let place = Place { conversation: head.id, seq: head.last_seq.next(), at };
        let fingerprint = fingerprint(&place.conversation, message);
        let (mentions, mention_names) = self.mentions(key, &message.content)?;
        #[cfg(debug_assertions)]
        crate::fault::panic_at(message.content.text());
        let new = Message::new(message.id, message.content.text().to_owned(), message.reply_to);
        let kind = to_json(&EventKind::Message(Message { mentions, mention_names, ..new }))?;

        let (position, seq) = (self.take_position(), place.seq);
        let head = self.heads.get_mut(&key).ok_or_else(|| Error::Corrupt("a head is missing".into()))?;
        head.last_seq = seq.into();
        head.message_count += 1;
        head.last_position = position;
        head.note_writer(user);
        let (message_count, audience) = (head.message_count, head.audience.clone());
        self.positions
            .insert((key, user), Position { delivered: seq.into(), read: seq.into(), read_count: message_count });
        self.recent.insert(user, message.id);
        let entry = entry::Message {
            conversation: key,
            position,
            seq,
            at,
            message_count,
            sender: user,
            command: message.id,
            fingerprint,
            kind: &kind,
        };
        self.record(Entry::Message(entry));
        Ok(Some(Stored { place, kind, audience, news: News::None, requests: Vec::new() }))
    }

    fn accept_progress(
        &mut self,
        user: UserId,
        id: ConversationId,
        seq: Seq,
        progress: Progress,
    ) -> Result<Effect, Error> {
        let effect = self.progress(user, id, seq, progress)?;
        if let (Effect::Moved { .. }, Some(key)) = (&effect, self.key(id)?)
            && let Some(Position { delivered, read, read_count }) = self.positions.get(&(key, user)).copied()
        {
            let entry = entry::Progress { conversation: key, user, delivered, read, read_count };
            self.record(Entry::Progress(entry));
        }
        Ok(effect)
    }

    /// Adds an entry to the record of the batch under way.
    fn record(&mut self, entry: Entry<'_>) {
        entry.write(self.record.entries_mut());
        self.rows += 1;
    }

    /// The conversation a message is for, if it exists.
    pub(super) fn find(&mut self, to: &Recipients) -> Result<Option<i64>, Error> {
        match to {
            Recipients::Everyone => self.everyone().map(Some),
            Recipients::Conversation(id) | Recipients::Group(id, _) => self.key(*id),
            Recipients::Set(members) => self.find_set(&conversation::member_set(members)),
        }
    }

    /// Whether this is a message for certain.
    fn may_refer(&mut self, key: i64, target: Option<Seq>) -> Result<bool, Error> {
        let Some(target) = target else { return Ok(true) };
        Ok(self.head(key)?.has_message(target) || event::is_message(&self.database, key, target)?)
    }

    /// Whether this person has never used this id.
    fn is_new(&mut self, user: UserId, id: CommandId) -> Result<bool, Error> {
        if self.recent.contains(user, id) {
            return Ok(false);
        }
        Ok(self.forgotten.is_unused(&self.database, id)? || self.stored(user, id)?.is_none())
    }
}

/// Two marks in the order of ids with no used one between them, so that most new ids need no look into a table: ids that are
/// made in order are above the lower mark.
///
/// Ids from the future move the upper mark alone. One far above the others would else make every id until then be looked up.
/// With time the upper mark becomes the past; then both are read again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Highest {
    past: Option<CommandId>,
    future: Option<CommandId>,
    /// How often the marks did not tell.
    #[cfg(test)]
    pub(super) lookups: usize,
}

impl Highest {
    /// The marks of the ids in the tables.
    pub(super) fn read(database: &Connection) -> Result<Self, Error> {
        let (past, future) = command::around(database, newest())?;
        Ok(Self {
            past,
            future,
            #[cfg(test)]
            lookups: 0,
        })
    }

    /// More ids that are in the tables.
    pub(super) fn note(&mut self, ids: impl IntoIterator<Item = CommandId>) {
        self.note_at(newest(), ids);
    }

    fn note_at(&mut self, newest: CommandId, ids: impl IntoIterator<Item = CommandId>) {
        for id in ids {
            if id <= newest {
                self.past = self.past.max(Some(id));
            } else if self.future.is_none_or(|future| id < future) {
                self.future = Some(id);
            }
        }
    }

    /// Whether an id that is not in [`State::recent`] was never used, for certain.
    fn is_unused(&mut self, database: &Connection, id: CommandId) -> Result<bool, Error> {
        if !self.is_between(id) {
            self.catch_up(database, newest())?;
        }
        let is_unused = self.is_between(id);
        #[cfg(test)]
        {
            self.lookups += usize::from(!is_unused);
        }
        Ok(is_unused)
    }

    fn is_between(&self, id: CommandId) -> bool {
        self.past < Some(id) && self.future.is_none_or(|future| id < future)
    }

    fn catch_up(&mut self, database: &Connection, newest: CommandId) -> Result<(), Error> {
        if self.future.is_some_and(|future| future <= newest) {
            let (past, future) = command::around(database, newest)?;
            (self.past, self.future) = (self.past.max(past), future);
        }
        Ok(())
    }
}

/// The highest id that can be made by now.
fn newest() -> CommandId {
    CommandId::v7(clock::now(), [u8::MAX; 10])
}

/// Commands that may be in the journal alone: those of the records since some time ago. What has been
/// applied is forgotten half by half.
#[derive(Debug, Default)]
pub(super) struct Recent {
    now: HashSet<(CommandId, UserId)>,
    before: HashSet<(CommandId, UserId)>,
    /// The last record that `before` has commands of.
    before_up_to: Number,
}

/// Commands to be remembered before the older half is looked at.
const RECENT: usize = 4_096;

impl Recent {
    fn insert(&mut self, user: UserId, id: CommandId) {
        self.now.insert((id, user));
    }

    fn contains(&self, user: UserId, id: CommandId) -> bool {
        self.now.contains(&(id, user)) || self.before.contains(&(id, user))
    }

    /// Forgets what is in the tables. The tail's bound is this one's, too.
    pub(super) fn turn(&mut self, accepted: Number, applied: Number, forgotten: &mut Highest) {
        if self.now.len() >= RECENT && self.before_up_to <= applied {
            std::mem::swap(&mut self.now, &mut self.before);
            forgotten.note(self.now.drain().map(|(id, _)| id));
            self.before_up_to = accepted;
        }
    }

    /// Forgets everything: it is in the tables.
    pub(super) fn forget(&mut self, forgotten: &mut Highest) {
        forgotten.note(self.now.drain().chain(self.before.drain()).map(|(id, _)| id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::row::Sql;
    use shared::ids::Timestamp;

    #[test]
    fn a_command_is_remembered_until_it_is_in_the_tables() {
        let (user, mut recent, mut forgotten) = (clock::id(UserId::v7), Recent::default(), Highest::default());
        let ids: Vec<_> = (0..5 * RECENT).map(|_| clock::id(CommandId::v7)).collect();
        let mut applied = 0;
        for (number, ids) in (1..).zip(ids.chunks(64)) {
            recent.turn(number - 1, applied, &mut forgotten);
            ids.iter().for_each(|id| recent.insert(user, *id));
            if number % 50 == 0 {
                applied = number - 10;
            }
        }
        let known = usize::try_from(applied).expect("it is small") * 64;
        assert!(ids[known..].iter().all(|id| recent.contains(user, *id)), "what is not applied is known");
        let is_known = |id: &CommandId| recent.contains(user, *id);
        assert!(!ids.iter().all(is_known), "and what was applied long ago is not");
        assert!(ids.iter().all(|id| is_known(id) || !forgotten.is_between(*id)), "none is taken for new");
    }

    #[test]
    fn an_id_from_the_future_moves_the_mark_when_its_time_has_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = crate::store::sqlite::open::open(folder.path()).expect("opens").connection;
        let id = |at| CommandId::v7(Timestamp::from_millis(at), [0; 10]);
        let newest = |at| CommandId::v7(Timestamp::from_millis(at), [u8::MAX; 10]);
        let insert =
            "INSERT INTO command (user, id, fingerprint, conversation, seq, at) VALUES (x'00', ?1, x'00', 1, 1, 1)";
        database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").expect("set");
        let mut marks = Highest::default();
        for used in [id(100), id(500), id(900)] {
            database.execute(insert, [Sql(used)]).expect("inserted");
            marks.note_at(newest(200), [used]);
        }
        let unused = |marks: &Highest| [50, 150, 499, 600, 950].map(|at| marks.is_between(id(at)));
        assert_eq!(unused(&marks), [false, true, true, false, false]);
        marks.catch_up(&database, newest(400)).expect("read");
        assert_eq!(unused(&marks), [false, true, true, false, false], "its time has not come");
        marks.catch_up(&database, newest(700)).expect("read");
        assert_eq!(unused(&marks), [false, false, false, true, false]);
        marks.catch_up(&database, newest(1_000)).expect("read");
        assert_eq!(unused(&marks), [false, false, false, false, true]);
    }
}
