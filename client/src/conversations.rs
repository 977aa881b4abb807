//! The list of conversations: newest first, with unread counts that agree with the server's.
//!
//! A summary is a statement about one moment, its `last_seq`. Events up to there are in it; later ones
//! are added here by the same arithmetic the server uses, so a list kept up by events equals a fresh
//! one. Statements and events overtake each other: a summary asked for over HTTP may be older than the
//! events that came meanwhile, or newer than those still to come, and what was read here may be known
//! to the server only later. So the latest events are remembered, and what cannot be known exactly is
//! estimated until it can.
//!
//! What a conversation is called, looks like, and how many are in it follows from its events as well: no summary comes
//! after them. A summary names a few members. While a group has no more than those, who joins is asked for, so that all
//! are named; in a larger one, names are asked for only when there are too few left for a title.

use litemap::LiteMap;
use shared::account::User;
use shared::conversation::Summary;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::limits::SUMMARY_MEMBERS_MAX;
use shared::receipt::UpTo;

/// How many events of each conversation are remembered.
const TAIL_MAX: usize = 500;
/// Deleted messages that are remembered of each conversation; older ones count as unread.
const DELETED_MAX: usize = 500;
/// How many names a title needs.
const TITLE_NAMES: usize = 4;

/// The list.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    /// Newest first.
    order: Vec<ConversationId>,
    by_id: LiteMap<ConversationId, Box<Known>>,
    /// Those one has left, as they were then: an older word about them does not bring them back, and
    /// what was read there stays read.
    left: LiteMap<ConversationId, Box<Known>>,
    /// The newest event of those that are not known and have to be asked for.
    unknown: LiteMap<ConversationId, Seq>,
    /// What is being asked for, and by which question.
    asked: LiteMap<ConversationId, u32>,
    questions: u32,
    has_more: bool,
}

/// A summary that is being asked for over HTTP. Its answer counts only if the socket has not told more
/// meanwhile: no welcome came, and no word about this conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// Which conversation.
    pub conversation: ConversationId,
    /// What was read here and the server may not know of: to be told before it is asked.
    pub read: Option<Seq>,
    question: u32,
}

#[derive(Debug, Clone)]
struct Known {
    summary: Summary,
    /// The latest events.
    tail: LiteMap<Seq, Noted>,
    /// Messages after what is read that are known to be deleted, the last [`DELETED_MAX`] of them. The server counts
    /// them as unread, and nobody is shown a number for them.
    deleted: Vec<Seq>,
    /// The unread count may be wrong.
    is_estimate: bool,
    /// Too few of the members are named.
    lacks_names: bool,
}

/// What is remembered of an event.
#[derive(Debug, Clone)]
enum Noted {
    /// That it was there.
    Nothing,
    /// It counts as unread while it is not read.
    Unread,
    /// It changed the conversation itself.
    Changed(Box<EventKind>),
}

impl Conversations {
    /// The list of a `welcome`: replaces what was there. Gives what was read here and the server does
    /// not know of, to be told again: it was lost with the connection before.
    pub fn handle_welcome(&mut self, summaries: Vec<Summary>, has_more: bool) -> Vec<UpTo> {
        self.order = summaries.iter().map(|summary| summary.id).collect();
        self.has_more = has_more;
        self.left.clear();
        self.unknown.clear();
        self.asked.clear();
        let mut before = std::mem::take(&mut self.by_id);
        let mut lost = Vec::new();
        for summary in summaries {
            let (id, read_seq) = (summary.id, summary.read_seq);
            let known = match before.remove(&id) {
                Some(mut known) => {
                    known.learn(summary);
                    known
                }
                None => Box::new(Known::new(summary)),
            };
            if known.summary.read_seq > read_seq
                && let Some(seq) = Seq::new(known.summary.read_seq.get())
            {
                lost.push(UpTo { conversation: id, seq });
            }
            self.by_id.insert(id, known);
        }
        lost
    }

    /// A further page, older than what is there.
    pub fn handle_older(&mut self, summaries: Vec<Summary>, has_more: bool) {
        for summary in summaries {
            if !self.by_id.contains_key(&summary.id) {
                self.order.push(summary.id);
                self.by_id.insert(summary.id, Box::new(Known::new(summary)));
            }
        }
        self.has_more = has_more;
    }

