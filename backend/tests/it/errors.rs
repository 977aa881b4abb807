//! Bad input gets an answer, and costs nobody else anything: after each case another person's
//! message still arrives.

use crate::support::{Server, Socket, new_id};
use futures_util::SinkExt;
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use tokio_tungstenite::tungstenite::Message;

async fn is_alive(from: &mut Socket, to: &mut Socket) {
    let text = new_id().to_string();
    let id = from.says(json!({"user": to.me.id}), &text).await;
    from.accepted(id).await;
    assert!(to.sees_messages().await.contains(&text));
}

#[tokio::test]
async fn commands_that_cannot_be_are_rejected_with_their_code() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let crowd: Vec<_> = (0..1_000).map(|_| new_id().to_string()).collect();
    let table: Vec<(Value, &str)> = vec![
        (json!({"to": "everyone", "content": ""}), "empty"),
        (json!({"to": "everyone", "content": " \n\u{200b}\u{3164}"}), "empty"),
        (json!({"to": "everyone", "content": "a\u{0}b"}), "bad_field"),
        (json!({"to": "everyone", "content": "x".repeat(16_385)}), "too_long"),
        (json!({"to": "everyone", "content": "é".repeat(8_193)}), "too_long"),
        (json!({"to": {"users": []}, "content": "x"}), "bad_field"),
        (json!({"to": {"users": [ada.id]}, "content": "x"}), "bad_field"),
        (json!({"to": {"users": crowd}, "content": "x"}), "bad_field"),
        (json!({"to": {"user": new_id()}, "content": "x"}), "not_found"),
        (json!({"to": {"conversation": new_id()}, "content": "x"}), "not_found"),
        (json!({"to": "everyone", "content": "x", "replyTo": 999}), "bad_reference"),
        (json!({"to": "everyone", "content": "x", "attachments": [new_id()]}), "bad_reference"),
        (json!({"to": "everyone"}), "bad_field"),
        (json!({"content": "x"}), "bad_field"),
    ];
    for (fields, code) in table {
        let id = new_id();
        let mut frame = json!({"type": "send", "id": id});
        frame.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        a.send(frame).await;
        assert_eq!(a.rejected(id).await, code, "{:.80}", fields.to_string());
    }
    let id = new_id();
    a.send(json!({"type": "from the future", "id": id})).await;
    assert_eq!(a.rejected(id).await, "unknown_type");
    let id = a.says(json!("everyone"), &"x".repeat(16_384)).await;
    a.accepted(id).await;
    is_alive(&mut a, &mut b).await;
}

#[tokio::test]
async fn frames_that_are_no_commands_are_answered_with_error() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let table = [
        (json!({"type": "typing", "conversation": new_id()}), "not_found"),
        (json!({"type": "typing"}), "bad_field"),
        (json!({"type": "resume", "epoch": "x"}), "bad_field"),
        (json!({"type": "resume", "epoch": "x".repeat(65), "cursors": {}}), "bad_field"),
        (json!({"type": "resume", "epoch": "x", "cursors": {"nonsense": 1}}), "bad_field"),
        (json!({"type": "read", "conversation": new_id(), "seq": 1}), "not_found"),
        (json!({"type": "read", "conversation": new_id(), "seq": 0}), "bad_field"),
        (json!({"type": "hello"}), "unknown_type"),
        (json!({"type": 7}), "bad_field"),
        (json!({"type": "send", "id": "NOT-AN-ID", "to": "everyone", "content": "x"}), "bad_field"),
    ];
    for (frame, code) in table {
        a.send(frame.clone()).await;
        match a.next().await {
            ServerFrame::Error(error) => assert_eq!(error.code.as_str(), code, "{frame}"),
            other => panic!("{frame} was answered with {other:?}"),
        }
    }
    is_alive(&mut a, &mut b).await;
}

#[tokio::test]
async fn the_third_text_that_is_no_json_ends_the_socket() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b, mut bad) = (ada.connect().await, ben.connect().await, ben.connect().await);
    for text in ["nonsense", "[]", "{"] {
        bad.send_text(text).await;
    }
    let (code, before) = bad.closed().await;
    assert_eq!((code, before.len()), (4400, 3));
    is_alive(&mut a, &mut b).await;
}

