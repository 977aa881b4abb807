//! The rows of one conversation: what is committed, in `seq` order without gaps and without repeats,
//! and behind it what is still on its way.
//!
//! A timeline holds one unbroken run of the log. An event behind a gap is kept aside until what is
//! missing has come, so a reader never sees an order that changes later. A message of one's own has
//! the same key from the keypress on: pending and accepted are one row. What happens to a message
//! after it was written is applied to its row; see [`crate::aggregate`].
//!
//! Events that show as nothing (of later versions, and the log's notes of who came and went) take
//! their number and no row.
//!
//! A timeline with a window keeps so many rows and no more; see [`mod@window`].

use crate::aggregate::{self, Change as Happened, Text, Waiting};
use litemap::LiteMap;
use shared::attachment::Attachment;
use shared::event::Event;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::Send;
use window::Window;

mod kept;
mod page;
mod row;
pub mod window;

pub use kept::KeptTimeline;
pub use page::{Load, Loading};
pub use row::{Change, Row, RowState};

/// A gap larger than this is not closed; the newest page is loaded instead.
pub const GAP_MAX: u64 = 500;

/// What a timeline may keep aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The largest gap that is closed.
    pub gap: u64,
    /// Events kept aside behind a gap. What is above it is asked for like any gap.
    pub ahead: usize,
    /// Changes of messages that are not loaded. Above it, what is older is loaded anew.
    pub waiting: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { gap: GAP_MAX, ahead: 500, waiting: 2_000 }
    }
}

/// What a timeline is missing to be up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The newest page: [`Timeline::begin`] it with [`Load::Newest`].
    Page,
    /// What comes after this: [`crate::connection::Connection::resume`] it.
    After(Cursor),
}

/// The rows of one conversation.
#[derive(Debug, Clone)]
pub struct Timeline {
    conversation: ConversationId,
    bounds: Bounds,
    window: Window,
    rows: Vec<Row>,
    /// How many of the rows are committed; the rest is on its way.
    committed: usize,
    run: Option<Run>,
    ahead: LiteMap<Seq, Event>,
    waiting: Waiting,
    /// Rows whose text is of an edit that is still to come.
    ahead_texts: LiteMap<Seq, ()>,
    has_older: bool,
    loading: Vec<Loading>,
    questions: u32,
    /// The highest number the server is known to have come to.
    told: Cursor,
}

/// An unbroken run of the log: all events from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: Cursor,
    last: Cursor,
}

impl Timeline {
    /// A timeline that knows nothing yet: it wants [`Load::Newest`].
    #[must_use]
    pub fn new(conversation: ConversationId) -> Self {
        Self::with_bounds(conversation, Bounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(conversation: ConversationId, bounds: Bounds) -> Self {
        Self {
            conversation,
            bounds,
            window: Window::default(),
            rows: Vec::new(),
            committed: 0,
            run: None,
            ahead: LiteMap::new(),
            waiting: Waiting::default(),
            ahead_texts: LiteMap::new(),
            has_older: false,
            loading: Vec::new(),
            questions: 0,
            told: Cursor::START,
        }
    }

    /// Which conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// All rows, oldest first.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that are in the log and in their place, oldest first.
    #[must_use]
    pub fn committed(&self) -> &[Row] {
        &self.rows[..self.committed]
    }

    /// The message of this number, if it is loaded.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&Row> {
        self.committed_index(seq).map(|index| &self.rows[index])
    }

    /// Whether a page was loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.run.is_some()
    }

    /// Whether it is known where the log ends: then [`Load::Around`] leads to any place of it.
    #[must_use]
    pub fn knows_end(&self) -> bool {
        self.is_loaded() || self.told > Cursor::START
    }

    /// Whether there is something before the first row.
    #[must_use]
    pub fn has_older(&self) -> bool {
        self.has_older
    }

    /// The last event of the unbroken run.
    #[must_use]
    pub fn last(&self) -> Option<Cursor> {
        self.run.map(|run| run.last)
    }

    /// An event came in, live or replayed, in whatever order.
    pub fn handle_event(&mut self, event: Event) -> (Vec<Change>, Option<Missing>) {
        let mut changes = Vec::new();
        self.accept(event, &mut changes);
        self.take_ahead(&mut changes);
        self.fit(&mut changes);
        (changes, self.missing())
    }

