//! Signing in and out.

use super::error::Refused;
use super::extract::{Json, SignedIn, cookie_name};
use crate::accounts::token::Secret;
use crate::app::App;
use crate::clock;
use crate::config::Switch;
use crate::server::address::PeerAddress;
use crate::store::writer::NewSession;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::account::{SessionBody, SignIn, User};
use shared::code::{Code, Rejection};
use shared::ids::SessionId;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a browser keeps the cookie: as long as an unused session lasts.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;
/// What is kept of what a browser calls itself.
const USER_AGENT_BYTES_MAX: usize = 256;

/// `POST /api/session`: signs in.
///
/// # Errors
/// 401 with one text for every wrong pair, 429 after too many of them.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    Json(body): Json<SignIn>,
) -> Result<Response, Refused> {
    check_address(&app, address)?;
    let key = body.email.trim().to_lowercase();
    let account = key[..key.floor_char_boundary(shared::limits::EMAIL_BYTES_MAX)].to_owned();
    if app.config.rate_limits == Switch::On {
        // Taken before the password is looked at, so that many at once do not all pass; given back if
        // it is right.
        app.rates.account_failures.take(account.clone(), Instant::now()).map_err(too_many)?;
    }
    let wrong =
        || Refused::from(Rejection::new(Code::Unauthenticated, "The e-mail address or the password is not right"));
    let credentials = match key.len() {
        0..=shared::limits::EMAIL_BYTES_MAX => app.store.credentials(&key).await?,
        _ => None,
    };
    let stored = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let is_right = match body.password.reveal().len() {
        0..=shared::limits::PASSWORD_BYTES_MAX => app.passwords.verify(body.password, stored).await?,
        _ => false,
    };
    let Some(credentials) = credentials.filter(|_| is_right) else {
        count_failure(&app, address);
        return Err(wrong());
    };
    app.rates.account_failures.give_back(&account);
    let (secret, session) = new(&headers);
    app.writer.create_session(credentials.user.id, session).await?;
    Ok(answer(&app, StatusCode::OK, credentials.user, &secret))
}

/// `GET /api/session`: who is signed in.
pub async fn show(SignedIn { session }: SignedIn) -> Response {
    axum::Json(SessionBody { user: session.user }).into_response()
}

/// `DELETE /api/session`: signs out and closes the session's sockets.
///
/// # Errors
/// 401 without a session.
pub async fn delete(State(app): State<Arc<App>>, SignedIn { session }: SignedIn) -> Result<Response, Refused> {
    app.writer.delete_session(session.id).await?;
    app.registry.close_session(session.user.id, session.id, shared::close::SESSION_ENDED);
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, "", 0));
    Ok(response)
}

/// A session to be stored, and the secret for the browser.
pub(super) fn new(headers: &HeaderMap) -> (Secret, NewSession) {
    let secret = Secret::new();
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let end = user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX);
    let user_agent = user_agent[..end].to_owned();
    let session = NewSession { id: clock::id(SessionId::v7), token_hash: secret.hash(), user_agent };
    (secret, session)
}

pub(super) fn answer(app: &App, status: StatusCode, user: User, secret: &Secret) -> Response {
    let mut response = (status, axum::Json(SessionBody { user })).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(app, &secret.reveal(), COOKIE_SECONDS));
    response
}

fn cookie(app: &App, value: &str, seconds: u32) -> HeaderValue {
    let name = cookie_name(app);
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).expect("names, digits and hexadecimal digits are visible ASCII")
}

/// Refuses an address with too many wrong passwords behind it.
pub(super) fn check_address(app: &App, address: IpAddr) -> Result<(), Refused> {
    if app.config.rate_limits == Switch::On {
        app.rates.address_failures.peek(&address, Instant::now()).map_err(too_many)?;
    }
    Ok(())
}

pub(super) fn count_failure(app: &App, address: IpAddr) {
    // Only counts: whether there is room is asked before the password is looked at.
    let _ = app.rates.address_failures.take(address, Instant::now());
}

fn too_many(wait: Duration) -> Refused {
    let minutes = wait.as_secs().div_ceil(60).max(1);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    Rejection::new(Code::RateLimited, format!("Too many wrong passwords. Please try again in {minutes} {unit}"))
        .retry_after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        .into()
}
