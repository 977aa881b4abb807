//! Timelines as signals: `client::Timeline` says what changed, and that is mirrored into a list of
//! rows, each with a signal of its own. (Reference-counted ones: rows outlive the components that
//! show them.)

use crate::{api, browser};
use client::timeline::{Change, KeptTimeline, Load, Loading, Missing, Row, RowState, Timeline};
use leptos::prelude::*;
use litemap::LiteMap;
use shared::attachment::Attachment;
use shared::conversation::EventList;
use shared::event::Event;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::Send;

/// So many rows of a conversation are kept at most; pages are 60.
const ROWS_MAX: usize = 200;
/// So many are kept of one that nobody looks at.
const ROWS_AT_REST: usize = 60;
/// Rows closer together than this, by one person, stand under one name.
const GROUP_MS: u64 = 5 * 60 * 1_000;

/// A row and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct RowHandle {
    pub(crate) key: CommandId,
    pub(crate) row: ArcRwSignal<Row>,
    pub(crate) place: ArcRwSignal<Place>,
}

/// What a row's neighbours make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The day it falls on here, which the browser is asked for once.
    day: i64,
    at: Timestamp,
    /// It is the first of its day.
    pub(crate) begins_day: bool,
    /// It is the first of its sender's.
    pub(crate) begins_group: bool,
    /// It is the first that was not read when the conversation was opened.
    pub(crate) begins_new: bool,
}

/// What is shown of one conversation.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) rows: ArcRwSignal<Vec<RowHandle>>,
    pub(crate) state: ArcRwSignal<ViewState>,
    pub(crate) has_older: ArcRwSignal<bool>,
    /// Whether there are newer rows than the last.
    pub(crate) has_newer: ArcRwSignal<bool>,
    /// Grows with each page that has come.
    pub(crate) pages: ArcRwSignal<u32>,
    /// Grows whenever the end is to be shown.
    pub(crate) to_end: ArcRwSignal<u32>,
    /// A row that is to be shown.
    pub(crate) aim: ArcRwSignal<Option<Aim>>,
}

/// A row that is gone to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) key: CommandId,
    pub(crate) why: Why,
    /// Another one each time.
    count: u32,
}

/// Why a row is gone to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The person wants to see it.
    Asked,
    /// It is the first that is new.
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewState {
    Loading,
    Ready,
    /// The first page could not be loaded.
    Failed,
    /// There is no such conversation, or it is not one's own.
    Missing,
}

struct Entry {
    timeline: Timeline,
    view: View,
    /// How far it was read when it was opened, if anything was new then.
    new_after: Option<Cursor>,
}

#[derive(Clone, Copy)]
pub(crate) struct Timelines {
    entries: StoredValue<LiteMap<ConversationId, Entry>>,
    /// What was written down of others, while there is no connection.
    kept: StoredValue<Vec<(ConversationId, KeptTimeline)>>,
}

impl Timelines {
    pub(crate) fn new() -> Self {
        Self { entries: StoredValue::new(LiteMap::new()), kept: StoredValue::new(Vec::new()) }
    }

    /// What to show of a conversation.
    pub(crate) fn view(self, id: ConversationId) -> View {
        self.with(id, |entry| entry.view.clone())
    }

    /// A message, if it is among the rows.
    pub(crate) fn row(self, id: ConversationId, seq: Seq) -> Option<Row> {
        self.known(id, |entry| entry.timeline.get(seq).cloned())?
    }

    /// The number of a row, if it is in the log.
    pub(crate) fn seq(self, id: ConversationId, key: CommandId) -> Option<Seq> {
        self.known(id, |entry| entry.timeline.rows().iter().find(|row| row.key == key)?.seq())?
    }

    /// The newest message somebody wrote there that is in the log and not deleted, if it is among the rows.
    pub(crate) fn last_of(self, id: ConversationId, user: UserId) -> Option<Row> {
        let is_theirs = |row: &&Row| row.sender == user && row.deleted_at.is_none();
        self.known(id, |entry| entry.timeline.committed().iter().rev().find(is_theirs).cloned())?
    }

