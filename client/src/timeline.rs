//! The rows of one conversation: what is committed, in `seq` order without gaps and without repeats,
//! and behind it what is still on its way.
//!
//! A timeline holds one unbroken run of the log. An event behind a gap is kept aside until what is
//! missing was loaded, so a reader never sees an order that changes later. A message of one's own has
//! the same key from the keypress on: pending and accepted are one row.

use shared::event::Event;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::{Accepted, Send};
use std::collections::BTreeMap;

/// Events kept aside behind a gap. What is above it is loaded like any gap.
const AHEAD_MAX: usize = 500;
/// A gap larger than this is not closed; the newest page is loaded instead.
pub const GAP_MAX: u64 = 500;

/// One line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What names it, as long as it lives.
    pub key: CommandId,
    /// Who wrote it.
    pub sender: UserId,
    /// When: by the server's clock once it is accepted, by one's own before.
    pub at: Timestamp,
    /// Its text.
    pub content: String,
    /// How it stands.
    pub state: RowState,
}

/// How a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    /// On its way.
    Pending,
    /// Refused; the text says why.
    Failed(String),
    /// In the log, under this number.
    Accepted(Seq),
}

/// What happened to the rows, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// All rows are new.
    Reset,
    /// A row was put in here.
    Insert(usize, Row),
    /// The row here is another now; its key is the same.
    Update(usize, Row),
    /// The row here is gone.
    Remove(usize),
}

/// What has to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The newest page.
    Newest,
    /// What comes after this.
    After(Cursor),
    /// What comes before this.
    Before(Cursor),
}

/// The rows of one conversation.
#[derive(Debug, Clone)]
pub struct Timeline {
    conversation: ConversationId,
    rows: Vec<Row>,
    /// How many of the rows are committed; the rest is on its way.
    committed: usize,
    run: Option<Run>,
    ahead: BTreeMap<Seq, Event>,
    has_older: bool,
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
        Self { conversation, rows: Vec::new(), committed: 0, run: None, ahead: BTreeMap::new(), has_older: false }
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

    /// Whether a page was loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.run.is_some()
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

    /// What to load to see older rows.
    #[must_use]
    pub fn older(&self) -> Option<Load> {
        self.run.filter(|_| self.has_older).map(|run| Load::Before(run.first))
    }

    /// The newest page came in. Replaces what was there, except what is on its way.
    pub fn handle_newest(&mut self, events: Vec<Event>, has_older: bool) -> (Vec<Change>, Option<Load>) {
        self.rows.drain(..self.committed);
        self.committed = 0;
        self.has_older = has_older;
        let first = events.first().map_or(Cursor::START, |event| event.seq.into());
        let last = events.last().map_or(Cursor::START, |event| event.seq.into());
        self.run = Some(Run { first, last });
        for event in events {
            self.commit(event, &mut Vec::new());
        }
        let mut ignored = Vec::new();
        self.take_ahead(&mut ignored);
        (vec![Change::Reset], self.missing())
    }

    /// The page before the first row came in.
    pub fn handle_older(&mut self, events: Vec<Event>, has_older: bool) -> Vec<Change> {
        let Some(run) = &mut self.run else { return Vec::new() };
        // Only what ends right before the run belongs there: an answer to an older question does not.
        if events.last().is_some_and(|event| event.seq.get() + 1 != run.first.get()) {
            return Vec::new();
        }
        self.has_older = has_older;
        if let Some(first) = events.first() {
            run.first = first.seq.into();
        }
        let rows: Vec<Row> = events.iter().filter_map(row).collect();
        // One's own message whose answer was lost may turn up here.
        let mut changes: Vec<_> = rows.iter().flat_map(|row| self.remove_pending(row.key)).collect();
        changes.extend(rows.iter().cloned().enumerate().map(|(index, row)| Change::Insert(index, row)));
        self.committed += rows.len();
        self.rows.splice(0..0, rows);
        changes
    }

