//! Who hears what: the right people, each of their sockets, once, in order, and nobody else.

use crate::support::{Person, Server, Socket, content, new_id};
use reqwest::Method;
use serde_json::json;
use shared::frame::ServerFrame;
use shared::ids::UserId;
use shared::receipt::ReceiptList;

#[tokio::test]
async fn a_message_to_a_person_reaches_that_person_only() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (mut a, mut b, mut c) = (ada.connect().await, ben.connect().await, cy.connect().await);

    let id = a.says(json!({"user": ben.id}), "hi Ben").await;
    let (conversation, seq) = a.accepted(id).await;
    assert_eq!(seq, 1, "the first message of a conversation");

    let seen = b.sees().await;
    let [ServerFrame::Conversation(changed), ServerFrame::Event(event)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(changed.summary.id, conversation);
    assert_eq!(changed.summary.members.as_ref().unwrap().len(), 2);
    assert_eq!((event.sender, event.seq.get(), event.conversation), (ada.id, 1, conversation));
    assert_eq!(content(&seen[1]).unwrap(), "hi Ben");
    assert_eq!(c.sees().await, [], "a third person hears nothing");
    assert!(
        a.sees().await.iter().all(|frame| content(frame).is_none()),
        "the sender's socket gets no event of its own"
    );

    let id = b.says(json!({"user": ada.id}), "hi Ada").await;
    assert_eq!(b.accepted(id).await, (conversation, 2), "the same conversation from the other side");
    assert_eq!(a.sees_messages().await, ["hi Ada"]);
    assert_eq!(c.sees().await, []);
}

#[tokio::test]
async fn one_send_reaches_several_and_the_same_set_is_the_same_group() {
    let server = Server::start();
    let people = [server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await];
    let dan = server.sign_up("Dan").await;
    let [ada, ben, cy] = &people;
    let (mut a, mut b, mut c, mut d) =
        (ada.connect().await, ben.connect().await, cy.connect().await, dan.connect().await);

    let id = a.says(json!({"users": [ben.id, cy.id]}), "hi both").await;
    let (group, _) = a.accepted(id).await;
    assert_eq!(b.sees_messages().await, ["hi both"]);
    assert_eq!(c.sees_messages().await, ["hi both"]);
    assert_eq!(d.sees().await, []);

    let id = c.says(json!({"users": [ada.id, ben.id, ben.id, cy.id]}), "hello").await;
    assert_eq!(c.accepted(id).await, (group, 2), "the same people, in any order, with repeats and oneself");
    let id = b.says(json!({"users": [ada.id]}), "just you").await;
    let (direct, _) = b.accepted(id).await;
    assert_ne!(direct, group);
    let id = a.says(json!({"user": ben.id}), "yes").await;
    assert_eq!(a.accepted(id).await, (direct, 2), "a set of one other person is the direct conversation");
}

#[tokio::test]
async fn a_message_to_everyone_reaches_each_connected_person_once() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (mut a, mut b, mut c) = (ada.connect().await, ben.connect().await, cy.connect().await);
    let id = a.says(json!("everyone"), "hello all").await;
    let (everyone, _) = a.accepted(id).await;
    assert_eq!(b.sees_messages().await, ["hello all"]);
    assert_eq!(c.sees_messages().await, ["hello all"]);
    assert_eq!(a.sees_messages().await, [""; 0]);

    let dan = server.sign_up("Dan").await;
    let welcome = dan.connect().await.welcome.unwrap();
    let summary = welcome.conversations.iter().find(|summary| summary.id == everyone).unwrap();
    assert_eq!((summary.last_seq.get(), summary.unread), (1, 0), "what was said before one came is not unread");
    assert_eq!(dan.log(everyone).await.len(), 1, "but it can be read");
}

#[tokio::test]
async fn all_sockets_of_a_person_hear_it_and_the_senders_other_ones_too() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a1, mut a2) = (ada.connect().await, ada.connect().await);
    let (mut b1, mut b2) = (ben.connect().await, ben.connect().await);
    let id = a1.says(json!({"user": ben.id}), "hi").await;
    a1.accepted(id).await;
    for socket in [&mut a2, &mut b1, &mut b2] {
        assert_eq!(socket.sees_messages().await, ["hi"]);
    }
}

