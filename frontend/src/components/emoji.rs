//! Picking an emoji: those used last, all of them in their groups, or by name; with the keyboard, too.

use super::dialog::Dialog;
use crate::browser;
use crate::dynamic::{part, part_if, text};
use crate::i18n::{Text, tr};
use crate::keys;
use crate::later::{self, later};
use crate::state::State;
use crate::state::emoji::Emoji;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Columns of the grid; the style sheet has the same number.
const COLUMNS: i32 = 8;
/// Found at most.
const FOUND_MAX: usize = 64;
/// What the groups' tabs show, and what a tone is shown on.
const TABS: [&str; 10] = ["🕘", "😀", "👋", "🐵", "🍇", "🌍", "🎃", "👓", "🏧", "🏁"];
const TONES: [&str; 6] = ["✋", "✋🏻", "✋🏼", "✋🏽", "✋🏾", "✋🏿"];

/// Shows the picker while somebody waits for an emoji.
#[component]
pub(crate) fn EmojiPicker() -> impl IntoView {
    let state = expect_context::<State>();
    part_if(move || state.picking.get().is_some(), move || later::show(picker))
}

later!(more, picker() => view! { <Picker /> }.into_any());

#[component]
fn Picker() -> impl IntoView {
    let state = expect_context::<State>();
    let emoji = state.emoji;
    emoji.load();
    let search = RwSignal::new(String::new());
    // 0 is those used last, the others are the table's.
    let group = RwSignal::new(0_usize);
    let grid = NodeRef::<html::Div>::new();
    let close = Callback::new(move |()| state.picking.set(None));
    let pick = move |symbol: String| {
        emoji.note(&symbol);
        let waiting = state.picking.get_untracked();
        // Gone first, so that the focus is where it was when the emoji comes.
        if let Some(dialog) = grid.get_untracked().and_then(|grid| grid.closest("dialog").ok().flatten())
            && let Some(dialog) = dialog.dyn_ref::<web_sys::HtmlDialogElement>()
        {
            dialog.close();
        }
        state.picking.set(None);
        if let Some(waiting) = waiting {
            waiting.run(symbol);
        }
    };
    let shown = move || -> Vec<(String, &'static str)> {
        let tone = emoji.tone.get();
        let show = |emoji: &Emoji| (emoji.symbol(tone).to_owned(), emoji.name);
        let search = search.get();
        emoji.table.with(|table| match (search.trim().is_empty(), group.get()) {
            (false, _) => table.find(&search, FOUND_MAX).iter().map(show).collect(),
            (true, 0) => emoji.recent().into_iter().map(|symbol| (symbol, "")).collect(),
            (true, index) => table.group(index - 1).iter().map(show).collect(),
        })
    };
    let button = |(symbol, name): (String, &'static str)| {
        let title = if name.is_empty() { symbol.clone() } else { name.to_owned() };
        view! { <button type="button" class="emoji__one" title=title.clone() aria-label=title tabindex="-1">{symbol}</button> }.into_any()
    };
    let cells = move || {
        let all = shown();
        if !all.is_empty() {
            return all.into_iter().map(button).collect::<Vec<_>>().into_any();
        }
        let note = match () {
            () if emoji.has_failed.get() => Text::Unreachable,
            () if emoji.table.with(|table| table.groups() == 0) => Text::Loading,
            () => Text::NoEmoji,
        };
        view! { <p class="emoji__note">{tr(note)}</p> }.into_any()
    };
    let on_click = move |event: leptos::ev::MouseEvent| {
        if let Some(one) = event.target().and_then(one) {
            pick(one.text_content().unwrap_or_default());
        }
    };
    let first = move || grid.get_untracked().and_then(|grid| grid.first_element_child()).filter(is_one);
    let on_search_key = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        _ if browser::is_composing(&event) => {}
        "Enter" => {
            event.prevent_default();
            if let Some(first) = first() {
                pick(first.text_content().unwrap_or_default());
            }
        }
        "ArrowDown" => {
            event.prevent_default();
            if let Some(first) = first() {
                browser::focus(&first);
            }
        }
        _ => {}
    };
    let on_grid_key = move |event: leptos::ev::KeyboardEvent| {
        let steps = match event.key().as_str() {
            _ if !keys::is_plain(&event) => return,
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            "ArrowUp" => -COLUMNS,
            "ArrowDown" => COLUMNS,
            _ => return,
        };
        event.prevent_default();
        let Some(one) = event.target().and_then(one) else { return };
        // In a language that is written to the left, so is the grid.
        let is_reversed = crate::i18n::language().direction() == "rtl" && steps.abs() == 1;
        if let Some(next) = neighbour(one, if is_reversed { -steps } else { steps }) {
            browser::focus(&next);
        }
    };
    let tab = move |index: usize| {
        let is_current = text(move || (search.with(String::is_empty) && group.get() == index).to_string());
        let go = move |_| {
            search.set(String::new());
            group.set(index);
        };
        view! { <button type="button" class="emoji__tab" aria-pressed=is_current on:click=go>{TABS[index]}</button> }
            .into_any()
    };
    let tabs = move || {
        (0..=emoji.table.with(|table| table.groups()).min(TABS.len() - 1)).map(tab).collect::<Vec<_>>().into_any()
    };
    let tone = move |index: usize| {
        let is_current = text(move || (emoji.tone.get() == index).to_string());
        view! {
            <button type="button" class="emoji__tone" aria-pressed=is_current on:click=move |_| emoji.set_tone(index)>
                {TONES[index]}
            </button>
        }
        .into_any()
    };
    view! {
        <Dialog title=tr(Text::Emoji) class="dialog dialog--emoji" close>
            <input
                class="field__input"
                type="search"
                autofocus
                autocomplete="off"
                aria-label=tr(Text::SearchEmoji)
                placeholder=tr(Text::SearchEmoji)
                prop:value=search
                on:input=move |event| search.set(event_target_value(&event))
                on:keydown=on_search_key
            />
            <div class="emoji__tabs">{part(tabs)}</div>
            <div class="emoji__grid" node_ref=grid on:click=on_click on:keydown=on_grid_key>{part(cells)}</div>
            <div class="emoji__tones" role="group" aria-label=tr(Text::SkinTone)>
                {(0..TONES.len()).map(tone).collect::<Vec<_>>()}
            </div>
        </Dialog>
    }
}

fn is_one(element: &Element) -> bool {
    element.class_name() == "emoji__one"
}

/// The emoji something happened to.
fn one(target: web_sys::EventTarget) -> Option<Element> {
    target.dyn_into::<Element>().ok().filter(is_one)
}

fn neighbour(one: Element, steps: i32) -> Option<Element> {
    let mut at = one;
    for _ in 0..steps.abs() {
        at = if steps > 0 { at.next_element_sibling() } else { at.previous_element_sibling() }?;
    }
    Some(at)
}
