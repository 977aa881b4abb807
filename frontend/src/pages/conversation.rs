//! One conversation: who is in it, what was said, and where to write.

use crate::browser;
use crate::components::avatar::Avatar;
use crate::components::back::BackToList;
use crate::components::composer::Composer;
use crate::components::sidebar::{face, title};
use crate::components::timeline::TimelinePane;
use crate::components::typing::TypingLine;
use crate::dynamic::text;
use crate::state::State;
use leptos::prelude::*;
use shared::conversation::{ConversationKind, Summary};
use shared::ids::{ConversationId, UserId};
use shared::presence::PresenceState as There;

#[component]
pub(crate) fn ConversationPage(id: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let summary = state.conversations.get(id);
    let name = Signal::derive({
        let summary = summary.clone();
        move || summary.with(|summary| title(state, summary.as_ref()))
    });
    let face = Signal::derive({
        let summary = summary.clone();
        move || summary.with(|summary| face(state, id, summary.as_ref()))
    });
    let detail =
        move || summary.with(|summary| summary.as_ref().map(|summary| detail(state, summary)).unwrap_or_default());
    let label = Signal::derive(move || {
        let name = name.get();
        if name.is_empty() { "Write a message".to_owned() } else { format!("Message to {name}") }
    });
    let draft = state.timelines.draft(id);
    view! {
        <main class="pane">
            <header class="pane__head">
                <BackToList />
                <Avatar id=face name />
                <div class="pane__title">
                    <h2 class="pane__name"><bdi>{text(move || name.get())}</bdi></h2>
                    <p class="pane__detail">{text(detail)}</p>
                </div>
            </header>
            <TimelinePane conversation=id />
            <TypingLine conversation=id />
            <Composer label text=draft submit=move |content| state.send(id, content) on_input=move |()| state.typing(id) />
        </main>
    }
}

/// What kind of conversation it is, in words.
fn detail(state: State, summary: &Summary) -> String {
    let me = state.session.me();
    let other = summary.members.iter().flatten().find(|user| Some(user.id) != me);
    let members = summary.members.as_ref().map_or(0, Vec::len);
    match summary.kind {
        ConversationKind::Everyone => "Everybody on this server".into(),
        ConversationKind::Direct if members < 2 => "Only you see this".into(),
        ConversationKind::Direct => other.map(|other| presence(state, other.id)).unwrap_or_default(),
        ConversationKind::Group => format!("{members} people"),
        ConversationKind::Channel => "Channel".into(),
    }
}

/// How the other person is, in words.
fn presence(state: State, user: UserId) -> String {
    let Some(presence) = state.presence.of(user) else { return "Between the two of you".into() };
    match (presence.state, presence.last_seen_at) {
        (There::Online, _) => "Online".into(),
        (There::Away, _) => "Away".into(),
        (There::Offline, None) => "Offline".into(),
        (There::Offline, Some(at)) if browser::day(at) == browser::day(browser::now()) => {
            format!("Last here at {}", browser::time(at))
        }
        (There::Offline, Some(at)) => format!("Last here on {}", browser::short_day(at)),
    }
}
