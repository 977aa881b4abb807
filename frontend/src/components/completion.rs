//! What could be meant by what is being typed: above where it is typed.

use crate::dynamic::part;
use crate::i18n::{Text, tr};
use crate::state::completion::{Choice, Completion};
use leptos::prelude::*;

/// The id of a choice in the document.
pub(crate) fn id_of(index: usize) -> String {
    format!("completion-{index}")
}

#[component]
pub(crate) fn CompletionList(
    completion: Completion,
    /// Takes the choice of this number.
    take: Callback<usize>,
) -> impl IntoView {
    let row = move |(index, choice): (usize, Choice)| {
        let Choice { symbol, label, .. } = choice;
        let is_next = (completion.at.get() == Some(index)).to_string();
        // Before the text loses the focus.
        let on_down = move |event: leptos::ev::PointerEvent| {
            event.prevent_default();
            take.run(index);
        };
        view! {
            <li class="completion__choice" role="option" id=id_of(index) aria-selected=is_next on:pointerdown=on_down>
                <span aria-hidden="true">{symbol}</span>
                <bdi>{label}</bdi>
            </li>
        }
        .into_any()
    };
    part(move || {
        let choices = completion.choices.get();
        if choices.is_empty() {
            return ().into_any();
        }
        view! {
            <ul class="completion" role="listbox" id="completion" aria-label=tr(Text::Suggestions)>
                {choices.into_iter().enumerate().map(row).collect::<Vec<_>>()}
            </ul>
        }
        .into_any()
    })
}