    /// Notes how far it was read before it is shown; `None`: nothing is new.
    pub(crate) fn set_new_after(self, id: ConversationId, read: Option<Cursor>) {
        self.with(id, |entry| {
            if entry.new_after != read {
                entry.new_after = read;
                entry.view.rows.with_untracked(|rows| place(rows, read));
            }
        });
    }

    /// Goes to a message, or the next row after it. `false`: it is not among the rows.
    pub(crate) fn aim(self, id: ConversationId, seq: Seq, why: Why) -> bool {
        let aimed = self.known(id, |entry| {
            let rows = entry.timeline.committed();
            // Before the first row there may be events that show as nothing.
            let is_whole = entry.timeline.is_loaded() && !entry.timeline.has_older();
            let is_inside = is_whole || rows.first().is_some_and(|row| row.seq() <= Some(seq));
            let row = rows.iter().filter(|_| is_inside).find(|row| row.seq() >= Some(seq))?;
            let key = row.key;
            entry.view.aim.update(|aim| {
                let count = aim.map_or(0, |aim| aim.count) + 1;
                *aim = Some(Aim { key, why, count });
            });
            Some(())
        });
        aimed.flatten().is_some()
    }

    /// `true`: nothing of it was loaded yet.
    pub(crate) fn open(self, id: ConversationId) -> bool {
        let is_empty = || self.with(id, |entry| !entry.timeline.is_loaded());
        if is_empty() {
            self.show_kept(id);
        }
        is_empty()
    }

    /// The conversations that were opened since the page began.
    pub(crate) fn opened(self) -> Vec<ConversationId> {
        self.entries.with_value(|all| all.keys().copied().collect())
    }

    pub(crate) fn event(self, event: Event) -> Option<Missing> {
        self.known(event.conversation, |entry| {
            let (changes, missing) = entry.timeline.handle_event(event);
            entry.mirror(changes);
            missing
        })?
    }

    pub(crate) fn accepted(self, event: Event) -> Option<Missing> {
        self.known(event.conversation, |entry| {
            let (changes, missing) = entry.timeline.handle_accepted(event);
            entry.mirror(changes);
            missing
        })?
    }

    /// What is missing after a welcome that told this number, or none.
    pub(crate) fn welcome(self, id: ConversationId, last_seq: Option<Cursor>) -> Option<Missing> {
        self.known(id, |entry| entry.timeline.handle_welcome(last_seq))?
    }

    /// What is missing if the server has come to this number.
    pub(crate) fn last_seq(self, id: ConversationId, last_seq: Cursor) -> Option<Missing> {
        self.known(id, |entry| entry.timeline.handle_last_seq(last_seq))?
    }

    pub(crate) fn pending(self, id: ConversationId, send: &Send, files: Vec<Attachment>, sender: UserId) {
        self.with(id, |entry| {
            let changes = entry.timeline.push_pending(send, files, sender, browser::now());
            entry.mirror(changes);
        });
    }

    pub(crate) fn state(self, id: ConversationId, row: CommandId, state: RowState) {
        self.with(id, |entry| {
            let changes = entry.timeline.set_pending(row, state);
            entry.mirror(changes);
        });
    }

    pub(crate) fn discard(self, id: ConversationId, row: CommandId) {
        self.with(id, |entry| {
            let changes = entry.timeline.remove_pending(row);
            entry.mirror(changes);
        });
    }

    pub(crate) fn reset(self, id: ConversationId) {
        self.known(id, |entry| {
            let changes = entry.timeline.reset();
            entry.mirror(changes);
            entry.view.state.set(ViewState::Loading);
        });
    }

    /// Whether somebody reads above the end. It decides which rows are let go.
    pub(crate) fn set_reading(self, id: ConversationId, is_reading: bool) {
        self.known(id, |entry| entry.timeline.set_reading(is_reading));
    }

    /// Whether it is known where the log ends, so that any place in it can be gone to.
    pub(crate) fn can_go(self, id: ConversationId) -> bool {
        self.known(id, |entry| entry.timeline.knows_end()).unwrap_or(false)
    }

    /// Whether its newest row is among those that are shown.
    pub(crate) fn is_at_newest(self, id: ConversationId) -> bool {
        self.known(id, |entry| entry.timeline.is_at_newest()).unwrap_or(true)
    }

