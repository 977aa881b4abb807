//! A message in short: above its answer, and above what is written as an answer.

use crate::dynamic::{part, text};
use crate::i18n::{Text, tr};
use crate::state::State;
use crate::state::quote::Quote;
use leptos::prelude::*;
use shared::ids::{ConversationId, Seq};

/// Who said what, in one line.
#[component]
pub(crate) fn QuoteLine(conversation: ConversationId, target: Seq) -> impl IntoView {
    let state = expect_context::<State>();
    let quote = state.quote(conversation, target);
    part(move || match quote.get() {
        Quote::Loading => view! { <span class="quote__text">{tr(Text::QuoteLoading)}</span> }.into_any(),
        Quote::Missing => view! { <span class="quote__text">{tr(Text::QuoteMissing)}</span> }.into_any(),
        Quote::Said(sender, said) => {
            let name = state.people.name(sender);
            view! {
                <bdi class="quote__name">{text(move || name.get())}</bdi>
                <span class="quote__text" dir="auto">{said}</span>
            }
            .into_any()
        }
        Quote::Deleted(sender) => {
            let name = state.people.name(sender);
            view! {
                <bdi class="quote__name">{text(move || name.get())}</bdi>
                <span class="quote__text">{tr(Text::Deleted)}</span>
            }
            .into_any()
        }
    })
}
