//! Presence: whether somebody one shares a conversation with is there. Never stored as an event.

use crate::ids::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PresenceState {
    /// Connected and active.
    Online,
    /// Connected, but not active.
    Away,
    /// No socket for ten seconds.
    Offline,
}

/// `presence`, and an entry of `welcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Who.
    pub user: UserId,
    /// How.
    pub state: PresenceState,
    /// When they were last there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}
