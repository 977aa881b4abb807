//! The rows of a conversation, newest in view.
//!
//! Only a part of the conversation is in the page: what is near to where one reads. Near the first or
//! last row more is loaded, and what is far is let go; see `client::timeline::window`.
//!
//! Rows are reached with the arrow keys; what can be done with one is in a bar on it, and has keys of its own
//! ([`Action::of_key`]). They count on a row that was reached like this alone: whoever has clicked on one and types means
//! to write, and their letters go to where that is done.

use super::actions::Action;
use super::anchor::{Anchored, ROW};
use super::group_request::MissingConversation;
use super::icon::{Icon, Picture};
use super::message::MessageRow;
use super::rows;
use crate::browser;
use crate::dynamic::{effect, memo, part, part_if, text};
use crate::i18n::{Text, count, tr};
use crate::keys;
use crate::later::{self, later};
use crate::router::{Address, Router};
use crate::state::State;
use crate::state::timeline::{Aim, RowHandle, ViewState, Why};
use client::Millis;
use client::timeline::Load;
use leptos::html;
use leptos::prelude::*;
use shared::ids::{ConversationId, Seq};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event};

/// So near to the end counts as being there, in pixels.
const NEAR_END: i32 = 48;
/// So near to the first or last row more is loaded, in pixels.
const NEAR_EDGE: i32 = 1_200;
/// For so many frames the end is held once it was gone to: a browser that was scrolling smoothly may go on with that
/// for as long as three quarters of a second, whatever the page has set meanwhile.
const HOLD_FRAMES: u32 = 50;
/// A focus that went so long ago, in milliseconds, did not go because rows were moved.
const MOVING: Millis = 500;

/// The attribute of a row with its key.
const KEY: &str = "data-key";