#[tokio::test]
async fn notes_to_oneself_have_a_place() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let (mut a1, mut a2) = (ada.connect().await, ada.connect().await);
    let id = a1.says(json!({"user": ada.id}), "milk").await;
    let (notes, seq) = a1.accepted(id).await;
    assert_eq!(seq, 1);
    assert_eq!(a2.sees_messages().await, ["milk"]);
    let (_, body) = ada.get(&format!("/api/conversations/{notes}")).await;
    assert_eq!(body["conversation"]["kind"], "direct");
    assert_eq!(body["conversation"]["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn closed_sockets_leave_the_registry() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut a = ada.connect().await;
    let mut polite = ben.connect().await;
    let cut = ben.connect().await;
    polite.stream.close(None).await.unwrap();
    drop(cut);
    // A socket that has left is not asked to go when there are too many: 63 more fit beside these.
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(ben.connect().await);
    }
    let id = a.says(json!({"user": ben.id}), "still there?").await;
    a.accepted(id).await;
    for socket in &mut sockets {
        assert_eq!(socket.sees_messages().await, ["still there?"]);
    }
    let _one_more = ben.connect().await;
    assert_eq!(sockets[0].closed().await.0, 4409, "the oldest goes");
    assert_eq!(sockets[1].sees().await, []);
}

