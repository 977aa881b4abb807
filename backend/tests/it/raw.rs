//! Frames that RFC 6455 forbids, and frames it allows and nobody sends: each has one answer, and costs nobody else
//! anything.

use crate::support::{PATIENCE, Server};
use crate::support_raw::{BEGIN, Bystanders, CLOSE, END, MIDDLE, PING, PONG, Raw, TEXT, close, frame, head, until};
use serde_json::json;

/// A `ping` frame of the contract, whose `pong` shows that it arrived whole.
fn ping(nonce: &str) -> String {
    json!({"type": "ping", "nonce": nonce}).to_string()
}

#[tokio::test]
async fn what_is_forbidden_closes_with_exactly_one_code() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let unmasked = [vec![TEXT, 2], b"{}".to_vec()].concat();
    let mut table: Vec<(String, Vec<u8>, u16)> = vec![
        ("not masked".into(), unmasked, 1002),
        ("a ping of 126 bytes".into(), frame(PING, [b'x'; 126]), 1002),
        ("a fragmented ping".into(), frame(PING & 0x7f, "x"), 1002),
        ("a fragmented close".into(), frame(CLOSE & 0x7f, 1000_u16.to_be_bytes()), 1002),
        ("a continuation of nothing".into(), frame(END, "x"), 1002),
        ("a text within a text".into(), [frame(BEGIN, "{"), frame(TEXT, "{}")].concat(), 1002),
        ("a binary frame within a text".into(), [frame(BEGIN, "{"), frame(0x82, "x")].concat(), 1002),
        ("binary".into(), frame(0x82, "{}"), 1003),
        ("binary in fragments".into(), [frame(0x02, "{"), frame(END, "}")].concat(), 1003),
        ("a close of 1 byte".into(), frame(CLOSE, "x"), 1002),
        ("a close of 126 bytes".into(), close(1000, &[b'x'; 124]), 1002),
        ("a close whose reason is no UTF-8".into(), close(1000, b"\xc3\x28"), 1007),
        ("65,537 bytes announced".into(), head(TEXT, 127, &65_537_u64.to_be_bytes()), 1009),
        ("16 MiB announced".into(), head(TEXT, 127, &(16_u64 << 20).to_be_bytes()), 1009),
        ("a length with its top bit set".into(), head(TEXT, 127, &0x8000_0000_0000_0001_u64.to_be_bytes()), 1009),
        ("the longest length".into(), head(TEXT, 127, &u64::MAX.to_be_bytes()), 1009),
        ("65,537 bytes in two fragments".into(), [frame(BEGIN, [b'x'; 65_536]), frame(END, "x")].concat(), 1009),
    ];
    for bit in [0x40, 0x20, 0x10] {
        table.push((format!("reserved bit {bit:#x}"), frame(TEXT | bit, "{}"), 1002));
        table.push((format!("reserved bit {bit:#x} of a ping"), frame(PING | bit, ""), 1002));
    }
    for opcode in (3..=7).chain(0xb..=0xf) {
        table.push((format!("opcode {opcode:#x}"), frame(0x80 | opcode, "x"), 1002));
    }
    let invalid: &[(&str, &[u8])] = &[
        ("a lone continuation byte", b"\x80"),
        ("an overlong NUL", b"\xc0\x80"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("a cut character", b"\xe2\x82"),
        ("a byte that never occurs", b"\xff"),
    ];
    for (name, bytes) in invalid {
        let text = [b"{\"type\":\"ping\",\"nonce\":\"", *bytes, b"\"}"].concat();
        table.push((format!("{name} in a text"), frame(TEXT, &text), 1007));
        table.push((format!("{name} at the end of a text"), frame(TEXT, bytes), 1007));
        for cut in 24..24 + bytes.len() {
            let fragments = [frame(BEGIN, &text[..cut]), frame(END, &text[cut..])].concat();
            table.push((format!("{name}, cut at {cut}"), fragments, 1007));
        }
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        table.push((format!("close code {code}"), close(code, b""), 1002));
    }
    // The server waits two seconds for each answer to its close frame, so several are tried at the same time.
    for some in table.chunks(16) {
        let closed = futures_util::future::join_all(some.iter().map(async |(_, bytes, _)| {
            let mut socket = Raw::socket(&server, &ben).await;
            socket.send(bytes).await;
            socket.closed().await
        }));
        for (closed, (name, _, code)) in closed.await.into_iter().zip(some) {
            assert_eq!(closed, Some(*code), "{name}");
        }
        others.are_served().await;
    }
}

