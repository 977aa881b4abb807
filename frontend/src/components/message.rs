//! One row of a conversation.

use super::actions::Actions;
use super::attachment::AttachmentList;
use super::avatar::Avatar;
use super::markup::{Body, fill, uncover};
use super::quote::QuoteLine;
use super::rows::Followed;
use crate::browser;
use crate::dynamic::{memo, part, part_if, text};
use crate::i18n::{self, Text, tr, with};
use crate::later::{self, later};
use crate::state::changing::Changing;
use crate::state::timeline::{Place, RowHandle, Why};
use crate::state::{Overlay, State};
use client::receipt::Position;
use client::timeline::{Row, RowState};
use leptos::prelude::*;
use shared::attachment::Attachment;
use shared::ids::{CommandId, ConversationId, Seq};
use shared::reaction::Reaction;

#[component]
pub(crate) fn MessageRow(conversation: ConversationId, handle: RowHandle) -> impl IntoView {
    let state = expect_context::<State>();
    let RowHandle { key, row, place } = handle;
    let sender = row.with_untracked(|row| row.sender);
    let followed = expect_context::<Followed>();
    let name = Signal::from(followed.name(sender));
    let (me, active, changes) = (followed.me.clone(), followed.active.clone(), followed.changes.clone());
    let is_own = memo(move || me.get() == Some(sender));
    let row = StoredValue::new(row);
    let of_row = move |read: fn(&Row) -> String| text(move || row.with_value(|row| row.with(read)));
    let place = StoredValue::new(place);
    let of_place = move |read: fn(Place) -> bool| move || place.with_value(|place| read(place.get()));
    let is_first = of_place(|place| place.begins_group);
    let failure = memo(move || {
        row.with_value(|row| {
            row.with(|row| match &row.state {
                RowState::Failed(reason) => Some(reason.clone()),
                RowState::Pending | RowState::Accepted(_) => None,
            })
        })
    });
    let seq = memo(move || row.with_value(|row| row.with(Row::seq)));
    let changing = memo(move || {
        let seq = seq.get()?;
        changes.with(|changes| changes.get(&(conversation, seq)).cloned())
    });
    let mentioned = followed.clone();
    // Set anew only when it has changed.
    let body = memo(move || {
        let (mentions, written) =
            row.with_value(|row| row.with(|row| (row.mentions.clone(), row.mention_names.clone())));
        let names = mentions.into_iter().enumerate().map(|(number, user)| {
            let name = match written.get(number) {
                Some(written) => browser::fold(written),
                // Names come and change on their own.
                None => browser::fold(&mentioned.name(user).get()),
            };
            (name, mentioned.me.get() == Some(user))
        });
        let names: Vec<_> = names.collect();
        row.with_value(|row| row.with(|row| changing.with(|changing| body_of(row, changing.as_ref(), names))))
    });
    let attachments = memo(move || row.with_value(|row| row.with(|row| row.attachments.clone())));
    let has_files = move || attachments.with(|all| !all.is_empty()) && body.with(|body| *body != Body::Deleted);
    let reply_to = row.with_value(|row| row.with_untracked(|row| row.reply_to));
    // What is not in the log, or is deleted, has nothing that could be done with it.
    let acting = memo(move || {
        let is_there = active.get() == Some(key) && body.with(|body| matches!(body, Body::Written { .. }));
        seq.get().filter(|_| is_there && changing.with(Option::is_none))
    });
    view! {
        {part_if(of_place(|place| place.begins_day), move || {
            let day = of_row(|row| browser::long_day(row.at));
            let choose = move |_| state.overlay.set(Some(Overlay::Date(conversation)));
            view! { <div class="timeline__day"><button type="button" title=tr(Text::GoToDate) on:click=choose>{day}</button></div> }
                .into_any()
        })}
        {part_if(of_place(|place| place.begins_new), || {
            view! { <div class="timeline__new"><span>{tr(Text::NewSince)}</span></div> }.into_any()
        })}
        <article
            class="message"
            tabindex="-1"
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
            // Of the later rows of a person it is heard, and the time is seen where one points.
            <header class="message__head">
                <bdi class="message__sender">{text(move || name.get())}</bdi>
                <time class="message__time" datetime=of_row(|row| browser::machine_time(row.at))>{of_row(|row| browser::time(row.at))}</time>
            </header>
            {reply_to.map(|target| view! {
                <button
                    type="button"
                    class="quote"
                    title=tr(Text::GoToMessage)
                    on:click=move |_| state.show(conversation, target, Why::Asked)
                >
                    <QuoteLine conversation target />
                </button>
            }.into_any())}
            <div class="message__body">
                {part_if(move || is_own.get(), move || {
                    let reach = followed.reach(conversation);
                    let mark = memo(move || row.with_value(|row| row.with(|row| Mark::of(&row.state, reach.get()))));
                    let says = move || text(move || tr(mark.get().look().1).to_owned());
                    view! {
                        <span class="message__mark" title=says() data-mark=text(move || mark.get().name().to_owned())>
                            <span aria-hidden="true">{text(move || mark.get().look().0.to_owned())}</span>
                            <span class="visually-hidden">{says()}</span>
                        </span>
                    }
                    .into_any()
                })}
                {part(move || {
                    let body = body.get();
                    let is_deleted = (body == Body::Deleted).to_string();
                    view! {
                        <div class="message__text" dir="auto" data-deleted=is_deleted on:click=uncover use:fill=body></div>
                    }
                    .into_any()
                })}
            </div>
            {part_if(has_files, move || later::show(move || files_of(attachments)))}
            {part(move || row.with_value(|row| row.with(|row| reactions(state, conversation, row))))}
            {part(move || match failure.get() {
                Some(reason) => later::show(move || not_sent(conversation, key, reason.clone())),
                None => ().into_any(),
            })}
            {part(move || match (changing.get(), seq.get()) {
                (Some(changing), Some(seq)) => change(state, conversation, seq, changing),
                _ => ().into_any(),
            })}
            {part(move || match acting.get() {
                Some(seq) => {
                    let is_own = is_own.get_untracked();
                    later::show_soon(move || actions(conversation, seq, is_own))
                }
                None => ().into_any(),
            })}
        </article>
    }
}

