//! Sending over HTTP: the same path as a socket's `send`.

use super::conversation::parse;
use super::error::Refused;
use super::extract::{Json, SignedIn};
use crate::app::App;
use crate::chat;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use shared::code::{Code, Rejection};
use shared::message::PostMessage;
use std::sync::Arc;

/// `POST /api/conversations/{id}/messages`: 201 the first time, 200 with the same body on a retry.
///
/// # Errors
/// 401 without a session, 404 if the conversation is not there or not yours, 409 if the id was used
/// for another command, 422 for content that cannot be sent.
pub async fn create(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let id = parse(&id)?;
    // Asked before the body is read, so that a bad body does not tell whether the conversation exists.
    app.store.member(session.user.id, id).await?.ok_or_else(Rejection::not_found)?;
    let Json(body) = Json::<PostMessage>::from_request(request, &app).await?;
    let (accepted, is_repeated) = chat::message::post(&app, &session, id, body).await.map_err(for_http)?;
    let status = if is_repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(accepted)).into_response())
}

/// On HTTP everything wrong with the content is `invalid`; the field says which.
fn for_http(rejection: Rejection) -> Rejection {
    match rejection.code {
        Code::BadField | Code::Empty | Code::TooLong | Code::BadReference => {
            Rejection { code: Code::Invalid, ..rejection }
        }
        _ => rejection,
    }
}
