//! Search: messages one may read.

use crate::event::Event;
use crate::ids::ConversationId;
use serde::{Deserialize, Serialize};

/// The filters of a query: what stands before the colon.
pub const FILTERS: [&str; 5] = ["from", "in", "before", "after", "has"];

/// A part of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryPart<'a> {
    /// A word, or several in quotes.
    Words(&'a str),
    /// A filter of [`FILTERS`], and its value.
    Filter(&'static str, &'a str),
}

/// The parts of a query in their order: server and page read it in one way.
pub fn query_parts(query: &str) -> impl Iterator<Item = QueryPart<'_>> {
    let mut rest = query.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        for filter in FILTERS {
            if let Some(value) = rest.strip_prefix(filter).and_then(|rest| rest.strip_prefix(':')) {
                let (value, after) = value_of(value);
                // A word that happens to look like one: "in: the box".
                if !value.is_empty() {
                    rest = after.trim_start();
                    return Some(QueryPart::Filter(filter, value));
                }
            }
        }
        let (value, after) = value_of(rest);
        rest = after.trim_start();
        Some(QueryPart::Words(value))
    })
}

/// A word, or several in quotes; and what comes after.
fn value_of(text: &str) -> (&str, &str) {
    match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    }
}

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
