//! One conversation as the server has it: the log, its members, how far they are, and what history
//! shows of it.

use client::timeline::{Row, RowState};
use shared::conversation::{ConversationKind, Membership, Summary};
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::Message;
use shared::reaction::Reaction;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) id: ConversationId,
    pub(crate) kind: ConversationKind,
    pub(crate) members: BTreeMap<UserId, Position>,
    /// People who left, with the number of that event.
    pub(crate) left: BTreeMap<UserId, u64>,
    pub(crate) events: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) read: u64,
    pub(crate) delivered: u64,
}

impl Log {
    pub(crate) fn new(id: ConversationId, kind: ConversationKind, members: &[UserId]) -> Self {
        let members = members.iter().map(|user| (*user, Position::default())).collect();
        Self { id, kind, members, left: BTreeMap::new(), events: Vec::new() }
    }

    pub(crate) fn end(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn append(&mut self, sender: UserId, at: Timestamp, kind: EventKind) -> Event {
        let seq = Seq::new(self.end() + 1).expect("a short log");
        if let EventKind::Message(_) = kind {
            let position = self.members.entry(sender).or_default();
            *position = Position { read: seq.get(), delivered: seq.get() };
        }
        let event = Event { conversation: self.id, seq, at, sender, kind };
        self.events.push(event.clone());
        event
    }

    pub(crate) fn join(&mut self, user: UserId, at: Timestamp) -> Event {
        self.left.remove(&user);
        // Earlier messages can be read, and are not unread.
        let end = self.end();
        self.members.insert(user, Position { read: end, delivered: end });
        self.append(user, at, EventKind::Joined(Membership { user }))
    }

    pub(crate) fn leave(&mut self, user: UserId, at: Timestamp) -> Event {
        let event = self.append(user, at, EventKind::Left(Membership { user }));
        self.members.remove(&user);
        self.left.insert(user, event.seq.get());
        event
    }

    /// Whether somebody may be sent this event: members all of it, others what was before they left.
    pub(crate) fn may_see(&self, user: UserId, seq: Seq) -> bool {
        self.members.contains_key(&user) || self.left.get(&user).is_some_and(|left| seq.get() <= *left)
    }

    pub(crate) fn message(&self, seq: Seq) -> Option<(&Event, &Message)> {
        let event = self.events.get(usize::try_from(seq.get() - 1).ok()?)?;
        Some((event, event.kind.as_message()?))
    }

    pub(crate) fn is_deleted(&self, target: Seq) -> bool {
        self.events.iter().any(|event| matches!(&event.kind, EventKind::Deleted(deleted) if deleted.target == target))
    }

    /// The last event that set or took back this reaction.
    pub(crate) fn reaction(&self, user: UserId, target: Seq, emoji: &str) -> Option<(&Event, bool)> {
        self.events.iter().rev().filter(|event| event.sender == user).find_map(|event| match &event.kind {
            EventKind::Reacted(reacted) if reacted.target == target && reacted.emoji == emoji => {
                Some((event, reacted.on))
            }
            _ => None,
        })
    }

    /// An event as history and replay give it: with what has happened to it since.
    pub(crate) fn folded(&self, index: usize) -> Event {
        let mut event = self.events[index].clone();
        let EventKind::Message(message) = &mut event.kind else { return event };
        for later in &self.events[index + 1..] {
            match &later.kind {
                EventKind::Edited(edited) if edited.target == event.seq => {
                    message.content.clone_from(&edited.content);
                    message.edited_at = Some(later.at);
                }
                EventKind::Deleted(deleted) if deleted.target == event.seq => message.deleted_at = Some(later.at),
                EventKind::Reacted(reacted) if reacted.target == event.seq => {
                    fold(&mut message.reactions, &reacted.emoji, later.sender, reacted.on);
                }
                _ => {}
            }
        }
        if message.deleted_at.is_some() {
            message.content.clear();
        }
        event
    }

    /// The rows of a reader who has loaded everything.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |index: usize| {
            let event = self.folded(index);
            let EventKind::Message(message) = event.kind else { return None };
            let is_there = message.deleted_at.is_none();
            Some(Row {
                attachments: message.attachments.clone(),
                key: message.id,
                sender: event.sender,
                at: event.at,
                content: message.content,
                mentions: if is_there { message.mentions } else { Vec::new() },
                mention_names: if is_there { message.mention_names } else { Vec::new() },
                reply_to: message.reply_to,
                edited_at: message.edited_at.filter(|_| is_there),
                deleted_at: message.deleted_at,
                reactions: if is_there { message.reactions } else { Vec::new() },
                state: RowState::Accepted(event.seq),
            })
        };
        (0..self.events.len()).filter_map(row).collect()
    }

    pub(crate) fn summary(&self, user: UserId) -> Summary {
        let read = self.members.get(&user).map_or(0, |position| position.read);
        let after = &self.events[usize::try_from(read).expect("a short log")..];
        let is_unread = |event: &&Event| event.kind.as_message().is_some() && event.sender != user;
        Summary {
            id: self.id,
            kind: self.kind,
            name: None,
            members: None,
            member_count: Some(self.members.len() as u64),
            last_seq: cursor(self.end()),
            read_seq: cursor(read),
            unread: after.iter().filter(is_unread).count() as u64,
            topic: None,
            public: false,
            avatar: None,
            preferences: shared::conversation::Preferences::default(),
            last_event: self.events.last().cloned(),
        }
    }
}

pub(crate) fn cursor(number: u64) -> Cursor {
    Cursor::new(number).expect("a short log")
}

fn fold(reactions: &mut Vec<Reaction>, emoji: &str, user: UserId, on: bool) {
    let index = reactions.iter().position(|reaction| reaction.emoji == emoji);
    match index {
        None if on => reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![user], more: 0 }),
        Some(index) if on => reactions[index].users.push(user),
        Some(index) => {
            reactions[index].users.retain(|other| *other != user);
            if reactions[index].users.is_empty() {
                reactions.remove(index);
            }
        }
        None => {}
    }
}
