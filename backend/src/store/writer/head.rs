//! What the writer remembers of conversations, and what it writes of that once for each batch.

use super::batch::State;
use super::job::{Audience, Effect, Place, Progress};
use crate::store::sqlite::command::Fingerprint;
use crate::store::sqlite::event::NewEvent;
use crate::store::sqlite::row::Sql;
use crate::store::sqlite::{audience, conversation, event};
use crate::store::{Error, kind_of};
use rusqlite::params;
use shared::code::Rejection;
use shared::conversation::ConversationKind;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use std::sync::Arc;

/// Conversations whose newest numbers and members are kept in memory. At 1,000 members of 17 bytes
/// each this is 272 MB at the very worst, if every one of them has 1,000.
pub(super) const HEADS_MAX: usize = 16_384;

/// What the writer knows of a conversation without asking the database.
pub(super) struct Head {
    pub(super) id: ConversationId,
    pub(super) kind: ConversationKind,
    pub(super) last_seq: Cursor,
    pub(super) message_count: u64,
    pub(super) last_position: i64,
    pub(super) audience: Audience,
    /// Whether each of the audience's members is silent: their positions are told to nobody. Empty: none is.
    silent: Box<[bool]>,
    pub(super) is_dirty: bool,
    /// A direct conversation with a deleted account: nothing new is said in it.
    is_over: bool,
    /// Everything after this is a message.
    pub(super) run: Cursor,
}

impl Head {
    /// Whether the log's end is known to have a message at this number.
    pub(super) fn has_message(&self, seq: Seq) -> bool {
        Cursor::from(seq) > self.run && Cursor::from(seq) <= self.last_seq
    }

    /// People who are told a member's positions; `None`: nobody.
    fn told(&self, user: UserId) -> Option<Arc<[UserId]>> {
        let Audience::Members(members) = &self.audience else { return None };
        let is_silent = members.binary_search(&user).is_ok_and(|at| self.silent.get(at) == Some(&true));
        (!is_silent).then(|| members.clone())
    }

    /// A member writes, and is silent no more. Their message tells the others how far they have read.
    pub(super) fn note_writer(&mut self, user: UserId) {
        if let Audience::Members(members) = &self.audience
            && let Ok(at) = members.binary_search(&user)
            && let Some(is_silent) = self.silent.get_mut(at)
        {
            *is_silent = false;
        }
    }

    /// How many messages there are up to this number, if only messages come after it.
    fn count_up_to(&self, cursor: Cursor) -> Option<u64> {
        let after = self.last_seq.get().checked_sub(cursor.get())?;
        (cursor >= self.run).then(|| self.message_count.saturating_sub(after))
    }
}

/// A position of one member that is not in the database yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) delivered: Cursor,
    pub(super) read: Cursor,
    pub(super) read_count: u64,
}

/// An event to be appended.
pub(super) struct New<'a> {
    pub(super) sender: UserId,
    pub(super) at: Timestamp,
    /// The contract's `kind` object, as JSON.
    pub(super) kind: &'a str,
    /// The message it edits or deletes.
    pub(super) target: Option<Seq>,
    pub(super) is_message: bool,
    /// The command that asked for it, if one did.
    pub(super) command: Option<(CommandId, Fingerprint)>,
}

impl State {
    /// Appends an event to a log and notes the log's new end.
    pub(super) fn append(&mut self, key: i64, new: New<'_>) -> Result<Place, Error> {
        let New { sender, at, kind, target, is_message, command } = new;
        let head = self.head(key)?;
        let place = Place { conversation: head.id, seq: head.last_seq.next(), at };
        let message_count = head.message_count + u64::from(is_message);
        let position = self.take_position();
        let seq = place.seq;
        let new = NewEvent { position, conversation: key, seq, at, sender, kind, target, message_count, command };
        event::append(&self.database, &new)?;
        if let Some((id, _)) = command {
            self.forgotten.note([id]);
        }

        let head = self.heads.get_mut(&key).ok_or_else(|| Error::Corrupt("a head is missing".into()))?;
        head.last_seq = place.seq.into();
        head.message_count = message_count;
        head.last_position = position;
        if !is_message {
            head.run = place.seq.into();
        }
        if !std::mem::replace(&mut head.is_dirty, true) {
            self.dirty.push(key);
        }
        Ok(place)
    }

    /// The next event's place in the order of all logs.
    pub(super) fn take_position(&mut self) -> i64 {
        let position = self.next_position;
        self.next_position += 1;
        position
    }

    /// The members of a conversation have changed: reads them again. The set of people it was made with finds it no
    /// longer.
    pub(super) fn reload_audience(&mut self, key: i64) -> Result<(), Error> {
        if let Some(set) = audience::release_set(&self.database, key)? {
            self.sets.remove(&set);
        }
        let kind = self.head(key)?.kind;
        let audience = self.audience(key, kind)?;
        let silent = self.silent(key, &audience)?;
        if let Some(head) = self.heads.get_mut(&key) {
            (head.audience, head.silent) = (audience, silent);
        }
        Ok(())
    }

    /// An account may have ended: nothing new is said in its direct conversations from then on.
    pub(super) fn note_ended(&mut self, user: UserId) -> Result<(), Error> {
        let is_over = !conversation::all_exist(&self.database, &[user])?;
        let is_theirs = |head: &&mut Head| head.kind == ConversationKind::Direct && head.audience.contains(user);
        self.heads.values_mut().filter(is_theirs).for_each(|head| head.is_over = is_over);
        Ok(())
    }

