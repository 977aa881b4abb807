//! Messages: writing, changing and deleting them.

use crate::attachment::Attachment;
use crate::event::{Event, EventKind};
use crate::ids::{AttachmentId, CommandId, ConversationId, Seq, Timestamp, UserId};
use crate::reaction::Reaction;
use serde::{Deserialize, Serialize};

/// Whom a message is for: `{"user": id}`, `{"users": [id…]}`, `{"conversation": id}`,
/// `{"group": {"conversation": id, "members": [id…]}}` or `"everyone"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The direct conversation with one person; with oneself it is a place for notes.
    User(UserId),
    /// The conversation of exactly this set of people and oneself.
    Users(#[cfg_attr(feature = "schema", schemars(length(min = 1)))] Vec<UserId>),
    /// A conversation that exists.
    Conversation(ConversationId),
    /// A conversation that exists, if exactly these people are in it.
    Group(SeenGroup),
    /// The conversation everybody is a member of.
    Everyone,
}

/// A conversation, and who was in it when the message was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeenGroup {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Its members as the sender has seen them. Oneself need not be named.
    pub members: Vec<UserId>,
}

/// The field named by the refusal of a message to a [`SeenGroup`] in which others are by now.
pub const SEEN_MEMBERS: &str = "to.group.members";

/// `send`: a new message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Send {
    /// Names the command; sent again with the same id it is stored once and answered the same.
    pub id: CommandId,
    /// Whom it is for.
    pub to: Target,
    /// The text as written.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub content: String,
    /// The message of the same conversation that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// Files uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentId>,
}

/// `edit`: another text for one's own message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// Names the command.
    pub id: CommandId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Which message.
    pub target: Seq,
    /// Its new text.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub content: String,
}

/// `delete`: takes a message's text away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Delete {
    /// Names the command.
    pub id: CommandId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Which message.
    pub target: Seq,
}

/// `accepted`: the command of this id is durably stored. Also the body of an HTTP send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The command's id.
    pub id: CommandId,
    /// Where its event stands.
    pub conversation: ConversationId,
    /// Its event's number.
    pub seq: Seq,
    /// When it was stored.
    pub at: Timestamp,
}

impl Accepted {
    /// One's own message as everybody else is sent it. (The server stores it trimmed; so it is shown.)
    #[must_use]
    pub fn into_event(self, sender: UserId, content: &str) -> Event {
        let Self { id, conversation, seq, at } = self;
        let kind = EventKind::Message(Message::new(id, content.trim().to_owned(), None));
        Event { conversation, seq, at, sender, kind }
    }
}

/// The body of `POST /api/conversations/{id}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PostMessage {
    /// Names the command; sent again with the same id it is stored once and answered the same.
    pub id: CommandId,
    /// The text as written.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub content: String,
    /// The message of the same conversation that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// Files uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentId>,
}

/// A message in the log. What happened to it later stands beside `content` when it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id of the command that made it.
    pub id: CommandId,
    /// Its text; empty once deleted.
    pub content: String,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The people it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// For each of them the text behind the `@` that names them; empty in messages from before this was noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_names: Vec<String>,
    /// When its text was changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Who reacted with what; filled in by history only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = crate::limits::REACTIONS_MAX)))]
    pub reactions: Vec<Reaction>,
}

impl Message {
    /// A message as it is first stored: nothing has happened to it yet.
    #[must_use]
    pub fn new(id: CommandId, content: String, reply_to: Option<Seq>) -> Self {
        Self {
            id,
            content,
            reply_to,
            attachments: Vec::new(),
            mentions: Vec::new(),
            mention_names: Vec::new(),
            edited_at: None,
            deleted_at: None,
            reactions: Vec::new(),
        }
    }
}

/// The log's note that a message has another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Edited {
    /// Which message.
    pub target: Seq,
    /// Its new text.
    pub content: String,
    /// The people it names now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// For each of them the text behind the `@` that names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_names: Vec<String>,
}

/// The log's note that a message was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Which message.
    pub target: Seq,
}
