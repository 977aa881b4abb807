//! Messages change: edited, deleted, reacted to. Whoever reads later finds what they have become.

use crate::support::{Person, Server, Socket, new_id};
use serde_json::{Value, json};
use shared::event::EventKind;
use shared::frame::ServerFrame;
use shared::ids::ConversationId;

struct Scene {
    server: Server,
    ada: Person,
    ben: Person,
    a: Socket,
    b: Socket,
    place: ConversationId,
}

/// Ada has written to Ben.
async fn scene() -> Scene {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let id = a.says(json!({"user": ben.id}), "first").await;
    let (place, _) = a.accepted(id).await;
    b.sees().await;
    Scene { server, ada, ben, a, b, place }
}

impl Scene {
    fn edit(&self, target: u64, content: &str) -> Value {
        json!({"type": "edit", "conversation": self.place, "target": target, "content": content})
    }

    fn delete(&self, target: u64) -> Value {
        json!({"type": "delete", "conversation": self.place, "target": target})
    }

    fn react(&self, target: u64, emoji: &str, on: bool) -> Value {
        json!({"type": "react", "conversation": self.place, "target": target, "emoji": emoji, "on": on})
    }
}

async fn kinds(socket: &mut Socket) -> Vec<EventKind> {
    let event = |frame| match frame {
        ServerFrame::Event(event) => Some(event.kind),
        _ => None,
    };
    socket.sees().await.into_iter().filter_map(event).collect()
}

fn message(event: &Value) -> &Value {
    &event["kind"]["message"]
}

#[tokio::test]
async fn an_edit_reaches_everybody_and_history_has_the_new_text() {
    let mut s = scene().await;
    assert_eq!(s.a.asks(s.edit(1, " second ")).await, Ok((s.place, 2)));
    let [EventKind::Edited(edited)] = &kinds(&mut s.b).await[..] else { panic!("one event") };
    assert_eq!((edited.target.get(), edited.content.as_str()), (1, "second"));
    let log = s.ben.log(s.place).await;
    assert_eq!(message(&log[0])["content"], "second");
    assert_eq!(message(&log[0])["editedAt"], log[1]["at"]);
    assert_eq!(log[1]["kind"]["edited"]["content"], "second");
}

#[tokio::test]
async fn a_deleted_text_is_nowhere_any_more() {
    let mut s = scene().await;
    assert_eq!(s.a.asks(s.edit(1, "a secret")).await, Ok((s.place, 2)));
    assert_eq!(s.b.asks(s.react(1, "👍", true)).await, Ok((s.place, 3)));
    assert_eq!(s.a.asks(s.delete(1)).await, Ok((s.place, 4)));
    let log = s.ben.log(s.place).await;
    assert_eq!(message(&log[0])["content"], "");
    assert_eq!(message(&log[0])["deletedAt"], log[3]["at"]);
    assert!(message(&log[0]).get("reactions").is_none() && message(&log[0]).get("editedAt").is_none());
    assert!(!serde_json::to_string(&log).unwrap().contains("secret"));
    assert_eq!(s.a.asks(s.delete(1)).await, Ok((s.place, 4)), "it is deleted already");
    assert_eq!(s.a.asks(s.edit(1, "again")).await, Err("bad_reference".into()));
    assert_eq!(s.a.asks(s.react(1, "👍", true)).await, Err("bad_reference".into()));
}

