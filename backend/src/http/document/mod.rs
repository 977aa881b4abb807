//! The contract, for machines: OpenAPI 3.1 for HTTP, a JSON Schema for the socket. Both are made from
//! the types that are spoken, once, when somebody first asks.

mod operation;
mod table;

use super::extract::cookie_name;
use crate::app::App;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use operation::{REFUSALS, refusal};
use serde_json::{Map, Value, json};
use shared::code::ErrorBody;
use shared::schema::{DIALECT, Definitions};
use std::sync::{Arc, LazyLock};

static SOCKET: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(shared::schema::socket().to_string()));
static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document("confab").to_string()));
static OPENAPI_HTTPS: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document("__Host-confab").to_string()));

/// `GET /api/openapi.json`: every call over HTTP.
pub async fn openapi(State(app): State<Arc<App>>) -> Response {
    let document = if cookie_name(&app) == "confab" { &OPENAPI } else { &OPENAPI_HTTPS };
    answer(document)
}

/// `GET /api/socket.json`: every frame of the socket.
pub async fn socket() -> Response {
    answer(&SOCKET)
}

fn answer(document: &Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response()
}

/// The OpenAPI document (OpenAPI Specification 3.1.1) of a server whose session cookie has this name.
fn document(cookie: &str) -> Value {
    let mut definitions = Definitions::at("/components/schemas");
    let mut paths: Map<String, Value> = Map::new();
    for operation in table::table(&mut definitions) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let method = operation.method.to_lowercase();
        path[method] = operation.into_value();
    }
    let error = definitions.written::<ErrorBody>();
    let refusals: Map<_, _> =
        REFUSALS.iter().map(|(status, text)| (status.to_string(), refusal(*status, text, &error))).collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Confab",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Signing in, reading and managing over HTTP. Conversations are live on the socket at /ws; \
                            its frames are described by /api/socket.json.\n\nMethods that change something need \
                            an Origin header that is the server's own or allowed in its settings, unless they carry a \
                            token. Checks run in this order: origin 403, session 401, there and yours 404, media type \
                            415, JSON 400, content 422.",
            "license": {"name": "MIT or Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": "/"}],
        "tags": table::TAGS.iter().map(|(name, text)| json!({"name": name, "description": text})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": definitions.finish(),
            "responses": refusals,
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": "A browser's session, from signing up or signing in.",
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, for bots and command-line programs. It cannot manage sessions, \
                                    tokens or the account.",
                },
            },
        },
    })
}
