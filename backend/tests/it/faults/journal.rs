//! What a journal is believed, and what not.

use super::backup::{confab, said};
use super::dice::Dice;
use super::{compare, crowd, opened};
use crate::support::{Person, Server, command};
use serde_json::json;
use shared::ids::CommandId;
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// Messages that are in the journal alone.
const MESSAGES: usize = 30;

/// What a killed server has left: messages that are in no table, each in a record of its own.
struct Left {
    folder: TempDir,
    accepted: HashMap<CommandId, u64>,
    ada: Person,
    /// The mark as it was before the last record.
    earlier_mark: Vec<u8>,
}

/// The file with the number of the last record.
const MARK: &str = "confab.accepted";

impl Left {
    async fn new() -> Self {
        let server = Server::start();
        let mut ada = server.sign_up("Ada").await;
        let (_, _, folder) = server.terminate();
        let server = Server::start_on_with(folder, &[("CONFAB_TAIL_DELAY_MS", "60000")]);
        ada.moved_to(&server.origin);
        let mut socket = ada.connect().await;
        let (mut accepted, mut earlier_mark) = (HashMap::new(), Vec::new());
        for number in 0..MESSAGES {
            earlier_mark = std::fs::read(server.data().join(MARK)).unwrap();
            let id = socket.says(json!("everyone"), &format!("message {number} {}", "x".repeat(20 * number))).await;
            accepted.insert(id, socket.accepted(id).await.1);
        }
        Self { folder: server.kill(), accepted, ada, earlier_mark }
    }

    /// A copy whose journal is another one.
    fn with(&self, journal: &[u8]) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        std::fs::write(copy.path().join("confab.journal-0"), journal).unwrap();
        copy
    }

    /// The same as it is when the process died before the last record was flushed: nobody was told of it.
    fn with_untold(&self, journal: &[u8]) -> TempDir {
        let copy = self.with(journal);
        std::fs::write(copy.path().join(MARK), &self.earlier_mark).unwrap();
        copy
    }

    /// The journal, without the zeros it has grown by.
    fn journal(&self) -> Vec<u8> {
        let mut journal = std::fs::read(self.folder.path().join("confab.journal-0")).unwrap();
        journal.truncate(*places(&journal).last().unwrap());
        journal
    }
}

/// Where each record of a journal begins, and the end of the last one.
fn places(journal: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    while let Some(length) = journal.get(*places.last().unwrap()..).and_then(|rest| rest.first_chunk())
        && *length != [0; 4]
    {
        places.push(places.last().unwrap() + 16 + usize::try_from(u32::from_le_bytes(*length)).unwrap());
    }
    places
}

/// How many messages are there: the first ones, without a gap.
fn count(folder: &Path) -> Result<usize, String> {
    let seqs: Vec<_> = crowd::events(&opened(folder)?, 0).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    Ok(seqs.len())
}

#[tokio::test]
async fn a_record_that_was_cut_off_is_none_and_those_before_it_are_there() {
    let (left, mut dice) = (Left::new().await, Dice::new());
    let journal = left.journal();
    let places = places(&journal);
    assert_eq!(places.len(), MESSAGES + 1);
    let (last, end) = (places[MESSAGES - 1], places[MESSAGES]);
    // Cut anywhere, and with any byte of it changed: half a write and a rotten byte look alike here.
    for place in [last, last + 4, last + 8, last + 15, last + 16 + dice.below(end - last - 16), end - 1] {
        assert_eq!(count(left.with_untold(&journal[..place]).path()), Ok(MESSAGES - 1), "cut at {place}");
        let mut rotten = journal.clone();
        rotten[place] ^= 1 << dice.below(8);
        assert_eq!(count(left.with_untold(&rotten).path()), Ok(MESSAGES - 1), "rotten at {place}");
    }
    // The control: untouched, all of it is believed.
    assert_eq!(compare(left.with(&journal).path(), &left.accepted), Vec::<String>::new());
    assert_eq!(count(left.folder.path()), Ok(MESSAGES));
}

/// The files of a folder that hold what people wrote.
fn kept(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let mut kept: Vec<_> = named
        .filter(|(name, _)| !name.ends_with("-shm") && !name.ends_with(".lock"))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        // An empty log is as good as none.
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    kept.sort();
    kept
}

