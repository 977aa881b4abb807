//! Who was told `accepted` and reads, finds it.

use super::crowd::Crowd;
use super::until;
use crate::support::{Server, Socket};
use serde_json::json;
use shared::conversation::ConversationKind;
use shared::frame::ServerFrame;
use shared::ids::ConversationId;

/// Writes and reads at once, in all ways, while others write, and says what was not found.
async fn read_what_was_just_accepted(rounds: usize, environment: &[(&str, &str)]) -> Vec<String> {
    let server = Server::start_with(&["--rate-limits", "off"], environment);
    let mut crowd = Crowd::sign_up(&server, 2).await;
    let ada = server.sign_up("Ada").await;
    let mut socket = ada.connect().await;
    crowd.write(3);
    until("they are at it", async || crowd.accepted() > 50).await;
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let id = socket.says(json!("everyone"), &format!("round {round}")).await;
        let (everyone, seq) = socket.accepted(id).await;
        let is_found = match round % 4 {
            0 => {
                let path = format!("/api/conversations/{everyone}/events?after={}&limit=1", seq - 1);
                ada.get(&path).await.1["events"][0]["kind"]["message"]["id"] == json!(id)
            }
            1 => {
                let (_, found) = ada.get(&format!("/api/conversations/{everyone}")).await;
                found["conversation"]["readSeq"].as_u64() >= Some(seq)
            }
            2 => {
                let welcome = ada.connect().await.welcome.unwrap();
                let mut found = welcome.conversations.iter();
                let found = found.find(|found| found.kind == ConversationKind::Everyone).unwrap();
                found.last_seq.get() >= seq && found.read_seq.get() >= seq
            }
            _ => resumed(&mut ada.connect().await, everyone, seq - 1).await.contains(&seq),
        };
        if !is_found {
            wrong.push(format!("round {round}: {seq} was accepted and is not there"));
        }
    }
    drop(server);
    crowd.rest().await;
    wrong
}

/// What comes after a cursor, until its end is said.
pub(super) async fn resumed(socket: &mut Socket, place: ConversationId, cursor: u64) -> Vec<u64> {
    let epoch = socket.welcome.as_ref().unwrap().epoch.clone();
    let cursors = json!({place.to_string(): cursor});
    socket.send(json!({"type": "resume", "epoch": epoch, "cursors": cursors})).await;
    let mut seqs = Vec::new();
    loop {
        match socket.next().await {
            ServerFrame::Event(event) if event.conversation == place => seqs.push(event.seq.get()),
            ServerFrame::Resumed(resumed) if resumed.conversation == place => return seqs,
            ServerFrame::Resync(resync) if resync.conversation == place => return Vec::new(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_was_accepted_is_read_at_once_in_every_way_while_others_write() {
    assert_eq!(read_what_was_just_accepted(60, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_reads_its_tables_alone_is_caught() {
    // The control of the test above.
    // Nothing comes into the tables by itself before it is looked for.
    let environment = [("CONFAB_FAULT", "read_tables_alone"), ("CONFAB_TAIL_DELAY_MS", "60000")];
    let wrong = read_what_was_just_accepted(4, &environment).await;
    assert_ne!(wrong, Vec::<String>::new());
}
