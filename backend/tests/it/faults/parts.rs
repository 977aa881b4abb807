//! A part of the server panics: a job of the writer is refused alone, and everything else ends the process. Nothing is
//! left behind that looks alive.

use super::disk::Writer;
use crate::support::{Server, new_id};
use backend::task::Part;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What makes every part do something: somebody comes in and writes.
async fn use_it(server: &Server, writer: &mut Writer) {
    let id = new_id();
    let frame = json!({"type": "send", "id": id, "to": "everyone", "content": "is it there?"});
    // It may have ended.
    let _ = futures_util::SinkExt::send(
        &mut writer.socket.stream,
        tokio_tungstenite::tungstenite::Message::text(frame.to_string()),
    )
    .await;
    let _ = tokio::time::timeout(Duration::from_secs(1), writer.ada.connect_raw()).await;
    let _ = server.http().get(format!("{}/healthz", server.origin)).send().await;
}

#[tokio::test]
async fn a_part_that_panics_ends_the_process_and_loses_nothing() {
    for part in Part::ALL {
        let files = tempfile::tempdir().unwrap();
        let (ask, log) = (files.path().join("ask"), files.path().join("log"));
        let environment = [
            ("CONFAB_PANIC_FILE", ask.to_str().unwrap()),
            // Memory is watched only where there is a limit.
            ("CONFAB_MEMORY_LIMIT_MIB", "100000"),
        ];
        let mut server = Server::start_under(&["env"], tempfile::tempdir().unwrap(), &environment, &log);
        let mut writer = Writer::sign_up(&server).await;
        for number in 0..5 {
            writer.says(&format!("message {number}")).await.unwrap();
        }
        assert_eq!(super::disk::get(&server, "/readyz").await.0, 200, "{part}");

        std::fs::write(&ask, part.name()).unwrap();
        let has_panicked = |log: &Path| std::fs::read_to_string(log).unwrap().contains("server.part_panicked");
        let status = loop {
            if has_panicked(&log) {
                // Ready no more, if it still answers at all.
                let ready = server.http().get(format!("{}/readyz", server.origin)).send().await;
                assert!(ready.is_err() || ready.is_ok_and(|answer| answer.status() == 503), "{part}");
            }
            match server.ended() {
                Some(status) => break status,
                None => use_it(&server, &mut writer).await,
            }
        };
        let said = std::fs::read_to_string(&log).unwrap();
        assert_eq!(status.code(), Some(1), "{part}: {said}");
        assert!(said.contains(&format!("part={part}")) && said.contains("start it again"), "{part}: {said}");
        let folder = server.kill();
        let wrong = writer.compare(folder.path());
        assert_eq!(wrong, Vec::<String>::new(), "{part}");
    }
}

#[tokio::test]
async fn a_job_that_panics_is_refused_alone_and_the_next_one_is_done() {
    let server = Server::start_with(&["--rate-limits", "off"], &[("CONFAB_FAULT", "panic_when_asked")]);
    let mut writer = Writer::sign_up(&server).await;
    writer.says("before").await.unwrap();
    for round in 0..5 {
        // Many at once, so that the one that panics has others of its batch before it and behind it.
        let mut ids = Vec::new();
        for number in 0..40 {
            let content = if number == 20 { backend::fault::PANIC } else { "one of many" };
            ids.push(writer.socket.says(json!("everyone"), content).await);
        }
        for (number, id) in ids.into_iter().enumerate() {
            let answer = super::disk::answer(&mut writer.socket, id).await;
            match &answer {
                Err((code, _)) => assert_eq!((number, code.as_str()), (20, "internal"), "round {round}"),
                Ok(_) => assert_ne!(number, 20, "round {round}"),
            }
            writer.answers.push((id, answer));
        }
        assert_eq!(super::disk::get(&server, "/readyz").await.0, 200);
    }
    assert_eq!(writer.compare(server.kill().path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_message_cannot_ask_a_server_without_the_fault_for_a_panic() {
    // The control of the test above: the text itself is no reason.
    let server = Server::start();
    let mut writer = Writer::sign_up(&server).await;
    writer.says(backend::fault::PANIC).await.unwrap();
}
