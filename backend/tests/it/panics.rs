//! A fault in one handler is one person's, for one moment.

use crate::support::Server;
use crate::support_raw::{Bystanders, Raw, TEXT, frame};

const FAULT: &[(&str, &str)] = &[("CONFAB_FAULT", "panic_when_asked")];

#[tokio::test]
async fn a_panic_ends_one_socket_with_1011_and_nobody_elses() {
    let server = Server::start_with(&["--rate-limits", "off"], FAULT);
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let mut bens_other = Raw::socket(&server, &ben).await;
    for _ in 0..3 {
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(frame(TEXT, r#"{"type":"ping","nonce":"panic"}"#)).await;
        assert_eq!(socket.closed().await, Some(1011));
        others.are_served().await;
        assert!(bens_other.is_served().await);
    }
}

#[tokio::test]
async fn a_panic_answers_one_request_with_500_and_its_connection_goes_on() {
    let server = Server::start_with(&["--rate-limits", "off"], FAULT);
    let mut others = Bystanders::of(&server).await;
    let mut connection = Raw::connect(&server).await;
    let host = server.address();
    for _ in 0..3 {
        connection.send(format!("GET /api/session?panic HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
        connection.send(format!("GET /api/session HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(connection.answer().await.status, 401);
        others.are_served().await;
    }
}

#[tokio::test]
async fn nobody_can_ask_a_server_without_the_fault_for_a_panic() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let mut socket = Raw::socket(&server, &ben).await;
    socket.send(frame(TEXT, r#"{"type":"ping","nonce":"panic"}"#)).await;
    assert!(socket.is_served().await);
}
