//! Channels: found and joined by everybody if they are public, known to their members alone if not.

use crate::support::{Person, Server};
use reqwest::Method;
use serde_json::{Value, json};
use shared::event::EventKind;
use shared::frame::ServerFrame;

impl Person {
    async fn makes_channel(&self, name: &str, is_public: bool) -> String {
        let body = json!({"kind": "channel", "name": name, "public": is_public, "members": []});
        let (status, body) = self.request(Method::POST, "/api/conversations", Some(body)).await;
        assert_eq!((status, body["conversation"]["public"] == json!(true)), (201, is_public), "{body}");
        body["conversation"]["id"].as_str().unwrap().to_owned()
    }

    async fn describes(&self, channel: &str, body: Value) -> (u16, Value) {
        self.request(Method::PATCH, &format!("/api/conversations/{channel}"), Some(body)).await
    }

    async fn joins(&self, channel: &str) -> u16 {
        self.request(Method::PUT, &format!("/api/conversations/{channel}/members/{}", self.id), None).await.0
    }

    async fn channels(&self, search: &str) -> Vec<(String, u64, bool)> {
        let (status, body) = self.get(&format!("/api/channels?search={search}")).await;
        assert_eq!(status, 200, "{body}");
        let of = |channel: &Value| {
            let name = channel["name"].as_str().unwrap().to_owned();
            (name, channel["members"].as_u64().unwrap(), channel["joined"] == json!(true))
        };
        body["channels"].as_array().unwrap().iter().map(of).collect()
    }
}

#[tokio::test]
async fn a_public_channel_is_found_joined_and_read_by_everybody() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let kitchen = ada.makes_channel("The kitchen", true).await;
    let overview = ada.makes_channel("Übersicht", true).await;
    assert_eq!(ben.channels("übER").await.len(), 1, "whatever the case");
    assert_eq!(ada.describes(&overview, json!({"public": false})).await.0, 200);
    ada.makes_channel("secret plans", false).await;
    ada.posts(&kitchen, "Cake!").await;
    assert_eq!(ben.get(&format!("/api/conversations/{kitchen}/events")).await.0, 404, "not before one has joined");
    assert_eq!(ben.channels("").await, [("The kitchen".to_owned(), 1, false)], "the other is nobody else's business");
    assert_eq!(ben.channels("kit").await.len(), 1);
    assert_eq!(ben.channels("secret").await.len(), 0);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    assert_eq!(ben.joins(&kitchen).await, 204);
    assert_eq!(ben.joins(&kitchen).await, 204, "twice is once");
    for socket in [&mut a, &mut b] {
        let joined = socket
            .until(|frame| match frame {
                ServerFrame::Event(event) => Some(event.kind),
                _ => None,
            })
            .await;
        assert!(matches!(joined, EventKind::Joined(joined) if joined.user == ben.id));
    }
    let log = ben.log(kitchen.parse().unwrap()).await;
    assert_eq!(log[1]["kind"]["message"]["content"], "Cake!", "what was said before");
    assert_eq!(ben.channels("").await, [("The kitchen".to_owned(), 2, true)]);
    let (_, list) = ben.get("/api/conversations").await;
    let own = list["conversations"].as_array().unwrap().iter().find(|one| one["id"] == json!(kitchen)).unwrap();
    assert_eq!((&own["unread"], &own["public"]), (&json!(0), &json!(true)), "what was said before is not unread");
}

#[tokio::test]
async fn nobody_joins_what_is_not_public_and_nobody_is_brought_by_strangers() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let private = ada.makes_channel("Private", false).await;
    let group = ada.makes_group("Group", &[]).await;
    let public = ada.makes_channel("Public", true).await;
    for id in [&private, &group] {
        assert_eq!(ben.joins(id).await, 404);
    }
    let bring = format!("/api/conversations/{public}/members/{}", cy.id);
    assert_eq!(ben.request(Method::PUT, &bring, None).await.0, 404, "who is not in it brings nobody");
    assert_eq!(ben.joins(&public).await, 204);
    assert_eq!(ben.request(Method::PUT, &bring, None).await.0, 204);
    // Once it is closed nobody new comes by themselves.
    assert_eq!(ben.describes(&public, json!({"public": false})).await.0, 403, "a member does not close it");
    assert_eq!(ada.describes(&public, json!({"public": false})).await.0, 200);
    let dee = server.sign_up("Dee").await;
    assert_eq!(dee.joins(&public).await, 404);
    assert_eq!(dee.channels("").await, []);
    assert_eq!(ben.log(public.parse().unwrap()).await.len(), 4, "those who are in it stay");
}

#[tokio::test]
async fn a_topic_is_told_to_all_who_are_there() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let channel = ada.makes_channel("Kitchen", true).await;
    assert_eq!(ben.joins(&channel).await, 204);
    let mut socket = ada.connect().await;
    let (status, body) = ben.describes(&channel, json!({"topic": "  Cake and coffee "})).await;
    assert_eq!((status, &body["conversation"]["topic"]), (200, &json!("Cake and coffee")), "{body}");
    let described = socket
        .until(|frame| match frame {
            ServerFrame::Event(event) => Some(event.kind),
            _ => None,
        })
        .await;
    assert!(
        matches!(described, EventKind::Described(one) if one.topic.as_deref() == Some("Cake and coffee") && one.public)
    );
    let (_, body) = ben.describes(&channel, json!({"topic": "", "name": "Tea kitchen"})).await;
    assert_eq!((&body["conversation"]["topic"], &body["conversation"]["name"]), (&Value::Null, &json!("Tea kitchen")));
    assert_eq!(ben.describes(&channel, json!({"topic": "x".repeat(251)})).await.0, 422);
    assert_eq!(ben.describes(&channel, json!({"topic": "a\nb"})).await.0, 422);
    let group = ada.makes_group("Group", &[]).await;
    assert_eq!(ada.describes(&group, json!({"topic": "x"})).await.0, 409);
    assert_eq!(ada.describes(&group, json!({"public": true})).await.0, 409);
    let body = json!({"kind": "group", "name": "x", "public": true, "members": []});
    assert_eq!(ada.request(Method::POST, "/api/conversations", Some(body)).await.0, 422);
}