    /// Whether nothing new is said in a conversation, because nobody would get it.
    pub(super) fn is_over(&mut self, key: i64) -> Result<bool, Error> {
        Ok(self.head(key)?.is_over)
    }

    fn audience(&self, key: i64, kind: ConversationKind) -> Result<Audience, Error> {
        Ok(match kind {
            ConversationKind::Everyone => Audience::Everyone,
            _ => Audience::Members(conversation::members(&self.database, key)?.iter().map(|user| user.id).collect()),
        })
    }

    fn silent(&self, key: i64, audience: &Audience) -> Result<Box<[bool]>, Error> {
        let Audience::Members(members) = audience else { return Ok(Box::default()) };
        let silent = audience::silent_members(&self.database, key)?;
        Ok(match silent.is_empty() {
            true => Box::default(),
            false => members.iter().map(|member| silent.binary_search(member).is_ok()).collect(),
        })
    }

    pub(super) fn progress(
        &mut self,
        user: UserId,
        id: ConversationId,
        seq: Seq,
        progress: Progress,
    ) -> Result<Effect, Error> {
        let Some(key) = self.key(id)? else { return Ok(Effect::Refused(Rejection::not_found())) };
        if !self.is_member(key, user)? {
            return Ok(Effect::Refused(Rejection::not_found()));
        }
        let head = self.head(key)?;
        let told = head.told(user);
        let target = head.last_seq.min(seq.into());
        let known_count = head.count_up_to(target);
        let before = self.position(key, user)?;
        let mut after = before;
        after.delivered = before.delivered.max(target);
        if progress == Progress::Read && target > before.read {
            after.read = target;
            after.read_count = match (known_count, Seq::new(target.get())) {
                (Some(count), _) => count,
                (None, Some(seq)) => event::message_count(&self.database, key, seq)?,
                (None, None) => 0,
            };
        }
        if after == before {
            return Ok(Effect::Nothing);
        }
        self.positions.insert((key, user), after);
        Ok(Effect::Moved {
            conversation: id,
            told,
            delivered: (after.delivered > before.delivered).then_some(after.delivered),
            read: (after.read > before.read).then_some(after.read),
        })
    }

    /// Whether somebody is in a conversation. Who has deleted their account is not in the one for
    /// everyone any more, though what they asked for before may still be waiting here.
    pub(super) fn is_member(&mut self, key: i64, user: UserId) -> Result<bool, Error> {
        match &self.head(key)?.audience {
            Audience::Everyone => conversation::has_member(&self.database, key, user),
            audience @ Audience::Members(_) => Ok(audience.contains(user)),
        }
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

    pub(super) fn key(&mut self, id: ConversationId) -> Result<Option<i64>, Error> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Some(*key));
        }
        let found = conversation::find_by_id(&self.database, id)?;
        if let Some(key) = found {
            self.keys.insert(id, key);
        }
        Ok(found)
    }

    pub(super) fn find_set(&mut self, set: &[u8; 32]) -> Result<Option<i64>, Error> {
        if let Some(key) = self.sets.get(set) {
            return Ok(Some(*key));
        }
        let found = conversation::find_by_set(&self.database, set)?;
        if let Some(key) = found {
            self.sets.insert(*set, key);
        }
        Ok(found)
    }

    pub(super) fn everyone(&mut self) -> Result<i64, Error> {
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
    pub(super) fn head(&mut self, key: i64) -> Result<&Head, Error> {
        if !self.heads.contains_key(&key) {
            let head = self.load(key)?;
            self.heads.insert(key, head);
        }
        Ok(&self.heads[&key])
    }

    fn load(&self, key: i64) -> Result<Head, Error> {
        let mut statement = self.database.prepare_cached(
            "SELECT id, kind, last_seq, message_count, last_position, kind = 'direct' AND EXISTS (
               SELECT 1 FROM member JOIN user ON user.id = member.user WHERE conversation = key AND deleted_at IS NOT NULL
             ) FROM conversation WHERE key = ?1",
        )?;
        let (id, kind, last_seq, message_count, last_position, is_over) = statement.query_row([key], |row| {
            let (Sql(id), Sql(last_seq)) = (row.get(0)?, row.get(2)?);
            Ok((id, row.get::<_, String>(1)?, last_seq, row.get::<_, i64>(3)?, row.get(4)?, row.get(5)?))
        })?;
        let kind = kind_of(&kind)?;
        let audience = self.audience(key, kind)?;
        let silent = self.silent(key, &audience)?;
        let message_count = u64::try_from(message_count).unwrap_or(0);
        let (is_dirty, run) = (false, last_seq);
        Ok(Head { id, kind, last_seq, message_count, last_position, audience, silent, is_dirty, is_over, run })
    }

    /// Writes what was only noted during the batch: one row for each conversation and member touched,
    /// however many messages there were.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
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
        let remembered = [self.heads.len(), self.keys.len(), self.sets.len()];
        if remembered.into_iter().any(|count| count > HEADS_MAX) {
            self.forget();
        }
        Ok(())
    }

    /// Drops everything remembered; the database is asked again.
    pub(super) fn forget(&mut self) {
        self.heads.clear();
        self.dirty.clear();
        self.keys.clear();
        self.sets.clear();
        self.positions.clear();
    }
}
