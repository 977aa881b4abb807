//! The list of conversations: newest first, with unread counts that agree with the server's.
//!
//! A summary is a statement about one moment, its `last_seq`. Events up to there are in it; later ones
//! are added here by the same arithmetic the server uses, so a list kept up by events equals a fresh
//! one.

use shared::conversation::Summary;
use shared::event::Event;
use shared::ids::{ConversationId, Cursor, UserId};
use std::collections::HashMap;

/// The list.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    /// Newest first.
    order: Vec<ConversationId>,
    by_id: HashMap<ConversationId, Summary>,
    has_more: bool,
}

impl Conversations {
    /// The list of a `welcome`: replaces what was there.
    pub fn handle_welcome(&mut self, summaries: Vec<Summary>, has_more: bool) {
        self.order = summaries.iter().map(|summary| summary.id).collect();
        self.by_id = summaries.into_iter().map(|summary| (summary.id, summary)).collect();
        self.has_more = has_more;
    }

    /// A further page, older than what is there.
    pub fn handle_older(&mut self, summaries: Vec<Summary>, has_more: bool) {
        for summary in summaries {
            if !self.by_id.contains_key(&summary.id) {
                self.order.push(summary.id);
                self.by_id.insert(summary.id, summary);
            }
        }
        self.has_more = has_more;
    }

    /// A conversation is new, or stands differently.
    pub fn handle_summary(&mut self, summary: Summary) {
        let id = summary.id;
        match self.by_id.get_mut(&id) {
            None => {
                self.order.insert(0, id);
                self.by_id.insert(id, summary);
            }
            // A statement about an earlier moment than the one known: its numbers are old, its name
            // and members and the read position are not.
            Some(known) if summary.last_seq < known.last_seq => {
                known.name = summary.name;
                known.members = summary.members;
                if summary.read_seq > known.read_seq {
                    let later = known.last_seq.get() - summary.last_seq.get();
                    known.read_seq = summary.read_seq;
                    known.unread = known.unread.min(summary.unread + later);
                }
            }
            Some(known) => {
                let (read_seq, unread, last_seq) = (known.read_seq, known.unread, known.last_seq);
                let is_newer = summary.last_seq > last_seq;
                *known = summary;
                // What was read here is read, also if the server had not heard of it then.
                if known.read_seq < read_seq {
                    known.read_seq = read_seq;
                    known.unread = known.unread.min(unread + known.last_seq.get() - last_seq.get());
                }
                if is_newer {
                    self.bump(id);
                }
            }
        }
    }

    /// A live event. `false`: the conversation is not known, and has to be asked for.
    pub fn handle_event(&mut self, event: &Event, me: UserId) -> bool {
        let Some(known) = self.by_id.get_mut(&event.conversation) else { return false };
        if Cursor::from(event.seq) <= known.last_seq {
            return true;
        }
        known.last_seq = event.seq.into();
        if event.kind.as_message().is_some() {
            if event.sender == me {
                known.read_seq = event.seq.into();
                known.unread = 0;
            } else {
                known.unread += 1;
            }
        }
        known.last_event = Some(event.clone());
        self.bump(event.conversation);
        true
    }

    /// One has read everything up to the end here. Gives the number to tell the server, if it is news.
    pub fn read_all(&mut self, id: ConversationId) -> Option<Cursor> {
        let known = self.by_id.get_mut(&id)?;
        if known.read_seq >= known.last_seq {
            return None;
        }
        known.read_seq = known.last_seq;
        known.unread = 0;
        Some(known.last_seq)
    }

    /// The ids, newest first.
    #[must_use]
    pub fn order(&self) -> &[ConversationId] {
        &self.order
    }

    /// One conversation.
    #[must_use]
    pub fn get(&self, id: ConversationId) -> Option<&Summary> {
        self.by_id.get(&id)
    }

