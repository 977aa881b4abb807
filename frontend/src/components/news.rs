//! Has new messages of others read out to whoever listens to the page: those that come into the conversation they see the
//! end of, once, in a region that nothing else changes. Rows are no such region: their marks change with each receipt.

use crate::i18n::{Text, count};
use crate::state::State;
use crate::state::quote::said;
use leptos::prelude::*;
use shared::event::Event;
use shared::ids::{ConversationId, Seq};
use shared::message::Message;
use std::time::Duration;
use web_sys::Element;

/// Messages that come within this time are read out together.
const PAUSE: Duration = Duration::from_secs(1);
/// More messages than this at once are counted.
const SAID_MAX: usize = 3;
/// Characters that are read of one.
const CHARS_MAX: usize = 300;

/// A message, and what is read of it.
type Line = (ConversationId, Seq, String);

/// Messages to be read out.
#[derive(Clone, Copy)]
pub(super) struct News {
    state: State,
    region: StoredValue<Option<Element>, LocalStorage>,
    /// How many there are, and the first of them, [`SAID_MAX`] at most.
    waiting: StoredValue<(u64, Vec<Line>)>,
}

impl News {
    /// Makes the region, which is there until its owner goes.
    pub(super) fn new(state: State) -> Self {
        let document = document();
        let region = document.create_element("div").ok();
        if let (Some(region), Some(body)) = (&region, document.body()) {
            for (name, value) in [("class", "visually-hidden"), ("aria-live", "polite"), ("data-news", "")] {
                // Reading fails for names of no account.
                let _ = region.set_attribute(name, value);
            }
            let _ = body.append_child(region);
        }
        let news = Self { state, region: StoredValue::new_local(region), waiting: StoredValue::new((0, Vec::new())) };
        on_cleanup(move || news.with_region(Element::remove));
        news
    }

    /// A message of somebody else has come where it is seen.
    pub(super) fn hear(self, event: &Event, message: &Message) {
        let name = self.state.people.name(event.sender).get_untracked();
        let text: String = said(&message.content, &message.attachments).chars().take(CHARS_MAX).collect();
        let count = self.waiting.try_update_value(|(count, first)| {
            if first.len() < SAID_MAX {
                let line = if name.is_empty() { text } else { format!("{name}: {text}") };
                first.push((event.conversation, event.seq, line));
            }
            *count += 1;
            *count
        });
        if count == Some(1) {
            // A repeated text is read out only if it was gone in between.
            self.with_region(|region| region.set_text_content(None));
            set_timeout(move || self.say(), PAUSE);
        }
    }

    /// A message is deleted or says something else: what was read of it does not stay, and is not read any more.
    pub(super) fn forget(self, conversation: ConversationId, seq: Seq) {
        let _ =
            self.waiting.try_update_value(|(_, first)| first.retain(|line| (line.0, line.1) != (conversation, seq)));
        self.with_region(|region| region.set_text_content(None));
    }

    fn say(self) {
        let Some((number, first)) = self.waiting.try_update_value(std::mem::take) else { return };
        let all = if number > SAID_MAX as u64 {
            count(Text::NewMessages, number, &[])
        } else {
            first.into_iter().map(|(.., line)| line).collect::<Vec<_>>().join("\n")
        };
        self.with_region(|region| region.set_text_content(Some(&all)));
    }

    fn with_region(self, act: impl FnOnce(&Element)) {
        let _ = self.region.try_with_value(|region| region.as_ref().map(act));
    }
}