    /// The end is to be shown.
    pub(crate) fn to_end(self, id: ConversationId) {
        self.known(id, |entry| {
            entry.timeline.set_reading(false);
            entry.view.to_end.update(|count| *count += 1);
        });
    }

    /// Nobody looks any more.
    pub(crate) fn rest(self, id: ConversationId) {
        self.known(id, |entry| {
            let changes = entry.timeline.rest(ROWS_AT_REST);
            entry.mirror(changes);
            // Whoever comes back is not sent there again.
            entry.view.aim.set(None);
        });
    }

    /// What to load to see newer rows.
    pub(crate) fn newer(self, id: ConversationId) -> Option<Load> {
        self.known(id, |entry| entry.timeline.newer())?
    }

    /// What to load to see older rows.
    pub(crate) fn older(self, id: ConversationId) -> Option<Load> {
        self.known(id, |entry| entry.timeline.older())?
    }

    /// `None`: this part is being loaded already.
    pub(crate) fn begin(self, id: ConversationId, load: Load) -> Option<Loading> {
        self.with(id, |entry| {
            let loading = entry.timeline.begin(load)?;
            if !entry.timeline.is_loaded() {
                entry.view.state.set(ViewState::Loading);
            }
            Some(loading)
        })
    }

    /// Takes in what was loaded, and says what is still missing.
    pub(crate) fn finish(self, id: ConversationId, loading: Loading, page: EventList) -> Option<Missing> {
        self.known(id, |entry| {
            let (changes, missing) = entry.timeline.handle_page(loading, page);
            entry.mirror_page(changes);
            missing
        })?
    }

    /// A part could not be loaded. `true`: it is still wanted.
    pub(crate) fn fail(self, id: ConversationId, loading: Loading, error: &api::Error) -> bool {
        let is_wanted = self.known(id, |entry| {
            let is_wanted = entry.timeline.handle_failed(loading);
            let is_missing = error.is(shared::code::Code::NotFound);
            if is_wanted && is_missing {
                let changes = entry.timeline.reset();
                entry.mirror(changes);
            }
            if is_wanted && !entry.timeline.is_loaded() {
                entry.view.state.set(if is_missing { ViewState::Missing } else { ViewState::Failed });
            }
            is_wanted
        });
        is_wanted.unwrap_or(false)
    }

    /// How far a timeline has come.
    pub(crate) fn last(self, id: ConversationId) -> Option<Cursor> {
        self.known(id, |entry| entry.timeline.last())?
    }

    /// The same, and how many rows it has: what is written down is still right while this stays.
    pub(crate) fn mark(self, id: ConversationId) -> Option<(Cursor, usize)> {
        self.known(id, |entry| Some((entry.timeline.last()?, entry.timeline.committed().len())))?
    }

    /// The end of a timeline, to be written down.
    pub(crate) fn kept(self, id: ConversationId, most: usize) -> Option<KeptTimeline> {
        self.known(id, |entry| entry.timeline.kept(most))?
    }

    /// Shows what was written down of what is open, and from now on of what is opened; nothing any more once there is a
    /// connection.
    pub(crate) fn set_kept(self, kept: Vec<(ConversationId, KeptTimeline)>) {
        self.kept.set_value(kept);
        for id in self.opened() {
            self.show_kept(id);
        }
    }

    fn show_kept(self, id: ConversationId) {
        let kept = self.kept.with_value(|all| all.iter().find(|(of, _)| *of == id).map(|(_, kept)| kept.clone()));
        let Some(kept) = kept else { return };
        self.with(id, |entry| {
            let changes = entry.timeline.restore(&kept);
            entry.mirror_page(changes);
        });
    }

    pub(crate) fn forget(self) {
        self.kept.set_value(Vec::new());
        self.entries.update_value(LiteMap::clear);
    }

    /// Acts on a conversation's timeline, if there is one. (Without one, what comes in is loaded when
    /// the conversation is opened.)
    fn known<T>(self, id: ConversationId, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.entries.try_update_value(|all| all.get_mut(&id).map(act))?
    }

    fn with<T>(self, id: ConversationId, act: impl FnOnce(&mut Entry) -> T) -> T {
        self.entries
            .try_update_value(|all| act(all.entry(id).or_insert_with(|| Entry::new(id))))
            .expect("timelines live as long as the page")
    }
}

