//! How everything stood last: what is written down of it, and shown again while there is no connection.

use super::State;
use super::session::Session;
use client::kept::{CONVERSATIONS_MAX, KeptState, PEOPLE_MAX, latest};
use client::timeline::KeptTimeline;
use leptos::prelude::*;
use shared::ids::ConversationId;

impl State {
    /// How everything stands, to be written down beside these timelines; and of those, what is to be let go. `None` while
    /// nobody is known.
    pub(crate) fn kept(self, timelines: &[ConversationId]) -> Option<(KeptState, Vec<ConversationId>)> {
        let user = self.session.session.with_untracked(|session| session.account().cloned())?;
        let epoch = self.link.drive(self, |machine| machine.epoch().cloned())?;
        let (conversations, more) = self.conversations.kept(CONVERSATIONS_MAX);
        let opened = self.timelines.opened();
        let newest = conversations.iter().map(|summary| summary.id).filter(|id| opened.contains(id));
        let (mut timelines, mut let_go) = latest(newest, timelines);
        // What one is in no more does not stay.
        if !more {
            let is_there = |id: &ConversationId| conversations.iter().any(|summary| summary.id == *id);
            let_go.extend(timelines.extract_if(.., |id| !is_there(id)));
        }
        let people = self.people.kept(PEOPLE_MAX);
        let limits = self.limits.get_untracked();
        Some((KeptState { user, epoch, limits, conversations, more, people, timelines }, let_go))
    }

    /// Shows how everything stood, if the server has not said anything yet.
    pub(crate) fn restore_last(self, kept: KeptState, timelines: Vec<(ConversationId, KeptTimeline)>) {
        if self.session.session.with_untracked(|session| *session != Session::Unknown) {
            return;
        }
        let me = kept.user.id;
        self.link.drive(self, |machine| machine.remember(me, &kept.epoch));
        self.people.learn(&kept.people);
        self.people.doubt(&kept.people);
        self.people.learn([&kept.user]);
        kept.conversations.iter().for_each(|summary| self.people.learn_of(summary));
        self.limits.set(kept.limits);
        self.timelines.set_kept(timelines);
        self.session.set_in(kept.user);
        self.drafts.restore(me);
        self.conversations.welcome(kept.conversations, kept.more);
        if let Some((open, _)) = self.open.get_value() {
            self.begin_late(open);
        }
        self.read_what_is_open();
        self.link.outbox.take_over(self, me);
    }
}
