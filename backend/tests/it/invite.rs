//! Who may put whom into a conversation, how many people, and who stays out because they have left.

use crate::support::{Person, Server, new_id};
use reqwest::Method;
use serde_json::{Value, json};

fn members(id: &str, person: &Person) -> String {
    format!("/api/conversations/{id}/members/{}", person.id)
}

async fn brings(by: &Person, conversation: &str, person: &Person) -> (u16, Value) {
    by.request(Method::PUT, &members(conversation, person), None).await
}

async fn removes(by: &Person, conversation: &str, person: &Person) -> u16 {
    by.request(Method::DELETE, &members(conversation, person), None).await.0
}

async fn makes(by: &Person, people: &[&Person]) -> (u16, Value) {
    let people: Vec<_> = people.iter().map(|person| person.id).collect();
    let body = json!({"kind": "group", "name": "Walks", "members": people});
    by.request(Method::POST, "/api/conversations", Some(body)).await
}

/// Writes to a set of people; the conversation, or the code of the refusal.
async fn writes(by: &Person, people: &[&Person]) -> Result<String, String> {
    let people: Vec<_> = people.iter().map(|person| person.id).collect();
    let command = json!({"type": "send", "to": {"users": people}, "content": "hi"});
    by.connect().await.asks(command).await.map(|(conversation, _)| conversation.to_string())
}

async fn signed_up<const N: usize>(server: &Server, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(server.sign_up(name).await);
    }
    people.try_into().unwrap_or_else(|_| panic!("as many people as names"))
}

#[tokio::test]
async fn a_rate_counts_the_people_somebody_puts_into_conversations() {
    // Four at once, and another each fifteen minutes.
    let server = Server::start_with(&["--group-invite-burst", "4", "--group-invites-in-an-hour", "4"], &[]);
    let [ada, ben, cy, dora, eve, fay] = signed_up(&server, ["Ada", "Ben", "Cy", "Dora", "Eve", "Fay"]).await;
    let (status, body) = makes(&ada, &[&ben, &cy, &dora, &eve, &fay]).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("forbidden")), "five at once are never possible");

    assert_eq!(makes(&ada, &[&ben]).await.0, 201, "which took nothing");
    let group = writes(&ada, &[&ben, &cy]).await.unwrap();
    assert_eq!(writes(&ada, &[&cy, &ben]).await.as_ref(), Ok(&group), "a group that is there costs nothing");
    assert_eq!(writes(&ada, &[&cy, &dora]).await, Err("rate_limited".into()), "one is left, and two are too many");
    assert_eq!(brings(&ada, &group, &dora).await.0, 204);
    let (status, body) = brings(&ada, &group, &eve).await;
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limited")));
    let wait = body["error"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=15 * 60_000 + 1).contains(&wait), "{wait}");
    assert_eq!(makes(&ada, &[&fay]).await.0, 429);
    let log = ada.log(group.parse().unwrap()).await;
    assert_eq!(log.len(), 3, "what was refused has written nothing: {log:?}");

    assert_eq!(brings(&ben, &group, &eve).await.0, 204, "others have rates of their own");
    assert!(writes(&ada, &[&fay]).await.is_ok(), "one can always write to one person");
    assert_eq!(makes(&ada, &[]).await.0, 201, "and make a group of oneself");
}

#[tokio::test]
async fn who_has_left_comes_back_only_by_themselves() {
    let server = Server::start();
    let [ada, ben, cy, dora] = signed_up(&server, ["Ada", "Ben", "Cy", "Dora"]).await;
    let group = ada.makes_group("Walks", &[&ben, &cy]).await;
    assert_eq!(removes(&cy, &group, &cy).await, 204);
    for by in [&ada, &ben] {
        let (status, body) = brings(by, &group, &cy).await;
        assert_eq!((status, &body["error"]["code"]), (409, &json!("conflict")));
        assert!(body["error"]["message"].as_str().unwrap().contains("by themselves"), "{body}");
    }
    let log = ada.log(group.parse().unwrap()).await.len();
    ada.posts(&group, "while Cy was away").await;
    // Also after a restart.
    let server = server.restart(&["--rate-limits", "off"]);
    let [mut ada, mut ben, mut cy, mut dora] = [ada, ben, cy, dora];
    for person in [&mut ada, &mut ben, &mut cy, &mut dora] {
        person.moved_to(&server.origin);
    }
    assert_eq!(brings(&ada, &group, &cy).await.0, 409);
    assert_eq!(brings(&dora, &group, &dora).await.0, 404, "who was never there cannot come by themselves");
    assert_eq!(brings(&cy, &group, &cy).await.0, 204);
    assert_eq!(cy.log(group.parse().unwrap()).await.len(), log + 2, "who is back reads all of it");

    // Who was sent away does not come back by themselves, and others may bring them.
    assert_eq!(removes(&ada, &group, &cy).await, 204);
    assert_eq!(brings(&cy, &group, &cy).await.0, 404);
    assert_eq!(brings(&ben, &group, &cy).await.0, 204);

    // Owners and moderators end that somebody who has left may come back. Nobody else can, and nobody brings them then.
    assert_eq!(removes(&cy, &group, &cy).await, 204);
    assert_eq!(removes(&ben, &group, &cy).await, 403);
    assert_eq!(removes(&ada, &group, &dora).await, 404, "who was never there is not there");
    assert_eq!(removes(&ada, &group, &cy).await, 204);
    assert_eq!(brings(&cy, &group, &cy).await.0, 404);
    assert_eq!(brings(&ada, &group, &cy).await.0, 409);
}

