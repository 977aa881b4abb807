//! The handshake: `GET /ws` (RFC 6455 section 4.2). Who asks, and from which page, is checked before
//! anything is upgraded.
//!
//! It is done here and not by axum, because the key is checked, other versions are told ours, and the socket is to
//! run on a wire of ours.

use super::connection::{self, Arrival};
use super::line::Line;
use crate::app::App;
use crate::chat::welcome;
use crate::http::error::Refused;
use crate::http::extract::{Shown, note_use, signed_out};
use crate::ledger::slot::{ConnectionSlot, PersonPlace};
use crate::rate;
use crate::server::pressure;
use crate::store::SessionRow;
use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use shared::code::{Code, Rejection};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The subprotocol of this contract.
pub const SUBPROTOCOL: &str = "chat.v1";

/// How long a handshake waits for its turn when a crowd comes at once.
const TURN_TIME_MAX: Duration = Duration::from_secs(5);
/// When those are told to come back whose turn did not come.
const TURN_RETRY: Duration = Duration::from_secs(3);

/// `GET /ws`.
///
/// # Errors
/// 401 without a session, 400 or 426 for what is no handshake, 503 if there is no room or no turn for another socket.
pub async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(slot): Extension<ConnectionSlot>,
    late: Option<Extension<Late>>,
    shown: Shown,
    handshake: Handshake,
) -> Result<Response, Refused> {
    if late.is_some() {
        return Err(too_many());
    }
    let turn = take_turn(&app).await?;
    let (hash, not_before) = (shown.hash, shown.not_before);
    let admission = Admission::default();
    let entered = welcome::enter(&app, hash, not_before, admission.by(&app, shown, &slot)).await?;
    let Some(place) = admission.take() else {
        slot.note_stranger(&hash);
        return Err(signed_out());
    };
    let place = place?;
    let (session, registration, screen) = entered.ok_or_else(signed_out)?;
    note_use(&app, &session);
    let Handshake { upgrade, accepted } = handshake;
    let arriving = Box::pin(async move {
        // An error here is a connection that was lost before it was a socket.
        let parts = upgrade.await.ok()?.downcast::<TokioIo<Line>>().ok()?;
        let (stream, ahead) = (parts.io.into_inner().into_tcp(), parts.read_buf.to_vec());
        Some(Arrival { stream, ahead, answer: Vec::new(), session, registration, screen, turn, place })
    });
    // Tracked where stopping waits for it.
    let tracker = app.sockets.clone();
    let held = app.descriptors.hold();
    tracker.spawn(connection::run(app, held, arriving));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    accepted.write(response.headers_mut());
    Ok(response)
}

/// Place of a socket that is being opened, or why there is none. Nothing is there if no such session was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Admission(Arc<Mutex<Option<Result<PersonPlace, Rejection>>>>);

impl Admission {
    /// Whether a session may open a socket: it is used as it may be, and its person has a place for it and pays for the
    /// handshake, before their first screen is read. From then on the connection counts as a socket of its person.
    pub(super) fn by(
        &self,
        app: &Arc<App>,
        shown: Shown,
        slot: &ConnectionSlot,
    ) -> impl FnOnce(&SessionRow) -> bool + Send + use<> {
        let (ledger, slot, admission) = (app.ledger.clone(), slot.clone(), self.clone());
        move |session| {
            if !shown.fits(session) {
                return false;
            }
            ledger.know(&shown.hash, session.user.id, session.id);
            let place = slot.admit_socket(session.user.id);
            let may = place.is_ok();
            *admission.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
            may
        }
    }

