//! All URLs, on one screen.

use super::gate;
use crate::app::App;
use crate::http::{
    account, attachment, channel, conversation, document, event, extract, health, member, message, page, push, receipt,
    search, session, token, user,
};
use crate::socket::upgrade;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use shared::code::Rejection;
use std::sync::Arc;

macro_rules! routes {
    ($($method:ident $path:literal => $handler:expr,)*) => {
        /// Every method and path below `/api` and beside it, the page's own files aside. The permission
        /// matrix and the OpenAPI document have a row for each, or their tests fail.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routes() -> Router<Arc<App>> {
            Router::new()$(.route($path, on(MethodFilter::$method, $handler)))*
        }
    };
}

routes! {
    POST "/api/accounts" => account::create,
    PATCH "/api/account" => account::change,
    DELETE "/api/account" => account::delete,
    POST "/api/session" => session::create,
    GET "/api/session" => session::show,
    DELETE "/api/session" => session::delete,
    GET "/api/sessions" => session::list,
    DELETE "/api/sessions/{id}" => session::end,
    POST "/api/tokens" => token::create,
    GET "/api/tokens" => token::list,
    DELETE "/api/tokens/{id}" => token::delete,
    GET "/api/users" => user::list,
    GET "/api/conversations" => conversation::list,
    POST "/api/conversations" => conversation::create,
    GET "/api/conversations/{id}" => conversation::show,
    PATCH "/api/conversations/{id}" => conversation::change,
    PATCH "/api/conversations/{id}/preferences" => conversation::prefer,
    GET "/api/conversations/{id}/members" => member::list,
    PUT "/api/conversations/{id}/members/{user}" => member::add,
    PATCH "/api/conversations/{id}/members/{user}" => member::change,
    DELETE "/api/conversations/{id}/members/{user}" => member::remove,
    GET "/api/conversations/{id}/receipts" => receipt::list,
    GET "/api/conversations/{id}/events" => event::list,
    POST "/api/conversations/{id}/messages" => message::create,
    GET "/api/channels" => channel::list,
    POST "/api/attachments" => attachment::create,
    GET "/api/attachments/{id}" => attachment::show,
    DELETE "/api/attachments/{id}" => attachment::delete,
    GET "/api/attachments/{id}/thumbnail" => attachment::thumbnail,
    GET "/api/push" => push::show,
    PUT "/api/push" => push::subscribe,
    DELETE "/api/push" => push::unsubscribe,
    GET "/api/search" => search::list,
    GET "/api/openapi.json" => document::openapi,
    GET "/api/socket.json" => document::socket,
    GET "/ws" => upgrade::upgrade,
    GET "/healthz" => health::live,
    GET "/readyz" => health::ready,
}

/// Every URL of the server.
pub fn router(app: Arc<App>) -> Router {
    routes()
        .fallback(anything_else)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), extract::check_origin))
        .layer(middleware::from_fn_with_state(app.clone(), gate::check))
        .layer(middleware::from_fn(gate::catch_panic))
        .layer(middleware::from_fn(protect))
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
/// somebody are nobody else's, and no cache's.
async fn protect(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_private = path.starts_with("/api/") || path == "/ws";
    let mut response = next.run(request).await;
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
