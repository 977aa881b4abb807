//! One call to the disk fails: a write or a flush, of the journal or of the database; for the command itself, or
//! behind it, when what was accepted is brought into the tables.

use super::disk::{Answer, Writer, answer, get, is_ready, reading_goes_on};
use super::strace::{self, ALL, JOURNAL, TABLES};
use crate::support::Server;
use serde_json::json;
use shared::ids::ConversationId;
use std::path::Path;
use tempfile::TempDir;

/// What is done on a bad disk, step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A message, which needs the journal alone.
    Writing,
    /// A message and then history, for which the tail's thread brings it into the tables.
    Reading,
    /// A message and then a reaction, which the writer's thread commits in the tables.
    Reacting,
}
use Doing::{Reacting, Reading, Writing};

/// Steps in a life.
const STEPS: usize = 12;

impl Doing {
    async fn step(self, writer: &mut Writer, everyone: ConversationId, number: usize) {
        let said = writer.says(&format!("message {number}")).await;
        match self {
            Writing => {}
            Reading => {
                assert_eq!(writer.ada.get(&format!("/api/conversations/{everyone}/events")).await.0, 200);
            }
            Reacting => {
                let target = said.unwrap_or(1);
                let id = crate::support::new_id();
                let frame = json!({"type": "react", "id": id, "conversation": everyone, "target": target,
                    "emoji": "👍", "on": true});
                writer.socket.send(frame).await;
                let answer = answer(&mut writer.socket, id).await;
                writer.answers.push((id, answer));
            }
        }
    }
}

/// What came of a life on a bad disk.
struct Outcome {
    answers: Vec<Answer>,
    /// What was lost or is not as it was said; nothing, if all is well.
    wrong: Vec<String>,
    /// What was written and flushed since the failure, until the process had ended.
    after: String,
}

impl Outcome {
    fn both_happened(&self) -> bool {
        self.answers.iter().any(Result::is_ok) && self.answers.iter().any(Result::is_err)
    }
}

/// Some steps on a server for which a call fails: `what` as in `inject=`, on these files. Calls are counted by
/// thread, and starting on a tidy folder makes none of them. Then it is asked to stop, and another server starts
/// with a good disk.
async fn life(
    what: &str,
    files: &[&str],
    doing: Doing,
    environment: &[(&str, &str)],
    look: impl AsyncFn(&Server, &mut Writer, &Path),
) -> Outcome {
    let server = Server::start();
    let mut writer = Writer::sign_up(&server).await;
    let everyone = writer.socket.welcome.as_ref().unwrap().conversations[0].id;
    let (_, _, folder) = server.terminate();

    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let server = strace::start_injecting(what, files, folder, environment, &log);
    writer.move_to(&server).await;
    for number in 0..STEPS {
        doing.step(&mut writer, everyone, number).await;
    }
    look(&server, &mut writer, &log).await;
    let (_, _, folder) = tokio::task::spawn_blocking(move || server.terminate()).await.unwrap();
    let calls = std::fs::read_to_string(strace::calls(&log)).unwrap();
    let is_call = |line: &&str| line.contains('(') && !line.contains("---");
    let behind = calls.split_once("INJECTED").map_or("", |(_, behind)| behind);
    let after = behind.lines().skip(1).filter(is_call).collect();
    let answers = writer.answers.iter().map(|(_, answer)| answer.clone()).collect();
    Outcome { answers, wrong: after_restart(writer, folder).await, after }
}

/// Everything accepted is there, and it goes on.
async fn after_restart(mut writer: Writer, folder: TempDir) -> Vec<String> {
    let mut wrong = Vec::new();
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    writer.move_to(&server).await;
    if !is_ready(&server).await {
        wrong.push("it is not ready after the restart".into());
    }
    if let Err(refused) = writer.says("after the restart").await {
        wrong.push(format!("refused after the restart: {refused:?}"));
    }
    wrong.extend(writer.compare(server.kill().path()));
    wrong
}

