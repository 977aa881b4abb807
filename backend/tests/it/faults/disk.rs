//! The disk is full.

use super::{not_run, strace, until};
use crate::support::{Person, Server, Socket, new_id};
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::CommandId;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a send came to: the seq it got, or what it was refused with.
pub(super) type Answer = Result<u64, (String, Option<u64>)>;

pub(super) async fn answer(socket: &mut Socket, id: CommandId) -> Answer {
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
pub(super) struct Writer {
    pub(super) ada: Person,
    pub(super) socket: Socket,
    pub(super) answers: Vec<(CommandId, Answer)>,
}

impl Writer {
    pub(super) async fn sign_up(server: &Server) -> Self {
        let ada = server.sign_up("Ada").await;
        let socket = ada.connect().await;
        Self { ada, socket, answers: Vec::new() }
    }

    pub(super) async fn says(&mut self, content: &str) -> Answer {
        let id = self.socket.says(json!("everyone"), content).await;
        let answer = answer(&mut self.socket, id).await;
        self.answers.push((id, answer.clone()));
        answer
    }

    /// What is wrong in a folder that no server uses: see [`super::compare`].
    pub(super) fn compare(&self, data: &Path) -> Vec<String> {
        let accepted = self.answers.iter().filter_map(|(id, answer)| Some((*id, *answer.as_ref().ok()?)));
        super::compare(data, &accepted.collect())
    }

    /// The same person on another server with the same folder.
    pub(super) async fn move_to(&mut self, server: &Server) {
        self.ada.moved_to(&server.origin);
        self.socket = self.ada.connect().await;
    }
}

/// The answer of a plain address.
pub(super) async fn get(server: &Server, path: &str) -> (u16, String) {
    let answer = server.http().get(format!("{}{path}", server.origin)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

pub(super) async fn is_ready(server: &Server) -> bool {
    get(server, "/readyz").await.0 == 200
}

/// Everything that only reads works.
pub(super) async fn reading_goes_on(server: &Server, ada: &Person) {
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
        Self::start_with("size=4m", environment, log)
    }

    fn start_with(options: &str, environment: &[(&str, &str)], log: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!(r#"mount -t tmpfs -o {options} tmpfs "$0" && exec "$@""#);
        let data = folder.path().to_str().unwrap().to_owned();
        let server = Server::start_under(&["unshare", "-m", "sh", "-c", &mount, &data], folder, environment, log);
        // The mount is seen by the server's process alone; this is the way in.
        let filler = PathBuf::from(format!("/proc/{}/root{data}/filler", server.process_id()));
        Self { server, filler }
    }

    /// A copy of what is on it at one moment: what a killed server would leave. (SQLite would follow the way in
    /// to the folder below the mount.)
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        self.signal("-STOP");
        for name in strace::ALL {
            std::fs::copy(self.filler.with_file_name(name), copy.path().join(name)).unwrap();
        }
        self.signal("-CONT");
        copy
    }

    fn signal(&self, signal: &str) {
        let process = self.server.process_id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(&self.filler).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4_096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(&self.filler).unwrap();
    }

    /// Bytes that nobody has taken.
    fn space(&self) -> usize {
        let disk = rustix::fs::statvfs(self.filler.parent().unwrap()).unwrap();
        usize::try_from(disk.f_bavail * disk.f_frsize).unwrap()
    }

    /// Files on their way in, in bytes.
    fn incoming(&self) -> Vec<u64> {
        let files = std::fs::read_dir(self.filler.with_file_name("attachments/incoming")).into_iter().flatten();
        files.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).collect()
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

    assert_eq!(writer.compare(small.copy().path()), Vec::<String>::new(), "while it is full");

    small.free();
    until("it has tried, though nobody writes", async || is_ready(&small.server).await).await;
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

#[tokio::test]
async fn a_full_disk_refuses_files_and_leaves_nothing_half() {
    if !may_mount("a full disk refuses files and leaves nothing half") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[("CONFAB_DISK_RESERVE_MIB", "0")], &logs.path().join("log"));
    let writer = Writer::sign_up(&small.server).await;
    // 8 MB do not fit on a disk of 4.
    let (status, body) = writer.ada.uploads(&small.server, "large.bin", vec![7_u8; 8_000_000]).await;
    assert_eq!((status, &body["error"]["code"]), (507, &json!("storage_full")), "{body}");
    assert!(body["error"]["retryAfterMs"].is_number());
    assert!(small.incoming().is_empty(), "nothing half is left");
    reading_goes_on(&small.server, &writer.ada).await;
    let (status, body) = writer.ada.uploads(&small.server, "small.bin", vec![7_u8; 10_000]).await;
    assert_eq!(status, 201, "there is room for less: {body}");
}

const MIB: usize = 1024 * 1024;
/// Files leave 2 of the disk's 4 MiB.
const RESERVE: (&str, &str) = ("CONFAB_DISK_RESERVE_MIB", "2");

/// Whether files are refused so that messages can be stored.
fn is_reserve(status: u16, body: &Value) -> bool {
    let error = &body["error"];
    status == 507 && error["code"] == "storage_full" && error["field"] == "reserve" && error["retryAfterMs"].is_number()
}

/// Ada sends files, smaller and smaller ones, until not even 4 KiB are taken; the ids of the others, and the last answer.
async fn send_files(small: &Small, ada: &Person) -> (Vec<String>, (u16, Value)) {
    let (mut bytes, mut taken) = (MIB / 4, Vec::new());
    loop {
        let (status, body) = ada.uploads(&small.server, "file", vec![7_u8; bytes]).await;
        if status == 201 {
            taken.push(body["attachment"]["id"].as_str().unwrap().to_owned());
            continue;
        }
        bytes /= 2;
        if bytes < 4_096 {
            return (taken, (status, body));
        }
    }
}

/// How many of so many long messages are accepted.
async fn says_often(writer: &mut Writer, count: usize) -> usize {
    let mut accepted = 0;
    for _ in 0..count {
        accepted += usize::from(writer.says(&"x".repeat(16_000)).await.is_ok());
    }
    accepted
}

#[tokio::test]
async fn files_are_refused_first_and_messages_go_on() {
    if !may_mount("files are refused first and messages go on") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[RESERVE], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    // One that does not say how long it is comes as far as there is room.
    let chunks = (0..300).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 10_000]));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let (status, body) = writer.ada.uploads(&small.server, "stream", body).await;
    assert!(is_reserve(status, &body), "{status}: {body}");
    assert!(small.incoming().is_empty(), "nothing half is left");

    let (files, (status, body)) = send_files(&small, &writer.ada).await;
    assert!(is_reserve(status, &body) && !files.is_empty(), "{status}: {body}");
    assert!(is_ready(&small.server).await, "only files are refused");
    assert_eq!(says_often(&mut writer, 10).await, 10);
    assert!(is_ready(&small.server).await);
    let log = std::fs::read_to_string(logs.path().join("log")).unwrap();
    assert_eq!(log.matches("attachment.reserve_reached").count(), 1, "{log}");

    for file in files {
        let path = format!("/api/attachments/{file}");
        assert_eq!(writer.ada.request(reqwest::Method::DELETE, &path, None).await.0, 204);
    }
    until("there is room again", async || writer.ada.uploads(&small.server, "file", vec![7_u8; 4_096]).await.0 == 201)
        .await;
}