    /// A command of one's own is in the log, as this event.
    pub fn handle_accepted(&mut self, event: Event) -> (Vec<Change>, Option<Missing>) {
        let Some(message) = event.kind.as_message() else { return self.handle_event(event) };
        let (id, seq, at) = (message.id, event.seq, event.at);
        let (mut changes, missing) = self.handle_event(event);
        let missing = if self.is_loaded() { missing } else { Some(Missing::Page) };
        let Some(index) = self.pending_index(id) else { return (changes, missing) };
        // Behind a gap, or in a timeline that is not loaded: it is accepted, and shows where it stands
        // until the gap is closed.
        let row = Row { state: RowState::Accepted(seq), at, ..self.rows[index].clone() };
        self.rows[index] = row.clone();
        changes.push(Change::Update(index, row));
        self.remove_strays(&mut changes);
        (changes, missing)
    }

    /// The server has greeted, and this is its newest number here, if it told. What is missing? (The
    /// newest page, if it is being loaded, may be older than the welcome: it is asked for again.)
    pub fn handle_welcome(&mut self, last_seq: Option<Cursor>) -> Option<Missing> {
        self.loading.retain(|loading| loading.load != Load::Newest);
        let missing = self.handle_last_seq(last_seq.unwrap_or_default());
        let unknown = self.last().filter(|_| last_seq.is_none()).map(Missing::After);
        missing.or(unknown)
    }

    /// The server has come to this number. What is missing?
    pub fn handle_last_seq(&mut self, last_seq: Cursor) -> Option<Missing> {
        self.told = self.told.max(last_seq);
        if self.is_loaded() { self.missing() } else { Some(Missing::Page) }
    }

    /// Forgets the log, keeps what is on its way: the server's history is another one, too far ahead,
    /// or not one's own any more. What is being loaded does not count any more.
    pub fn reset(&mut self) -> Vec<Change> {
        self.rows.drain(..self.committed);
        self.rows.retain(|row| !matches!(row.state, RowState::Accepted(_)));
        self.committed = 0;
        self.run = None;
        self.ahead.clear();
        self.waiting = Waiting::default();
        self.ahead_texts.clear();
        self.window.begin_anew();
        self.has_older = false;
        self.loading.clear();
        self.told = Cursor::START;
        vec![Change::Reset]
    }

    /// The person has written something, with these files.
    pub fn push_pending(
        &mut self,
        send: &Send,
        attachments: Vec<Attachment>,
        sender: UserId,
        at: Timestamp,
    ) -> Vec<Change> {
        if self.has(send.id) {
            return Vec::new();
        }
        let row = Row {
            key: send.id,
            sender,
            at,
            content: send.content.clone(),
            attachments,
            mentions: Vec::new(),
            mention_names: Vec::new(),
            reply_to: send.reply_to,
            edited_at: None,
            deleted_at: None,
            reactions: Vec::new(),
            state: RowState::Pending,
        };
        self.rows.push(row.clone());
        vec![Change::Insert(self.rows.len() - 1, row)]
    }

    /// A message on its way stands differently now.
    pub fn set_pending(&mut self, id: CommandId, state: RowState) -> Vec<Change> {
        let Some(index) = self.pending_index(id) else { return Vec::new() };
        self.rows[index].state = state;
        vec![Change::Update(index, self.rows[index].clone())]
    }

    /// The person has dropped a message on its way.
    pub fn remove_pending(&mut self, id: CommandId) -> Vec<Change> {
        let Some(index) = self.pending_index(id) else { return Vec::new() };
        self.rows.remove(index);
        vec![Change::Remove(index)]
    }

