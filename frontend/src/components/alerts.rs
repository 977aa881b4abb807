//! Tells of messages outside the page: by a notification, a sound, and a number in the tab's picture. Of several tabs
//! one tells; of what somebody sees none does. What was told is taken back when it is read or deleted, and changes with its
//! message. With it comes what else nobody waits for: reading messages out, showing times anew, writing down how everything
//! stands, and following the builds of the page.

use super::news::News;
use super::passing;
use crate::connection::{last, push, tabs};
use crate::dynamic::effect;
use crate::i18n::{Text, tr};
use crate::router::{Address, Router};
use crate::state::State;
use crate::state::alert::{self, TOLD};
use crate::state::quote::said;
use crate::{api, browser};
use client::Millis;
use client::connection::Status;
use client::timeline::Load;
use leptos::prelude::*;
use shared::code::Code;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, Seq, UserId};
use std::cell::Cell;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AudioContext, Notification, NotificationOptions, NotificationPermission};

/// A tab nobody looks at waits so long for one that somebody does look at.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(250);
/// What is older than this when it comes was missed; the list shows it.
const FRESH_MS: u64 = 10 * 60 * 1_000;
/// For so many conversations it is kept how far they were told of.
const TOLD_MAX: usize = 200;
/// There is one sound in this time, in milliseconds.
const SOUND_EVERY: Millis = 2_000;
/// So many notifications are looked after; an older one stays until the browser takes it away.
const KEPT_MAX: usize = 20;

/// Messages that wait to be told at most, for about [`PATIENCE`]; of further ones the list tells alone.
const WAITING_MAX: usize = 100;

/// A notification, and what happens when it is clicked.
struct Shown {
    conversation: ConversationId,
    seq: Seq,
    sender: UserId,
    notification: Notification,
    _click: Closure<dyn FnMut()>,
}

/// Messages about to be told, as they are by now, and messages that were told.
#[derive(Default)]
struct Told {
    waiting: Vec<Event>,
    shown: Vec<Shown>,
}

type Kept = StoredValue<Told, LocalStorage>;

#[component]
pub(crate) fn Alerts() -> impl IntoView {
    let state = expect_context::<State>();
    let router = expect_context::<Router>();
    let kept: Kept = StoredValue::new_local(Told::default());
    let news = News::new(state);
    let hear = move |event: Event| match &event.kind {
        EventKind::Deleted(deleted) => {
            news.forget(event.conversation, deleted.target);
            take_back(kept, event.conversation, deleted.target);
        }
        EventKind::Edited(edited) => {
            news.forget(event.conversation, edited.target);
            renew(state, router, kept, event.conversation, edited.target, &edited.content);
        }
        EventKind::Message(message) => {
            if Some(event.sender) != state.session.me() && state.is_on_screen(event.conversation) {
                news.hear(&event, message);
            }
            tell(state, router, kept, event);
        }
        _ => {}
    };
    state.alerts.teller.set_value(Some(Callback::new(hear)));
    on_cleanup(move || state.alerts.teller.set_value(None));
    last::watch(state);
    passing::watch(state);
    follow_builds(state);
    follow_drafts(state);
    effect(move || {
        if state.link.status.get() == Status::Open {
            leptos::task::spawn_local(look_again(kept));
        }
    });
    effect(move || {
        let unread = state.conversations.unread.get();
        mark_icon(unread);
        // What was read, here or elsewhere, needs no notification any more.
        let is_read = move |id| state.conversations.standing(id).map(|now| now.unread == 0);
        close_if(kept, |one| is_read(one.conversation).unwrap_or(true));
        if is_wanted_here() {
            leptos::task::spawn_local(push::close(move |id, _| is_read(id).unwrap_or(false)));
        }
    });
}

/// Follows drafts in other tabs.
fn follow_drafts(state: State) {
    let listening = window_event_listener(leptos::ev::storage, move |event| {
        if let (Some(me), Some(name)) = (state.session.me(), event.key()) {
            state.drafts.changed_elsewhere(me, &name, event.old_value().as_deref());
        }
    });
    on_cleanup(move || listening.remove());
}

/// Whether another build of the page is ready; after each connection it is looked whether there is one.
fn follow_builds(state: State) {
    let look = move || {
        let root = browser::window().document().and_then(|document| document.document_element());
        let is_renewed = root.is_some_and(|root| root.has_attribute("data-renewed"));
        if is_renewed && state.is_renewed.try_get_untracked() == Some(false) {
            state.is_renewed.set(true);
        }
    };
    look();
    let listening = window_event_listener_untyped("confab-renewed", move |_| look());
    on_cleanup(move || listening.remove());
    effect(move || {
        if state.link.status.get() == Status::Open {
            browser::tell("confab-connected");
            // Whoever signs in again is told again.
            if let Some(me) = state.session.me().filter(|_| is_wanted_here()) {
                leptos::task::spawn_local(async move { _ = push::subscribe(me).await });
            }
        }
    });
}