#[tokio::test]
async fn a_server_without_a_reserve_is_caught() {
    // The control of the test above: files take what messages need.
    if !may_mount("the control of the reserve") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[RESERVE, ("CONFAB_FAULT", "no_disk_reserve")], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    let (_, (status, body)) = send_files(&small, &writer.ada).await;
    assert!(status == 507 && !is_reserve(status, &body), "{status}: {body}");
    assert!(says_often(&mut writer, 10).await < 10);
}

/// Ada sends files of no bytes until one is refused; how many were taken, and the answer.
async fn send_empty_files(small: &Small, ada: &Person) -> (usize, (u16, Value)) {
    for taken in 0..400 {
        let (status, body) = ada.uploads(&small.server, "empty", Vec::new()).await;
        if status != 201 {
            return (taken, (status, body));
        }
    }
    (400, (201, Value::Null))
}

/// A disk that can hold 300 files and folders, of which files leave 5 %.
const FEW_FILES: &str = "size=16m,nr_inodes=300";

#[tokio::test]
async fn empty_files_are_refused_before_the_disk_can_hold_no_more_and_messages_go_on() {
    if !may_mount("empty files are refused before the disk can hold no more") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start_with(FEW_FILES, &[RESERVE], &logs.path().join("log"));
    let mut writer = Writer::sign_up(&small.server).await;
    let (taken, (status, body)) = send_empty_files(&small, &writer.ada).await;
    assert!(is_reserve(status, &body) && taken > 0, "{taken}, {status}: {body}");
    assert!(small.incoming().is_empty(), "nothing half is left");
    let left = rustix::fs::statvfs(small.filler.parent().unwrap()).unwrap().f_favail;
    assert!((12..=15).contains(&left), "{left} of 300: a file may need a folder of its own");
    assert!(is_ready(&small.server).await, "only files are refused");
    assert_eq!(says_often(&mut writer, 10).await, 10);
    let log = std::fs::read_to_string(logs.path().join("log")).unwrap();
    assert_eq!(log.matches("attachment.reserve_reached").count(), 1, "{log}");
}

