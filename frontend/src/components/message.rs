//! One row of a conversation.

use super::avatar::Avatar;
use crate::browser;
use crate::state::State;
use crate::state::session::Session;
use crate::state::timeline::RowHandle;
use client::timeline::RowState;
use leptos::prelude::*;
use shared::ids::{CommandId, ConversationId, Seq};
use shared::reaction::Reaction;

#[component]
pub(crate) fn MessageRow(conversation: ConversationId, handle: RowHandle) -> impl IntoView {
    let state = expect_context::<State>();
    let RowHandle { key, row, place } = handle;
    let (sender, name) = row.with_untracked(|row| (row.sender, state.people.name(row.sender)));
    let name = Signal::derive(move || {
        let name = name.get();
        if name.is_empty() { "…".to_owned() } else { name }
    });
    // Who one is may become known after the messages.
    let is_own = Memo::new(move |_| {
        state.session.session.with(|session| matches!(session, Session::In(user) if user.id == sender))
    });
    let at = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.at))
    };
    let content = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.content.clone()))
    };
    let is_deleted = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.deleted_at.is_some()))
    };
    let is_edited = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.edited_at.is_some() && row.deleted_at.is_none()))
    };
    let reacted = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| (row.reactions.clone(), row.state.clone())))
    };
    let row_state = Memo::new(move |_| row.with(|row| row.state.clone()));
    let place = Memo::new(move |_| place.get());
    let state_name = move || match row_state.get() {
        RowState::Pending => "pending",
        RowState::Failed(_) => "failed",
        RowState::Accepted(_) => "accepted",
    };
    view! {
        {move || place.get().begins_day.then(|| view! {
            <div class="timeline__day"><span>{move || browser::long_day(at.get())}</span></div>
        })}
        <article
            class="message"
            data-own=move || is_own.get().to_string()
            data-first=move || place.get().begins_group.to_string()
            data-state=state_name
            data-key=key.to_string()
        >
            {move || (!is_own.get()).then(|| view! {
                <div class="message__avatar">
                    {move || place.get().begins_group.then(|| view! { <Avatar id=*sender.as_bytes() name is_small=true /> })}
                </div>
            })}
            <Show when=move || place.get().begins_group>
                <header class="message__head">
                    <bdi class="message__sender">{name}</bdi>
                    <time class="message__time">{move || browser::time(at.get())}</time>
                </header>
            </Show>
            <div class="message__body">
                {move || is_own.get().then(|| view! { <Mark state=row_state /> })}
                <p class="message__text" dir="auto" data-deleted=move || is_deleted.get().to_string()>
                    {move || if is_deleted.get() { "This message was deleted".to_owned() } else { content.get() }}
                    {move || is_edited.get().then(|| view! { <span class="message__edited">" (edited)"</span> })}
                </p>
            </div>
            <Reactions conversation row=reacted />
            {move || match row_state.get() {
                RowState::Failed(reason) => Some(view! { <NotSent conversation=Some(conversation) key reason /> }),
                RowState::Pending | RowState::Accepted(_) => None,
            }}
        </article>
    }
}

/// Who reacted with what. A click sets one's own reaction of that kind, or takes it back.
#[component]
fn Reactions(conversation: ConversationId, row: Memo<(Vec<Reaction>, RowState)>) -> impl IntoView {
    let state = expect_context::<State>();
    let chip = move |reaction: Reaction, target: Seq| {
        let is_own = state.session.me().is_some_and(|me| reaction.users.contains(&me));
        let count = reaction.users.len();
        let label = format!("{}, {count}", reaction.emoji);
        let emoji = reaction.emoji.clone();
        let toggle = move |_| state.react(conversation, target, emoji.clone(), !is_own);
        view! {
            <button type="button" class="reaction" aria-pressed=is_own.to_string() aria-label=label on:click=toggle>
                <span aria-hidden="true">{reaction.emoji}</span>
                <span aria-hidden="true">{count}</span>
            </button>
        }
    };
    move || {
        let (reactions, row_state) = row.get();
        let RowState::Accepted(target) = row_state else { return None };
        (!reactions.is_empty()).then(|| {
            let chips = reactions.into_iter().map(|reaction| chip(reaction, target)).collect::<Vec<_>>();
            view! { <div class="message__reactions">{chips}</div> }
        })
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
            })}
            <button type="button" on:click=move |_| state.discard(conversation, key)>"Discard"</button>
        </div>
    }
}

/// How one's own message stands.
#[component]
fn Mark(state: Memo<RowState>) -> impl IntoView {
    let sign = move || match state.get() {
        RowState::Pending => ("◷", "Sending"),
        RowState::Failed(_) => ("!", "Not sent"),
        RowState::Accepted(_) => ("✓", "Sent"),
    };
    view! {
        <span class="message__mark" title=move || sign().1>
            <span aria-hidden="true">{move || sign().0}</span>
            <span class="visually-hidden">{move || sign().1}</span>
        </span>
    }
}
