//! Who is there and who is writing: told to those it concerns and to nobody else.

use crate::support::{Person, Server, Socket, new_id};
use reqwest::Method;
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::{ConversationId, UserId};
use shared::presence::{Presence, PresenceState};

async fn presence(socket: &mut Socket) -> Presence {
    socket
        .until(|frame| match frame {
            ServerFrame::Presence(presence) => Some(presence),
            _ => None,
        })
        .await
}

/// Both write to each other.
async fn meet(one: &Person, other: &Person) {
    for (person, other) in [(one, other), (other, one)] {
        writes(person, json!({"user": other.id})).await;
    }
}

/// Writes from a socket that is then closed; the conversation.
async fn writes(person: &Person, to: Value) -> ConversationId {
    let mut socket = person.connect().await;
    socket.asks(json!({"type": "send", "to": to, "content": "hi"})).await.unwrap().0
}

/// Whose presence somebody is told when they come in.
async fn told_of(person: &Person) -> Vec<UserId> {
    let welcome = person.connect().await.welcome.unwrap();
    welcome.presence.iter().map(|presence| presence.user).collect()
}

#[tokio::test]
async fn coming_and_going_is_told_to_those_one_talks_with() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    meet(&ada, &ben).await;
    let mut c = cy.connect().await;
    let mut a = ada.connect().await;
    let welcome = a.welcome.take().unwrap();
    let [known] = &welcome.presence[..] else { panic!("{:?}", welcome.presence) };
    assert_eq!(known.user, ben.id);
    // A moment ago he wrote; ten seconds later he is gone.
    let mut state = known.state;
    while state != PresenceState::Offline {
        state = presence(&mut a).await.state;
    }

    let b = ben.connect().await;
    let there = presence(&mut a).await;
    assert_eq!((there.user, there.state), (ben.id, PresenceState::Online));
    let second = ben.connect().await;
    assert_eq!(second.welcome.as_ref().unwrap().presence[0].state, PresenceState::Online, "Ada is there");
    drop(b);
    drop(second);
    let gone = presence(&mut a).await;
    assert_eq!((gone.user, gone.state), (ben.id, PresenceState::Offline));
    assert!(gone.last_seen_at.is_some());
    let is_about = |frame: &ServerFrame| matches!(frame, ServerFrame::Presence(_));
    assert!(!a.sees().await.iter().any(is_about), "once each");
    assert!(!c.sees().await.iter().any(is_about), "sharing only the conversation for everyone is not enough");

    let server = server.restart(&["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    let welcome = ada.connect().await.welcome.unwrap();
    assert_eq!(welcome.presence[0].last_seen_at, gone.last_seen_at, "it is kept");
}

#[tokio::test]
async fn whoever_writes_alone_learns_nothing_of_the_presence_of_others() {
    let server = Server::start();
    let (ada, ben, eve) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Eve").await);
    meet(&ada, &ben).await;
    // A stranger writes to somebody, and puts them into a group and a channel.
    writes(&eve, json!({"user": ada.id})).await;
    let group = writes(&eve, json!({"users": [ada.id, ben.id]})).await;
    let channel = json!({"kind": "channel", "name": "News", "members": [ada.id]});
    assert_eq!(eve.request(Method::POST, "/api/conversations", Some(channel)).await.0, 201);
    assert_eq!(told_of(&eve).await, []);
    assert_eq!(told_of(&ada).await, [ben.id], "nor is somebody told of the stranger");

    // Reading is not writing, and reactions are none.
    let mut e = eve.connect().await;
    let mut b = ben.connect().await;
    let mut a = ada.connect().await;
    a.send(json!({"type": "read", "conversation": group, "seq": 1})).await;
    a.asks(json!({"type": "react", "conversation": group, "target": 1, "emoji": "👍", "on": true})).await.unwrap();
    drop(a);
    while presence(&mut b).await.state != PresenceState::Offline {}
    let is_presence = |frame: &ServerFrame| matches!(frame, ServerFrame::Presence(_));
    assert!(!e.sees().await.iter().any(is_presence), "neither that she came nor that she went");
    assert_eq!(told_of(&eve).await, []);

    // Who answers is known, in that place or another, also by a server that was killed in the next moment.
    b.asks(json!({"type": "send", "to": {"conversation": group}, "content": "who are you?"})).await.unwrap();
    let server = server.restart(&["--rate-limits", "off"]);
    let (mut ben, mut eve) = (ben, eve);
    ben.moved_to(&server.origin);
    eve.moved_to(&server.origin);
    assert_eq!(told_of(&eve).await, [ben.id]);
    let mut known = told_of(&ben).await;
    known.sort_unstable();
    let mut expected = vec![ada.id, eve.id];
    expected.sort_unstable();
    assert_eq!(known, expected);

    // Who leaves is told nothing more of the others.
    let path = format!("/api/conversations/{group}/members/{}", eve.id);
    assert_eq!(eve.request(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(told_of(&eve).await, []);
}

#[tokio::test]
async fn typing_is_told_to_the_other_members_and_not_too_often() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (mut a, mut b, mut c) = (ada.connect().await, ben.connect().await, cy.connect().await);
    let (place, _) = a.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "hi"})).await.unwrap();
    for _ in 0..50 {
        a.send(json!({"type": "typing", "conversation": place})).await;
    }
    let typing = b
        .until(|frame| match frame {
            ServerFrame::Typing(typing) => Some(typing),
            _ => None,
        })
        .await;
    assert_eq!((typing.user, typing.conversation), (ada.id, place));
    a.sees().await;
    let is_typing = |frame: &ServerFrame| matches!(frame, ServerFrame::Typing(_));
    assert!(!b.sees().await.iter().any(is_typing), "fifty in a second are one");
    assert!(!c.sees().await.iter().any(is_typing));
    c.send(json!({"type": "typing", "conversation": place})).await;
    c.send(json!({"type": "typing", "conversation": new_id()})).await;
    for _ in 0..2 {
        let code = c
            .until(|frame| match frame {
                ServerFrame::Error(error) => Some(error.code.to_string()),
                _ => None,
            })
            .await;
        assert_eq!(code, "not_found", "not there and not theirs are the same");
    }
}