    /// A conversation is new, or stands differently. `false`: its unread count is not certain; ask for
    /// it (again).
    pub fn handle_summary(&mut self, summary: Summary) -> bool {
        let id = summary.id;
        self.asked.remove(&id);
        if self.left.get(&id).is_some_and(|left| summary.last_seq < left.summary.last_seq) {
            return true;
        }
        if let Some(left) = self.left.remove(&id) {
            self.order.push(id);
            self.by_id.insert(id, left);
        }
        let Some(known) = self.by_id.get_mut(&id) else {
            let is_overtaken = self.unknown.remove(&id).is_some_and(|seq| Cursor::from(seq) > summary.last_seq);
            self.order.insert(0, id);
            self.by_id.insert(id, Box::new(Known { is_estimate: is_overtaken, ..Known::new(summary) }));
            return !is_overtaken;
        };
        let is_newer = summary.last_seq > known.summary.last_seq;
        known.learn(summary);
        let is_certain = known.is_certain();
        if is_newer {
            self.bump(id);
        }
        is_certain
    }

    /// A live or replayed event. `false`: the conversation is not known, or events are missing before
    /// this one; it has to be asked for.
    pub fn handle_event(&mut self, event: &Event, me: UserId) -> bool {
        let is_leaving = matches!(&event.kind, EventKind::Left(left) if left.user == me);
        let Some(known) = self.by_id.get_mut(&event.conversation) else {
            let newest = self.unknown.entry(event.conversation).or_insert(event.seq);
            *newest = event.seq.max(*newest);
            if is_leaving {
                self.unknown.remove(&event.conversation);
                self.asked.remove(&event.conversation);
            }
            return is_leaving;
        };
        let is_news = Cursor::from(event.seq) > known.summary.last_seq;
        if is_leaving && is_news {
            known.handle_event(event, me);
            if let Some(left) = self.by_id.remove(&event.conversation) {
                self.left.insert(event.conversation, left);
            }
            self.remove(event.conversation);
            return true;
        }
        // One that a summary includes already: either one is back since, or the summary was late.
        let is_certain = known.handle_event(event, me) && !is_leaving;
        if is_news {
            self.bump(event.conversation);
        }
        is_certain
    }

    /// Somebody has another name, picture or status. Gives the conversations that name them.
    pub fn handle_person(&mut self, user: &User) -> Vec<ConversationId> {
        let mut touched = Vec::new();
        for (id, known) in self.by_id.iter_mut() {
            let named = known.summary.members.iter_mut().flatten().find(|member| member.id == user.id);
            if let Some(member) = named {
                member.clone_from(user);
                touched.push(*id);
            }
        }
        touched
    }

    /// Those of which not all is certain: to be asked for after a welcome.
    #[must_use]
    pub fn uncertain(&self) -> Vec<ConversationId> {
        self.order.iter().filter(|id| self.by_id.get(id).is_some_and(|known| !known.is_certain())).copied().collect()
    }

    /// Begins to ask for a summary; `None` if it is being asked for already. Whoever is given an
    /// [`Asking`] owes [`Conversations::handle_answer`] or [`Conversations::handle_failed`].
    pub fn ask(&mut self, conversation: ConversationId) -> Option<Asking> {
        if self.asked.contains_key(&conversation) {
            return None;
        }
        self.questions += 1;
        self.asked.insert(conversation, self.questions);
        let uncertain = self.by_id.get(&conversation).filter(|known| known.is_estimate);
        let read = uncertain.and_then(|known| Seq::new(known.summary.read_seq.get()));
        Some(Asking { conversation, read, question: self.questions })
    }

    /// The answer to a question; `None` if there is no such conversation, or it is not one's own.
    /// `false`: ask again.
    pub fn handle_answer(&mut self, asking: Asking, summary: Option<Summary>) -> bool {
        match (self.handle_failed(asking), summary) {
            (false, _) => true,
            (true, Some(summary)) => self.handle_summary(summary),
            (true, None) => {
                self.remove(asking.conversation);
                true
            }
        }
    }

    /// A question was not answered. `true`: an answer is still wanted.
    pub fn handle_failed(&mut self, asking: Asking) -> bool {
        let is_wanted = self.asked.get(&asking.conversation) == Some(&asking.question);
        if is_wanted {
            self.asked.remove(&asking.conversation);
        }
        is_wanted
    }

