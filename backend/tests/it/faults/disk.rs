//! The disk is full, or fails.

use super::{damage, not_run, strace, until};
use crate::support::{Person, Server, Socket, new_id};
use rusqlite::Connection;
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::CommandId;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a send came to: the seq it got, or what it was refused with.
type Answer = Result<u64, (String, Option<u64>)>;

async fn answer(socket: &mut Socket, id: CommandId) -> Answer {
    loop {
        match socket.next().await {
            ServerFrame::Accepted(accepted) if accepted.id == id => return Ok(accepted.seq.get()),
            ServerFrame::Rejected(rejected) if rejected.id == id => {
                let rejection = rejected.rejection;
                return Err((rejection.code.to_string(), rejection.retry_after_ms));
            }
            _ => {}
        }
    }
}

/// Ada is connected, and knows what came of each of her messages.
struct Writer {
    ada: Person,
    socket: Socket,
    answers: Vec<(CommandId, Answer)>,
}

impl Writer {
    async fn sign_up(server: &Server) -> Self {
        let ada = server.sign_up("Ada").await;
        let socket = ada.connect().await;
        Self { ada, socket, answers: Vec::new() }
    }

    async fn says(&mut self, content: &str) -> Answer {
        let id = self.socket.says(json!("everyone"), content).await;
        let answer = answer(&mut self.socket, id).await;
        self.answers.push((id, answer.clone()));
        answer
    }

    /// What is wrong in a database: everything accepted must be in it, whole, once, and in its place.
    fn compare(&self, data: &Path) -> Vec<String> {
        let database = Connection::open(data.join("confab.db")).unwrap();
        let mut wrong = damage(&database);
        let stored = super::crowd::events(&database, 0);
        wrong
            .extend((1..).zip(&stored).filter(|(place, (seq, _))| place != seq).map(|(_, found)| format!("{found:?}")));
        for (id, answer) in &self.answers {
            if let Ok(seq) = answer
                && !stored.contains(&(*seq, *id))
            {
                wrong.push(format!("{id} was accepted as {seq}"));
            }
        }
        wrong
    }
}

/// The answer of a plain address.
async fn get(server: &Server, path: &str) -> (u16, String) {
    let answer = server.http().get(format!("{}{path}", server.origin)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn is_ready(server: &Server) -> bool {
    get(server, "/readyz").await.0 == 200
}

/// Everything that only reads works.
async fn reading_goes_on(server: &Server, ada: &Person) {
    assert_eq!(ada.get("/api/session").await.0, 200);
    let everyone = ada.connect().await.welcome.unwrap().conversations[0].id;
    assert_eq!(ada.get(&format!("/api/conversations/{everyone}/events")).await.0, 200);
    assert_eq!(get(server, "/healthz").await, (200, "ok".into()));
}

/// A server whose data folder is a small disk of its own.
struct Small {
    server: Server,
    filler: PathBuf,
}

impl Small {
    fn start(environment: &[(&str, &str)], log: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = r#"mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@""#;
        let data = folder.path().to_str().unwrap().to_owned();
        let server = Server::start_under(&["unshare", "-m", "sh", "-c", mount, &data], folder, environment, log);
        // The mount is seen by the server's process alone; this is the way in.
        let filler = PathBuf::from(format!("/proc/{}/root{data}/filler", server.process_id()));
        Self { server, filler }
    }

    /// A copy of what is on it. (SQLite would follow the way in to the folder below the mount.)
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["confab.db", "confab.db-wal"] {
            std::fs::copy(self.filler.with_file_name(name), copy.path().join(name)).unwrap();
        }
        copy
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(&self.filler).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4_096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(&self.filler).unwrap();
    }
}

fn may_mount(promise: &str) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).stderr(Stdio::null());
    let may = unshare.status().is_ok_and(|status| status.success());
    if !may {
        not_run(&format!("{promise}: only root may mount a small disk"));
    }
    may
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    if !may_mount("a full disk refuses and recovers by itself") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    writer.says("there is space").await.unwrap();
    assert!(is_ready(&small.server).await);

    small.fill();
    let (code, retry_after_ms) = loop {
        if let Err(refused) = writer.says(&"x".repeat(16_000)).await {
            break refused;
        }
    };
    assert_eq!(code, "storage_full");
    assert!(retry_after_ms.is_some());
    let (status, body) = get(&small.server, "/readyz").await;
    assert_eq!(status, 503);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["code"], "storage_full");
    reading_goes_on(&small.server, &writer.ada).await;

    small.free();
    assert!(is_ready(&small.server).await, "it tries, though nobody writes");
    writer.says("there is space again").await.unwrap();
    assert_eq!(writer.compare(small.copy().path()), Vec::<String>::new());
    let log = std::fs::read_to_string(logs.path().join("log")).unwrap();
    assert!(log.contains("store.disk_full"), "{log}");
}

