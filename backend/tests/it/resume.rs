//! Coming back: what was missed, once, in order, with live events in their place.

use crate::support::{Person, Server, Socket, new_id};
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::{ConversationId, Epoch};
use std::collections::BTreeMap;

fn epoch(socket: &Socket) -> Epoch {
    socket.welcome.as_ref().unwrap().epoch.clone()
}

async fn resume(socket: &mut Socket, cursors: &[(ConversationId, u64)]) {
    let epoch = epoch(socket);
    let cursors: BTreeMap<_, _> = cursors.iter().copied().collect();
    socket.send(json!({"type": "resume", "epoch": epoch, "cursors": cursors})).await;
}

/// What comes until the replay of this conversation is complete: its events' numbers, and its end.
async fn replayed(socket: &mut Socket, place: ConversationId) -> (Vec<u64>, u64) {
    let mut seqs = Vec::new();
    loop {
        match socket.next().await {
            ServerFrame::Event(event) if event.conversation == place => seqs.push(event.seq.get()),
            ServerFrame::Accepted(accepted) if accepted.conversation == place => seqs.push(accepted.seq.get()),
            ServerFrame::Resumed(resumed) if resumed.conversation == place => return (seqs, resumed.seq.get()),
            ServerFrame::Resync(resync) if resync.conversation == place => panic!("resync"),
            _ => {}
        }
    }
}

async fn fill(socket: &mut Socket, to: Value, count: usize) -> ConversationId {
    let mut place = None;
    for number in 0..count {
        let id = socket.says(to.clone(), &format!("{number}")).await;
        place = Some(socket.accepted(id).await.0);
    }
    place.unwrap()
}

async fn two() -> (Server, Person, Person) {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    (server, ada, ben)
}

#[tokio::test]
async fn what_was_missed_comes_in_order_and_then_its_end_is_said() {
    let (_server, ada, ben) = two().await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"user": ben.id}), 20).await;
    let mut b = ben.connect().await;
    resume(&mut b, &[(place, 5)]).await;
    assert_eq!(replayed(&mut b, place).await, ((6..=20).collect(), 20));
    resume(&mut b, &[(place, 20)]).await;
    assert_eq!(replayed(&mut b, place).await, (vec![], 20), "nothing was missed");
    resume(&mut b, &[(place, 0)]).await;
    assert_eq!(replayed(&mut b, place).await, ((1..=20).collect(), 20));
    let id = a.says(json!({"user": ben.id}), "live").await;
    a.accepted(id).await;
    let seen = b.sees().await;
    assert!(matches!(&seen[..], [ServerFrame::Event(event)] if event.seq.get() == 21), "{seen:?}");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_to_be_loaded_again() {
    let (server, ada, ben) = two().await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"user": ben.id}), 3).await;
    let cy = server.sign_up("Cy").await;
    let mut c = cy.connect().await;
    resume(&mut c, &[(place, 1)]).await;
    let foreign = c.next_text().await;
    let nowhere: ConversationId = new_id().to_string().parse().unwrap();
    resume(&mut c, &[(nowhere, 1)]).await;
    assert_eq!(foreign.replace(&place.to_string(), "x"), c.next_text().await.replace(&nowhere.to_string(), "x"));
    assert!(foreign.contains("\"resync\""));
    resume(&mut a, &[(place, 4)]).await;
    assert!(matches!(a.next().await, ServerFrame::Resync(_)), "in the future");
    a.send(json!({"type": "resume", "epoch": "another history", "cursors": {place.to_string(): 1}})).await;
    assert!(matches!(a.next().await, ServerFrame::Resync(_)), "of another history");
    resume(&mut a, &[]).await;
    assert_eq!(a.sees().await, []);
}

#[tokio::test]
async fn a_cursor_too_far_back_is_to_be_loaded_again() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let place = ada.connect().await.welcome.unwrap().conversations[0].id;
    let mut server = Some(server);
    // Written into a stopped server's database: ten thousand sends would only take longer.
    let folder = server.take().unwrap().terminate().2;
    let database = rusqlite::Connection::open(folder.path().join("confab.db")).unwrap();
    database
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002)
             INSERT INTO event (conversation, seq, at, sender, kind, message_count)
             SELECT 1, i, 1, (SELECT id FROM user), '{\"renamed\":{\"name\":\"' || i || '\"}}', 0 FROM n;
             UPDATE conversation SET last_seq = 10002, last_position = 10002;",
        )
        .unwrap();
    drop(database);
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    let mut ada = ada;
    ada.moved_to(&server.origin);
    let mut a = ada.connect().await;
    resume(&mut a, &[(place, 1)]).await;
    assert!(matches!(a.next().await, ServerFrame::Resync(_)));
    resume(&mut a, &[(place, 2)]).await;
    assert_eq!(replayed(&mut a, place).await, ((3..=10_002).collect(), 10_002), "ten thousand are replayed");
}