    /// What must hold after every step.
    ///
    /// # Panics
    /// If it does not: committed rows out of order or twice, a key that stands twice, a bound exceeded.
    pub fn check_invariants(&self) {
        let mut keys = std::collections::HashSet::new();
        assert!(self.rows.iter().all(|row| keys.insert(row.key)), "a key stands twice");
        let seqs: Vec<_> = self.committed().iter().map(|row| row.seq().expect("a committed row is accepted")).collect();
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "committed rows are out of order");
        if let (Some(run), Some(first), Some(last)) = (self.run, seqs.first(), seqs.last()) {
            assert!(Cursor::from(*first) >= run.first && Cursor::from(*last) <= run.last, "a row outside the run");
        }
        self.check_window();
        assert!(self.ahead.len() <= self.bounds.ahead, "too much kept behind a gap");
        assert!(self.waiting.len() <= self.bounds.waiting, "too many changes kept");
    }

    /// Takes an event that may be old, next, or too early.
    fn accept(&mut self, event: Event, changes: &mut Vec<Change>) {
        match self.run {
            Some(run) if Cursor::from(event.seq) <= run.last => {}
            Some(run) if event.seq == run.last.next() => {
                let last = event.seq.into();
                let first = if run.first == Cursor::START { last } else { run.first };
                if self.is_full() {
                    self.window.end_at(run.last);
                }
                self.run = Some(Run { first, last });
                self.commit(&event, changes);
            }
            _ => {
                self.ahead.insert(event.seq, event);
                if self.ahead.len() > self.bounds.ahead
                    && let Some(last) = self.ahead.last().map(|(seq, _)| *seq)
                {
                    self.ahead.remove(&last);
                }
            }
        }
    }

    /// Puts an event behind the committed rows, or applies it to the one it changes.
    fn commit(&mut self, event: &Event, changes: &mut Vec<Change>) {
        if let Some((target, happened)) = Happened::of(event) {
            self.change(target, event.seq, happened, changes);
        }
        let Some(message) = event.kind.as_message() else { return };
        let (row, text) = aggregate::begin(message, event, false);
        if text == Text::Ahead && self.is_at_newest() {
            self.ahead_texts.insert(event.seq, ());
        }
        match self.pending_index(row.key) {
            // Its place is not kept: it stands where it was written until its place is loaded.
            Some(index) if !self.is_at_newest() => {
                self.rows[index] = row.clone();
                return changes.push(Change::Update(index, row));
            }
            None if !self.is_at_newest() => return,
            Some(index) if index == self.committed => {
                self.rows[index] = row.clone();
                changes.push(Change::Update(index, row));
            }
            pending => {
                if let Some(index) = pending {
                    self.rows.remove(index);
                    changes.push(Change::Remove(index));
                }
                self.rows.insert(self.committed, row.clone());
                changes.push(Change::Insert(self.committed, row));
            }
        }
        self.committed += 1;
    }

    fn change(&mut self, target: Seq, seq: Seq, happened: Happened, changes: &mut Vec<Change>) {
        self.wait_for_page(target, seq, &happened);
        let Some(index) = self.committed_index(target) else { return };
        let is_ahead = !self.ahead_texts.is_empty() && self.ahead_texts.contains_key(&target);
        let mut text = if is_ahead { Text::Ahead } else { Text::OfRun };
        if happened.apply(&mut self.rows[index], &mut text) {
            changes.push(Change::Update(index, self.rows[index].clone()));
        }
        if is_ahead && text == Text::OfRun {
            self.ahead_texts.remove(&target);
        }
    }

    fn take_ahead(&mut self, changes: &mut Vec<Change>) {
        while let Some(run) = self.run
            && self.ahead.first().is_some_and(|(seq, _)| *seq <= run.last.next())
            && let Some((_, event)) = crate::pop_first(&mut self.ahead)
        {
            self.accept(event, changes);
        }
    }

    /// Takes away what was accepted and shown out of its place, once its place is known: it stands
    /// there already, or in a page that is not loaded.
    fn remove_strays(&mut self, changes: &mut Vec<Change>) {
        let Some(shown) = self.window.end().or(self.last()) else { return };
        let is_stray = |row: &Row| row.seq().is_some_and(|seq| Cursor::from(seq) <= shown);
        while let Some(index) = self.rows[self.committed..].iter().position(is_stray) {
            self.rows.remove(self.committed + index);
            changes.push(Change::Remove(self.committed + index));
        }
    }

    fn missing(&self) -> Option<Missing> {
        let run = self.run?;
        // Behind a gap the first event tells how large it is; otherwise what the server told.
        let next = self.ahead.keys().next().map_or(self.told, |seq| Cursor::from(*seq));
        match next.get().saturating_sub(run.last.get()) {
            0 => None,
            gap if gap > self.bounds.gap => Some(Missing::Page),
            _ => Some(Missing::After(run.last)),
        }
    }

    fn has(&self, key: CommandId) -> bool {
        self.rows.iter().rev().any(|row| row.key == key)
    }

    fn pending_index(&self, id: CommandId) -> Option<usize> {
        self.rows[self.committed..].iter().position(|row| row.key == id).map(|index| index + self.committed)
    }

    fn committed_index(&self, seq: Seq) -> Option<usize> {
        self.committed().binary_search_by_key(&Some(seq), Row::seq).ok()
    }
}

#[cfg(test)]
mod tests;
