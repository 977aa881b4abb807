//! The page in other engines: the same conversation between Chromium and each of them.

use crate::support::{Driver, Engine, Person, Server, eventually};
use thirtyfour::prelude::*;

/// Signs up, talks with somebody who uses Chromium, sends a file, loses the server and comes back, and finds everything
/// again after a reload.
async fn talks(engine: Engine, name: &'static str) {
    let mut server = Server::start();
    let (driver, other) = (Driver::start_for(engine).await, Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &other, &server).await;
    let guest = Person::sits_at(driver.plain_browser(engine).await, name, &server);
    guest.signs_in_or_up().await;
    guest.writes_to(&["Ada Lovelace"], "Hello from here 👋").await;
    guest.has_sent_all().await;
    ada.opens(name).await;
    ada.sees("Hello from here 👋").await;
    ada.says("Hello there").await;
    guest.sees("Hello there").await;

    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "some notes").unwrap();
    let input = guest.browser.find(By::Css(".composer__files")).await.unwrap();
    input.send_keys(notes.to_str().unwrap()).await.unwrap();
    guest.waits_for(".tray__item[data-stage='there']").await;
    guest.says("with a file").await;
    ada.sees("with a file").await;
    eventually("the file is there", || async { ada.shown(".file__name").await == "notes.txt" }).await;

    // What is written while the server is away goes when it is back, once.
    server.kill();
    eventually("the page notices", || async { guest.status().await != "open" }).await;
    guest.says("written without a server").await;
    guest.sees("written without a server").await;
    server.start_again();
    guest.is_connected().await;
    guest.has_sent_all().await;
    ada.sees("written without a server").await;

    guest.browser.refresh().await.unwrap();
    guest.is_connected().await;
    guest.sees("written without a server").await;
    assert_eq!(guest.texts().await, ["Hello from here 👋", "Hello there", "with a file", "written without a server"]);
    assert_eq!(ada.texts().await, guest.texts().await);
    guest.picture(&format!("engine-{}", name.to_lowercase())).await;
    guest.clicks("button[aria-label='About this conversation']").await;
    guest.waits_for("dialog[open] .person").await;
    guest.browser.quit().await.unwrap();
    ada.leaves().await;
}

#[tokio::test]
async fn it_works_in_firefox() {
    talks(Engine::Firefox, "Firefox").await;
}

#[tokio::test]
async fn it_works_in_webkit() {
    talks(Engine::WebKit, "WebKit").await;
}