#[tokio::test]
async fn live_events_never_overtake_a_replay() {
    let (_server, ada, ben) = two().await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"user": ben.id}), 300).await;
    let to = json!({"user": ben.id});
    let writing = tokio::spawn(async move { fill(&mut a, to, 300).await });
    let mut b = ben.connect().await;
    while !writing.is_finished() {
        resume(&mut b, &[(place, 0)]).await;
        // The answer to this stands behind what came live before the replay began.
        b.send(json!({"type": "ping", "nonce": 1})).await;
        let (mut seqs, mut begun, mut end) = (Vec::new(), None, None);
        while begun.is_none() || end.is_none() {
            match b.next().await {
                ServerFrame::Event(event) if end.is_none() => seqs.push(event.seq.get()),
                ServerFrame::Pong(_) => begun = Some(seqs.len()),
                ServerFrame::Resumed(resumed) => end = Some(resumed.seq.get()),
                _ => {}
            }
        }
        // What came live before the run may come again in it; from its beginning on, nothing else.
        let start = seqs.iter().rposition(|seq| *seq == 1).unwrap().min(begun.unwrap());
        assert_eq!(seqs[start..], (1..=end.unwrap()).collect::<Vec<_>>());
    }
    writing.await.unwrap();
    resume(&mut b, &[(place, 599)]).await;
    replayed(&mut b, place).await;
}

#[tokio::test]
async fn ones_own_commands_are_answered_in_their_place_during_a_replay() {
    let (_server, ada, ben) = two().await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"user": ben.id}), 300).await;
    let mut b = ben.connect().await;
    resume(&mut b, &[(place, 0)]).await;
    let mut own = Vec::new();
    for number in 0..20 {
        own.push(b.says(json!({"conversation": place}), &format!("own {number}")).await);
    }
    let (mut seqs, mut answers) = (Vec::new(), Vec::new());
    while answers.len() < own.len() {
        match b.next().await {
            ServerFrame::Event(event) => seqs.push(event.seq.get()),
            ServerFrame::Accepted(accepted) => {
                seqs.push(accepted.seq.get());
                answers.push(accepted.id);
            }
            _ => {}
        }
    }
    assert_eq!(seqs, (1..=320).collect::<Vec<_>>(), "each once, as an answer or as an event");
    assert_eq!(answers, own);
}

#[tokio::test]
async fn a_second_resume_takes_the_place_of_the_first() {
    let (_server, ada, ben) = two().await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"user": ben.id}), 700).await;
    let mut b = ben.connect().await;
    for cursor in [0, 100, 650] {
        resume(&mut b, &[(place, cursor)]).await;
    }
    // How far the first two came before the third was read is not said; the last run is its own.
    let mut seqs = Vec::new();
    loop {
        let (more, end) = replayed(&mut b, place).await;
        assert_eq!(end, 700);
        seqs.extend(more);
        let start = seqs.iter().rposition(|seq| *seq == 651).unwrap();
        assert_eq!(seqs[start..], (651..=700).collect::<Vec<_>>());
        if start == 0 || seqs[start - 1] != 650 {
            break;
        }
    }
    assert!(b.sees().await.iter().all(|frame| !matches!(frame, ServerFrame::Event(_))));
}

#[tokio::test]
async fn who_has_left_is_told_to_load_again_and_gets_no_event() {
    let (server, ada, ben) = two().await;
    let cy = server.sign_up("Cy").await;
    let mut a = ada.connect().await;
    let place = fill(&mut a, json!({"users": [ben.id, cy.id]}), 3).await;
    let path = format!("/api/conversations/{place}/members/{}", ben.id);
    assert_eq!(ada.request(reqwest::Method::DELETE, &path, None).await.0, 204);
    let mut b = ben.connect().await;
    resume(&mut b, &[(place, 1)]).await;
    assert!(matches!(&b.sees().await[..], [] | [ServerFrame::Resync(_)]));
}

#[tokio::test]
async fn many_conversations_transfer_only_what_was_missed() {
    let (server, ada, ben) = two().await;
    let folder = server.terminate().2;
    let database = rusqlite::Connection::open(folder.path().join("confab.db")).unwrap();
    // 500 conversations of the two with ten events each.
    database
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO conversation (id, kind, created_at, last_seq, last_position)
             SELECT randomblob(16), 'group', 1, 10, i * 10 FROM n;
             INSERT INTO member (conversation, user, joined_at) SELECT key, user.id, 1 FROM conversation, user WHERE kind = 'group';
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
             INSERT INTO event (conversation, seq, at, sender, kind, message_count)
             SELECT key, i, 1, (SELECT min(id) FROM user), '{\"renamed\":{\"name\":\"x\"}}', 0 FROM conversation, n WHERE kind = 'group';",
        )
        .unwrap();
    drop(database);
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    let mut ben = ben;
    ben.moved_to(&server.origin);
    drop(ada);
    let mut b = ben.connect().await;
    let mut places = Vec::new();
    let mut path = "/api/conversations?limit=100".to_owned();
    loop {
        let (_, page) = ben.get(&path).await;
        let list = page["conversations"].as_array().unwrap();
        places
            .extend(list.iter().filter(|one| one["kind"] == "group").map(|one| one["id"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            break;
        }
        path = format!("/api/conversations?limit=100&before={}", list.last().unwrap()["id"].as_str().unwrap());
    }
    assert_eq!(places.len(), 500);
    let cursors: Vec<(ConversationId, u64)> = places
        .iter()
        .enumerate()
        .map(|(index, id)| (id.parse().unwrap(), if index % 5 == 0 { 7 } else { 10 }))
        .collect();
    resume(&mut b, &cursors).await;
    let (mut events, mut ends) = (0, 0);
    while ends < 500 {
        match b.next().await {
            ServerFrame::Event(_) => events += 1,
            ServerFrame::Resumed(resumed) => {
                assert_eq!(resumed.seq.get(), 10);
                ends += 1;
            }
            _ => {}
        }
    }
    assert_eq!(events, 300);
}
