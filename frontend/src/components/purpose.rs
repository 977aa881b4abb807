//! What the text below is for, where it is more than a new message: a line above the composer, with a way out.

use super::icon::{Icon, Picture};
use super::quote::QuoteLine;
use crate::dynamic::part;
use crate::i18n::{Text, tr};
use crate::state::draft::{Draft, Purpose};
use leptos::prelude::*;
use shared::ids::ConversationId;

#[component]
pub(crate) fn PurposeLine(conversation: ConversationId, draft: Draft) -> impl IntoView {
    let line = move |title: &'static str, target| {
        view! {
            <div class="purpose">
                <span class="purpose__title">{title}</span>
                <span class="purpose__quote"><QuoteLine conversation target /></span>
                <button
                    type="button"
                    class="icon-button icon-button--small"
                    aria-label=tr(Text::Cancel)
                    title=tr(Text::Cancel)
                    on:click=move |_| draft.cancel()
                >
                    <Icon picture=Picture::Close />
                </button>
            </div>
        }
        .into_any()
    };
    part(move || match draft.purpose.get() {
        Purpose::New => ().into_any(),
        Purpose::Reply(target) => line(tr(Text::Reply), target),
        Purpose::Edit(editing) => line(tr(Text::EditingMessage), editing.target),
    })
}
