//! How the connection stands: nothing while all is well, otherwise what is wrong and what can be done.

use super::trouble::{Trouble, is_at_risk};
use crate::dynamic::{part_if, text};
use crate::i18n::{Text, tr};
use crate::later::{self, later};
use crate::state::State;
use client::connection::Status;
use leptos::prelude::*;
use std::time::Duration;

/// A connection that takes less than this to come is not mentioned.
const PATIENCE: Duration = Duration::from_millis(600);

later!(soon, trouble() => view! { <Trouble /> }.into_any());

#[component]
pub(crate) fn StatusBar() -> impl IntoView {
    let state = expect_context::<State>();
    let status = state.link.status;
    let is_patient = RwSignal::new(true);
    set_timeout(move || _ = is_patient.try_set(false), PATIENCE);
    let is_coming = move || status.get() == Status::Connecting && !is_patient.get();
    let is_in_trouble = move || {
        let is_told = match status.get() {
            Status::Open => state.link.held_back.get().is_some(),
            Status::Idle | Status::Connecting => false,
            Status::Waiting { .. } | Status::Offline | Status::Ended(_) => true,
        };
        is_told || state.is_renewed.get() || is_at_risk(state)
    };
    view! {
        <div role="status" data-status=text(move || name(&status.get()).to_owned())>
            {part_if(is_coming, || view! { <div class="status status--quiet">{tr(Text::Connecting)}</div> }.into_any())}
            {part_if(is_in_trouble, || later::show(trouble))}
        </div>
    }
}

/// The state's name, for style sheets and tests.
fn name(status: &Status) -> &'static str {
    match status {
        Status::Idle => "idle",
        Status::Connecting => "connecting",
        Status::Open => "open",
        Status::Waiting { .. } => "waiting",
        Status::Offline => "offline",
        Status::Ended(_) => "ended",
    }
}
