//! The main things without a mouse.

use crate::support::{Driver, Person, Server};
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
