//! How everything stood last, on disk: written down while there is a connection, and shown when the page opens without
//! one. It is gone when its person signs out.

use super::storage::{self, Storage};
use crate::browser;
use crate::dynamic::effect;
use crate::state::State;
use crate::state::session::Session;
use client::connection::{Ended, Status};
use client::kept::{KeptState, ROWS_MAX};
use client::timeline::KeptTimeline;
use leptos::prelude::*;
use litemap::LiteMap;
use serde::de::DeserializeOwned;
use shared::ids::{ConversationId, Cursor, UserId};
use std::time::Duration;
use wasm_bindgen::JsValue;

/// The database, its store, and the name under which everything but the timelines stands; those stand under their ids.
const DATABASE: &str = "confab-last";
const STORE: &str = "last";
const STATE: &str = "state";
/// How often it is written down, if something has changed.
const EVERY: Duration = Duration::from_secs(2);
/// A server that says nothing for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is on disk, as far as this page knows.
#[derive(Default)]
struct Written {
    state: String,
    marks: LiteMap<ConversationId, (Cursor, usize)>,
    /// All that had come by then.
    heard: Option<u32>,
    /// It is being written, or cannot be.
    is_busy: bool,
}

type Disk = StoredValue<Written, LocalStorage>;

/// Nothing of anybody stays.
pub(crate) fn wipe() {
    storage::wipe(DATABASE);
}

/// Writes it down from now on, and shows what was written down if there is no connection.
pub(crate) fn watch(state: State) {
    let disk: Disk = StoredValue::new_local(Written::default());
    let write = move || {
        let heard = state.heard.get_value();
        let is_due = disk.try_with_value(|written| !written.is_busy && written.heard != Some(heard)).unwrap_or(false);
        if is_due && state.link.is_open() {
            let _ = disk.try_update_value(|written| (written.is_busy, written.heard) = (true, Some(heard)));
            leptos::task::spawn_local(async move {
                let done = write(state, disk).await;
                if let Err(error) = &done {
                    browser::log_error(&format!("the page will not open without a network: {error:?}"));
                }
                // What the browser does not keep is not tried again.
                let _ = disk.try_update_value(|written| written.is_busy = done.is_err());
            });
        }
    };
    let ticking = set_interval_with_handle(write, EVERY).ok();
    let leaving = window_event_listener_untyped("visibilitychange", move |_| write());
    on_cleanup(move || {
        if let Some(ticking) = ticking {
            ticking.clear();
        }
        leaving.remove();
    });
    let is_alone = move || {
        let is_unknown = state.session.session.with(|session| *session == Session::Unknown);
        is_unknown && state.link.status.with(|status| !matches!(status, Status::Idle | Status::Open))
    };
    effect(move || {
        if is_alone() {
            leptos::task::spawn_local(show(state));
        }
    });
    // The session was ended elsewhere: this device may be in other hands.
    effect(move || {
        if state.link.status.with(|status| *status == Status::Ended(Ended::SignedOut)) {
            state.session.leave_nothing();
        }
    });
    set_timeout(move || leptos::task::spawn_local(show(state)), PATIENCE);
}

/// Shows what was written down, if nobody is known yet.
async fn show(state: State) {
    if state.session.session.with_untracked(|session| *session != Session::Unknown) {
        return;
    }
    let storage = Storage::open(DATABASE, STORE);
    if let Some(kept) = read::<KeptState>(&storage, STATE).await {
        let mut timelines = Vec::new();
        for id in &kept.timelines {
            timelines.extend(read::<KeptTimeline>(&storage, &id.to_string()).await.map(|timeline| (*id, timeline)));
        }
        state.restore_last(kept, timelines);
    }
    storage.close().await;
}

/// What stands under a name. What cannot be read, perhaps of another version, is not there.
async fn read<T: DeserializeOwned>(storage: &Storage, name: &str) -> Option<T> {
    let text = storage.get(name).await.ok()??;
    serde_json::from_str(&text).ok()
}

async fn write(state: State, disk: Disk) -> Result<(), JsValue> {
    let Some(me) = state.session.me() else { return Ok(()) };
    let storage = Storage::open(DATABASE, STORE);
    let done = write_to(&storage, me, state, disk).await;
    // Nobody could do away with it otherwise.
    storage.close().await;
    done
}

async fn write_to(storage: &Storage, me: UserId, state: State, disk: Disk) -> Result<(), JsValue> {
    // Another page may have kept others of the same person.
    let there = read::<KeptState>(storage, STATE).await;
    if there.as_ref().is_some_and(|kept| kept.user.id != me) {
        storage.clear().await?;
    }
    let known = there.filter(|kept| kept.user.id == me).map(|kept| kept.timelines).unwrap_or_default();
    // Meanwhile the person may have gone.
    let is_still = |kept: &KeptState| kept.user.id == me && state.link.is_open();
    let Some((kept, let_go)) = state.kept(&known).filter(|(kept, _)| is_still(kept)) else { return Ok(()) };
    for id in &kept.timelines {
        let mark = state.timelines.mark(*id);
        let Some(before) = disk.try_with_value(|written| written.marks.get(id).copied()) else { return Ok(()) };
        if mark.is_some()
            && mark != before
            && let Some(timeline) = state.timelines.kept(*id, ROWS_MAX)
        {
            storage.put(&id.to_string(), &json(&timeline)?).await?;
            if let Some(mark) = mark {
                let _ = disk.try_update_value(|written| _ = written.marks.insert(*id, mark));
            }
        }
    }
    for id in let_go {
        storage.remove(&id.to_string()).await?;
    }
    let text = json(&kept)?;
    if is_still(&kept) && disk.try_with_value(|written| written.state != text) == Some(true) {
        storage.put(STATE, &text).await?;
        let _ = disk.try_update_value(|written| written.state = text);
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|error| error.to_string().into())
}
