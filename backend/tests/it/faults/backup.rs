//! A backup of a running server, and a server on a restored one.

use super::crowd::Crowd;
use super::{compare_tables, until};
use crate::support::{Server, command};
use rusqlite::Connection;
use shared::ids::CommandId;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

pub(super) fn confab(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(command(Path::new(".")).get_program());
    command.args(arguments).env_remove("CONFAB_FAULT").envs(environment.iter().copied()).output().unwrap()
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What is wrong in a copy: it must be sound, dense, and have what was accepted before it was begun. It is one
/// file, and has nothing beside it.
fn compare(copy: &Path, accepted: &HashMap<CommandId, u64>) -> Vec<String> {
    compare_tables(&Connection::open(copy).unwrap(), accepted)
}

#[tokio::test]
async fn a_backup_of_a_busy_server_is_whole_and_a_restored_one_is_another_history() {
    let server = Server::start();
    let mut crowd = Crowd::sign_up(&server, 2).await;
    crowd.write(6);
    until("they are at it", async || crowd.accepted() > 200).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = server.data().to_str().unwrap().to_owned();
    for round in 0..3 {
        let before = crowd.known.lock().unwrap().accepted.clone();
        let file = path(&format!("backup{round}"));
        let arguments = ["backup", "--data", &data, "--to", &file].map(str::to_owned);
        let output = tokio::task::spawn_blocking(move || confab(&arguments.each_ref().map(String::as_str), &[])).await;
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(compare(Path::new(&file), &before), Vec::<String>::new());
        until("the server goes on", async || crowd.accepted() > before.len()).await;
    }
    let again = confab(&["backup", "--data", &data, "--to", &path("backup0")], &[]);
    assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));

    let epoch = crowd.people[0].connect().await.welcome.unwrap().epoch;
    drop(server);
    crowd.rest().await;
    let mut epochs = vec![epoch];
    for name in ["one", "two"] {
        let to = tempfile::tempdir().unwrap();
        let output = confab(&["restore", "--from", &path("backup2"), "--data", to.path().to_str().unwrap()], &[]);
        assert!(output.status.success(), "{name}: {}", said(&output));
        let output = confab(&["restore", "--from", &path("backup2"), "--data", to.path().to_str().unwrap()], &[]);
        assert!(!output.status.success() && said(&output).contains("not empty"), "{}", said(&output));
        let server = Server::start_on(to, &["--rate-limits", "off"]);
        crowd.moved_to(&server);
        let welcome = crowd.people[0].connect().await.welcome.unwrap();
        assert!(welcome.conversations[0].last_seq.get() >= 200);
        assert!(!epochs.contains(&welcome.epoch), "{name}: {epochs:?}");
        epochs.push(welcome.epoch);
    }
}

#[tokio::test]
async fn a_copy_made_without_care_is_caught() {
    // The control of the test above: the database file alone lacks what is in the log beside it.
    let server = Server::start();
    let mut crowd = Crowd::sign_up(&server, 2).await;
    crowd.write(6);
    until("they are at it", async || crowd.accepted() > 50).await;
    let known = crowd.known.lock().unwrap().accepted.clone();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    std::fs::copy(server.data().join("confab.db"), &copy).unwrap();
    assert!(std::panic::catch_unwind(|| compare(&copy, &known)).map_or(true, |wrong| !wrong.is_empty()));
    drop(server);
    crowd.rest().await;
}

#[tokio::test]
async fn a_restored_backup_that_keeps_its_epoch_is_caught() {
    // The control of the other half: two restores would pass for one history.
    let server = Server::start();
    let epoch = server.sign_up("Ada").await.connect().await.welcome.unwrap().epoch;
    let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("backup").to_str().unwrap().to_owned();
    assert!(confab(&["backup", "--data", server.data().to_str().unwrap(), "--to", &file], &[]).status.success());
    let arguments = ["restore", "--from", &file, "--data", to.path().to_str().unwrap()];
    assert!(confab(&arguments, &[("CONFAB_FAULT", "restore_epoch")]).status.success());
    let server = Server::start_on(to, &["--rate-limits", "off"]);
    assert_eq!(server.sign_up("Ben").await.connect().await.welcome.unwrap().epoch, epoch);
}
