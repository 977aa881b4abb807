//! What handlers ask for: who is signed in, from where, with which body. The order of the checks is
//! the contract's: origin 403, session 401, there-and-yours 404, media type 415, JSON 400, content 422.

use super::error::Refused;
use crate::accounts::{SESSION_IDLE_MAX, SessionKind, token};
use crate::app::App;
use crate::clock;
use crate::ledger::slot::ConnectionSlot;
use crate::ledger::toll::Toll;
use crate::server::address::PeerAddress;
use crate::store::SessionRow;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use shared::code::{Code, Rejection};
use shared::ids::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The largest JSON body, in bytes: a message of the full length, every byte of it escaped.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// How much of a body that is too large is read to throw it away.
const BODY_BYTES_DISCARDED_MAX: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Cookies of the session's name that are looked at; further ones are ignored.
const COOKIES_MAX: usize = 8;
/// How often it is noted that an API token is in use.
const TOKEN_TOUCH: Duration = Duration::from_secs(60);
/// How often it is noted that a session is in use.
const SESSION_TOUCH: Duration = Duration::from_secs(60 * 60);

/// The session a request was made with.
#[derive(Debug)]
pub struct SignedIn {
    /// The session.
    pub session: SessionRow,
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let shown = Shown::from_request_parts(parts, app).await?;
        let slot = parts.extensions.get::<ConnectionSlot>();
        let session = shown.look_up(app, slot).await?.ok_or_else(signed_out)?;
        app.ledger.know(&shown.hash, session.user.id, session.id);
        note_use(app, &session);
        note_place(app, &session, parts);
        // Every route has a toll, and every request a slot; the router's test sees to it.
        if let (Some(slot), Some(toll)) = (slot, parts.extensions.get::<Toll>()) {
            slot.admit(session.user.id, *toll, body_bytes(&parts.headers)).await?;
        }
        Ok(Self { session })
    }
}

/// Bytes of the body; `None`: the request does not say.
pub fn body_bytes(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Some(length.unwrap_or(0))
}

/// What is told to somebody who is nobody.
pub fn signed_out() -> Refused {
    Refused::from(Rejection::new(Code::Unauthenticated, "Please sign in first"))
}

/// SHA-256 of each secret that a request shows: of its bearer token, or of its cookies of the session's name, at most
/// [`COOKIES_MAX`].
#[derive(Debug, Clone)]
pub struct Secrets {
    hashes: Vec<[u8; 32]>,
    is_bearer: bool,
}

impl Secrets {
    /// Secrets that these headers show.
    #[must_use]
    pub fn of(headers: &HeaderMap, app: &App) -> Self {
        if let Some(token) = bearer(headers) {
            return Self { hashes: token::hash(token).into_iter().collect(), is_bearer: true };
        }
        let all = cookies(headers, cookie_name(app)).take(COOKIES_MAX);
        Self { hashes: all.filter_map(token::hash).collect(), is_bearer: false }
    }

    /// The hashes.
    #[must_use]
    pub fn hashes(&self) -> &[[u8; 32]] {
        &self.hashes
    }
}

/// The secret of a request that counts.
#[derive(Debug)]
pub struct Shown {
    /// What would be stored of it.
    pub hash: [u8; 32],
    /// A browser's session that was silent since before this moment has ended.
    pub not_before: Timestamp,
    is_bearer: bool,
}

impl Shown {
    /// The one of these secrets that counts. Over http a neighbouring name may set a cookie of the same name, which a
    /// browser may send first; so of several cookies the first that is a session counts (RFC 6265 section 5.4 asks servers
    /// not to rely on their order). Each that is none is paid by the connection's address.
    ///
    /// # Errors
    /// 401 if there is none.
    pub async fn of(secrets: &Secrets, app: &App, slot: Option<&ConnectionSlot>) -> Result<Self, Refused> {
        let not_before = clock::before(clock::now(), SESSION_IDLE_MAX);
        let shown = |hash: &[u8; 32]| Self { hash: *hash, not_before, is_bearer: secrets.is_bearer };
        let (first, others) = secrets.hashes.split_first().ok_or_else(signed_out)?;
        if others.is_empty() {
            return Ok(shown(first));
        }
        for hash in &secrets.hashes {
            let one = shown(hash);
            if one.look_up(app, slot).await?.is_some() {
                return Ok(one);
            }
        }
        Ok(shown(first))
    }

    /// The session with this secret. A secret that is no session's is paid by the connection's address.
    async fn look_up(&self, app: &App, slot: Option<&ConnectionSlot>) -> Result<Option<SessionRow>, Refused> {
        let found = app.store.session(self.hash, self.not_before).await?.filter(|session| self.fits(session));
        if found.is_none()
            && let Some(slot) = slot
        {
            slot.note_stranger(&self.hash);
        }
        Ok(found)
    }

    /// Whether a session may be used like this. A browser's secret is good as a cookie only, and a token only where
    /// no browser puts it by itself: otherwise the check of the origin could be walked around.
    #[must_use]
    pub fn fits(&self, session: &SessionRow) -> bool {
        self.is_bearer == (session.kind == SessionKind::Token)
    }
}

