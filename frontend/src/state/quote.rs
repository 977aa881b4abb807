//! Messages that are answered: shown in short above the answer, wherever in the log they stand.

use super::State;
use crate::api;
use client::timeline::{Load, Row};
use leptos::prelude::*;
use litemap::LiteMap;
use shared::attachment::Attachment;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, Seq, UserId};
use shared::markdown;

/// So many are remembered; then they are asked for anew.
const KNOWN_MAX: usize = 1_000;
/// A line shows less than this; a message may have sixteen thousand.
const CHARS_MAX: usize = 120;

/// A text in one line. (Cut after its marks were taken away, or it could end within something hidden and show it.)
pub(crate) fn in_short(content: &str) -> String {
    markdown::plain(content).chars().take(CHARS_MAX).collect()
}

/// A message in one line: its text, or what its first file is called.
pub(crate) fn said(content: &str, attachments: &[Attachment]) -> String {
    match attachments {
        [first, ..] if content.is_empty() => format!("📎 {}", first.name),
        _ => in_short(content),
    }
}

/// A message in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Quote {
    /// It is being asked for.
    Loading,
    /// Who said what, in one line.
    Said(UserId, String),
    /// It was deleted.
    Deleted(UserId),
    /// It cannot be had.
    Missing,
}

impl Quote {
    fn of(sender: UserId, content: &str, attachments: &[Attachment], is_deleted: bool) -> Self {
        if is_deleted {
            return Quote::Deleted(sender);
        }
        Quote::Said(sender, said(content, attachments))
    }

    fn of_event(event: &Event) -> Self {
        event.kind.as_message().map_or(Quote::Missing, |message| {
            Quote::of(event.sender, &message.content, &message.attachments, message.deleted_at.is_some())
        })
    }

    fn of_row(row: &Row) -> Self {
        Quote::of(row.sender, &row.content, &row.attachments, row.deleted_at.is_some())
    }
}

type Place = (ConversationId, Seq);

#[derive(Clone, Copy)]
pub(crate) struct Quotes {
    known: StoredValue<LiteMap<Place, ArcRwSignal<Quote>>>,
}

impl Quotes {
    pub(crate) fn new() -> Self {
        Self { known: StoredValue::new(LiteMap::new()) }
    }

    /// Something happened to a message that may be quoted.
    pub(crate) fn event(self, event: &Event) {
        let (target, quote): (Seq, &dyn Fn(UserId) -> Quote) = match &event.kind {
            EventKind::Edited(edited) if !edited.content.is_empty() => {
                (edited.target, &|sender| Quote::Said(sender, in_short(&edited.content)))
            }
            EventKind::Deleted(deleted) => (deleted.target, &Quote::Deleted),
            _ => return,
        };
        let known = self.known.with_value(|known| known.get(&(event.conversation, target)).cloned());
        let Some(known) = known else { return };
        let sender = match known.get_untracked() {
            Quote::Said(sender, _) => sender,
            Quote::Loading | Quote::Deleted(_) | Quote::Missing => return,
        };
        known.set(quote(sender));
    }

    pub(crate) fn forget(self) {
        self.known.update_value(LiteMap::clear);
    }
}

impl State {
    /// A message in short. It is asked for, if it is not among the rows.
    pub(crate) fn quote(self, conversation: ConversationId, target: Seq) -> ArcRwSignal<Quote> {
        let place = (conversation, target);
        if let Some(known) = self.quotes.known.with_value(|known| known.get(&place).cloned()) {
            return known;
        }
        let row = self.timelines.row(conversation, target);
        let signal = ArcRwSignal::new(row.as_ref().map_or(Quote::Loading, Quote::of_row));
        self.quotes.known.update_value(|known| {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(place, signal.clone());
        });
        match row {
            Some(row) => self.people.want(row.sender, self),
            None => {
                let signal = signal.clone();
                leptos::task::spawn_local(async move {
                    let found = api::events(conversation, Load::Around(target), 1).await;
                    let event = found.ok().and_then(|page| page.events.into_iter().find(|event| event.seq == target));
                    if let Some(event) = &event {
                        self.people.want(event.sender, self);
                    } else {
                        // It may be had another time.
                        self.quotes.known.update_value(|known| _ = known.remove(&place));
                    }
                    signal.set(event.as_ref().map_or(Quote::Missing, Quote::of_event));
                });
            }
        }
        signal
    }
}
