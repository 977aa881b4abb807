//! Group requests: somebody wants a person in a group or channel with whom they have never talked. The person is no member
//! until they join.

use crate::account::User;
use crate::conversation::{ConversationKind, Summary};
use crate::ids::{ConversationId, Timestamp, UserId};
#[cfg(feature = "schema")]
use crate::limits;
use serde::{Deserialize, Serialize};

/// A request to come into a group or channel: all that is told of it before one has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupRequest {
    /// Which conversation.
    pub conversation: ConversationId,
    /// `group` or `channel`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["group", "channel"])))]
    pub kind: ConversationKind,
    /// Its name, if somebody gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many are in it.
    pub member_count: u64,
    /// Person who asks.
    pub asker: User,
    /// Since when.
    pub at: Timestamp,
}

/// The answer of `GET /api/group-requests`: the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupRequestList {
    /// At most 50.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::GROUP_REQUESTS_MAX)))]
    pub requests: Vec<GroupRequest>,
}

/// `groupRequests`: a request to oneself has come, or one has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GroupRequestsChanged {
    /// How many there are now.
    pub count: u64,
}

/// The answer of `PUT /api/conversations/{id}/members/{userId}` for a person who is asked first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskedBody {
    /// Person who has a request, and is no member.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1)))]
    pub asked: Vec<UserId>,
}

/// The answer of `POST /api/conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MadeBody {
    /// How it stands now.
    pub conversation: Summary,
    /// Named people who have a request, and are no members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<UserId>,
}

/// The answer of `GET /api/conversations/{id}/departure`: what one has left and may come back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DepartureBody {
    /// `group` or `channel`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["group", "channel"])))]
    pub kind: ConversationKind,
}