later!(more, not_sent(conversation: ConversationId, key: CommandId, reason: String) => {
    view! { <NotSent conversation=Some(conversation) key reason /> }.into_any()
});
later!(more, not_changed(conversation: ConversationId, seq: Seq, reason: String, has_text: bool) => {
    view! { <NotChanged conversation seq reason has_text /> }.into_any()
});
later!(soon, actions(conversation: ConversationId, seq: Seq, is_own: bool) => {
    view! { <Actions conversation seq is_own /> }.into_any()
});
later!(files, files_of(attachments: Memo<Vec<Attachment>>) => view! { <AttachmentList attachments /> }.into_any());

/// What is being done to a message, and what can be done about that.
fn change(state: State, conversation: ConversationId, seq: Seq, changing: Changing) -> AnyView {
    match changing {
        Changing::Deleting(_) => view! {
            <div class="message__note" role="status">
                <span>{tr(Text::Deleting)}</span>
                <button type="button" on:click=move |_| state.undo_delete(conversation, seq)>{tr(Text::Undo)}</button>
            </div>
        }
        .into_any(),
        Changing::Edited(_) => view! { <div class="message__note">{tr(Text::Saving)}</div> }.into_any(),
        Changing::Deleted => ().into_any(),
        Changing::Refused { reason, text, .. } => {
            let has_text = text.is_some();
            later::show(move || not_changed(conversation, seq, reason.clone(), has_text))
        }
    }
}

fn body_of(row: &Row, changing: Option<&Changing>, names: Vec<(String, bool)>) -> Body {
    match changing {
        Some(Changing::Deleting(_) | Changing::Deleted) => Body::Deleted,
        Some(Changing::Edited(text)) => Body::Written { text: text.trim().to_owned(), is_edited: true, names },
        Some(Changing::Refused { .. }) | None if row.deleted_at.is_some() => Body::Deleted,
        Some(Changing::Refused { .. }) | None => {
            Body::Written { text: row.content.clone(), is_edited: row.edited_at.is_some(), names }
        }
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
        let count = reaction.count();
        let label = i18n::count(Text::ReactionCount, count, &[("emoji", &reaction.emoji)]);
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

/// How one's own message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Sending,
    NotSent,
    /// The server has it.
    Sent,
    /// All the others have received it.
    Delivered,
    /// All the others have read it.
    Read,
}

impl Mark {
    fn of(state: &RowState, reach: Option<Position>) -> Self {
        match (state, reach) {
            (RowState::Pending, _) => Self::Sending,
            (RowState::Failed(_), _) => Self::NotSent,
            (RowState::Accepted(seq), Some(reach)) if reach.read >= (*seq).into() => Self::Read,
            (RowState::Accepted(seq), Some(reach)) if reach.delivered >= (*seq).into() => Self::Delivered,
            (RowState::Accepted(_), _) => Self::Sent,
        }
    }

    /// A sign, and what it says.
    fn look(self) -> (&'static str, Text) {
        match self {
            Self::Sending => ("◷", Text::Sending),
            Self::NotSent => ("!", Text::NotSent),
            Self::Sent => ("✓", Text::Sent),
            Self::Delivered => ("✓✓", Text::Delivered),
            Self::Read => ("✓✓", Text::Read),
        }
    }

    /// Its name, for style sheets.
    fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::NotSent => "failed",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
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
            <span>{with(Text::NotSentBecause, &[("reason", &reason)])}</span>
            <button type="button" on:click=move |_| state.retry(conversation, key)>{tr(Text::TryAgain)}</button>
            {conversation.map(|conversation| view! {
                <button type="button" on:click=move |_| state.take_back(conversation, key)>{tr(Text::Edit)}</button>
            }.into_any())}
            <button type="button" on:click=move |_| state.discard(conversation, key)>{tr(Text::Discard)}</button>
        </div>
    }
}

/// Why an edit or a deletion was refused, and what can be done about it.
#[component]
fn NotChanged(
    conversation: ConversationId,
    seq: Seq,
    reason: String,
    /// Whether it was an edit.
    has_text: bool,
) -> impl IntoView {
    let state = expect_context::<State>();
    let draft = state.drafts.get(conversation, state.session.me());
    view! {
        <div class="message__failed" role="alert">
            <span>{with(Text::NotSaved, &[("reason", &reason)])}</span>
            {has_text.then(|| view! {
                <button type="button" on:click=move |_| state.dismiss(conversation, seq, Some(draft))>{tr(Text::Edit)}</button>
            }.into_any())}
            <button type="button" on:click=move |_| state.dismiss(conversation, seq, None)>{tr(Text::Discard)}</button>
        </div>
    }
}
