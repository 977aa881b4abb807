//! Signing in and out.

use super::error::Refused;
use super::extract::{Browser, Json, SignedIn, cookie_name};
use crate::accounts::SESSION_MAX;
use crate::accounts::password::Asker;
use crate::accounts::token::Secret;
use crate::app::App;
use crate::chat;
use crate::clock;
use crate::rate;
use crate::server::address::{PeerAddress, site};
use crate::store::SessionRow;
use crate::store::account::NewSession;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::account::{Password, SessionBody, SessionList, SignIn, User};
use shared::code::{Code, Rejection};
use shared::ids::SessionId;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a browser keeps the cookie: as long as a session may last. One that is not used ends before, on the server.
const COOKIE_SECONDS: u64 = SESSION_MAX.as_secs();
/// The answer header that makes a browser forget (W3C Clear Site Data, section 3).
pub const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Its value for what the browser has of the answers: people's files. What the page itself keeps, it takes away itself
/// but for what is not sent yet.
pub const CLEAR_CACHE: HeaderValue = HeaderValue::from_static("\"cache\"");
/// What is kept of what a browser calls itself.
const USER_AGENT_BYTES_MAX: usize = 256;

/// `POST /api/session`: signs in.
///
/// # Errors
/// 401 with one text for every wrong pair, 429 after too many of them.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    old: Result<Browser, Refused>,
    headers: HeaderMap,
    Json(body): Json<SignIn>,
) -> Result<Response, Refused> {
    let key = body.email.trim().to_lowercase();
    let credentials = match key.len() {
        0..=shared::limits::EMAIL_BYTES_MAX => app.store.credentials(&key).await?,
        _ => None,
    };
    let stored = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let is_right = verify(&app, address, &key, body.password, stored).await?;
    let Some(credentials) = credentials.filter(|_| is_right) else {
        let message = "The e-mail address or the password is not right";
        return Err(Rejection::new(Code::Unauthenticated, message).into());
    };
    let (secret, session) = new(&headers);
    // A browser that was signed in already is signed in anew: the old secret does not go on.
    if let Ok(Browser { session: old }) = old {
        sign_out(&app, &old).await?;
    }
    let (id, hash) = (session.id, session.token_hash);
    let ended = app.writer.create_session(credentials.user.id, credentials.password_hash, session).await?;
    app.ledger.know(&hash, credentials.user.id, id);
    chat::session::end(&app, credentials.user.id, &ended);
    Ok(answer(&app, StatusCode::OK, credentials.user, &secret))
}

/// `GET /api/session`: who is signed in; with a token without the address.
pub async fn show(SignedIn { session }: SignedIn) -> Response {
    axum::Json(SessionBody { user: session.user }).into_response()
}

/// `DELETE /api/session`: signs out and closes the session's sockets.
///
/// # Errors
/// 401 without a session.
pub async fn delete(State(app): State<Arc<App>>, Browser { session }: Browser) -> Result<Response, Refused> {
    sign_out(&app, &session).await?;
    Ok(signed_out(&app))
}

/// `GET /api/sessions`: one's signed-in devices, those used last first.
///
/// # Errors
/// 401 without a session, 403 with a token.
pub async fn list(State(app): State<Arc<App>>, Browser { session }: Browser) -> Result<Response, Refused> {
    let sessions = app.store.sessions(session.user.id, session.id).await?;
    Ok(axum::Json(SessionList { sessions }).into_response())
}

/// `DELETE /api/sessions/{id}`: ends one of them and closes its sockets.
///
/// # Errors
/// 401 without a session, 404 if it is not one's own.
pub async fn end(
    State(app): State<Arc<App>>,
    Browser { session }: Browser,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let id: SessionId = id.parse().map_err(|_| Rejection::not_found())?;
    if !app.writer.delete_session(session.user.id, id, false).await? {
        return Err(Rejection::not_found().into());
    }
    chat::session::end(&app, session.user.id, &[id]);
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(app: &App, session: &SessionRow) -> Result<(), Refused> {
    app.writer.delete_session(session.user.id, session.id, false).await?;
    chat::session::end(app, session.user.id, &[session.id]);
    Ok(())
}

/// A session to be stored, and the secret for the browser.
pub(super) fn new(headers: &HeaderMap) -> (Secret, NewSession) {
    let secret = Secret::new();
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let end = user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX);
    let user_agent = user_agent[..end].to_owned();
    let expires_at = clock::after(clock::now(), SESSION_MAX);
    let session = NewSession { id: clock::id(SessionId::v7), token_hash: secret.hash(), user_agent, expires_at };
    (secret, session)
}

pub(super) fn answer(app: &App, status: StatusCode, user: User, secret: &Secret) -> Response {
    let mut response = (status, axum::Json(SessionBody { user })).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(app, &secret.reveal(), COOKIE_SECONDS));
    response
}

/// The answer to whoever has just ended their own session: the browser is to forget its secret and the files it had.
pub(super) fn signed_out(app: &App) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(app, "", 0));
    response.headers_mut().insert(CLEAR_SITE_DATA, CLEAR_CACHE);
    response
}

fn cookie(app: &App, value: &str, seconds: u64) -> HeaderValue {
    let name = cookie_name(app);
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).expect("names, digits and hexadecimal digits are visible ASCII")
}

/// Whether this is the account's password. Without a stored hash it takes as long and says no. Wrong
/// ones are counted, for the account and for the address they come from.
///
/// # Errors
/// 429 after too many wrong ones.
pub(super) async fn verify(
    app: &App,
    address: IpAddr,
    email: &str,
    password: Password,
    stored: Option<String>,
) -> Result<bool, Refused> {
    let rates = &app.rates;
    let account = email[..email.floor_char_boundary(shared::limits::EMAIL_BYTES_MAX)].to_lowercase();
    let place = (account.clone(), address);
    let known = rates.known_place(&account, address);
    let key = (account, known);
    if rates.is_on {
        rates.address_failures.peek(&place, known.is_some(), Instant::now()).map_err(too_many)?;
        // Taken before the password is looked at, so that many at once do not all pass; given back if
        // it is right.
        rates.account_failures.take(key.clone(), Instant::now()).map_err(too_many)?;
        // Right ones cost a hash as well.
        if let Err(wait) = rates.account_checks.take(key.clone(), Instant::now()) {
            rates.account_failures.give_back(&key);
            let message = "You are giving your password very often. Please wait a moment";
            return Err(rate::refusal(message, wait).into());
        }
    }
    let asker = Asker { site: site(address), person: Some(key.clone()) };
    let looked_at = match password.reveal().len() {
        0..=shared::limits::PASSWORD_BYTES_MAX => app.passwords.verify(asker, password, stored).await,
        _ => Ok(false),
    };
    // A password nobody has looked at was not a wrong one, and cost no hash.
    let is_right = looked_at.inspect_err(|_| {
        rates.account_failures.give_back(&key);
        rates.account_checks.give_back(&key);
    })?;
    if is_right {
        rates.account_failures.give_back(&key);
        rates.note_place(&key.0, address);
    } else {
        rates.address_failures.count(place, known.is_some(), Instant::now());
    }
    Ok(is_right)
}

fn too_many(wait: Duration) -> Refused {
    let minutes = wait.as_secs().div_ceil(60).max(1);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    rate::refusal(format!("Too many wrong passwords. Please try again in {minutes} {unit}"), wait).into()
}
