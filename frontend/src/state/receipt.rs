//! How far the others have received and read, as signals: one for each conversation, that changes when all of them are
//! further.

use super::State;
use crate::api;
use crate::later::{self, later};
use client::receipt::{Position, Receipts};
use leptos::prelude::*;
use litemap::LiteMap;
use shared::event::Event;
use shared::ids::ConversationId;
use shared::receipt::Receipt;

#[derive(Clone, Copy)]
pub(crate) struct ReceiptState {
    /// Where everybody is.
    pub(crate) known: RwSignal<Receipts>,
    reaches: StoredValue<LiteMap<ConversationId, ArcRwSignal<Option<Position>>>>,
}

impl ReceiptState {
    pub(super) fn new() -> Self {
        Self { known: RwSignal::new(Receipts::default()), reaches: StoredValue::new(LiteMap::new()) }
    }

    /// How far all the others are who are told of; `None` where that is not told, or there are none.
    pub(crate) fn reach(self, id: ConversationId) -> ArcRwSignal<Option<Position>> {
        self.reaches
            .try_update_value(|all| all.entry(id).or_insert_with(|| ArcRwSignal::new(None)).clone())
            .unwrap_or_else(|| ArcRwSignal::new(None))
    }

    pub(super) fn forget(self) {
        self.known.update(Receipts::reset);
        self.reaches.with_value(|all| all.values().for_each(|reach| reach.set(None)));
    }
}

impl State {
    pub(super) fn receipt(self, receipt: Receipt) {
        if self.receipts.known.try_update(|known| known.handle_receipt(receipt)) == Some(true) {
            self.settle_reach(receipt.conversation);
        }
    }

    /// Whoever writes has read what stands before.
    pub(super) fn receipt_of(self, event: &Event) {
        if self.receipts.known.try_update(|known| known.handle_event(event)) == Some(true) {
            self.settle_reach(event.conversation);
        }
    }

    /// Finds out how far all the others are now: somebody has moved, come, or gone.
    pub(super) fn settle_reach(self, id: ConversationId) {
        let me = self.session.me();
        let summary = self.conversations.get(id);
        let reach = summary.with_untracked(|summary| {
            // Where nobody is named there are no marks.
            summary.as_ref()?.members.as_ref()?;
            self.receipts.known.with_untracked(|known| known.reach(id, me))
        });
        let signal = self.receipts.reach(id);
        if signal.get_untracked() != reach {
            signal.set(reach);
        }
    }

    /// Asks where everybody is. What was told before this page began is not told again.
    pub(super) fn ask_for_receipts(self, id: ConversationId) {
        later::quietly(ask(self, id));
    }
}

later!(soon, ask(state: State, id: ConversationId) => {
    leptos::task::spawn_local(async move {
        // Without an answer there are no marks until the conversation is opened again.
        if let Ok(receipts) = api::receipts(id).await {
            state.receipts.known.update(|known| known.handle_list(id, receipts));
        }
        state.settle_reach(id);
    });
    ().into_any()
});