#[tokio::test]
async fn frames_of_the_wrong_kind_or_size_close_with_their_code() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    for (message, code) in [
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text(format!("{{\"type\":\"ping\",\"nonce\":\"{}\"}}", "x".repeat(65_536))), 1009),
    ] {
        let mut bad = ben.connect().await;
        bad.stream.send(message).await.unwrap();
        assert_eq!(bad.closed().await.0, code);
    }
    is_alive(&mut a, &mut b).await;
}

#[tokio::test]
async fn the_handshake_needs_a_session() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let (_, protocol) = ada.connect_raw().await.unwrap();
    assert_eq!(protocol.as_deref(), Some("chat.v1"));
    for cookie in ["", "confab=", "confab=0000", &format!("confab={}", "0".repeat(64))] {
        let mut nobody = ada.clone();
        cookie.clone_into(&mut nobody.cookie);
        match nobody.connect_raw().await {
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 401),
            other => panic!("{cookie} led to {:?}", other.map(|_| "a socket")),
        }
    }
    let plain = server.http().get(format!("{}/ws", server.origin));
    let answer = plain.header("origin", &server.origin).header("cookie", &ada.cookie).send().await.unwrap();
    assert!(answer.status().is_client_error());
}

#[tokio::test]
async fn a_person_who_sends_too_fast_is_asked_to_wait() {
    let server = Server::start_with(&[], &[]);
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    for number in 0..80 {
        a.says(json!("everyone"), &format!("{number}")).await;
    }
    let (mut accepted, mut limited) = (0, 0);
    while accepted + limited < 80 {
        match a.next().await {
            ServerFrame::Accepted(_) => accepted += 1,
            ServerFrame::Rejected(rejected) => {
                assert_eq!(rejected.rejection.code.as_str(), "rate_limited");
                assert!(rejected.rejection.retry_after_ms.unwrap() > 0);
                limited += 1;
            }
            _ => {}
        }
    }
    assert!((60..70).contains(&accepted), "{accepted}");
    let id = b.says(json!("everyone"), "not I").await;
    b.accepted(id).await;
}

#[tokio::test]
async fn http_errors_have_one_shape() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let url = |path: &str| format!("{}{path}", server.origin);
    let http = server.http();
    let signed =
        |request: reqwest::RequestBuilder| request.header("origin", &server.origin).header("cookie", &ada.cookie);
    let table = [
        (signed(http.get(url("/api/nothing"))), 404, "not_found"),
        (signed(http.put(url("/api/session"))), 405, "method_not_allowed"),
        (signed(http.post(url("/ws"))), 405, "method_not_allowed"),
        (http.get(url("/api/session")), 401, "unauthenticated"),
        (http.get(url("/api/users")), 401, "unauthenticated"),
        (signed(http.post(url("/api/session"))).body("{}"), 415, "unsupported_media_type"),
        (signed(http.post(url("/api/session"))).header("content-type", "application/json").body("{"), 400, "bad_json"),
        (
            signed(http.post(url("/api/session"))).header("content-type", "application/json").body("x".repeat(200_000)),
            413,
            "too_large",
        ),
        (signed(http.post(url("/api/session"))).json(&json!([])), 422, "invalid"),
    ];
    for (request, status, code) in table {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{code}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start();
    let address = server.origin.strip_prefix("http://").unwrap();
    for (count, size) in [(101, 10), (1, 40_000)] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        for number in 0..count {
            let line = format!("x-{number}: {}\r\n", "y".repeat(size));
            if stream.write_all(line.as_bytes()).await.is_err() {
                break;
            }
        }
        let _ = stream.write_all(b"\r\n").await;
        let mut answer = Vec::new();
        // The server may cut the line before everything is read.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 431"), "{count} × {size}: {answer:.60}");
    }
    assert_eq!(server.http().get(format!("{}/healthz", server.origin)).send().await.unwrap().status(), 200);
}