#[tokio::test]
async fn a_server_without_a_reserve_of_files_is_caught() {
    // The control of the test above: files take the last there is.
    if !may_mount("the control of the reserve of files") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let environment = [RESERVE, ("CONFAB_FAULT", "no_disk_reserve")];
    let small = Small::start_with(FEW_FILES, &environment, &logs.path().join("log"));
    let writer = Writer::sign_up(&small.server).await;
    let (taken, (status, body)) = send_empty_files(&small, &writer.ada).await;
    assert!(taken < 400 && !is_reserve(status, &body), "{taken}, {status}: {body}");
}

/// Ada begins to send a file of so many bytes.
async fn begins_a_file(small: &Small, ada: &Person, bytes: usize) -> TcpStream {
    let address = small.server.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (origin, cookie) = (&small.server.origin, &ada.cookie);
    let head = format!(
        "POST /api/attachments?name=begun HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\
         Connection: close\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    until("it has begun", async || !small.incoming().is_empty()).await;
    stream
}

#[tokio::test]
async fn files_that_come_at_once_share_the_room() {
    if !may_mount("files that come at once share the room") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[RESERVE], &logs.path().join("log"));
    let (ada, ben) = (small.server.sign_up("Ada").await, small.server.sign_up("Ben").await);
    let most = (small.space() - 2 * MIB) * 3 / 5;
    let begun = begins_a_file(&small, &ada, most).await;
    assert_eq!(small.incoming(), [0], "nothing of it has come");
    let (status, body) = ben.uploads(&small.server, "other", vec![7_u8; most]).await;
    assert!(is_reserve(status, &body), "{status}: {body}");
    drop(begun);
    until("the room is given back", async || small.incoming().is_empty()).await;
    until("it is taken", async || ben.uploads(&small.server, "other", vec![7_u8; most]).await.0 == 201).await;
    assert!(small.space() >= MIB * 7 / 4, "but for what the database needs: {}", small.space());
}

#[tokio::test]
async fn a_file_on_its_way_stops_when_something_else_takes_the_room() {
    if !may_mount("a file on its way stops when something else takes the room") {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let small = Small::start(&[("CONFAB_DISK_RESERVE_MIB", "1")], &logs.path().join("log"));
    let ada = small.server.sign_up("Ada").await;
    let mut stream = begins_a_file(&small, &ada, MIB + MIB / 4).await;
    stream.write_all(&vec![7; MIB / 2]).await.unwrap();
    until("half a MiB has come", async || small.incoming() == [MIB as u64 / 2]).await;
    // The rest would fit, but into what is kept for messages.
    std::fs::write(&small.filler, vec![7; small.space() - MIB]).unwrap();
    stream.write_all(&vec![7; MIB * 3 / 4]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 507 ") && body.contains("\"reserve\""), "{answer}");
    assert!(small.incoming().is_empty(), "nothing half is left");
}
