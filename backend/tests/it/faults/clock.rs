//! The time of day jumps.

use super::until;
use crate::support::{Person, Server, Socket};
use serde_json::json;
use shared::frame::ServerFrame;
use std::path::PathBuf;
use tempfile::TempDir;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

/// A server whose time of day is moved by hand.
struct Moved {
    server: Server,
    file: PathBuf,
    _folder: TempDir,
}

impl Moved {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let server = Server::start_with(arguments, &[("CONFAB_CLOCK_FILE", file.to_str().unwrap())]);
        Self { server, file, _folder: folder }
    }

    fn jump_to(&self, offset_ms: i64) {
        // In one step, so that nobody reads half a number.
        let next = self.file.with_extension("next");
        std::fs::write(&next, offset_ms.to_string()).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }
}

/// Writes a message; its number and its time.
async fn says(socket: &mut Socket) -> (u64, i64) {
    let id = socket.says(json!("everyone"), "what time is it?").await;
    loop {
        match socket.next().await {
            ServerFrame::Accepted(accepted) if accepted.id == id => {
                return (accepted.seq.get(), i64::try_from(accepted.at.as_millis()).unwrap());
            }
            ServerFrame::Rejected(rejected) if rejected.id == id => panic!("{rejected:?}"),
            _ => {}
        }
    }
}

async fn is_signed_in(person: &Person) -> bool {
    person.get("/api/session").await.0 == 200
}

#[tokio::test]
async fn order_is_the_number_and_not_the_time() {
    let moved = Moved::start(&["--rate-limits", "off"]);
    let ada = moved.server.sign_up("Ada").await;
    let ben = moved.server.sign_up("Ben").await;
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    let (_, start) = says(&mut a).await;
    for (seq, offset) in (2..).zip([HOUR_MS, -HOUR_MS, YEAR_MS, -YEAR_MS, i64::MIN, 0]) {
        moved.jump_to(offset);
        let (got, at) = says(&mut a).await;
        assert_eq!(got, seq);
        // The control: the time has moved.
        let jumped = at - start - offset.max(-start);
        assert!((0..HOUR_MS / 2).contains(&jumped), "{offset}: {at} after {start}");
    }
    let seen: Vec<u64> = b.sees().await.iter().filter_map(seq).collect();
    assert_eq!(seen, (1..=7).collect::<Vec<_>>());
    let everyone = ada.connect().await.welcome.unwrap().conversations[0].id;
    let log = ada.log(everyone).await;
    assert_eq!(log.iter().map(|event| event["seq"].as_u64().unwrap()).collect::<Vec<_>>(), seen);
}

fn seq(frame: &ServerFrame) -> Option<u64> {
    match frame {
        ServerFrame::Event(event) => Some(event.seq.get()),
        _ => None,
    }
}

#[tokio::test]
async fn a_jump_that_is_undone_signs_nobody_out() {
    let moved = Moved::start(&["--rate-limits", "off"]);
    let ada = moved.server.sign_up("Ada").await;
    for offset in [HOUR_MS, -HOUR_MS, -YEAR_MS] {
        moved.jump_to(offset);
        assert!(is_signed_in(&ada).await, "{offset}");
    }
    moved.jump_to(YEAR_MS);
    // The control: a year of silence ends a session.
    assert!(!is_signed_in(&ada).await);
    moved.jump_to(0);
    assert!(is_signed_in(&ada).await);
}

#[tokio::test]
async fn a_session_that_is_used_ends_after_90_days_and_a_token_when_it_was_said() {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let moved = Moved::start(&["--rate-limits", "off"]);
    let ada = moved.server.sign_up("Ada").await;
    let body = json!({"name": "bot", "currentPassword": "correct horse", "days": 50});
    let (_, made) = ada.request(reqwest::Method::POST, "/api/tokens", Some(body)).await;
    let token = made["token"].as_str().unwrap().to_owned();
    let uses = async || {
        let request = moved.server.http().get(format!("{}/api/session", moved.server.origin)).bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    let seen = async || ada.get("/api/sessions").await.1["sessions"][0]["lastSeenAt"].as_i64().unwrap();
    let mut noted = seen().await;
    for day in [25, 49, 70, 89] {
        moved.jump_to(day * DAY_MS);
        assert!(is_signed_in(&ada).await, "day {day}");
        // The use is noted behind the answer, and keeps the session from ending for having been silent.
        until("the use is noted", async || seen().await > noted + DAY_MS).await;
        noted = seen().await;
        assert_eq!(uses().await, if day < 50 { 200 } else { 401 }, "day {day}");
        let (_, list) = ada.get("/api/tokens").await;
        assert_eq!(list["tokens"].as_array().unwrap().len(), usize::from(day < 50), "day {day}");
    }
    moved.jump_to(90 * DAY_MS + HOUR_MS);
    assert!(!is_signed_in(&ada).await);
}

#[tokio::test]
async fn how_fast_people_may_write_does_not_depend_on_the_time_of_day() {
    let moved = Moved::start(&["--send-burst", "3", "--sends-in-10-s", "20"]);
    let ada = moved.server.sign_up("Ada").await;
    let mut a = ada.connect().await;
    for offset in [0, -YEAR_MS, YEAR_MS, 0] {
        moved.jump_to(offset);
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(a.says(json!("everyone"), "quick").await);
        }
        let frames = a.sees().await;
        let refused = frames.iter().filter(|frame| matches!(frame, ServerFrame::Rejected(_))).count();
        assert!(refused > 0, "{offset}: a jump gives no more than there was");
        until("writing is possible again", async || {
            let id = a.says(json!("everyone"), "slow").await;
            loop {
                match a.next().await {
                    ServerFrame::Accepted(accepted) if accepted.id == id => return true,
                    ServerFrame::Rejected(rejected) if rejected.id == id => return false,
                    _ => {}
                }
            }
        })
        .await;
    }
}
