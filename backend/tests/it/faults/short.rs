//! The system is short of something that is not the disk: descriptors, a temporary folder, the database's lock. What cannot
//! be done is refused as `overloaded`, the rest goes on, and nothing of it lasts.

use super::disk::{Writer, get, is_ready};
use super::{not_run, until};
use crate::support::Server;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use shared::ids::UserId;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Whether descriptors of a process can be limited here. If not, says so.
fn may_limit(promise: &str) -> bool {
    let may = Command::new("prlimit").arg("--nofile").stdout(Stdio::null()).status();
    let may = may.is_ok_and(|status| status.success());
    if !may {
        not_run(&format!("{promise}: prlimit is not installed"));
    }
    may
}

/// Gives somebody some thousand sessions, so that ending them changes more pages than SQLite keeps in memory.
fn add_sessions(data: &Path, user: UserId) {
    let database = Connection::open(data.join("confab.db")).unwrap();
    database
        .execute(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 4000)
             INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent)
             SELECT randomblob(16), randomblob(32), ?1, 1, 4102444800000, 'a browser' FROM number",
            [&user.as_bytes()[..]],
        )
        .unwrap();
}

async fn changes_password(writer: &Writer, from: &str, to: &str) -> (u16, Value) {
    let body = json!({"currentPassword": from, "password": to});
    writer.ada.request(Method::PATCH, "/api/account", Some(body)).await
}

/// How many descriptors a process has open.
fn open_descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[tokio::test]
async fn connections_leave_descriptors_to_the_store_and_newcomers_wait_for_their_turn() {
    if !may_limit("connections leave descriptors to the store") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let environment = [("CONFAB_CONNECTIONS_PER_ADDRESS", "1000"), ("CONFAB_SOCKETS_PER_USER", "1000")];
    let program = ["prlimit", "--nofile=200:256"];
    let server = Server::start_under(&program, tempfile::tempdir().unwrap(), &environment, &log);
    let mut writer = Writer::sign_up(&server).await;
    add_sessions(server.data(), writer.ada.id);
    let log = || std::fs::read_to_string(&log).unwrap();
    assert!(log().contains("descriptors=256"), "the soft limit is raised to the hard one: {}", log());

    // Sockets, because they stay. The connection over which the password is changed is used all the time, so that it
    // stays as well.
    let mut crowd = Vec::new();
    while !log().contains("accept.paused") {
        assert_eq!(writer.ada.get("/api/session").await.0, 200);
        crowd.push(writer.ada.connect_raw().await.unwrap());
    }
    assert!(open_descriptors(server.process_id()) < 256);
    let mut newcomer = Box::pin(get(&server, "/healthz"));
    assert!(futures_util::poll!(newcomer.as_mut()).is_pending());
    writer.says("while all are taken").await.unwrap();
    assert_eq!(changes_password(&writer, "correct horse", "another horse").await.0, 200);
    assert!(crowd.len() > 100, "{}", crowd.len());

    // The password's change has closed the sockets of the other sessions; the rest goes here.
    drop(crowd);
    assert_eq!(newcomer.await, (200, "ok".into()));
    until("it is ready", async || is_ready(&server).await).await;
    assert!(log().contains("accept.resumed"));
}

#[tokio::test]
async fn without_descriptors_messages_are_accepted_and_nothing_of_it_lasts() {
    if !may_limit("without descriptors messages are accepted") {
        return;
    }
    let server = Server::start();
    let mut writer = Writer::sign_up(&server).await;
    add_sessions(server.data(), writer.ada.id);
    writer.says("before").await.unwrap();
    assert_eq!(writer.ada.get("/api/conversations").await.0, 200);

    let process = server.process_id().to_string();
    let limit = |descriptors: &str| {
        let limited = Command::new("prlimit").args(["--pid", &process, &format!("--nofile={descriptors}")]).status();
        assert!(limited.unwrap().success());
    };
    let mut ask = Command::new("prlimit");
    let before = ask.args(["--pid", &process, "--nofile", "--noheadings", "--output=SOFT,HARD"]).output().unwrap();
    let before = String::from_utf8(before.stdout).unwrap();
    let before: Vec<_> = before.split_whitespace().collect();
    // Fewer than it has: it gets no further one.
    limit(&format!("5:{}", before[1]));
    writer.says("without descriptors").await.unwrap();
    let (status, body) = changes_password(&writer, "correct horse", "another horse").await;
    assert!(status == 200 || body["error"]["code"] == "overloaded", "{status}: {body}");
    writer.says("without descriptors still").await.unwrap();

    limit(&before.join(":"));
    until("it is ready", async || is_ready(&server).await).await;
    writer.says("with descriptors again").await.unwrap();
    assert_eq!(writer.compare(server.kill().path()), Vec::<String>::new());
}

