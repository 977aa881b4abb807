//! The main things without a mouse.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

#[tokio::test]
async fn somebody_is_written_to_with_the_keyboard_alone() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    tabs_to(&ada, "document.activeElement.textContent === 'Create an account'").await;
    ada.presses(Key::Enter).await;
    ada.waits_for("input[autocomplete='new-password']").await;
    for (field, text) in [("displayName", "Ada Lovelace"), ("email", "ada@example.org"), ("password", "correct horse")]
    {
        tabs_to(&ada, &format!("document.activeElement.id === '{field}'")).await;
        ada.browser.active_element().await.unwrap().send_keys(text).await.unwrap();
    }
    ada.presses(Key::Enter).await;
    ada.is_connected().await;

    tabs_to(&ada, "document.activeElement.getAttribute('href') === '/new'").await;
    ada.presses(Key::Enter).await;
    tabs_to(&ada, "document.activeElement.id === 'people-search'").await;
    ada.browser.active_element().await.unwrap().send_keys("oka").await.unwrap();
    ada.waits_for(".person").await;
    tabs_to(&ada, "document.activeElement.classList.contains('person')").await;
    ada.presses(Key::Enter).await;
    tabs_to(&ada, "document.activeElement.classList.contains('composer__text')").await;
    let composer = ada.browser.active_element().await.unwrap();
    composer.send_keys("first line").await.unwrap();
    composer.send_keys(Key::Shift + Key::Enter).await.unwrap();
    composer.send_keys("second line").await.unwrap();
    assert_eq!(ada.js("return document.activeElement.value").await, json!("first line\nsecond line"));
    ada.presses(Key::Enter).await;
    ada.sees("first line\nsecond line").await;
    ben.opens("Ada Lovelace").await;
    ben.sees("first line\nsecond line").await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn letters_after_a_click_on_a_message_are_written_and_change_nothing() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "the rent is 900").await;
    ada.has_sent_all().await;
    let click = async || {
        let row = ada.browser.find(By::Css(".message__text")).await.unwrap();
        ada.browser.action_chain().click_element(&row).perform().await.unwrap();
        assert_eq!(ada.js("return document.activeElement.className").await, json!("message"));
    };
    for text in ["hello", "real", "Elk", "+1", "dear", "léger", "i"] {
        click().await;
        ada.types_blindly(text).await;
        ada.has_draft(text).await;
        assert_eq!(ada.shown(".purpose").await, "", "{text}");
        ada.js("const area = document.querySelector('.composer__text'); area.select(); document.execCommand('delete')")
            .await;
    }
    for key in [Key::Backspace, Key::Delete] {
        click().await;
        ada.browser.action_chain().send_keys(key + "").perform().await.unwrap();
    }
    // A key that was pressed after these has been handled, and so have they.
    ada.types_blindly("x").await;
    ada.has_draft("x").await;
    assert_eq!(ada.texts().await, ["the rent is 900"]);
    assert_eq!(ada.shown(".message__note").await, "");
    ada.presses(Key::Backspace).await;

    // Reached with the keyboard, the same keys do something; but not Backspace.
    ada.goes_up(1).await;
    ada.presses(Key::Backspace).await;
    ada.strikes("e").await;
    ada.has_draft("the rent is 900").await;
    ada.presses(Key::Escape).await;
    ada.has_draft("").await;
    ada.goes_up(1).await;
    ada.presses(Key::Delete).await;
    eventually("it is deleted", || async { ada.shown(".message__note").await.starts_with("Message deleted") }).await;
    ada.clicks_button("Undo").await;
    ada.sees("the rent is 900").await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_shortcut_is_the_same_key_on_every_layout_and_with_caps_lock() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    ada.says("hello").await;
    ada.has_sent_all().await;
    let strike = async |key: &str, code: &str, with: &str| {
        let strike = "const [key, code, held] = arguments;
            document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, code, [held]: true, bubbles: true, cancelable: true }))";
        ada.browser.execute(strike, vec![json!(key), json!(code), json!(with)]).await.unwrap();
    };
    for (key, code, there) in [
        ("л", "KeyK", "#places"),
        ("K", "KeyK", "#places"),
        ("ㅏ", "KeyK", "#places"),
        (".", "Slash", ".shortcut"),
        ("ظ", "Slash", ".shortcut"),
    ] {
        strike(key, code, "ctrlKey").await;
        ada.waits_for(there).await;
        ada.presses(Key::Escape).await;
        eventually("it is closed", || async {
            ada.js("return document.querySelector('dialog') === null").await == json!(true)
        })
        .await;
    }
    for (key, code) in [("к", "KeyR"), ("R", "KeyR")] {
        ada.goes_up(1).await;
        strike(key, code, "none").await;
        ada.waits_for(".purpose").await;
        ada.presses(Key::Escape).await;
        eventually("it is no answer any more", || async { ada.shown(".purpose").await.is_empty() }).await;
    }
    ada.leaves().await;
}

impl Person {
    /// Types where the focus is, wherever it goes meanwhile.
    async fn types_blindly(&self, text: &str) {
        self.browser.action_chain().send_keys(text).perform().await.unwrap();
    }
}

/// Presses Tab until the focus is where it should be; it must be visible all the way.
async fn tabs_to(person: &Person, is_there: &str) {
    for _ in 0..30 {
        if person.js(&format!("return {is_there}")).await == json!(true) {
            let outline = "const e = document.activeElement;
                const box = e.closest('.composer__box');
                return getComputedStyle(e).outlineStyle !== 'none' || !!box";
            assert_eq!(person.js(outline).await, json!(true), "the focus cannot be seen: {is_there}");
            return;
        }
        person.presses(Key::Tab).await;
    }
    panic!("the keyboard does not reach: {is_there}");
}
