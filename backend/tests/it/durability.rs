//! What was accepted is there, whatever happens; and it is said before the process ends.

use crate::support::{Server, new_id};
use serde_json::json;
use shared::frame::ServerFrame;
use std::time::Duration;

#[tokio::test]
async fn what_was_not_answered_may_be_sent_again_after_the_restart() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let frame = json!({"type": "send", "id": new_id(), "to": "everyone", "content": "again"});
    let id = frame["id"].as_str().unwrap().parse().unwrap();
    a.send(frame.clone()).await;
    let first = a.accepted(id).await;
    let server = server.restart(&["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    let mut a = ada.connect().await;
    a.send(frame).await;
    assert_eq!(a.accepted(id).await, first);
    assert_eq!(ada.log(first.0).await.len(), 1);
}

#[tokio::test]
async fn asked_to_stop_it_says_so_finishes_and_ends_well() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(a.says(json!("everyone"), &format!("{number}")).await);
    }
    // It is at it.
    a.accepted(sent[0]).await;
    let answers = tokio::spawn(async move { a.closed().await });
    let (code, took, folder) = tokio::task::spawn_blocking(move || server.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (close, before) = answers.await.unwrap();
    assert_eq!(close, 1012);
    assert!(matches!(before.last(), Some(ServerFrame::Draining(_))), "{:?}", before.last());
    let wal = folder.path().join("confab.db-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the log is folded into the database");

    let answered = before.iter().filter_map(|frame| match frame {
        ServerFrame::Accepted(accepted) => Some(accepted.id),
        _ => None,
    });
    let accepted: Vec<_> = sent.into_iter().take(1).chain(answered).collect();
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    let everyone = ada.connect().await.welcome.unwrap().conversations[0].id;
    let log = ada.log(everyone).await;
    let stored: Vec<_> = log.iter().map(|event| event["kind"]["message"]["id"].as_str().unwrap().to_owned()).collect();
    assert!(accepted.iter().all(|id| stored.contains(&id.to_string())));
}
