//! What can be done with a message: a bar on the row that is pointed at, or has the focus.

use super::copying::copy;
use super::icon::{Icon, Picture};
use crate::browser;
use crate::i18n::{Text, tr};
use crate::router::Address;
use crate::state::{Overlay, State};
use leptos::prelude::*;
use shared::conversation::ConversationKind;
use shared::ids::{ConversationId, Seq};
use shared::reaction::is_same;

/// What can be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    React,
    Reply,
    Edit,
    Delete,
    CopyText,
    CopyLink,
    Readers,
}

impl Action {
    const ALL: [Action; 7] =
        [Self::React, Self::Reply, Self::Edit, Self::Delete, Self::CopyText, Self::CopyLink, Self::Readers];

    /// The action of a key pressed on a row that was reached with keys. Backspace is none: it is what one presses to take
    /// back a letter.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        match key {
            "+" => Some(Self::React),
            "r" => Some(Self::Reply),
            "e" => Some(Self::Edit),
            "Delete" => Some(Self::Delete),
            "c" => Some(Self::CopyText),
            "l" => Some(Self::CopyLink),
            "i" => Some(Self::Readers),
            _ => None,
        }
    }

    fn look(self) -> (Picture, Text) {
        match self {
            Self::React => (Picture::Smile, Text::React),
            Self::Reply => (Picture::Reply, Text::Reply),
            Self::Edit => (Picture::Edit, Text::Edit),
            Self::Delete => (Picture::Delete, Text::Delete),
            Self::CopyText => (Picture::Copy, Text::CopyContent),
            Self::CopyLink => (Picture::Link, Text::CopyLink),
            Self::Readers => (Picture::Seen, Text::ReadBy),
        }
    }

    /// Whether it is for one's own messages only.
    fn is_own(self) -> bool {
        matches!(self, Self::Edit | Self::Delete | Self::Readers)
    }

    /// Whether it can be done with a message there, by whoever wrote it or somebody else.
    fn is_there(self, state: State, conversation: ConversationId, is_own: bool) -> bool {
        // Between two people the mark says it all.
        let is_told = self != Self::Readers || state.conversations.kind(conversation) == Some(ConversationKind::Group);
        (is_own || !self.is_own()) && is_told
    }

    /// Does it, if it can be done.
    pub(crate) fn run(self, state: State, conversation: ConversationId, seq: Seq) {
        let Some(row) = state.timelines.row(conversation, seq).filter(|row| row.deleted_at.is_none()) else { return };
        let me = state.session.me();
        // What is being changed or deleted waits for that to end, or for the person to decide.
        let is_free = !state.changes.has(conversation, seq);
        let needs_free = matches!(self, Self::Edit | Self::Delete | Self::React);
        if !self.is_there(state, conversation, Some(row.sender) == me) || needs_free && !is_free {
            return;
        }
        let draft = state.drafts.get(conversation, me);
        match self {
            Self::React => {
                let react = move |emoji: String| {
                    // The same again takes it back.
                    let is_own = state.timelines.row(conversation, seq).is_some_and(|row| {
                        let mine = |users: &[_]| me.is_some_and(|me| users.contains(&me));
                        row.reactions.iter().any(|reaction| is_same(&reaction.emoji, &emoji) && mine(&reaction.users))
                    });
                    state.react(conversation, seq, emoji, !is_own);
                };
                state.picking.set(Some(Callback::new(react)));
            }
            Self::Reply => draft.reply(seq),
            Self::Edit => draft.edit(seq, row.content),
            Self::Delete => state.delete(conversation, seq),
            Self::Readers => state.overlay.set(Some(Overlay::Readers(conversation, seq))),
            Self::CopyText => copy(state, row.content),
            Self::CopyLink => {
                let origin = browser::window().location().origin().unwrap_or_default();
                copy(state, format!("{origin}{}", Address::Message(conversation, seq).path()));
            }
        }
    }
}

#[component]
pub(crate) fn Actions(conversation: ConversationId, seq: Seq, is_own: bool) -> impl IntoView {
    let state = expect_context::<State>();
    let button = |action: Action| {
        let (picture, label) = action.look();
        let label = tr(label);
        view! {
            <button
                type="button"
                class="icon-button icon-button--small"
                aria-label=label
                title=label
                on:click=move |event| {
                    event.stop_propagation();
                    action.run(state, conversation, seq);
                }
            >
                <Icon picture />
            </button>
        }
        .into_any()
    };
    let actions = Action::ALL.into_iter().filter(|action| action.is_there(state, conversation, is_own));
    view! {
        <div class="actions" role="toolbar" aria-label=tr(Text::MessageActions)>
            {actions.map(button).collect::<Vec<_>>()}
        </div>
    }
}
