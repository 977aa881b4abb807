//! What was asked for and is not accepted yet, in the order it was asked.
//!
//! An entry stays until the server says `accepted`, or the person discards it. It is transmitted again
//! after every reconnect, always under the same id, so the server stores it once. That is why a text is
//! not to be changed while it is unknown whether it arrived: the id belongs to the text it was sent with.
//!
//! Entries can be written down ([`Kept`]) and put back ([`Outbox::restore`]), so that closing the page
//! loses nothing.

use crate::Millis;
use crate::command::Command;
use serde::{Deserialize, Serialize};
use shared::attachment::Attachment;
use shared::code::{Code, Rejection};
use shared::ids::{CommandId, Timestamp, UserId};
use shared::message::SEEN_MEMBERS;
use std::collections::VecDeque;

/// The most that may wait.
pub const ENTRIES_MAX: usize = 500;
/// How many are under way at once. Below what a server takes in one go, so that their order holds.
const UNDER_WAY_MAX: usize = 16;
/// How often a retryable refusal is tried again without asking the person.
const ATTEMPTS_MAX: u32 = 8;
/// The wait after a retryable refusal that names none, in milliseconds.
const RETRY: Millis = 2_000;

/// There is no room for another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One command on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The command, as it is transmitted.
    pub command: Command,
    /// What is known of the files of a message, beside their ids.
    pub files: Vec<Attachment>,
    /// Who asked for it. It is never sent as somebody else.
    pub by: UserId,
    /// When, by one's own clock.
    pub written_at: Timestamp,
    /// How it stands.
    pub state: State,
    attempts: u32,
    fate: Fate,
}

/// How an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// To be transmitted as soon as there is a connection.
    Waiting,
    /// Transmitted on this connection; the answer is not there yet.
    UnderWay,
    /// Refused for now; to be transmitted again at this moment.
    Later(Millis),
    /// Refused for good; the person decides.
    Failed(Rejection),
}

/// What is known of an entry's being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is not: it was never transmitted, or refused.
    NotStored,
    /// It may be: it was transmitted, and the answer is not there.
    Open,
    /// It may be, whatever is answered later: an answer was lost with its connection, and what was
    /// sent on that may reach the server after what was sent on the next.
    Lost,
}

/// An entry as it is written down. `{"command": {"send": {…}}, "writtenAt": 1790000000000, "by": "…"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The command.
    pub command: Command,
    /// What is known of the files of a message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Attachment>,
    /// When it was written, by one's own clock.
    pub written_at: Timestamp,
    /// By whom: it is restored for nobody else.
    pub by: UserId,
    /// Why it was refused for good, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Rejection>,
    /// Whether it may be stored although it was refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsure: bool,
}

/// The entries, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    /// The server has asked for patience: one at a time, until everything is accepted.
    is_slow: bool,
}

/// What a refusal means for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is tried again by itself.
    Later,
    /// The person has to decide; it stays.
    Failed(Command),
    /// There is nothing to decide; it is gone.
    Dropped(Command),
    /// There is no such entry.
    Unknown,
}

