//! Group requests: where people put only those they know into groups, others are asked, read nothing before they join,
//! and are left alone once they have declined. And coming back to what one has left.

use crate::support::{Person, Server};
use reqwest::Method;
use serde_json::{Value, json};
use shared::frame::ServerFrame;

const KNOWN: [&str; 4] = ["--rate-limits", "off", "--group-invites", "known"];

fn member(id: &str, person: &Person) -> String {
    format!("/api/conversations/{id}/members/{}", person.id)
}

async fn brings(by: &Person, conversation: &str, person: &Person) -> (u16, Value) {
    by.request(Method::PUT, &member(conversation, person), None).await
}

async fn removes(by: &Person, conversation: &str, person: &Person) -> u16 {
    by.request(Method::DELETE, &member(conversation, person), None).await.0
}

async fn makes(by: &Person, name: &str, people: &[&Person]) -> (u16, Value) {
    let people: Vec<_> = people.iter().map(|person| person.id).collect();
    let body = json!({"kind": "group", "name": name, "members": people});
    by.request(Method::POST, "/api/conversations", Some(body)).await
}

/// Makes a group and gives its id.
async fn group(by: &Person, name: &str, people: &[&Person]) -> String {
    let (status, body) = makes(by, name, people).await;
    assert_eq!(status, 201, "{body}");
    body["conversation"]["id"].as_str().unwrap().to_owned()
}

async fn declines(person: &Person, conversation: &str) -> u16 {
    person.request(Method::DELETE, &format!("/api/group-requests/{conversation}"), None).await.0
}

async fn requests(person: &Person) -> Vec<Value> {
    let (status, body) = person.get("/api/group-requests").await;
    assert_eq!(status, 200, "{body}");
    body["requests"].as_array().unwrap().clone()
}

/// The two write to each other.
async fn talk(one: &Person, other: &Person) {
    for (by, to) in [(one, other), (other, one)] {
        by.connect().await.says(json!({"user": to.id}), "hello").await;
    }
}

async fn signed_up<const N: usize>(server: &Server, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(server.sign_up(name).await);
    }
    people.try_into().unwrap_or_else(|_| panic!("as many people as names"))
}

