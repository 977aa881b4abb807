//! Telling the person of messages outside the page: whether they want it here, and until when they do not want to be
//! disturbed. It belongs to the browser, like how the page looks.

use crate::browser;
use leptos::prelude::*;
use shared::event::{Event, EventKind};
use shared::ids::Timestamp;

/// Whether notifications are shown here.
const SHOWN: &str = "confab-notify";
/// Whether there is no sound here.
const SILENT: &str = "confab-silent";
/// Until when nothing is told.
const QUIET: &str = "confab-quiet";
/// Under what it is kept how far a conversation was told of.
pub(crate) const TOLD: &str = "confab-told-";

#[derive(Clone, Copy)]
pub(crate) struct Alerts {
    /// What tells of messages, once it is loaded.
    pub(crate) teller: StoredValue<Option<Callback<Event>>>,
}

impl Alerts {
    pub(crate) fn new() -> Self {
        Self { teller: StoredValue::new(None) }
    }

    /// A message has come, or one that was told of may be another now, or none.
    pub(crate) fn heard(self, event: &Event) {
        if let Some(teller) = self.teller.get_value()
            && matches!(event.kind, EventKind::Message(_) | EventKind::Edited(_) | EventKind::Deleted(_))
        {
            teller.run(event.clone());
        }
    }
}

/// Whether the person wants notifications here.
pub(crate) fn is_shown() -> bool {
    browser::recall(SHOWN).is_some()
}

pub(crate) fn set_shown(is_shown: bool) {
    set(SHOWN, is_shown.then(|| "on".to_owned()));
}

/// Whether the person wants no sound here.
pub(crate) fn is_silent() -> bool {
    browser::recall(SILENT).is_some()
}

pub(crate) fn set_silent(is_silent: bool) {
    set(SILENT, is_silent.then(|| "on".to_owned()));
}

/// Until when the person does not want to be disturbed here, if that is not over.
pub(crate) fn quiet_until() -> Option<Timestamp> {
    let until = browser::recall(QUIET)?.parse().map(Timestamp::from_millis).ok()?;
    (until > browser::now()).then_some(until)
}

pub(crate) fn set_quiet(until: Option<Timestamp>) {
    set(QUIET, until.map(|until| until.as_millis().to_string()));
}

/// It is not kept any more which conversations were told of: that names them.
pub(crate) fn forget_told() {
    browser::kept(TOLD).iter().for_each(|key| browser::forget(key));
}

fn set(name: &str, value: Option<String>) {
    match value {
        Some(value) => browser::remember(name, &value),
        None => browser::forget(name),
    }
}
