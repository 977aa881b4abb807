//! The page, compiled into the program.
//!
//! What the build named by its content (`-0123456789abcdef` in the name or the folder's) never changes and is kept by
//! browsers for ever; everything else, `index.html` first of all, is asked for again each time and
//! answered by its ETag. Compressed forms were made at build time.

use super::error::Refused;
use crate::ledger::answer::Streamed;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use shared::code::Rejection;
use std::borrow::Cow;
use std::fmt::Write;

#[derive(RustEmbed)]
#[folder = "../dist"]
#[exclude = ".built-from"]
#[allow_missing = true]
struct Page;

/// What the page may load and do: itself, its own WebAssembly, its own server. No inline script.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; img-src 'self' data: blob:; media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const MISSING: &str = "The page is not built into this program. Build it with: cargo xtask run\n";

/// Any `GET` that is no API call: a file of the page, or the page itself for its own routes.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Refused::from(Rejection::method_not_allowed()).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = if shared::page::is_route(path) { "index.html" } else { path };
    // The compressed forms are answers to the plain name only.
    if [".br", ".gz"].iter().any(|end| name.ends_with(end)) {
        return not_found();
    }
    match (Page::get(name), name) {
        (Some(file), _) => answer(name, &file, request.headers()),
        (None, "index.html") => (StatusCode::SERVICE_UNAVAILABLE, MISSING).into_response(),
        (None, _) => not_found(),
    }
}

fn not_found() -> Response {
    Refused::from(Rejection::not_found()).into_response()
}

/// Whether the build put a hash of the content into the name: up to 16 hexadecimal digits, without
/// leading zeros.
fn is_hashed(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, rest)| {
        let hash = rest.split(['.', '_', '/']).next().unwrap_or_default();
        (12..=16).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn answer(name: &str, file: &EmbeddedFile, asked: &HeaderMap) -> Response {
    let accepts = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let compressed = [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(encoding, end)| {
        accepts_encoding(accepts, encoding).then(|| Page::get(&format!("{name}.{end}")).map(|file| (encoding, file)))?
    });
    let encoding = compressed.as_ref().map(|(encoding, _)| *encoding);
    let etag = etag(file, encoding);

    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        // Names, hashes and media types of our own build; one that is no header value is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, media_type(name));
    set(header::ETAG, &etag);
    set(header::VARY, "Accept-Encoding");
    set(header::CACHE_CONTROL, if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" });
    let is_known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == etag);
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    let data = compressed.map_or_else(|| file.data.clone(), |(_, file)| file.data);
    let body = match data {
        // A part of the program: however many do not read theirs, it lies in memory once.
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    (headers, Extension(Streamed), Body::from(body)).into_response()
}

fn accepts_encoding(accepts: &str, encoding: &str) -> bool {
    accepts.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding))
            && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0)))
    })
}

fn etag(file: &EmbeddedFile, encoding: Option<&str>) -> String {
    let mut etag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..12] {
        let _ = write!(etag, "{byte:02x}");
    }
    let _ = write!(etag, "{}\"", encoding.map(|encoding| format!("-{encoding}")).unwrap_or_default());
    etag
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for name in [
            "frontend-d37ffe1b9a52ed31.js",
            "frontend-d37ffe1b9a52ed31_bg.wasm",
            "styles-123456789abcdef.css",
            "frontend-d37ffe1b9a52ed31/chunk_3.wasm",
        ] {
            assert!(is_hashed(name), "{name}");
        }
        for name in ["index.html", "boot.js", "a-b.js", "frontend-d37ffe1b9a5.js", "x-zzzzzzzzzzzzzzzz.js"] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn an_encoding_is_used_only_if_it_is_wanted() {
        assert!(accepts_encoding("gzip, deflate, br", "br"));
        assert!(accepts_encoding("gzip;q=0.5, BR;q=1", "br"));
        assert!(!accepts_encoding("gzip, br;q=0", "br"));
        assert!(!accepts_encoding("brotli", "br"));
        assert!(!accepts_encoding("", "gzip"));
    }
}
