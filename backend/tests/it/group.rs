//! Groups and channels: making, naming, coming, going; and who hears of it.

use crate::support::{Person, Server, Socket, content, new_id};
use reqwest::Method;
use serde_json::{Value, json};
use shared::event::EventKind;
use shared::frame::ServerFrame;
use shared::ids::ConversationId;

async fn group(owner: &Person, members: &[&Person]) -> ConversationId {
    owner.makes_group("Walks", members).await.parse().unwrap()
}

fn members(id: ConversationId, person: &Person) -> String {
    format!("/api/conversations/{id}/members/{}", person.id)
}

async fn status(person: &Person, method: Method, path: &str) -> u16 {
    person.request(method, path, None).await.0
}

/// The next event of a conversation.
async fn event(socket: &mut Socket) -> EventKind {
    socket
        .until(|frame| match frame {
            ServerFrame::Event(event) => Some(event.kind),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_group_is_made_with_an_event_that_says_so() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (mut b, mut c) = (ben.connect().await, cy.connect().await);
    let id = group(&ada, &[&ben, &ben]).await;
    let ServerFrame::Conversation(changed) = b.next().await else { panic!("first the conversation") };
    assert_eq!((changed.summary.id, changed.summary.name.as_deref()), (id, Some("Walks")));
    let EventKind::Created(created) = event(&mut b).await else { panic!("then that it was made") };
    assert_eq!(created.members.len(), 2);
    assert_eq!(c.sees().await, []);
    let log = ada.log(id).await;
    assert_eq!(log[0]["kind"]["created"]["name"], "Walks");
    assert_eq!(log[0]["seq"], 1);
    let again = group(&ada, &[&ben]).await;
    assert_ne!(again, id, "each is a new one");
}

#[tokio::test]
async fn a_new_name_is_an_event_and_nothing_more() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let id = group(&ada, &[&ben]).await;
    let mut a = ada.connect().await;
    let path = format!("/api/conversations/{id}");
    let (status, body) = ben.request(Method::PATCH, &path, Some(json!({"name": " Long walks "}))).await;
    assert_eq!((status, &body["conversation"]["name"]), (200, &json!("Long walks")));
    let EventKind::Renamed(renamed) = event(&mut a).await else { panic!("an event") };
    assert_eq!(renamed.name, "Long walks");
    assert_eq!(a.sees().await, []);
    ben.request(Method::PATCH, &path, Some(json!({"name": "Long walks"}))).await;
    assert_eq!(ada.log(id).await.len(), 2, "the same name is no event");
    for bad in ["", " ", "x\ny", &"x".repeat(65)] {
        assert_eq!(ben.request(Method::PATCH, &path, Some(json!({"name": bad}))).await.0, 422);
    }
}

#[tokio::test]
async fn whoever_comes_is_shown_the_conversation_first_and_can_read_what_was_said() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let id = group(&ada, &[&ben]).await;
    let (mut a, mut c) = (ada.connect().await, cy.connect().await);
    let said = a.says(json!({"conversation": id}), "before").await;
    a.accepted(said).await;
    assert_eq!(status(&ben, Method::PUT, &members(id, &cy)).await, 204, "any member brings people in");
    let ServerFrame::Conversation(changed) = c.next().await else { panic!("first the conversation") };
    assert_eq!((changed.summary.last_seq.get(), changed.summary.unread), (2, 0), "nothing is unread");
    assert_eq!(
        (changed.summary.members.unwrap().len(), changed.summary.member_count),
        (2, Some(2)),
        "as it stood before"
    );
    assert!(matches!(event(&mut c).await, EventKind::Joined(joined) if joined.user == cy.id));
    assert!(matches!(event(&mut a).await, EventKind::Joined(joined) if joined.user == cy.id));
    assert_eq!(cy.log(id).await.len(), 3);
    assert_eq!(status(&ben, Method::PUT, &members(id, &cy)).await, 204, "again");
    assert_eq!(ada.log(id).await.len(), 3, "is no event");
}