    /// What was missing after the run came in; `has_later` tells whether the server has more of it.
    pub fn handle_after(&mut self, events: Vec<Event>, has_later: bool) -> (Vec<Change>, Option<Load>) {
        let mut changes = Vec::new();
        let is_empty = events.is_empty();
        for event in events {
            self.accept(event, &mut changes);
        }
        self.take_ahead(&mut changes);
        // An empty answer closes nothing: asking again would ask for ever.
        let more = self.run.filter(|_| has_later && !is_empty).map(|run| Load::After(run.last));
        (changes, self.missing().filter(|_| !is_empty).or(more))
    }

    /// A live event.
    pub fn handle_event(&mut self, event: Event) -> (Vec<Change>, Option<Load>) {
        let mut changes = Vec::new();
        self.accept(event, &mut changes);
        self.take_ahead(&mut changes);
        (changes, self.missing())
    }

    /// One's own message is in the log.
    pub fn handle_accepted(
        &mut self,
        accepted: Accepted,
        sender: UserId,
        content: &str,
    ) -> (Vec<Change>, Option<Load>) {
        let Accepted { id, seq, at, .. } = accepted;
        let event = accepted.into_event(sender, content);
        let Some(index) = self.pending_index(id) else { return self.handle_event(event) };
        let (mut changes, load) = self.handle_event(event);
        // Behind a gap, or in a timeline that is not loaded: it is accepted, and shows where it stands
        // until the gap is closed.
        if self.rows.get(index).is_some_and(|row| row.key == id && row.state == RowState::Pending) {
            let row = Row { state: RowState::Accepted(seq), at, ..self.rows[index].clone() };
            self.rows[index] = row.clone();
            changes.push(Change::Update(index, row));
        }
        (changes, load)
    }

    /// The server's newest number is this: is anything missing? (After a reconnect.)
    #[must_use]
    pub fn handle_last_seq(&self, last_seq: Cursor) -> Option<Load> {
        let run = self.run?;
        let gap = last_seq.get().saturating_sub(run.last.get());
        match gap {
            0 => None,
            1..=GAP_MAX => Some(Load::After(run.last)),
            _ => Some(Load::Newest),
        }
    }

    /// Forgets the log, keeps what is on its way: the server's history is another one, or too far
    /// ahead.
    pub fn reset(&mut self) -> Vec<Change> {
        self.rows.drain(..self.committed);
        self.committed = 0;
        self.run = None;
        self.ahead.clear();
        self.has_older = false;
        vec![Change::Reset]
    }

    /// The person has written something.
    pub fn push_pending(&mut self, send: &Send, sender: UserId, at: Timestamp) -> Vec<Change> {
        if self.has(send.id) {
            return Vec::new();
        }
        let row = Row { key: send.id, sender, at, content: send.content.clone(), state: RowState::Pending };
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
    /// If it does not: committed rows out of order or twice, or a key that stands twice.
    pub fn check_invariants(&self) {
        let mut keys = std::collections::HashSet::new();
        assert!(self.rows.iter().all(|row| keys.insert(row.key)), "a key stands twice");
        let seqs: Vec<_> = self.rows[..self.committed]
            .iter()
            .map(|row| match row.state {
                RowState::Accepted(seq) => seq,
                _ => panic!("a committed row is not accepted"),
            })
            .collect();
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "committed rows are out of order");
        assert!(self.ahead.len() <= AHEAD_MAX);
    }

    fn has(&self, key: CommandId) -> bool {
        self.rows.iter().rev().any(|row| row.key == key)
    }

    fn pending_index(&self, id: CommandId) -> Option<usize> {
        self.rows[self.committed..].iter().position(|row| row.key == id).map(|index| index + self.committed)
    }