#[tokio::test]
async fn a_public_channel_that_was_left_is_joined_again_by_oneself_alone() {
    let server = Server::start();
    let [ada, ben] = signed_up(&server, ["Ada", "Ben"]).await;
    let body = json!({"kind": "channel", "name": "News", "public": true, "members": [ben.id]});
    let (_, body) = ada.request(Method::POST, "/api/conversations", Some(body)).await;
    let channel = body["conversation"]["id"].as_str().unwrap().to_owned();
    assert_eq!(removes(&ben, &channel, &ben).await, 204);
    assert_eq!(brings(&ada, &channel, &ben).await.0, 409);
    assert_eq!(brings(&ben, &channel, &ben).await.0, 204);
    assert_eq!(removes(&ben, &channel, &ben).await, 204);
    assert_eq!(removes(&ada, &channel, &ben).await, 204);
    assert_eq!(brings(&ben, &channel, &ben).await.0, 204, "a public channel is open to everybody");
}

#[tokio::test]
async fn who_comes_back_to_where_nobody_is_left_looks_after_it() {
    let server = Server::start();
    let [ada, ben, cy] = signed_up(&server, ["Ada", "Ben", "Cy"]).await;
    let group = ada.makes_group("Walks", &[&ben]).await;
    for person in [&ada, &ben] {
        assert_eq!(removes(person, &group, person).await, 204);
    }
    assert_eq!(brings(&ben, &group, &ben).await.0, 204);
    assert_eq!(brings(&ben, &group, &cy).await.0, 204);
    assert_eq!(removes(&ben, &group, &cy).await, 204, "Ben is the owner");
    assert_eq!(brings(&ben, &group, &ada).await.0, 409, "Ada has left, whoever owns it now");
}

#[tokio::test]
async fn where_people_put_only_those_they_know_into_groups_strangers_are_asked() {
    let server = Server::start_with(&["--rate-limits", "off", "--group-invites", "known"], &[]);
    let [ada, ben, cy, eve] = signed_up(&server, ["Ada", "Ben", "Cy", "Eve"]).await;
    let asked = async |by: &Person, person: &Person| {
        let (status, body) = makes(by, &[person]).await;
        assert_eq!((status, &body["asked"]), (201, &json!([person.id])), "{body}");
        assert_eq!(body["conversation"]["memberCount"], 1, "{body}");
        // A message is for exactly those it names: they cannot be asked first.
        assert_eq!(writes(by, &[person, &cy]).await, Err("forbidden".into()));
    };
    asked(&eve, &ada).await;
    // Writing to somebody is always possible, and is not enough.
    writes(&eve, &[&ada]).await.unwrap();
    asked(&eve, &ada).await;
    asked(&ada, &eve).await;

    // Those who have written to each other know each other.
    for (by, to) in [(&ada, &ben), (&ben, &ada), (&ada, &cy), (&cy, &ada)] {
        writes(by, &[to]).await.unwrap();
    }
    let group = writes(&ada, &[&ben, &cy]).await.unwrap();
    let (status, body) = brings(&ada, &group, &eve).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(makes(&ben, &[&cy]).await.1["asked"], json!([cy.id]), "in one group, and neither has written there");
    for person in [&ben, &cy] {
        person.posts(&group, "hello").await;
    }
    let (status, body) = makes(&ben, &[&cy]).await;
    assert_eq!((status, &body["asked"]), (201, &Value::Null), "both have written in a group they share: {body}");
    // Who is put into a group by nobody but themselves needs to know nobody.
    let command = json!({"kind": "channel", "name": "News", "public": true, "members": []});
    let (status, body) = ada.request(Method::POST, "/api/conversations", Some(command)).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(brings(&eve, body["conversation"]["id"].as_str().unwrap(), &eve).await.0, 204);
    let nobody = json!({"kind": "group", "name": "x", "members": [new_id()]});
    assert_eq!(ada.request(Method::POST, "/api/conversations", Some(nobody)).await.0, 422);
}