    /// A conversation is not there, or not one's own.
    pub fn remove(&mut self, id: ConversationId) {
        self.by_id.remove(&id);
        self.unknown.remove(&id);
        self.order.retain(|other| *other != id);
    }

    /// One has read everything up to the end here. Gives the number to tell the server, if it is news.
    pub fn read_all(&mut self, id: ConversationId) -> Option<Cursor> {
        let known = self.by_id.get_mut(&id)?;
        let summary = &mut known.summary;
        if summary.read_seq >= summary.last_seq {
            return None;
        }
        summary.read_seq = summary.last_seq;
        summary.unread = 0;
        known.is_estimate = false;
        known.deleted.clear();
        Some(known.summary.last_seq)
    }

    /// The ids, newest first.
    #[must_use]
    pub fn order(&self) -> &[ConversationId] {
        &self.order
    }

    /// One conversation.
    #[must_use]
    pub fn get(&self, id: ConversationId) -> Option<&Summary> {
        self.by_id.get(&id).map(|known| &known.summary)
    }

    /// A conversation as it is shown: deleted messages do not wait to be read.
    #[must_use]
    pub fn shown(&self, id: ConversationId) -> Option<Summary> {
        let known = self.by_id.get(&id)?;
        Some(Summary { unread: known.unread(), ..known.summary.clone() })
    }

    /// How many messages wait to be read in a conversation, without those that were deleted.
    #[must_use]
    pub fn unread_in(&self, id: ConversationId) -> u64 {
        self.by_id.get(&id).map_or(0, |known| known.unread())
    }

    /// All, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Summary> {
        self.order.iter().filter_map(|id| self.get(*id))
    }

    /// Whether the server has older ones.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// All unread messages together, of conversations one wants to be told of each in just now; one that is marked counts
    /// as one.
    #[must_use]
    pub fn unread(&self, now: Timestamp) -> u64 {
        let all = self.by_id.values().filter(|known| known.summary.preferences.tells_all(now));
        all.map(|known| waiting_of(known.unread(), &known.summary)).sum()
    }

    /// How many conversations tell nothing just now.
    #[must_use]
    pub fn muted(&self, now: Timestamp) -> usize {
        self.iter().filter(|summary| summary.preferences.is_muted(now)).count()
    }

    fn bump(&mut self, id: ConversationId) {
        if let Some(index) = self.order.iter().position(|other| *other == id) {
            self.order[..=index].rotate_right(1);
        }
    }
}

/// What waits in a conversation to be read: one that was marked is like one with a message.
#[must_use]
pub fn waiting(summary: &Summary) -> u64 {
    waiting_of(summary.unread, summary)
}

fn waiting_of(unread: u64, summary: &Summary) -> u64 {
    unread.max(u64::from(summary.preferences.marked_unread))
}

impl Known {
    fn new(summary: Summary) -> Self {
        let mut known =
            Self { summary, tail: LiteMap::new(), deleted: Vec::new(), is_estimate: false, lacks_names: false };
        known.note_last();
        known
    }

    /// Messages that wait to be read.
    fn unread(&self) -> u64 {
        self.summary.unread.saturating_sub(self.deleted.len() as u64)
    }

    /// Notes what the newest event has deleted.
    fn note_last(&mut self) {
        if let Some(EventKind::Deleted(deleted)) = self.summary.last_event.as_ref().map(|event| &event.kind) {
            self.note_deleted(deleted.target);
        }
        let read = self.summary.read_seq;
        self.deleted.retain(|target| Cursor::from(*target) > read);
    }

    /// A message was deleted. What is after one's own position is others', and was not read.
    fn note_deleted(&mut self, target: Seq) {
        if Cursor::from(target) > self.summary.read_seq && !self.deleted.contains(&target) {
            if self.deleted.len() >= DELETED_MAX {
                self.deleted.remove(0);
            }
            self.deleted.push(target);
        }
    }

    fn is_certain(&self) -> bool {
        !self.is_estimate && !self.lacks_names
    }

