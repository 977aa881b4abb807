//! One row of a conversation.

use super::avatar::Avatar;
use super::markup::{Body, fill, uncover};
use super::rows::Followed;
use crate::browser;
use crate::dynamic::{part, part_if, text};
use crate::state::State;
use crate::state::timeline::{Place, RowHandle};
use client::timeline::{Row, RowState};
use leptos::prelude::*;
use shared::ids::{CommandId, ConversationId};
use shared::reaction::Reaction;

#[component]
pub(crate) fn MessageRow(conversation: ConversationId, handle: RowHandle) -> impl IntoView {
    let state = expect_context::<State>();
    let RowHandle { key, row, place } = handle;
    let sender = row.with_untracked(|row| row.sender);
    let followed = expect_context::<Followed>();
    let name = Signal::from(followed.name(sender));
    let is_own = Memo::new(move |_| followed.me.get() == Some(sender));
    let row = StoredValue::new(row);
    let of_row = move |read: fn(&Row) -> String| text(move || row.with_value(|row| row.with(read)));
    let place = StoredValue::new(place);
    let of_place = move |read: fn(Place) -> bool| move || place.with_value(|place| read(place.get()));
    let is_first = of_place(|place| place.begins_group);
    let failure = Memo::new(move |_| {
        row.with_value(|row| {
            row.with(|row| match &row.state {
                RowState::Failed(reason) => Some(reason.clone()),
                RowState::Pending | RowState::Accepted(_) => None,
            })
        })
    });
    // Set anew only when it has changed.
    let body = Memo::new(move |_| row.with_value(|row| row.with(body_of)));
    view! {
        {part_if(of_place(|place| place.begins_day), move || {
            let day = of_row(|row| browser::long_day(row.at));
            view! { <div class="timeline__day"><span>{day}</span></div> }.into_any()
        })}
        <article
            class="message"
            data-own=text(move || is_own.get().to_string())
            data-first=text(move || is_first().to_string())
            data-state=of_row(|row| state_name(&row.state).to_owned())
            data-key=key.to_string()
        >
            {part_if(move || !is_own.get(), move || {
                let avatar = part_if(is_first, move || {
                    view! { <Avatar id=*sender.as_bytes() name is_small=true /> }.into_any()
                });
                view! { <div class="message__avatar">{avatar}</div> }.into_any()
            })}
            {part_if(is_first, move || view! {
                <header class="message__head">
                    <bdi class="message__sender">{text(move || name.get())}</bdi>
                    <time class="message__time">{of_row(|row| browser::time(row.at))}</time>
                </header>
            }.into_any())}
            <div class="message__body">
                {part_if(move || is_own.get(), move || view! {
                    <span class="message__mark" title=of_row(|row| sign(&row.state).1.to_owned())>
                        <span aria-hidden="true">{of_row(|row| sign(&row.state).0.to_owned())}</span>
                        <span class="visually-hidden">{of_row(|row| sign(&row.state).1.to_owned())}</span>
                    </span>
                }.into_any())}
                {part(move || {
                    let body = body.get();
                    let is_deleted = (body == Body::Deleted).to_string();
                    view! {
                        <div class="message__text" dir="auto" data-deleted=is_deleted on:click=uncover use:fill=body></div>
                    }
                    .into_any()
                })}
            </div>
            {part(move || row.with_value(|row| row.with(|row| reactions(state, conversation, row))))}
            {part(move || match failure.get() {
                Some(reason) => view! { <NotSent conversation=Some(conversation) key reason /> }.into_any(),
                None => ().into_any(),
            })}
        </article>
    }
}

fn body_of(row: &Row) -> Body {
    match row.deleted_at {
        Some(_) => Body::Deleted,
        None => Body::Written { text: row.content.clone(), is_edited: row.edited_at.is_some() },
    }
}

/// Who reacted with what. A click sets one's own reaction of that kind, or takes it back.
fn reactions(state: State, conversation: ConversationId, row: &Row) -> AnyView {
    let RowState::Accepted(target) = row.state else { return ().into_any() };
    if row.reactions.is_empty() {
        return ().into_any();
    }
    let chip = |reaction: &Reaction| {
        let is_own = state.session.me().is_some_and(|me| reaction.users.contains(&me));
        let count = reaction.users.len();
        let label = format!("{}, {count}", reaction.emoji);
        let emoji = reaction.emoji.clone();
        let toggle = move |_| state.react(conversation, target, emoji.clone(), !is_own);
        view! {
            <button type="button" class="reaction" aria-pressed=is_own.to_string() aria-label=label on:click=toggle>
                <span aria-hidden="true">{reaction.emoji.clone()}</span>
                <span aria-hidden="true">{count.to_string()}</span>
            </button>
        }
        .into_any()
    };
    let chips: Vec<_> = row.reactions.iter().map(chip).collect();
    view! { <div class="message__reactions">{chips}</div> }.into_any()
}

/// How a row stands, for style sheets and tests.
fn state_name(state: &RowState) -> &'static str {
    match state {
        RowState::Pending => "pending",
        RowState::Failed(_) => "failed",
        RowState::Accepted(_) => "accepted",
    }
}

/// How one's own message stands: a sign, and what it says.
fn sign(state: &RowState) -> (&'static str, &'static str) {
    match state {
        RowState::Pending => ("◷", "Sending"),
        RowState::Failed(_) => ("!", "Not sent"),
        RowState::Accepted(_) => ("✓", "Sent"),
    }
}

/// Why a message was refused, and what can be done about it.
#[component]
pub(crate) fn NotSent(
    /// Where it was going, if that was known.
    conversation: Option<ConversationId>,
    key: CommandId,
    reason: String,
) -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <div class="message__failed" role="alert">
            <span>{format!("Not sent. {reason}")}</span>
            <button type="button" on:click=move |_| state.retry(conversation, key)>"Try again"</button>
            {conversation.map(|conversation| view! {
                <button type="button" on:click=move |_| state.take_back(conversation, key)>"Edit"</button>
            }.into_any())}
            <button type="button" on:click=move |_| state.discard(conversation, key)>"Discard"</button>
        </div>
    }
}
