//! Receipts: how far somebody has received and read a conversation. Cumulative, never backwards.

use crate::ids::{ConversationId, Cursor, Seq, UserId};
#[cfg(feature = "schema")]
use crate::limits;
use serde::{Deserialize, Serialize};

/// `delivered` and `read` from a client: everything up to `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpTo {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The last event received or read; clamped to what exists.
    pub seq: Seq,
}

/// `receipt`: somebody else's positions in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// Received up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Cursor>,
    /// Read up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Cursor>,
}

/// The answer of `GET /api/conversations/{id}/receipts`: how far each of the others is, those who have come
/// nowhere yet left out. Empty for the conversation with everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptList {
    /// One for each person.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::MEMBERS_MAX)))]
    pub receipts: Vec<Receipt>,
}
