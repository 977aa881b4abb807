//! History: parts of a conversation's log.

use super::conversation::{bad_query, parse};
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::store::Range;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::code::{Code, Rejection};
use shared::conversation::EventList;
use shared::ids::{Cursor, Timestamp};
use shared::limits;
use std::sync::Arc;

/// Which part is asked for; one of the four bounds, or none for the newest.
#[derive(Debug, Deserialize)]
pub struct Bounds {
    before: Option<Cursor>,
    after: Option<Cursor>,
    around: Option<Cursor>,
    at: Option<Timestamp>,
    limit: Option<i64>,
}

impl Bounds {
    fn range(&self) -> Result<Range, Rejection> {
        match (self.before, self.after, self.around, self.at) {
            (None, None, None, None) => Ok(Range::Newest),
            (Some(before), None, None, None) => Ok(Range::Before(before)),
            (None, Some(after), None, None) => Ok(Range::After(after)),
            (None, None, Some(around), None) => Ok(Range::Around(around)),
            (None, None, None, Some(at)) => Ok(Range::At(at)),
            _ => Err(Rejection::new(Code::Invalid, "Give one of before, after, around and at").field("before")),
        }
    }
}

/// `GET /api/conversations/{id}/events?before=|after=|around=|at=&limit=`: in `seq` order.
///
/// # Errors
/// 401 without a session, 404 if the conversation is not there or not yours, 422 for bad bounds.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    query: Result<Query<Bounds>, QueryRejection>,
) -> Result<Response, Refused> {
    let member = app.store.member(session.user.id, parse(&id)?).await?.ok_or_else(Rejection::not_found)?;
    let Query(bounds) = query.map_err(bad_query)?;
    let (events, more) = app.store.events(&member, bounds.range()?, limits::page(bounds.limit)).await?;
    Ok(axum::Json(EventList { events, more }).into_response())
}
