//! No barriers: every screen, in every theme, is looked at by a program that finds what keeps people out.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

/// Looks at what is on the screen in light, dark and high contrast.
async fn look(person: &Person, place: &str) {
    for theme in ["light", "dark", "contrast"] {
        person.js(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
        // What changes its colour slowly has changed it.
        person.js("document.getAnimations().forEach((one) => one.finish())").await;
        person.meets_no_barrier(&format!("{place}, {theme}")).await;
    }
}

#[tokio::test]
async fn no_screen_has_a_serious_barrier() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    look(&ada, "signing in").await;
    ada.goes_to("/signup").await;
    ada.waits_for("input[autocomplete='new-password']").await;
    look(&ada, "signing up").await;
    ada.signs_in_or_up().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    look(&ada, "nothing open").await;

    // A conversation with everything in it.
    ben.writes_to(&["Ada Lovelace"], "Hello").await;
    ben.says("Hello @Ada Lovelace, **look** at `this`: ||hidden|| https://example.org").await;
    ben.says("```rust\nfn main() {}\n```").await;
    ben.says("> quoted\n\n1. one\n2. two").await;
    ada.opens("Ben Okafor").await;
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "some notes").unwrap();
    let input = ada.browser.find(By::Css(".composer__files")).await.unwrap();
    input.send_keys(notes.to_str().unwrap()).await.unwrap();
    ada.waits_for(".tray__item[data-stage='there']").await;
    look(&ada, "a file to send").await;
    ada.says("with a file").await;
    ada.has_sent_all().await;
    ada.js("document.querySelector('.message').focus()").await;
    ada.waits_for(".actions").await;
    look(&ada, "a conversation").await;
    ada.clicks("button[aria-label='Add a reaction']").await;
    ada.waits_for(".emoji__one").await;
    look(&ada, "the emoji picker").await;
    ada.presses(Key::Escape).await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.waits_for("dialog[open] .person").await;
    look(&ada, "about a conversation").await;
    ada.presses(Key::Escape).await;
    eventually("it is closed", || async {
        ada.js("return document.querySelector('dialog') === null").await == serde_json::json!(true)
    })
    .await;

    // A picture as large as the window, a day to go to, and who has read a message.
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, ada.draws("#0a8").await).unwrap();
    let input = ada.browser.find(By::Css(".composer__files")).await.unwrap();
    input.send_keys(picture.to_str().unwrap()).await.unwrap();
    ada.waits_for(".tray__item[data-stage='there']").await;
    ada.says("and a picture").await;
    ada.has_sent_all().await;
    for (place, css, there) in [
        ("a picture", ".picture", "dialog[open] .lightbox__image"),
        ("a day", ".timeline__day button", "dialog[open] input[type='date']"),
    ] {
        ada.clicks(css).await;
        ada.waits_for(there).await;
        look(&ada, place).await;
        ada.presses(Key::Escape).await;
        eventually("it is closed", || async {
            ada.js("return document.querySelector('dialog') === null").await == serde_json::json!(true)
        })
        .await;
    }
    let cy = Person::joins("Cy Young", &driver, &server).await;
    ada.writes_to(&["Ben Okafor", "Cy Young"], "To both of you").await;
    ada.has_sent_all().await;
    cy.opens("Ada Lovelace, Ben Okafor").await;
    cy.leaves().await;
    ada.opens("Ben Okafor, Cy Young").await;
    ada.js("[...document.querySelectorAll(\".message[data-own='true']\")].pop().focus()").await;
    ada.clicks("button[aria-label='Read by']").await;
    ada.waits_for("dialog[open]").await;
    look(&ada, "who has read a message").await;
    ada.presses(Key::Escape).await;

    for (place, path, there) in [
        ("new message", "/new", ".person"),
        ("channels", "/channels", ".timeline__note"),
        ("settings", "/settings", ".settings__line"),
    ] {
        ada.goes_to(path).await;
        ada.is_connected().await;
        ada.waits_for(there).await;
        look(&ada, place).await;
    }
    ada.goes_to("/search").await;
    ada.types("input[type='search']", "look").await;
    ada.waits_for(".search__result").await;
    look(&ada, "search").await;
    for (place, key) in [("the switcher", "k"), ("the shortcuts", "/")] {
        ada.browser.active_element().await.unwrap().send_keys(Key::Control + key).await.unwrap();
        ada.waits_for("dialog[open]").await;
        look(&ada, place).await;
        ada.presses(Key::Escape).await;
    }
    ada.window(360, 740).await;
    ada.goes_to("/").await;
    ada.is_connected().await;
    look(&ada, "the list on a telephone").await;
    ada.opens("Ben Okafor").await;
    look(&ada, "a conversation on a telephone").await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn who_listens_hears_new_messages_once_and_no_marks() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.signs_in_or_up().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "hello").await;
    ada.opens("Ben Okafor").await;
    let listen = "const region = document.querySelector('[data-news]'); if (!region) return false; window.heard = [];
        new MutationObserver(() => { if (region.textContent) heard.push(region.textContent) }).observe(region, { childList: true });
        return region.ariaLive";
    eventually("there is something to listen to", || async { ada.js(listen).await == json!("polite") }).await;
    ada.says("my own").await;
    ben.sees("my own").await;
    let marks = "return [...document.querySelectorAll('.message__mark')].map((e) => e.dataset.mark)";
    eventually("it is read", || async { ada.js(marks).await == json!(["read"]) }).await;
    ben.says("*one*").await;
    eventually("it is heard", || async { ada.js("return heard").await == json!(["Ben Okafor: one"]) }).await;
    // Messages that come while she is elsewhere are told in another way.
    ada.is_there(false).await;
    ben.says("two").await;
    ada.sees("two").await;
    ada.is_there(true).await;
    eventually("she is back", || async { ada.unread("Ben Okafor").await == 0 }).await;
    // Many at once are counted: each is heard once, by itself or in a number.
    ben.posts(&["a", "b", "c", "d", "e"].map(String::from)).await;
    let count = "return heard.slice(1).reduce((sum, text) => sum + (parseInt(text) || text.split('\\n').length), 0)";
    eventually("five are heard", || async { ada.js(count).await == json!(5) }).await;
    assert_eq!(ada.js("return heard.some((text) => text.includes('two'))").await, json!(false));
    let silent = "return [...document.querySelectorAll('.message__mark, .message__text')]
        .every((e) => e.closest('[aria-live], [role=status], [role=alert]').ariaLive === 'off')";
    assert_eq!(ada.js(silent).await, json!(true));
    // A deleted message is not left there to be read.
    let gone = "return document.querySelector('[data-news]').textContent";
    ben.says("a secret").await;
    eventually("it is heard", || async { ada.js(gone).await == json!("Ben Okafor: a secret") }).await;
    let seq = "const done = arguments[0]; fetch(`/api/conversations/${location.pathname.split('/')[2]}/events`)
        .then((answer) => answer.json()).then(({ events }) => done(events.at(-1).seq))";
    let last = ben.browser.execute_async(seq, vec![]).await.unwrap();
    ben.commands(json!({"type": "delete", "target": last.json()})).await;
    eventually("it is gone", || async { ada.js(gone).await == json!("") }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}
