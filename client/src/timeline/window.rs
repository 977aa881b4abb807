//! How many rows a timeline keeps, and which.
//!
//! A window is a part of the run: whoever stands at the end of the log keeps its end, and what is oldest
//! is let go; whoever reads further up keeps what is around, and what is far from it is let go on the
//! other side. What was let go is loaded again when it comes near: [`Timeline::older`],
//! [`Timeline::newer`].
//!
//! A run whose newest rows were let go still takes every event in its turn: what happens to a row that
//! is kept shows on it, and what is new is counted and not kept. Rows that come back are shown as the
//! server has folded them, and what has happened since they were asked for is applied again on top,
//! which changes nothing where the server knew of it.

use super::{Change, Load, Loading, Missing, Run, Timeline};
use crate::aggregate::{Change as Happened, Waiting};
use shared::conversation::EventList;
use shared::ids::{Cursor, Seq};

/// What is kept of the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// So many committed rows at most; `None`: all.
    most: Option<usize>,
    /// Whether whoever looks stands somewhere before the end.
    is_reading: bool,
    /// The rows end here, though the run goes on.
    end: Option<Cursor>,
    /// Whether pages of history are taken as the server has folded them. (Otherwise everything that has
    /// happened to their messages since the run began is known here.)
    folds: bool,
    /// Answers to questions up to this one do not fit: too much has happened since.
    lost_until: u32,
}

impl Window {
    pub(super) fn end(&self) -> Option<Cursor> {
        self.end
    }

    pub(super) fn end_at(&mut self, end: Cursor) {
        self.end = Some(end);
        self.folds = true;
    }

    /// Pages of history are taken as the server has folded them.
    pub(super) fn take_folded(&mut self) {
        self.folds = true;
    }

    pub(super) fn begin_anew(&mut self) {
        (self.end, self.folds) = (None, false);
    }
}

impl Timeline {
    /// Keeps so many committed rows at most. (A page of history has to fit in twice.)
    #[must_use]
    pub fn windowed(mut self, most: usize) -> Self {
        self.window.most = Some(most);
        self
    }

    /// Whoever looks stands at the end of the rows, or reads further up. It decides which rows are let
    /// go when there are too many.
    pub fn set_reading(&mut self, is_reading: bool) {
        self.window.is_reading = is_reading;
    }

    /// Whether the last row is the newest: if not, there is something to load behind it.
    #[must_use]
    pub fn is_at_newest(&self) -> bool {
        self.window.end.is_none()
    }

    /// What to load to see newer rows.
    #[must_use]
    pub fn newer(&self) -> Option<Load> {
        self.window.end.map(Load::After)
    }

    /// Nobody looks any more: keeps the newest rows, so many at most, and what is on its way. A timeline
    /// that is not at the newest is to be loaded again.
    pub fn rest(&mut self, most: usize) -> Vec<Change> {
        self.window.is_reading = false;
        if !self.is_at_newest() {
            return self.reset();
        }
        let mut changes = Vec::new();
        if self.window.most.is_some() {
            self.let_go_above(most, &mut changes);
        }
        changes
    }

    pub(super) fn folds(&self) -> bool {
        self.window.folds
    }

    /// Whether the next row would be one too many where it is not looked at.
    pub(super) fn is_full(&self) -> bool {
        let is_full = self.window.most.is_some_and(|most| self.committed >= most);
        is_full && self.window.is_reading && self.window.end.is_none()
    }

    /// Keeps a change for the rows of pages that are to come.
    pub(super) fn wait_for_page(&mut self, target: Seq, seq: Seq, happened: &Happened) {
        let Some(run) = self.run else { return };
        let is_windowed = self.window.most.is_some();
        // What is asked for later is folded further than this; what is kept must be without holes.
        if self.folds() && self.loading.is_empty() {
            self.waiting = Waiting::default();
            return;
        }
        if Cursor::from(target) >= run.first && (!is_windowed || self.loading.is_empty()) {
            return;
        }
        self.waiting.insert(target, seq, happened.clone(), self.bounds.waiting);
        if is_windowed && self.waiting.has_lost() {
            self.waiting = Waiting::default();
            self.window.folds = true;
            self.window.lost_until = self.questions;
            self.loading.retain(|loading| loading.load == Load::Newest);
        }
    }

    /// Forgets the changes no page needs any more.
    pub(super) fn forget_waiting(&mut self) {
        if !self.loading.is_empty() {
            return;
        }
        if self.folds() {
            self.waiting = Waiting::default();
        } else if let Some(first) = self.run.and_then(|run| Seq::new(run.first.get())) {
            self.waiting.forget_from(first);
        }
    }

