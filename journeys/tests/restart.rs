//! The server goes away and comes back while somebody is writing.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::Key;

#[tokio::test]
async fn what_is_written_while_the_server_is_away_arrives_once_when_it_is_back() {
    let (mut server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    ada.says("before").await;
    ben.sees("before").await;

    ada.pastes("half a sen").await;
    server.kill();
    ada.has_status("waiting").await;
    ada.pastes("tence").await;
    ada.presses(Key::Enter).await;
    ada.sees("half a sentence").await;
    ada.pastes("and a draft").await;
    ada.picture("restart-waiting").await;
    assert_eq!(ada.js("return document.querySelectorAll('[data-state=pending]').length").await, json!(1));

    server.start_again();
    ada.is_connected().await;
    ada.has_sent_all().await;
    ben.sees("half a sentence").await;
    for person in [&ada, &ben] {
        assert_eq!(person.texts().await, ["before", "half a sentence"]);
    }
    assert_eq!(ada.js("return document.querySelector('.composer__text').value").await, json!("and a draft"));
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn the_network_of_the_browser_goes_and_comes() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    let network =
        |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    ada.browser.cdp().send_raw("Network.enable", json!({})).await.unwrap();
    ada.browser.cdp().send_raw("Network.emulateNetworkConditions", network(true)).await.unwrap();
    ada.has_status("offline").await;
    ada.says("from the tunnel").await;
    for text in ["one", "two"] {
        ben.says(text).await;
    }
    ben.has_sent_all().await;
    ada.has_network(true).await;
    ada.is_connected().await;
    ada.has_sent_all().await;
    eventually("nothing is missing, nothing twice", || async {
        ada.texts().await == ["one", "two", "from the tunnel"]
    })
    .await;
    ben.sees("from the tunnel").await;
    assert_eq!(ben.texts().await, ["one", "two", "from the tunnel"]);
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_page_that_slept_through_a_restart_is_up_to_date_when_it_wakes() {
    let (mut server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    ben.says("before").await;
    ada.sees("before").await;
    let tools = ada.browser.cdp();
    tools.send_raw("Page.setWebLifecycleState", json!({"state": "frozen"})).await.unwrap();
    ben.says("while she sleeps").await;
    ben.has_sent_all().await;
    server.kill();
    ben.has_status("waiting").await;
    server.start_again();
    ben.is_connected().await;
    ben.says("after the restart").await;
    ben.has_sent_all().await;
    tools.send_raw("Page.setWebLifecycleState", json!({"state": "active"})).await.unwrap();
    ada.sees("after the restart").await;
    assert_eq!(ada.texts().await, ["before", "while she sleeps", "after the restart"]);
    ada.says("I am awake").await;
    ben.sees("I am awake").await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn signing_out_elsewhere_ends_it_here() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let first = ada.browser.window().await.unwrap();
    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second).await.unwrap();
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.clicks("button[aria-label='Sign out']").await;
    ada.waits_for("form.form").await;
    ada.browser.switch_to_window(first).await.unwrap();
    ada.has_status("ended").await;
    ada.clicks_button("Sign in again").await;
    ada.waits_for("form.form").await;
    ada.leaves().await;
}

#[tokio::test]
async fn a_session_that_ended_while_one_was_offline_asks_to_sign_in() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.has_network(false).await;
    ada.has_status("offline").await;
    let cookie = ada.browser.get_named_cookie("confab").await.unwrap().value;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http
        .delete(format!("{}/api/session", server.origin()))
        .header("origin", server.origin())
        .header("cookie", format!("confab={cookie}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    ada.has_network(true).await;
    ada.has_status("ended").await;
    ada.clicks_button("Sign in again").await;
    ada.waits_for("form.form").await;
    ada.leaves().await;
}

#[tokio::test]
async fn what_one_person_wrote_is_never_sent_as_the_next_one_in_the_same_browser() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    let first = ada.browser.window().await.unwrap();
    ada.has_network(false).await;
    ada.has_status("offline").await;
    ada.says("Ada's words").await;
    ada.sees("Ada's words").await;

    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second).await.unwrap();
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.clicks("button[aria-label='Sign out']").await;
    ada.waits_for("input[autocomplete='current-password']").await;
    ada.types("#email", "ben.okafor@example.org").await;
    ada.types("#password", "correct horse").await;
    ada.presses(Key::Enter).await;
    ada.is_connected().await;

    ada.browser.switch_to_window(first).await.unwrap();
    ada.has_network(true).await;
    eventually("the first tab is Ben's now", || async {
        ada.js("return document.querySelector('.sidebar__name')?.innerText ?? ''").await == json!("Ben Okafor")
            && ada.status().await == "open"
    })
    .await;
    ben.opens("Everyone").await;
    ben.says("mine").await;
    ada.sees("mine").await;
    for person in [&ada, &ben] {
        assert_eq!(person.texts().await, ["mine"]);
    }
    ada.leaves().await;
    ben.leaves().await;
}
