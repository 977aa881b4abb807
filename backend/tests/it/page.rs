//! What the server says of itself to a browser: headers and routes. (The page itself is tested in a
//! browser.)

use crate::support::Server;

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let server = Server::start();
    for path in ["/", "/api/session", "/healthz", "/nothing"] {
        let answer = server.http().get(format!("{}{path}", server.origin)).send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        if path.starts_with("/api") {
            assert_eq!((header("cache-control"), header("vary")), ("no-store".into(), "Cookie".into()));
        }
    }
}

#[tokio::test]
async fn health_and_readiness_answer() {
    let server = Server::start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.http().get(format!("{}{path}", server.origin)).send().await.unwrap().status(), 200);
    }
}