later!(more, missing(id: ConversationId) => view! { <MissingConversation id /> }.into_any());

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
    let note_place = move || {
        // It may be gone by the time of the next frame.
        let (Some(Some(pane)), Some(Some(list))) = (pane.try_get_untracked(), list.try_get_untracked()) else { return };
        let is_near = -pane.scroll_top() < NEAR_END;
        if !is_near && held.get_value() > 0 {
            return pane.set_scroll_top(0);
        }
        // The last row of a part is not the end, unless the end is what is being gone to.
        let at_end = is_near && (is_at_end.get_untracked() || state.timelines.is_at_newest(conversation));
        if is_at_end.get_untracked() != at_end {
            is_at_end.set(at_end);
        }
        state.set_at_end(conversation, at_end);
        anchored.with_value(|anchored| if at_end { anchored.let_go() } else { anchored.note(&pane, &list) });
        look();
    };
    let on_scroll = move |_| note_place();
    let to_end = move || state.to_end(conversation);
    // Whoever scrolls goes where they want.
    let let_loose = move || held.set_value(0);
    // The row that was reached with the arrow keys, by its key.
    let reached = StoredValue::new(None::<String>);
    let reach = move |row: &Element| {
        reached.set_value(row.get_attribute(KEY));
        browser::focus(row);
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let_loose();
        let is_plain = keys::is_plain(&event);
        let key = keys::pressed(&event);
        let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        // In what is inside a row, keys are for that.
        let row = Some(&target).filter(|target| target.tag_name() == ROW);
        let is_pane = pane.get_untracked().is_some_and(|pane| AsRef::<Element>::as_ref(&pane) == &target);
        if row.is_none() && !is_pane {
            if key == "Escape"
                && is_plain
                && let Some(row) = target.closest("article").ok().flatten()
            {
                browser::focus(&row);
            }
            return;
        }
        let is_reached = || row.is_some_and(|row| reached.with_value(|reached| row.get_attribute(KEY) == *reached));
        let is_handled = match key.as_str() {
            _ if !is_plain => false,
            "End" if !is_at_end.get_untracked() => {
                to_end();
                true
            }
            "ArrowUp" | "ArrowDown" => {
                let next = match row {
                    Some(row) => neighbour(row, key == "ArrowUp"),
                    None => pane.get_untracked().and_then(|pane| last_in_view(&pane)),
                };
                next.as_ref().map(reach).is_some()
            }
            key => match Action::of_key(key).filter(|_| is_reached()) {
                Some(action) => {
                    if let Some(seq) = row.and_then(|row| seq_of(state, conversation, row)) {
                        action.run(state, conversation, seq);
                    }
                    true
                }
                None => false,
            },
        };
        if is_handled {
            event.prevent_default();
        } else if keys::is_text(&event)
            && let Ok(Some(composer)) = document().query_selector(".composer__text")
        {
            // The browser writes the letter where the focus is by then.
            browser::focus(&composer);
        }
    };
    // What is pointed at, touched, or has the focus.
    let activate = move |event: &Event| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let row = target.and_then(|target| target.closest(".timeline article").ok().flatten());
        let key = row.and_then(|row| row.get_attribute(KEY)).and_then(|key| key.parse().ok());
        if key.is_some() && state.active.get_untracked() != key {
            state.active.set(key);
        }
    };
    on_cleanup(move || _ = state.active.try_set(None));
    // Rows that are put before others move those in the document, and what moves loses the focus.
    let lost = StoredValue::new_local(None::<(Element, Millis)>);
    let on_focus_out = move |event: leptos::ev::FocusEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        lost.set_value(target.map(|target| (target, browser::monotonic())));
    };
    let refocus = move || {
        let Some((element, at)) = lost.try_update_value(Option::take).flatten() else { return };
        let is_nowhere = document().active_element().is_none_or(|active| active.tag_name() == "BODY");
        if is_nowhere && element.is_connected() && browser::monotonic() - at < MOVING {
            browser::focus(&element);
        }
    };
    let (pages, ends) = (view.pages, view.to_end);
    effect(move || {
        if let (Some(pane), Some(list)) = (pane.get(), list.get()) {
            anchored.with_value(|anchored| {
                anchored.watch(pane.into(), &list, move || {
                    refocus();
                    look_soon();
                })
            });
        }
    });
    effect(move || {
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

    let aims = view.aim;
    Effect::new(move |before: Option<Option<Aim>>| {
        let aim = aims.get();
        if let Some(aim) = aim
            && before.flatten() != Some(aim)
            && pane.get_untracked().is_some()
        {
            anchored.with_value(Anchored::let_go);
            held.set_value(0);
            is_at_end.set(false);
            // The rows are there with the next frame.
            request_animation_frame(move || {
                go_to(pane, aim);
                // Where nothing had to be scrolled, nobody else says where the pane stands.
                note_place();
            });
        }
        // The pane may not be there yet.
        aim.filter(|_| pane.get().is_some())
    });
    let router = expect_context::<Router>();
    effect(move || {
        if let Address::Message(id, seq) = router.address()
            && id == conversation
        {
            state.show(conversation, seq, Why::Asked);
        }
    });

    let reload = move |_| state.load(conversation, Load::Newest);
    let (rows, view_state, has_older, has_newer) = (view.rows, view.state, view.has_older, view.has_newer);
    let each = rows.clone();
    let is_empty = {
        let rows = rows.clone();
        memo(move || rows.with(Vec::is_empty))
    };
    let note = move || {
        match (view_state.get(), is_empty.get()) {
        (ViewState::Loading, true) => view! { <p class="timeline__note">{tr(Text::Loading)}</p> }.into_any(),
        (ViewState::Failed, _) => view! {
            <p class="timeline__note">
                {tr(Text::NotLoaded)} " "
                <button type="button" class="button button--quiet button--small" on:click=reload>{tr(Text::TryAgain)}</button>
            </p>
        }
        .into_any(),
        (ViewState::Missing, _) => {
            later::show(move || missing(conversation))
        }
        (ViewState::Ready, true) => view! { <p class="timeline__note">{tr(Text::SayHello)}</p> }.into_any(),
        _ => ().into_any(),
    }
    };
    let summary = state.conversations.get(conversation);
    let way_down = move || match summary.with(|summary| summary.as_ref().map_or(0, |summary| summary.unread)) {
        0 => tr(Text::LatestMessages).to_owned(),
        unread => count(Text::NewMessages, unread, &[]),
    };
    view! {
        <div
            class="timeline"
            node_ref=pane
            on:scroll=on_scroll
            on:keydown=on_key
            on:wheel=move |_| let_loose()
            on:pointerdown=move |event| {
                let_loose();
                reached.set_value(None);
                activate(&event);
            }
            on:pointerover=move |event| activate(&event)
            on:pointerleave=move |event| {
                // A finger leaves with each tap, before what it tapped on hears of it.
                if event.pointer_type() != "touch" {
                    state.active.set(None);
                }
            }
            on:focusin=move |event| activate(&event)
            on:focusout=on_focus_out
            tabindex="0"
            aria-label=tr(Text::Messages)
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
            // Reading out has a region of its own (components/news.rs): here marks change, and pages come.
            <div
                class="timeline__rows"
                node_ref=list
                role="log"
                data-empty=text(move || is_empty.get().to_string())
                aria-live="off"
            >
                {part_if(move || has_older.get(), move || view! {
                    <button type="button" class="timeline__note button button--quiet button--small" on:click=move |_| load_older()>
                        {tr(Text::ShowEarlier)}
                    </button>
                }.into_any())}
                {part(note)}
                {rows::rows(
                    move || each.with(|rows| rows.iter().map(|handle| *handle.key.as_bytes()).collect()),
                    move |key| {
                        let find = |rows: &Vec<RowHandle>| rows.iter().find(|row| *row.key.as_bytes() == key).cloned();
                        match rows.with_untracked(find) {
                            Some(handle) => view! { <MessageRow conversation handle /> }.into_any(),
                            None => ().into_any(),
                        }
                    },
                )}
                {part_if(move || has_newer.get(), move || view! {
                    <button type="button" class="timeline__note button button--quiet button--small" on:click=move |_| load_newer()>
                        {tr(Text::ShowLater)}
                    </button>
                }.into_any())}
            </div>
        </div>
    }
}

/// The row before or after a row.
fn neighbour(row: &Element, is_before: bool) -> Option<Element> {
    let next = |at: &Element| if is_before { at.previous_element_sibling() } else { at.next_element_sibling() };
    std::iter::successors(next(row), next).find(|other| other.tag_name() == ROW)
}

/// The last row that is in view.
fn last_in_view(pane: &Element) -> Option<Element> {
    let rows = pane.get_elements_by_tag_name("article");
    let bottom = pane.get_bounding_client_rect().bottom();
    let rows = (0..rows.length()).rev().filter_map(|index| rows.item(index));
    rows.into_iter().find(|row| row.get_bounding_client_rect().top() < bottom)
}

/// The number of a row's message.
fn seq_of(state: State, conversation: ConversationId, row: &Element) -> Option<Seq> {
    let key = row.get_attribute(KEY)?.parse().ok()?;
    state.timelines.seq(conversation, key)
}

/// Scrolls a row into view: one that was asked for to the middle, where it is seen to be meant; the first new one to
/// the top.
fn go_to(pane: NodeRef<html::Div>, aim: Aim) {
    let Some(Some(pane)) = pane.try_get_untracked() else { return };
    let Some(row) = pane.query_selector(&format!("article[data-key='{}']", aim.key)).ok().flatten() else { return };
    let (pane_box, row_box) = (pane.get_bounding_client_rect(), row.get_bounding_client_rect());
    let from_top = match aim.why {
        Why::Asked => (pane_box.height() - row_box.height()).max(0.0) / 2.0,
        Why::New => (pane_box.height() / 5.0).min(96.0),
    };
    #[expect(clippy::cast_possible_truncation, reason = "pixels of a page")]
    pane.set_scroll_top(pane.scroll_top() + (row_box.top() - pane_box.top() - from_top).round() as i32);
    if aim.why == Why::Asked {
        browser::focus(&row);
        // Taken away first, so that it is shown again if it was just shown.
        let _ = row.remove_attribute("data-aimed");
        let _ = row.get_bounding_client_rect();
        let _ = row.set_attribute("data-aimed", "");
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
