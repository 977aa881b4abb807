//! Those who are slow, or gone without a word: they cost nobody else anything, and not for long.

use crate::support::{PATIENCE, Person, Server};
use crate::support_raw::{BEGIN, Bystanders, Raw, TEXT, frame, head, until};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// A server whose log can be asked.
struct Watched {
    server: Server,
    log: PathBuf,
    _folder: TempDir,
}

impl Watched {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let arguments = [&["--rate-limits", "off", "--log-format", "json"], arguments].concat();
        Self { server: Server::start_logging(&arguments, &log), log, _folder: folder }
    }

    /// The codes somebody's sockets ended with so far.
    fn ended(&self, person: &Person) -> Vec<Value> {
        let lines = Server::logged(&self.log, "socket.closed");
        lines
            .into_iter()
            .filter(|line| line["user"] == person.id.to_string())
            .map(|line| line["code"].clone())
            .collect()
    }
}

/// So many messages of 10 KB to everyone, each of which the other bystander hears before the next one.
async fn burst(others: &mut Bystanders, count: usize) {
    let text = "x".repeat(10_000);
    for number in 0..count {
        let text = format!("{number} {text}");
        let id = others.from.says(json!("everyone"), &text).await;
        others.from.accepted(id).await;
        assert_eq!(others.to.sees_messages().await, [text]);
    }
}