#[tokio::test]
async fn whoever_leaves_hears_that_and_nothing_after_it() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let id = group(&ada, &[&ben, &cy]).await;
    let (mut a, mut b, mut c) = (ada.connect().await, ben.connect().await, cy.connect().await);
    let own = json!({"type": "send", "id": new_id(), "to": {"conversation": id}, "content": "mine"});
    let own_id = own["id"].as_str().unwrap().parse().unwrap();
    b.send(own.clone()).await;
    let first = b.accepted(own_id).await;
    assert_eq!(status(&cy, Method::DELETE, &members(id, &ben)).await, 403, "a member sends nobody away");
    assert_eq!(status(&cy, Method::DELETE, &members(id, &ada)).await, 403);
    assert_eq!(status(&ada, Method::DELETE, &members(id, &ben)).await, 204, "its owner does");
    assert!(matches!(event(&mut b).await, EventKind::Left(left) if left.user == ben.id));
    let said = a.says(json!({"conversation": id}), "he is gone").await;
    a.accepted(said).await;
    ada.request(Method::PATCH, &format!("/api/conversations/{id}"), Some(json!({"name": "Without Ben"}))).await;
    c.until(|frame| content(&frame)).await;
    assert!(b.sees().await.is_empty(), "nothing after it");
    b.send(own).await;
    assert_eq!(b.accepted(own_id).await, first, "what was accepted before is still answered the same");
    let foreign = format!("/api/conversations/{}", new_id());
    for end in ["", "/events"] {
        let gone = ben.get(&format!("/api/conversations/{id}{end}")).await;
        assert_eq!(gone.0, 404);
        assert_eq!(gone, ben.get(&format!("{foreign}{end}")).await, "as if it were not there");
    }
    assert_eq!(
        b.asks(json!({"type": "send", "to": {"conversation": id}, "content": "x"})).await,
        Err("not_found".into())
    );
    let welcome = ben.connect().await.welcome.unwrap();
    assert!(welcome.conversations.iter().all(|summary| summary.id != id));

    assert_eq!(status(&cy, Method::DELETE, &members(id, &cy)).await, 204, "anybody leaves");
    assert_eq!(status(&cy, Method::DELETE, &members(id, &cy)).await, 404);
    assert_eq!(status(&ada, Method::PUT, &members(id, &ben)).await, 204);
    assert_eq!(ben.log(id).await.len(), ada.log(id).await.len(), "who is back reads all of it");
}

#[tokio::test]
async fn a_group_whose_owner_leaves_has_another_owner() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let id = group(&ada, &[&ben, &cy]).await;
    assert_eq!(status(&ada, Method::DELETE, &members(id, &ada)).await, 204);
    let by_ben = status(&ben, Method::DELETE, &members(id, &cy)).await;
    let by_cy = status(&cy, Method::DELETE, &members(id, &ben)).await;
    assert!(by_ben == 204 && by_cy == 404 || by_ben == 403 && by_cy == 204, "{by_ben} {by_cy}");
}

/// Ada, Ben, Cy and Dora.
async fn people(server: &Server) -> [Person; 4] {
    let all = ["Ada", "Ben", "Cy", "Dora"].map(|name| server.sign_up(name));
    futures_util::future::join_all(all).await.try_into().unwrap_or_else(|_| unreachable!("four of four"))
}

/// Who among these people gets a message, by its text.
async fn receivers<'a>(sockets: &mut [(&'a str, &mut Socket)], text: &str) -> Vec<&'a str> {
    let mut receivers = Vec::new();
    for (name, socket) in sockets {
        if socket.sees_messages().await.iter().any(|seen| seen == text) {
            receivers.push(*name);
        }
    }
    receivers
}

#[tokio::test]
async fn a_set_of_people_finds_a_group_only_while_its_members_are_that_set() {
    let server = Server::start();
    let [ada, ben, cy, dora] = people(&server).await;
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let (mut c, mut d) = (cy.connect().await, dora.connect().await);
    let to = json!({"users": [ben.id, cy.id]});
    let first = json!({"type": "send", "id": new_id(), "to": to, "content": "first"});
    let first_id = first["id"].as_str().unwrap().parse().unwrap();
    a.send(first.clone()).await;
    let (group, seq) = a.accepted(first_id).await;
    let again = a.says(to.clone(), "again").await;
    assert_eq!(a.accepted(again).await.0, group, "the set finds what it has made");

    // Somebody is brought in, and somebody leaves.
    assert_eq!(status(&ben, Method::PUT, &members(group, &dora)).await, 204);
    let said = a.says(to.clone(), "not for Dora").await;
    let (second, _) = a.accepted(said).await;
    assert_ne!(second, group);
    let mut sockets = [("ben", &mut b), ("cy", &mut c), ("dora", &mut d)];
    assert_eq!(receivers(&mut sockets, "not for Dora").await, ["ben", "cy"]);
    assert_eq!(status(&cy, Method::DELETE, &members(second, &cy)).await, 204);
    let said = a.says(to.clone(), "for Cy, too").await;
    let (third, _) = a.accepted(said).await;
    assert!(third != group && third != second);
    let mut sockets = [("ben", &mut b), ("cy", &mut c), ("dora", &mut d)];
    assert_eq!(receivers(&mut sockets, "for Cy, too").await, ["ben", "cy"]);

    // Somebody who has left writes to the same people, and finds the group that has them.
    let said = c.says(json!({"users": [ada.id, ben.id]}), "from Cy").await;
    assert_eq!(c.accepted(said).await.0, third);

    // A retry is answered by what it came to the first time; to other people it is another command.
    a.send(first.clone()).await;
    assert_eq!(a.accepted(first_id).await, (group, seq));
    let mut other = first;
    other["to"] = json!({"users": [ben.id, dora.id]});
    a.send(other).await;
    assert_eq!(a.rejected(first_id).await, "conflict");

    // A deleted account leaves its groups, and no group can be made with it.
    let body = json!({"currentPassword": "correct horse"});
    assert_eq!(cy.request(Method::DELETE, "/api/account", Some(body)).await.0, 204);
    let said = a.says(to, "for nobody").await;
    assert_eq!(a.rejected(said).await, "not_found");
    // What was said in a direct conversation or a group goes on among those who are there.
    let said = a.says(json!({"conversation": group}), "in the first").await;
    a.accepted(said).await;
    let mut sockets = [("ben", &mut b), ("dora", &mut d)];
    assert_eq!(receivers(&mut sockets, "in the first").await, ["ben", "dora"]);
}

