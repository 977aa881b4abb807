//! The rows of a conversation, newest in view.
//!
//! Only a part of the conversation is in the page: what is near to where one reads. Near the first or
//! last row more is loaded, and what is far is let go; see `client::timeline::window`.

use super::anchor::Anchored;
use super::icon::{Icon, Picture};
use super::message::MessageRow;
use super::rows;
use crate::dynamic::{part, part_if, text};
use crate::state::State;
use crate::state::timeline::ViewState;
use client::timeline::Load;
use leptos::html;
use leptos::prelude::*;
use shared::ids::ConversationId;

/// So near to the end counts as being there, in pixels.
const NEAR_END: i32 = 48;
/// So near to the first or last row more is loaded, in pixels.
const NEAR_EDGE: i32 = 1_200;
/// For so many frames the end is held once it was gone to: a browser that was scrolling smoothly may go on with that
/// for as long as three quarters of a second, whatever the page has set meanwhile.
const HOLD_FRAMES: u32 = 50;

#[component]
pub(crate) fn TimelinePane(conversation: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let view = state.timelines.view(conversation);
    let pane = NodeRef::<html::Div>::new();
    let list = NodeRef::<html::Div>::new();
    let is_at_end = RwSignal::new(true);
    let anchored = StoredValue::new_local(Anchored::default());
    let held = StoredValue::new(0_u32);
    state.open(conversation);
    on_cleanup(move || state.close(conversation));

    let load = move |part: Option<Load>| {
        if let Some(part) = part {
            state.load(conversation, part);
        }
    };
    let load_older = move || load(state.timelines.older(conversation));
    let load_newer = move || load(state.timelines.newer(conversation));
    // Where the pane stands, in a reversed column: the end is at zero and the beginning at a negative height.
    let look = move || {
        // It may be gone by the time it is looked at.
        let Some(Some(pane)) = pane.try_get_untracked() else { return };
        let from_end = -pane.scroll_top();
        if pane.scroll_height() - pane.client_height() - from_end < NEAR_EDGE {
            load_older();
        }
        if from_end < NEAR_EDGE {
            load_newer();
        }
    };
    // Rows may change many times between two frames, and asking where the pane stands lays them all out: once a frame.
    let is_due = StoredValue::new_local(false);
    let look_soon = move || {
        if is_due.try_get_value() == Some(false) {
            is_due.set_value(true);
            request_animation_frame(move || {
                is_due.try_set_value(false);
                look();
            });
        }
    };
    let on_scroll = move |_| {
        let (Some(pane), Some(list)) = (pane.get_untracked(), list.get_untracked()) else { return };
        let is_near = -pane.scroll_top() < NEAR_END;
        if !is_near && held.get_value() > 0 {
            return pane.set_scroll_top(0);
        }
        // The last row of a part is not the end, unless the end is what is being gone to.
        let at_end = is_near && (is_at_end.get_untracked() || state.timelines.is_at_newest(conversation));
        if is_at_end.get_untracked() != at_end {
            is_at_end.set(at_end);
            state.set_at_end(conversation, at_end);
        }
        anchored.with_value(|anchored| if at_end { anchored.let_go() } else { anchored.note(&pane, &list) });
        look();
    };
    let to_end = move || state.to_end(conversation);
    // Whoever scrolls goes where they want.
    let let_loose = move || held.set_value(0);
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let_loose();
        if event.key() == "End" && !is_at_end.get_untracked() {
            event.prevent_default();
            to_end();
        }
    };
    let (pages, ends) = (view.pages, view.to_end);
    Effect::new(move |_| {
        if let (Some(pane), Some(list)) = (pane.get(), list.get()) {
            anchored.with_value(|anchored| anchored.watch(pane.into(), &list, look_soon));
        }
    });
    Effect::new(move |_| {
        pages.track();
        // A page may have had nothing to show.
        look_soon();
    });
    Effect::new(move |before: Option<u32>| {
        let count = ends.get();
        if before.is_some_and(|before| before != count) && pane.get_untracked().is_some() {
            anchored.with_value(Anchored::let_go);
            is_at_end.set(true);
            held.set_value(HOLD_FRAMES);
            hold_end(pane, held);
        }
        count
    });

    let reload = move |_| state.load(conversation, Load::Newest);
    let (rows, view_state, has_older, has_newer) = (view.rows, view.state, view.has_older, view.has_newer);
    let is_empty = {
        let rows = rows.clone();
        Memo::new(move |_| rows.with(Vec::is_empty))
    };
    let note = move || match (view_state.get(), is_empty.get()) {
        (ViewState::Loading, true) => view! { <p class="timeline__note">"Loading…"</p> }.into_any(),
        (ViewState::Failed, _) => view! {
            <p class="timeline__note">
                "These messages could not be loaded. "
                <button type="button" class="button button--quiet button--small" on:click=reload>"Try again"</button>
            </p>
        }
        .into_any(),
        (ViewState::Missing, _) => {
            view! { <p class="timeline__note">"There is no conversation here that you can see."</p> }.into_any()
        }
        (ViewState::Ready, true) => view! { <p class="timeline__note">"No messages yet. Say hello!"</p> }.into_any(),
        _ => ().into_any(),
    };
    let summary = state.conversations.get(conversation);
    let way_down = move || match summary.with(|summary| summary.as_ref().map_or(0, |summary| summary.unread)) {
        0 => "Latest messages".to_owned(),
        1 => "1 new message".to_owned(),
        count => format!("{count} new messages"),
    };
    view! {
        <div
            class="timeline"
            node_ref=pane
            on:scroll=on_scroll
            on:keydown=on_key
            on:wheel=move |_| let_loose()
            on:pointerdown=move |_| let_loose()
            tabindex="0"
            aria-label="Messages"
            role="region"
        >
            // It is there all the time: what comes and goes in a pane ends a scrolling that is going on.
            <button
                type="button"
                class="latest button button--small"
                data-shown=text(move || (!is_at_end.get()).to_string())
                on:click=move |_| to_end()
            >
                <Icon picture=Picture::Down />
                {text(way_down)}
            </button>
            // What is loaded while one reads is no news to be read out.
            <div
                class="timeline__rows"
                node_ref=list
                role="log"
                aria-live=text(move || if is_at_end.get() { "polite" } else { "off" }.to_owned())
            >
                {part_if(move || has_older.get(), move || view! {
                    <button type="button" class="timeline__note button button--quiet button--small" on:click=move |_| load_older()>
                        "Show earlier messages"
                    </button>
                }.into_any())}
                {part(note)}
                {rows::rows(
                    move || rows.get(),
                    |handle| handle.key,
                    move |handle| view! { <MessageRow conversation handle /> }.into_any(),
                )}
                {part_if(move || has_newer.get(), move || view! {
                    <button type="button" class="timeline__note button button--quiet button--small" on:click=move |_| load_newer()>
                        "Show later messages"
                    </button>
                }.into_any())}
            </div>
        </div>
    }
}

/// Keeps a pane at its end for as many frames as are left.
fn hold_end(pane: NodeRef<html::Div>, held: StoredValue<u32>) {
    // It may be gone by the time of the next frame.
    let (Some(left), Some(Some(at))) = (held.try_get_value(), pane.try_get_untracked()) else { return };
    if left > 0 {
        at.set_scroll_top(0);
        held.set_value(left - 1);
        request_animation_frame(move || hold_end(pane, held));
    }
}