/// The rows of an event and of a command that have any of these fingerprints.
fn rows_with_prints(database: &rusqlite::Connection, fingerprints: &[Vec<u8>]) -> usize {
    let rows = |table: &str| -> Vec<Vec<u8>> {
        let sql = format!("SELECT fingerprint FROM {table} WHERE fingerprint IS NOT NULL");
        let mut statement = database.prepare(&sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    rows("event").into_iter().chain(rows("command")).filter(|row| fingerprints.contains(row)).count()
}

#[tokio::test]
async fn a_deleted_text_cannot_be_guessed_at_in_the_database_and_its_commands_are_answered_as_before() {
    let mut s = scene().await;
    let (send, edit) = (new_id(), new_id());
    let mut commands = [
        json!({"type": "send", "id": send, "to": {"conversation": s.place}, "content": "a secret"}),
        json!({"type": "edit", "id": edit, "conversation": s.place, "target": 2, "content": "another secret"}),
    ];
    for (command, id, seq) in [(&commands[0], send, 2), (&commands[1], edit, 3)] {
        s.a.send(command.clone()).await;
        assert_eq!(s.a.accepted(id).await, (s.place, seq));
    }
    let path = s.server.data().join("confab.db");
    let open = || rusqlite::Connection::open(&path).unwrap();
    let prints = || -> Vec<Vec<u8>> {
        let database = open();
        let mut statement = database.prepare("SELECT fingerprint FROM event WHERE seq IN (2, 3)").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    crate::faults::until("both are in the tables", async || prints().len() == 2).await;
    let secrets = prints();
    // As it stands in a database from before fingerprints were in the rows of events.
    open()
        .execute_batch(
            "INSERT INTO command SELECT sender, command, fingerprint, conversation, seq, at FROM event WHERE seq IN (2, 3);
             UPDATE event SET command = NULL, fingerprint = NULL WHERE seq = 3;",
        )
        .unwrap();
    assert_eq!(rows_with_prints(&open(), &secrets), 3);
    assert_eq!(s.a.asks(s.delete(2)).await, Ok((s.place, 4)));
    assert_eq!(rows_with_prints(&open(), &secrets), 0);
    for (command, id, seq) in [(&commands[0], send, 2), (&commands[1], edit, 3)] {
        s.a.send(command.clone()).await;
        assert_eq!(s.a.accepted(id).await, (s.place, seq), "a retry is answered as the first time");
    }
    commands[0]["to"] = json!("everyone");
    commands[1]["target"] = json!(1);
    for (command, id) in [(&commands[0], send), (&commands[1], edit)] {
        s.a.send(command.clone()).await;
        assert_eq!(s.a.rejected(id).await, "conflict", "another command of this id");
    }
}

/// Every row of every table of a database that holds this text in some column, as "table: row".
fn rows_with(database: &std::path::Path, text: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(database).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut tables = database.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert!(!tables.is_empty());
    let mut found = Vec::new();
    for table in tables {
        let mut rows = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let holds = |column: usize| {
                use rusqlite::types::ValueRef::{Blob, Text};
                match row.get_ref(column).unwrap() {
                    Text(bytes) | Blob(bytes) => bytes.windows(text.len()).any(|part| part == text.as_bytes()),
                    _ => false,
                }
            };
            if (0..columns).any(holds) {
                found.push(table.clone());
            }
        }
    }
    found
}

/// Which tables hold this text in a data folder as a server leaves it, the index of words among them.
fn tables_with(data: &std::path::Path, text: &str) -> Vec<String> {
    ["confab.db", "search.db"].iter().flat_map(|name| rows_with(&data.join(name), text)).collect()
}

#[tokio::test]
async fn a_deleted_text_is_in_no_row_of_the_database_and_of_the_index() {
    // What a search looks through is a word of a message that stays, too: it says that the rows are looked at.
    for is_deleted in [true, false] {
        let mut s = scene().await;
        assert_eq!(s.a.asks(s.edit(1, "the zanzibar plan")).await, Ok((s.place, 2)));
        assert_eq!(s.a.asks(s.edit(1, "the quetzal plan")).await, Ok((s.place, 3)));
        // Searching brings all of it into the index.
        let (status, found) = s.ada.get("/api/search?query=quetzal").await;
        assert_eq!((status, found["results"].as_array().map(Vec::len)), (200, Some(1)), "{found}");
        if is_deleted {
            assert_eq!(s.a.asks(s.delete(1)).await, Ok((s.place, 4)));
            let (_, found) = s.ada.get("/api/search?query=quetzal").await;
            assert_eq!(found["results"], json!([]));
        }
        let (_, _, data) = s.server.terminate();
        for word in ["first", "zanzibar", "quetzal"] {
            let tables = tables_with(data.path(), word);
            if is_deleted {
                assert_eq!(tables, Vec::<String>::new(), "{word}");
            }
        }
        // The control: what was not deleted is seen in the log and in the index.
        if !is_deleted {
            let tables = tables_with(data.path(), "quetzal");
            assert!(tables.contains(&"event".to_owned()), "{tables:?}");
            assert!(tables.len() > 1, "{tables:?}");
        }
    }
}

#[tokio::test]
async fn reactions_are_folded_into_history_and_repeating_one_changes_nothing() {
    let mut s = scene().await;
    assert_eq!(s.b.asks(s.react(1, "👍", false)).await, Ok((s.place, 1)), "it never was");
    assert_eq!(s.b.asks(s.react(1, "👍", true)).await, Ok((s.place, 2)));
    assert_eq!(s.b.asks(s.react(1, "👍", true)).await, Ok((s.place, 2)), "the same answer as before");
    assert_eq!(s.a.asks(s.react(1, "👍", true)).await, Ok((s.place, 3)));
    assert_eq!(s.a.asks(s.react(1, "🎉", true)).await, Ok((s.place, 4)));
    let log = s.ada.log(s.place).await;
    assert_eq!(log.len(), 4);
    let expected = json!([{"emoji": "👍", "users": [s.ben.id, s.ada.id]}, {"emoji": "🎉", "users": [s.ada.id]}]);
    assert_eq!(message(&log[0])["reactions"], expected);
    assert_eq!(s.b.asks(s.react(1, "👍", false)).await, Ok((s.place, 5)));
    assert_eq!(s.b.asks(s.react(1, "👍", false)).await, Ok((s.place, 5)));
    let log = s.ada.log(s.place).await;
    assert_eq!(message(&log[0])["reactions"][0]["users"], json!([s.ada.id]));
    assert_eq!(kinds(&mut s.a).await.len(), 1, "of the last two, one changed something");
}

#[tokio::test]
async fn a_sign_is_one_reaction_however_it_is_spelled() {
    let mut s = scene().await;
    assert!(s.b.asks(s.react(1, "👍", true)).await.is_ok());
    assert_eq!(s.a.asks(s.react(1, "👍\u{fe0f}", true)).await, Ok((s.place, 3)));
    assert_eq!(s.a.asks(s.react(1, "👍", true)).await, Ok((s.place, 3)), "it is set already");
    assert_eq!(s.b.asks(s.react(1, "e\u{301}", true)).await, Ok((s.place, 4)));
    assert_eq!(s.a.asks(s.react(1, "\u{e9}", true)).await, Ok((s.place, 5)));
    let both = [s.ben.id, s.ada.id];
    let log = s.ben.log(s.place).await;
    let expected = json!([{"emoji": "👍", "users": both}, {"emoji": "\u{e9}", "users": both}]);
    assert_eq!(message(&log[0])["reactions"], expected);
    assert_eq!(s.b.asks(s.react(1, "👍\u{fe0f}", false)).await, Ok((s.place, 6)));
    let log = s.ben.log(s.place).await;
    assert_eq!(message(&log[0])["reactions"][0]["users"], json!([s.ada.id]));
}

#[tokio::test]
async fn a_message_has_at_most_twenty_different_reactions() {
    let mut s = scene().await;
    for letter in ('a'..='z').take(20) {
        assert!(s.b.asks(s.react(1, &letter.to_string(), true)).await.is_ok());
    }
    assert_eq!(s.a.asks(s.react(1, "z", true)).await, Err("bad_field".into()));
    assert!(s.a.asks(s.react(1, "a", true)).await.is_ok(), "one that is there already");
    assert!(s.b.asks(s.react(1, "b", false)).await.is_ok());
    assert!(s.a.asks(s.react(1, "z", true)).await.is_ok(), "one went, one comes");
}

#[tokio::test]
async fn what_cannot_be_done_to_a_message_is_refused() {
    let mut s = scene().await;
    s.b.asks(s.react(1, "👍", true)).await.unwrap();
    let long = "x".repeat(16_385);
    let table = [
        (s.edit(1, "mine now"), "forbidden"),
        (s.delete(1), "forbidden"),
        (s.edit(2, "no message"), "bad_reference"),
        (s.edit(99, "not there"), "bad_reference"),
        (s.delete(99), "bad_reference"),
        (s.react(2, "👍", true), "bad_reference"),
        (s.react(1, "👍👍", true), "bad_field"),
        (s.react(1, "", true), "bad_field"),
        (s.react(1, ":thumbsup:", true), "bad_field"),
        (s.react(1, &long, true), "bad_field"),
        (s.edit(1, " "), "empty"),
        (s.edit(1, &long), "too_long"),
        (s.edit(1, "a\0"), "bad_field"),
        (json!({"type": "edit", "conversation": s.place, "target": 0, "content": "x"}), "bad_field"),
        (json!({"type": "delete", "conversation": s.place}), "bad_field"),
        (json!({"type": "delete", "conversation": new_id(), "target": 1}), "not_found"),
        (json!({"type": "react", "conversation": new_id(), "target": 1, "emoji": "x", "on": true}), "not_found"),
    ];
    for (command, code) in table {
        assert_eq!(s.b.asks(command.clone()).await, Err(code.into()), "{:.120}", command.to_string());
    }
    assert_eq!(s.ada.log(s.place).await.len(), 2, "nothing was stored");
}

#[tokio::test]
async fn a_retried_amendment_is_done_once_and_an_id_is_one_command() {
    let mut s = scene().await;
    let mut edit = s.edit(1, "second");
    edit["id"] = json!(new_id());
    let id = edit["id"].as_str().unwrap().parse().unwrap();
    for _ in 0..2 {
        s.a.send(edit.clone()).await;
        assert_eq!(s.a.accepted(id).await, (s.place, 2));
    }
    s.a.asks(s.delete(1)).await.unwrap();
    s.a.send(edit.clone()).await;
    assert_eq!(s.a.accepted(id).await, (s.place, 2), "also after the message has gone");
    let mut other = s.edit(1, "third");
    other["id"] = json!(id);
    s.a.send(other).await;
    assert_eq!(s.a.accepted(id).await, (s.place, 2), "then no text is left to compare");
    for mut other in [
        s.edit(2, "second"),
        s.delete(1),
        s.react(1, "x", true),
        json!({"type": "send", "to": "everyone", "content": "x"}),
    ] {
        other["id"] = json!(id);
        s.a.send(other).await;
        assert_eq!(s.a.rejected(id).await, "conflict");
    }
    assert_eq!(s.ada.log(s.place).await.len(), 3);
}

#[tokio::test]
async fn the_last_event_of_a_list_is_what_it_has_become() {
    let mut s = scene().await;
    s.a.asks(s.edit(1, "new text")).await.unwrap();
    let welcome = s.ben.connect().await.welcome.unwrap();
    let summary = welcome.conversations.iter().find(|summary| summary.id == s.place).unwrap();
    assert_eq!((summary.last_seq.get(), summary.unread), (2, 1), "an edit is no message");
}

#[tokio::test]
async fn a_message_is_changed_a_thousand_times_and_reacting_does_not_count() {
    let server = Server::start_with(&["--rate-limits", "off"], &[]);
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let id = a.says(json!({"user": ada.id}), "first").await;
    let (place, target) = a.accepted(id).await;
    for number in 0..50 {
        let react =
            json!({"type": "react", "conversation": place, "target": target, "emoji": "👍", "on": number % 2 == 0});
        a.asks(react).await.unwrap();
    }
    let edit =
        |number| json!({"type": "edit", "conversation": place, "target": target, "content": format!("text {number}")});
    for number in 0..1_000 {
        a.asks(edit(number)).await.unwrap();
    }
    assert_eq!(a.asks(edit(1_000)).await, Err("bad_field".into()));
    let events = ada.log(place).await;
    assert_eq!(message(&events[0])["content"], "text 999");
    a.asks(json!({"type": "delete", "conversation": place, "target": target})).await.unwrap();
    let data = server.terminate().2;
    assert_eq!(rows_with(&data.path().join("confab.db"), "text 99"), Vec::<String>::new());
}
