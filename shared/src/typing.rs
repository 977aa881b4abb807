//! Typing: somebody is writing. Never stored.

use crate::ids::{ConversationId, UserId};
use serde::{Deserialize, Serialize};

/// `typing` from a client, repeated at most every three seconds while typing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Typing {
    /// Where.
    pub conversation: ConversationId,
}

/// `typing` to the other members; shown for five seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserTyping {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
}
