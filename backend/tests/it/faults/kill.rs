//! `kill -9` while people write.

use super::crowd::Crowd;
use super::dice::Dice;
use super::until;
use crate::support::Server;
use std::time::Duration;

/// Sockets that write.
const SOCKETS: usize = 20;

/// Kills a server in the middle of sends, round after round, and says what is missing or wrong
/// afterwards.
async fn kill_rounds(rounds: usize, environment: &[(&str, &str)]) -> Vec<String> {
    let mut dice = Dice::new();
    let mut server = Server::start_with(&["--rate-limits", "off"], environment);
    let mut crowd = Crowd::sign_up(&server, 4).await;
    for round in 0..rounds {
        crowd.moved_to(&server);
        crowd.write(SOCKETS);
        let before = crowd.accepted();
        until("somebody's message is accepted", async || crowd.accepted() > before).await;
        // Not a wait for something, but the moment of the kill.
        tokio::time::sleep(Duration::from_millis(20 + dice.roll() % 180)).await;
        let folder = server.kill();
        crowd.rest().await;
        server = Server::start_on_with(folder, environment);
        let wrong = crowd.compare(server.data());
        if !wrong.is_empty() {
            return wrong.into_iter().map(|line| format!("round {round}: {line}")).collect();
        }
    }
    Vec::new()
}

#[tokio::test]
async fn every_accepted_message_survives_kill_9_once_and_in_its_place() {
    let rounds = std::env::var("CONFAB_KILL_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    assert_eq!(kill_rounds(rounds, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_accepts_before_it_commits_is_caught() {
    // The control of the test above: it must be able to fail. Each round is a chance to catch the lie, and the faster
    // the disk the smaller it is.
    for _ in 0..50 {
        if !kill_rounds(1, &[("CONFAB_FAULT", "accept_before_commit")]).await.is_empty() {
            return;
        }
    }
    panic!("the kill test does not notice a server that lies");
}
