//! First steps of somebody who has no conversation yet but the one of everybody. Shown where nothing is open, and below the
//! list where that is all there is room for.

use super::copying;
use crate::browser;
use crate::dynamic::text;
use crate::i18n::{Text, tr};
use crate::later::{self, later};
use crate::router::Address;
use crate::state::State;
use leptos::prelude::*;

later!(more, first_steps() => view! { <FirstSteps /> }.into_any());

pub(crate) fn show() -> AnyView {
    later::show(first_steps)
}

#[component]
fn FirstSteps() -> impl IntoView {
    let state = expect_context::<State>();
    let everyone = state.conversations.everyone();
    let address = browser::window().location().origin().unwrap_or_default();
    let is_copied = RwSignal::new(false);
    let copied = address.clone();
    let copy = move |_| {
        copying::copy(state, copied.clone());
        is_copied.set(true);
    };
    view! {
        <div class="shell__empty first-steps">
            <h2>{tr(Text::FirstSteps)}</h2>
            {everyone.map(|id| view! {
                <a href=Address::Conversation(id).path() class="button">{tr(Text::HelloEveryone)}</a>
            })}
            <a href="/new" class="button button--quiet">{tr(Text::NewMessage)}</a>
            <a href="/channels" class="button button--quiet">{tr(Text::FindChannels)}</a>
            <a href="/new-group" class="button button--quiet">{tr(Text::NewGroup)}</a>
            <p>{tr(Text::OthersJoinAt)}</p>
            <p class="first-steps__address" dir="ltr">{address}</p>
            <button type="button" class="button button--quiet button--small" on:click=copy>
                {text(move || tr(if is_copied.get() { Text::Copied } else { Text::CopyAddress }).to_owned())}
            </button>
        </div>
    }
}
