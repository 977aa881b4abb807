//! Bytes of the database change by themselves.

use super::dice::Dice;
use crate::support::{Server, command};
use backend::store::{OpenError, Range, Store};
use rusqlite::Connection;
use serde_json::json;
use shared::ids::{ConversationId, Cursor, UserId};
use std::path::Path;
use tempfile::TempDir;

/// Messages in the database that rots.
const MESSAGES: usize = 300;

/// A stopped server's folder, whose it is, and the conversation with the messages.
async fn stopped() -> (TempDir, UserId, ConversationId) {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let mut last = None;
    for number in 0..MESSAGES {
        last = Some(a.says(json!("everyone"), &format!("message {number} {}", "x".repeat(number))).await);
    }
    let (everyone, _) = a.accepted(last.unwrap()).await;
    let (code, _, folder) = server.terminate();
    assert_eq!(code, Some(0));
    (folder, ada.id, everyone)
}

/// What a store that opened this folder hands out of the conversation: how many events, all numbered
/// in order. `None`: it refuses to open. An error: it opens, and hands out less.
async fn served(folder: &Path, user: UserId, conversation: ConversationId) -> Result<Option<usize>, String> {
    let (outcomes, _kept) = tokio::sync::mpsc::channel(1);
    let (store, writer) = match Store::open::<()>(folder, 16, outcomes) {
        Ok(opened) => opened,
        Err(error @ (OpenError::Damaged { .. } | OpenError::Newer { .. } | OpenError::Database { .. })) => {
            assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    let read = async {
        let member =
            store.member(user, conversation).await.map_err(|error| error.to_string())?.ok_or("not a member")?;
        let mut seqs: Vec<u64> = Vec::new();
        loop {
            let after = Cursor::new(seqs.last().copied().unwrap_or(0)).unwrap();
            let (events, more) =
                store.events(&member, Range::After(after), 100).await.map_err(|error| error.to_string())?;
            seqs.extend(events.iter().map(|event| event.seq.get()));
            if !more {
                return Ok::<_, String>(seqs);
            }
        }
    };
    let seqs = read.await;
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
    let seqs = seqs?;
    match seqs == (1..=MESSAGES as u64).collect::<Vec<_>>() {
        true => Ok(Some(seqs.len())),
        false => Err(format!("{} events", seqs.len())),
    }
}

#[tokio::test]
async fn a_rotten_database_is_refused_or_wholly_served() {
    let (folder, user, everyone) = stopped().await;
    let bytes = std::fs::read(folder.path().join("confab.db")).unwrap();
    let mut dice = Dice::new();
    let (mut refused, mut wrong) = (0, Vec::new());
    for round in 0..80 {
        let mut rotten = bytes.clone();
        // A bit, some bytes in a row, a page.
        let length = [1, 8, 64, 4_096][round % 4];
        let start = dice.below(bytes.len() - length);
        for byte in &mut rotten[start..start + length] {
            *byte ^= 1 << dice.below(8);
        }
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("confab.db"), rotten).unwrap();
        match served(copy.path(), user, everyone).await {
            Ok(None) => refused += 1,
            Ok(Some(_)) => {}
            Err(error) => wrong.push(format!("{length} bytes at {start}: {error}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // The control: it happens that a database is refused, and an untouched one is not.
    assert!(refused > 10, "{refused}");
    assert_eq!(served(folder.path(), user, everyone).await, Ok(Some(MESSAGES)));
}

#[tokio::test]
async fn a_rotten_database_is_refused_with_a_sentence() {
    let (folder, ..) = stopped().await;
    let path = folder.path().join("confab.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let output = command(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("is damaged") && said.contains("Restore a backup"), "{said}");
}

#[tokio::test]
async fn a_log_that_lacks_an_event_is_refused() {
    // Sound pages all the same: the first look does not see these.
    for change in [
        "DELETE FROM event WHERE seq = 9",
        "DELETE FROM event WHERE seq = 300",
        "UPDATE conversation SET last_seq = 301",
        "UPDATE event SET seq = 999 WHERE seq = 300",
    ] {
        let (folder, user, everyone) = stopped().await;
        let database = Connection::open(folder.path().join("confab.db")).unwrap();
        assert_eq!(database.execute(change, []).unwrap(), 1);
        drop(database);
        assert_eq!(served(folder.path(), user, everyone).await, Ok(None), "{change}");
    }
}

#[tokio::test]
async fn an_event_that_makes_no_sense_does_not_take_the_others_with_it() {
    let (folder, user, everyone) = stopped().await;
    let database = Connection::open(folder.path().join("confab.db")).unwrap();
    for (seq, kind) in [(7, "'nonsense'"), (8, "'{\"message\":{}}'"), (9, "CAST(x'ff00fe' AS TEXT)")] {
        database.execute(&format!("UPDATE event SET kind = {kind} WHERE seq = ?1"), [seq]).unwrap();
    }
    drop(database);
    assert_eq!(served(folder.path(), user, everyone).await, Ok(Some(MESSAGES)));
}
