//! What is on the screen: the open conversation, whether its end is in view, what of it is loaded, and what counts as
//! read.

use super::timeline::Why;
use super::{LOAD_AGAIN, State};
use crate::later::{self, later};
use crate::{api, browser};
use client::timeline::Load;
use leptos::prelude::*;
use shared::conversation::ChangePreferences;
use shared::ids::{ConversationId, Seq};

/// Events of one page.
const PAGE: u32 = 60;
/// How often a message that is wanted is asked for: an answer does not count where something else came in between.
const TRIES: u32 = 4;

later!(soon, unmark(state: State, id: ConversationId) => {
    let change = ChangePreferences { marked_unread: Some(false), ..ChangePreferences::default() };
    // Without an answer it stays marked, and is tried again the next time.
    leptos::task::spawn_local(async move { _ = state.prefer(id, change).await });
    ().into_any()
});

/// A message that is shown as soon as it is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    conversation: ConversationId,
    seq: Seq,
    why: Why,
    tries: u32,
}

impl State {
    /// A conversation comes on the screen: at what is new, or at its end.
    pub(crate) fn open(self, id: ConversationId) {
        self.open.set_value(Some((id, true)));
        if self.conversations.kind(id).is_none() && self.conversations.is_loaded() {
            self.ask_for(id);
        }
        let is_known = self.conversations.standing(id).is_some();
        self.opened_early.set_value(Some(id).filter(|_| !is_known));
        if !self.begin_at_new(id) && self.timelines.open(id) {
            self.load(id, Load::Newest);
        }
        if self.link.is_open() {
            self.ask_for_receipts(id);
        }
        self.read_what_is_open();
        self.unmark(id);
    }

    /// Whoever opens a conversation has come back to it.
    fn unmark(self, id: ConversationId) {
        if self.conversations.preferences(id).marked_unread {
            later::quietly(unmark(self, id));
        }
    }

    /// Shows what is new in the open conversation from its beginning on. `false`: nothing is.
    pub(super) fn begin_at_new(self, id: ConversationId) -> bool {
        let Some(standing) = self.conversations.standing(id) else { return false };
        self.timelines.last_seq(id, standing.last_seq);
        let is_new = standing.unread > 0;
        self.timelines.set_new_after(id, Some(standing.read_seq).filter(|_| is_new));
        // Whoever was sent to a message is there.
        if is_new && self.wanted.get_value().is_none_or(|wanted| wanted.conversation != id) {
            self.show(id, standing.read_seq.next(), Why::New);
        }
        is_new
    }

    /// What is new in a conversation that was opened early has become known. `true`: something is, and is shown.
    pub(super) fn begin_late(self, id: ConversationId) -> bool {
        let is_early = self.opened_early.get_value() == Some(id) && self.conversations.standing(id).is_some();
        if is_early {
            self.opened_early.set_value(None);
            self.unmark(id);
        }
        let is_open = self.open.with_value(|open| open.is_some_and(|(open, _)| open == id));
        is_early && is_open && self.begin_at_new(id)
    }

    /// Asks again for a message that is still wanted: the connection it was asked on is gone.
    pub(super) fn ask_for_wanted(self, id: ConversationId) {
        if let Some(wanted) = self.wanted.get_value().filter(|wanted| wanted.conversation == id) {
            self.show(id, wanted.seq, wanted.why);
        }
    }

    /// It leaves the screen.
    pub(crate) fn close(self, id: ConversationId) {
        if self.wanted.get_value().is_some_and(|wanted| wanted.conversation == id) {
            self.wanted.set_value(None);
        }
        if self.open.with_value(|open| open.is_some_and(|(open, _)| open == id)) {
            self.open.set_value(None);
        }
        self.timelines.rest(id);
        self.timelines.set_new_after(id, None);
    }