#[tokio::test]
async fn a_message_for_those_who_were_seen_in_a_group_is_refused_once_others_are_there() {
    let server = Server::start();
    let [ada, ben, cy, dora] = people(&server).await;
    let (mut a, mut c, mut d) = (ada.connect().await, cy.connect().await, dora.connect().await);
    let said = a.says(json!({"users": [ben.id, cy.id]}), "first").await;
    let (group, _) = a.accepted(said).await;
    let seen = json!({"group": {"conversation": group, "members": [cy.id, ben.id]}});
    let kept = json!({"type": "send", "id": new_id(), "to": seen, "content": "for the two"});
    let kept_id = kept["id"].as_str().unwrap().parse().unwrap();
    a.send(kept.clone()).await;
    let place = a.accepted(kept_id).await;
    assert_eq!((place.0, receivers(&mut [("cy", &mut c)], "for the two").await), (group, vec!["cy"]));

    for (method, who) in [(Method::PUT, &dora), (Method::DELETE, &cy)] {
        assert_eq!(status(&ada, method, &members(group, who)).await, 204);
        let said = a.says(seen.clone(), "for the two again").await;
        assert_eq!(a.rejected(said).await, "conflict");
    }
    assert_eq!(receivers(&mut [("dora", &mut d)], "for the two again").await, Vec::<&str>::new());
    a.send(kept).await;
    assert_eq!(a.accepted(kept_id).await, place, "a retry is answered like the first time");
    let now = json!({"group": {"conversation": group, "members": [ada.id, ben.id, dora.id]}});
    let said = a.says(now, "for those who are here").await;
    assert_eq!(a.accepted(said).await.0, group);
    let said = c.says(seen, "let me in").await;
    assert_eq!(c.rejected(said).await, "not_found");
}

#[tokio::test]
async fn a_message_to_a_deleted_account_is_refused_and_what_was_said_before_stays() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let mut a = ada.connect().await;
    let first = json!({"type": "send", "id": new_id(), "to": {"user": ben.id}, "content": "hi"});
    let first_id = first["id"].as_str().unwrap().parse().unwrap();
    a.send(first.clone()).await;
    let place = a.accepted(first_id).await;
    let said = a.says(json!({"user": cy.id}), "hi").await;
    a.accepted(said).await;
    let delete = async |person: &Person| {
        let body = json!({"currentPassword": "correct horse"});
        assert_eq!(person.request(Method::DELETE, "/api/account", Some(body)).await.0, 204);
    };
    delete(&ben).await;
    for to in [json!({"user": ben.id}), json!({"users": [ben.id]}), json!({"conversation": place.0})] {
        let said = a.says(to.clone(), "are you there?").await;
        assert_eq!(a.rejected(said).await, "forbidden", "{to}");
    }
    let body = json!({"id": new_id(), "content": "are you there?"});
    let path = format!("/api/conversations/{}/messages", place.0);
    let (status, body) = ada.request(Method::POST, &path, Some(body)).await;
    assert_eq!((status, &body["error"]["field"]), (403, &json!("to")), "{body}");
    a.send(first).await;
    assert_eq!(a.accepted(first_id).await, place, "a retry is answered like the first time");
    assert_eq!(ada.log(place.0).await.len(), 1);

    // What one has written there is one's own as before; other conversations go on.
    let edit = json!({"type": "edit", "conversation": place.0, "target": place.1, "content": "hello"});
    assert!(a.asks(edit).await.is_ok());
    let said = a.says(json!({"user": cy.id}), "still here").await;
    a.accepted(said).await;
    let said = a.says(json!({"user": ada.id}), "a note").await;
    a.accepted(said).await;
}

