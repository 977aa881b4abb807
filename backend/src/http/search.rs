//! Finding messages.

use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::chat;
use crate::store::search::Found;
use crate::store::size;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::code::{Code, Rejection};
use shared::ids::{ConversationId, Timestamp};
use shared::limits;
use shared::search::SearchResults;
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Search {
    query: String,
    conversation: Option<ConversationId>,
    before: Option<Timestamp>,
    limit: Option<i64>,
}

/// `GET /api/search?query=&conversation=&before=&limit=`: messages one may read, the newest first;
/// `before` is the time of the last one of the page before.
///
/// # Errors
/// 401 without a session, 422 for what cannot be searched for.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(Search { query, conversation, before, limit }) = query.map_err(super::conversation::bad_query)?;
    let mut query = chat::search::parse(&query)?;
    query.conversation = conversation;
    query.before = query.before.into_iter().chain(before).min();
    match app.store.search(session.user.id, query, limits::page(limit)).await? {
        Found::Page { mut results, more } => {
            let fitting = size::fitting(&results, limits::EVENTS_BYTES_MAX, |result| size::event(&result.event));
            let more = more || fitting < results.len();
            results.truncate(fitting);
            Ok(axum::Json(SearchResults { results, more }).into_response())
        }
        Found::TooMuch => {
            let message = "These are too many conversations or people to search at once. Search in one conversation, \
                 or write more of the name behind from:";
            Err(Rejection::new(Code::Invalid, message).field("query").into())
        }
    }
}