impl Entry {
    fn new(id: ConversationId) -> Self {
        let view = View {
            rows: ArcRwSignal::new(Vec::new()),
            state: ArcRwSignal::new(ViewState::Loading),
            has_older: ArcRwSignal::new(false),
            has_newer: ArcRwSignal::new(false),
            pages: ArcRwSignal::new(0),
            to_end: ArcRwSignal::new(0),
            aim: ArcRwSignal::new(None),
        };
        Self { timeline: Timeline::new(id).windowed(ROWS_MAX), view, new_after: None }
    }

    /// A page has come, or what was written down of one.
    fn mirror_page(&self, changes: Vec<Change>) {
        self.mirror(changes);
        if self.timeline.is_loaded() {
            self.view.state.set(ViewState::Ready);
        }
        self.view.pages.update(|count| *count += 1);
    }

    fn mirror(&self, changes: Vec<Change>) {
        let (timeline, view) = (&self.timeline, &self.view);
        for (signal, now) in [(&view.has_older, timeline.has_older()), (&view.has_newer, !timeline.is_at_newest())] {
            if signal.get_untracked() != now {
                signal.set(now);
            }
        }
        if changes.is_empty() {
            return;
        }
        let is_update = changes.iter().all(|change| matches!(change, Change::Update(..)));
        if is_update {
            // The rows' own signals tell what is in them; the list's only which there are.
            return view.rows.with_untracked(|rows| {
                changes.into_iter().for_each(|change| apply(change, rows));
                place(rows, self.new_after);
            });
        }
        view.rows.update(|rows| {
            // What is on the screen is bound to its row's signals: a row that stays keeps them, however
            // the rows around it were changed.
            let mut gone = LiteMap::new();
            for change in changes {
                match change {
                    Change::Reset => {
                        for handle in rows.drain(..) {
                            gone.insert(handle.key, handle);
                        }
                        rows.extend(timeline.rows().iter().cloned().map(|row| handle(&mut gone, row)));
                    }
                    Change::Insert(index, row) => rows.insert(index, handle(&mut gone, row)),
                    Change::Remove(index) => {
                        let handle = rows.remove(index);
                        gone.insert(handle.key, handle);
                    }
                    Change::Update(..) => apply(change, rows),
                }
            }
            place(rows, self.new_after);
        });
    }
}

/// Puts an update into its row.
fn apply(change: Change, rows: &[RowHandle]) {
    if let Change::Update(index, row) = change {
        rows[index].row.set(row);
    }
}

/// The row's handle: the one it had, if it was there before.
fn handle(gone: &mut LiteMap<CommandId, RowHandle>, row: Row) -> RowHandle {
    if let Some(handle) = gone.remove(&row.key) {
        if handle.row.with_untracked(|known| *known != row) {
            handle.row.set(row);
        }
        return handle;
    }
    let day = browser::day(row.at);
    let place = Place { day, at: row.at, begins_day: false, begins_group: false, begins_new: false };
    RowHandle { key: row.key, row: ArcRwSignal::new(row), place: ArcRwSignal::new(place) }
}

/// Says where each row stands; only what changed is told. There are never many rows.
fn place(rows: &[RowHandle], new_after: Option<Cursor>) {
    let mut before: Option<(UserId, u64, i64)> = None;
    let mut has_new = false;
    for handle in rows {
        let (sender, at, seq) = handle.row.with_untracked(|row| (row.sender, row.at, row.seq()));
        let known = handle.place.get_untracked();
        let day = if known.at == at { known.day } else { browser::day(at) };
        let begins_day = before.is_none_or(|(_, _, other)| other != day);
        let is_new = new_after.is_some_and(|read| seq.is_some_and(|seq| Cursor::from(seq) > read));
        let begins_new = is_new && !has_new;
        has_new |= is_new;
        let begins_group = begins_day
            || begins_new
            || before.is_none_or(|(other, then, _)| other != sender || at.as_millis().saturating_sub(then) > GROUP_MS);
        let place = Place { day, at, begins_day, begins_group, begins_new };
        if known != place {
            handle.place.set(place);
        }
        before = Some((sender, at.as_millis(), day));
    }
}