    /// Shows a message of the open conversation, wherever in the log it stands.
    pub(crate) fn show(self, id: ConversationId, seq: Seq, why: Why) {
        self.going.set_value(None);
        self.set_at_end(id, false);
        if self.timelines.aim(id, seq, why) {
            return;
        }
        self.wanted.set_value(Some(Wanted { conversation: id, seq, why, tries: 0 }));
        // Where the log ends has to be known before a place in it can be shown.
        self.load(id, if self.timelines.can_go(id) { Load::Around(seq) } else { Load::Newest });
    }

    /// Whether the person sees what comes into this conversation: it is open down to its end, in a window that is visible
    /// and has the focus. What is read, what is told outside the page and what is read out all depend on this.
    pub(crate) fn is_on_screen(self, id: ConversationId) -> bool {
        self.open.get_value() == Some((id, true)) && browser::is_looked_at()
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
        self.wanted.set_value(None);
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
        if !self.is_on_screen(id) {
            return self.set_apart(id);
        }
        // What is not loaded is on no screen.
        if !self.timelines.is_at_newest(id) {
            return;
        }
        // Nor is what has come since it was written down.
        let end = self.conversations.standing(id).map(|standing| standing.last_seq);
        if self.timelines.last(id).is_none_or(|last| Some(last) < end) {
            return;
        }
        if let Some(seq) = self.conversations.read_all(id).and_then(|cursor| Seq::new(cursor.get())) {
            self.link.drive(self, |machine| machine.read(id, seq));
        }
    }

    /// Messages that come while nobody looks are new to whoever comes back.
    fn set_apart(self, id: ConversationId) {
        if let Some(standing) = self.conversations.standing(id).filter(|standing| standing.unread > 0) {
            self.timelines.set_new_after(id, Some(standing.read_seq));
        }
    }

    /// The person may be back at the page. What has come meanwhile is shown from its beginning on, as in a conversation that
    /// is opened, and read as far as it is seen.
    pub(crate) fn come_back(self) {
        let Some((id, _)) = self.open.get_value().filter(|(id, _)| self.is_on_screen(*id)) else { return };
        let is_new = self.conversations.standing(id).is_some_and(|standing| standing.unread > 0);
        if !(is_new && self.begin_at_new(id)) {
            self.read_what_is_open();
        }
    }

    /// Loads a part of a conversation, once at a time.
    pub(crate) fn load(self, id: ConversationId, load: Load) {
        let Some(loading) = self.timelines.begin(id, load) else { return };
        leptos::task::spawn_local(async move {
            match api::events(id, load, PAGE).await {
                Ok(page) => {
                    for event in &page.events {
                        self.people.want(event.sender, self);
                    }
                    let missing = self.timelines.finish(id, loading, page);
                    self.note_heard();
                    self.fetch(id, missing);
                    if load == Load::Newest && self.going.get_value() == Some(id) {
                        // A scrolling that was going on may have gone on.
                        self.going.set_value(None);
                        self.set_at_end(id, true);
                        self.timelines.to_end(id);
                    }
                    self.show_wanted(id, load);
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
                    let is_needed = load == Load::Newest || matches!(load, Load::Around(_)) && !self.timelines.open(id);
                    if is_wanted && is_there && is_needed && self.link.is_open() {
                        set_timeout(move || self.load(id, load), LOAD_AGAIN);
                    }
                }
            }
        });
    }

    /// Goes to the message that is wanted, if this load has brought it; or asks for it.
    fn show_wanted(self, id: ConversationId, load: Load) {
        let Some(wanted) = self.wanted.get_value().filter(|wanted| wanted.conversation == id) else { return };
        let Wanted { seq, why, tries, .. } = wanted;
        if self.timelines.aim(id, seq, why) {
            return self.wanted.set_value(None);
        }
        if load == Load::Around(seq) && tries >= TRIES {
            // It is not to be had; the end is.
            return self.to_end(id);
        }
        if matches!(load, Load::Newest | Load::Around(_)) && self.timelines.can_go(id) {
            self.wanted.set_value(Some(Wanted { tries: tries + 1, ..wanted }));
            self.load(id, Load::Around(seq));
        }
    }
}