#[tokio::test]
async fn requests_that_do_not_come_to_an_end_are_ended() {
    let server = Server::start();
    let mut others = Bystanders::of(&server).await;
    let (host, origin) = (server.address(), server.origin.clone());
    let get = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n");
    let post = format!(
        "POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n{{"
    );
    // What is sent at first, what is sent each second, and the answer before the end.
    let table = [
        ("nothing at all", String::new(), "", None),
        ("a head without end", get.clone(), "x: y\r\n", None),
        ("a head that stops", get.clone(), "", None),
        ("silence after a request", format!("{get}\r\n"), "", Some(200)),
        ("a body without end", post.clone(), "x", Some(408)),
        ("a body that stops", post, "", Some(408)),
    ];
    let mut slow = tokio::task::JoinSet::new();
    for (name, first, each, status) in table {
        let mut connection = Raw::connect(&server).await;
        slow.spawn(async move {
            connection.send(first).await;
            let answered = tokio::time::timeout(3 * PATIENCE, async {
                let Raw { stream } = &mut connection;
                let (mut reader, mut writer) = stream.split();
                let mut answer = Vec::new();
                let reading = reader.read_to_end(&mut answer);
                let writing = async {
                    loop {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        if tokio::io::AsyncWriteExt::write_all(&mut writer, each.as_bytes()).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                };
                tokio::select! {
                    // An end is an end, also if it is a hard one.
                    _ = reading => {}
                    () = writing => {}
                }
                answer
            })
            .await;
            let answer = answered.unwrap_or_else(|_| panic!("{name} was not ended"));
            let answer = String::from_utf8(answer).unwrap();
            let got = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
            assert!(got == status || (status.is_none() && got == Some(408)), "{name}: {answer}");
        });
    }
    // Meanwhile, and afterwards, others are served; and the control: slow, but not for ever.
    let mut patient = Raw::connect(&server).await;
    for byte in format!("{get}\r\n").bytes() {
        patient.send([byte]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(patient.answer().await.status, 200);
    others.are_served().await;
    slow.join_all().await;
    others.are_served().await;
}

/// Sockets that announce a frame at the limit each, in the next test and its control.
const ANNOUNCING: u64 = 600;

/// Whether something has come that the server has not read (proc(5): `/proc/net/tcp`, whose fifth column ends with the bytes
/// that wait to be read).
fn has_unread(server: &Server) -> bool {
    let port = format!(":{:04X}", server.address().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let waits = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns[1].ends_with(&port) && columns[3] == "01" && !columns[4].ends_with(":00000000")
    };
    table.lines().skip(1).any(waits)
}

/// By how much a server's memory grows, in bytes, when frames are announced and one byte of each comes.
async fn grown_by_announcements(fault: &str) -> u64 {
    let server = Server::start_with(&["--rate-limits", "off"], &[("CONFAB_FAULT", fault)]);
    let mut people = Vec::new();
    for number in 0..16 {
        people.push(server.sign_up(&format!("Person{number}")).await);
    }
    let mut others = Bystanders::of(&server).await;
    let mut sockets = Vec::new();
    for number in 0..ANNOUNCING as usize {
        sockets.push(Raw::socket(&server, &people[number % 16]).await);
    }
    let before = server.resident();
    for socket in &mut sockets {
        socket.send([head(TEXT, 127, &65_536_u64.to_be_bytes()), vec![b'x']].concat()).await;
    }
    until("all of it is read", || !has_unread(&server)).await;
    others.are_served().await;
    server.resident().saturating_sub(before)
}

#[tokio::test]
async fn an_announced_size_is_not_allocated() {
    let grown = grown_by_announcements("").await;
    assert!(grown < ANNOUNCING * 65_536 / 4, "{grown} bytes");
}

#[tokio::test]
async fn a_server_that_allocates_what_is_announced_is_caught() {
    // The control of the test above.
    let grown = grown_by_announcements("allocate_announced").await;
    assert!(grown > ANNOUNCING * 65_536 / 2, "{grown} bytes");
}

#[tokio::test]
async fn frames_that_are_announced_and_do_not_come_cost_little_and_end() {
    let server = Server::start();
    let mut people = Vec::new();
    for number in 0..16 {
        people.push(server.sign_up(&format!("Person{number}")).await);
    }
    let mut others = Bystanders::of(&server).await;
    let mut sockets = Vec::new();
    for number in 0..1_000 {
        sockets.push(Raw::socket(&server, &people[number % 16]).await);
    }
    let before = server.resident();
    for (number, socket) in sockets.iter_mut().enumerate() {
        let announced = match number % 3 {
            // A frame at the limit, of which one byte comes; a head cut in two; a message without its last fragment.
            0 => [head(TEXT, 127, &65_536_u64.to_be_bytes()), vec![b'x']].concat(),
            1 => vec![TEXT, 0xfe],
            _ => frame(BEGIN, "{"),
        };
        socket.send(announced).await;
    }
    others.are_served().await;
    let after = server.resident();
    // A third of them announces 64 KiB: 21 MB.
    assert!(after < before + (12 << 20), "{before} → {after}");
    // The control: one that is quiet between messages is not in the middle of one.
    let mut quiet = Raw::socket(&server, &people[0]).await;
    for mut socket in sockets {
        assert_eq!(socket.closed().await, Some(4408));
    }
    assert!(quiet.is_served().await);
    // Above the limit it is not a matter of time.
    let mut socket = Raw::socket(&server, &people[0]).await;
    socket.send(head(TEXT, 127, &(16_u64 << 20).to_be_bytes())).await;
    assert_eq!(socket.closed().await, Some(1009));
    others.are_served().await;
}

#[tokio::test]
async fn a_reader_that_reads_nothing_is_cut_off_and_others_hear_everything() {
    let watched = Watched::start(&["--slow-consumer-seconds", "2"]);
    let patient = Watched::start(&["--slow-consumer-seconds", "3600"]);
    let (ben, ben_elsewhere) = (watched.server.sign_up("Ben").await, patient.server.sign_up("Ben").await);
    let (mut others, mut others_elsewhere) =
        (Bystanders::of(&watched.server).await, Bystanders::of(&patient.server).await);
    let _deaf = Raw::connect_narrow(&watched.server).await.upgraded(&watched.server, &ben).await;
    let _deaf_elsewhere = Raw::connect_narrow(&patient.server).await.upgraded(&patient.server, &ben_elsewhere).await;
    burst(&mut others, 60).await;
    burst(&mut others_elsewhere, 60).await;
    until("the reader is cut off", || watched.ended(&ben) == [json!(4410)]).await;
    others.are_served().await;
    // The control: it is this limit that did it.
    assert_eq!(patient.ended(&ben_elsewhere), Vec::<Value>::new());
    others_elsewhere.are_served().await;
}

#[tokio::test]
async fn a_reader_that_reads_slowly_or_after_a_pause_gets_everything() {
    let watched = Watched::start(&["--slow-consumer-seconds", "2"]);
    let ben = watched.server.sign_up("Ben").await;
    let mut others = Bystanders::of(&watched.server).await;
    let mut slow = Raw::connect_narrow(&watched.server).await.upgraded(&watched.server, &ben).await;
    // 400 KB, 8 KB at a time: many times the two seconds in all, never two seconds without any.
    let reading = async {
        let (mut bytes, mut messages, mut from) = (Vec::new(), 0, 0);
        while messages < 40 {
            let mut some = [0; 8_192];
            let count = slow.stream.read(&mut some).await.unwrap();
            assert!(count > 0, "it was cut off after {messages}");
            bytes.extend_from_slice(&some[..count]);
            while let Some(at) = bytes[from..].windows(14).position(|window| window == b"\"type\":\"event\"") {
                from += at + 14;
                messages += 1;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let both = async { tokio::join!(burst(&mut others, 40), reading) };
    tokio::time::timeout(6 * PATIENCE, Box::pin(both)).await.expect("all of it in time");
    assert_eq!(watched.ended(&ben), Vec::<Value>::new());

    // A burst it reads at once after a pause shorter than the limit: as long as the burst takes here.
    let watched = Watched::start(&["--slow-consumer-seconds", "3600"]);
    let ben = watched.server.sign_up("Ben").await;
    let mut others = Bystanders::of(&watched.server).await;
    let mut pausing = Raw::connect_narrow(&watched.server).await.upgraded(&watched.server, &ben).await;
    burst(&mut others, 40).await;
    assert!(pausing.is_served().await);
    assert_eq!(watched.ended(&ben), Vec::<Value>::new());
}

#[tokio::test]
async fn a_reader_that_reads_nothing_does_not_slow_others_down() {
    // They stay, however long this takes.
    let watched = Watched::start(&["--slow-consumer-seconds", "3600"]);
    let ben = watched.server.sign_up("Ben").await;
    let mut others = Bystanders::of(&watched.server).await;
    async fn median(others: &mut Bystanders) -> Duration {
        let mut times = Vec::new();
        for _ in 0..60 {
            let started = Instant::now();
            let id = others.from.says(json!("everyone"), &"x".repeat(10_000)).await;
            others.from.accepted(id).await;
            assert_eq!(others.to.sees_messages().await.len(), 1);
            times.push(started.elapsed());
        }
        times.sort();
        times[30]
    }
    let before = median(&mut others).await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(Raw::connect_narrow(&watched.server).await.upgraded(&watched.server, &ben).await);
    }
    let with_deaf = median(&mut others).await;
    // Twenty more sockets are twenty more to write to; waiting for one of them would be seconds.
    assert!(with_deaf < 20 * before.max(Duration::from_millis(50)), "{before:?} → {with_deaf:?}");
    assert_eq!(watched.ended(&ben), Vec::<Value>::new(), "they are still there");
}

#[tokio::test]
async fn a_peer_that_vanished_is_given_up_and_freed_once() {
    let watched = Watched::start(&["--silence-seconds", "6"]);
    let (ada, ben) = (watched.server.sign_up("Ada").await, watched.server.sign_up("Ben").await);
    // One that answers pings, as every browser does, and says nothing itself: the control.
    let mut quiet = ada.connect().await;
    let answering =
        tokio::spawn(async move { while futures_util::StreamExt::next(&mut quiet.stream).await.is_some() {} });
    // Stopped in its tracks: its system answers, it does not.
    let mut gone = Raw::socket(&watched.server, &ben).await;
    until("it is given up", || !watched.ended(&ben).is_empty()).await;
    assert_eq!(watched.ended(&ben), [json!(4408)]);
    assert_eq!(watched.ended(&ada), Vec::<Value>::new());
    assert_eq!(gone.closed().await, Some(4408), "it hears of it when it wakes up");
    answering.abort();
}

#[tokio::test]
async fn a_page_that_is_asked_for_and_not_read_is_given_up() {
    let server = Server::start_with(&["--slow-consumer-seconds", "2"], &[]);
    let ada = server.sign_up("Ada").await;
    let before = server.connections();
    let mut connection = Raw::connect_narrow(&server).await;
    // More answers than fit between us; none is read.
    let request =
        format!("GET /api/conversations HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", server.address(), ada.cookie);
    let asking = async { while connection.try_send(&request).await {} };
    tokio::time::timeout(6 * PATIENCE, asking).await.expect("the line is cut");
    until("the connection is let go", || server.connections() <= before).await;
}
