//! Search: messages one may read.

use crate::event::Event;
use crate::ids::ConversationId;
use serde::{Deserialize, Serialize};

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchResult {
    /// Where.
    pub conversation: ConversationId,
    /// What.
    pub event: Event,
}

/// The answer of `GET /api/search`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchResults {
    /// At most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::limits::PAGE_MAX)))]
    pub results: Vec<SearchResult>,
    /// Whether there are more.
    pub more: bool,
}
