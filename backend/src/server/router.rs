//! All URLs, on one screen.

use super::gate;
use crate::app::App;
use crate::http::{account, conversation, event, extract, health, message, page, session, user};
use crate::socket::upgrade;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use shared::code::Rejection;
use std::sync::Arc;

/// Every URL of the server.
pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/accounts", post(account::create))
        .route("/session", post(session::create).get(session::show).delete(session::delete))
        .route("/users", get(user::list))
        .route("/conversations", get(conversation::list))
        .route("/conversations/{id}", get(conversation::show))
        .route("/conversations/{id}/events", get(event::list))
        .route("/conversations/{id}/messages", post(message::create))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::map_response(private));
    Router::new()
        .nest("/api", api)
        .route("/ws", get(upgrade::upgrade).layer(middleware::map_response(private)))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(page::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), extract::check_origin))
        .layer(middleware::from_fn_with_state(app.clone(), gate::check))
        .layer(middleware::from_fn(gate::catch_panic))
        .layer(middleware::from_fn(protect))
        .with_state(app)
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

/// Answers about somebody are nobody else's, and no cache's.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
    response
}

/// What every answer carries: the page's policy, and no guessing of types.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}
