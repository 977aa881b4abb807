//! Search: messages one may read.

use crate::event::Event;
use crate::ids::ConversationId;
use serde::{Deserialize, Serialize};

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResult {
    /// Where.
    pub conversation: ConversationId,
    /// What.
    pub event: Event,
}

/// The answer of `GET /api/search`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResults {
    /// At most 100.
    pub results: Vec<SearchResult>,
    /// Whether there are more.
    pub more: bool,
}
