//! What the person writes, until it is in the log: sent, refused, tried again, given up, or found again after the page
//! was closed.

use super::State;
use super::draft::{Editing, Purpose};
use crate::browser;
use crate::i18n;
use client::command::Command;
use client::outbox::Kept;
use client::timeline::RowState;
use leptos::prelude::*;
use shared::attachment::Attachment;
use shared::code::Rejection;
use shared::conversation::ConversationKind;
use shared::ids::{CommandId, ConversationId, Seq, UserId};
use shared::message::{SeenGroup, Send, Target};
use shared::reaction::React;

/// A message to people, before it is known which conversation that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstMessage {
    pub(crate) id: CommandId,
    /// Whom it is for.
    pub(crate) to: Vec<UserId>,
    pub(crate) content: String,
    pub(crate) state: FirstState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstState {
    Pending,
    Failed(String),
    /// It is in this conversation.
    Accepted(ConversationId),
}

impl State {
    /// Does with a text what the draft is for. `false`: too much is waiting; the text is kept.
    pub(crate) fn submit(self, id: ConversationId, content: String) -> bool {
        let draft = self.drafts.get(id, self.session.me());
        match draft.purpose.get_untracked() {
            Purpose::New => self.send(id, content, None, draft.files.there()),
            Purpose::Reply(target) => self.send(id, content, Some(target), draft.files.there()),
            Purpose::Edit(Editing { target, .. }) => {
                // The same text is no change.
                let is_same = self.timelines.row(id, target).is_some_and(|row| row.content == content.trim());
                is_same || self.edit(id, target, content)
            }
        }
    }

    /// Sends what is written as soon as its files are there, wherever the person is then.
    pub(crate) fn send_when_there(self, id: ConversationId) {
        let files = self.drafts.get(id, self.session.me()).files;
        if files.is_awaited.get_untracked() {
            return;
        }
        files.is_awaited.set(true);
        let me = self.session.me();
        let mut is_over = false;
        self.drafts.outlive(move || {
            // What is over follows nothing any more.
            is_over = is_over || !files.is_awaited.get();
            if is_over || files.is_busy() || files.has_failed() {
                return;
            }
            is_over = true;
            let draft = self.drafts.get(id, me);
            let text = draft.text.get_untracked();
            // Not inside what follows the signals that sending changes.
            set_timeout(
                move || {
                    let is_same = draft.text.with_untracked(|now| *now == text) && files.is_awaited.get_untracked();
                    files.wait_no_more();
                    if is_same && self.session.me() == me && self.submit(id, text) {
                        draft.done();
                    }
                },
                std::time::Duration::ZERO,
            );
        });
    }

    /// Sends a message to a conversation. `false`: too many are waiting; the text is kept.
    fn send(self, id: ConversationId, content: String, reply_to: Option<Seq>, files: Vec<Attachment>) -> bool {
        let Some(me) = self.session.me() else { return false };
        let to = self.address(id);
        let attachments = files.iter().map(|file| file.id).collect();
        let send = Send { id: browser::new_command_id(), to, content, reply_to, attachments };
        self.timelines.set_new_after(id, None);
        self.timelines.pending(id, &send, files.clone(), me);
        let is_taken = self.write_with(Command::Send(send.clone()), files);
        if is_taken {
            // What one writes, one sees.
            self.to_end(id);
        } else {
            self.timelines.discard(id, send.id);
        }
        is_taken
    }

    /// Sends a message to people. Where it goes is known once it is accepted.
    pub(crate) fn send_to(self, users: &[UserId], content: String) -> Option<CommandId> {
        let to = match users {
            [user] => Target::User(*user),
            users => Target::Users(users.to_vec()),
        };
        let send = Send { id: browser::new_command_id(), to, content, reply_to: None, attachments: Vec::new() };
        let (to, content) = (users.to_vec(), send.content.clone());
        let first = FirstMessage { id: send.id, to, content, state: FirstState::Pending };
        self.first_messages.update(|all| all.push(first));
        let is_taken = self.write(Command::Send(send.clone()));
        if !is_taken {
            self.first_messages.update(|all| all.retain(|first| first.id != send.id));
        }
        is_taken.then_some(send.id)
    }

    /// Sets one's own reaction on a message, or takes it back.
    pub(crate) fn react(self, conversation: ConversationId, target: Seq, emoji: String, on: bool) {
        let id = browser::new_command_id();
        // A full outbox says so where messages are written.
        self.write(Command::React(React { id, conversation, target, emoji, on }));
    }

    /// Something is being written in a conversation: the others are told, now and then.
    pub(crate) fn typing(self, conversation: ConversationId) {
        if self.link.is_open()
            && let Some(frame) = self.presence.input(conversation)
        {
            self.link.drive(self, |machine| machine.transmit(frame));
        }
    }

    /// The person wants a failed message tried again.
    pub(crate) fn retry(self, conversation: Option<ConversationId>, id: CommandId) {
        if let Some(conversation) = conversation {
            self.timelines.state(conversation, id, RowState::Pending);
        }
        self.set_first(id, FirstState::Pending);
        self.link.drive(self, |machine| machine.retry(id, browser::monotonic()));
    }