    /// Takes in a statement of the server's, which may be older or newer than what is known.
    fn learn(&mut self, said: Summary) {
        let known = &self.summary;
        let last_seq = known.last_seq.max(said.last_seq);
        let read_seq = known.read_seq.max(said.read_seq);
        let counted = self.count(read_seq, last_seq);
        let is_known = read_seq == known.read_seq && last_seq == known.last_seq && !self.is_estimate;
        let later = self.count(said.last_seq, last_seq).filter(|_| read_seq == said.read_seq);
        let exact = match later {
            Some(later) => Some(said.unread + later),
            None if is_known => Some(known.unread),
            None => counted,
        };
        // What was read here cannot be more unread than the server says, nor than was known here.
        let most = |unread: u64, from: Cursor| unread + (last_seq.get() - from.get());
        let unread = exact.unwrap_or_else(|| most(said.unread, said.last_seq).min(most(known.unread, known.last_seq)));
        let from = said.last_seq;
        let last_event = if from < known.last_seq { known.last_event.clone() } else { said.last_event };
        self.summary = Summary { last_seq, read_seq, unread, last_event, ..said };
        self.is_estimate = exact.is_none();
        self.lacks_names = false;
        self.note_last();
        for (_, noted) in self.tail.iter().filter(|(seq, _)| Cursor::from(**seq) > from) {
            self.lacks_names |= noted.change(&mut self.summary);
        }
    }

    /// `false`: events are missing before this one, or names.
    fn handle_event(&mut self, event: &Event, me: UserId) -> bool {
        let is_message = event.kind.as_message().is_some();
        let noted = Noted::of(event, me);
        let summary = &mut self.summary;
        if Cursor::from(event.seq) > summary.last_seq {
            self.lacks_names |= noted.change(summary);
            self.is_estimate |= event.seq != summary.last_seq.next();
            summary.last_seq = event.seq.into();
            summary.last_event = Some(event.clone());
            if is_message && event.sender == me {
                summary.read_seq = event.seq.into();
                summary.unread = 0;
                self.is_estimate = false;
                self.deleted.clear();
            } else if is_message {
                summary.unread += 1;
            }
        }
        if let EventKind::Deleted(deleted) = &event.kind {
            self.note_deleted(deleted.target);
        }
        self.tail.insert(event.seq, noted);
        if self.tail.len() > TAIL_MAX {
            crate::pop_first(&mut self.tail);
        }
        if self.is_estimate
            && let Some(unread) = self.count(self.summary.read_seq, self.summary.last_seq)
        {
            self.summary.unread = unread;
            self.is_estimate = false;
        }
        self.is_certain()
    }

    /// How many messages of others there are after `from` up to `to`; `None` if not all events in
    /// between are remembered.
    fn count(&self, from: Cursor, to: Cursor) -> Option<u64> {
        if from >= to {
            return Some(0);
        }
        let mut events = 0;
        let mut unread = 0;
        for (seq, noted) in
            self.tail.iter().filter(|(seq, _)| (from.next()..).contains(*seq) && Cursor::from(**seq) <= to)
        {
            debug_assert!(Cursor::from(*seq) > from);
            events += 1;
            unread += u64::from(matches!(noted, Noted::Unread));
        }
        (events == to.get() - from.get()).then_some(unread)
    }
}

impl Noted {
    fn of(event: &Event, me: UserId) -> Self {
        match &event.kind {
            EventKind::Message(_) if event.sender != me => Self::Unread,
            EventKind::Renamed(_) | EventKind::Described(_) | EventKind::Joined(_) | EventKind::Left(_) => {
                Self::Changed(Box::new(event.kind.clone()))
            }
            _ => Self::Nothing,
        }
    }

    /// Changes what the event changed. `true`: too few of the members are named then.
    fn change(&self, summary: &mut Summary) -> bool {
        let Self::Changed(kind) = self else { return false };
        let needed = match &**kind {
            EventKind::Renamed(renamed) => {
                summary.name = Some(renamed.name.clone());
                0
            }
            EventKind::Described(described) => {
                summary.topic.clone_from(&described.topic);
                (summary.public, summary.avatar) = (described.public, described.avatar);
                0
            }
            EventKind::Joined(_) => {
                summary.member_count = summary.member_count.map(|count| count + 1);
                SUMMARY_MEMBERS_MAX
            }
            EventKind::Left(left) => {
                summary.member_count = summary.member_count.map(|count| count.saturating_sub(1));
                if let Some(members) = &mut summary.members {
                    members.retain(|member| member.id != left.user);
                }
                if summary.name.is_none() { TITLE_NAMES } else { 0 }
            }
            _ => 0,
        };
        let (Some(members), Some(count)) = (&summary.members, summary.member_count) else { return false };
        (members.len() as u64) < count.min(needed as u64)
    }
}

#[cfg(test)]
mod tests;
