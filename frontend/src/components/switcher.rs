//! Going somewhere by name: conversations and people, with a few keys.

use super::about::About;
use super::attachment::Lightbox;
use super::avatar::Avatar;
use super::copying::CopyDialog;
use super::date::DateDialog;
use super::dialog::Dialog;
use super::icon::{Icon, Picture};
use super::readers::Readers;
use super::sidebar::{face, title};
use crate::browser;
use crate::dynamic::{effect, memo, part, text};
use crate::i18n::{Text, tr, with};
use crate::keys;
use crate::later::{self, later};
use crate::router::{Address, Router};
use crate::state::conversation::others;
use crate::state::namesake::Tags;
use crate::state::person::find_later;
use crate::state::{Overlay, State};
use leptos::prelude::*;
use shared::account::User;
use shared::conversation::ConversationKind;
use shared::fold::{has_word, name_key};
use shared::ids::{ConversationId, Seq};
use wasm_bindgen::JsCast;

/// So many are shown.
const SHOWN_MAX: usize = 12;

/// Where one can go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Conversation(ConversationId, String),
    /// Somebody one has no conversation with.
    Person(User),
    /// Among messages, with this text.
    Messages(String),
}

#[component]
pub(crate) fn Switcher(close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let router = expect_context::<Router>();
    let search = RwSignal::new(String::new());
    let people = RwSignal::new(Vec::<User>::new());
    let at = RwSignal::new(0_usize);
    let mut look_later = find_later(search, people);
    let places = memo(move || {
        let wanted = search.with(|search| browser::lower(search.trim()));
        let named = |id: &ConversationId| {
            let summary = state.conversations.get(*id).get()?;
            let name = title(state, Some(&summary));
            fits(&name, &wanted).then_some(Place::Conversation(*id, name))
        };
        let mut places: Vec<_> = state
            .conversations
            .order
            .get()
            .iter()
            .chain(&state.conversations.archived.get())
            .filter_map(named)
            .take(SHOWN_MAX)
            .collect();
        let me = state.session.me();
        let is_known = |user: &User| state.conversations.direct(user.id, me).is_some();
        let others = people.get().into_iter().filter(|user| Some(user.id) != me && !is_known(user));
        places.extend(others.map(Place::Person));
        places.truncate(SHOWN_MAX);
        if !wanted.is_empty() {
            places.push(Place::Messages(search.get().trim().to_owned()));
        }
        places
    });
    let go = move |place: Place| {
        close.run(());
        match place {
            Place::Conversation(id, _) => router.go(Address::Conversation(id)),
            Place::Person(user) => {
                state.beginning.set(vec![user]);
                router.go(Address::New);
            }
            Place::Messages(text) => {
                state.searching.set((text, None));
                router.go(Address::Search);
            }
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if browser::is_composing(&event) {
            return;
        }
        let last = places.with_untracked(Vec::len).saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1).min(last)),
            "ArrowUp" => at.update(|at| *at = at.saturating_sub(1)),
            "Enter" => {
                if let Some(place) = places.with_untracked(|places| places.get(at.get_untracked()).cloned()) {
                    go(place);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    // Whom a place leads to, if that is one person.
    let leads_to = move |place: &Place| match place {
        Place::Conversation(id, _) => {
            let summary = state.conversations.get(*id).get_untracked()?;
            let is_direct = summary.kind == ConversationKind::Direct;
            is_direct.then(|| others(&summary, state.session.me()).next().cloned())?
        }
        Place::Person(user) => Some(user.clone()),
        Place::Messages(_) => None,
    };
    let line = move |(index, place): (usize, Place), tags: &Tags| {
        let detail = leads_to(&place).map(|user| tags.detail(state, user.id)).unwrap_or_default();
        let (picture, name) = match &place {
            Place::Conversation(id, name) => {
                let summary = state.conversations.get(*id).get_untracked();
                (face(state, *id, summary.as_ref()), name.clone())
            }
            Place::Person(user) => (*user.id.as_bytes(), user.display_name.clone()),
            Place::Messages(text) => ([0; 16], with(Text::SearchFor, &[("text", text)])),
        };
        let face = match place {
            Place::Messages(_) => {
                view! { <span class="switcher__icon"><Icon picture=Picture::Search /></span> }.into_any()
            }
            _ => view! { <Avatar id=picture name=name.clone() is_small=true /> }.into_any(),
        };
        let is_at = text(move || (at.get() == index).to_string());
        view! {
            <div
                class="switcher__place"
                role="option"
                id=format!("place-{index}")
                aria-selected=is_at
                on:click=move |_| go(place.clone())
                on:pointermove=move |_| at.set(index)
            >
                {face}
                <bdi class="switcher__name">{name}</bdi>
                {(!detail.is_empty()).then(|| view! { <bdi class="channel__detail">{detail}</bdi> }.into_any())}
            </div>
        }
        .into_any()
    };
    let list = move || {
        let places = places.get();
        if places.is_empty() {
            return view! { <p class="settings__note">{tr(Text::NothingFound)}</p> }.into_any();
        }
        let people: Vec<_> = places.iter().filter_map(leads_to).collect();
        let tags = Tags::of(people.iter());
        places.into_iter().enumerate().map(|place| line(place, &tags)).collect::<Vec<_>>().into_any()
    };
    view! {
        <Dialog title=tr(Text::GoTo) class="dialog" close>
            <input
                class="field__input"
                type="text"
                autofocus
                autocomplete="off"
                dir="auto"
                role="combobox"
                aria-expanded="true"
                aria-controls="places"
                aria-activedescendant=text(move || format!("place-{}", at.get()))
                aria-label=tr(Text::GoToHint)
                placeholder=tr(Text::GoToHint)
                prop:value=search
                on:input=move |event| {
                    search.set(event_target_value(&event));
                    at.set(0);
                    look_later(());
                }
                on:keydown=on_key
            />
            <div class="switcher__list" id="places" role="listbox" aria-label=tr(Text::GoTo)>{part(list)}</div>
        </Dialog>
    }
}

/// Whether each word that is wanted begins a word of the name.
fn fits(name: &str, wanted: &str) -> bool {
    let name = name_key(&browser::fold(name));
    wanted.split_whitespace().all(|word| has_word(&name, &name_key(&browser::fold(word))))
}

/// The overlays, and the keys that open them.
#[component]
pub(crate) fn Overlays() -> impl IntoView {
    let state = expect_context::<State>();
    let listening = window_event_listener(leptos::ev::keydown, move |event| {
        if !(event.ctrl_key() || event.meta_key()) || event.alt_key() {
            return;
        }
        let overlay = match keys::pressed(&event).as_str() {
            "k" if !event.shift_key() => Overlay::Switcher,
            // Many keyboards write it with Shift.
            "/" => Overlay::Shortcuts,
            _ => return,
        };
        event.prevent_default();
        // Over another dialog there is none.
        let is_free = document().query_selector("dialog[open]").is_ok_and(|open| open.is_none());
        if is_free {
            state.overlay.set(Some(overlay));
        }
    });
    on_cleanup(move || listening.remove());
    let close = Callback::new(move |()| state.overlay.set(None));
    let router = expect_context::<Router>();
    let end = Callback::new(move |()| {
        // Closed first, so that the focus goes back.
        if let Ok(Some(dialog)) = document().query_selector("dialog[open]") {
            dialog.unchecked_into::<web_sys::HtmlDialogElement>().close();
        }
        state.overlay.set(None);
        state.picking.set(None);
    });
    let is_covered = memo(move || state.overlay.with(Option::is_some) || state.picking.with(Option::is_some));
    effect(move || router.cover(is_covered.get().then_some(end)));
    on_cleanup(move || router.cover(None));
    part(move || match state.overlay.get() {
        None => ().into_any(),
        Some(Overlay::Switcher) => later::show(move || switcher(close)),
        Some(Overlay::About(id)) => later::show(move || about(id, close)),
        Some(Overlay::Date(id)) => later::show(move || date(id, close)),
        Some(Overlay::Picture) => later::show(move || lightbox(close)),
        Some(Overlay::Readers(conversation, seq)) => later::show(move || readers(conversation, seq, close)),
        Some(Overlay::Shortcuts) => later::show(move || shortcuts(close)),
        Some(Overlay::Copying) => later::show(move || copying(close)),
    })
}

later!(more, switcher(close: Callback<()>) => view! { <Switcher close /> }.into_any());
later!(files, lightbox(close: Callback<()>) => view! { <Lightbox close /> }.into_any());
later!(more, date(id: ConversationId, close: Callback<()>) => view! { <DateDialog id close /> }.into_any());
later!(more, readers(conversation: ConversationId, seq: Seq, close: Callback<()>) => view! { <Readers conversation seq close /> }.into_any());
later!(more, copying(close: Callback<()>) => view! { <CopyDialog close /> }.into_any());
later!(more, about(id: ConversationId, close: Callback<()>) => view! { <About id close /> }.into_any());
later!(more, shortcuts(close: Callback<()>) => view! { <Shortcuts close /> }.into_any());

/// Every key that does something.
#[component]
fn Shortcuts(close: Callback<()>) -> impl IntoView {
    let is_mac = browser::window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"));
    let [go, help] = if is_mac { ["⌘ K", "⌘ /"] } else { ["Ctrl K", "Ctrl /"] };
    let [send, new_line] = match browser::is_touched() {
        true => ["Ctrl Enter", "Enter"],
        false => ["Enter", "Shift Enter"],
    };
    let keys = [
        (go, Text::GoTo),
        (help, Text::Shortcuts),
        (send, Text::Send),
        (new_line, Text::NewLine),
        ("↑", Text::EditLast),
        ("Esc", Text::Cancel),
        ("↑ ↓", Text::MoveInMessages),
        ("End", Text::LatestMessages),
        ("+", Text::React),
        ("R", Text::Reply),
        ("E", Text::Edit),
        ("Delete", Text::Delete),
        ("C L", Text::CopyEither),
    ];
    let line = |(keys, what): (&'static str, Text)| {
        let keys: Vec<_> = keys.split(' ').map(|key| view! { <kbd>{key}</kbd> }.into_any()).collect();
        view! { <div class="shortcut"><dt>{keys}</dt><dd>{tr(what)}</dd></div> }.into_any()
    };
    view! {
        <Dialog title=tr(Text::Shortcuts) class="dialog" close>
            <dl class="shortcuts">{keys.into_iter().map(line).collect::<Vec<_>>()}</dl>
        </Dialog>
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn words_are_found_where_words_begin() {
        let table = [
            ("Ada Lovelace", "lov", true),
            ("Ada Lovelace", "lov a", true),
            ("Ada Lovelace", "ove", false),
            ("Ada Lovelace", "", true),
            ("team/design-review", "rev", true),
            ("Ada, Ben Okafor", "ben oka", true),
            ("李雷和韩梅梅", "韩", true),
            ("Zoë", "zoë", true),
            ("Zoë", "zoe", true),
            ("Zoe", "zoë", true),
            ("Zoë", "ë", false),
            ("Jean-Luc", "luc", true),
            ("O'Brien", "o’brien", true),
            ("Max (Ops)", "ops max", true),
            ("İpek", "ipek", true),
            ("", "a", false),
        ];
        for (name, wanted, expected) in table {
            assert_eq!(fits(name, wanted), expected, "{wanted} in {name}");
        }
    }
}
