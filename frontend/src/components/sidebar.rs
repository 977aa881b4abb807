//! The list of conversations, and who one is.

use super::avatar::Avatar;
use super::first_steps;
use super::form::problem_line;
use super::group_request::GroupRequests;
use super::icon::{Icon, Picture};
use super::rows::rows;
use crate::browser;
use crate::dynamic::{part, part_if, text};
use crate::i18n::{Text, count, tr, with};
use crate::later::{self, later};
use crate::router::{Address, Router};
use crate::state::conversation::{ConversationState, member_count, others};
use crate::state::quote::said;
use crate::state::{Overlay, State};
use client::connection::Status;
use client::conversations::waiting;
use leptos::prelude::*;
use shared::conversation::{ConversationKind, Summary};
use shared::event::EventKind;
use shared::ids::ConversationId;

later!(more, group_requests() => view! { <GroupRequests /> }.into_any());
later!(soon, older(conversations: ConversationState, is_loading: RwSignal<bool>) => {
    leptos::task::spawn_local(async move {
        conversations.load_more().await;
        is_loading.try_set(false);
    });
    ().into_any()
});

#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let state = expect_context::<State>();
    let conversations = state.conversations;
    let is_loading = RwSignal::new(false);
    let load_more = move |_| {
        is_loading.set(true);
        leptos::task::spawn_local(async move {
            if older(conversations, is_loading).await.is_err() {
                is_loading.try_set(false);
            }
        });
    };
    view! {
        <nav class="sidebar" aria-label=tr(Text::Conversations)>
            <div class="sidebar__head">
                <h1 class="sidebar__title">"Confab"</h1>
                <button
                    type="button"
                    class="icon-button"
                    aria-label=tr(Text::GoTo)
                    title=tr(Text::GoTo)
                    on:click=move |_| state.overlay.set(Some(Overlay::Switcher))
                >
                    <Icon picture=Picture::Search />
                </button>
                <a href="/new-group" class="icon-button" aria-label=tr(Text::NewGroup) title=tr(Text::NewGroup)>
                    <Icon picture=Picture::NewGroup />
                </a>
                <a href="/new" class="icon-button" aria-label=tr(Text::NewMessage) title=tr(Text::NewMessage)>
                    <Icon picture=Picture::Write />
                </a>
            </div>
            <div class="sidebar__list">
                {part_if(move || state.group_requests.get() > 0, || later::show(group_requests))}
                {lines(conversations.order)}
                {part_if(move || conversations.is_nothing_begun(), first_steps::show)}
                {part_if(move || conversations.archived.with(|all| !all.is_empty()), move || view! {
                    <details class="sidebar__archive">
                        <summary>{tr(Text::Archived)}</summary>
                        {lines(conversations.archived)}
                    </details>
                }.into_any())}
                {part_if(move || conversations.has_more.get(), move || view! {
                    <button type="button" class="button button--quiet button--small" disabled=is_loading on:click=load_more>
                        {tr(Text::ShowMore)}
                    </button>
                }.into_any())}
            </div>
            <Me />
        </nav>
    }
}

fn lines(ids: RwSignal<Vec<ConversationId>>) -> AnyView {
    let each = move || ids.with(|ids| ids.iter().map(|id| *id.as_bytes()).collect());
    let show = |key| match ConversationId::from_bytes(key) {
        Some(id) => view! { <li><Line id /></li> }.into_any(),
        None => ().into_any(),
    };
    view! { <ul>{rows(each, show)}</ul> }.into_any()
}

