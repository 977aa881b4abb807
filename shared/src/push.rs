//! Being told of messages while the page is closed: Web Push (RFC 8030), encrypted for one browser (RFC 8291).

use crate::ids::{ConversationId, Seq};
use serde::{Deserialize, Serialize};

/// The answer of `GET /api/push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushKey {
    /// What the server signs with (RFC 8292): the `applicationServerKey` to subscribe with, in base64url without padding.
    pub key: String,
}

/// The body of `PUT /api/push`: what the browser's subscription says, its keys in base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushSubscription {
    /// The browser's own address at its push service.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::limits::PUSH_ENDPOINT_BYTES_MAX)))]
    pub endpoint: String,
    /// Its public key: an uncompressed point of P-256.
    pub p256dh: String,
    /// Its secret: 16 bytes.
    pub auth: String,
}

/// What is pushed, as JSON: enough to show a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushNotice {
    /// Where.
    pub conversation: ConversationId,
    /// Which message.
    pub seq: Seq,
    /// Who, and where if that is not the same.
    pub title: String,
    /// What; the beginning of it if it is long.
    pub body: String,
}
