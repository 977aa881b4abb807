//! What is being done to messages and is not in the log yet: edits on their way, deletions that can still be undone.

use super::State;
use super::draft::Draft;
use crate::{browser, i18n};
use client::command::Command;
use leptos::prelude::*;
use litemap::LiteMap;
use shared::code::Rejection;
use shared::ids::{CommandId, ConversationId, Seq};
use shared::message::{Delete, Edit};
use std::time::Duration;

/// For so long a deletion can be undone.
const UNDO: Duration = Duration::from_secs(6);

/// How a message's change stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changing {
    /// Deleted, and not asked for yet: the how manieth time it is.
    Deleting(u32),
    /// The deletion is on its way.
    Deleted,
    /// This text is on its way.
    Edited(String),
    /// It was refused.
    Refused {
        /// The command, which waits for the person's decision if it has a text.
        command: CommandId,
        reason: String,
        text: Option<String>,
    },
}

type Place = (ConversationId, Seq);

/// What is being done to which message.
#[derive(Clone, Copy)]
pub(crate) struct Changes {
    pub(crate) all: RwSignal<LiteMap<Place, Changing>>,
    deletions: StoredValue<u32>,
}

impl Changes {
    pub(crate) fn new() -> Self {
        Self { all: RwSignal::new(LiteMap::new()), deletions: StoredValue::new(0) }
    }

    /// Whether something is being done to a message: then nothing else is.
    pub(crate) fn has(self, conversation: ConversationId, seq: Seq) -> bool {
        self.all.with_untracked(|all| all.contains_key(&(conversation, seq)))
    }

    /// The deletion that can still be undone.
    fn deleting(self, place: Place) -> Option<u32> {
        self.all.with_untracked(|all| match all.get(&place) {
            Some(Changing::Deleting(number)) => Some(*number),
            _ => None,
        })
    }

    fn set(self, place: Place, changing: Changing) {
        self.all.update(|all| _ = all.insert(place, changing));
    }

    fn remove(self, place: Place) -> Option<Changing> {
        if self.all.with_untracked(|all| all.contains_key(&place)) {
            return self.all.try_update(|all| all.remove(&place))?;
        }
        None
    }

    pub(crate) fn forget(self) {
        self.all.set(LiteMap::new());
    }
}

impl State {
    /// Gives one's own message another text. `false`: too much is waiting.
    pub(crate) fn edit(self, conversation: ConversationId, target: Seq, content: String) -> bool {
        let edit = Edit { id: browser::new_command_id(), conversation, target, content: content.clone() };
        let is_taken = self.write(Command::Edit(edit));
        if is_taken {
            self.changes.set((conversation, target), Changing::Edited(content));
        }
        is_taken
    }

    /// Deletes a message, a moment later: until then it can be undone.
    pub(crate) fn delete(self, conversation: ConversationId, target: Seq) {
        let place = (conversation, target);
        let number = self.changes.deletions.try_update_value(|count| {
            *count += 1;
            *count
        });
        let number = number.unwrap_or_default();
        self.changes.set(place, Changing::Deleting(number));
        let on_time = move || {
            // It may have been undone, and deleted again since.
            if self.changes.deleting(place) == Some(number) {
                self.delete_now(place);
            }
        };
        set_timeout(on_time, UNDO);
    }

    /// The message stays after all.
    pub(crate) fn undo_delete(self, conversation: ConversationId, target: Seq) {
        let place = (conversation, target);
        if self.changes.deleting(place).is_some() {
            self.changes.remove(place);
        }
    }

    /// Nothing that was deleted waits any longer: the page is about to go.
    pub(crate) fn delete_all_now(self) {
        let places: Vec<_> = self.changes.all.with_untracked(|all| all.keys().copied().collect());
        places.into_iter().for_each(|place| self.delete_now(place));
    }

    fn delete_now(self, place: Place) {
        if self.changes.deleting(place).is_none() {
            return;
        }
        let (conversation, target) = place;
        let delete = Delete { id: browser::new_command_id(), conversation, target };
        if self.write(Command::Delete(delete)) {
            self.changes.set(place, Changing::Deleted);
        } else {
            // Too much is waiting: it is still there, and can be deleted later.
            self.changes.remove(place);
        }
    }

    /// What was refused is not wanted any more; its text goes back to where it is written, if there is a place for it.
    pub(crate) fn dismiss(self, conversation: ConversationId, target: Seq, into: Option<Draft>) {
        let Some(Changing::Refused { command, text, .. }) = self.changes.remove((conversation, target)) else { return };
        self.link.drive(self, |machine| machine.discard(command, browser::monotonic()));
        if let (Some(text), Some(draft)) = (text, into) {
            draft.edit(target, text);
        }
    }

    /// A change is on its way again that was begun before this page.
    pub(super) fn restore_change(self, command: &Command, failed: Option<String>) {
        let Some((place, text)) = place(command) else { return };
        let changing = match (failed, text) {
            (Some(reason), text) => Changing::Refused { command: command.id(), reason, text },
            (None, Some(text)) => Changing::Edited(text),
            (None, None) => Changing::Deleted,
        };
        self.changes.set(place, changing);
    }

    /// A command is in the log, and what it did is shown.
    pub(super) fn settle(self, place: Place) {
        // One that was deleted meanwhile, and is not asked for yet, goes on.
        if self.changes.deleting(place).is_none() {
            self.changes.remove(place);
        }
    }

    /// The server does not take a change.
    pub(super) fn refuse_change(self, command: &Command, rejection: &Rejection) {
        let Some((place, text)) = place(command) else { return };
        if self.changes.deleting(place).is_some() {
            // It is going to be deleted anyway.
            self.link.drive(self, |machine| machine.discard(command.id(), browser::monotonic()));
            return;
        }
        let reason = i18n::refusal(rejection);
        self.changes.set(place, Changing::Refused { command: command.id(), reason, text });
    }
}

/// What a command changes, and the text it gives it.
fn place(command: &Command) -> Option<(Place, Option<String>)> {
    match command {
        Command::Edit(edit) => Some(((edit.conversation, edit.target), Some(edit.content.clone()))),
        Command::Delete(delete) => Some(((delete.conversation, delete.target), None)),
        Command::Send(_) | Command::React(_) => None,
    }
}
