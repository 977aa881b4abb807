//! The power is lost: nothing is there but what was flushed, and pieces of what was not.

use super::crowd::Crowd;
use super::dice::Dice;
use super::power_model::{Call, Disk, OPTIONS, read};
use super::{compare, compare_tables, strace, until};
use crate::support::{Server, new_id};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
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

/// People write for a while, then everything ends.
async fn busy_life(environment: &[(&str, &str)]) -> Life {
    let logs = tempfile::tempdir().unwrap();
    let calls = logs.path().join("calls");
    // SQLite's log is folded and the journal's files take turns often enough for this life to meet it.
    let mut often = vec![("CONFAB_FOLD_PAGES", "200"), ("CONFAB_JOURNAL_BYTES", "300000")];
    often.extend(environment);
    let server = start(tempfile::tempdir().unwrap(), &calls, &often);
    let mut crowd = Crowd::sign_up(&server, 2).await;
    crowd.write(6);
    until("enough is written", async || calls.metadata().is_ok_and(|found| found.len() > 120_000_000)).await;
    let life = calls_of(server, &calls).await;
    crowd.rest().await;
    life
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

/// How often a file of the journal was begun.
fn turns(calls: &[Call]) -> usize {
    let begun = |call: &&Call| matches!(call, Call::Wrote { file, at: 0, .. } if is_journal(file));
    calls.iter().filter(begun).count()
}

#[tokio::test]
async fn every_accepted_message_survives_the_loss_of_power() {
    if !strace::is_there("what was accepted survives the loss of power") {
        return;
    }
    let mut dice = Dice::new();
    let life = busy_life(&[]).await;
    let folds = life.calls.iter().filter(|call| matches!(call, Call::Flushed(file) if file.ends_with("confab.db")));
    assert!(folds.count() > 3, "the log was folded while people wrote");
    assert!(turns(&life.calls) > 3, "the journal's files took turns while people wrote");
    assert_eq!(lose_power(&life, 20, &mut dice), Vec::<String>::new());

    // And once with the whole program on what is left.
    let mut disk = Disk::empty(life.folder.path());
    life.calls.iter().for_each(|call| disk.apply(call));
    assert!(disk.accepted.len() > 100, "{}", disk.accepted.len());
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
    let life = busy_life(&[("CONFAB_FAULT", "no_flush")]).await;
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