#[tokio::test]
async fn a_server_that_hides_a_full_disk_is_caught() {
    // The control of the test above: what it asks /readyz can be answered wrongly.
    if !may_mount("the control of the full disk") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[("CONFAB_FAULT", "hide_full")], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    small.fill();
    while writer.says(&"x".repeat(16_000)).await.is_ok() {}
    assert!(is_ready(&small.server).await);
}

/// Some sends on a server whose `when`-th call of some kind fails; then the same folder with a good
/// disk, and the refused messages again. Gives the answers and what was wrong.
async fn sends_on_a_bad_disk(
    what: &str,
    environment: &[(&str, &str)],
    look: impl AsyncFn(&Server, &mut Writer, &Path),
) -> (Vec<Answer>, Vec<String>) {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let server = strace::start_injecting(what, tempfile::tempdir().unwrap(), environment, &log);
    let mut writer = Writer::sign_up(&server).await;
    for number in 0..12 {
        let _ = writer.says(&format!("message {number}")).await;
    }
    look(&server, &mut writer, &log).await;
    let folder = server.kill();
    let answers = writer.answers.iter().map(|(_, answer)| answer.clone()).collect();
    (answers, after_restart(writer, folder).await)
}

/// Everything accepted is there, and what was not answered well can be sent again.
async fn after_restart(mut writer: Writer, folder: TempDir) -> Vec<String> {
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    let mut wrong = writer.compare(server.data());
    writer.ada.moved_to(&server.origin);
    writer.socket = writer.ada.connect().await;
    if !is_ready(&server).await {
        wrong.push("it is not ready after the restart".into());
    }
    if let Err(refused) = writer.says("after the restart").await {
        wrong.push(format!("refused after the restart: {refused:?}"));
    }
    wrong.extend(writer.compare(server.data()));
    wrong
}

/// Calls are counted by thread, and starting makes the first of them on another one: these meet the
/// writer. Signing up is its first transaction.
async fn fails_at_once_and_for_good(server: &Server, writer: &Writer, log: &Path) {
    let first = writer.answers.iter().position(|(_, answer)| answer.is_err()).expect("the disk failed by now");
    for (_, answer) in &writer.answers[first..] {
        let (code, retry_after_ms) = answer.clone().expect_err("nothing is accepted after the failure");
        assert_eq!(code, "internal");
        assert!(retry_after_ms.is_some());
    }
    let (status, body) = get(server, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("disk has failed"), "{body}");
    reading_goes_on(server, &writer.ada).await;
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("Check the disk") && log.contains("restart"), "{log}");
}

