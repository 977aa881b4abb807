//! Attachments: files uploaded before the message that carries them.

use crate::ids::AttachmentId;
use serde::{Deserialize, Serialize};

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Which file.
    pub id: AttachmentId,
    /// The name it was uploaded with.
    pub name: String,
    /// What it is, as the server sees it.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// In pixels, for pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels, for pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// The answer of `POST /api/attachments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttachmentBody {
    /// What was stored.
    pub attachment: Attachment,
}
