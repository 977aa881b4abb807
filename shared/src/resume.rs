//! Resuming: a client says what it has, the server replays what it has not.

use crate::ids::{ConversationId, Cursor, Epoch};
use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// `resume`: for each cursor, the events after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// Which history the cursors belong to.
    pub epoch: Epoch,
    /// The last seq seen of each conversation.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<ConversationId, Cursor>"))]
    #[serde(with = "object")]
    pub cursors: LiteMap<ConversationId, Cursor>,
}

/// The map as an object, also when it is empty.
mod object {
    use super::{BTreeMap, ConversationId, Cursor, Deserialize, Deserializer, LiteMap, Serializer};

    pub(super) fn serialize<S: Serializer>(
        cursors: &LiteMap<ConversationId, Cursor>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(cursors.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<LiteMap<ConversationId, Cursor>, D::Error> {
        BTreeMap::deserialize(deserializer).map(|cursors| cursors.into_iter().collect())
    }
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
