//! Who is in a conversation: bringing people in, sending them away, leaving.

use super::conversation::{bad_query, body_of_member, parse};
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::chat;
use crate::chat::deliver::Answer;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::code::Rejection;
use shared::conversation::ChangeMember;
use shared::group_request::AskedBody;
use shared::ids::UserId;
use shared::limits;
use std::sync::Arc;

/// Which members are asked for.
#[derive(Debug, Deserialize)]
pub struct Page {
    #[serde(default)]
    search: String,
    /// So many of them are not told again.
    #[serde(default)]
    pub skip: u32,
    /// How many are told.
    pub limit: Option<i64>,
}

impl Page {
    /// What is looked for; the end of something very long does not count.
    pub fn search(&self) -> &str {
        &self.search[..self.search.floor_char_boundary(limits::SEARCH_CHARS_MAX)]
    }
}

/// `GET /api/conversations/{id}/members?search=&skip=&limit=`: by name, with their roles.
///
/// # Errors
/// 401 without a session, 404 if the conversation is not there or not yours, 422 for a query that
/// cannot be read.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Refused> {
    let member = app.store.member(session.user.id, parse(&id)?).await?.ok_or_else(Rejection::not_found)?;
    let Query(page) = query.map_err(bad_query)?;
    let page = app.store.member_page(&member, page.search(), page.skip, limits::page(page.limit)).await?;
    Ok(axum::Json(page).into_response())
}

/// `PUT /api/conversations/{id}/members/{userId}`: any member brings somebody in, or asks them (202); anybody joins a public
/// channel or where they are asked, or comes back to what they have left.
///
/// # Errors
/// 401 without a session, 403 for more people at once than the settings allow, 404 if the conversation or the person is
/// not there or not yours, 409 if its members are fixed or too many, or the person has left it or may not be asked, 429 for too
/// many people.
pub async fn add(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path((id, user)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let user = person(&user)?;
    Ok(match chat::conversation::add(&app, &session, parse(&id)?, user).await? {
        Answer::Asked => (StatusCode::ACCEPTED, axum::Json(AskedBody { asked: vec![user] })).into_response(),
        Answer::Stored(_) | Answer::Repeated(_) | Answer::Unchanged => StatusCode::NO_CONTENT.into_response(),
    })
}

/// `DELETE /api/conversations/{id}/members/{userId}`: anybody leaves, owners and moderators send away, and end that
/// somebody who has left may come back.
///
/// # Errors
/// 401 without a session, 403 if one may not, 404 if the conversation or the member is not there or
/// not yours, 409 if its members are fixed.
pub async fn remove(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    chat::conversation::remove(&app, &session, parse(&id)?, person(&user)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PATCH /api/conversations/{id}/members/{userId}`: an owner gives somebody another role.
///
/// # Errors
/// 401 without a session, 403 for who is no owner, 404 if the conversation or the member is not there
/// or not yours, 409 if there are no roles, or it is one's own.
pub async fn change(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path((id, user)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let (id, body) = body_of_member::<ChangeMember>(&app, &session, &id, request).await?;
    chat::conversation::appoint(&app, &session, id, person(&user)?, body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn person(id: &str) -> Result<UserId, Rejection> {
    id.parse().map_err(|_| Rejection::not_found())
}
