//! Conversations, as they stand in somebody's list.

use super::error::Refused;
use super::extract::{Json, SignedIn};
use crate::app::App;
use crate::chat;
use crate::store::SessionRow;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::code::{Code, Rejection};
use shared::conversation::{
    ChangeConversation, ChangePreferences, ConversationBody, ConversationList, CreateConversation,
};
use shared::group_request::MadeBody;
use shared::ids::ConversationId;
use shared::limits;
use std::sync::Arc;

/// Which part of the list is asked for.
#[derive(Debug, Deserialize)]
pub struct Page {
    before: Option<ConversationId>,
    limit: Option<i64>,
}

/// `GET /api/conversations?before=&limit=`: most recent first.
///
/// # Errors
/// 401 without a session, 422 for a query that cannot be read.
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(page) = query.map_err(bad_query)?;
    let found = app.store.conversations(session.user.id, page.before, limits::page(page.limit)).await?;
    Ok(axum::Json(ConversationList { conversations: found.conversations, more: found.more }).into_response())
}

/// `GET /api/conversations/{id}`.
///
/// # Errors
/// 401 without a session, 404 if it is not there or not yours.
pub async fn show(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    Ok(shown(&app, &session, parse(&id)?).await?.into_response())
}

/// `POST /api/conversations`: makes a group or channel. People whom one may not put into it are asked.
///
/// # Errors
/// 401 without a session, 403 for too many people at once, 409 for people who may not be asked, 422 with the field at
/// fault, 429 for too many people.
pub async fn create(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Json(body): Json<CreateConversation>,
) -> Result<Response, Refused> {
    let id = chat::conversation::create(&app, &session, body).await?;
    let axum::Json(ConversationBody { conversation }) = shown(&app, &session, id).await?;
    let asked = app.store.asked_by(session.user.id, id).await?;
    Ok((StatusCode::CREATED, axum::Json(MadeBody { conversation, asked })).into_response())
}

/// `PATCH /api/conversations/{id}`: another name, another topic, open to others.
///
/// # Errors
/// 401 without a session, 403 for who may not open it, 404 if it is not there or not yours, 409 if that is fixed, 422
/// for a bad name or topic.
pub async fn change(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let (id, body) = body_of_member::<ChangeConversation>(&app, &session, &id, request).await?;
    chat::conversation::change_face(&app, &session, id, body).await?;
    Ok(shown(&app, &session, id).await?.into_response())
}

/// `PATCH /api/conversations/{id}/preferences`: what one wants of it.
///
/// # Errors
/// 401 without a session, 404 if it is not there or not yours, 422 for what is no preference.
pub async fn prefer(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let (id, body) = body_of_member::<ChangePreferences>(&app, &session, &id, request).await?;
    chat::conversation::prefer(&app, &session, id, body).await?;
    Ok(shown(&app, &session, id).await?.into_response())
}

/// How a conversation stands for whoever asks.
async fn shown(app: &App, session: &SessionRow, id: ConversationId) -> Result<axum::Json<ConversationBody>, Refused> {
    let conversation = app.store.summary(session.user.id, id).await?.ok_or_else(Rejection::not_found)?;
    Ok(axum::Json(ConversationBody { conversation }))
}

/// The conversation a member asks about, and the body of the request. Membership is asked for before
/// the body is read, so that a bad body does not tell whether the conversation exists.
pub(super) async fn body_of_member<T: DeserializeOwned>(
    app: &Arc<App>,
    session: &SessionRow,
    id: &str,
    request: Request,
) -> Result<(ConversationId, T), Refused> {
    let id = parse(id)?;
    app.store.member(session.user.id, id).await?.ok_or_else(Rejection::not_found)?;
    let Json(body) = Json::from_request(request, app).await?;
    Ok((id, body))
}

/// An id in a path. What is no id is not there.
pub(super) fn parse(id: &str) -> Result<ConversationId, Rejection> {
    id.parse().map_err(|_| Rejection::not_found())
}

pub(super) fn bad_query(rejection: QueryRejection) -> Refused {
    Rejection::new(Code::Invalid, format!("The query cannot be read: {}", rejection.body_text())).field("query").into()
}