#[tokio::test]
async fn a_flush_that_fails_is_the_last_one() {
    if !strace::is_there("a flush that fails is the last one") {
        return;
    }
    // The first of the writer's thread that starting does not reach, and one later.
    for when in [10, 13] {
        let what = format!("fsync:error=EIO:when={when}");
        let (answers, wrong) = sends_on_a_bad_disk(&what, &[], async |server, writer, log| {
            fails_at_once_and_for_good(server, writer, log).await;
            let calls = std::fs::read_to_string(log.with_extension("calls")).unwrap();
            let after = calls.split_once("INJECTED").unwrap().1;
            assert!(!after.contains("fsync("), "it flushed again: {after}");
        })
        .await;
        assert!(answers.iter().any(Result::is_ok) && answers.iter().any(Result::is_err), "{answers:?}");
        assert_eq!(wrong, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_server_that_trusts_the_next_flush_is_caught() {
    // The control of the test above: it goes on after the failure.
    if !strace::is_there("the control of the flush that fails") {
        return;
    }
    let fault = [("CONFAB_FAULT", "retry_writes")];
    let (answers, _) = sends_on_a_bad_disk("fsync:error=EIO:when=10", &fault, async |_, _, _| {}).await;
    let first = answers.iter().position(Result::is_err).unwrap();
    assert!(answers[first..].iter().any(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn a_write_that_fails_is_the_last_one() {
    if !strace::is_there("a write that fails is the last one") {
        return;
    }
    for when in [80, 104] {
        let what = format!("pwrite64:error=EIO:when={when}+");
        let (_, wrong) = sends_on_a_bad_disk(&what, &[], async |server, writer, log| {
            fails_at_once_and_for_good(server, writer, log).await;
        })
        .await;
        assert_eq!(wrong, Vec::<String>::new());
    }
}

#[tokio::test]
async fn no_message_is_half_there_wherever_the_disk_was_full() {
    if !strace::is_there("no message is half there wherever the disk was full") {
        return;
    }
    let mut refused = 0;
    let mut lives = tokio::task::JoinSet::new();
    for when in 0..16 {
        lives.spawn(async move {
            let what = format!("pwrite64:error=ENOSPC:when={}", 80 + 4 * when);
            let sent_again = async |_: &Server, writer: &mut Writer, _: &Path| {
                // The failure was one call: what was refused can be sent again, and is stored then.
                let again: Vec<_> = writer.answers.iter().filter(|(_, answer)| answer.is_err()).collect();
                let again: Vec<_> = again.into_iter().map(|(id, _)| *id).collect();
                for id in again {
                    let frame = json!({"type": "send", "id": id, "to": "everyone", "content": "again"});
                    writer.socket.send(frame).await;
                    let answer = answer(&mut writer.socket, id).await;
                    assert!(answer.is_ok(), "{answer:?}");
                    writer.answers.push((id, answer));
                }
            };
            sends_on_a_bad_disk(&what, &[], sent_again).await
        });
        if lives.len() == 2 {
            refused += count_refused(lives.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(life) = lives.join_next().await {
        refused += count_refused(life.unwrap());
    }
    assert!(refused > 4, "the disk was full often enough: {refused}");
}

fn count_refused((answers, wrong): (Vec<Answer>, Vec<String>)) -> usize {
    assert_eq!(wrong, Vec::<String>::new());
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    refused.inspect(|(code, _)| assert_eq!(code, "storage_full")).count()
}

#[tokio::test]
async fn what_a_full_disk_refused_is_stored_once_when_sent_again() {
    // A retry of one id gets one answer, however often the disk refused it before.
    if !may_mount("a retry after a full disk is stored once") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    small.fill();
    let content = "y".repeat(16_000);
    let id = loop {
        let id = new_id();
        let frame = json!({"type": "send", "id": id, "to": "everyone", "content": content});
        writer.socket.send(frame).await;
        if answer(&mut writer.socket, id).await.is_err() {
            break id;
        }
    };
    let frame = json!({"type": "send", "id": id, "to": "everyone", "content": content});
    small.free();
    let mut stored = None;
    until("it is stored", async || {
        writer.socket.send(frame.clone()).await;
        stored = answer(&mut writer.socket, id).await.ok();
        stored.is_some()
    })
    .await;
    writer.socket.send(frame).await;
    assert_eq!(answer(&mut writer.socket, id).await.ok(), stored);
    assert_eq!(writer.compare(small.copy().path()), Vec::<String>::new());
}