/// From the first refusal on nothing is accepted, it is said what to do, and people go on reading.
async fn fails_for_good(server: &Server, writer: &mut Writer, log: &Path) {
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

/// Nothing comes into the tables by itself meanwhile, however slow the steps are: which call of which thread fails is
/// up to the steps alone.
const SLOWLY: &[(&str, &str)] = &[("CONFAB_TAIL_DELAY_MS", "60000")];

async fn is_the_last_one(what: &str, files: &[&str], doing: Doing, environment: &[(&str, &str)]) {
    let outcome = life(what, files, doing, environment, fails_for_good).await;
    assert!(outcome.both_happened(), "{what}, {doing:?}: {:?}", outcome.answers);
    assert_eq!(outcome.wrong, Vec::<String>::new(), "{what}, {doing:?}");
    assert_eq!(outcome.after, "", "{what}, {doing:?}: it has gone on writing");
}

#[tokio::test]
async fn a_flush_that_fails_is_the_last_one() {
    if !strace::is_there("a flush that fails is the last one") {
        return;
    }
    for when in [2, 7] {
        is_the_last_one(&format!("fdatasync:error=EIO:when={when}"), ALL, Writing, SLOWLY).await;
    }
    for (doing, when) in [(Reacting, 1), (Reacting, 6), (Reading, 1), (Reading, 4)] {
        is_the_last_one(&format!("fsync:error=EIO:when={when}"), ALL, doing, SLOWLY).await;
    }
}

#[tokio::test]
async fn a_write_that_fails_is_the_last_one() {
    if !strace::is_there("a write that fails is the last one") {
        return;
    }
    for (doing, when) in [(Writing, 4), (Writing, 9), (Reacting, 2), (Reacting, 30), (Reading, 1), (Reading, 30)] {
        let files = if doing == Writing { JOURNAL } else { TABLES };
        is_the_last_one(&format!("pwrite64:error=EIO:when={when}"), files, doing, SLOWLY).await;
    }
}

#[tokio::test]
async fn a_failure_while_the_log_is_folded_is_the_last_one() {
    if !strace::is_there("a failure while the log is folded is the last one") {
        return;
    }
    // The database itself is written and flushed only then.
    for (what, doing) in [("fsync", Reading), ("fsync", Reacting), ("pwrite64", Reading), ("pwrite64", Reacting)] {
        let what = format!("{what}:error=EIO:when=2");
        is_the_last_one(&what, &TABLES[..1], doing, &[("CONFAB_FOLD_PAGES", "1"), SLOWLY[0]]).await;
    }
}

#[tokio::test]
async fn a_server_that_trusts_the_next_flush_is_caught() {
    // The control of the tests above: it goes on after the failure.
    if !strace::is_there("the control of the flush that fails") {
        return;
    }
    let fault = [("CONFAB_FAULT", "retry_writes"), SLOWLY[0]];
    for (what, doing) in [("fdatasync:error=EIO:when=3", Writing), ("fsync:error=EIO:when=3", Reacting)] {
        let outcome = life(what, ALL, doing, &fault, async |_, _, _| {}).await;
        let first = outcome.answers.iter().position(Result::is_err).unwrap();
        assert!(outcome.answers[first..].iter().any(Result::is_ok), "{what}: {:?}", outcome.answers);
        assert_ne!(outcome.after, "", "{what}");
    }
}

/// The failure was one call: what was refused can be sent again, and is stored then.
async fn sent_again(_: &Server, writer: &mut Writer, _: &Path) {
    let again: Vec<_> = writer.answers.iter().filter(|(_, answer)| answer.is_err()).map(|(id, _)| *id).collect();
    for id in again {
        let frame = json!({"type": "send", "id": id, "to": "everyone", "content": "again"});
        writer.socket.send(frame).await;
        let answer = answer(&mut writer.socket, id).await;
        assert!(answer.is_ok(), "{answer:?}");
        writer.answers.push((id, answer));
    }
}

#[tokio::test]
async fn no_message_is_half_there_wherever_the_disk_was_full() {
    if !strace::is_there("no message is half there wherever the disk was full") {
        return;
    }
    let mut cases: Vec<_> = [1, 2, 7, 12].map(|when| (Writing, JOURNAL, when)).into();
    for step in 0..6 {
        cases.extend([(Reading, TABLES, 1 + 11 * step), (Reacting, TABLES, 1 + 17 * step)]);
    }
    let mut refused = 0;
    let mut lives = tokio::task::JoinSet::new();
    for (doing, files, when) in cases {
        lives.spawn(async move {
            let what = format!("pwrite64:error=ENOSPC:when={when}");
            (doing, when, life(&what, files, doing, SLOWLY, sent_again).await)
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

fn count_refused((doing, when, outcome): (Doing, usize, Outcome)) -> usize {
    assert_eq!(outcome.wrong, Vec::<String>::new(), "{doing:?}, {when}");
    let refused = outcome.answers.iter().filter_map(|answer| answer.as_ref().err());
    refused.inspect(|(code, _)| assert_eq!(code, "storage_full", "{doing:?}, {when}")).count()
}

#[tokio::test]
async fn what_was_accepted_before_the_tables_were_full_is_there_after_a_restart() {
    // The journal still has room when the tables have none.
    if !strace::is_there("what was accepted before the tables were full is there after a restart") {
        return;
    }
    let until_it_is_full = async |server: &Server, writer: &mut Writer, log: &Path| {
        let (code, retry_after_ms) = loop {
            // Reading brings what was accepted into the tables.
            writer.ada.get("/api/conversations").await;
            if let Err(refused) = writer.says("is there room?").await {
                break refused;
            }
        };
        assert_eq!(code, "storage_full");
        assert!(retry_after_ms.is_some());
        let (status, body) = get(server, "/readyz").await;
        assert!(status == 503 && body.contains("storage_full"), "{status}: {body}");
        reading_goes_on(server, &writer.ada).await;
        assert!(std::fs::read_to_string(log).unwrap().contains("store.disk_full"));
    };
    let outcome = life("pwrite64:error=ENOSPC:when=1+", TABLES, Writing, SLOWLY, until_it_is_full).await;
    assert!(outcome.answers.iter().filter(|answer| answer.is_ok()).count() >= STEPS, "{:?}", outcome.answers);
    assert_eq!(outcome.wrong, Vec::<String>::new());
}
