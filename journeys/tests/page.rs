//! How the page is handed out: compressed, cached where it may be, asked for again where it must be.

use crate::support::Server;
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Client, Response};

async fn get(server: &Server, path: &str, encoding: &str) -> Response {
    let http = Client::builder().no_proxy().build().unwrap();
    let request = http.get(format!("{}{path}", server.origin())).header(ACCEPT_ENCODING, encoding);
    request.send().await.unwrap()
}

fn header(answer: &Response, name: reqwest::header::HeaderName) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The files the page names, by the end of their names.
async fn file(server: &Server, end: &str) -> String {
    let page = get(server, "/", "").await.text().await.unwrap();
    let name = page.split('"').find(|word| word.starts_with('/') && word.ends_with(end) && !word.contains(' '));
    name.unwrap_or_else(|| panic!("the page names no {end}")).to_owned()
}

#[tokio::test]
async fn the_page_is_compressed_and_what_is_named_by_its_content_is_kept_for_ever() {
    let server = Server::start();
    for (end, kind) in [(".wasm", "application/wasm"), (".css", "text/css; charset=utf-8")] {
        let path = file(&server, end).await;
        for (accepted, encoding) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("identity", "")] {
            let answer = get(&server, &path, accepted).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(header(&answer, CONTENT_ENCODING), encoding);
            assert_eq!(header(&answer, CONTENT_TYPE), kind);
            assert_eq!(header(&answer, CACHE_CONTROL), "public, max-age=31536000, immutable");
        }
    }
    let whole = get(&server, &file(&server, ".wasm").await, "identity").await.bytes().await.unwrap().len();
    let small = get(&server, &file(&server, ".wasm").await, "br").await.bytes().await.unwrap().len();
    assert!(small * 2 < whole, "{small} of {whole}");
}

#[tokio::test]
async fn the_index_is_asked_for_again_and_answered_briefly() {
    let server = Server::start();
    for path in ["/", "/signin", "/c/0192f0c1-2345-7abc-8def-0123456789ab", "/boot.js"] {
        let answer = get(&server, path, "br").await;
        assert_eq!((answer.status().as_u16(), header(&answer, CACHE_CONTROL)), (200, "no-cache".into()), "{path}");
        let etag = header(&answer, ETAG);
        assert!(etag.starts_with('"') && etag.ends_with('"'));
        let http = Client::builder().no_proxy().build().unwrap();
        let again = http.get(format!("{}{path}", server.origin())).header(ACCEPT_ENCODING, "br");
        let again = again.header(IF_NONE_MATCH, &etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        let plain = get(&server, path, "identity").await;
        assert_ne!(header(&plain, ETAG), etag, "another form has another name");
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_there() {
    let server = Server::start();
    for path in
        ["/nothing", "/index.html.br", "/.built-from", "/signin/more", "/api", "/%2e%2e/Cargo.toml", "/favicon.ico"]
    {
        let answer = get(&server, path, "br").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(!header(&answer, CONTENT_TYPE).starts_with("text/html"), "{path}");
    }
}
