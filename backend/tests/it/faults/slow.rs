//! The disk is slow.

use super::strace;
use crate::support::{Server, new_id};
use serde_json::json;
use shared::frame::ServerFrame;

/// Messages sent without waiting for answers, and the bytes of each: 64 MB in all.
const SENT: usize = 4_096;
const BYTES: usize = 16_000;
/// Sent between two looks at what has been answered.
const AT_ONCE: usize = 64;

/// What came of many messages on a server whose disk does not answer until all of them have been sent.
struct Outcome {
    accepted: usize,
    /// Refused as `overloaded`.
    refused: usize,
    /// What the server's memory grew by at most, in bytes.
    grown: u64,
}

async fn sends_on_a_slow_disk(write_queue: &str) -> Outcome {
    // Making a database takes many flushes: they are not slow.
    let server = Server::start();
    let mut ada = server.sign_up("Ada").await;
    let (_, _, folder) = server.terminate();
    let logs = tempfile::tempdir().unwrap();
    let environment = [("CONFAB_WRITE_QUEUE", write_queue)];
    // An hour, unless strace lets go before.
    let what = "fsync,fdatasync:delay_exit=3600000000";
    let server = strace::start_injecting(what, strace::ALL, folder, &environment, &logs.path().join("log"));
    ada.moved_to(&server.origin);
    let mut a = ada.connect().await;
    let mut answers = Vec::new();
    let before = peak(&server);
    let content = "z".repeat(BYTES);
    for _ in 0..SENT / AT_ONCE {
        for _ in 0..AT_ONCE {
            a.send(json!({"type": "send", "id": new_id(), "to": "everyone", "content": content})).await;
        }
        answers.extend(a.sees().await);
    }
    // While all of that waits for the disk:
    assert_eq!(ada.get("/api/session").await.0, 200);
    let grown = peak(&server).saturating_sub(before);
    strace::lets_go(&server);
    let (mut accepted, mut refused) = (0, 0);
    let mut answers = answers.into_iter();
    while accepted + refused < SENT {
        let frame = match answers.next() {
            Some(frame) => frame,
            None => a.next().await,
        };
        match frame {
            ServerFrame::Accepted(_) => accepted += 1,
            ServerFrame::Rejected(rejected) => {
                assert_eq!(rejected.rejection.code.to_string(), "overloaded");
                assert!(rejected.rejection.retry_after_ms.is_some());
                refused += 1;
            }
            _ => {}
        }
    }
    Outcome { accepted, refused, grown }
}

/// The most that a server has held in memory since it was asked last, in bytes.
fn peak(server: &Server) -> u64 {
    let folder = format!("/proc/{}", server.process_id());
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    // From here on it is counted anew (proc(5)).
    std::fs::write(format!("{folder}/clear_refs"), "5").unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_slow_disk_makes_senders_wait_and_not_memory_grow() {
    if !strace::is_there("a slow disk makes senders wait and not memory grow") {
        return;
    }
    let Outcome { accepted, refused, grown } = sends_on_a_slow_disk("8").await;
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    assert!(grown < (SENT * BYTES / 4) as u64, "{grown} bytes");
}

#[tokio::test]
async fn a_queue_that_is_long_enough_refuses_nothing() {
    // The control of the test above: it is the queue's bound that refuses, and without it memory does grow. One person has a
    // quarter of the queue.
    if !strace::is_there("the control of the slow disk") {
        return;
    }
    let Outcome { accepted, refused, grown } = sends_on_a_slow_disk("32768").await;
    assert_eq!((accepted, refused), (SENT, 0));
    assert!(grown > (SENT * BYTES / 2) as u64, "{grown} bytes");
}
