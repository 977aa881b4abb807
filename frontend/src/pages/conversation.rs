//! One conversation: who is in it, what was said, and where to write.

use crate::browser;
use crate::browser::files_in;
use crate::components::avatar::Avatar;
use crate::components::back::BackToList;
use crate::components::composer::Composer;
use crate::components::icon::{Icon, Picture};
use crate::components::purpose::PurposeLine;
use crate::components::sidebar::{face, title};
use crate::components::timeline::TimelinePane;
use crate::components::typing::TypingLine;
use crate::dynamic::{effect, part_if, text};
use crate::i18n::{Text, count, tr, with};
use crate::router::{Address, Router};
use crate::state::conversation::{member_count, others};
use crate::state::draft::Purpose;
use crate::state::session::Session;
use crate::state::{Overlay, State};
use leptos::prelude::*;
use shared::conversation::{ConversationKind, Summary};
use shared::ids::{ConversationId, UserId};
use shared::presence::PresenceState as There;
use wasm_bindgen::JsCast;

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
        if name.is_empty() { tr(Text::WriteMessage).to_owned() } else { with(Text::MessageTo, &[("name", &name)]) }
    });
    let draft = state.drafts.get(id, state.session.me());
    let me = state.session.session;
    effect(move || state.drafts.keep(id, me.with(Session::user)));
    // With nothing written, the way up leads to what was written last.
    let on_up = move |()| {
        let last = state.session.me().and_then(|me| state.timelines.last_of(id, me));
        if let Some((seq, row)) = last.and_then(|row| Some((row.seq()?, row)))
            && !state.changes.has(id, seq)
        {
            draft.edit(seq, row.content);
        }
    };
    let on_escape = move |()| draft.cancel();
    let submit = move |content| {
        let is_taken = state.submit(id, content);
        if is_taken {
            draft.done();
        }
        is_taken
    };
    let is_over = RwSignal::new(false);
    let router = expect_context::<Router>();
    let search_here = move |_| {
        state.searching.set((String::new(), Some(id)));
        router.go(Address::Search);
    };
    let purpose = Signal::derive(move || draft.purpose.get());
    view! {
        <main
            class="pane"
            on:dragover=move |event| {
                if has_files(&event) {
                    event.prevent_default();
                    is_over.set(true);
                }
            }
            on:dragleave=move |event| {
                // Into what is inside it one goes by leaving it, too.
                if event.related_target().is_none_or(|to| !is_inside(&event, &to)) {
                    is_over.set(false);
                }
            }
            on:drop=move |event| {
                is_over.set(false);
                if has_files(&event) {
                    event.prevent_default();
                    if draft.purpose.with_untracked(|purpose| matches!(purpose, Purpose::Edit(_))) {
                        // An edit changes the text alone.
                        return;
                    }
                    let (dropped, has_folder) = event.data_transfer().as_ref().map(files_in).unwrap_or_default();
                    draft.files.add(dropped, state.files_max());
                    draft.files.has_folder.set(has_folder);
                }
            }
        >
            {part_if(move || is_over.get(), || view! { <p class="pane__drop">{tr(Text::DropFiles)}</p> }.into_any())}
            <header class="pane__head">
                <BackToList />
                <Avatar id=face name />
                <div class="pane__title">
                    <h2 class="pane__name"><bdi>{text(move || name.get())}</bdi></h2>
                    <p class="pane__detail">{text(detail)}</p>
                </div>
                <button type="button" class="icon-button" aria-label=tr(Text::SearchHere) title=tr(Text::SearchHere) on:click=search_here>
                    <Icon picture=Picture::Search />
                </button>
                <button
                    type="button"
                    class="icon-button"
                    aria-label=tr(Text::About)
                    title=tr(Text::About)
                    on:click=move |_| state.overlay.set(Some(Overlay::About(id)))
                >
                    <Icon picture=Picture::People />
                </button>
            </header>
            <TimelinePane conversation=id />
            <TypingLine conversation=id />
            <PurposeLine conversation=id draft />
            <Composer label text=draft.text draft purpose submit conversation=id on_input=move |()| state.typing(id) on_up on_escape />
        </main>
    }
}

/// Whether files are being dragged, and not a text.
fn has_files(event: &web_sys::DragEvent) -> bool {
    event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
}

fn is_inside(event: &web_sys::DragEvent, target: &web_sys::EventTarget) -> bool {
    let pane = event.current_target().and_then(|pane| pane.dyn_into::<web_sys::Node>().ok());
    pane.is_some_and(|pane| pane.contains(target.dyn_ref::<web_sys::Node>()))
}

/// What kind of conversation it is, in words.
fn detail(state: State, summary: &Summary) -> String {
    let me = state.session.me();
    let other = others(summary, me).next();
    let members = member_count(summary);
    match summary.kind {
        ConversationKind::Everyone => tr(Text::EverybodyHere).into(),
        ConversationKind::Direct if members < 2 => tr(Text::OnlyYou).into(),
        ConversationKind::Direct => other
            .map(|other| {
                let said = [presence(state, other.id), state.people.status(other.id).get()];
                said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
            })
            .unwrap_or_default(),
        ConversationKind::Group => count(Text::People, members, &[]),
        ConversationKind::Channel => summary.topic.clone().unwrap_or_else(|| tr(Text::Channel).into()),
    }
}

/// How the other person is, in words; empty where that is not told.
fn presence(state: State, user: UserId) -> String {
    let Some(presence) = state.presence.of(user) else { return String::new() };
    match (presence.state, presence.last_seen_at) {
        (There::Online, _) => tr(Text::Online).into(),
        (There::Away, _) => tr(Text::Away).into(),
        (There::Offline, None) => tr(Text::Offline).into(),
        (There::Offline, Some(at)) if browser::is_today(at) => with(Text::LastHereAt, &[("time", &browser::time(at))]),
        (There::Offline, Some(at)) => with(Text::LastHereOn, &[("day", &browser::short_day(at))]),
    }
}
