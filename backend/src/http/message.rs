//! Sending over HTTP: the same path as a socket's `send`.

use super::conversation::body_of_member;
use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::chat;
use axum::extract::{Path, Request, State};
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
    let (id, body) = body_of_member::<PostMessage>(&app, &session, &id, request).await?;
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
