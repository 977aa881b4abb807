//! A timeline written down, to be shown before there is a connection, and taken up from there when there is one.

use super::{Change, Row, RowState, Run, Timeline};
use crate::aggregate::{self, Text};
use serde::{Deserialize, Serialize};
use shared::event::{Event, EventKind};
use shared::ids::Cursor;
use shared::message::Message;

/// The end of a timeline, with all that has happened to its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTimeline {
    /// Its messages, folded, oldest first.
    events: Vec<Event>,
    /// Where the run of the log begins that they stand for.
    first: Cursor,
    /// And where it ends.
    last: Cursor,
    /// Whether there is something before it.
    more: bool,
}

impl KeptTimeline {
    /// Where the log ended when it was written down.
    #[must_use]
    pub fn last(&self) -> Cursor {
        self.last
    }

    /// Whether it is one that [`Timeline::kept`] has made: it comes from a disk, perhaps of another version.
    fn is_sound(&self) -> bool {
        let seqs = || self.events.iter().map(|event| Cursor::from(event.seq));
        let is_inside = seqs().all(|seq| self.first <= seq && seq <= self.last);
        let is_in_order = seqs().zip(seqs().skip(1)).all(|(seq, next)| seq < next);
        is_inside && is_in_order && self.first <= self.last
    }
}

impl Timeline {
    /// Writes down the newest rows, so many at most. `None`: what is loaded is not the end of the log.
    #[must_use]
    pub fn kept(&self, most: usize) -> Option<KeptTimeline> {
        let run = self.run.filter(|_| self.is_at_newest())?;
        let rows = self.committed();
        let let_go = rows.len().saturating_sub(most);
        let events: Vec<_> = rows[let_go..].iter().filter_map(|row| self.folded(row)).collect();
        let first = events.first().filter(|_| let_go > 0).map_or(run.first, |event| event.seq.into());
        Some(KeptTimeline { events, first, last: run.last, more: self.has_older || let_go > 0 })
    }

    /// Takes in what was written down, in place of a page that is not there yet. What is missing since is asked for
    /// from [`KeptTimeline::last`] on.
    pub fn restore(&mut self, kept: &KeptTimeline) -> Vec<Change> {
        let is_here = kept.events.iter().all(|event| event.conversation == self.conversation);
        if self.is_loaded() || !is_here || !kept.is_sound() {
            return Vec::new();
        }
        let mut rows = Vec::new();
        for event in &kept.events {
            let Some(message) = event.kind.as_message() else { continue };
            let (mut row, text) = aggregate::begin(message, event, false);
            if row.deleted_at.is_none() {
                row.reactions.clone_from(&message.reactions);
            }
            if text == Text::Ahead {
                self.ahead_texts.insert(event.seq, ());
            }
            self.remove_pending(row.key);
            rows.push(row);
        }
        self.committed = rows.len();
        self.rows.splice(0..0, rows);
        self.has_older = kept.more;
        self.run = Some(Run { first: kept.first, last: kept.last });
        self.told = self.told.max(kept.last);
        // What happened in this run to older messages is not known here, but to the server, which folds it in.
        self.window.take_folded();
        let mut ignored = Vec::new();
        self.take_ahead(&mut ignored);
        self.remove_strays(&mut ignored);
        self.fit(&mut ignored);
        vec![Change::Reset]
    }

    /// A row as history tells it.
    fn folded(&self, row: &Row) -> Option<Event> {
        let RowState::Accepted(seq) = row.state else { return None };
        let message = Message {
            attachments: row.attachments.clone(),
            mentions: row.mentions.clone(),
            mention_names: row.mention_names.clone(),
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
            reactions: row.reactions.clone(),
            ..Message::new(row.key, row.content.clone(), row.reply_to)
        };
        let kind = EventKind::Message(message);
        Some(Event { conversation: self.conversation, seq, at: row.at, sender: row.sender, kind })
    }
}
