//! The pages of a timeline: which one to load next, and how one that comes in joins what is there.
//!
//! Answers come late and in any order. One counts only if nothing has happened meanwhile that it would contradict.

use super::{Change, Missing, Row, Run, Timeline};
use crate::aggregate::{self, Change as Happened, Text, Waiting};
use shared::conversation::EventList;
use shared::event::Event;
use shared::ids::{Cursor, Seq};

/// A page to load over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The newest page.
    Newest,
    /// What comes before this.
    Before(Cursor),
    /// What comes after this.
    After(Cursor),
    /// What stands around this, which may be anywhere.
    Around(Seq),
}

/// A page that is being loaded. Its answer counts only if it still fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loading {
    /// What to ask for.
    pub load: Load,
    pub(super) question: u32,
    /// How far the server was known to have come when it was asked: the answer knows of all that.
    pub(super) told: Cursor,
}

impl Timeline {
    /// What to load to see older rows. (The newest page again, if too much has happened to what is not
    /// loaded to join it to what is there.)
    #[must_use]
    pub fn older(&self) -> Option<Load> {
        let run = self.run.filter(|_| self.has_older)?;
        let is_lost = self.waiting.has_lost() && !self.folds();
        Some(if is_lost { Load::Newest } else { Load::Before(run.first) })
    }

    /// Begins to load a page; `None` if it is being loaded already. Whoever is given a [`Loading`] owes
    /// [`Timeline::handle_page`] or [`Timeline::handle_failed`].
    pub fn begin(&mut self, load: Load) -> Option<Loading> {
        if self.loading.iter().any(|loading| loading.load == load) {
            return None;
        }
        self.questions += 1;
        let loading = Loading { load, question: self.questions, told: self.told };
        self.loading.push(loading);
        Some(loading)
    }

    /// A page came in. One that does not fit any more changes nothing.
    pub fn handle_page(&mut self, loading: Loading, page: EventList) -> (Vec<Change>, Option<Missing>) {
        if !self.end(loading) {
            return (Vec::new(), None);
        }
        let outcome = match loading.load {
            Load::Newest => self.handle_newest(loading, page),
            Load::Before(before) => (self.handle_older(before, page), None),
            Load::After(after) => self.handle_newer(after, page),
            Load::Around(_) => self.handle_around(loading, page),
        };
        // It may have been the last that was waited for.
        self.forget_waiting();
        outcome
    }

    /// A page could not be loaded. `true`: it is still wanted.
    pub fn handle_failed(&mut self, loading: Loading) -> bool {
        let is_wanted = self.end(loading);
        self.forget_waiting();
        is_wanted
    }

    /// Ends a load; `false` if it is void.
    fn end(&mut self, loading: Loading) -> bool {
        let before = self.loading.len();
        self.loading.retain(|other| *other != loading);
        before != self.loading.len()
    }

    /// Replaces what was there, except what is on its way.
    fn handle_newest(&mut self, loading: Loading, page: EventList) -> (Vec<Change>, Option<Missing>) {
        let last = page.events.last().map_or(Cursor::START, |event| event.seq.into());
        // What came in meanwhile is newer than the page.
        if self.run.is_some_and(|run| run.last > last) {
            let changes = if self.is_at_newest() { Vec::new() } else { self.go_to(loading, page) };
            return (changes, self.missing());
        }
        let EventList { events, more } = page;
        let first = events.first().map_or(Cursor::START, |event| event.seq.into());
        // A page of another place may be older than this one, and what happened in between is not heard.
        self.loading.retain(|other| !matches!(other.load, Load::Around(_)));
        self.rows.drain(..self.committed);
        self.committed = 0;
        self.waiting = Waiting::default();
        self.ahead_texts.clear();
        self.window.begin_anew();
        self.has_older = more;
        self.run = Some(Run { first, last });
        let mut ignored = Vec::new();
        for event in events {
            self.commit(&event, &mut ignored);
        }
        self.take_ahead(&mut ignored);
        self.remove_strays(&mut ignored);
        self.fit(&mut ignored);
        (vec![Change::Reset], self.missing())
    }

    fn handle_older(&mut self, before: Cursor, page: EventList) -> Vec<Change> {
        // Only what ends right before the run belongs there: an answer to an older question does not.
        let is_lost = self.waiting.has_lost() && !self.folds();
        let Some(run) = self.run.as_mut().filter(|run| run.first == before && !is_lost) else { return Vec::new() };
        let EventList { events, more } = page;
        self.has_older = more;
        let Some(first) = events.first().map(|event| event.seq) else { return Vec::new() };
        run.first = first.into();
        if !self.folds() {
            for event in &events {
                if let Some((target, change)) = Happened::of(event) {
                    self.waiting.insert(target, event.seq, change, self.bounds.waiting);
                }
            }
        }
        let rows: Vec<_> = events.iter().filter_map(|event| self.older_row(event)).collect();
        // One's own message whose answer was lost may turn up here.
        let mut changes: Vec<_> = rows.iter().flat_map(|row| self.remove_pending(row.key)).collect();
        changes.extend(rows.iter().cloned().enumerate().map(|(index, row)| Change::Insert(index, row)));
        self.committed += rows.len();
        self.rows.splice(0..0, rows);
        self.fit_above(&mut changes);
        changes
    }

    /// A row of a page of older messages, with all that has happened to it since.
    pub(super) fn older_row(&mut self, event: &Event) -> Option<Row> {
        let message = event.kind.as_message()?;
        // A page that is still to come may have the same message as it was before.
        let is_last = self.loading.is_empty();
        let happened = if is_last { self.waiting.take(event.seq) } else { self.waiting.of(event.seq) };
        let (mut row, mut text) = aggregate::begin(message, event, aggregate::has_edit(&happened));
        if self.folds() && row.deleted_at.is_none() {
            row.reactions.clone_from(&message.reactions);
        }
        for change in happened {
            change.apply(&mut row, &mut text);
        }
        if text == Text::Ahead {
            self.ahead_texts.insert(event.seq, ());
        }
        Some(row)
    }
}
