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

#[tokio::test]
async fn names_are_found_in_any_spelling_the_exact_one_before_others_and_beside_letters_of_any_script() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let names = ["Zoë", "Zoe", "李雷", "_ghost_", "ada@work", "O'Brien", "Sam", "İpek"];
    let mut people = Vec::new();
    for (number, name) in names.iter().enumerate() {
        people.push(server.sign_up_at(&format!("p{number}"), name).await);
    }
    let group = ada.makes_group("Walks", &people.iter().collect::<Vec<_>>()).await;
    let (_, everyone) = ada.get("/api/conversations").await;
    let everyone = everyone["conversations"].as_array().unwrap();
    let everyone = everyone.iter().find(|summary| summary["kind"] == "everyone").unwrap()["id"].as_str().unwrap();
    for (text, expected) in [
        ("@Zoe\u{308}", &["Zoë"][..]),
        ("@ZOE and @zoë", &["Zoë", "Zoe"]),
        ("@Zöé", &["Zoë", "Zoe"]),
        ("请@李雷你好", &["李雷"]),
        ("@_ghost_ boo", &["_ghost_"]),
        ("@ada@work hi", &["ada@work"]),
        ("@O’Brien", &["O'Brien"]),
        ("@ipek", &["İpek"]),
        ("@Sam-testing @Sam_x @sam.hill", &[]),
    ] {
        let mut expected: Vec<UserId> =
            expected.iter().map(|name| people[names.iter().position(|known| known == name).unwrap()].id).collect();
        expected.sort();
        for conversation in [&*group, everyone] {
            ada.posts(conversation, text).await;
            let expected = if expected.is_empty() { Value::Null } else { json!(expected) };
            assert_eq!(named(&ada, conversation, "message").await, expected, "{text}");
        }
    }
}

#[tokio::test]
async fn a_message_says_by_which_text_it_names_people_also_after_they_have_other_names() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up_at("ben", "Ben Okafor").await);
    let id = ada.makes_group("Walks", &[&ben]).await;
    let first = ada.posts(&id, "**@ben okafor** please look").await;
    let renamed = ben.request(reqwest::Method::PATCH, "/api/account", Some(json!({"displayName": "Benedict"}))).await;
    assert_eq!(renamed.0, 200);
    let (_, log) = ada.get(&format!("/api/conversations/{id}/events?after={}", first - 1)).await;
    let message = &log["events"][0]["kind"]["message"];
    assert_eq!((&message["mentions"], &message["mentionNames"]), (&json!([ben.id]), &json!(["ben okafor"])));
    let mut a = ada.connect().await;
    let edit = json!({
        "type": "edit", "id": new_id(), "conversation": id, "target": first, "content": "@Benedict",
    });
    a.send(edit).await;
    a.until(|frame| matches!(frame, ServerFrame::Accepted(_)).then_some(())).await;
    let (_, log) = ada.get(&format!("/api/conversations/{id}/events?after={}", first - 1)).await;
    assert_eq!(log["events"][0]["kind"]["message"]["mentionNames"], json!(["Benedict"]));
    let edited = log["events"].as_array().unwrap().iter().find(|event| event["kind"]["edited"].is_object()).unwrap();
    assert_eq!(edited["kind"]["edited"]["mentionNames"], json!(["Benedict"]));
}