    /// All, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Summary> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Whether the server has older ones.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// All unread messages together.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.by_id.values().map(|summary| summary.unread).sum()
    }

    fn bump(&mut self, id: ConversationId) {
        if let Some(index) = self.order.iter().position(|other| *other == id) {
            self.order[..=index].rotate_right(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::conversation::ConversationKind;
    use shared::event::EventKind;
    use shared::ids::{CommandId, Seq, Timestamp};
    use shared::message::Message;

    fn at() -> Timestamp {
        Timestamp::from_millis(1)
    }

    fn person(number: u8) -> UserId {
        UserId::v7(at(), [number; 10])
    }

    fn conversation(number: u8) -> ConversationId {
        ConversationId::v7(at(), [number; 10])
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::new(number).expect("in range")
    }

    fn summary(number: u8, last_seq: u64, read_seq: u64) -> Summary {
        Summary {
            id: conversation(number),
            kind: ConversationKind::Group,
            name: None,
            members: None,
            last_seq: cursor(last_seq),
            read_seq: cursor(read_seq),
            unread: last_seq - read_seq,
            last_event: None,
        }
    }

    fn message(number: u8, seq: u64, sender: u8) -> Event {
        let kind = EventKind::Message(Message::new(CommandId::v7(at(), [number; 10]), "x".into(), None));
        let seq = Seq::new(seq).expect("in range");
        Event { conversation: conversation(number), seq, at: at(), sender: person(sender), kind }
    }

    fn list() -> Conversations {
        let mut list = Conversations::default();
        list.handle_welcome(vec![summary(1, 5, 5), summary(2, 3, 1), summary(3, 0, 0)], false);
        list
    }

    #[test]
    fn a_message_brings_its_conversation_to_the_top_and_counts() {
        let mut list = list();
        assert!(list.handle_event(&message(2, 4, 9), person(1)));
        assert_eq!(list.order(), [conversation(2), conversation(1), conversation(3)]);
        assert_eq!(list.unread(), 3);
        assert!(list.handle_event(&message(2, 4, 9), person(1)), "again");
        assert_eq!(list.unread(), 3);
    }

    #[test]
    fn writing_is_reading() {
        let mut list = list();
        list.handle_event(&message(2, 4, 1), person(1));
        let known = list.get(conversation(2)).expect("known");
        assert_eq!((known.unread, known.read_seq), (0, cursor(4)));
    }

    #[test]
    fn what_a_summary_includes_is_not_counted_again() {
        let mut list = list();
        list.handle_summary(summary(1, 7, 5));
        list.handle_event(&message(1, 7, 9), person(1));
        assert_eq!(list.get(conversation(1)).map(|known| known.unread), Some(2));
    }

    #[test]
    fn reading_elsewhere_counts_here_even_if_it_is_told_late() {
        let mut list = list();
        list.handle_event(&message(2, 4, 9), person(1));
        list.handle_summary(summary(2, 3, 3));
        assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.last_seq)), Some((1, cursor(4))));
        list.handle_summary(summary(2, 4, 4));
        assert_eq!(list.unread(), 0);
    }

    #[test]
    fn what_was_read_here_stays_read_when_an_older_word_arrives() {
        let mut list = list();
        list.read_all(conversation(2));
        list.handle_summary(summary(2, 3, 2));
        assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.read_seq)), Some((0, cursor(3))));
        list.handle_summary(summary(2, 5, 2));
        assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.read_seq)), Some((2, cursor(3))));
    }

    #[test]
    fn reading_here_is_told_once() {
        let mut list = list();
        assert_eq!(list.read_all(conversation(2)), Some(cursor(3)));
        assert_eq!(list.read_all(conversation(2)), None);
        assert_eq!(list.read_all(conversation(3)), None);
        assert_eq!(list.unread(), 0);
    }

    #[test]
    fn an_unknown_conversation_is_asked_for_and_a_new_one_comes_first() {
        let mut list = list();
        assert!(!list.handle_event(&message(9, 1, 9), person(1)));
        list.handle_summary(summary(9, 0, 0));
        assert_eq!(list.order()[0], conversation(9));
        list.handle_older(vec![summary(9, 0, 0), summary(8, 2, 0)], false);
        assert_eq!(list.order().last(), Some(&conversation(8)));
        assert_eq!(list.order().len(), 5);
    }
}
