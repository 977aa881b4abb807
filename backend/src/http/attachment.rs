//! Files: uploading, fetching, taking back.

use super::error::Refused;
use super::extract::SignedIn;
use crate::app::App;
use crate::attachment::place::Sender;
use crate::attachment::upload::{Received, Unclean, UploadError, check_length, discard_body};
use crate::ledger::answer::Streamed;
use crate::rate;
use crate::server::address::{PeerAddress, site};
use crate::store::SessionRow;
use crate::store::attachment::{NewAttachment, StoredAttachment, charged};
use axum::body::{Body, HttpBody};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use shared::attachment::{Attachment, AttachmentBody, Shown};
use shared::code::{Code, Rejection};
use shared::ids::{AttachmentId, UserId};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// A file runs nothing and loads nothing, whatever it is and wherever it is opened.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
/// A file never changes: the browser of whoever had it keeps it for a day, or until they sign out. Their cookie is part
/// of what it is kept under.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, max-age=86400, immutable");

/// What a file is called.
#[derive(Debug, Deserialize)]
pub struct Named {
    #[serde(default)]
    name: String,
    /// Whether its sender wants it to be sent even if metadata cannot be removed.
    #[serde(default)]
    unclean: bool,
}

/// `POST /api/attachments?name=&unclean=`: the body is the file.
///
/// # Errors
/// 401 without a session, 408 if it stops coming, 413 if it is too large, 422 if it may hold where it was taken, 429 for too many,
/// 503 for too many of all people or if its place was needed, 507 if the disk is full, has only the reserve for messages left,
/// or one has too much.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    SignedIn { session }: SignedIn,
    query: Result<Query<Named>, QueryRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let Query(Named { name, unclean }) = query.map_err(super::conversation::bad_query)?;
    let user = session.user.id;
    if app.rates.is_on {
        let message = "You are sending very many files. Please wait a moment";
        app.rates.uploads.take(user, Instant::now()).map_err(|wait| rate::refusal(message, wait))?;
    }
    let bytes_max = app.config.attachment_bytes;
    let body = request.into_body();
    let announced = body.size_hint().exact();
    let body = check_length(announced, body, bytes_max).await?;
    let place = app.attachments.places.take(Sender { user, address, site: site(address) })?;
    // Asked beforehand, so that nothing is taken in only to be thrown away; decided when it is noted.
    let quota = app.config.attachment_mib_per_user.saturating_mul(1024 * 1024);
    if app.store.attachment_bytes(user).await?.saturating_add(charged(announced.unwrap_or(0))) > quota {
        drop(place);
        discard_body(body, bytes_max).await;
        return Err(too_much(quota).into());
    }
    let unclean = if unclean { Unclean::Kept } else { Unclean::Refused };
    let received = app.attachments.receive(&name, body, bytes_max, place, unclean).await.map_err(refused)?;
    // On a task of its own: whoever closes the connection now must not leave a file without a row.
    let kept = tokio::spawn(keep(app, user, received, quota));
    let attachment = kept.await.unwrap_or_else(|_| Err(Rejection::internal().into()))?;
    Ok((StatusCode::CREATED, Json(AttachmentBody { attachment })).into_response())
}

/// Gives a file that has come in its place, and notes it.
async fn keep(app: Arc<App>, user: UserId, received: Received, quota: u64) -> Result<Attachment, Refused> {
    let small_form = received.small_form;
    let attachment = app.attachments.publish(received).await.map_err(refused)?;
    let new = NewAttachment { owner: user, attachment: attachment.clone(), small_form };
    let noted = app.writer.add_attachment(new, quota).await;
    if !matches!(noted, Ok(true)) {
        // What cannot be removed now has no row, and is found by the sweep.
        let _ = app.attachments.folder.remove(attachment.id).await;
    }
    if noted? { Ok(attachment) } else { Err(too_much(quota).into()) }
}

fn refused(error: UploadError) -> Refused {
    match error {
        UploadError::Refused(rejection) => rejection.into(),
        UploadError::TimedOut => {
            let rejection = Rejection::new(Code::BadJson, "The file did not arrive in time");
            Refused::with_status(rejection, StatusCode::REQUEST_TIMEOUT)
        }
    }
}

fn too_much(quota: u64) -> Rejection {
    let message = format!(
        "Your files have more than the {} MB there are for each person. Delete messages with files you do not need",
        quota / 1_048_576
    );
    Rejection::new(Code::StorageFull, message).field("quota")
}

