//! Where a conversation is opened: at what is new.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

/// The message below the line that says what is new, if both are in view.
pub(crate) async fn first_new(person: &Person) -> String {
    let script = "const line = document.querySelector('.timeline__new');
        if (!line) return '';
        const pane = document.querySelector('.timeline').getBoundingClientRect();
        let row = line;
        while (row && row.tagName !== 'ARTICLE') row = row.nextElementSibling;
        const seen = [line, row].every((e) => e.getBoundingClientRect().top >= pane.top && e.getBoundingClientRect().bottom <= pane.bottom);
        return seen ? row.querySelector('.message__text').textContent : 'out of view'";
    person.js(script).await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_conversation_opens_at_what_is_new_however_much_that_is() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 40).await;
    ada.opens("Everyone").await;
    // Those forty are new, and there is room for a few.
    eventually("the first of forty", || async { first_new(&ada).await == "number 1" }).await;
    ada.clicks(".latest").await;
    eventually("all is read", || async { ada.unread("Everyone").await == 0 }).await;

    for (width, height, from, to) in [(1280, 800, 41, 300), (360, 740, 301, 330)] {
        ada.window(width, height).await;
        ada.goes_to("/").await;
        ada.is_connected().await;
        ben.fills(from, to).await;
        let count = u64::from(to - from + 1);
        eventually("they are unread", || async { ada.unread("Everyone").await == count.min(99) }).await;
        ada.opens("Everyone").await;
        let first = format!("number {from}");
        eventually("the first new one is in view", || async { first_new(&ada).await == first }).await;
        ada.picture(&format!("reading-new-{width}")).await;
        assert!(ada.unread("Everyone").await > 0, "what was not seen is not read");
        // A reload is no reason to lose the place.
        ada.browser.refresh().await.unwrap();
        eventually("and again", || async { first_new(&ada).await == first }).await;
        ada.clicks_button(&format!("{count} new messages")).await;
        ada.sees(&format!("number {to}")).await;
        eventually("all is read", || async { ada.unread("Everyone").await == 0 }).await;
    }
    // A few that fit are read when they are seen.
    ada.goes_to("/").await;
    ada.is_connected().await;
    ben.fills(331, 332).await;
    eventually("two are unread", || async { ada.unread("Everyone").await == 2 }).await;
    ada.opens("Everyone").await;
    ada.sees("number 332").await;
    eventually("both are read", || async { ada.unread("Everyone").await == 0 }).await;
    assert_eq!(first_new(&ada).await, "number 331", "and still said to be new");
    // What one writes oneself ends it.
    ada.says("Thank you").await;
    eventually("nothing is new", || async { first_new(&ada).await.is_empty() }).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn what_was_being_written_is_there_again() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "hello").await;
    ada.has_sent_all().await;
    ada.goes_up(1).await;
    ada.strikes("r").await;
    ada.waits_for(".purpose").await;
    ada.pastes("and then I wanted to say\nthat").await;
    ada.opens("Everyone").await;
    ada.pastes("something else").await;
    let written = "return document.querySelector('.composer__text')?.value";
    for (title, text) in [("Ben Okafor", "and then I wanted to say\nthat"), ("Everyone", "something else")] {
        ada.opens(title).await;
        assert_eq!(ada.js(written).await, json!(text), "after looking elsewhere");
        ada.browser.refresh().await.unwrap();
        ada.is_connected().await;
        eventually("it is there after a reload", || async { ada.js(written).await == json!(text) }).await;
    }
    ada.opens("Ben Okafor").await;
    ada.waits_for(".purpose").await;
    ada.presses(Key::Enter).await;
    ada.clicks(".composer__text").await;
    ada.presses(Key::Enter).await;
    ada.sees("and then I wanted to say\nthat").await;
    ada.has_sent_all().await;
    // What was sent is not kept, and nothing is once she has signed out.
    let kept = "return Object.keys(localStorage).filter((key) => key.startsWith('confab-draft')).length";
    assert_eq!(ada.js(kept).await, json!(1));
    ada.clicks("button[aria-label='Sign out']").await;
    ada.waits_for("form.form").await;
    assert_eq!(ada.js(kept).await, json!(0));
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_draft_that_is_sent_in_one_tab_is_gone_in_the_other() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    ada.pastes("half a").await;
    let path = ada.js("return location.pathname").await;
    let first = ada.browser.window().await.unwrap();
    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second.clone()).await.unwrap();
    ada.goes_to(path.as_str().unwrap()).await;
    ada.is_connected().await;
    ada.has_draft("half a").await;
    ada.js("document.querySelector('.composer__text').blur()").await;
    ada.browser.switch_to_window(first.clone()).await.unwrap();
    ada.presses(Key::Enter).await;
    ada.has_sent_all().await;
    ada.browser.switch_to_window(second.clone()).await.unwrap();
    ada.has_draft("").await;
    // A text changed there meanwhile stays: here as if the other tab had sent it before it heard of the change.
    ada.pastes("half a sentence").await;
    ada.js("const key = Object.keys(localStorage).find((key) => key.startsWith('confab-draft-'));
        localStorage.removeItem(key);
        for (const oldValue of ['\\nhalf a', '\\nsomething else']) dispatchEvent(new StorageEvent('storage', { key, oldValue, newValue: null }))")
        .await;
    assert_eq!(ada.draft().await, "half a sentence");
    ada.presses(Key::Enter).await;
    ada.sees("half a sentence").await;
    ada.has_sent_all().await;
    ada.browser.switch_to_window(first).await.unwrap();
    ada.has_draft("").await;
    ada.sees("half a sentence").await;
    assert_eq!(ada.texts().await, ["half a", "half a sentence"]);
    ada.leaves().await;
}

#[tokio::test]
async fn a_day_is_gone_to_and_the_first_message() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.fills(1, 150).await;
    ada.opens("Everyone").await;
    ada.sees("number 150").await;
    let is_seen = "const box = [...document.querySelectorAll('.message__text')].find((e) => e.textContent === 'number 1')?.getBoundingClientRect();
        return box !== undefined && box.top >= 0 && box.bottom <= innerHeight";
    for way in ["Go", "First message"] {
        ada.js("document.querySelector('.timeline').scrollTop = 1e9").await;
        ada.clicks("button[aria-label='About this conversation']").await;
        ada.clicks_button("Go to a date").await;
        ada.waits_for("#date").await;
        ada.picture("date").await;
        ada.clicks_button(way).await;
        eventually("the first message of the day is seen", || async { ada.js(is_seen).await == json!(true) }).await;
    }
    // The day above the messages leads there, too; since tomorrow nothing was written.
    ada.clicks(".timeline__day button").await;
    ada.waits_for("#date").await;
    ada.js("const field = document.querySelector('#date'); field.value = '2199-01-01'; field.dispatchEvent(new Event('input'))").await;
    ada.clicks_button("Go").await;
    eventually("it says so", || async { ada.shown(".form__alert").await.contains("Nothing was written") }).await;
    ada.leaves().await;
}
