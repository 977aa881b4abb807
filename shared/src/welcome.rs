//! The first frame of a socket, and the small frames that keep it alive.

use crate::account::User;
use crate::conversation::Summary;
use crate::ids::{Epoch, SessionId, Timestamp};
use crate::limits::Limits;
use crate::presence::Presence;
use serde::{Deserialize, Serialize};

/// `welcome`: all that the first screen needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// Who is signed in.
    pub user: User,
    /// By which session.
    pub session: SessionId,
    /// Which history the server has.
    pub epoch: Epoch,
    /// The server's clock.
    pub now: Timestamp,
    /// How often a quiet client sends `ping`, in milliseconds.
    pub heartbeat_ms: u64,
    /// What the server takes.
    pub limits: Limits,
    /// Most recent first, 100 at most.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::limits::WELCOME_CONVERSATIONS_MAX)))]
    pub conversations: Vec<Summary>,
    /// Whether there are older conversations than these.
    pub more: bool,
    /// Of the people one shares a conversation with.
    pub presence: Vec<Presence>,
    /// How many group requests wait for an answer; left out if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub group_requests: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// `ping` and `pong`. The nonce is any JSON; it comes back as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ping {
    /// Comes back in the `pong`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<serde_json::Value>,
}

/// `draining`: the server is going away; come back elsewhere or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// When, in milliseconds from now.
    pub retry_after_ms: u64,
}
