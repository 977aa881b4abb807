//! What a person asks for and the server stores: messages, edits, deletions, reactions. All of them
//! wait in the outbox until they are accepted.

use serde::{Deserialize, Serialize};
use shared::event::{Event, EventKind};
use shared::frame::ClientFrame;
use shared::ids::{CommandId, Seq, UserId};
use shared::message::{Accepted, Delete, Deleted, Edit, Edited, Message, Send, Target};
use shared::reaction::{React, Reacted};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// A message.
    Send(Send),
    /// Another text for one's own message.
    Edit(Edit),
    /// Takes a message away.
    Delete(Delete),
    /// Sets or takes back a reaction.
    React(React),
}

impl Command {
    /// What names it.
    #[must_use]
    pub fn id(&self) -> CommandId {
        match self {
            Command::Send(send) => send.id,
            Command::Edit(edit) => edit.id,
            Command::Delete(delete) => delete.id,
            Command::React(react) => react.id,
        }
    }

    /// The message, if it is one.
    #[must_use]
    pub fn as_send(&self) -> Option<&Send> {
        match self {
            Command::Send(send) => Some(send),
            _ => None,
        }
    }

    /// The same with another text under another id; `None` if it has no text.
    #[must_use]
    pub fn with_content(&self, id: CommandId, content: String) -> Option<Self> {
        match self.clone() {
            Command::Send(send) => Some(Command::Send(Send { id, content, ..send })),
            Command::Edit(edit) => Some(Command::Edit(Edit { id, content, ..edit })),
            Command::Delete(_) | Command::React(_) => None,
        }
    }

    /// A message to a conversation with certain people becomes one to whoever is in it.
    pub(crate) fn send_to_whoever_is_there(&mut self) {
        if let Command::Send(Send { to, .. }) = self
            && let Target::Group(seen) = to
        {
            *to = Target::Conversation(seen.conversation);
        }
    }

    /// Whether somebody wrote a text for it. What has none is not worth asking the person about.
    #[must_use]
    pub fn has_text(&self) -> bool {
        matches!(self, Command::Send(_) | Command::Edit(_))
    }

    /// The message it changes, by its number in this history.
    #[must_use]
    pub fn changes(&self) -> Option<Seq> {
        match self {
            Command::Send(_) => None,
            Command::Edit(edit) => Some(edit.target),
            Command::Delete(delete) => Some(delete.target),
            Command::React(react) => Some(react.target),
        }
    }

    /// The event everybody else is sent of it, which the asking socket is not. `None` if the answer
    /// names an event that cannot be this one's: then it changed nothing.
    #[must_use]
    pub fn into_event(self, accepted: Accepted, sender: UserId) -> Option<Event> {
        if self.changes().is_some_and(|target| target >= accepted.seq) {
            return None;
        }
        let kind = match self {
            // The server stores a text trimmed; so it is shown.
            Command::Send(send) => {
                EventKind::Message(Message::new(send.id, send.content.trim().to_owned(), send.reply_to))
            }
            Command::Edit(edit) => EventKind::Edited(Edited {
                target: edit.target,
                content: edit.content.trim().to_owned(),
                mentions: Vec::new(),
                mention_names: Vec::new(),
            }),
            Command::Delete(delete) => EventKind::Deleted(Deleted { target: delete.target }),
            Command::React(React { target, emoji, on, .. }) => EventKind::Reacted(Reacted { target, emoji, on }),
        };
        Some(Event { conversation: accepted.conversation, seq: accepted.seq, at: accepted.at, sender, kind })
    }
}

impl From<Command> for ClientFrame {
    fn from(command: Command) -> Self {
        match command {
            Command::Send(send) => ClientFrame::Send(send),
            Command::Edit(edit) => ClientFrame::Edit(edit),
            Command::Delete(delete) => ClientFrame::Delete(delete),
            Command::React(react) => ClientFrame::React(react),
        }
    }
}
