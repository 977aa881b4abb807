//! Shows times anew as time passes: "14:05" is "27 Nov" after midnight, and a conversation that was silenced for an hour
//! counts again after it. It is looked every half a minute, and when somebody comes back to the page: the device may
//! have slept, with all timers.

use crate::browser;
use crate::state::State;
use crate::state::alert;
use leptos::prelude::*;
use std::time::Duration;

/// Bound of the delay with which shown times follow the clock while somebody looks.
const EVERY: Duration = Duration::from_secs(30);

/// Looks after it until its owner goes.
pub(super) fn watch(state: State) {
    let stand = move || (browser::day(browser::now()), state.conversations.muted(), alert::quiet_until().is_some());
    let known = StoredValue::new(stand());
    let look = move || {
        let now = stand();
        if known.try_get_value().is_some_and(|before| before != now) {
            known.set_value(now);
            browser::time_has_passed();
            state.conversations.recount();
        }
    };
    let ticking = set_interval_with_handle(look, EVERY).ok();
    let coming = ["focus", "visibilitychange"].map(|name| window_event_listener_untyped(name, move |_| look()));
    on_cleanup(move || {
        if let Some(ticking) = ticking {
            ticking.clear();
        }
        coming.into_iter().for_each(|listening| listening.remove());
    });
}
