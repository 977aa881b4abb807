//! Finding messages, and the way to them.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

async fn found(person: &Person) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.search__text')].map((e) => e.textContent)";
    serde_json::from_value(person.js(script).await).unwrap()
}

#[tokio::test]
async fn a_message_is_found_and_led_to_with_the_keyboard_alone() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.fills(1, 150).await;
    ben.writes_to(&["Ada Lovelace"], "My number is secret").await;
    ada.opens("Everyone").await;
    ada.js("document.activeElement.blur()").await;
    let body = ada.browser.find(By::Tag("body")).await.unwrap();
    body.send_keys(Key::Control + "k").await.unwrap();
    ada.waits_for("dialog[open] input").await;
    ada.strikes("number 20").await;
    ada.waits_for(".switcher__place").await;
    ada.presses(Key::Enter).await;
    eventually("it is found", || async { found(&ada).await == ["number 20"] }).await;
    assert_eq!(
        ada.js("return [...document.querySelectorAll('mark')].map((e) => e.textContent)").await,
        json!(["number", "20"])
    );
    for width in [1280, 360] {
        ada.window(width, 740).await;
        ada.picture(&format!("search-{width}")).await;
    }
    ada.presses(Key::Tab).await;
    ada.presses(Key::Enter).await;
    let focused = "return document.activeElement.querySelector('.message__text')?.textContent";
    eventually("it is there", || async { ada.js(focused).await == json!("number 20") }).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_search_is_narrowed_and_widened_and_says_what_it_cannot() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.fills(1, 30).await;
    ben.writes_to(&["Ada Lovelace"], "My number is secret").await;
    ada.opens("Ben Okafor").await;
    ada.clicks("button[aria-label='Search in this conversation']").await;
    ada.types(".search input", "number").await;
    eventually("that one alone", || async { found(&ada).await == ["My number is secret"] }).await;
    ada.clicks(".search .chip").await;
    eventually("a page of all", || async { found(&ada).await.len() == 20 }).await;
    ada.clicks_button("Show more").await;
    eventually("and the rest", || async { found(&ada).await.len() == 31 }).await;
    ada.types(".search input", " from:ben").await;
    eventually("Ben's", || async { found(&ada).await == ["My number is secret"] }).await;
    ada.types(".search input", " has:wings").await;
    eventually("it says so", || async { ada.shown(".search__note").await.contains("has:wings is not known") }).await;
    // Nobody finds what is not theirs.
    let cy = Person::joins("Cy Young", &driver, &server).await;
    cy.goes_to("/search").await;
    cy.types(".search input", "secret").await;
    eventually("nothing is", || async { cy.shown(".search__note").await == "Nothing was found." }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn what_was_found_is_marked_in_any_spelling() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    // The texts that the server folds with its own tables (`shared/src/fold/tests.rs`).
    let vectors = include_str!("../../shared/tests/fold.txt").lines();
    let vectors = vectors.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let line = line.replace("\\s", "\u{ad}").replace("\\z", "\u{200b}");
        let mut fields = line.split('|').map(|field| field.trim().to_owned());
        (fields.next().unwrap(), fields.next().unwrap())
    });
    let vectors: Vec<_> = vectors.collect();
    let texts: Vec<_> = vectors.iter().map(|(text, _)| text).collect();
    let write = "const [texts, done] = arguments; (async () => {
        const list = await (await fetch('/api/conversations')).json();
        const everyone = list.conversations.find((conversation) => conversation.kind === 'everyone');
        const path = '/api/conversations/' + everyone.id + '/messages';
        for (const content of texts) {
            const body = JSON.stringify({ id: crypto.randomUUID(), content });
            await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
        }
        done(texts.length);
    })()";
    ada.browser.execute_async(write, vec![json!(texts)]).await.unwrap();
    ada.goes_to("/search").await;
    ada.waits_for(".search input").await;
    let ask = "const input = document.querySelector('.search input'); input.value = arguments[0];
        input.dispatchEvent(new Event('input', { bubbles: true }))";
    let marked = "return [...document.querySelectorAll('.search__text')].filter((e) => e.querySelector('mark'))
        .map((e) => e.textContent)";
    for (text, typed) in vectors {
        for typed in [&typed, &text] {
            ada.browser.execute(ask, vec![json!(typed)]).await.unwrap();
            let is_marked = async || {
                let found: Vec<String> = serde_json::from_value(ada.js(marked).await).unwrap();
                found.contains(&text)
            };
            eventually(&format!("{text} is marked by {typed}"), is_marked).await;
        }
    }
    ada.leaves().await;
}
