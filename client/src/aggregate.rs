//! What happens to a message after it was written: edits, deletion, reactions.
//!
//! A timeline is an unbroken run of the log and applies each event of it once, in order. Every change
//! of a message has a higher number than the message, so all changes up to the end of the run are in
//! the run as well: a row shows the message exactly as of the run's last event, whatever moment the
//! page it came with was folded at. Two things need care.
//!
//! * A page of older messages comes after the events that changed them. Those wait here
//!   ([`Waiting`]) until the page is there, and are then applied in order.
//! * A page or a replay may be folded further than the run has come: it gives a text whose `edited` is
//!   still to come. That text is shown ([`Text::Ahead`]), and the edits before it are passed over, so
//!   that a row never goes back to an older text. A deletion ends everything, so it cannot be too early.
//!   Reactions are counted from the events alone; those a page is folded with say nothing more.
//!
//! A page names the first people under a reaction and counts the others ([`Reaction::more`]). Whether somebody is one of
//! those counted cannot be seen, so their number may be off by who reacted while the page was loaded, until it is loaded
//! again.

use crate::timeline::Row;
use litemap::LiteMap;
use shared::event::{Event, EventKind};
use shared::ids::{Seq, Timestamp, UserId};
use shared::message::{Edited, Message};
use shared::reaction::{Reaction, is_same};

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    at: Timestamp,
    sender: UserId,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Edited(Edited),
    Deleted,
    Reacted { emoji: String, on: bool },
}

/// Where a row's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// From the events of the run.
    OfRun,
    /// From a page or replay that knew of an edit which is still to come.
    Ahead,
}

impl Change {
    /// The change an event makes, and the message it makes it to.
    #[must_use]
    pub fn of(event: &Event) -> Option<(Seq, Self)> {
        let (target, what) = match &event.kind {
            EventKind::Edited(edited) => (edited.target, What::Edited(edited.clone())),
            EventKind::Deleted(deleted) => (deleted.target, What::Deleted),
            EventKind::Reacted(reacted) => {
                (reacted.target, What::Reacted { emoji: reacted.emoji.clone(), on: reacted.on })
            }
            _ => return None,
        };
        // A change of what comes later is none.
        (target < event.seq).then_some((target, Self { at: event.at, sender: event.sender, what }))
    }

    /// Applies the change to its row. `true`: the row is another now.
    pub fn apply(&self, row: &mut Row, text: &mut Text) -> bool {
        if row.deleted_at.is_some() {
            return false;
        }
        match &self.what {
            What::Edited(edited) => self.edit(edited, row, text),
            What::Deleted => {
                delete(row, self.at);
                true
            }
            What::Reacted { emoji, on: true } => add(&mut row.reactions, emoji, self.sender),
            What::Reacted { emoji, on: false } => remove(&mut row.reactions, emoji, self.sender),
        }
    }

    fn edit(&self, edited: &Edited, row: &mut Row, text: &mut Text) -> bool {
        let Edited { content, mentions, mention_names, .. } = edited;
        if *text == Text::Ahead {
            let is_this = row.edited_at == Some(self.at) && (row.content == *content || content.is_empty());
            let is_earlier = row.edited_at.is_some_and(|shown| self.at <= shown);
            if is_this || !is_earlier {
                *text = Text::OfRun;
            }
            if is_this || is_earlier {
                return false;
            }
        }
        // What was deleted later is replayed without its text; the deletion follows.
        if content.is_empty() {
            return false;
        }
        content.clone_into(&mut row.content);
        mentions.clone_into(&mut row.mentions);
        mention_names.clone_into(&mut row.mention_names);
        row.edited_at = Some(self.at);
        true
    }
}

/// How a message starts, as its page or its event gives it; changes of the run come on top.
#[must_use]
pub fn begin(message: &Message, event: &Event, is_edit_waiting: bool) -> (Row, Text) {
    let mut row = Row {
        key: message.id,
        sender: event.sender,
        at: event.at,
        content: message.content.clone(),
        attachments: message.attachments.clone(),
        mentions: message.mentions.clone(),
        mention_names: message.mention_names.clone(),
        reply_to: message.reply_to,
        edited_at: message.edited_at,
        deleted_at: None,
        reactions: Vec::new(),
        state: crate::timeline::RowState::Accepted(event.seq),
    };
    if let Some(at) = message.deleted_at {
        delete(&mut row, at);
    }
    let is_ahead = row.edited_at.is_some() && !is_edit_waiting;
    (row, if is_ahead { Text::Ahead } else { Text::OfRun })
}