#[tokio::test]
async fn a_journal_with_a_gap_is_refused_with_a_sentence_and_nothing_is_written() {
    let (left, mut dice) = (Left::new().await, Dice::new());
    let journal = left.journal();
    let places = places(&journal);
    // Also its end, if somebody was told of it: cut off, filled with zeros, gone.
    let mut damaged = vec![
        journal[places[1]..].to_vec(),
        [&journal[..places[4]], &journal[places[5]..]].concat(),
        journal[..places[MESSAGES - 1]].to_vec(),
        vec![0; journal.len()],
        Vec::new(),
    ];
    for record in [0, 1, MESSAGES / 2, MESSAGES - 2, MESSAGES - 1] {
        // Its length, its checksum, its number, what is in it.
        let inside = 16 + dice.below(places[record + 1] - places[record] - 16);
        for at in [dice.below(4), 4 + dice.below(4), 8 + dice.below(8), inside] {
            let mut rotten = journal.clone();
            rotten[places[record] + at] ^= 1 << dice.below(8);
            damaged.push(rotten);
        }
    }
    for (number, journal) in damaged.into_iter().enumerate() {
        let copy = left.with(&journal);
        let before = kept(copy.path());
        // Not the second time either.
        for _ in 0..2 {
            let found = count(copy.path());
            assert!(found.as_ref().is_err_and(|why| why.contains("its journal has a gap")), "{number}: {found:?}");
        }
        assert!(kept(copy.path()) == before, "{number}: something was written");
        if number < 2 {
            let output = command(copy.path()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success());
            assert!(said.contains("its journal has a gap") && said.contains("Restore a backup"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_backup_of_a_killed_servers_folder_has_what_is_in_the_journal_alone() {
    let left = Left::new().await;
    let to = tempfile::tempdir().unwrap();
    let backup = |folder: &Path, name: &str| {
        let file = to.path().join(name);
        let output = confab(&["backup", "--data", folder.to_str().unwrap(), "--to", file.to_str().unwrap()], &[]);
        (output, file)
    };
    let journal = left.journal();
    let (output, _) = backup(left.with(&journal[places(&journal)[1]..]).path(), "damaged");
    assert!(!output.status.success() && said(&output).contains("its journal has a gap"), "{}", said(&output));
    let (output, _) = backup(left.with(&[]).path(), "gone");
    assert!(!output.status.success() && said(&output).contains("its journal has a gap"), "{}", said(&output));
    let (output, file) = backup(left.folder.path(), "whole");
    assert!(output.status.success(), "{}", said(&output));
    let database = rusqlite::Connection::open(file).unwrap();
    assert_eq!(super::compare_tables(&database, &left.accepted), Vec::<String>::new());
}

#[tokio::test]
async fn a_journal_of_another_database_is_not_applied() {
    let (mut left, other) = (Left::new().await, Left::new().await);
    // Its records have the same numbers, and conversations with the same keys.
    let copy = left.with(&other.journal());
    let found = count(copy.path());
    assert!(found.as_ref().is_err_and(|why| why.contains("its journal has a gap")), "its own is gone: {found:?}");
    std::fs::remove_file(copy.path().join(MARK)).unwrap();
    assert_eq!(count(copy.path()), Ok(0));
    // Beside one's own it changes nothing, not even when the files take turns.
    std::fs::write(left.folder.path().join("confab.journal-1"), other.journal()).unwrap();
    let server = Server::start_on_with(left.folder, &[("CONFAB_JOURNAL_BYTES", "2000")]);
    left.ada.moved_to(&server.origin);
    let mut socket = left.ada.connect().await;
    for number in 0..MESSAGES {
        let id = socket.says(json!("everyone"), &format!("message {number} of the next server")).await;
        left.accepted.insert(id, socket.accepted(id).await.1);
        // Read, so that the other file's turn may come.
        left.ada.get("/api/conversations").await;
    }
    let folder = server.kill();
    assert_eq!(compare(folder.path(), &left.accepted), Vec::<String>::new());
    assert_eq!(count(folder.path()), Ok(2 * MESSAGES));
}
