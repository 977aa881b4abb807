//! The power is lost: nothing is there but what was flushed, and pieces of what was not.

use super::crowd::Crowd;
use super::dice::Dice;
use super::power_model::{Call, Disk, OPTIONS, read};
use super::{compare, compare_tables, strace, until};
use crate::support::{Server, new_id};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// What a server under strace did, and what is left.
struct Life {
    folder: TempDir,
    calls: Vec<Call>,
}

/// Waits for strace's last word and reads its log.
async fn calls_of(server: Server, process_log: &Path) -> Life {
    let ended = format!("{} +++ killed by SIGKILL +++", server.process_id());
    let folder = server.kill();
    let mut log = String::new();
    until("strace has written its log", async || {
        log = std::fs::read_to_string(process_log).unwrap();
        log.lines().any(|line| line.split_whitespace().eq(ended.split_whitespace()))
    })
    .await;
    let calls = read(&log, folder.path());
    Life { folder, calls }
}

fn start(folder: TempDir, calls: &Path, environment: &[(&str, &str)]) -> Server {
    // Calls that are not watched cost nothing then.
    let mut options = vec!["--seccomp-bpf", "-o", calls.to_str().unwrap()];
    options.extend(OPTIONS);
    strace::start(&options, folder, environment, &calls.with_extension("log"))
}

/// What a life is to have met before it ends.
#[derive(Debug, Clone, Copy)]
struct Enough {
    /// Times the database was flushed: once at the start, and then whenever SQLite's log is folded.
    folds: usize,
    /// Times a file of the journal was begun.
    turns: usize,
    /// Messages somebody was told are accepted.
    accepted: usize,
}

/// The journal alone holds some of it at any moment, and each of its files has been written over.
const ENOUGH: Enough = Enough { folds: 6, turns: 6, accepted: 1_000 };

/// A log that grows beyond this without [`Enough`] in it is of a server that does not do its work.
const LOG_BYTES_MAX: u64 = 1_000_000_000;

/// People write until enough has happened, however long that takes here; then everything ends.
async fn busy_life(enough: Enough, environment: &[(&str, &str)]) -> Life {
    let logs = tempfile::tempdir().unwrap();
    let calls = logs.path().join("calls");
    // What comes once in an hour comes all the time, so that a short life meets it.
    let mut often =
        vec![("CONFAB_FOLD_PAGES", "60"), ("CONFAB_JOURNAL_BYTES", "100000"), ("CONFAB_TAIL_DELAY_MS", "40")];
    often.extend(environment);
    let server = start(tempfile::tempdir().unwrap(), &calls, &often);
    let mut crowd = Crowd::sign_up(&server, 2).await;
    crowd.write(6);
    let mut seen = Seen::in_log(&calls, server.data());
    until("enough is written", async || {
        seen.look();
        let is_enough = seen.folds >= enough.folds && seen.turns >= enough.turns && crowd.accepted() >= enough.accepted;
        assert!(
            is_enough || seen.log_bytes < LOG_BYTES_MAX,
            "after {} bytes of calls the database was flushed {} times, the journal's files took {} turns and \
             {} messages were accepted, which is less than {enough:?}",
            seen.log_bytes,
            seen.folds,
            seen.turns,
            crowd.accepted()
        );
        is_enough
    })
    .await;
    let life = calls_of(server, &calls).await;
    crowd.rest().await;
    life
}

/// What has happened so far in a life whose log still grows.
struct Seen {
    log: BufReader<File>,
    log_bytes: u64,
    /// The last line as far as it is written.
    line: Vec<u8>,
    /// What is behind the number of the file in a call: the database's path, the paths of the journal's files.
    database: Vec<u8>,
    journal: [Vec<u8>; 2],
    folds: usize,
    turns: usize,
}

impl Seen {
    fn in_log(calls: &Path, folder: &Path) -> Self {
        let path = |name: &str| {
            let bytes = folder.join(name).into_os_string().into_encoded_bytes();
            let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("<{escaped}>").into_bytes()
        };
        Self {
            log: BufReader::new(File::open(calls).unwrap()),
            log_bytes: 0,
            line: Vec::new(),
            database: path("confab.db"),
            journal: [path(strace::JOURNAL[0]), path(strace::JOURNAL[1])],
            folds: 0,
            turns: 0,
        }
    }

    /// Reads what has been written since the last look.
    fn look(&mut self) {
        loop {
            self.log_bytes += self.log.read_until(b'\n', &mut self.line).unwrap() as u64;
            if self.line.last() != Some(&b'\n') {
                return;
            }
            self.count();
            self.line.clear();
        }
    }

    /// Counts the line, of which the ends alone are looked at: most of a log is what was written to whom.
    fn count(&mut self) {
        let head = &self.line[..self.line.len().min(1_000)];
        let tail = &self.line[self.line.len().saturating_sub(60)..];
        let is_on = |path: &Vec<u8>| has(head, path);
        if (has(head, b" fsync(") || has(head, b" fdatasync(")) && is_on(&self.database) {
            self.folds += 1;
        } else if has(head, b" pwrite64(") && self.journal.iter().any(is_on) {
            self.turns += usize::from(has(tail, b", 0)") || has(tail, b", 0 <unfinished"));
        }
    }
}