    /// Takes an event that may be old, next, or too early.
    fn accept(&mut self, event: Event, changes: &mut Vec<Change>) {
        match self.run {
            Some(run) if Cursor::from(event.seq) <= run.last => {}
            Some(run) if event.seq == run.last.next() => {
                let seq = event.seq;
                self.commit(event, changes);
                let first = if run.first == Cursor::START { seq.into() } else { run.first };
                self.run = Some(Run { first, last: seq.into() });
            }
            _ => {
                self.ahead.insert(event.seq, event);
                if self.ahead.len() > AHEAD_MAX {
                    self.ahead.pop_last();
                }
            }
        }
    }

    /// Puts an event behind the committed rows.
    fn commit(&mut self, event: Event, changes: &mut Vec<Change>) {
        let Some(row) = row(&event) else { return };
        match self.pending_index(row.key) {
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

    fn take_ahead(&mut self, changes: &mut Vec<Change>) {
        while let Some(run) = self.run
            && let Some(next) = self.ahead.first_entry()
            && *next.key() <= run.last.next()
        {
            let event = next.remove();
            self.accept(event, changes);
        }
    }

    fn missing(&self) -> Option<Load> {
        let run = self.run?;
        let next = self.ahead.keys().next()?;
        Some(if next.get() - run.last.get() > GAP_MAX { Load::Newest } else { Load::After(run.last) })
    }
}

/// The row an event shows as; `None` for those that show as nothing.
fn row(event: &Event) -> Option<Row> {
    let message = event.kind.as_message()?;
    Some(Row {
        key: message.id,
        sender: event.sender,
        at: event.at,
        content: message.content.clone(),
        state: RowState::Accepted(event.seq),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::event::EventKind;
    use shared::message::{Message, Target};

    fn at() -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000)
    }

    fn command(number: u64) -> CommandId {
        let mut random = [7; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        CommandId::v7(at(), random)
    }

    fn ada() -> UserId {
        UserId::v7(at(), [1; 10])
    }

    fn conversation() -> ConversationId {
        ConversationId::v7(at(), [2; 10])
    }

    /// Event `number` of the log; every seventh shows as nothing.
    fn event(number: u64) -> Event {
        let kind = if number.is_multiple_of(7) {
            EventKind::Unknown
        } else {
            EventKind::Message(Message::new(command(number), format!("{number}"), None))
        };
        let seq = Seq::new(number).expect("in range");
        Event { conversation: conversation(), seq, at: at(), sender: ada(), kind }
    }

    fn texts(timeline: &Timeline) -> Vec<&str> {
        timeline.rows().iter().map(|row| row.content.as_str()).collect()
    }

    fn loaded(first: u64, last: u64) -> Timeline {
        let mut timeline = Timeline::new(conversation());
        timeline.handle_newest((first..=last).map(event).collect(), first > 1);
        timeline
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::new(number).expect("in range")
    }

    fn sending(timeline: &mut Timeline, number: u64) {
        let to = Target::Conversation(conversation());
        let send = Send { id: command(number), to, content: format!("{number}"), reply_to: None, attachments: vec![] };
        timeline.push_pending(&send, ada(), at());
    }

    fn accepted(number: u64) -> Accepted {
        let seq = Seq::new(number).expect("in range");
        Accepted { id: command(number), conversation: conversation(), seq, at: at() }
    }

    #[test]
    fn an_event_behind_a_gap_waits_until_the_gap_is_loaded() {
        let mut timeline = loaded(1, 3);
        let (changes, load) = timeline.handle_event(event(6));
        assert_eq!((changes, load), (vec![], Some(Load::After(cursor(3)))));
        let (_, load) = timeline.handle_after(vec![event(4), event(5)], false);
        assert_eq!((load, texts(&timeline)), (None, vec!["1", "2", "3", "4", "5", "6"]));
    }

    #[test]
    fn what_comes_twice_is_shown_once() {
        let mut timeline = loaded(1, 3);
        for number in [2, 3, 4, 4, 3] {
            timeline.handle_event(event(number));
        }
        timeline.handle_after(vec![event(3), event(4), event(5)], false);
        assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn events_that_arrive_while_the_first_page_loads_are_kept() {
        let mut timeline = Timeline::new(conversation());
        assert_eq!(timeline.handle_event(event(4)), (vec![], None));
        assert_eq!(timeline.handle_event(event(5)), (vec![], None));
        timeline.handle_newest(vec![event(2), event(3), event(4)], true);
        assert_eq!(texts(&timeline), ["2", "3", "4", "5"]);
        assert_eq!(timeline.older(), Some(Load::Before(cursor(2))));
    }

    #[test]
    fn older_rows_go_in_front_and_only_where_they_belong() {
        let mut timeline = loaded(5, 6);
        assert_eq!(timeline.handle_older(vec![event(1), event(2)], true), vec![]);
        timeline.handle_older(vec![event(3), event(4)], true);
        timeline.handle_older(vec![event(1), event(2)], false);
        assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(timeline.older(), None);
    }

    #[test]
    fn ones_own_message_is_one_row_from_the_keypress_on() {
        let mut timeline = loaded(1, 2);
        sending(&mut timeline, 3);
        assert_eq!(timeline.rows()[2].state, RowState::Pending);
        let (changes, _) = timeline.handle_accepted(accepted(3), ada(), " 3 ");
        assert!(matches!(&changes[..], [Change::Update(2, row)] if row.key == command(3) && row.content == "3"));
        let (changes, _) = timeline.handle_event(event(3));
        assert_eq!(changes, vec![]);
    }

    #[test]
    fn somebody_elses_message_in_between_takes_its_place() {
        let mut timeline = loaded(1, 2);
        sending(&mut timeline, 4);
        timeline.handle_event(event(3));
        assert_eq!(texts(&timeline), ["1", "2", "3", "4"]);
        timeline.handle_accepted(accepted(4), ada(), "4");
        timeline.check_invariants();
        assert_eq!(texts(&timeline), ["1", "2", "3", "4"]);
    }

    #[test]
    fn accepted_behind_a_gap_is_accepted_and_stands_right_once_the_gap_is_closed() {
        let mut timeline = loaded(1, 2);
        sending(&mut timeline, 5);
        let (_, load) = timeline.handle_accepted(accepted(5), ada(), "5");
        assert_eq!(load, Some(Load::After(cursor(2))));
        assert!(matches!(timeline.rows()[2].state, RowState::Accepted(_)));
        timeline.handle_after(vec![event(3), event(4), event(5)], false);
        timeline.check_invariants();
        assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn a_message_loaded_before_its_answer_is_one_row() {
        let mut timeline = Timeline::new(conversation());
        sending(&mut timeline, 3);
        timeline.handle_newest(vec![event(1), event(2), event(3)], false);
        timeline.check_invariants();
        assert_eq!(texts(&timeline), ["1", "2", "3"]);
        timeline.handle_accepted(accepted(3), ada(), "3");
        assert_eq!(texts(&timeline), ["1", "2", "3"]);
    }

    #[test]
    fn a_refused_message_stays_until_it_is_dropped() {
        let mut timeline = loaded(1, 1);
        sending(&mut timeline, 2);
        timeline.set_pending(command(2), RowState::Failed("too long".into()));
        timeline.handle_event(event(2 + 1));
        assert!(matches!(timeline.rows()[1].state, RowState::Failed(_)));
        assert_eq!(timeline.remove_pending(command(2)), vec![Change::Remove(1)]);
    }

    #[test]
    fn after_a_reconnect_small_gaps_are_closed_and_large_ones_skipped() {
        let timeline = loaded(1, 10);
        assert_eq!(timeline.handle_last_seq(cursor(10)), None);
        assert_eq!(timeline.handle_last_seq(cursor(9)), None);
        assert_eq!(timeline.handle_last_seq(cursor(11)), Some(Load::After(cursor(10))));
        assert_eq!(timeline.handle_last_seq(cursor(511)), Some(Load::Newest));
        assert_eq!(Timeline::new(conversation()).handle_last_seq(cursor(5)), None);
    }

    #[test]
    fn an_empty_conversation_grows_from_its_first_event() {
        let mut timeline = Timeline::new(conversation());
        timeline.handle_newest(vec![], false);
        timeline.handle_event(event(1));
        timeline.handle_event(event(2));
        assert_eq!((texts(&timeline), timeline.older()), (vec!["1", "2"], None));
    }

    /// Applies changes to a copy, as a page does.
    fn mirror(rows: &mut Vec<Row>, timeline: &Timeline, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Reset => *rows = timeline.rows().to_vec(),
                Change::Insert(index, row) => rows.insert(index, row),
                Change::Update(index, row) => {
                    assert_eq!(rows[index].key, row.key);
                    rows[index] = row;
                }
                Change::Remove(index) => drop(rows.remove(index)),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// A log grows; its events reach the reader in any order, twice or not at all, mixed with own
        /// messages and page loads. What is shown is always a run of the log, and in the end all of it.
        #[test]
        fn whatever_order_events_come_in_the_rows_are_the_log(
            total in 1u64..40,
            start in 0u64..40,
            order in prop::collection::vec((any::<u64>(), 0u8..6), 0..120),
        ) {
            let start = start.min(total);
            let mut timeline = Timeline::new(conversation());
            let mut copy = Vec::new();
            let answer = |timeline: &mut Timeline, copy: &mut Vec<Row>, load: Option<Load>| {
                let mut load = load;
                while let Some(asked) = load.take() {
                    let changes = match asked {
                        Load::After(after) => {
                            let events = (after.get() + 1..=total).take(5).map(event).collect();
                            let (changes, next) = timeline.handle_after(events, after.get() + 5 < total);
                            load = next;
                            changes
                        }
                        Load::Before(before) => {
                            let first = before.get().saturating_sub(5).max(1);
                            timeline.handle_older((first..before.get()).map(event).collect(), first > 1)
                        }
                        Load::Newest => {
                            let first = start.saturating_sub(4).max(1);
                            let (changes, next) =
                                timeline.handle_newest((first..=start).map(event).collect(), first > 1);
                            load = next;
                            changes
                        }
                    };
                    mirror(copy, timeline, changes);
                    timeline.check_invariants();
                    prop_assert_eq!(timeline.rows(), &copy[..]);
                }
                Ok(())
            };
            for (number, what) in order {
                let number = number % total + 1;
                let (changes, load) = match what {
                    0 | 1 => timeline.handle_event(event(number)),
                    2 if !number.is_multiple_of(7) => {
                        let sent = timeline.rows().len();
                        sending(&mut timeline, number);
                        let pushed = timeline.rows()[sent..].to_vec();
                        (pushed.into_iter().map(|row| Change::Insert(sent, row)).collect(), None)
                    }
                    3 if !number.is_multiple_of(7) => {
                        timeline.handle_accepted(accepted(number), ada(), &number.to_string())
                    }
                    4 => (vec![], timeline.older()),
                    5 if !timeline.is_loaded() => (vec![], Some(Load::Newest)),
                    _ => (vec![], None),
                };
                mirror(&mut copy, &timeline, changes);
                timeline.check_invariants();
                prop_assert_eq!(timeline.rows(), &copy[..]);
                answer(&mut timeline, &mut copy, load)?;
            }
            if !timeline.is_loaded() {
                answer(&mut timeline, &mut copy, Some(Load::Newest))?;
            }
            let load = timeline.handle_last_seq(cursor(total));
            answer(&mut timeline, &mut copy, load)?;
            while let Some(load) = timeline.older() {
                answer(&mut timeline, &mut copy, Some(load))?;
            }
            let shown: Vec<u64> = timeline.rows()[..timeline.committed].iter().map(|row| row.content.parse().expect("a number")).collect();
            let log: Vec<u64> = (1..=total).filter(|number| !number.is_multiple_of(7)).collect();
            prop_assert_eq!(shown, log);
        }
    }
}
