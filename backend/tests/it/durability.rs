//! What was accepted is there, whatever happens; and it is said before the process ends.

use crate::support::{Person, Server, new_id};
use futures_util::StreamExt;
use serde_json::json;
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// What writers were told: command → (conversation, seq).
type Accepted = Arc<Mutex<HashMap<CommandId, (ConversationId, u64)>>>;

/// Writes to everyone without waiting for answers, until the line is cut.
async fn write_until_cut(person: Person, accepted: Accepted) {
    let Ok((mut socket, _)) = person.connect_raw().await else { return };
    let mut under_way = 0;
    loop {
        while under_way < 8 {
            let frame = json!({"type": "send", "id": new_id(), "to": "everyone", "content": "to be kept"});
            if futures_util::SinkExt::send(&mut socket.stream, Message::text(frame.to_string())).await.is_err() {
                return;
            }
            under_way += 1;
        }
        match socket.stream.next().await {
            Some(Ok(Message::Text(text))) => {
                if let Ok(Some(ServerFrame::Accepted(answer))) = ServerFrame::decode(&text) {
                    accepted.lock().unwrap().insert(answer.id, (answer.conversation, answer.seq.get()));
                    under_way -= 1;
                }
            }
            Some(Ok(_)) => {}
            _ => return,
        }
    }
}

/// Kills a server in the middle of sends, round after round, and says what is missing or wrong
/// afterwards.
async fn kill_rounds(rounds: usize, environment: &[(&str, &str)]) -> Vec<String> {
    let off = ["--rate-limits", "off"];
    let mut server = Server::start_with(&off, environment);
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(server.sign_up(&format!("Writer{number}")).await);
    }
    let accepted = Accepted::default();
    let mut wrong = Vec::new();
    for round in 0..rounds {
        // Cookies stay good, the port is another one each time.
        for person in &mut people {
            person.moved_to(&server.origin);
        }
        let writers: Vec<_> =
            people.iter().map(|person| tokio::spawn(write_until_cut(person.clone(), accepted.clone()))).collect();
        let before = accepted.lock().unwrap().len();
        while accepted.lock().unwrap().len() < before + 40 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(7 * (round as u64 % 5))).await;
        server = server.restart(&off);
        for writer in writers {
            writer.await.unwrap();
        }
        people[0].moved_to(&server.origin);
        let known = accepted.lock().unwrap().clone();
        let conversation = known.values().next().unwrap().0;
        let log = people[0].log(conversation).await;
        let mut stored = HashMap::new();
        for (index, event) in log.iter().enumerate() {
            let seq = event["seq"].as_u64().unwrap();
            if seq != index as u64 + 1 {
                wrong.push(format!("round {round}: seq {seq} stands at place {index}"));
            }
            let id: CommandId = event["kind"]["message"]["id"].as_str().unwrap().parse().unwrap();
            if stored.insert(id, seq).is_some() {
                wrong.push(format!("round {round}: {id} is stored twice"));
            }
        }
        for (id, (_, seq)) in &known {
            if stored.get(id) != Some(seq) {
                wrong.push(format!("round {round}: {id} was accepted as {seq} and is {:?}", stored.get(id)));
            }
        }
        if !wrong.is_empty() {
            return wrong;
        }
    }
    wrong
}

#[tokio::test]
async fn every_accepted_message_survives_kill_9_once_and_in_its_place() {
    assert_eq!(kill_rounds(10, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_accepts_before_it_commits_is_caught() {
    // The control of the test above: it must be able to fail. Each round is a chance to catch the lie.
    for _ in 0..5 {
        if !kill_rounds(1, &[("CONFAB_FAULT", "accept_before_commit")]).await.is_empty() {
            return;
        }
    }
    panic!("the kill test does not notice a server that lies");
}

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
    let answers = tokio::spawn(async move { a.closed().await });
    let (code, took, folder) = tokio::task::spawn_blocking(move || server.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (close, before) = answers.await.unwrap();
    assert_eq!(close, 1012);
    assert!(matches!(before.last(), Some(ServerFrame::Draining(_))), "{:?}", before.last());
    let wal = folder.path().join("confab.db-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the log is folded into the database");

    let accepted: Vec<_> = before
        .iter()
        .filter_map(|frame| match frame {
            ServerFrame::Accepted(accepted) => Some(accepted.id),
            _ => None,
        })
        .collect();
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    let everyone = ada.connect().await.welcome.unwrap().conversations[0].id;
    let log = ada.log(everyone).await;
    let stored: Vec<_> = log.iter().map(|event| event["kind"]["message"]["id"].as_str().unwrap().to_owned()).collect();
    assert!(accepted.iter().all(|id| stored.contains(&id.to_string())));
    assert!(!accepted.is_empty());
}
