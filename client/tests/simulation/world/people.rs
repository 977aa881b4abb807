//! What people do: write, change, react, read, look around, decide about what was refused.

use super::World;
use client::command::Command;
use client::timeline::RowState;
use shared::ids::{CommandId, ConversationId, Timestamp};
use shared::message::{Delete, Edit, Target};
use shared::reaction::React;

impl World {
    pub(super) fn act_somewhere(&mut self) {
        let index = self.random.below(self.devices.len());
        self.devices[index].now = self.now;
        let known: Vec<_> = self.devices[index].list.order().to_vec();
        let conversation = self.random.pick(&known).copied();
        match self.random.below(20) {
            0..8 => self.write(index, conversation),
            8..13 => self.change_message(index),
            13 | 14 => {
                if let Some(id) = conversation {
                    self.devices[index].read_all(id);
                }
            }
            15 | 16 => {
                if let Some(id) = conversation {
                    self.devices[index].open(id);
                }
            }
            17 | 18 => {
                if let Some(id) = conversation {
                    self.devices[index].older(id);
                }
            }
            _ => self.decide(index),
        }
        self.grant(index);
    }

    fn new_command(&mut self) -> CommandId {
        CommandId::v7(Timestamp::from_millis(self.now), self.random.bytes())
    }

    fn new_text(&mut self) -> String {
        self.ledger.texts += 1;
        format!(" text {} ", self.ledger.texts)
    }

    fn write(&mut self, index: usize, conversation: Option<ConversationId>) {
        let to = match (self.random.below(6), conversation) {
            (0, _) | (_, None) => Target::User(self.devices[self.random.below(self.devices.len())].user),
            (1, _) => Target::Everyone,
            (_, Some(id)) => Target::Conversation(id),
        };
        self.send(index, to);
    }

    pub(super) fn send(&mut self, index: usize, to: Target) {
        let (id, content) = (self.new_command(), self.new_text());
        let user = self.devices[index].user;
        if self.devices[index].send(id, to, content.clone()) {
            self.ledger.written.insert(id, (user, Some(content.trim().to_owned())));
        }
    }

    /// Edits, deletes or reacts to something that is on the screen.
    fn change_message(&mut self, index: usize) {
        let device = &self.devices[index];
        let user = device.user;
        let rows = device.timelines.values().flat_map(|timeline| {
            timeline
                .committed()
                .iter()
                .map(|row| (timeline.conversation(), row.state.clone(), row.sender, row.deleted_at))
        });
        let rows: Vec<_> = rows.filter(|(.., deleted_at)| deleted_at.is_none()).collect();
        let Some((conversation, RowState::Accepted(target), sender, _)) = self.random.pick(&rows).cloned() else {
            return;
        };
        let id = self.new_command();
        let (command, content) = match self.random.below(4) {
            0 if sender == user => {
                let content = self.new_text();
                let text = content.trim().to_owned();
                (Command::Edit(Edit { id, conversation, target, content }), Some(text))
            }
            1 if sender == user && self.random.is_lucky(40) => {
                (Command::Delete(Delete { id, conversation, target }), None)
            }
            _ => {
                let emoji = ["👍", "🎉"][self.random.below(2)].to_owned();
                (Command::React(React { id, conversation, target, emoji, on: self.random.is_lucky(60) }), None)
            }
        };
        if self.devices[index].write(command) {
            self.ledger.written.insert(id, (user, content));
        }
    }

    /// The person decides about what was refused, or gives up what is waiting.
    fn decide(&mut self, index: usize) {
        let entries = self.devices[index].connection.outbox().entries();
        let waiting: Vec<_> = entries.map(|entry| entry.command.id()).collect();
        if self.random.is_lucky(40)
            && let Some(id) = self.random.pick(&waiting).copied()
        {
            return self.rewrite(index, id);
        }
        let failed = self.devices[index].failed();
        if let Some((id, _)) = self.random.pick(&failed).copied() {
            match self.random.below(3) {
                0 => self.devices[index].retry(id),
                1 => self.rewrite(index, id),
                _ => {
                    self.ledger.given_up.insert(id);
                    self.devices[index].discard(id);
                }
            }
        } else if self.random.is_lucky(20) {
            let first = self.devices[index].connection.outbox().entries().next().map(|entry| entry.command.id());
            if let Some(id) = first {
                self.ledger.given_up.insert(id);
                self.devices[index].discard(id);
            }
        }
    }

    /// Changes a text that is not accepted, if the outbox lets them.
    fn rewrite(&mut self, index: usize, id: CommandId) {
        let (new_id, content) = (self.new_command(), self.new_text());
        if self.devices[index].edit(id, new_id, content.clone()) {
            self.ledger.replaced.insert(id);
            let user = self.devices[index].user;
            self.ledger.written.insert(new_id, (user, Some(content.trim().to_owned())));
        }
    }
}
