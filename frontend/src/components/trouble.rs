//! Trouble with the connection, and what can be done about it. The part is loaded later: nobody waits for it while all is
//! well.

use crate::browser;
use crate::dynamic::{part, part_if, text};
use crate::i18n::{Text, count, tr, with};
use crate::state::State;
use client::Millis;
use client::connection::{Connection, Ended, Status};
use leptos::prelude::*;
use std::time::Duration;

#[component]
pub(crate) fn Trouble() -> impl IntoView {
    let state = expect_context::<State>();
    let status = state.link.status;
    let now = RwSignal::new(browser::monotonic());
    let ticking = set_interval_with_handle(move || now.set(browser::monotonic()), Duration::from_secs(1)).ok();
    on_cleanup(move || {
        if let Some(ticking) = ticking {
            ticking.clear();
        }
    });

    let restart = move |_| state.link.drive(state, |machine: &mut Connection| machine.start(browser::monotonic()));
    let sign_in = move |_| state.session.leave(state);
    let reload = move |_| _ = browser::window().location().reload();
    let bar = move || {
        match status.get() {
        Status::Open if state.link.held_back.get().is_some() => {
            let until = state.link.held_back.get().unwrap_or_default();
            let seconds = move || until.saturating_sub(now.get().max(browser::monotonic())).div_ceil(1_000);
            view! {
                <div class="status status--quiet">
                    // Each second is seen; how long it takes is heard once.
                    <span class="visually-hidden">{count(Text::Patience, left(until).max(1), &[])}</span>
                    <span aria-hidden="true">{text(move || match seconds() {
                        0 => tr(Text::SendingNow).to_owned(),
                        seconds => count(Text::Patience, seconds, &[]),
                    })}</span>
                </div>
            }
            .into_any()
        }
        Status::Open | Status::Idle | Status::Connecting => ().into_any(),
        Status::Waiting { until } => {
            let seconds = move || until.saturating_sub(now.get().max(browser::monotonic())).div_ceil(1_000);
            view! {
                <div class="status">
                    <span class="visually-hidden">{tr(Text::Reconnecting)}</span>
                    <span aria-hidden="true">{text(move || match seconds() {
                        0 => tr(Text::Reconnecting).to_owned(),
                        seconds => count(Text::ConnectionLost, seconds, &[]),
                    })}</span>
                    <button type="button" class="status__button" on:click=restart>{tr(Text::ReconnectNow)}</button>
                </div>
            }
            .into_any()
        }
        Status::Offline => view! {
            <div class="status">{tr(Text::YouAreOffline)}</div>
        }
        .into_any(),
        Status::Ended(Ended::SignedOut) => view! {
            <div class="status status--bad">
                <span>{tr(Text::SignedOut)}</span>
                <button type="button" class="status__button" on:click=sign_in>{tr(Text::SignInAgain)}</button>
            </div>
        }
        .into_any(),
        Status::Ended(Ended::Refused(code)) => view! {
            <div class="status status--bad">
                <span>{ended(code)}</span>
                {match code {
                    shared::close::TOO_MANY_SOCKETS => {
                        view! { <button type="button" class="status__button" on:click=restart>{tr(Text::UseItHere)}</button> }.into_any()
                    }
                    _ => view! { <button type="button" class="status__button" on:click=reload>{tr(Text::Reload)}</button> }.into_any(),
                }}
            </div>
        }
        .into_any(),
    }
    };
    view! {
        {part(bar)}
        {part_if(move || state.is_renewed.get(), move || view! {
            <div class="status status--quiet" data-renewed="">
                <span>{tr(Text::NewVersion)}</span>
                <button type="button" class="status__button" on:click=move |_| browser::tell("confab-renew")>{tr(Text::Reload)}</button>
            </div>
        }.into_any())}
        {part_if(move || is_at_risk(state), || view! {
            <div class="status" data-kept="false">
                {tr(Text::NothingIsKept)}
            </div>
        }.into_any())}
    }
}

/// Whether unsent messages are lost with the page.
pub(crate) fn is_at_risk(state: State) -> bool {
    !state.link.outbox.is_kept.get() && state.link.unsent.get() > 0
}

/// Seconds until a moment.
fn left(until: Millis) -> u64 {
    until.saturating_sub(browser::monotonic()).div_ceil(1_000)
}

/// Why the server does not want this page back, in words.
fn ended(code: u16) -> String {
    match code {
        shared::close::TOO_MANY_SOCKETS => tr(Text::TooManyPlaces).into(),
        shared::close::BANNED => tr(Text::Banned).into(),
        code => with(Text::ConnectionEnded, &[("code", &code.to_string())]),
    }
}
