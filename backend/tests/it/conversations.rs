//! Reading over HTTP: lists, history, people; and that other people's is not there.

use crate::support::{Server, new_id};
use reqwest::Method;
use serde_json::{Value, json};
use shared::frame::ServerFrame;

fn seqs(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn history_is_read_in_pages_in_both_directions() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let everyone = a.welcome.as_ref().unwrap().conversations[0].id;
    for number in 1..=120 {
        a.says(json!("everyone"), &format!("{number}")).await;
    }
    a.sees().await;
    while ada.log(everyone).await.len() < 120 {}
    let table = [
        ("", (71..=120).collect::<Vec<_>>(), true),
        ("?limit=3", vec![118, 119, 120], true),
        ("?before=4", vec![1, 2, 3], false),
        ("?before=11&limit=5", vec![6, 7, 8, 9, 10], true),
        ("?after=115", vec![116, 117, 118, 119, 120], false),
        ("?after=0&limit=2", vec![1, 2], true),
        ("?after=120", vec![], false),
        ("?around=50&limit=4", vec![48, 49, 50, 51], true),
        ("?around=120&limit=4", vec![117, 118, 119, 120], true),
        ("?around=1&limit=4", vec![1, 2], true),
        ("?limit=0", vec![120], true),
        ("?limit=-5", vec![120], true),
        ("?limit=1000000000", (21..=120).collect(), true),
    ];
    for (query, expected, more) in table {
        let (status, page) = ada.get(&format!("/api/conversations/{everyone}/events{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        assert_eq!((seqs(&page), page["more"].as_bool()), (expected, Some(more)), "{query}");
    }
    for query in ["?before=x", "?after=-1", "?after=1.5", "?before=1&after=2", "?limit=x", "?after=9007199254740992"] {
        let (status, page) = ada.get(&format!("/api/conversations/{everyone}/events{query}")).await;
        assert_eq!((status, &page["error"]["code"]), (422, &json!("invalid")), "{query}");
    }
}

#[tokio::test]
async fn not_yours_and_not_there_are_answered_alike() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let mut a = ada.connect().await;
    let id = a.says(json!({"user": ben.id}), "secret").await;
    let (theirs, _) = a.accepted(id).await;
    let absent = new_id().to_string();
    for path in ["", "/events", "/events?before=x"] {
        let foreign = cy.get(&format!("/api/conversations/{theirs}{path}")).await;
        assert_eq!(foreign.0, 404);
        for other in [absent.as_str(), "nonsense", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(cy.get(&format!("/api/conversations/{other}{path}")).await, foreign, "{other}{path}");
        }
    }
    let body = || Some(json!({"id": new_id(), "content": "let me in"}));
    let foreign = cy.request(Method::POST, &format!("/api/conversations/{theirs}/messages"), body()).await;
    assert_eq!(foreign.0, 404);
    assert_eq!(cy.request(Method::POST, &format!("/api/conversations/{absent}/messages"), body()).await, foreign);

    let mut c = cy.connect().await;
    for conversation in [theirs.to_string(), absent] {
        let id = c.says(json!({"conversation": conversation}), "let me in").await;
        assert_eq!(c.rejected(id).await, "not_found");
    }
    let id = c.says(json!({"users": [ada.id, new_id().to_string()]}), "anybody?").await;
    assert_eq!(c.rejected(id).await, "not_found");
    assert_eq!(ada.log(theirs).await.len(), 1);
}

#[tokio::test]
async fn the_list_is_newest_first_and_read_in_pages() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let mut made = vec![a.welcome.as_ref().unwrap().conversations[0].id];
    for name in ["Ben", "Cy", "Dan"] {
        let person = server.sign_up(name).await;
        let id = a.says(json!({"user": person.id}), "hi").await;
        made.push(a.accepted(id).await.0);
    }
    let id = a.says(json!({"conversation": made[1]}), "again").await;
    a.accepted(id).await;
    let expected: Vec<_> = [1, 3, 2, 0].iter().map(|index| made[*index].to_string()).collect();
    let ids = |page: &Value| -> Vec<String> {
        page["conversations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, all) = ada.get("/api/conversations").await;
    assert_eq!((ids(&all), &all["more"]), (expected.clone(), &json!(false)));
    let (_, first) = ada.get("/api/conversations?limit=3").await;
    assert_eq!((ids(&first), &first["more"]), (expected[..3].to_vec(), &json!(true)));
    let (_, rest) = ada.get(&format!("/api/conversations?limit=3&before={}", expected[2])).await;
    assert_eq!((ids(&rest), &rest["more"]), (expected[3..].to_vec(), &json!(false)));
    let welcome = ada.connect().await.welcome.unwrap();
    assert_eq!(welcome.conversations.iter().map(|one| one.id.to_string()).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn people_are_found_by_the_start_of_any_word_and_by_id() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    for (email, name) in [
        ("g@x", "Grace Hopper"),
        ("p@x", "Per%cent"),
        ("a@x", "أمينة"),
        ("j@x", "Jean-Luc O’Brien"),
        ("z@x", "Zoe\u{308}"),
    ] {
        let body = json!({"email": email, "displayName": name, "password": "correct horse"});
        assert_eq!(server.post("/api/accounts", None, &body).await.status(), 201);
    }
    let names = |body: &Value| -> Vec<String> {
        body["users"].as_array().unwrap().iter().map(|user| user["displayName"].as_str().unwrap().to_owned()).collect()
    };
    for (search, expected) in [
        ("", &["Ada", "Grace Hopper", "Jean-Luc O’Brien", "Per%cent", "Zoë", "أمينة"][..]),
        ("gra", &["Grace Hopper"]),
        ("HOP", &["Grace Hopper"]),
        ("opper", &[]),
        ("%25", &[]),
        ("per%25", &["Per%cent"]),
        ("أم", &["أمينة"]),
        ("امينه", &["أمينة"]),
        ("luc", &["Jean-Luc O’Brien"]),
        ("jean-l", &["Jean-Luc O’Brien"]),
        ("o'brien", &["Jean-Luc O’Brien"]),
        ("brien", &["Jean-Luc O’Brien"]),
        ("zoe", &["Zoë"]),
        ("ZO%C3%8B", &["Zoë"]),
    ] {
        let (status, body) = ada.get(&format!("/api/users?search={search}")).await;
        assert_eq!((status, names(&body)), (200, expected.iter().map(|name| (*name).to_owned()).collect()), "{search}");
        assert!(!body.to_string().contains("@x"), "addresses are their owners' business");
    }
    let (_, body) = ada.get(&format!("/api/users?ids={},{}", ada.id, new_id())).await;
    assert_eq!(names(&body), ["Ada"]);
    assert_eq!(ada.get("/api/users?ids=x").await.0, 422);
    let many = vec![ada.id.to_string(); 101].join(",");
    assert_eq!(ada.get(&format!("/api/users?ids={many}")).await.0, 422);
}

#[tokio::test]
async fn people_are_in_the_order_of_their_letters_whatever_stands_on_them() {
    let server = Server::start();
    let ada = server.sign_up_at("me", "adam").await;
    for (number, name) in ["Zara", "Łukasz", "Åsa", "Lukas", "Asa"].iter().enumerate() {
        server.sign_up_at(&format!("p{number}"), name).await;
    }
    let (_, body) = ada.get("/api/users").await;
    let names: Vec<_> =
        body["users"].as_array().unwrap().iter().map(|user| user["displayName"].as_str().unwrap()).collect();
    assert_eq!(names, ["adam", "Asa", "Åsa", "Lukas", "Łukasz", "Zara"]);
}

#[tokio::test]
async fn messages_are_sent_over_http_too() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut b = ben.connect().await;
    let everyone = b.welcome.as_ref().unwrap().conversations[0].id;
    let path = format!("/api/conversations/{everyone}/messages");
    let body = json!({"id": new_id(), "content": " by HTTP "});
    let (status, first) = ada.request(Method::POST, &path, Some(body.clone())).await;
    assert_eq!((status, &first["seq"]), (201, &json!(1)), "{first}");
    assert_eq!(b.sees_messages().await, ["by HTTP"]);
    assert_eq!(ada.request(Method::POST, &path, Some(body.clone())).await, (200, first));
    let mut other = body;
    other["content"] = json!("other");
    let (status, error) = ada.request(Method::POST, &path, Some(other)).await;
    assert_eq!((status, &error["error"]["code"]), (409, &json!("conflict")));
    for content in ["", "a\0b", &"x".repeat(16_385)] {
        let body = json!({"id": new_id(), "content": content});
        let (status, error) = ada.request(Method::POST, &path, Some(body)).await;
        assert_eq!(
            (status, &error["error"]["code"], &error["error"]["field"]),
            (422, &json!("invalid"), &json!("content"))
        );
    }
}

#[tokio::test]
async fn what_somebody_wants_of_a_conversation_is_theirs_and_on_all_their_devices() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut a = ada.connect().await;
    let id = a.says(json!({"user": ben.id}), "hi").await;
    let (conversation, _) = a.accepted(id).await;
    let path = format!("/api/conversations/{conversation}");
    let usual = ada.get(&path).await.1["conversation"].clone();
    assert!(usual.get("preferences").is_none());
    let preferences = format!("{path}/preferences");
    let change = |body| ada.request(Method::PATCH, &preferences, Some(body));
    let (status, body) = change(json!({"pinned": true, "notify": "mentions"})).await;
    assert_eq!((status, &body["conversation"]["preferences"]), (200, &json!({"pinned": true, "notify": "mentions"})));
    let told = a
        .until(|frame| match frame {
            ServerFrame::Conversation(changed) => Some(changed.summary.preferences),
            _ => None,
        })
        .await;
    assert!(told.pinned && !told.archived);
    assert!(ben.get(&path).await.1["conversation"].get("preferences").is_none(), "nobody else is told");
    change(json!({"markedUnread": true})).await;
    let (_, body) = change(json!({"pinned": false, "notify": "all"})).await;
    assert_eq!(body["conversation"]["preferences"], json!({"markedUnread": true}), "what is left out stays");
    let (_, body) = change(json!({"markedUnread": false})).await;
    assert_eq!(body["conversation"], usual);
    assert_eq!(change(json!({"notify": "never"})).await.0, 422);
}

#[tokio::test]
async fn events_from_a_moment_on_begin_with_the_first_after_it() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let group = ada.makes_group("Days", &[]).await;
    for number in 0..9 {
        ada.posts(&group, &format!("{number}")).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let log = ada.log(group.parse().unwrap()).await;
    for event in &log {
        let (_, page) = ada.get(&format!("/api/conversations/{group}/events?at={}&limit=1", event["at"])).await;
        let found = &page["events"][0];
        assert!(found["at"] == event["at"] && found["seq"].as_u64() <= event["seq"].as_u64(), "{found} for {event}");
    }
    let first = log[0]["at"].as_u64().unwrap();
    let (_, page) = ada.get(&format!("/api/conversations/{group}/events?at={}", first - 1_000)).await;
    assert_eq!(page["events"].as_array().unwrap().len(), log.len());
    let (_, page) = ada.get(&format!("/api/conversations/{group}/events?at={}", first + 1_000_000)).await;
    assert_eq!((page["events"].as_array().unwrap().len(), &page["more"]), (0, &json!(false)));
    assert_eq!(ada.get(&format!("/api/conversations/{group}/events?at=1&after=1")).await.0, 422);
}
