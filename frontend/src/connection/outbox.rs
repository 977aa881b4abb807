//! The outbox on disk: what the connection wants kept is kept, and what was left behind is sent. One record for each
//! command, under its id; which tab looks after it stands with it.

use super::storage::Storage;
use super::tabs::{self, Mark};
use crate::browser;
use crate::later::{self, later};
use crate::state::State;
use client::outbox::Kept;
use leptos::prelude::*;
use shared::ids::{CommandId, UserId};
use std::time::Duration;
use wasm_bindgen::JsValue;

/// The database, and its store.
const DATABASE: &str = "confab";
const STORE: &str = "outbox";
/// How often it is looked whether another tab has gone and left something.
const LOOK: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
pub(crate) struct KeptOutbox {
    storage: StoredValue<Storage, LocalStorage>,
    tab: StoredValue<String>,
    mark: StoredValue<Option<Mark>, LocalStorage>,
    /// Whether the browser keeps what is not sent. It is taken to until it says otherwise.
    pub(crate) is_kept: RwSignal<bool>,
}

impl KeptOutbox {
    pub(crate) fn new() -> Self {
        let tab = name();
        let mark = Mark::hold(&tab);
        let storage = Storage::open(DATABASE, STORE);
        let outbox = Self {
            storage: StoredValue::new_local(storage.clone()),
            tab: StoredValue::new(tab),
            mark: StoredValue::new_local(mark),
            is_kept: RwSignal::new(true),
        };
        leptos::task::spawn_local(async move { outbox.note(storage.check().await) });
        outbox
    }

    pub(crate) fn keep(self, kept: Kept) {
        let (storage, tab) = (self.storage.get_value(), self.tab.get_value());
        leptos::task::spawn_local(async move { self.note(put(&storage, &tab, &kept).await) });
    }

    pub(crate) fn forget(self, id: CommandId) {
        let storage = self.storage.get_value();
        leptos::task::spawn_local(async move {
            // What could not be struck is sent again, and stored once.
            let _ = storage.remove(&id.to_string()).await;
        });
    }

    /// Takes over what this person has left in tabs that are gone, now and from time to time. Without the part that does,
    /// it waits for the next time.
    pub(crate) fn take_over(self, state: State, me: UserId) {
        later::quietly(take_over(self, state, me));
    }

    fn take_over_now(self, state: State, me: UserId) {
        let storage = self.storage.get_value();
        let tab = self.tab.get_value();
        leptos::task::spawn_local(tabs::alone(async move {
            let Ok(records) = storage.all().await else { return };
            let records: Vec<_> = records.iter().filter_map(|text| Record::read(text)).collect();
            let present = tabs::present().await.unwrap_or_default();
            let is_left = |record: &Record| record.kept.by == me && record.tab != tab && !present.contains(&record.tab);
            let left: Vec<_> = records.into_iter().filter(is_left).map(|record| record.kept).collect();
            for kept in &left {
                self.note(put(&storage, &tab, kept).await);
            }
            if !left.is_empty() {
                state.restore(left, me);
            }
        }));
    }

    /// Looks from time to time.
    pub(crate) fn watch(self, state: State) {
        set_interval(
            move || {
                if let Some(me) = state.session.me().filter(|_| state.link.is_open()) {
                    self.take_over(state, me);
                }
            },
            LOOK,
        );
    }

    /// The person has signed out: what is still kept of theirs is looked after by whichever tab they
    /// come back in, this one under another name among them.
    pub(crate) fn leave(self) {
        self.sleep();
        self.tab.set_value(name());
        self.wake();
    }

    /// The page is left; it may be kept asleep, and come back or not.
    pub(crate) fn sleep(self) {
        if let Some(mark) = self.mark.try_update_value(Option::take).flatten() {
            mark.release();
        }
    }

    /// The page is back, or was never away.
    pub(crate) fn wake(self) {
        self.mark.update_value(|mark| {
            if mark.is_none() {
                *mark = self.tab.with_value(|tab| Mark::hold(tab));
            }
        });
    }

    fn note(self, result: Result<(), JsValue>) {
        if let Err(error) = &result {
            browser::log_error(&format!("unsent messages are not kept: {error:?}"));
        }
        if self.is_kept.get_untracked() != result.is_ok() {
            self.is_kept.set(result.is_ok());
        }
    }
}

later!(soon, take_over(outbox: KeptOutbox, state: State, me: UserId) => {
    outbox.take_over_now(state, me);
    ().into_any()
});

/// A record: what is kept, and the tab that looks after it.
struct Record {
    tab: String,
    kept: Kept,
}

impl Record {
    /// One that cannot be read (of another version of the page) is left alone.
    fn read(text: &str) -> Option<Self> {
        let (tab, json) = text.split_once(' ')?;
        Some(Self { tab: tab.to_owned(), kept: serde_json::from_str(json).ok()? })
    }
}

/// Keeps a record in place of the one before. Done when it is on disk.
async fn put(storage: &Storage, tab: &str, kept: &Kept) -> Result<(), JsValue> {
    let json = serde_json::to_string(kept).map_err(|error| JsValue::from(error.to_string()))?;
    storage.put(&kept.command.id().to_string(), &format!("{tab} {json}")).await
}

/// A name for a tab that no other has.
fn name() -> String {
    u64::from_le_bytes(browser::random()).to_string()
}