    /// The newest page, which is older than what has come in: the rows are those of the page, and a few
    /// newer ones are still to be loaded.
    pub(super) fn go_to(&mut self, loading: Loading, page: EventList) -> Vec<Change> {
        let EventList { events, more } = page;
        let (Some(run), Some(first), Some(last)) = (self.run, events.first(), events.last()) else { return Vec::new() };
        if loading.question <= self.window.lost_until {
            return Vec::new();
        }
        self.window.end_at(last.seq.into());
        self.run = Some(Run { first: first.seq.into(), last: run.last });
        self.has_older = more;
        self.ahead_texts.clear();
        self.rows.drain(..self.committed);
        let rows: Vec<_> = events.iter().filter_map(|event| self.older_row(event)).collect();
        self.committed = rows.len();
        self.rows.retain(|row| rows.iter().all(|other| other.key != row.key));
        self.rows.splice(0..0, rows);
        self.remove_strays(&mut Vec::new());
        vec![Change::Reset]
    }

    /// A page from anywhere in the log: the rows are those of the page, and what stands before and after them is to
    /// be loaded when it comes near. It may be the first page, if the server's newest number was known.
    pub(super) fn handle_around(&mut self, loading: Loading, mut page: EventList) -> (Vec<Change>, Option<Missing>) {
        let Some(last) = self.last().or(Some(loading.told).filter(|told| *told > Cursor::START)) else {
            return (Vec::new(), None);
        };
        // What is newer than the run comes in its turn.
        page.events.retain(|event| Cursor::from(event.seq) <= last);
        let Some(first) = page.events.first().map(|event| event.seq) else { return (Vec::new(), self.missing()) };
        page.more = first > Seq::FIRST;
        if self.run.is_none() {
            self.run = Some(Run { first: first.into(), last });
            // What else was asked for may be older than this, and what happened in between is not heard.
            self.loading.clear();
        }
        let changes = self.go_to(loading, page);
        if self.window.end == Some(last) {
            self.window.end = None;
        }
        // All rows are new: what is put behind them is among them.
        self.take_ahead(&mut Vec::new());
        (changes, self.missing())
    }

    /// A page of what comes after the rows.
    pub(super) fn handle_newer(&mut self, after: Cursor, page: EventList) -> (Vec<Change>, Option<Missing>) {
        let (Some(run), true) = (self.run, self.window.end == Some(after)) else { return (Vec::new(), None) };
        let mut changes = Vec::new();
        let (known, new): (Vec<_>, Vec<_>) =
            page.events.into_iter().partition(|event| Cursor::from(event.seq) <= run.last);
        for event in &known {
            self.window.end_at(event.seq.into());
            let Some(row) = self.older_row(event) else { continue };
            changes.extend(self.remove_pending(row.key));
            changes.push(Change::Insert(self.committed, row.clone()));
            self.rows.insert(self.committed, row);
            self.committed += 1;
        }
        if self.window.end == Some(run.last) {
            self.window.end = None;
        }
        for event in new {
            self.accept(event, &mut changes);
        }
        self.take_ahead(&mut changes);
        self.remove_strays(&mut changes);
        self.let_go_above(self.window.most.unwrap_or(usize::MAX), &mut changes);
        (changes, self.missing())
    }

    /// After rows have come at the end.
    pub(super) fn fit(&mut self, changes: &mut Vec<Change>) {
        let Some(most) = self.window.most.filter(|most| self.committed > *most) else { return };
        // Not one by one: what is let go now is not for a while.
        if self.window.is_reading { self.let_go_below(most, changes) } else { self.let_go_above(most / 4 * 3, changes) }
    }

    /// After rows have come at the beginning.
    pub(super) fn fit_above(&mut self, changes: &mut Vec<Change>) {
        // At the end, what has just been asked for is not let go: it is what there is to see.
        if let Some(most) = self.window.most.filter(|_| self.window.is_reading) {
            self.let_go_below(most, changes);
        }
    }

    /// Lets the oldest rows go, down to so many.
    fn let_go_above(&mut self, most: usize, changes: &mut Vec<Change>) {
        let gone = self.committed.saturating_sub(most);
        let Some(first) = self.rows.get(gone).filter(|_| gone > 0).and_then(|row| row.seq()) else { return };
        changes.extend((0..gone).rev().map(Change::Remove));
        self.rows.drain(..gone);
        self.committed -= gone;
        self.has_older = true;
        self.window.folds = true;
        self.ahead_texts.retain(|seq, ()| *seq >= first);
        self.run = self.run.map(|run| Run { first: first.into(), ..run });
    }

    /// Lets the newest rows go, down to so many.
    fn let_go_below(&mut self, most: usize, changes: &mut Vec<Change>) {
        if self.committed <= most {
            return;
        }
        let Some(last) = most.checked_sub(1).and_then(|index| self.rows[index].seq()) else { return };
        changes.extend((most..self.committed).rev().map(Change::Remove));
        self.rows.drain(most..self.committed);
        self.committed = most;
        self.window.end_at(last.into());
        self.ahead_texts.retain(|seq, ()| *seq <= last);
    }

    pub(super) fn check_window(&self) {
        let Some(end) = self.window.end else { return };
        assert!(self.run.is_some_and(|run| run.last >= end), "the rows end behind the run");
        let is_kept = self.committed().last().and_then(|row| row.seq()).is_none_or(|seq| Cursor::from(seq) <= end);
        assert!(is_kept, "a row behind the end of the rows");
    }
}
