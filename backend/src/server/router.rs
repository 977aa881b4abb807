//! All URLs, on one screen.

use super::gate;
use crate::app::App;
use crate::http::{
    account, attachment, channel, conversation, document, event, extract, group_request, health, member, message, page,
    push, receipt, search, session, token, user,
};
use crate::ledger::toll::{HANDSHAKE, Toll};
use crate::socket::upgrade;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use shared::code::Rejection;
use std::sync::Arc;

/// Names of its own that the host has are not spoken for: they may be served over http.
const HTTPS_FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

macro_rules! routes {
    ($($method:ident $path:literal costs $toll:expr => $handler:expr,)*) => {
        /// Every method and path below `/api` and beside it, the page's own files aside. The permission
        /// matrix and the OpenAPI document have a row for each, or their tests fail.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];
        /// The cost of each of them, in the same order.
        pub const TOLLS: &[Toll] = &[$($toll),*];

        fn routes(app: &Arc<App>) -> Router<Arc<App>> {
            let toll = |toll: Toll| middleware::from_fn_with_state((app.clone(), toll), gate::take_toll);
            Router::new()$(.route($path, on(MethodFilter::$method, $handler).layer(toll($toll))))*
        }
    };
}

routes! {
    POST "/api/accounts" costs address(20) => account::create,
    PATCH "/api/account" costs person(50) => account::change,
    DELETE "/api/account" costs person(50) => account::delete,
    POST "/api/session" costs address(20) => session::create,
    GET "/api/session" costs person(1).small() => session::show,
    DELETE "/api/session" costs person(10).small() => session::delete,
    GET "/api/sessions" costs person(2) => session::list,
    DELETE "/api/sessions/{id}" costs person(10) => session::end,
    POST "/api/tokens" costs person(10) => token::create,
    GET "/api/tokens" costs person(2) => token::list,
    DELETE "/api/tokens/{id}" costs person(10) => token::delete,
    GET "/api/users" costs person(5) => user::list,
    GET "/api/conversations" costs person(10) => conversation::list,
    POST "/api/conversations" costs person(10) => conversation::create,
    GET "/api/conversations/{id}" costs person(1) => conversation::show,
    PATCH "/api/conversations/{id}" costs person(5) => conversation::change,
    PATCH "/api/conversations/{id}/preferences" costs person(5) => conversation::prefer,
    GET "/api/conversations/{id}/members" costs person(5) => member::list,
    PUT "/api/conversations/{id}/members/{user}" costs person(5) => member::add,
    PATCH "/api/conversations/{id}/members/{user}" costs person(5) => member::change,
    DELETE "/api/conversations/{id}/members/{user}" costs person(5) => member::remove,
    GET "/api/conversations/{id}/receipts" costs person(2) => receipt::list,
    GET "/api/conversations/{id}/departure" costs person(1) => group_request::departure,
    GET "/api/conversations/{id}/events" costs person(5) => event::list,
    POST "/api/conversations/{id}/messages" costs person(1) => message::create,
    GET "/api/group-requests" costs person(2) => group_request::list,
    DELETE "/api/group-requests/{id}" costs person(5) => group_request::decline,
    GET "/api/channels" costs person(5) => channel::list,
    POST "/api/attachments" costs person(5).file() => attachment::create,
    GET "/api/attachments/{id}" costs person(1) => attachment::show,
    DELETE "/api/attachments/{id}" costs person(5) => attachment::delete,
    GET "/api/attachments/{id}/thumbnail" costs person(1) => attachment::thumbnail,
    GET "/api/push" costs person(1) => push::show,
    PUT "/api/push" costs person(10) => push::subscribe,
    DELETE "/api/push" costs person(5) => push::unsubscribe,
    GET "/api/search" costs person(10) => search::list,
    GET "/api/openapi.json" costs address(5) => document::openapi,
    GET "/api/socket.json" costs address(5) => document::socket,
    GET "/ws" costs person(HANDSHAKE).small() => upgrade::upgrade,
    GET "/healthz" costs address(1).small() => health::live,
    GET "/readyz" costs address(1).small() => health::ready,
}

const fn person(units: u32) -> Toll {
    Toll::person(units)
}

const fn address(units: u32) -> Toll {
    Toll::address(units)
}

/// Every URL of the server.
pub fn router(app: Arc<App>) -> Router {
    routes(&app)
        .fallback(anything_else)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), extract::check_origin))
        .layer(middleware::from_fn_with_state(app.clone(), gate::check))
        .layer(middleware::from_fn(gate::catch_panic))
        .layer(middleware::from_fn_with_state(app.clone(), protect))
        .with_state(app)
}

/// What is no API call is the page's.
async fn anything_else(request: Request) -> Response {
    if request.uri().path().starts_with("/api/") { not_found().await } else { page::serve(request).await }
}

async fn not_found() -> Response {
    refuse(Rejection::not_found())
}

async fn method_not_allowed() -> Response {
    refuse(Rejection::method_not_allowed())
}

fn refuse(rejection: Rejection) -> Response {
    crate::http::error::Refused::from(rejection).into_response()
}

/// What every answer carries that does not say otherwise: the page's policy, and no guessing of types. Answers about
/// somebody are nobody else's, and no cache's. A browser whose session has ended forgets the files it had of it, and one
/// that reaches the server by https comes by https from then on (RFC 6797).
async fn protect(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_private = path.starts_with("/api/") || path == "/ws";
    let has_cookie = request.headers().contains_key(header::COOKIE);
    let mut response = next.run(request).await;
    if has_cookie && response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(session::CLEAR_SITE_DATA, session::CLEAR_CACHE);
    }
    if app.config.is_https() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_FOR_A_YEAR);
    }
    add_protection(response.headers_mut(), is_private);
    response
}

/// See above.
pub fn add_protection(headers: &mut HeaderMap, is_private: bool) {
    if is_private {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}