#[tokio::test]
async fn an_owner_deletes_what_others_wrote() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let id = group(&ada, &[&ben]).await;
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let said = b.says(json!({"conversation": id}), "rude").await;
    let (_, seq) = b.accepted(said).await;
    let delete = json!({"type": "delete", "conversation": id, "target": seq});
    assert!(a.asks(delete).await.is_ok());
    assert_eq!(
        a.asks(json!({"type": "edit", "conversation": id, "target": seq, "content": "x"})).await,
        Err("forbidden".into())
    );
}

#[tokio::test]
async fn what_a_conversation_cannot_be_is_refused() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut a = ada.connect().await;
    let said = a.says(json!({"user": ben.id}), "hi").await;
    let (direct, _) = a.accepted(said).await;
    let everyone = a.welcome.as_ref().unwrap().conversations[0].id;
    for id in [direct, everyone] {
        assert_eq!(status(&ada, Method::PUT, &members(id, &ben)).await, 409);
        assert_eq!(status(&ada, Method::DELETE, &members(id, &ada)).await, 409);
        let path = format!("/api/conversations/{id}");
        assert_eq!(ada.request(Method::PATCH, &path, Some(json!({"name": "x"}))).await.0, 409);
    }
    let crowd: Vec<_> = (0..1_000).map(|_| new_id().to_string()).collect();
    let table: [(Value, u16); 7] = [
        (json!({"kind": "direct", "members": [ben.id]}), 422),
        (json!({"kind": "everyone", "members": []}), 422),
        (json!({"kind": "club", "members": []}), 422),
        (json!({"kind": "channel", "members": []}), 422),
        (json!({"kind": "group", "members": [new_id()]}), 422),
        (json!({"kind": "group", "members": crowd}), 422),
        (json!({"kind": "group", "name": "\u{202e}", "members": []}), 422),
    ];
    for (body, expected) in table {
        let (found, answer) = ada.request(Method::POST, "/api/conversations", Some(body)).await;
        assert_eq!(found, expected, "{answer}");
        assert!(answer["error"]["field"].is_string(), "{answer}");
    }
    let id = group(&ada, &[]).await;
    let nobody = format!("/api/conversations/{id}/members/{}", new_id());
    assert_eq!(status(&ada, Method::PUT, &nobody).await, 404);
    assert_eq!(status(&ada, Method::PUT, &format!("/api/conversations/{id}/members/nobody")).await, 404);
}

#[tokio::test]
async fn members_are_listed_by_name_with_their_roles() {
    let server = Server::start();
    let (ada, ben, cy) =
        (server.sign_up("Ada").await, server.sign_up_at("ben", "Ben Stone").await, server.sign_up("Cy").await);
    let id = group(&ada, &[&cy, &ben]).await;
    let path = format!("/api/conversations/{id}/members");
    let list = |body: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = body["members"].as_array().unwrap().iter();
        members.map(|member| (text(&member["user"]["displayName"]), text(&member["role"]))).collect()
    };
    let role = |name: &str, role: &str| (name.to_owned(), role.to_owned());
    let (_, body) = ben.get(&path).await;
    assert_eq!(list(&body), [role("Ada", "owner"), role("Ben Stone", "member"), role("Cy", "member")]);
    assert_eq!(body["more"], false);
    let (_, body) = ben.get(&format!("{path}?search=sto")).await;
    assert_eq!(list(&body), [role("Ben Stone", "member")]);
    let (_, body) = ben.get(&format!("{path}?skip=1&limit=1")).await;
    assert_eq!((list(&body), &body["more"]), (vec![role("Ben Stone", "member")], &json!(true)));
    assert_eq!(ben.get(&format!("{path}?skip=-1")).await.0, 422);
}

#[tokio::test]
async fn an_owner_gives_roles_and_whoever_has_one_may_do_what_it_says() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let id = group(&ada, &[&ben, &cy]).await;
    assert_eq!(status(&ben, Method::DELETE, &members(id, &cy)).await, 403);
    let give = async |by: &Person, to: &Person, role: &str| {
        by.request(Method::PATCH, &members(id, to), Some(json!({"role": role}))).await.0
    };
    assert_eq!(give(&ben, &ben, "owner").await, 403);
    assert_eq!(give(&ada, &ben, "king").await, 422);
    assert_eq!(give(&ada, &ben, "moderator").await, 204);
    assert_eq!(status(&ben, Method::DELETE, &members(id, &cy)).await, 204);
    assert_eq!(give(&ada, &cy, "moderator").await, 404, "who is not there has no role");
    assert_eq!(status(&ben, Method::DELETE, &members(id, &ada)).await, 403);
    assert_eq!(give(&ada, &ben, "owner").await, 204);
    assert_eq!(give(&ben, &ada, "member").await, 204);
    assert_eq!(status(&ben, Method::DELETE, &members(id, &ada)).await, 204);
}