/// A server whose temporary folders cannot be written to, as in a container with a read-only root.
fn start_read_only(environment: &[(&str, &str)], log: &Path) -> Server {
    // Not below /tmp, which is hidden.
    let folder: TempDir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let hide = r#"for folder in /tmp /var/tmp /usr/tmp; do
        if [ -d $folder ]; then mount -t tmpfs -o ro tmpfs $folder || exit 1; fi
    done; unset TMPDIR SQLITE_TMPDIR; cd /proc && exec "$0" "$@""#;
    Server::start_under(&["unshare", "-m", "sh", "-c", hide], folder, environment, log)
}

fn may_hide(promise: &str) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-c", "mount -t tmpfs -o ro tmpfs /tmp"]).stderr(Stdio::null());
    let may = unshare.status().is_ok_and(|status| status.success())
        && !Path::new(env!("CARGO_TARGET_TMPDIR")).starts_with("/tmp");
    if !may {
        not_run(&format!("{promise}: only root may mount, and the build must not be below /tmp"));
    }
    may
}

/// Changes a password that ends some thousand sessions; the answer, and whether all is well afterwards.
async fn life_without_temporary_folders(environment: &[(&str, &str)]) -> (u16, Value) {
    let logs = tempfile::tempdir().unwrap();
    let server = start_read_only(environment, &logs.path().join("log"));
    let mut writer = Writer::sign_up(&server).await;
    add_sessions(server.data(), writer.ada.id);
    writer.says("before").await.unwrap();
    let answer = changes_password(&writer, "correct horse", "another horse").await;
    assert!(is_ready(&server).await, "{}", std::fs::read_to_string(logs.path().join("log")).unwrap());
    writer.says("after").await.unwrap();
    assert_eq!(writer.compare(server.kill().path()), Vec::<String>::new());
    answer
}

#[tokio::test]
async fn a_large_change_needs_no_temporary_folder() {
    if may_hide("a large change needs no temporary folder") {
        let (status, body) = life_without_temporary_folders(&[]).await;
        assert_eq!(status, 200, "{body}");
    }
}

#[tokio::test]
async fn a_temporary_folder_that_is_missing_is_no_failure_of_the_disk() {
    // The control of the test above: with temporary files the change is refused. The server goes on all the same.
    if may_hide("a temporary folder that is missing is no failure of the disk") {
        let (status, body) = life_without_temporary_folders(&[("CONFAB_FAULT", "temporary_files")]).await;
        assert_eq!((status, &body["error"]["code"]), (503, &json!("overloaded")), "{body}");
    }
}

#[tokio::test]
async fn while_another_process_holds_the_database_readers_are_refused_in_time_and_messages_go_on() {
    let server = Server::start();
    let mut writer = Writer::sign_up(&server).await;
    writer.says("before").await.unwrap();
    assert_eq!(writer.ada.get("/api/conversations").await.0, 200);
    let other = Connection::open(server.data().join("confab.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    writer.says("while it is held").await.unwrap();
    let answer = server
        .http()
        .get(format!("{}/api/conversations", server.origin))
        .header("cookie", &writer.ada.cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "overloaded", "{body}");
    // Whoever comes in waits for the same.
    match writer.ada.connect_raw().await.map(drop).unwrap_err() {
        tokio_tungstenite::tungstenite::Error::Http(answer) => assert_eq!(answer.status(), 503),
        other => panic!("{other}"),
    }
    writer.says("while it is held still").await.unwrap();

    other.execute_batch("ROLLBACK").unwrap();
    until("what was accepted can be read", async || writer.ada.get("/api/conversations").await.0 == 200).await;
    assert!(is_ready(&server).await);
    assert_eq!(writer.compare(server.kill().path()), Vec::<String>::new());
}
