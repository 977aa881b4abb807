//! The contract, for machines: OpenAPI for HTTP, a JSON Schema for the socket.

use axum::response::{IntoResponse, Response};

/// `GET /api/openapi.json`
pub async fn openapi() -> Response {
    axum::Json(serde_json::json!({})).into_response()
}

/// `GET /api/socket.json`
pub async fn socket() -> Response {
    axum::Json(serde_json::json!({})).into_response()
}