#[tokio::test]
async fn everybody_sees_one_order_without_gaps() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let mut reader = cy.connect().await;
    let mut writers = Vec::new();
    for person in [&ada, &ben, &ada, &ben] {
        let mut socket = person.connect().await;
        writers.push(tokio::spawn(async move {
            let mut last = 0;
            for number in 0..100 {
                let id = socket.says(json!("everyone"), &format!("{number}")).await;
                let (_, seq) = socket.accepted(id).await;
                assert!(seq > last, "answers come in the order of the log");
                last = seq;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let seqs: Vec<_> = reader
        .sees()
        .await
        .iter()
        .filter_map(|frame| match frame {
            ServerFrame::Event(event) => Some(event.seq.get()),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, (1..=400).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_id_is_stored_once_and_answered_the_same() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let send = json!({"type": "send", "id": new_id(), "to": {"user": ben.id}, "content": "once"});
    let id = send["id"].as_str().unwrap().parse().unwrap();
    a.send(send.clone()).await;
    let first = a.accepted(id).await;
    a.send(send.clone()).await;
    assert_eq!(a.accepted(id).await, first);
    let mut other = send.clone();
    other["content"] = json!("twice");
    a.send(other).await;
    assert_eq!(a.rejected(id).await, "conflict");
    let mut elsewhere = send.clone();
    elsewhere["to"] = json!("everyone");
    a.send(elsewhere).await;
    assert_eq!(a.rejected(id).await, "conflict");
    let mut new_conversation = send.clone();
    new_conversation["to"] = json!({"user": ada.id});
    a.send(new_conversation).await;
    assert_eq!(a.rejected(id).await, "conflict");
    assert_eq!(b.sees_messages().await, ["once"]);

    let mut bens = send;
    bens["to"] = json!({"user": ada.id});
    b.send(bens).await;
    assert_eq!(b.accepted(id).await, (first.0, 2), "another person's id is another id");

    let (conversation, seq) = first;
    let path = format!("/api/conversations/{conversation}/messages");
    let (status, body) = ada.request(reqwest::Method::POST, &path, Some(json!({"id": id, "content": "once"}))).await;
    assert_eq!((status, &body["seq"]), (200, &json!(seq)), "over HTTP it is the same command");
}

#[tokio::test]
async fn read_positions_reach_ones_own_devices_and_the_others() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let mut a = ada.connect().await;
    let (mut b1, mut b2) = (ben.connect().await, ben.connect().await);
    // He has written, so he is told of.
    let (conversation, _) = b1.asks(json!({"type": "send", "to": {"user": ada.id}, "content": "zero"})).await.unwrap();
    for text in ["one", "two", "three"] {
        let id = a.says(json!({"user": ben.id}), text).await;
        a.accepted(id).await;
    }
    let unread = |body: &serde_json::Value| body["conversation"]["unread"].as_u64();
    let path = format!("/api/conversations/{conversation}");
    assert_eq!(unread(&ben.get(&path).await.1), Some(3));
    b1.sees().await;
    b2.sees().await;
    b1.send(json!({"type": "read", "conversation": conversation, "seq": 3})).await;
    let ServerFrame::Conversation(changed) = b2.next().await else { panic!("the other device is told") };
    assert_eq!((changed.summary.read_seq.get(), changed.summary.unread), (3, 1));
    let ServerFrame::Receipt(receipt) = a.next().await else { panic!("the sender is told") };
    assert_eq!((receipt.user, receipt.read.unwrap().get(), receipt.delivered.unwrap().get()), (ben.id, 3, 3));
    b1.send(json!({"type": "read", "conversation": conversation, "seq": 1})).await;
    b1.send(json!({"type": "read", "conversation": conversation, "seq": 99})).await;
    let ServerFrame::Conversation(changed) = b2.next().await else { panic!("the other device is told") };
    assert_eq!(
        (changed.summary.read_seq.get(), changed.summary.unread),
        (4, 0),
        "never back, and no further than there is"
    );
    let ServerFrame::Receipt(receipt) = a.next().await else { panic!("the sender is told") };
    assert_eq!(receipt.read.unwrap().get(), 4);
    let id = b1.says(json!({"conversation": conversation}), "four").await;
    b1.accepted(id).await;
    assert_eq!(unread(&ben.get(&path).await.1), Some(0), "writing is reading");
}

#[tokio::test]
async fn how_far_the_others_are_can_be_asked() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let mut a = ada.connect().await;
    let first = a.says(json!({"users": [ben.id, cy.id]}), "one").await;
    let (conversation, _) = a.accepted(first).await;
    let path = format!("/api/conversations/{conversation}/receipts");
    assert_eq!(ada.get(&path).await.1["receipts"], json!([]), "nobody has come anywhere");
    ben.posts(&conversation.to_string(), "two").await;
    let position = |delivered: u64, read: u64| json!([{"conversation": conversation, "user": ben.id, "delivered": delivered, "read": read}]);
    assert_eq!(ada.get(&path).await.1["receipts"], position(2, 2), "who writes has read");
    for text in ["three", "four"] {
        let id = a.says(json!({"conversation": conversation}), text).await;
        a.accepted(id).await;
    }
    let mut b = ben.connect().await;
    b.send(json!({"type": "read", "conversation": conversation, "seq": 3})).await;
    b.send(json!({"type": "delivered", "conversation": conversation, "seq": 4})).await;
    for _ in 0..2 {
        a.until(|frame| matches!(frame, ServerFrame::Receipt(_)).then_some(())).await;
    }
    let expected = position(4, 3);
    assert_eq!(ada.get(&path).await.1["receipts"], expected);
    let (_, own) = ben.get(&path).await;
    let own = own["receipts"].as_array().unwrap();
    assert_eq!(own.iter().map(|one| &one["user"]).collect::<Vec<_>>(), [&json!(ada.id)], "one's own is not told");
}

/// Somebody reads; when this is done, all who are to be told have been told.
async fn reads(person: &Person, conversation: &str, seq: u64) {
    let (mut here, mut there) = (person.connect().await, person.connect().await);
    here.send(json!({"type": "delivered", "conversation": conversation, "seq": seq})).await;
    here.send(json!({"type": "read", "conversation": conversation, "seq": seq})).await;
    let is_read = |frame: ServerFrame| match frame {
        ServerFrame::Conversation(changed) => (changed.summary.read_seq.get() == seq).then_some(()),
        _ => None,
    };
    there.until(is_read).await;
}

/// Whose positions somebody is told: those that come to their socket, and those they ask for.
async fn told_of(person: &Person, socket: &mut Socket, conversation: &str) -> (Vec<UserId>, Vec<UserId>) {
    let of = |frame: &ServerFrame| match frame {
        ServerFrame::Receipt(receipt) if receipt.conversation.to_string() == conversation => Some(receipt.user),
        _ => None,
    };
    let mut live: Vec<_> = socket.sees().await.iter().filter_map(of).collect();
    live.sort_unstable();
    live.dedup();
    let (_, list) = person.get(&format!("/api/conversations/{conversation}/receipts")).await;
    let list: ReceiptList = serde_json::from_value(list).unwrap();
    (live, list.receipts.iter().map(|receipt| receipt.user).collect())
}

#[tokio::test]
async fn who_was_written_to_or_put_somewhere_is_told_of_once_they_have_written() {
    let server = Server::start();
    let (ada, ben, eve) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Eve").await);
    let mut e = eve.connect().await;
    let nobody = || (vec![], vec![]);
    let live = |person: &Person| (vec![person.id], vec![person.id]);
    // A stranger writes to somebody and puts them into a group. They read it, and the stranger does not hear of that.
    let send = |to: serde_json::Value| json!({"type": "send", "to": to, "content": "hello?"});
    let (talk, _) = e.asks(send(json!({"user": ada.id}))).await.unwrap();
    let (group, _) = e.asks(send(json!({"users": [ada.id, ben.id]}))).await.unwrap();
    let (talk, group) = (talk.to_string(), group.to_string());
    for place in [&talk, &group] {
        reads(&ada, place, 1).await;
        assert_eq!(told_of(&eve, &mut e, place).await, nobody());
    }
    assert_eq!(ada.get(&format!("/api/conversations/{talk}")).await.1["conversation"]["unread"], 0, "it is read");
    // A reaction is no answer.
    let react = json!({"type": "react", "conversation": talk, "target": 1, "emoji": "👍", "on": true});
    ada.connect().await.asks(react).await.unwrap();
    assert_eq!(told_of(&eve, &mut e, &talk).await, nobody());

    // Who answers is told of, there and nowhere else, also by a server that was killed in the next moment.
    let seq = ada.posts(&talk, "who are you?").await;
    assert_eq!(told_of(&eve, &mut e, &talk).await, (vec![], vec![ada.id]), "the answer itself says how far she is");
    let (_, list) = eve.get(&format!("/api/conversations/{talk}/receipts")).await;
    assert_eq!((&list["receipts"][0]["read"], &list["receipts"][0]["delivered"]), (&json!(seq), &json!(seq)));
    let server = server.restart(&["--rate-limits", "off"]);
    let (mut ada, mut ben, mut eve) = (ada, ben, eve);
    for person in [&mut ada, &mut ben, &mut eve] {
        person.moved_to(&server.origin);
    }
    let mut e = eve.connect().await;
    let seq = eve.posts(&talk, "Eve").await;
    reads(&ada, &talk, seq).await;
    assert_eq!(told_of(&eve, &mut e, &talk).await, live(&ada));
    let seq = eve.posts(&group, "hello?").await;
    reads(&ada, &group, seq).await;
    assert_eq!(told_of(&eve, &mut e, &group).await, nobody());
    assert_eq!(told_of(&ben, &mut ben.connect().await, &group).await, (vec![], vec![eve.id]), "who writes is told of");

    // Once they have written there, too; and who comes by themselves is told of at once.
    ada.posts(&group, "hm").await;
    let seq = eve.posts(&group, "hello!").await;
    reads(&ada, &group, seq).await;
    assert_eq!(told_of(&eve, &mut e, &group).await, live(&ada));
    let channel = json!({"kind": "channel", "name": "News", "public": true, "members": [ada.id]});
    let (_, made) = eve.request(Method::POST, "/api/conversations", Some(channel)).await;
    let channel = made["conversation"]["id"].as_str().unwrap();
    assert_eq!(
        ben.request(Method::PUT, &format!("/api/conversations/{channel}/members/{}", ben.id), None).await.0,
        204
    );
    let seq = eve.posts(channel, "news").await;
    for person in [&ada, &ben] {
        reads(person, channel, seq).await;
    }
    assert_eq!(told_of(&eve, &mut e, channel).await, live(&ben));
    let path = format!("/api/conversations/{channel}/members/{}", ada.id);
    assert_eq!(ada.request(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(ada.request(Method::PUT, &path, None).await.0, 204);
    let seq = eve.posts(channel, "more news").await;
    reads(&ada, channel, seq).await;
    assert_eq!(told_of(&eve, &mut e, channel).await.0, [ada.id], "she came back by herself");
}
