//! Finding messages.

use super::error::Refused;
use super::extract::SignedIn;
use super::step::in_steps;
use crate::app::App;
use crate::chat;
use crate::ledger::toll;
use crate::store::search::Found;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::code::{Code, Rejection};
use shared::ids::{ConversationId, Timestamp};
use shared::limits::{self, SEARCH_SKIP_MAX};
use shared::search::SearchResults;
use std::sync::Arc;
use std::time::Instant;

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Search {
    query: String,
    conversation: Option<ConversationId>,
    before: Option<Timestamp>,
    #[serde(default)]
    skip: u32,
    limit: Option<i64>,
}

/// `GET /api/search?query=&conversation=&before=&skip=&limit=`: messages one may read, the newest first;
/// `before` is the time of the last one of the page before. Where a page has messages of one time only, `skip` leads to
/// the rest of them. Anything that comes of a search leaves at a [step](super::step).
///
/// # Errors
/// 401 without a session, 422 for what cannot be searched for, 429 for more work than is left.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(Search { query, conversation, before, skip, limit }) = query.map_err(super::conversation::bad_query)?;
    if skip > SEARCH_SKIP_MAX {
        let message = format!("At most {SEARCH_SKIP_MAX} results can be skipped. Name a time with before");
        return Err(Rejection::new(Code::Invalid, message).field("skip").into());
    }
    let mut query = chat::search::parse(&query)?;
    query.conversation = conversation;
    query.before = query.before.into_iter().chain(before).min();
    let (ledger, person) = (app.ledger.clone(), app.ledger.person(session.user.id));
    let pay = move |work| ledger.take(&person, toll::search(work), Instant::now());
    in_steps(async {
        match app.store.search(session.user.id, query, skip, limits::page(limit), pay).await? {
            Found::Page { results, more } => Ok(axum::Json(SearchResults { results, more }).into_response()),
            Found::Refused(rejection) => Err(rejection.into()),
            Found::TooMuch => {
                let message = "These are too many conversations or people to search at once. Search in one \
                     conversation, or write more of the name behind from:";
                Err(Rejection::new(Code::Invalid, message).field("query").into())
            }
        }
    })
    .await
}
