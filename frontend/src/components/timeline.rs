//! The rows of a conversation, newest in view.

use super::icon::{Icon, Picture};
use super::message::MessageRow;
use crate::state::State;
use crate::state::timeline::ViewState;
use client::timeline::Load;
use leptos::html;
use leptos::prelude::*;
use shared::ids::ConversationId;

/// So near to the end counts as being there, in pixels.
const NEAR_END: i32 = 48;
/// So near to the beginning older rows are loaded, in pixels.
const NEAR_BEGINNING: i32 = 600;

#[component]
pub(crate) fn TimelinePane(conversation: ConversationId) -> impl IntoView {
    let state = expect_context::<State>();
    let view = state.timelines.view(conversation);
    let pane = NodeRef::<html::Div>::new();
    let is_at_end = RwSignal::new(true);
    state.open(conversation);
    on_cleanup(move || state.close(conversation));

    let load_older = move || {
        if let Some(load) = state.timelines.older(conversation) {
            state.load(conversation, load);
        }
    };
    let on_scroll = move |_| {
        let Some(pane) = pane.get_untracked() else { return };
        // In a reversed column the end is at zero and the beginning at a negative height.
        let from_end = -pane.scroll_top();
        let to_beginning = pane.scroll_height() - pane.client_height() - from_end;
        let at_end = from_end < NEAR_END;
        if is_at_end.get_untracked() != at_end {
            is_at_end.set(at_end);
            state.set_at_end(conversation, at_end);
        }
        if to_beginning < NEAR_BEGINNING {
            load_older();
        }
    };
    let to_end = move |_| {
        if let Some(pane) = pane.get_untracked() {
            pane.set_scroll_top(0);
        }
    };
    let reload = move |_| state.load(conversation, Load::Newest);
    let (rows, view_state, has_older) = (view.rows, view.state, view.has_older);
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
    let older = move || {
        has_older.get().then(|| {
            view! {
                <button type="button" class="timeline__note button button--quiet button--small" on:click=move |_| load_older()>
                    "Show earlier messages"
                </button>
            }
        })
    };
    view! {
        <div class="timeline" node_ref=pane on:scroll=on_scroll tabindex="0" aria-label="Messages" role="region">
            <Show when=move || !is_at_end.get()>
                <button type="button" class="latest button button--small" on:click=to_end>
                    <Icon picture=Picture::Down />
                    "Latest messages"
                </button>
            </Show>
            <div class="timeline__rows" role="log" aria-live="polite">
                {older}
                {note}
                <For each=move || rows.get() key=|handle| handle.key let:handle>
                    <MessageRow conversation handle />
                </For>
            </div>
        </div>
    }
}
