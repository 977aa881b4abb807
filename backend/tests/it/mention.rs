//! Mentions: a message tells whom it names, and nobody learns from it who is not there.

use crate::support::{Person, Server, new_id};
use serde_json::{Value, json};
use shared::event::EventKind;
use shared::frame::ServerFrame;
use shared::ids::UserId;

/// Whom the newest event names, as history has it.
async fn named(person: &Person, conversation: &str, kind: &str) -> Value {
    let (_, body) = person.get(&format!("/api/conversations/{conversation}/events?limit=1")).await;
    body["events"][0]["kind"][kind]["mentions"].clone()
}

#[tokio::test]
async fn members_are_named_by_their_whole_name_in_any_case() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up_at("ben", "Ben Jr.").await);
    let other = server.sign_up_at("lovelace", "Ada Lovelace").await;
    let id = ada.makes_group("Walks", &[&ben, &other]).await;
    let mut b = ben.connect().await;
    ada.posts(&id, "@ben jr. and @ADA LOVELACE, see `@Ada`").await;
    let event = b
        .until(|frame| match frame {
            ServerFrame::Event(event) => Some(event.kind),
            _ => None,
        })
        .await;
    let EventKind::Message(message) = event else { panic!("a message") };
    let mut expected = vec![ben.id, other.id];
    expected.sort();
    assert_eq!(message.mentions, expected);
    assert_eq!(named(&ada, &id, "message").await, json!(expected));
    ada.posts(&id, "nobody@ada and @Benny").await;
    assert_eq!(named(&ada, &id, "message").await, Value::Null);
}

#[tokio::test]
async fn whoever_is_not_in_the_conversation_is_not_named_there() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let namesake = server.sign_up_at("benedict", "Ben").await;
    let id = ada.makes_group("Walks", &[&ben]).await;
    ada.posts(&id, "@Ben and @Cy").await;
    assert_eq!(named(&ada, &id, "message").await, json!([ben.id]));
    // In the conversation of everybody, everybody of that name is meant.
    let (_, everyone) = ada.get("/api/conversations").await;
    let everyone = everyone["conversations"].as_array().unwrap();
    let everyone = everyone.iter().find(|summary| summary["kind"] == "everyone").unwrap()["id"].as_str().unwrap();
    ada.posts(everyone, "@Ben and @Cy").await;
    let mut expected: Vec<UserId> = vec![ben.id, namesake.id, cy.id];
    expected.sort();
    assert_eq!(named(&ada, everyone, "message").await, json!(expected));
}

#[tokio::test]
async fn the_first_message_of_a_conversation_and_a_changed_one_name_people_too() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut a = ada.connect().await;
    let id = a.says(json!({"user": ben.id}), "hi @ben").await;
    let (conversation, seq) = a.accepted(id).await;
    let conversation = conversation.to_string();
    assert_eq!(named(&ben, &conversation, "message").await, json!([ben.id]));
    let edit = json!({
        "type": "edit", "id": new_id(), "conversation": conversation, "target": seq, "content": "hi @ada",
    });
    a.send(edit).await;
    a.until(|frame| matches!(frame, ServerFrame::Accepted(_)).then_some(())).await;
    assert_eq!(named(&ben, &conversation, "edited").await, json!([ada.id]));
    let (_, log) = ben.get(&format!("/api/conversations/{conversation}/events")).await;
    assert_eq!(log["events"][0]["kind"]["message"]["mentions"], json!([ada.id]));
}
