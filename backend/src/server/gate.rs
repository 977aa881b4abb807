//! What every request passes before its handler: its method, its form, the host it asks for; and a handler that
//! panics is one answer, not the end of its connection.
//!
//! A page of another site can give its own name the address of this server (DNS rebinding); its requests then carry
//! that name as `Host`, and a browser takes them for same-origin. So names are accepted only if they are ours, or
//! cannot be an attacker's: addresses themselves, and names that public DNS never answers.

use super::pressure;
use crate::app::App;
use crate::config::Config;
use crate::http::error::Refused;
use crate::http::extract;
use crate::ledger::slot::ConnectionSlot;
use crate::ledger::toll::Toll;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use shared::code::{Code, Rejection};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

const METHODS: &[Method] =
    &[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// Ends of names that are never given out in public: RFC 6761, RFC 6762, RFC 8375, and `internal`, which ICANN
/// reserved in 2024.
const PRIVATE_ENDS: &[&str] = &[".localhost", ".local", ".home.arpa", ".internal"];

/// Refuses what no handler should have to think about.
pub async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match refusal(&app.config, &request) {
        None => next.run(request).await,
        Some(refused) => refused.into_response(),
    }
}

/// The answer to a request that no handler should have to think about; `None` for a good one.
pub fn refusal<B>(config: &Config, request: &axum::http::Request<B>) -> Option<Response> {
    let uri = request.uri();
    if !METHODS.contains(request.method()) {
        let mut response = Refused::from(Rejection::method_not_allowed()).into_response();
        response.headers_mut().insert(header::ALLOW, ALLOW);
        return Some(response);
    }
    if uri.authority().is_some() {
        return Some(bad_request("This server is no proxy: ask for a path"));
    }
    if uri.path() == "/ws" && uri.query().is_some() {
        return Some(bad_request("This address takes no query. Who you are is said by the session's cookie"));
    }
    // Whoever watches the server asks by whatever name it has there, and learns nothing from the answer.
    if matches!(uri.path(), "/healthz" | "/readyz") {
        return None;
    }
    match host(request.headers()) {
        None => Some(bad_request("A request needs one Host header with a name or an address")),
        Some(host) if is_ours(config, &host) => None,
        Some(host) => {
            let message = format!(
                "This server does not know itself as {host}. If it is this server's name, start it with --allow-host \
                 {host}, or set --public-url"
            );
            let rejection = Rejection::new(Code::BadOrigin, message);
            Some(Refused::with_status(rejection, StatusCode::MISDIRECTED_REQUEST).into_response())
        }
    }
}

fn bad_request(message: &str) -> Response {
    Refused::with_status(Rejection::new(Code::Invalid, message), StatusCode::BAD_REQUEST).into_response()
}

/// The name or address in the one `Host` header, in lower case, without port and final dot.
fn host(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    Some(host.strip_suffix('.').map(str::to_owned).unwrap_or(host)).filter(|host| !host.is_empty())
}

/// Whether a name is this server's, or cannot be somebody else's. The port makes no difference to either.
fn is_ours(config: &Config, host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || PRIVATE_ENDS.iter().any(|end| host.ends_with(end))
        || config.allow_host.iter().any(|name| name == host)
        || config.public_url.iter().chain(&config.allow_origin).any(|origin| host_of(origin) == Some(host))
}

/// The host of an origin as the settings hold it: `https://chat.example.org:8443`.
fn host_of(origin: &str) -> Option<&str> {
    let (_, rest) = origin.split_once("://")?;
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(host),
        _ => Some(rest),
    }
}

/// What every route passes: its toll is paid, or known to the session that is going to be shown; and while memory is
/// nearly full only what needs little of it is done, so that those who are connected stay connected.
pub async fn take_toll(State((app, toll)): State<(Arc<App>, Toll)>, mut request: Request, next: Next) -> Response {
    if app.pressure.is_high() && !toll.is_small {
        return Refused::from(pressure::refusal()).into_response();
    }
    // Requests that come through the listener have one.
    if let Some(slot) = request.extensions().get::<ConnectionSlot>()
        && let Err(rejection) = slot.take(toll, extract::body_bytes(request.headers()))
    {
        return Refused::from(rejection).into_response();
    }
    request.extensions_mut().insert(toll);
    next.run(request).await
}

/// A handler that panics answers 500 like one that fails; its connection and everybody else's go on.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    let answer = async move {
        #[cfg(debug_assertions)]
        if crate::fault::is_on("panic_when_asked") && request.uri().query() == Some("panic") {
            panic!("asked to");
        }
        next.run(request).await
    };
    // What a handler shares with others is behind locks that are whole at any moment.
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("http.panicked");
        Refused::from(Rejection::internal()).into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Config {
        use clap::Parser;
        let arguments = crate::config::Arguments::try_parse_from([&["confab"], arguments].concat()).expect("good");
        Config::load(arguments.serve).expect("good settings")
    }

    fn is_accepted(config: &Config, value: &str) -> Option<bool> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(value).expect("a header value"));
        host(&headers).map(|host| is_ours(config, &host))
    }

    #[test]
    fn names_nobody_else_can_have_need_no_setting() {
        let config = config(&[]);
        for name in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.168.1.7",
            "localhost",
            "LOCALHOST:1",
            "confab:8080",
            "pi.local",
            "pi.local.",
        ] {
            assert_eq!(is_accepted(&config, name), Some(true), "{name}");
        }
        for name in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "chat.example.org"] {
            assert_eq!(is_accepted(&config, name), Some(false), "{name}");
        }
        for nonsense in ["", ":80", "a b", "a/b", "user@localhost", "a,b.c", "."] {
            assert_ne!(is_accepted(&config, nonsense), Some(true), "{nonsense}");
        }
    }

    #[test]
    fn names_in_the_settings_are_ours() {
        let config = config(&[
            "--public-url=https://chat.example.org:8443",
            "--allow-origin=http://dev.example.org:8000",
            "--allow-host=Other.Example.org",
        ]);
        for name in ["chat.example.org:8443", "Chat.Example.org", "dev.example.org", "other.example.org:1"] {
            assert_eq!(is_accepted(&config, name), Some(true), "{name}");
        }
        for name in ["example.org", "xchat.example.org", "chat.example.org.evil.example"] {
            assert_eq!(is_accepted(&config, name), Some(false), "{name}");
        }
    }
}