#[tokio::test]
async fn what_is_allowed_is_understood() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let whole = ping("a€𝄞 z");
    let mut table: Vec<(String, Vec<u8>)> = vec![
        (
            "a ping between fragments".into(),
            [frame(BEGIN, &whole[..5]), frame(PING, "p"), frame(END, &whole[5..])].concat(),
        ),
        ("a pong nobody asked for".into(), [frame(PONG, "x"), frame(TEXT, &whole)].concat()),
        ("a ping of 125 bytes".into(), [frame(PING, [b'x'; 125]), frame(TEXT, &whole)].concat()),
        (
            "empty fragments".into(),
            [frame(BEGIN, ""), frame(MIDDLE, ""), frame(MIDDLE, &whole), frame(END, "")].concat(),
        ),
        ("two frames in one write".into(), [frame(TEXT, ping("first")), frame(TEXT, &whole)].concat()),
    ];
    for cut in 0..=whole.len() {
        let (left, right) = whole.as_bytes().split_at(cut);
        table.push((format!("cut at {cut}"), [frame(BEGIN, left), frame(END, right)].concat()));
    }
    let bytes: Vec<Vec<u8>> = whole
        .bytes()
        .enumerate()
        .map(|(index, byte)| {
            let first = if index == 0 {
                BEGIN
            } else if index + 1 == whole.len() {
                END
            } else {
                MIDDLE
            };
            frame(first, [byte])
        })
        .collect();
    table.push(("a fragment for each byte".into(), bytes.concat()));
    // RFC 6455 asks for the shortest form of a length; a longer one does no harm and is understood.
    for (short, long) in
        [(126, (whole.len() as u16).to_be_bytes().to_vec()), (127, (whole.len() as u64).to_be_bytes().to_vec())]
    {
        let mut bytes = head(TEXT, short, &long);
        bytes.extend_from_slice(&frame(TEXT, &whole)[6..]);
        table.push((format!("a length in form {short}"), bytes));
    }
    for (name, bytes) in table {
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(&bytes).await;
        let (mut is_answered, mut pongs) = (false, 0);
        while !is_answered {
            match socket.next_frame().await.unwrap_or_else(|| panic!("{name}")) {
                (TEXT, payload) => is_answered = String::from_utf8(payload).unwrap().contains("a€𝄞 z"),
                (PONG, _) => pongs += 1,
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(socket.is_served().await, "{name}");
        assert!(pongs == 1 || !name.contains("a ping"), "{name}: {pongs} pongs");
    }
    others.are_served().await;
}

#[tokio::test]
async fn the_largest_frame_is_read() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let empty = ping("").len();
    let largest = ping(&"x".repeat(65_536 - empty));
    assert_eq!(largest.len(), 65_536);
    let mut socket = Raw::socket(&server, &ben).await;
    socket.send(frame(TEXT, &largest)).await;
    assert!(socket.is_served().await);
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999];
    for code in codes {
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(close(code, "so long".as_bytes())).await;
        assert_eq!(socket.closed().await, Some(code));
    }
    let mut socket = Raw::socket(&server, &ben).await;
    socket.send(frame(CLOSE, "")).await;
    assert_eq!(socket.closed().await, Some(0), "an empty one with an empty one");
}

#[tokio::test]
async fn what_comes_after_a_close_is_ignored_and_the_connection_ends() {
    let server = Server::start();
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let before = server.connections();
    let mut socket = Raw::socket(&server, &ben).await;
    let text = json!({"type": "send", "id": crate::support::new_id(), "to": "everyone", "content": "too late"});
    socket.send([close(1000, b""), frame(TEXT, text.to_string()), vec![0xff; 10_000]].concat()).await;
    assert_eq!(socket.closed().await, Some(1000));
    // The peer keeps its end open; the server does not.
    until("the connection is let go", || server.connections() <= before).await;
    others.are_served().await;
    assert!(!others.to.sees_messages().await.contains(&"too late".to_owned()));
}

#[tokio::test]
async fn a_flood_of_frames_is_ended_whatever_they_are() {
    let server = Server::start_with(&[], &[]);
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let floods = [
        ("pings", vec![frame(PING, "x"); 1_000].concat()),
        ("pongs", vec![frame(PONG, ""); 1_000].concat()),
        ("fragments", [frame(BEGIN, "{"), vec![frame(MIDDLE, "x"); 1_000].concat()].concat()),
        ("empty fragments", [frame(BEGIN, "{"), vec![frame(MIDDLE, ""); 1_000].concat()].concat()),
        ("messages", vec![frame(TEXT, ping("x")); 1_000].concat()),
    ];
    for (name, bytes) in floods {
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(&bytes).await;
        assert_eq!(socket.closed().await, Some(4429), "{name}");
        others.are_served().await;
        // The control: fewer of the same are fine.
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(vec![frame(PING, "x"); 400].concat()).await;
        assert!(socket.is_served().await, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_within_a_frame_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_logging(&["--log-format", "json"], &log);
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    others.are_served().await;
    let before = server.connections();
    for bytes in [frame(TEXT, ping("x"))[..7].to_vec(), vec![TEXT], frame(BEGIN, "{")] {
        let mut socket = Raw::socket(&server, &ben).await;
        socket.send(&bytes).await;
        // Closing without lingering sends a reset.
        socket.stream.set_zero_linger().unwrap();
        drop(socket);
    }
    let user = ben.id.to_string();
    let ended =
        || Server::logged(&log, "socket.closed").into_iter().filter(|line| line["user"] == user).collect::<Vec<_>>();
    until("three sockets end", || ended().len() >= 3).await;
    until("and their connections are gone", || server.connections() <= before).await;
    others.are_served().await;
    assert_eq!(ended().len(), 3, "each once");
    assert!(ended().iter().all(|line| line["code"] == 1006), "{:?}", ended());
}

#[tokio::test]
async fn pings_of_a_peer_that_does_not_read_are_not_hoarded() {
    let server = Server::start_with(&["--slow-consumer-seconds", "2"], &[]);
    let ben = server.sign_up("Ben").await;
    let mut others = Bystanders::of(&server).await;
    let before = server.resident();
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(Raw::connect_narrow(&server).await.upgraded(&server, &ben).await);
    }
    // Each would be answered; nobody reads the answers. Whichever limit is met first, the line is cut.
    let pings = vec![frame(PING, [b'x'; 125]); 1_000].concat();
    let all = sockets.iter_mut().map(async |socket| while socket.try_send(&pings).await {});
    let sending = futures_util::future::join_all(all);
    tokio::time::timeout(3 * PATIENCE, sending).await.expect("the lines are cut");
    others.are_served().await;
    let after = server.resident();
    assert!(after < before + (32 << 20), "{before} → {after}");
}