impl Outbox {
    /// Adds a command at the end.
    ///
    /// # Errors
    /// [`Full`]; the text stays where it was written.
    pub fn push(
        &mut self,
        command: Command,
        files: Vec<Attachment>,
        by: UserId,
        written_at: Timestamp,
    ) -> Result<(), Full> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(Full);
        }
        let (state, fate) = (State::Waiting, Fate::NotStored);
        self.entries.push_back(Entry { command, files, by, written_at, state, attempts: 0, fate });
        Ok(())
    }

    /// Puts back what was written down, in the order it was written, in front of what is there. What
    /// somebody else wrote, stands there already or has no room is left out: it stays written down.
    pub fn restore(&mut self, mut kept: Vec<Kept>, me: UserId) {
        kept.sort_by_key(|kept| (kept.written_at, kept.command.id()));
        let mut seen: std::collections::HashSet<_> = self.entries.iter().map(|entry| entry.command.id()).collect();
        let room = ENTRIES_MAX.saturating_sub(self.entries.len());
        let kept = kept.into_iter().filter(|kept| kept.by == me && seen.insert(kept.command.id())).take(room);
        let mut entries: VecDeque<_> = kept.map(Entry::restored).collect();
        entries.append(&mut self.entries);
        self.entries = entries;
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// One entry.
    #[must_use]
    pub fn get(&self, id: CommandId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.command.id() == id)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether everything was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connection is gone: what was under way may or may not have arrived, so all of it goes
    /// again.
    pub fn handle_cut(&mut self) {
        for entry in &mut self.entries {
            if entry.state == State::UnderWay {
                entry.state = State::Waiting;
                entry.fate = Fate::Lost;
            }
        }
    }

    /// What is to be transmitted now. An entry that waits for its moment holds back those behind it,
    /// so that messages keep their order.
    pub fn due(&mut self, now: Millis) -> Vec<Command> {
        let mut due = Vec::new();
        let most = if self.is_slow { 1 } else { UNDER_WAY_MAX };
        let under_way = self.entries.iter().filter(|entry| entry.state == State::UnderWay).count();
        for entry in &mut self.entries {
            if under_way + due.len() >= most {
                break;
            }
            match entry.state {
                State::Later(at) if at > now => break,
                State::Later(_) | State::Waiting => {
                    entry.state = State::UnderWay;
                    if entry.fate == Fate::NotStored {
                        entry.fate = Fate::Open;
                    }
                    due.push(entry.command.clone());
                }
                State::UnderWay | State::Failed(_) => {}
            }
        }
        due
    }

    /// Until when the server has asked for patience; then [`Outbox::due`] has something again, if
    /// nothing else happens.
    #[must_use]
    pub fn held_back_until(&self) -> Option<Millis> {
        self.entries.iter().find_map(|entry| match entry.state {
            State::Later(at) => Some(at),
            _ => None,
        })
    }

    /// The server has it: takes it out.
    pub fn accepted(&mut self, id: CommandId) -> Option<Command> {
        let index = self.index(id)?;
        let entry = self.entries.remove(index);
        self.is_slow &= !self.entries.is_empty();
        entry.map(|entry| entry.command)
    }

    /// The server refused it.
    pub fn rejected(&mut self, id: CommandId, rejection: Rejection, now: Millis) -> Refusal {
        let Some(index) = self.index(id) else { return Refusal::Unknown };
        let entry = &mut self.entries[index];
        // To be asked for patience is no failure: it is tried again for as long as it takes.
        if matches!(rejection.code, Code::RateLimited | Code::Overloaded) {
            self.is_slow = true;
        } else {
            entry.attempts += 1;
        }
        if rejection.code.is_retryable() && entry.attempts < ATTEMPTS_MAX {
            entry.state = State::Later(now + rejection.retry_after_ms.unwrap_or(RETRY).max(1));
            return Refusal::Later;
        }
        if entry.fate == Fate::Open {
            entry.fate = Fate::NotStored;
        }
        entry.state = State::Failed(rejection);
        let command = entry.command.clone();
        if command.has_text() {
            return Refusal::Failed(command);
        }
        self.accepted(id);
        Refusal::Dropped(command)
    }

    /// The person wants a failed entry tried again. One that was refused because others are in the conversation than
    /// when it was written goes to those who are there now: the person has been told.
    pub fn retry(&mut self, id: CommandId) -> bool {
        let Some(index) = self.index(id) else { return false };
        let entry = &mut self.entries[index];
        let State::Failed(rejection) = &entry.state else { return false };
        if rejection.field.as_deref() == Some(SEEN_MEMBERS) {
            entry.command.send_to_whoever_is_there();
        }
        entry.state = State::Waiting;
        entry.attempts = 0;
        true
    }

    /// Whether an entry's text may be changed: only while it is certain that it is not stored.
    #[must_use]
    pub fn is_editable(&self, id: CommandId) -> bool {
        self.get(id).is_some_and(|entry| entry.fate == Fate::NotStored && entry.command.has_text())
    }

    /// The person has changed the text of an entry that is not stored. It gets another id, keeps its
    /// place, and is tried again.
    pub fn edit(&mut self, id: CommandId, new_id: CommandId, content: String) -> bool {
        if !self.is_editable(id) || self.index(new_id).is_some() {
            return false;
        }
        let Some(index) = self.index(id) else { return false };
        let entry = &mut self.entries[index];
        let Some(command) = entry.command.with_content(new_id, content) else { return false };
        entry.command = command;
        entry.state = State::Waiting;
        entry.attempts = 0;
        true
    }

    /// The person does not want an entry any more. One under way may have arrived all the same.
    pub fn discard(&mut self, id: CommandId) -> Option<Command> {
        self.accepted(id)
    }

    /// Takes out what somebody else wrote. Whether there was any.
    pub fn drop_others(&mut self, me: UserId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.by == me);
        before != self.entries.len()
    }

    /// The server's history is another one: takes out what changes a message of the old one, since
    /// its number may name another message now.
    pub fn drop_changes(&mut self) -> Vec<Command> {
        let (gone, kept): (VecDeque<_>, _) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| entry.command.changes().is_some());
        self.entries = kept;
        gone.into_iter().map(|entry| entry.command).collect()
    }

    fn index(&self, id: CommandId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.command.id() == id)
    }
}

impl Entry {
    /// The entry to be written down.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let failed = match &self.state {
            State::Failed(rejection) => Some(rejection.clone()),
            State::Waiting | State::UnderWay | State::Later(_) => None,
        };
        let is_unsure = failed.is_some() && self.fate != Fate::NotStored;
        let (command, files) = (self.command.clone(), self.files.clone());
        Kept { command, files, written_at: self.written_at, by: self.by, failed, is_unsure }
    }

    fn restored(kept: Kept) -> Self {
        let Kept { command, files, written_at, by, failed, is_unsure } = kept;
        // Whether it was transmitted before the page was closed is not written down.
        let fate = if failed.is_some() && !is_unsure { Fate::NotStored } else { Fate::Lost };
        let state = failed.map_or(State::Waiting, State::Failed);
        Self { command, files, by, written_at, state, attempts: 0, fate }
    }
}

#[cfg(test)]
mod tests;
