//! Resuming: a client says what it has, the server replays what it has not.

use crate::ids::{ConversationId, Cursor, Epoch};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

/// `resume`: for each cursor, the events after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// Which history the cursors belong to.
    pub epoch: Epoch,
    /// The last seq seen of each conversation.
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<ConversationId, Cursor>"))]
    pub cursors: LiteMap<ConversationId, Cursor>,
}

/// `resumed`: the replay of this conversation is complete up to `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Up to here.
    pub seq: Cursor,
}

/// `resync`: the server will not replay from that cursor; load the conversation again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Resync {
    /// Which conversation.
    pub conversation: ConversationId,
}
