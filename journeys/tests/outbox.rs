//! What was written and not yet sent: it survives the page, belongs to one tab at a time, and waits its
//! turn.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

#[tokio::test]
async fn what_was_not_sent_when_the_page_was_left_is_sent_when_it_is_opened_again() {
    let (mut server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    server.kill();
    ada.has_status("waiting").await;
    ada.says("first").await;
    ada.says("second").await;
    ada.sees("second").await;
    ada.is_kept(2).await;
    // As it ends when a tab crashes: nothing of the page runs any more.
    ada.browser.goto("about:blank").await.unwrap();
    server.start_again();
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.opens("Everyone").await;
    ada.has_sent_all().await;
    for person in [&ada, &ben] {
        person.sees("second").await;
        assert_eq!(person.texts().await, ["first", "second"]);
    }
    ada.is_kept(0).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_tab_sends_what_a_closed_one_has_left_and_nothing_of_an_open_one() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    let first = ada.browser.window().await.unwrap();
    ada.has_network(false).await;
    ada.has_status("offline").await;
    ada.says("from the first tab").await;
    ada.is_kept(1).await;

    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second.clone()).await.unwrap();
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.opens("Everyone").await;
    ada.says("from the second tab").await;
    ben.sees("from the second tab").await;
    assert_eq!(ben.texts().await, ["from the second tab"], "the first tab is there and looks after its own");

    ada.browser.switch_to_window(first).await.unwrap();
    ada.browser.close_window().await.unwrap();
    ada.browser.switch_to_window(second).await.unwrap();
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    ben.sees("from the first tab").await;
    ada.opens("Everyone").await;
    for person in [&ada, &ben] {
        person.sees("from the first tab").await;
        assert_eq!(person.texts().await, ["from the second tab", "from the first tab"], "each once");
    }
    ada.is_kept(0).await;
    ada.browser.quit().await.unwrap();
    ben.leaves().await;
}

#[tokio::test]
async fn a_browser_that_keeps_nothing_works_and_says_so() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    for blocked in [
        "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('blocked', 'SecurityError') } })",
        "IDBFactory.prototype.open = function () { throw new DOMException('full', 'QuotaExceededError') }",
        "IDBObjectStore.prototype.put = function () { throw new DOMException('full', 'QuotaExceededError') }",
    ] {
        let browser = driver.browser().await;
        let script = json!({ "source": blocked });
        browser.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", script).await.unwrap();
        let ada = Person::sits_at(browser, "Ada Lovelace", &server);
        ada.signs_in_or_up().await;
        ada.opens("Everyone").await;
        ada.has_network(false).await;
        ada.has_status("offline").await;
        ada.says("fragile").await;
        ada.waits_for("[data-kept='false']").await;
        ada.picture("outbox-not-kept").await;
        ada.has_network(true).await;
        ada.has_sent_all().await;
        eventually("the note goes with the reason", || async {
            ada.js("return document.querySelector('[data-kept]') === null").await == json!(true)
        })
        .await;
        ada.leaves().await;
    }
    ben.opens("Everyone").await;
    ben.sees("fragile").await;
    assert_eq!(ben.texts().await, ["fragile", "fragile", "fragile"]);
    ben.leaves().await;
}

#[tokio::test]
async fn who_writes_too_fast_waits_and_sees_for_how_long() {
    let server = Server::start_with(&["--send-burst", "3", "--sends-in-10-s", "5"]);
    let driver = Driver::start().await;
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    let texts: Vec<_> = (1..=6).map(|number| format!("{number}")).collect();
    for text in &texts {
        ada.says(text).await;
    }
    eventually("the page counts down", || async {
        let said = ada.js("return document.querySelector('[data-status]')?.innerText ?? ''").await;
        said.as_str().is_some_and(|said| said.contains("patience"))
    })
    .await;
    ada.picture("outbox-held-back").await;
    ada.has_sent_all().await;
    assert_eq!(ada.texts().await, texts);
    ada.leaves().await;
}

#[tokio::test]
async fn what_waits_reaches_those_it_was_written_to_and_nobody_who_came_meanwhile() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    let dan = Person::joins("Dan Reed", &driver, &server).await;
    ada.writes_to(&["Ben Okafor", "Cy Young"], "the three of us").await;
    ben.opens("Ada Lovelace, Cy Young").await;
    ada.clicks("a[href='/new']").await;
    for name in ["Ben Okafor", "Cy Young"] {
        let person = By::XPath(format!("//button[contains(@class, 'person')][.//bdi[text()='{name}']]"));
        ada.clicks_on(person, &format!("Ada picks {name}")).await;
    }
    ada.has_network(false).await;
    ada.has_status("offline").await;
    ada.pastes("to people who were picked").await;
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.opens("Ben Okafor, Cy Young").await;
    ada.says("to people who were seen").await;
    ada.is_kept(2).await;
    // Meanwhile somebody else is brought in, and says something.
    ben.clicks("button[aria-label='About this conversation']").await;
    ben.types("input[aria-label='Add people']", "dan").await;
    ben.clicks("dialog ul[aria-label='People'] button").await;
    eventually("Dan is in the group", || async { dan.conversations().await.len() == 2 }).await;
    ben.presses(Key::Escape).await;

    ada.has_network(true).await;
    ada.is_connected().await;
    // To the picked ones it goes: to exactly these three, in a conversation of their own.
    eventually("Cy has it", || async { cy.conversations().await.len() == 3 }).await;
    cy.opens("Ada Lovelace, Ben Okafor").await;
    cy.sees("to people who were picked").await;
    assert_eq!(cy.texts().await, ["to people who were picked"]);
    // To the seen ones it does not go by itself any more.
    ada.waits_for(".message[data-state='failed']").await;
    assert!(ada.shown(".message__failed span").await.contains("Others are here than when this was written"));
    ada.picture("outbox-others-are-here").await;
    let all = "return fetch('/api/conversations').then((e) => e.json()).then(async (list) => (await Promise.all(
        list.conversations.map((one) => fetch('/api/conversations/' + one.id + '/events').then((e) => e.text())))).join(''))";
    let said = dan.js(all).await;
    let said = said.as_str().unwrap();
    assert!(said.contains("the three of us"), "he reads what was said: {said}");
    assert!(!said.contains("to people who were"), "{said}");
    // Ada decides, and sees to whom.
    ada.clicks_button("Try again").await;
    ada.has_sent_all().await;
    eventually("Dan has it now", || async { dan.js(all).await.as_str().unwrap().contains("to people who were seen") })
        .await;
    assert!(!dan.js(all).await.as_str().unwrap().contains("to people who were picked"));
    for person in [ada, ben, cy, dan] {
        person.leaves().await;
    }
}