fn has(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// Loses the power at chosen moments of a life: once with nothing that was not flushed, and some times
/// with a part of it. Half of the moments are between a write to the journal and its flush.
fn lose_power(life: &Life, moments: usize, dice: &mut Dice) -> Vec<String> {
    let mut cuts: Vec<usize> = (0..moments).map(|_| dice.below(life.calls.len())).collect();
    let appended: Vec<_> = (1..).zip(&life.calls).filter(|(_, call)| is_append(call)).map(|(cut, _)| cut).collect();
    cuts.extend((0..moments).map(|_| appended[dice.below(appended.len())]));
    cuts.push(life.calls.len());
    cuts.sort_unstable();
    let mut disk = Disk::empty(life.folder.path());
    let mut done = 0;
    let mut wrong = Vec::new();
    for cut in cuts {
        life.calls[done..cut].iter().for_each(|call| disk.apply(call));
        done = cut;
        for luck in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            disk.lose_power(folder.path(), (luck > 0).then_some(&mut *dice));
            let found = compare(folder.path(), &disk.accepted);
            wrong.extend(found.into_iter().map(|line| format!("power lost after {cut} calls: {line}")));
        }
    }
    wrong
}

fn is_append(call: &Call) -> bool {
    matches!(call, Call::Wrote { file, .. } if is_journal(file))
}

fn is_journal(file: &Path) -> bool {
    file.file_name().is_some_and(|name| strace::JOURNAL.iter().any(|one| name == *one))
}

#[tokio::test]
async fn every_accepted_message_survives_the_loss_of_power() {
    if !strace::is_there("what was accepted survives the loss of power") {
        return;
    }
    let mut dice = Dice::new();
    let life = busy_life(ENOUGH, &[]).await;
    assert_eq!(lose_power(&life, 20, &mut dice), Vec::<String>::new());

    // And once with the whole program on what is left.
    let mut disk = Disk::empty(life.folder.path());
    life.calls.iter().for_each(|call| disk.apply(call));
    assert!(disk.accepted.len() >= ENOUGH.accepted / 2, "the log was read: {}", disk.accepted.len());
    let folder = tempfile::tempdir().unwrap();
    disk.lose_power(folder.path(), None);
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    // It has brought everything into the tables before it listens.
    let database = rusqlite::Connection::open(server.data().join("confab.db")).unwrap();
    assert_eq!(compare_tables(&database, &disk.accepted), Vec::<String>::new());
    let cy = server.sign_up("Cy").await;
    let mut c = cy.connect().await;
    let id = c.says(json!("everyone"), "and on it goes").await;
    c.accepted(id).await;
}

#[tokio::test]
async fn a_server_that_does_not_flush_is_caught() {
    // The control of the test above.
    if !strace::is_there("the control of the loss of power") {
        return;
    }
    // Its folds cannot be seen: a flush is what shows them.
    let life = busy_life(Enough { folds: 0, ..ENOUGH }, &[("CONFAB_FAULT", "no_flush")]).await;
    assert_ne!(lose_power(&life, 3, &mut Dice::new()), Vec::<String>::new());
}

/// A server is killed between writing a message and flushing it. The next one finds it, answers a
/// retry with it, and then the power is lost.
async fn retry_between_kill_and_loss_of_power(environment: &[(&str, &str)]) -> Vec<String> {
    let logs = tempfile::tempdir().unwrap();
    let first = logs.path().join("first");
    // Only the journal is flushed this way: the writer dies with the third message.
    let mut options = vec!["-o", first.to_str().unwrap(), "-e", "inject=fdatasync:signal=KILL:when=3"];
    options.extend(OPTIONS);
    let folder = tempfile::tempdir().unwrap();
    // And nothing brings them into the tables before.
    let mut slowly = vec![("CONFAB_TAIL_DELAY_MS", "60000")];
    slowly.extend(environment);
    let server = strace::start(&options, folder, &slowly, &first.with_extension("log"));
    let mut ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    // One at a time, until it dies with one in its hands.
    let mut frame;
    'alive: loop {
        frame = json!({"type": "send", "id": new_id(), "to": "everyone", "content": "written, but flushed?"});
        if a.stream.send(Message::text(frame.to_string())).await.is_err() {
            break;
        }
        loop {
            match a.stream.next().await {
                Some(Ok(Message::Text(text))) if text.contains("accepted") => break,
                Some(Ok(_)) => {}
                _ => break 'alive,
            }
        }
    }
    let life = calls_of(server, &first).await;
    let mut disk = Disk::empty(life.folder.path());
    life.calls.iter().for_each(|call| disk.apply(call));
    assert!(life.calls.last().is_some_and(is_append), "it died between a write to the journal and its flush");

    let second = logs.path().join("second");
    let server = start(life.folder, &second, environment);
    ada.moved_to(&server.origin);
    let mut a = ada.connect().await;
    a.send(frame.clone()).await;
    a.accepted(frame["id"].as_str().unwrap().parse().unwrap()).await;
    let life = calls_of(server, &second).await;
    continued(life.calls, &disk).iter().for_each(|call| disk.apply(call));

    let folder = tempfile::tempdir().unwrap();
    disk.lose_power(folder.path(), None);
    compare(folder.path(), &disk.accepted)
}

/// Files that were there before were not made again.
fn continued(calls: Vec<Call>, disk: &Disk) -> Vec<Call> {
    calls.into_iter().filter(|call| !matches!(call, Call::Created(file) if disk.has(file))).collect()
}

#[tokio::test]
async fn what_a_killed_server_left_is_flushed_before_it_is_believed() {
    if !strace::is_there("what a killed server left is flushed before it is believed") {
        return;
    }
    assert_eq!(retry_between_kill_and_loss_of_power(&[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_believes_an_unflushed_log_is_caught() {
    // The control of the test above.
    if !strace::is_there("the control of what a killed server left") {
        return;
    }
    let wrong = retry_between_kill_and_loss_of_power(&[("CONFAB_FAULT", "trust_log")]).await;
    assert_ne!(wrong, Vec::<String>::new());
}
