//! Settings: how one is told of messages here.

use super::alerts::is_wanted_here;
use crate::browser;
use crate::connection::push;
use crate::dynamic::part;
use crate::i18n::{Text, tr, with};
use crate::state::State;
use crate::state::alert;
use leptos::prelude::*;
use shared::ids::Timestamp;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationPermission};

/// Whether notifications are shown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    On,
    Off,
    /// The browser says no; only there that can be changed.
    Denied,
    /// The browser has none.
    None,
    /// Browsers have them for addresses with https alone, and then say no whatever the person wants.
    Insecure,
}

impl Standing {
    fn now() -> Self {
        if !browser::window().is_secure_context() {
            return Self::Insecure;
        }
        if !js_sys::Reflect::has(&browser::window(), &"Notification".into()).unwrap_or(false) {
            return Self::None;
        }
        match Notification::permission() {
            NotificationPermission::Denied => Self::Denied,
            _ if is_wanted_here() => Self::On,
            _ => Self::Off,
        }
    }
}

#[component]
pub(crate) fn Notifying() -> impl IntoView {
    let state = expect_context::<State>();
    let standing = RwSignal::new(Standing::now());
    // Whether the server tells this browser while the page is closed.
    let is_told_closed = RwSignal::new(None);
    let subscribe = move || async move {
        if let Some(me) = state.session.me().filter(|_| Standing::now() == Standing::On) {
            is_told_closed.try_set(Some(push::subscribe(me).await));
        }
    };
    leptos::task::spawn_local(subscribe());
    // The browser asks the person; it may only do so after a click.
    let turn_on = move |_| {
        leptos::task::spawn_local(async move {
            if let Ok(asked) = Notification::request_permission() {
                // Whatever was answered, the permission says it.
                let _ = JsFuture::from(asked).await;
            }
            alert::set_shown(Notification::permission() == NotificationPermission::Granted);
            standing.try_set(Standing::now());
            subscribe().await;
        });
    };
    let turn_off = move |_| {
        alert::set_shown(false);
        is_told_closed.set(None);
        standing.set(Standing::now());
        leptos::task::spawn_local(push::unsubscribe());
    };
    let says = move || {
        match standing.get() {
        Standing::On => view! {
            <p>{tr(Text::NotificationsOn)}</p>
            {part(move || match is_told_closed.get() {
                None => ().into_any(),
                Some(is_told) => {
                    let says = if is_told { Text::ToldWhenClosed } else { Text::NotToldWhenClosed };
                    view! { <p data-told-closed=is_told.to_string()>{tr(says)}</p> }.into_any()
                }
            })}
            <button type="button" class="button button--quiet button--small" on:click=turn_off>{tr(Text::TurnOff)}</button>
        }
        .into_any(),
        Standing::Off => view! {
            <p>{tr(Text::NotificationsOff)}</p>
            <button type="button" class="button button--small" on:click=turn_on>{tr(Text::TurnOn)}</button>
        }
        .into_any(),
        Standing::Denied => view! { <p>{tr(Text::NotificationsDenied)}</p> }.into_any(),
        Standing::None => view! { <p>{tr(Text::NotificationsNone)}</p> }.into_any(),
        Standing::Insecure => view! { <p>{tr(Text::NotificationsInsecure)}</p> }.into_any(),
    }
    };
    let quiet = RwSignal::new(alert::quiet_until());
    let choose_quiet = move |event: leptos::ev::Event| {
        match event_target_value(&event).as_str() {
            "hour" => alert::set_quiet(Some(browser::in_an_hour())),
            "morning" => alert::set_quiet(Some(browser::tomorrow_morning())),
            "always" => alert::set_quiet(Some(ALWAYS)),
            "until" => {}
            _ => alert::set_quiet(None),
        }
        quiet.set(alert::quiet_until());
    };
    let choices = move || {
        browser::follow_time();
        let chosen = quiet.get().filter(|until| *until > browser::now());
        let option = |value: &'static str, text: String, is_chosen: bool| {
            view! { <option value=value selected=is_chosen>{text}</option> }.into_any()
        };
        let mut options = vec![option("off", tr(Text::QuietOff).into(), chosen.is_none())];
        if let Some(until) = chosen.filter(|until| *until != ALWAYS) {
            options.push(option("until", with(Text::QuietUntil, &[("time", &browser::when(until))]), true));
        }
        options.extend([
            option("hour", tr(Text::ForAnHour).into(), false),
            option("morning", tr(Text::UntilTomorrow).into(), false),
            option("always", tr(Text::QuietAlways).into(), chosen == Some(ALWAYS)),
        ]);
        options.into_any()
    };
    view! {
        <div class="settings__told" role="status">{part(says)}</div>
        <label class="settings__check">
            <input
                type="checkbox"
                checked=!alert::is_silent()
                on:change=move |event| alert::set_silent(!event_target_checked(&event))
            />
            {tr(Text::PlaySound)}
        </label>
        <div class="field">
            <label class="field__label" for="quiet">{tr(Text::DoNotDisturb)}</label>
            <select id="quiet" class="field__input" on:change=choose_quiet>{part(choices)}</select>
        </div>
    }
}

/// Later than anybody will look: the last moment dates have (ECMA-262 section 21.4.1.1).
const ALWAYS: Timestamp = Timestamp::from_millis(8_640_000_000_000_000);