/// What is gone has no text, no files and no reactions; only that it is gone.
fn delete(row: &mut Row, at: Timestamp) {
    row.content.clear();
    row.attachments.clear();
    row.mentions.clear();
    row.mention_names.clear();
    row.reactions.clear();
    row.edited_at = None;
    row.deleted_at = Some(at);
}

fn add(reactions: &mut Vec<Reaction>, emoji: &str, user: UserId) -> bool {
    match reactions.iter_mut().find(|reaction| is_same(&reaction.emoji, emoji)) {
        Some(reaction) if reaction.users.contains(&user) => return false,
        Some(reaction) => reaction.users.push(user),
        None => reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![user], more: 0 }),
    }
    true
}

fn remove(reactions: &mut Vec<Reaction>, emoji: &str, user: UserId) -> bool {
    let Some(index) = reactions.iter().position(|reaction| is_same(&reaction.emoji, emoji)) else { return false };
    let reaction = &mut reactions[index];
    let before = reaction.count();
    match reaction.users.iter().position(|other| *other == user) {
        Some(place) => _ = reaction.users.remove(place),
        // One of those who are only counted.
        None => reaction.more = reaction.more.saturating_sub(1),
    }
    let after = reaction.count();
    if after == 0 {
        reactions.remove(index);
    }
    before != after
}

/// Changes of messages whose page is not loaded, by message and number.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    changes: LiteMap<(Seq, Seq), Change>,
    has_lost: bool,
}

impl Waiting {
    /// Keeps a change until its message is loaded. If there are more than `most`, all are forgotten:
    /// what is older can then not be joined to what is there.
    pub fn insert(&mut self, target: Seq, seq: Seq, change: Change, most: usize) {
        self.changes.insert((target, seq), change);
        if self.changes.len() > most {
            self.changes.clear();
            self.has_lost = true;
        }
    }

    /// The changes of a message, in order, which stay.
    #[must_use]
    pub fn of(&self, target: Seq) -> Vec<Change> {
        let changes = self.changes.iter().skip(self.first_of(target));
        changes.take_while(|((of, _), _)| *of == target).map(|(_, change)| change.clone()).collect()
    }

    /// Takes out the changes of a message, in order.
    pub fn take(&mut self, target: Seq) -> Vec<Change> {
        let changes = self.of(target);
        if !changes.is_empty() {
            self.changes.retain(|(of, _), _| *of != target);
        }
        changes
    }

    /// Forgets the changes of what stands at `first` or after it: no message will come there.
    pub fn forget_from(&mut self, first: Seq) {
        self.changes.retain(|(target, _), _| *target < first);
    }

    /// Where the changes of a message begin.
    fn first_of(&self, target: Seq) -> usize {
        self.changes.find_index(&(target, Seq::FIRST)).unwrap_or_else(|index| index)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether there were too many to keep.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.has_lost
    }
}

/// Whether a text is among these changes.
#[must_use]
pub fn has_edit(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change.what, What::Edited(..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_are_only_counted_take_their_reactions_back() {
        let person = |number| UserId::v7(Timestamp::from_millis(1), [number; 10]);
        let mut reactions = vec![Reaction { emoji: "x".into(), users: vec![person(1)], more: 2 }];
        assert!(add(&mut reactions, "x", person(2)) && !add(&mut reactions, "x", person(2)));
        assert_eq!(reactions[0].count(), 4);
        assert!(remove(&mut reactions, "x", person(1)) && remove(&mut reactions, "x", person(8)));
        assert_eq!((reactions[0].users.as_slice(), reactions[0].more), (&[person(2)][..], 1));
        assert!(remove(&mut reactions, "x", person(2)) && remove(&mut reactions, "x", person(9)));
        assert!(reactions.is_empty());
    }
}
