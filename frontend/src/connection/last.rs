//! How everything stood last, on disk: written down while there is a connection, and shown when the page opens without
//! one. It is gone when its person signs out.

use super::storage::{self, Storage};
use crate::browser;
use crate::dynamic::effect;
use crate::state::State;
use crate::state::session::Session;
use client::connection::Status;
use client::kept::{KeptState, ROWS_MAX};
use client::timeline::KeptTimeline;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use shared::ids::{ConversationId, Cursor, UserId};
use std::collections::HashMap;
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
    /// Whose it is; `None`: not known yet.
    user: Option<UserId>,
    state: String,
    timelines: Vec<ConversationId>,
    marks: HashMap<ConversationId, (Cursor, usize)>,
    /// It is being written.
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
        let is_free = disk.try_with_value(|written| !written.is_busy).unwrap_or(false);
        if is_free && state.link.is_open() {
            let _ = disk.try_update_value(|written| written.is_busy = true);
            leptos::task::spawn_local(async move {
                if let Err(error) = write(state, disk).await {
                    browser::log_error(&format!("the page will not open without a network: {error:?}"));
                }
                let _ = disk.try_update_value(|written| written.is_busy = false);
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
        state.restore_last(kept, &timelines);
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
    let before = disk.with_value(|written| (written.user, written.timelines.clone()));
    let storage = Storage::open(DATABASE, STORE);
    let done = async {
        let known = if before.0 == Some(me) {
            before.1
        } else {
            // What another page has kept of the same person stays.
            let kept = read::<KeptState>(&storage, STATE).await.filter(|kept| kept.user.id == me);
            kept.map(|kept| kept.timelines).unwrap_or_default()
        };
        // Meanwhile the person may have gone.
        let Some((kept, let_go)) = state.kept(&known).filter(|(kept, _)| kept.user.id == me && state.link.is_open())
        else {
            return Ok(());
        };
        for id in &kept.timelines {
            let mark = state.timelines.mark(*id);
            let is_new = mark.is_some() && disk.with_value(|written| written.marks.get(id).copied() != mark);
            if let Some(timeline) = state.timelines.kept(*id, ROWS_MAX).filter(|_| is_new) {
                storage.put(&id.to_string(), &json(&timeline)?).await?;
                disk.update_value(|written| written.marks.extend(mark.map(|mark| (*id, mark))));
            }
        }
        for id in let_go {
            storage.remove(&id.to_string()).await?;
        }
        let text = json(&kept)?;
        if disk.with_value(|written| written.state != text) {
            storage.put(STATE, &text).await?;
        }
        disk.update_value(|written| {
            (written.user, written.state, written.timelines) = (Some(me), text, kept.timelines);
        });
        Ok(())
    };
    let done = done.await;
    storage.close().await;
    done
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|error| error.to_string().into())
}
