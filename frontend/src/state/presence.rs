//! Who is there and who is writing, as signals.

use crate::browser;
use client::presence::People as Present;
use client::typing::Typing;
use leptos::prelude::*;
use shared::event::Event;
use shared::frame::ClientFrame;
use shared::ids::{ConversationId, UserId};
use shared::presence::{Presence, PresenceState as There};
use shared::typing::UserTyping;
use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) struct PresenceState {
    people: RwSignal<Present>,
    typing: RwSignal<Typing>,
}

impl PresenceState {
    pub(crate) fn new() -> Self {
        Self { people: RwSignal::new(Present::default()), typing: RwSignal::new(Typing::default()) }
    }

    pub(crate) fn welcome(self, all: &[Presence]) {
        self.people.update(|people| people.handle_welcome(all));
        self.typing.update(Typing::handle_cut);
    }

    pub(crate) fn presence(self, presence: Presence) {
        let is_news = self.people.with_untracked(|people| people.get(presence.user) != Some(presence));
        if is_news {
            self.people.update(|people| _ = people.handle_presence(presence));
        }
    }

    /// What is known of somebody.
    pub(crate) fn of(self, user: UserId) -> Option<Presence> {
        self.people.with(|people| people.get(user))
    }

    /// Whether somebody is connected and active.
    pub(crate) fn is_online(self, user: UserId) -> bool {
        self.of(user).is_some_and(|presence| presence.state == There::Online)
    }

    pub(crate) fn typing(self, typing: UserTyping) {
        self.typing.update(|all| all.handle_typing(typing, browser::monotonic()));
        self.set_timer();
    }

    /// Whoever has written is not writing any more.
    pub(crate) fn event(self, event: &Event) {
        if self.typing.with_untracked(|all| all.users(event.conversation).any(|user| user == event.sender)) {
            self.typing.update(|all| all.handle_event(event));
        }
    }

    /// Those who are writing somewhere.
    pub(crate) fn writers(self, conversation: ConversationId) -> Vec<UserId> {
        self.typing.with(|all| all.users(conversation).collect())
    }

    /// One is writing oneself: what to tell the server, if it is time to.
    pub(crate) fn input(self, conversation: ConversationId) -> Option<ClientFrame> {
        self.typing
            .try_update_untracked(|all| all.handle_input(conversation, browser::monotonic()))?
            .map(ClientFrame::Typing)
    }

    fn set_timer(self) {
        let Some(at) = self.typing.with_untracked(Typing::next_timeout) else { return };
        let wait = Duration::from_millis(at.saturating_sub(browser::monotonic()));
        set_timeout(
            move || {
                let is_over =
                    self.typing.with_untracked(|all| all.next_timeout().is_some_and(|at| at <= browser::monotonic()));
                if is_over {
                    self.typing.update(|all| _ = all.handle_timeout(browser::monotonic()));
                    self.set_timer();
                }
            },
            wait,
        );
    }
}