/// Closes the notifications of which this holds.
fn close_if(kept: Kept, is_over: impl Fn(&Shown) -> bool) {
    let _ = kept.try_update_value(|told| {
        told.shown.iter().filter(|one| is_over(one)).for_each(|one| one.notification.close());
        told.shown.retain(|one| !is_over(one));
    });
}

/// A message is deleted: nothing that tells of it stays, nor comes.
fn take_back(kept: Kept, id: ConversationId, seq: Seq) {
    drop(take_waiting(kept, id, seq));
    close_if(kept, |one| (one.conversation, one.seq) == (id, seq));
    close_pushed(id, seq);
}

/// A message says something else now, and so does what tells of it. What was told while the page was closed goes.
fn renew(state: State, router: Router, kept: Kept, id: ConversationId, seq: Seq, content: &str) {
    let sender = kept.try_update_value(|told| {
        let waiting = told.waiting.iter_mut().find(|event| (event.conversation, event.seq) == (id, seq));
        if let Some(EventKind::Message(message)) = waiting.map(|event| &mut event.kind) {
            content.clone_into(&mut message.content);
        }
        told.shown.iter().find(|one| (one.conversation, one.seq) == (id, seq)).map(|one| one.sender)
    });
    if let Some(sender) = sender.flatten() {
        let _ = show(state, router, kept, (id, seq), sender, &said(content, &[]));
    }
    close_pushed(id, seq);
}

fn close_pushed(id: ConversationId, seq: Seq) {
    if is_wanted_here() {
        leptos::task::spawn_local(push::close(move |conversation, told| (conversation, told) == (id, seq)));
    }
}

/// A message that waits to be told, as it is by now; `None` if it was deleted meanwhile.
fn take_waiting(kept: Kept, id: ConversationId, seq: Seq) -> Option<Event> {
    let taken = kept.try_update_value(|told| {
        let at = told.waiting.iter().position(|event| (event.conversation, event.seq) == (id, seq))?;
        Some(told.waiting.remove(at))
    });
    taken.flatten()
}

/// Looks up messages that were told: they may have been deleted while there was no connection.
async fn look_again(kept: Kept) {
    let places =
        kept.try_with_value(|told| told.shown.iter().map(|one| (one.conversation, one.seq)).collect::<Vec<_>>());
    for (id, seq) in places.unwrap_or_default() {
        if is_gone(id, seq).await {
            close_if(kept, |one| (one.conversation, one.seq) == (id, seq));
        }
    }
    if is_wanted_here() {
        for (id, seq, notification) in push::shown().await.into_iter().take(KEPT_MAX) {
            if is_gone(id, seq).await {
                notification.close();
            }
        }
    }
}

/// Whether a message is deleted, or not one's own to see any more.
async fn is_gone(id: ConversationId, seq: Seq) -> bool {
    match api::events(id, Load::Around(seq), 1).await {
        Ok(page) => {
            let event = page.events.iter().find(|event| event.seq == seq);
            event.and_then(|event| event.kind.as_message()).is_some_and(|message| message.deleted_at.is_some())
        }
        Err(error) => error.is(Code::NotFound),
    }
}

fn tell(state: State, router: Router, kept: Kept, event: Event) {
    let Some(me) = state.session.me() else { return };
    let (id, seq) = (event.conversation, event.seq);
    let now = browser::now();
    let is_fresh = event.at.as_millis() + FRESH_MS > browser::awake().as_millis();
    let is_read = state.conversations.standing(id).is_some_and(|now| now.read_seq >= event.seq.into());
    let preferences = state.conversations.preferences(id);
    if !is_fresh
        || is_read
        || alert::quiet_until().is_some()
        || !shared::alert::is_wanted(&event, me, &preferences, now)
    {
        return;
    }
    let has_room = kept.try_update_value(|told| {
        let has_room = told.waiting.len() < WAITING_MAX;
        if has_room {
            told.waiting.push(event);
        }
        has_room
    });
    if has_room != Some(true) {
        return;
    }
    leptos::task::spawn_local(async move {
        if !browser::is_looked_at() {
            browser::sleep(PATIENCE).await;
        }
        if !tabs::first(&format!("confab-told-{id}-{seq}")).await || was_told(id, seq) || state.is_on_screen(id) {
            return drop(take_waiting(kept, id, seq));
        }
        let Some(event) = take_waiting(kept, id, seq) else { return };
        if is_wanted_here()
            && let Some(message) = event.kind.as_message()
        {
            let text = said(&message.content, &message.attachments);
            // Where it cannot be shown like this (on telephones), the list shows it all the same.
            let _ = show(state, router, kept, (id, seq), event.sender, &text);
        }
        if !alert::is_silent() {
            // Before the person has done anything on the page, a browser plays nothing.
            let _ = sound();
        }
    });
}