    /// The person does not want a failed message any more.
    pub(crate) fn discard(self, conversation: Option<ConversationId>, id: CommandId) {
        self.link.drive(self, |machine| machine.discard(id, browser::monotonic()));
        if let Some(conversation) = conversation {
            self.timelines.discard(conversation, id);
        }
        self.first_messages.update(|all| all.retain(|first| first.id != id));
    }

    /// The person does not want it as it is: its text goes back to where it is written.
    pub(crate) fn take_back(self, conversation: ConversationId, id: CommandId) {
        let taken = self.link.drive(self, |machine| {
            let files = machine.outbox().get(id)?.files.clone();
            let send = machine.discard(id, browser::monotonic())?.as_send()?.clone();
            Some((send.content, send.reply_to, files))
        });
        self.timelines.discard(conversation, id);
        if let Some((text, reply_to, files)) = taken {
            let draft = self.drafts.get(conversation, self.session.me());
            draft.end_edit();
            draft.files.put_back(files, self.files_max());
            draft.text.update(|draft| {
                let separator = if draft.is_empty() || text.is_empty() { "" } else { "\n" };
                *draft = format!("{text}{separator}{draft}");
            });
            if let Some(target) = reply_to {
                draft.reply(target);
            }
        }
    }

    /// What was written before this page began, or in a tab that is gone, is on its way again.
    pub(crate) fn restore(self, left: Vec<Kept>, me: UserId) {
        // Finding it took a while; it is nobody else's.
        if self.session.me() != Some(me) {
            return;
        }
        for kept in &left {
            let failed = kept.failed.as_ref().map(i18n::refusal);
            let Some(send) = kept.command.as_send() else {
                self.restore_change(&kept.command, failed);
                continue;
            };
            match self.conversation_of(&send.to) {
                Some(conversation) => {
                    self.timelines.pending(conversation, send, kept.files.clone(), me);
                    if let Some(reason) = failed {
                        self.timelines.state(conversation, send.id, RowState::Failed(reason));
                    }
                }
                None => {
                    let state = failed.map_or(FirstState::Pending, FirstState::Failed);
                    let to = match &send.to {
                        Target::User(user) => vec![*user],
                        Target::Users(users) => users.clone(),
                        Target::Conversation(_) | Target::Group(_) | Target::Everyone => Vec::new(),
                    };
                    let first = FirstMessage { id: send.id, to, content: send.content.clone(), state };
                    self.first_messages.update(|all| {
                        if all.iter().all(|other| other.id != first.id) {
                            all.push(first);
                        }
                    });
                }
            }
        }
        self.link.drive(self, |machine| machine.restore(left, me, browser::monotonic()));
    }

    /// The server refused a message for good.
    pub(crate) fn fail(self, command: &Command, rejection: &Rejection) {
        let Command::Send(Send { id, to, .. }) = command else { return self.refuse_change(command, rejection) };
        let id = *id;
        if let Some(conversation) = self.conversation_of(to) {
            self.timelines.state(conversation, id, RowState::Failed(i18n::refusal(rejection)));
        }
        self.set_first(id, FirstState::Failed(i18n::refusal(rejection)));
    }

    /// Asks for something to be stored. `false`: too much is waiting.
    pub(super) fn write(self, command: Command) -> bool {
        self.write_with(command, Vec::new())
    }

    fn write_with(self, command: Command, files: Vec<Attachment>) -> bool {
        let Some(me) = self.session.me() else { return false };
        let write = |machine: &mut client::connection::Connection| {
            machine.write_with(command, files, me, browser::now(), browser::monotonic())
        };
        self.link.drive(self, write).is_ok()
    }

    pub(super) fn set_first(self, id: CommandId, state: FirstState) {
        if self.first_messages.with_untracked(|all| all.iter().any(|first| first.id == id)) {
            self.first_messages.update(|all| {
                for first in all.iter_mut().filter(|first| first.id == id) {
                    first.state = state.clone();
                }
            });
        }
    }

    /// Whom a message in a conversation is for. Where its head names everybody in place of a name, it is for these people:
    /// who has come or gone without the writer's knowing is not passed over in silence.
    fn address(self, id: ConversationId) -> Target {
        self.conversations.get(id).with_untracked(|summary| match summary {
            Some(summary) if summary.kind == ConversationKind::Everyone => Target::Everyone,
            Some(summary) if summary.kind == ConversationKind::Group && summary.name.is_none() => {
                match summary.all_members() {
                    Some(members) => {
                        let members = members.iter().map(|user| user.id).collect();
                        Target::Group(SeenGroup { conversation: id, members })
                    }
                    None => Target::Conversation(id),
                }
            }
            _ => Target::Conversation(id),
        })
    }

    fn conversation_of(self, target: &Target) -> Option<ConversationId> {
        match target {
            Target::Conversation(id) => Some(*id),
            Target::Group(group) => Some(group.conversation),
            Target::Everyone => self.conversations.everyone(),
            Target::User(_) | Target::Users(_) => None,
        }
    }
}