#[component]
fn Line(id: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let summary = state.conversations.get(id);
    let address = Address::Conversation(id);
    let router = expect_context::<Router>();
    let is_current = move || (router.address().conversation() == Some(id)).then_some("page");
    let title = Signal::derive({
        let summary = summary.clone();
        move || summary.with(|summary| title(state, summary.as_ref()))
    });
    let unread = Signal::derive({
        let summary = summary.clone();
        move || summary.with(|summary| summary.as_ref().map_or(0, waiting))
    });
    let wants = Memo::new({
        let summary = summary.clone();
        move |_| summary.with(|summary| summary.as_ref().map(|summary| summary.preferences).unwrap_or_default())
    });
    let signs = move || {
        let wants = wants.get();
        let pinned = wants.pinned.then_some((Picture::Pin, Text::Pinned));
        browser::follow_time();
        let muted = wants.is_muted(browser::now()).then_some((Picture::Muted, Text::Muted));
        let sign = |(picture, text)| {
            view! { <span class="conversation__sign" title=tr(text)><Icon picture /><span class="visually-hidden">{tr(text)}</span></span> }
        };
        pinned.into_iter().chain(muted).map(sign).collect::<Vec<_>>().into_any()
    };
    let last = {
        let summary = summary.clone();
        text(move || summary.with(|summary| last_line(state, summary.as_ref())))
    };
    let face = {
        let summary = summary.clone();
        Signal::derive(move || summary.with(|summary| face(state, id, summary.as_ref())))
    };
    let is_online = {
        let summary = summary.clone();
        text(move || {
            summary.with(|summary| summary.as_ref().is_some_and(|summary| is_online(state, summary))).to_string()
        })
    };
    let time = text(move || summary.with(|summary| last_time(summary.as_ref())));
    view! {
        <a class="conversation" href=address.path() aria-current=is_current data-unread=text(move || (unread.get() > 0).to_string())>
            <span class="conversation__face" data-online=is_online>
                <Avatar id=face name=title />
            </span>
            <span class="conversation__body">
                <span class="conversation__top">
                    <bdi class="conversation__name">{text(move || title.get())}</bdi>
                    <span class="conversation__time">{time}</span>
                </span>
                <span class="conversation__bottom">
                    <span class="conversation__line" dir="auto">{last}</span>
                    {part(signs)}
                    {part_if(move || unread.get() > 0, move || view! {
                        <span class="badge">
                            <span aria-hidden="true">
                                {text(move || match unread.get() { count @ 0..=99 => count.to_string(), _ => "99+".into() })}
                            </span>
                            <span class="visually-hidden">{text(move || count(Text::Unread, unread.get(), &[]))}</span>
                        </span>
                    }.into_any())}
                </span>
            </span>
        </a>
    }
}

/// What a conversation is called: its name, or the people in it.
pub(crate) fn title(state: State, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return String::new() };
    if let Some(name) = &summary.name {
        return name.clone();
    }
    let others: Vec<_> = others(summary, state.session.me()).collect();
    match (summary.kind, &others[..]) {
        (ConversationKind::Everyone, _) => tr(Text::Everyone).into(),
        (ConversationKind::Direct, []) => tr(Text::Notes).into(),
        (_, []) if member_count(summary) < 2 => tr(Text::JustYou).into(),
        (_, []) => count(Text::People, member_count(summary), &[]),
        (_, others) => {
            let names: Vec<_> = others.iter().take(4).map(|user| user.display_name.as_str()).collect();
            let rest = member_count(summary).saturating_sub(names.len() as u64 + 1);
            let names = names.join(", ");
            if rest == 0 { names } else { count(Text::AndMore, rest, &[("names", &names)]) }
        }
    }
}

/// Whose colour a conversation has: the other person's if there is one, else its own.
pub(crate) fn face(state: State, id: ConversationId, summary: Option<&Summary>) -> [u8; 16] {
    let direct = summary.filter(|summary| summary.kind == ConversationKind::Direct);
    let other = direct.and_then(|summary| others(summary, state.session.me()).next());
    other.map_or(*id.as_bytes(), |user| *user.id.as_bytes())
}