/// Whether the person wants notifications in this browser, and the browser lets them have some.
pub(crate) fn is_wanted_here() -> bool {
    alert::is_shown() && Notification::permission() == NotificationPermission::Granted
}

/// Whether a tab has told of this already, perhaps long ago: another one may come back later and get what it missed. From
/// now on it has been.
fn was_told(id: ConversationId, seq: Seq) -> bool {
    let key = format!("{TOLD}{id}");
    let last = browser::recall(&key).and_then(|seq| seq.parse::<u64>().ok());
    if last.is_some_and(|last| last >= seq.get()) {
        return true;
    }
    if last.is_none() && browser::kept(TOLD).len() >= TOLD_MAX {
        alert::forget_told();
    }
    browser::remember(&key, &seq.to_string());
    false
}

fn show(
    state: State,
    router: Router,
    kept: Kept,
    (id, seq): (ConversationId, Seq),
    sender: UserId,
    text: &str,
) -> Result<(), JsValue> {
    let name = state.people.name(sender).get_untracked();
    let place = state
        .conversations
        .get(id)
        .with_untracked(|summary| crate::components::sidebar::title(state, summary.as_ref()));
    let title = match () {
        () if name.is_empty() => tr(Text::NewMessage).to_owned(),
        () if place.is_empty() || place == name => name,
        () => format!("{name} · {place}"),
    };
    let options = NotificationOptions::new();
    options.set_body(text);
    options.set_icon("/icon.svg");
    // The next one of the conversation takes its place.
    options.set_tag(&id.to_string());
    let notification = Notification::new_with_options(&title, &options)?;
    let click = click(router, notification.clone(), id, seq);
    notification.set_onclick(Some(click.as_ref().unchecked_ref()));
    let _ = kept.try_update_value(|Told { shown, .. }| {
        shown.retain(|one| one.conversation != id);
        if shown.len() >= KEPT_MAX {
            shown.remove(0);
        }
        shown.push(Shown { conversation: id, seq, sender, notification, _click: click });
    });
    Ok(())
}

fn click(router: Router, notification: Notification, id: ConversationId, seq: Seq) -> Closure<dyn FnMut()> {
    Closure::new(move || {
        let _ = browser::window().focus();
        notification.close();
        router.go(Address::Message(id, seq));
    })
}

/// A short soft tone.
fn sound() -> Result<(), JsValue> {
    thread_local! {
        static AUDIO: std::cell::RefCell<Option<AudioContext>> = const { std::cell::RefCell::new(None) };
        static LAST: Cell<Option<Millis>> = const { Cell::new(None) };
    }
    let now = browser::monotonic();
    if LAST.get().is_some_and(|last| now < last + SOUND_EVERY) {
        return Ok(());
    }
    LAST.set(Some(now));
    AUDIO.with_borrow_mut(|audio| {
        let audio = match audio {
            Some(audio) => audio,
            none => none.insert(AudioContext::new()?),
        };
        let (tone, volume, start) = (audio.create_oscillator()?, audio.create_gain()?, audio.current_time());
        tone.frequency().set_value_at_time(660.0, start)?;
        tone.frequency().set_value_at_time(880.0, start + 0.09)?;
        volume.gain().set_value_at_time(0.07, start)?;
        volume.gain().exponential_ramp_to_value_at_time(0.000_1, start + 0.35)?;
        tone.connect_with_audio_node(&volume)?.connect_with_audio_node(&audio.destination())?;
        tone.start()?;
        tone.stop_with_when(start + 0.4)
    })
}

/// The tab's picture with the number of unread messages.
fn mark_icon(unread: u64) {
    let Some(Ok(Some(link))) = browser::window().document().map(|document| document.query_selector("link[rel='icon']"))
    else {
        return;
    };
    let href = match unread {
        0 => "/icon.svg".to_owned(),
        unread => {
            let number = if unread > 99 { "99+".to_owned() } else { unread.to_string() };
            let size = if number.len() > 2 { 26 } else { 36 };
            let svg = format!(
                "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><rect width='64' height='64' rx='18' fill='#4f46e5'/>\
                 <circle cx='32' cy='32' r='28' fill='#d92d20'/><text x='32' y='33' font-family='sans-serif' font-weight='700' \
                 font-size='{size}' fill='#fff' text-anchor='middle' dominant-baseline='central'>{number}</text></svg>"
            );
            format!("data:image/svg+xml,{}", String::from(js_sys::encode_uri_component(&svg)))
        }
    };
    // Reading fails for names of no account.
    let _ = link.set_attribute("href", &href);
}