#[tokio::test]
async fn who_hides_is_never_told_of_and_is_again_when_they_like() {
    let server = Server::start();
    let (ada, mut ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    meet(&ada, &ben).await;
    let mut a = ada.connect().await;
    // He was here a moment ago, to write.
    while presence(&mut a).await.state != PresenceState::Offline {}
    let place = a.welcome.as_ref().unwrap().conversations.iter().find(|one| one.members.is_some()).unwrap().id;
    let b = ben.connect().await;
    assert_eq!(presence(&mut a).await.state, PresenceState::Online);
    let hide = json!({"privacy": {"hidesPresence": true, "hidesTyping": true}});
    let (status, body) = ben.request(reqwest::Method::PATCH, "/api/account", Some(hide)).await;
    assert_eq!((status, &body["user"]["privacy"]["hidesTyping"]), (200, &json!(true)), "{body}");
    let hidden = presence(&mut a).await;
    assert_eq!((hidden.state, hidden.last_seen_at), (PresenceState::Offline, None), "at once");
    let (_, found) = ada.get(&format!("/api/users?ids={}", ben.id)).await;
    assert!(found["users"][0]["privacy"].is_null(), "that they hide is theirs alone");
    drop(b);

    // Also after a restart, when both come anew.
    let server = server.restart(&["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    ben.moved_to(&server.origin);
    let mut before = ada.connect().await;
    let mut b = ben.connect().await;
    let mut a = ada.connect().await;
    let known = &a.welcome.as_ref().unwrap().presence[0];
    assert_eq!((known.state, known.last_seen_at), (PresenceState::Offline, None));
    b.send(json!({"type": "typing", "conversation": place})).await;
    b.asks(json!({"type": "send", "to": {"conversation": place}, "content": "sent all the same"})).await.unwrap();
    // Who was there when he came is not told either.
    for socket in [&mut before, &mut a] {
        let told = socket.sees().await;
        assert!(
            told.iter().all(|frame| !matches!(frame, ServerFrame::Typing(_) | ServerFrame::Presence(_))),
            "{told:?}"
        );
    }

    let show = json!({"privacy": {}});
    assert_eq!(ben.request(reqwest::Method::PATCH, "/api/account", Some(show)).await.0, 200);
    assert_eq!(presence(&mut a).await.state, PresenceState::Online);
    b.send(json!({"type": "typing", "conversation": place})).await;
    let typing = a
        .until(|frame| match frame {
            ServerFrame::Typing(typing) => Some(typing.user),
            _ => None,
        })
        .await;
    assert_eq!(typing, ben.id);
}
