//! Reactions: one grapheme on a message, on or off.

use crate::ids::{CommandId, ConversationId, Seq, UserId};
use serde::{Deserialize, Serialize};

/// `react`: sets or takes back one's own reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct React {
    /// Names the command.
    pub id: CommandId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Which message.
    pub target: Seq,
    /// One grapheme, at most 64 bytes.
    pub emoji: String,
    /// Set or take back.
    pub on: bool,
}

/// The log's note of a reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reacted {
    /// Which message.
    pub target: Seq,
    /// Which reaction.
    pub emoji: String,
    /// Set or taken back.
    pub on: bool,
}

/// One reaction of a message and the people who gave it, in the order they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// Which reaction.
    pub emoji: String,
    /// Who gave it.
    pub users: Vec<UserId>,
}
