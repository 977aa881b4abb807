//! Who has read a message, and whom it has reached.

use super::avatar::Avatar;
use super::dialog::Dialog;
use crate::browser;
use crate::dynamic::part;
use crate::i18n::{Text, tr};
use crate::state::State;
use crate::state::conversation::others;
use leptos::prelude::*;
use shared::ids::{ConversationId, Cursor, Seq};

#[component]
pub(crate) fn Readers(conversation: ConversationId, seq: Seq, close: Callback<()>) -> impl IntoView {
    let state = expect_context::<State>();
    let summary = state.conversations.get(conversation);
    let people = move || {
        let me = state.session.me();
        let seq = Cursor::from(seq);
        let mut others: Vec<_> = summary
            .with(|summary| summary.iter().flat_map(|summary| others(summary, me)).map(|user| user.id).collect());
        let mut rows: Vec<_> = state.receipts.known.with(|known| {
            // Not all members of a large group are named.
            for (user, _) in known.positions(conversation) {
                if Some(user) != me && !others.contains(&user) {
                    state.people.want(user, state);
                    others.push(user);
                }
            }
            let rank = |user| match known.position(conversation, user) {
                position if position.read >= seq => (0, Text::Read),
                position if position.delivered >= seq => (1, Text::Delivered),
                _ => (2, Text::Sent),
            };
            others.into_iter().map(|user| (rank(user), state.people.name(user).get(), user)).collect()
        });
        rows.sort_by(|((rank, _), name, _), ((other_rank, _), other, _)| {
            rank.cmp(other_rank).then_with(|| browser::in_order(name, other))
        });
        let row = |((_, text), name, user): ((u8, Text), String, shared::ids::UserId)| {
            view! {
                <li class="person person--still">
                    <Avatar id=*user.as_bytes() name=name.clone() />
                    <bdi class="person__name">{name}</bdi>
                    <span class="person__mark">{tr(text)}</span>
                </li>
            }
            .into_any()
        };
        rows.into_iter().map(row).collect::<Vec<_>>().into_any()
    };
    view! {
        <Dialog title=tr(Text::ReadBy) class="dialog" close>
            <ul class="people" aria-label=tr(Text::ReadBy)>{part(people)}</ul>
        </Dialog>
    }
}