/// Whether the other person of a direct conversation is there.
fn is_online(state: State, summary: &Summary) -> bool {
    summary.kind == ConversationKind::Direct
        && others(summary, state.session.me()).any(|user| state.presence.is_online(user.id))
}

/// The newest message in one line, with who wrote it where that is not plain.
fn last_line(state: State, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return String::new() };
    let Some(event) = &summary.last_event else { return tr(Text::NoMessages).into() };
    let is_own = Some(event.sender) == state.session.me();
    let name = || {
        if is_own {
            return tr(Text::You).to_owned();
        }
        state.people.want(event.sender, state);
        state.people.name(event.sender).get()
    };
    let message = match &event.kind {
        EventKind::Message(message) => message,
        other => return happened(&name(), other),
    };
    if message.deleted_at.is_some() {
        return tr(Text::Deleted).into();
    }
    let text = said(&message.content, &message.attachments);
    if summary.kind == ConversationKind::Direct && !is_own {
        return text;
    }
    let name = name();
    if name.is_empty() { text } else { format!("{name}: {text}") }
}

/// What happened, in words, where it is no message.
fn happened(name: &str, kind: &EventKind) -> String {
    match kind {
        EventKind::Edited(_) => with(Text::ChangedMessage, &[("name", name)]),
        EventKind::Deleted(_) => with(Text::DeletedMessage, &[("name", name)]),
        EventKind::Reacted(reacted) if reacted.on => with(Text::Reacted, &[("name", name), ("emoji", &reacted.emoji)]),
        EventKind::Reacted(_) => with(Text::TookReactionBack, &[("name", name)]),
        EventKind::Created(_) => with(Text::MadeConversation, &[("name", name)]),
        EventKind::Renamed(renamed) => with(Text::NamedIt, &[("name", name), ("title", &renamed.name)]),
        EventKind::Described(_) => with(Text::DescribedIt, &[("name", name)]),
        EventKind::Joined(_) => tr(Text::SomebodyJoined).into(),
        EventKind::Left(_) => tr(Text::SomebodyLeft).into(),
        EventKind::Message(_) | EventKind::Unknown => String::new(),
    }
}

/// When the newest message came: the time today, the day before.
fn last_time(summary: Option<&Summary>) -> String {
    let Some(at) = summary.and_then(|summary| summary.last_event.as_ref()).map(|event| event.at) else {
        return String::new();
    };
    if browser::is_today(at) { browser::time(at) } else { browser::short_day(at) }
}

#[component]
fn Me() -> impl IntoView {
    let state = expect_context::<State>();
    let user = move || state.session.session.with(|session| session.account().cloned());
    let status = state.link.status;
    let words = move || {
        let words = match status.get() {
            Status::Open => Text::Connected,
            Status::Connecting => Text::Connecting,
            Status::Waiting { .. } => Text::Reconnecting,
            Status::Offline => Text::Offline,
            Status::Idle | Status::Ended(_) => Text::NotConnected,
        };
        tr(words).to_owned()
    };
    view! {
        {problem_line(state.session.problem)}
        <div class="sidebar__foot">
            {part(move || user().map(|user| view! {
                <Avatar id=*user.id.as_bytes() name=user.display_name.clone() is_small=true />
                <div class="sidebar__me">
                    <p class="sidebar__name"><bdi>{user.display_name}</bdi></p>
                    <p class="sidebar__state">
                        <span class="sidebar__dot" data-open=text(move || (status.get() == Status::Open).to_string()) aria-hidden="true"></span>
                        {text(words)}
                    </p>
                </div>
            }).into_any())}
            <a href="/settings" class="icon-button" aria-label=tr(Text::Settings) title=tr(Text::Settings)>
                <Icon picture=Picture::Settings />
            </a>
            <button type="button" class="icon-button" aria-label=tr(Text::SignOut) title=tr(Text::SignOut) on:click=move |_| state.session.sign_out(state)>
                <Icon picture=Picture::Leave />
            </button>
        </div>
    }
}