/// `GET /api/attachments/{id}`: the bytes, or a part of them (RFC 9110 section 14).
///
/// # Errors
/// 401 without a session, 404 if it is not there or not yours.
pub async fn show(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let StoredAttachment { attachment, .. } = find(&app, &session, &id).await?;
    let media_type =
        if attachment.media_type == "text/plain" { "text/plain; charset=utf-8" } else { &attachment.media_type };
    let disposition = disposition(attachment.shown(), &attachment.name);
    serve(app.attachments.folder.file(attachment.id), request, media_type, &disposition).await
}

/// `GET /api/attachments/{id}/thumbnail`: the small form of a picture.
///
/// # Errors
/// 401 without a session, 404 if it is not there, not yours, or no picture.
pub async fn thumbnail(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let StoredAttachment { attachment, small_type } = find(&app, &session, &id).await?;
    let small_type = small_type.ok_or_else(Rejection::not_found)?;
    serve(app.attachments.folder.small(attachment.id), request, &small_type, "inline").await
}

/// `DELETE /api/attachments/{id}`: takes back a file of one's own that was not sent.
///
/// # Errors
/// 401 without a session, 404 if it is not there, not yours, or a message has it.
pub async fn delete(
    State(app): State<Arc<App>>,
    SignedIn { session }: SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    if !app.writer.remove_attachment(session.user.id, parse(&id)?).await? {
        return Err(Rejection::not_found().into());
    }
    app.attachments.note_removed();
    Ok(StatusCode::NO_CONTENT)
}

/// The file of this id, if whoever asks may have it.
async fn find(app: &App, session: &SessionRow, id: &str) -> Result<StoredAttachment, Refused> {
    let found = app.store.attachment(session.user.id, parse(id)?).await?;
    Ok(found.ok_or_else(Rejection::not_found)?)
}

fn parse(id: &str) -> Result<AttachmentId, Rejection> {
    id.parse().map_err(|_| Rejection::not_found())
}

async fn serve(path: PathBuf, mut request: Request, media_type: &str, disposition: &str) -> Result<Response, Refused> {
    // A range that makes no sense is as if it were not there (RFC 9110 section 14.2); several are answered by the whole.
    if !request.headers().get(header::RANGE).is_some_and(|value| value.to_str().is_ok_and(is_range)) {
        request.headers_mut().remove(header::RANGE);
    }
    let Ok(answer) = ServeFile::new(path).oneshot(request).await;
    let mut answer = answer.map(Body::new);
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(Rejection::not_found().into());
    }
    let headers: &mut HeaderMap = answer.headers_mut();
    // Types and names are our own, of visible ASCII; one that were not would be left out.
    for (name, value) in [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, disposition)] {
        headers.remove(&name);
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    answer.extensions_mut().insert(Streamed);
    Ok(answer)
}

/// Whether this asks for one part of a file, in bytes: `bytes=2-5`, `bytes=2-`, `bytes=-3` (RFC 9110 section 14.1.2).
fn is_range(value: &str) -> bool {
    let Some((unit, range)) = value.split_once('=') else { return false };
    let Some((first, last)) = range.trim().split_once('-') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_one = match (first, last) {
        ("", last) => is_number(last),
        (first, "") => is_number(first),
        // Numbers beyond any file are left to whoever reads it.
        (first, last) => {
            is_number(first)
                && is_number(last)
                && !matches!((first.parse::<u64>(), last.parse::<u64>()), (Ok(first), Ok(last)) if first > last)
        }
    };
    unit.eq_ignore_ascii_case("bytes") && is_one
}

/// What `attr-char` of RFC 5987 section 3.2.1 does not hold.
const NAME_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Whether a file is shown or downloaded, and under which name (RFC 6266): a plain one for whoever knows no better,
/// and the real one.
fn disposition(shown: Shown, name: &str) -> String {
    let mut value = String::from(if shown == Shown::Name { "attachment" } else { "inline" });
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    let _ = write!(value, "; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NAME_ESCAPED));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_range_of_bytes_that_makes_sense_is_one() {
        for good in ["bytes=0-0", "bytes=2-5", "bytes=2-", "bytes=-3", "Bytes=1-1", "bytes=5-99999999999999999999"] {
            assert!(is_range(good), "{good}");
        }
        for bad in
            ["", "bytes", "bytes=", "bytes=-", "bytes=9-1", "lines=1-2", "bytes=a-b", "bytes=1-2,4-5", "bytes=+1-2"]
        {
            assert!(!is_range(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(
            disposition(Shown::Name, "a \"b\"\\%0d%0aX: 'ü'.txt"),
            "attachment; filename=\"a _b___0d_0aX: '_'.txt\"; \
             filename*=UTF-8''a%20%22b%22%5C%250d%250aX%3A%20%27%C3%BC%27.txt"
        );
        assert!(
            disposition(Shown::Picture, "图.png")
                .starts_with("inline; filename=\"_.png\"; filename*=UTF-8''%E5%9B%BE.png")
        );
    }
}
