//! Timelines as signals: `client::Timeline` says what changed, and that is mirrored into a list of
//! rows, each with a signal of its own. (Reference-counted ones: rows outlive the components that
//! show them.)

use crate::{api, browser};
use client::timeline::{Change, Load, Loading, Missing, Row, RowState, Timeline};
use leptos::prelude::*;
use shared::conversation::EventList;
use shared::event::Event;
use shared::ids::{CommandId, ConversationId, Cursor, Timestamp, UserId};
use shared::message::Send;
use std::collections::HashMap;

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
}

#[derive(Clone, Copy)]
pub(crate) struct Timelines {
    entries: StoredValue<HashMap<ConversationId, Entry>>,
    drafts: StoredValue<HashMap<ConversationId, RwSignal<String>>>,
    /// Drafts outlive the pane that shows them, so they belong to the page and not to the pane.
    owner: StoredValue<Owner>,
}

impl Timelines {
    pub(crate) fn new() -> Self {
        let owner = Owner::current().expect("the state is made inside the page");
        Self {
            entries: StoredValue::new(HashMap::new()),
            drafts: StoredValue::new(HashMap::new()),
            owner: StoredValue::new(owner),
        }
    }

    /// What to show of a conversation.
    pub(crate) fn view(self, id: ConversationId) -> View {
        self.with(id, |entry| entry.view.clone())
    }

    /// What is being written there; it stays while one looks elsewhere.
    pub(crate) fn draft(self, id: ConversationId) -> RwSignal<String> {
        let make = || self.owner.with_value(|owner| owner.with(|| RwSignal::new(String::new())));
        self.drafts.try_update_value(|all| *all.entry(id).or_insert_with(make)).unwrap_or_else(make)
    }

    /// `true`: nothing of it was loaded yet.
    pub(crate) fn open(self, id: ConversationId) -> bool {
        self.with(id, |entry| !entry.timeline.is_loaded())
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

    pub(crate) fn pending(self, id: ConversationId, send: &Send, sender: UserId) {
        self.with(id, |entry| {
            let changes = entry.timeline.push_pending(send, sender, browser::now());
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
            entry.mirror(changes);
            if entry.timeline.is_loaded() {
                entry.view.state.set(ViewState::Ready);
            }
            entry.view.pages.update(|count| *count += 1);
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

    pub(crate) fn forget(self) {
        self.entries.update_value(HashMap::clear);
        self.drafts.update_value(HashMap::clear);
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
        };
        Self { timeline: Timeline::new(id).windowed(ROWS_MAX), view }
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
                place(rows);
            });
        }
        view.rows.update(|rows| {
            // What is on the screen is bound to its row's signals: a row that stays keeps them, however
            // the rows around it were changed.
            let mut gone = HashMap::new();
            for change in changes {
                match change {
                    Change::Reset => {
                        gone.extend(rows.drain(..).map(|handle| (handle.key, handle)));
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
            place(rows);
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
fn handle(gone: &mut HashMap<CommandId, RowHandle>, row: Row) -> RowHandle {
    if let Some(handle) = gone.remove(&row.key) {
        if handle.row.with_untracked(|known| *known != row) {
            handle.row.set(row);
        }
        return handle;
    }
    let place = Place { day: browser::day(row.at), at: row.at, begins_day: false, begins_group: false };
    RowHandle { key: row.key, row: ArcRwSignal::new(row), place: ArcRwSignal::new(place) }
}

/// Says where each row stands; only what changed is told. There are never many rows.
fn place(rows: &[RowHandle]) {
    let mut before: Option<(UserId, u64, i64)> = None;
    for handle in rows {
        let (sender, at) = handle.row.with_untracked(|row| (row.sender, row.at));
        let known = handle.place.get_untracked();
        let day = if known.at == at { known.day } else { browser::day(at) };
        let begins_day = before.is_none_or(|(_, _, other)| other != day);
        let begins_group = begins_day
            || before.is_none_or(|(other, then, _)| other != sender || at.as_millis().saturating_sub(then) > GROUP_MS);
        let place = Place { day, at, begins_day, begins_group };
        if known != place {
            handle.place.set(place);
        }
        before = Some((sender, at.as_millis(), day));
    }
}