    /// What has come of it.
    pub(super) fn take(&self) -> Option<Result<PersonPlace, Rejection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Somebody's turn was waited for already, in vain.
#[derive(Debug, Clone, Copy)]
pub struct Late;

/// A turn to be welcomed, held until the first frame is made: what a crowd that comes back at once asks of the
/// database is bounded.
///
/// # Errors
/// 503 if none came in time, or there is no room for another socket.
pub(super) async fn take_turn(app: &App) -> Result<OwnedSemaphorePermit, Refused> {
    if app.stopping.is_cancelled() {
        let message = "The server is stopping. Please come back in a moment";
        return Err(rate::overloaded(message, Duration::from_secs(1)).into());
    }
    if app.pressure.is_high() {
        return Err(pressure::refusal().into());
    }
    match timeout(TURN_TIME_MAX, app.welcomes.clone().acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(too_many()),
    }
}

fn too_many() -> Refused {
    rate::overloaded("Many people come in at this moment. Please come back in a few seconds", TURN_RETRY).into()
}

/// A request that is a WebSocket handshake.
#[derive(Debug)]
pub struct Handshake {
    upgrade: OnUpgrade,
    accepted: Accepted,
}

/// What a good handshake is answered with.
#[derive(Debug)]
pub struct Accepted {
    accept: HeaderValue,
    /// Whether our subprotocol was offered.
    is_ours: bool,
}

impl Accepted {
    /// Adds the answer's headers.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.is_ours {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
    }
}

/// Whether a request is a handshake.
///
/// # Errors
/// The answer to one that is none.
pub(super) fn accept(method: &Method, version: Version, headers: &HeaderMap) -> Result<Accepted, Box<Response>> {
    if method != Method::GET {
        return Err(Box::new(Refused::from(Rejection::method_not_allowed()).into_response()));
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") || !has_token(headers, &header::UPGRADE, "websocket") {
        return Err(bad("Connection: Upgrade and Upgrade: websocket are missing"));
    }
    if version != Version::HTTP_11 {
        return Err(bad("it must be an HTTP/1.1 request"));
    }
    if has_body(headers) {
        return Err(bad("it must have no body"));
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(other_version());
    }
    let Some(key) = only(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in base64"));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).expect("base64 is visible ASCII");
    Ok(Accepted { accept, is_ours: has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) })
}

impl FromRequestParts<Arc<App>> for Handshake {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        let accepted = accept(&parts.method, parts.version, &parts.headers).map_err(|response| *response)?;
        let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return Err(*bad("this connection cannot be upgraded"));
        };
        Ok(Self { upgrade, accepted })
    }
}

fn bad(what: &str) -> Box<Response> {
    let message = format!("This address speaks WebSocket, version 13: {what}");
    Box::new(Refused::with_status(Rejection::new(Code::Invalid, message), StatusCode::BAD_REQUEST).into_response())
}

/// RFC 6455 section 4.4: whoever speaks another version is told ours.
fn other_version() -> Box<Response> {
    let rejection = Rejection::new(Code::Invalid, "This address speaks WebSocket, version 13 only");
    let mut response = Refused::with_status(rejection, StatusCode::UPGRADE_REQUIRED).into_response();
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    Box::new(response)
}

/// The value of a header that must stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether a list (RFC 9110 section 5.6.1) has this member, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|member| member.trim().eq_ignore_ascii_case(token))
}

/// Frames would be taken for the body, or the body for frames.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// Whether this is 16 bytes in base64 (RFC 4648 section 4): 22 digits and two signs of padding.
fn is_key(key: &str) -> bool {
    key.len() == 24
        && key.strip_suffix("==").is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes_of_base64() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        for bad in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZ===", "x"] {
            assert!(!is_key(bad), "{bad}");
        }
        assert!(!is_key("dGhlIHNhbXBsZSBub25jZ_=="), "that is another alphabet");
    }

    #[test]
    fn members_of_a_list_are_whole_words() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.append(header::UPGRADE, HeaderValue::from_static("websocket2"));
        assert!(has_token(&headers, &header::CONNECTION, "upgrade"));
        assert!(!has_token(&headers, &header::UPGRADE, "websocket"));
    }
}
