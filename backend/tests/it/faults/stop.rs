//! SIGTERM while people write.

use super::crowd::Crowd;
use super::until;
use crate::support::Server;
use std::path::Path;
use std::time::Duration;

fn is_folded(data: &Path) -> bool {
    let wal = data.join("confab.db-wal");
    !wal.exists() || wal.metadata().unwrap().len() == 0
}

#[tokio::test]
async fn asked_to_stop_under_load_it_ends_in_time_and_leaves_one_tidy_file() {
    let server = Server::start();
    let mut crowd = Crowd::sign_up(&server, 4).await;
    let mut idle = crowd.people[0].connect().await;
    crowd.write(20);
    until("all are at it", async || crowd.accepted() > 500).await;
    let closed = tokio::spawn(async move { idle.closed().await.0 });
    let (code, took, folder) = tokio::task::spawn_blocking(move || server.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
    // The promise itself, and no guess about the machine: a supervisor kills after that.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(closed.await.unwrap(), 1012);
    crowd.rest().await;
    assert!(is_folded(folder.path()));
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    assert_eq!(crowd.compare(server.data()), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_its_log() {
    // The control of the test above: what it looks at can be otherwise.
    let server = Server::start();
    let mut crowd = Crowd::sign_up(&server, 1).await;
    crowd.write(2);
    until("they are at it", async || crowd.accepted() > 5).await;
    let folder = server.kill();
    crowd.rest().await;
    assert!(!is_folded(folder.path()));
}