fn is_conflict((status, body): &(u16, Value), word: &str) {
    assert_eq!((*status, &body["error"]["code"]), (409, &json!("conflict")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains(word), "{body}");
}

#[tokio::test]
async fn strangers_are_asked_read_nothing_and_are_members_once_they_join() {
    let server = Server::start_with(&KNOWN, &[]);
    let [ada, ben, eve] = signed_up(&server, ["Ada", "Ben", "Eve"]).await;
    talk(&ada, &ben).await;
    let mut eves = eve.connect().await;
    assert_eq!(eves.welcome.as_ref().unwrap().group_requests, 0);
    let (status, body) = makes(&ada, "Garden", &[&ben, &eve]).await;
    assert_eq!((status, &body["asked"]), (201, &json!([eve.id])), "{body}");
    assert_eq!(body["conversation"]["memberCount"], 2, "{body}");
    let garden = body["conversation"]["id"].as_str().unwrap().to_owned();
    ada.posts(&garden, "layoffs").await;
    let count = |frame| match frame {
        ServerFrame::GroupRequests(changed) => Some(changed.count),
        ServerFrame::Conversation(_) | ServerFrame::Event(_) => panic!("nothing of it is told: {frame:?}"),
        _ => None,
    };
    assert_eq!(eves.until(count).await, 1);
    assert_eq!(eve.connect().await.welcome.unwrap().group_requests, 1);

    // All that is told.
    let told = requests(&eve).await;
    let mut keys: Vec<_> = told[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["asker", "at", "conversation", "kind", "memberCount", "name"], "{told:?}");
    assert_eq!((&told[0]["conversation"], &told[0]["name"]), (&json!(garden), &json!("Garden")));
    assert_eq!((&told[0]["memberCount"], &told[0]["asker"]["id"]), (&json!(2), &json!(ada.id)));
    assert_eq!((told.len(), requests(&ada).await.len(), requests(&ben).await.len()), (1, 0, 0));
    let at = format!("/api/conversations/{garden}");
    for path in ["", "/events", "/members", "/receipts", "/departure"] {
        assert_eq!(eve.get(&format!("{at}{path}")).await.0, 404, "{path}");
    }
    let (_, found) = eve.get("/api/search?query=layoffs").await;
    assert_eq!(found["results"], json!([]), "{found}");
    let command = json!({"type": "send", "to": {"conversation": garden}, "content": "let me in"});
    assert_eq!(eve.connect().await.asks(command).await.unwrap_err(), "not_found");
    assert_eq!(brings(&eve, &garden, &ben).await.0, 404, "who is asked brings nobody");
    assert_eq!(removes(&eve, &garden, &eve).await, 404);
    assert_eq!(declines(&ben, &garden).await, 404, "nobody declines for others");
    let (_, list) = eve.get("/api/conversations").await;
    assert!(!list.to_string().contains("Garden"), "{list}");

    // Also after a restart.
    let server = server.restart(&KNOWN);
    let [mut ada, mut eve] = [ada, eve];
    for person in [&mut ada, &mut eve] {
        person.moved_to(&server.origin);
    }
    assert_eq!(requests(&eve).await, told);
    let mut eves = eve.connect().await;
    assert_eq!(brings(&eve, &garden, &eve).await.0, 204);
    let mut heard = Vec::new();
    loop {
        match eves.next().await {
            ServerFrame::Conversation(changed) => heard.push(format!("{:?}", changed.summary.name)),
            ServerFrame::Event(event) => heard.push(event.kind.name().to_owned()),
            ServerFrame::GroupRequests(changed) => {
                assert_eq!(changed.count, 0);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(heard, ["Some(\"Garden\")", "joined"]);
    assert_eq!(requests(&eve).await.len(), 0);
    let log = ada.log(garden.parse().unwrap()).await;
    assert_eq!(eve.log(garden.parse().unwrap()).await, log, "a member like any other");
}

#[tokio::test]
async fn who_has_declined_is_asked_by_neither_that_person_nor_that_group_again() {
    let server = Server::start_with(&KNOWN, &[]);
    let [ada, ben, eve] = signed_up(&server, ["Ada", "Ben", "Eve"]).await;
    talk(&ada, &ben).await;
    let garden = group(&ada, "Garden", &[&ben]).await;
    let (status, body) = brings(&ada, &garden, &eve).await;
    assert_eq!((status, &body), (202, &json!({"asked": [eve.id]})));
    for by in [&ada, &ben] {
        assert_eq!(brings(by, &garden, &eve).await, (202, json!({"asked": [eve.id]})), "it is so already");
    }
    assert_eq!(requests(&eve).await.len(), 1);
    let mut eves = eve.connect().await;
    assert_eq!(declines(&eve, &garden).await, 204);
    let count = |frame| if let ServerFrame::GroupRequests(changed) = frame { Some(changed.count) } else { None };
    assert_eq!(eves.until(count).await, 0);
    assert_eq!(declines(&eve, &garden).await, 404);
    assert_eq!(brings(&eve, &garden, &eve).await.0, 404, "it is over");

    for by in [&ada, &ben] {
        is_conflict(&brings(by, &garden, &eve).await, "declined");
    }
    is_conflict(&makes(&ada, "Another", &[&eve]).await, "Eve has declined");
    assert_eq!(requests(&eve).await.len(), 0);
    let (_, list) = ada.get("/api/conversations").await;
    assert!(!list.to_string().contains("Another"), "what was refused made nothing: {list}");
    // Somebody else may ask into something else, and whoever has talked with one asks nothing.
    assert_eq!(makes(&ben, "Chess", &[&eve]).await.1["asked"], json!([eve.id]));
    talk(&ada, &eve).await;
    assert_eq!(brings(&ada, &garden, &eve).await.0, 204);
}

#[tokio::test]
async fn a_request_goes_with_who_asked_and_when_somebody_becomes_a_member_otherwise() {
    let server = Server::start_with(&KNOWN, &[]);
    let [ada, ben, cy, eve] = signed_up(&server, ["Ada", "Ben", "Cy", "Eve"]).await;
    talk(&ada, &ben).await;
    talk(&ada, &cy).await;
    let garden = group(&ada, "Garden", &[&ben, &cy]).await;
    // Who asks leaves, is sent away, or ends the account.
    assert_eq!(brings(&ben, &garden, &eve).await.0, 202);
    let mut eves = eve.connect().await;
    assert_eq!(removes(&ben, &garden, &ben).await, 204);
    let count = |frame| if let ServerFrame::GroupRequests(changed) = frame { Some(changed.count) } else { None };
    assert_eq!(eves.until(count).await, 0);
    assert_eq!(requests(&eve).await.len(), 0);
    assert_eq!(brings(&eve, &garden, &eve).await.0, 404);
    assert_eq!(brings(&cy, &garden, &eve).await.0, 202);
    assert_eq!(removes(&ada, &garden, &cy).await, 204);
    assert_eq!(requests(&eve).await.len(), 0);
    group(&ben, "Chess", &[&eve]).await;
    assert_eq!(requests(&eve).await.len(), 1);
    let password = || Some(json!({"currentPassword": "correct horse"}));
    assert_eq!(ben.request(Method::DELETE, "/api/account", password()).await.0, 204);
    assert_eq!(requests(&eve).await.len(), 0);

    // Somebody whom one knows brings one in, although a stranger had asked.
    assert_eq!(brings(&ada, &garden, &eve).await.0, 202);
    assert_eq!(brings(&ada, &garden, &cy).await.0, 204);
    talk(&cy, &eve).await;
    assert_eq!(brings(&cy, &garden, &eve).await.0, 204);
    assert_eq!(requests(&eve).await.len(), 0);

    // Who is asked ends the account.
    let fay = server.sign_up("Fay").await;
    assert_eq!(brings(&ada, &garden, &fay).await.0, 202);
    assert_eq!(fay.request(Method::DELETE, "/api/account", password()).await.0, 204);
    assert_eq!(removes(&ada, &garden, &ada).await, 204, "and nothing is left of it");
}

#[tokio::test]
async fn requests_that_wait_and_the_rate_of_who_asks_are_bounded() {
    let server = Server::start_with(&KNOWN, &[]);
    let [ada, eve, fay] = signed_up(&server, ["Ada", "Eve", "Fay"]).await;
    for number in 0..50 {
        group(&ada, &format!("Group {number}"), &[&eve]).await;
    }
    is_conflict(&makes(&ada, "One more", &[&fay, &eve]).await, "Eve has as many requests");
    assert_eq!(requests(&fay).await.len(), 0, "nobody is asked if one cannot be");
    let told = requests(&eve).await;
    assert_eq!((told.len(), &told[0]["name"]), (50, &json!("Group 49")), "the newest first");
    assert_eq!(declines(&eve, told[7]["conversation"].as_str().unwrap()).await, 204);
    let ben = server.sign_up("Ben").await;
    assert_eq!(makes(&ben, "Room again", &[&eve]).await.0, 201);

    let settings = ["--group-invites", "known", "--group-invite-burst", "2", "--group-invites-in-an-hour", "2"];
    let server = Server::start_with(&settings, &[]);
    let [ada, ben, cy, dora] = signed_up(&server, ["Ada", "Ben", "Cy", "Dora"]).await;
    assert_eq!(makes(&ada, "Two", &[&ben, &cy]).await.0, 201);
    let (status, body) = makes(&ada, "Three", &[&dora]).await;
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limited")), "requests count as well: {body}");
    assert_eq!(requests(&dora).await.len(), 0);
}

#[tokio::test]
async fn who_has_left_is_told_that_they_may_come_back_and_nobody_else_is() {
    let server = Server::start();
    let [ada, ben, eve] = signed_up(&server, ["Ada", "Ben", "Eve"]).await;
    let garden = ada.makes_group("Garden", &[&ben]).await;
    let path = format!("/api/conversations/{garden}/departure");
    assert_eq!(removes(&ben, &garden, &ben).await, 204);
    assert_eq!(ben.get(&path).await, (200, json!({"kind": "group"})));
    for other in [&ada, &eve] {
        assert_eq!(other.get(&path).await.0, 404);
    }
    assert_eq!(removes(&ada, &garden, &ben).await, 204);
    assert_eq!(ben.get(&path).await.0, 404, "an owner has ended that");
}
