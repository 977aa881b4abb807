//! What is on the screen: the open conversation, whether its end is in view, what of it is loaded, and what counts as
//! read.

use super::{LOAD_AGAIN, State};
use crate::{api, browser};
use client::timeline::Load;
use leptos::prelude::*;
use shared::ids::{ConversationId, Seq};

impl State {
    /// A conversation comes on the screen.
    pub(crate) fn open(self, id: ConversationId) {
        self.open.set_value(Some((id, true)));
        if self.conversations.kind(id).is_none() && self.conversations.is_loaded() {
            self.ask_for(id);
        }
        if self.timelines.open(id) {
            self.load(id, Load::Newest);
        }
        self.read_what_is_open();
    }

    /// It leaves the screen.
    pub(crate) fn close(self, id: ConversationId) {
        if self.open.with_value(|open| open.is_some_and(|(open, _)| open == id)) {
            self.open.set_value(None);
        }
        self.timelines.rest(id);
    }

    /// Whether the newest row is on the screen.
    pub(crate) fn set_at_end(self, id: ConversationId, is_at_end: bool) {
        let before = self.open.get_value();
        if before == Some((id, !is_at_end)) {
            self.open.set_value(Some((id, is_at_end)));
            self.timelines.set_reading(id, !is_at_end);
            self.read_what_is_open();
        }
    }

    /// Shows the newest rows, wherever one has read.
    pub(crate) fn to_end(self, id: ConversationId) {
        self.set_at_end(id, true);
        self.timelines.to_end(id);
        if !self.timelines.is_at_newest(id) {
            self.going.set_value(Some(id));
            self.load(id, Load::Newest);
        }
    }

    /// What is on the screen, down to its end, is read.
    pub(crate) fn read_what_is_open(self) {
        let Some((id, true)) = self.open.get_value() else { return };
        if !browser::is_visible() || !self.timelines.is_at_newest(id) {
            return;
        }
        if let Some(seq) = self.conversations.read_all(id).and_then(|cursor| Seq::new(cursor.get())) {
            self.link.drive(self, |machine| machine.read(id, seq));
        }
    }

    /// Loads a part of a conversation, once at a time.
    pub(crate) fn load(self, id: ConversationId, load: Load) {
        let Some(loading) = self.timelines.begin(id, load) else { return };
        leptos::task::spawn_local(async move {
            match api::events(id, load).await {
                Ok(page) => {
                    for event in &page.events {
                        self.people.want(event.sender, self);
                    }
                    let missing = self.timelines.finish(id, loading, page);
                    self.fetch(id, missing);
                    if load == Load::Newest && self.going.get_value() == Some(id) {
                        // A scrolling that was going on may have gone on.
                        self.going.set_value(None);
                        self.set_at_end(id, true);
                        self.timelines.to_end(id);
                    }
                    self.read_what_is_open();
                }
                Err(error) => {
                    let is_wanted = self.timelines.fail(id, loading, &error);
                    let is_there = !error.is(shared::code::Code::NotFound);
                    // One may have left and be back since.
                    if is_wanted && !is_there && self.conversations.kind(id).is_some() {
                        self.ask_for(id);
                    }
                    // A gap is not left open. Without a connection the next welcome asks again.
                    if is_wanted && is_there && load == Load::Newest && self.link.is_open() {
                        set_timeout(move || self.load(id, load), LOAD_AGAIN);
                    }
                }
            }
        });
    }
}