impl FromRequestParts<Arc<App>> for Shown {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let secrets = parts.extensions.get::<Secrets>().cloned();
        let secrets = secrets.unwrap_or_else(|| Secrets::of(&parts.headers, app));
        Self::of(&secrets, app, parts.extensions.get::<ConnectionSlot>()).await
    }
}

/// Notes now and then that a session is in use.
pub fn note_use(app: &Arc<App>, session: &SessionRow) {
    let each = if session.kind == SessionKind::Token { TOKEN_TOUCH } else { SESSION_TOUCH };
    if session.last_seen_at < clock::before(clock::now(), each) {
        // Only a note; the request does not depend on it.
        let (app, user, id) = (app.clone(), session.user.id, session.id);
        tokio::spawn(async move { app.writer.touch_session(user, id).await });
    }
}

/// Notes that an account is used where a browser's request comes from: whoever guesses passwords there does not lock
/// its owner out, also after a restart. (Programs do not sign in.)
fn note_place(app: &App, session: &SessionRow, parts: &Parts) {
    if let (Some(email), Some(PeerAddress(address))) = (&session.user.email, parts.extensions.get()) {
        app.rates.note_place(email, *address);
    }
}

/// A session of a browser's: what an API token may not do (managing sessions, tokens and the account)
/// asks for this.
#[derive(Debug)]
pub struct Browser {
    /// The session.
    pub session: SessionRow,
}

impl FromRequestParts<Arc<App>> for Browser {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let SignedIn { session } = SignedIn::from_request_parts(parts, app).await?;
        match session.kind {
            SessionKind::Browser => Ok(Self { session }),
            SessionKind::Token => {
                Err(Rejection::new(Code::Forbidden, "An API token cannot do this. Sign in with a browser").into())
            }
        }
    }
}

/// The secret of `Authorization: Bearer …` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// The session cookie's name. Over https it is bound to this host (RFC 6265bis section 4.1.3.2).
#[must_use]
pub fn cookie_name(app: &App) -> &'static str {
    if app.config.is_https() { "__Host-confab" } else { "confab" }
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(key, value)| (key == name).then_some(value))
}

/// A JSON body, bounded in size and time.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Refused> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = media_type
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            let message = "The body must be JSON, with Content-Type: application/json";
            return Err(Rejection::new(Code::UnsupportedMediaType, message).into());
        }
        let bytes = read(request.into_body()).await?;
        let bad_json = || Rejection::new(Code::BadJson, "The body is not valid JSON");
        let text = std::str::from_utf8(&bytes).map_err(|_| bad_json())?;
        shared::frame::decode_body(text).map(Json).map_err(Refused::from)
    }
}

/// A body that is too large is read on for a while and thrown away: a client that is still writing
/// when the connection closes would never see the answer.
async fn read(body: Body) -> Result<Vec<u8>, Refused> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut total) = (Vec::new(), 0);
    let reading = async {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Rejection::new(Code::BadJson, "The body was cut off"))?;
            total += chunk.len();
            if total <= BODY_BYTES_MAX {
                bytes.extend_from_slice(&chunk);
            } else if total > BODY_BYTES_DISCARDED_MAX {
                break;
            }
        }
        Ok::<(), Refused>(())
    };
    match tokio::time::timeout(BODY_TIME_MAX, reading).await {
        Ok(read) => read?,
        Err(_) => {
            return Err(Refused::with_status(
                Rejection::new(Code::BadJson, "The body did not arrive in time"),
                axum::http::StatusCode::REQUEST_TIMEOUT,
            ));
        }
    }
    if total > BODY_BYTES_MAX {
        return Err(Rejection::new(Code::TooLarge, format!("A body has at most {BODY_BYTES_MAX} bytes")).into());
    }
    Ok(bytes)
}

/// Refuses what another site's page makes a browser send: methods that change something, and the
/// socket's handshake, need an `Origin` that is this server's own or configured (RFC 6454).
pub async fn check_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe && request.uri().path() != "/ws" {
        return next.run(request).await;
    }
    // No browser sends a bearer token by itself, so no other site can make one send it.
    if is_from_own_page(&app, request.headers()) {
        return next.run(request).await;
    }
    let message = "This request does not come from this server's own page. Open the page at the server's address, or \
                   allow the other one with --allow-origin";
    Refused::from(Rejection::new(Code::BadOrigin, message)).into_response()
}

/// Whether nobody else's page can have made a browser send this.
pub fn is_from_own_page(app: &App, headers: &HeaderMap) -> bool {
    is_own(app, headers) || bearer(headers).is_some()
}

fn is_own(app: &App, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(Ok(origin)), None) = (origins.next().map(|value| value.to_str()), origins.next()) else {
        return false;
    };
    if app.config.allow_origin.iter().any(|allowed| allowed == origin) {
        return true;
    }
    // A browser that knows better than the header (W3C Fetch Metadata).
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return false;
    }
    match &app.config.public_url {
        Some(url) => url == origin,
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            host.is_some_and(|host| origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host)))
        }
    }
}
