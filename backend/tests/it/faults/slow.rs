//! The disk is slow.

use super::strace;
use crate::support::{Server, new_id};
use serde_json::json;
use shared::frame::ServerFrame;

/// Messages sent without waiting for answers.
const SENT: usize = 400;

/// What came of many messages on a server each of whose flushes takes long: how many were accepted,
/// how many refused as `overloaded`, and by how much its memory grew, in KiB.
async fn sends_on_a_slow_disk(write_queue: &str) -> (usize, usize, i64) {
    let logs = tempfile::tempdir().unwrap();
    let environment = [("CONFAB_WRITE_QUEUE", write_queue)];
    let folder = tempfile::tempdir().unwrap();
    let what = "fsync,fdatasync:delay_exit=200000";
    let server = strace::start_injecting(what, strace::ALL, folder, &environment, &logs.path().join("log"));
    let ada = server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    let before = memory(&server);
    let content = "z".repeat(4_000);
    for _ in 0..SENT {
        a.send(json!({"type": "send", "id": new_id(), "to": "everyone", "content": content})).await;
    }
    // While all of that waits for the disk:
    assert_eq!(ada.get("/api/session").await.0, 200);
    let (mut accepted, mut refused) = (0, 0);
    while accepted + refused < SENT {
        match a.next().await {
            ServerFrame::Accepted(_) => accepted += 1,
            ServerFrame::Rejected(rejected) => {
                assert_eq!(rejected.rejection.code.to_string(), "overloaded");
                assert!(rejected.rejection.retry_after_ms.is_some());
                refused += 1;
            }
            _ => {}
        }
    }
    (accepted, refused, memory(&server) - before)
}

/// What a server holds in memory, in KiB.
fn memory(server: &Server) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_slow_disk_makes_senders_wait_and_not_memory_grow() {
    if !strace::is_there("a slow disk makes senders wait and not memory grow") {
        return;
    }
    let (accepted, refused, grown) = sends_on_a_slow_disk("8").await;
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    assert!(grown < 32 * 1024, "{grown} KiB");
}

#[tokio::test]
async fn a_queue_that_is_long_enough_refuses_nothing() {
    // The control of the test above: it is the queue's bound that refuses.
    if !strace::is_there("the control of the slow disk") {
        return;
    }
    let (accepted, refused, _) = sends_on_a_slow_disk("8192").await;
    assert_eq!((accepted, refused), (SENT, 0));
}
