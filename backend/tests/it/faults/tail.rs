//! `kill -9` while thousands of accepted messages are in the journal alone, and again while the next server brings
//! them into the tables.

use super::crowd::Crowd;
use super::{reading, strace, until};
use crate::support::{Person, Server, command};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use shared::conversation::{ConversationKind, Summary};
use shared::frame::ServerFrame;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Messages that are accepted and in no table before the kill.
const ACCEPTED: usize = 4_000;
/// Up to here somebody has read.
const READ: u64 = 1_000;

fn count(folder: &Path) -> usize {
    let database = Connection::open_with_flags(folder.join("confab.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count: i64 = database.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

/// Starts a server for which a call on a file of the database is its last; whether it died before it listened.
fn dies_while_it_starts(folder: &Path, call: &str, when: usize) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let inner = command(folder);
    let mut program = Command::new("strace");
    program.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    for name in strace::TABLES {
        program.arg("-P").arg(folder.join(name));
    }
    program.arg(inner.get_program()).args(inner.get_args()).env_remove("CONFAB_FAULT");
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // It may have died already.
    let _ = child.kill();
    child.wait().unwrap();
    line.is_empty()
}

/// What a fresh load says of the conversation with everyone.
async fn everyone(person: &Person) -> Summary {
    let welcome = person.connect().await.welcome.unwrap();
    welcome.conversations.into_iter().find(|found| found.kind == ConversationKind::Everyone).unwrap()
}

#[tokio::test]
async fn thousands_of_messages_that_are_in_no_table_survive_kill_9_and_another_one_during_recovery() {
    // Nobody and nothing brings what is accepted into the tables.
    let environment = [("CONFAB_TAIL_DELAY_MS", "600000"), ("CONFAB_FAULT", "read_tables_alone")];
    let server = Server::start_with(&["--rate-limits", "off"], &environment);
    let mut crowd = Crowd::sign_up(&server, 3).await;
    let mut reader = server.sign_up("Reader").await;
    crowd.write(8);
    until("enough has been said to be read", async || crowd.accepted() > usize::try_from(READ).unwrap() + 200).await;
    let (mut one, mut other) = (reader.connect().await, reader.connect().await);
    let place = one.welcome.as_ref().unwrap().conversations[0].id;
    one.send(json!({"type": "read", "conversation": place, "seq": READ})).await;
    // The other device is told: then it is in the journal.
    other.until(|frame| matches!(frame, ServerFrame::Conversation(_)).then_some(())).await;
    drop((one, other));
    // By themselves they come into the tables when there are twice as many, which a fast crowd may have written before.
    until("the tail is long", async || crowd.accepted() > count(server.data()) + ACCEPTED).await;
    let folder = server.kill();
    crowd.rest().await;
    let in_tables = count(folder.path());
    assert!(in_tables + 3_000 < crowd.accepted(), "{in_tables} of {} are in the tables", crowd.accepted());

    if strace::is_there("what is in no table survives a kill during recovery") {
        let mut died = 0;
        for (call, when) in
            [("pwrite64", 1), ("pwrite64", 60), ("pwrite64", 300), ("fsync", 1), ("fsync", 2), ("fsync", 3)]
        {
            died += usize::from(dies_while_it_starts(folder.path(), call, when));
        }
        assert!(died >= 3, "{died} died while they started");
    }

    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    assert_eq!(crowd.compare(server.data()), Vec::<String>::new());
    crowd.moved_to(&server);
    reader.moved_to(&server.origin);
    let total = count(server.data()) as u64;
    let summary = everyone(&reader).await;
    assert_eq!((summary.last_seq.get(), summary.read_seq.get(), summary.unread), (total, READ, total - READ));
    // What was shown before the kill and what came since are what a fresh load shows.
    let missed = reading::resumed(&mut reader.connect().await, place, total - 300).await;
    assert_eq!(missed, (total - 299..=total).collect::<Vec<_>>());
    for person in &crowd.people {
        let database = Connection::open(server.data().join("confab.db")).unwrap();
        let last: Option<u64> = database
            .query_row("SELECT max(seq) FROM event WHERE sender = ?1", [&person.id.as_bytes()[..]], |row| {
                row.get::<_, Option<i64>>(0).map(|last| last.map(i64::cast_unsigned))
            })
            .unwrap();
        let (last, summary) = (last.unwrap(), everyone(person).await);
        assert_eq!((summary.read_seq.get(), summary.unread), (last, total - last), "who writes has read");
    }
}
