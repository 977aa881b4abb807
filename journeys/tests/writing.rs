//! What people type: wrong passwords, very long texts, other scripts, and what looks like code.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

#[tokio::test]
async fn a_bad_password_is_said_and_the_form_can_be_used_again() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.clicks("button[aria-label='Sign out']").await;
    ada.waits_for("input[autocomplete='current-password']").await;
    ada.types("#email", "ADA.lovelace@example.org").await;
    ada.types("#password", "wrong horse").await;
    ada.presses(Key::Enter).await;
    let said = ada.waits_for(".form__alert").await.text().await.unwrap();
    assert_eq!(said, "The e-mail address or the password is not right");
    ada.picture("signin-wrong-password").await;
    let field = ada.waits_for("#password").await;
    field.send_keys(Key::Control + "a").await.unwrap();
    field.send_keys("correct horse").await.unwrap();
    ada.presses(Key::Enter).await;
    ada.is_connected().await;
    ada.leaves().await;
}

#[tokio::test]
async fn errors_stand_beside_their_fields() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada", &driver, &server).await;
    ada.clicks_link("Create an account").await;
    ada.waits_for("input[autocomplete='new-password']").await;
    ada.types("#displayName", "Ada").await;
    ada.types("#email", "ada").await;
    ada.types("#password", "short").await;
    for (id, text) in [("email", "e-mail address"), ("password", "at least 10 characters")] {
        ada.clicks("form.form button[type='submit']").await;
        let error = ada.waits_for(&format!("#{id}-error .field__error")).await;
        assert!(error.text().await.unwrap().contains(text));
        let field = ada.waits_for(&format!("#{id}")).await;
        assert_eq!(field.attr("aria-invalid").await.unwrap().as_deref(), Some("true"));
        assert_eq!(field.attr("aria-describedby").await.unwrap(), Some(format!("{id}-error")));
        ada.picture(&format!("signup-bad-{id}")).await;
        field.send_keys("@example.org and long enough".split_at(if id == "email" { 12 } else { 28 }).0).await.unwrap();
    }
    ada.clicks("form.form button[type='submit']").await;
    ada.is_connected().await;
    ada.leaves().await;
}

#[tokio::test]
async fn a_message_of_the_full_length_arrives_and_one_byte_more_is_not_sent() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    let full: String = "0123456789abcde ".repeat(1_024).trim_end().to_owned() + "!";
    assert_eq!(full.len(), 16_384);
    ada.pastes(&format!("{full}?")).await;
    let note = ada.waits_for(".composer__note--bad").await.text().await.unwrap();
    assert!(note.starts_with("1 byte too long. Please send it in parts"), "{note}");
    assert!(!ada.waits_for("button[aria-label='Send']").await.is_enabled().await.unwrap());
    ada.presses(Key::Backspace).await;
    ada.presses(Key::Enter).await;
    ben.sees(&full).await;
    ben.leaves().await;
    ada.leaves().await;
}

#[tokio::test]
async fn every_text_is_shown_as_it_was_written() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben <b>Bold</b>", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    let texts = [
        "مرحبا بالعالم، كيف حالك؟",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ✨",
        "<script>window.failures.push('ran')</script>",
        "<img src=x onerror=\"window.failures.push('ran')\">",
        "line one\nline two\n\n    indented",
        "שלום and hello",
        "日本語のテキスト",
    ];
    for text in texts {
        ben.says(text).await;
        ada.sees(text).await;
    }
    assert_eq!(ada.texts().await, texts);
    let sender = ada.js("return document.querySelector('.message__sender').textContent").await;
    assert_eq!(sender, json!("Ben <b>Bold</b>"));
    assert_eq!(
        ada.js("return document.querySelectorAll('.timeline script, .timeline img, .timeline b').length").await,
        json!(0)
    );
    ada.picture("writing-scripts").await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn what_is_written_with_marks_is_shown_as_it_was_meant() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    let long = "the plan: **first** _think_, ~~guess~~, then `measure`\n- one\n  - deeper, with [a link](https://example.org/path?q=1)\n- two\n\n> and somebody said\n> on two lines\n```rust\nfn main() { println!(\"a line that is much longer than a phone is wide, so that it has to be scrolled\"); }\n```\nThe end is ||a surprise||.";
    ada.pastes(long).await;
    ada.presses(Key::Enter).await;
    ada.has_sent_all().await;
    let count = |css: &str| format!("return document.querySelectorAll('.message__text {css}').length");
    for css in ["strong", "em", "s", "ul ul li", "blockquote", "pre code", "a[rel~=noopener][target=_blank]", "[inert]"]
    {
        assert_eq!(ada.js(&count(css)).await, json!(1), "{css}");
    }
    eventually("the code is in colours", || async { ada.shown(".code__keyword").await == "fn" }).await;
    assert!(ada.shown("pre code").await.starts_with("fn main() { println!(\"a line"));
    for (width, height) in [(1280, 800), (360, 740)] {
        ada.window(width, height).await;
        for scheme in ["light", "dark"] {
            ada.prefers(scheme).await;
            ada.picture(&format!("markup-{width}-{scheme}")).await;
        }
    }
    // What is hidden is shown with the keyboard, and not before.
    assert_eq!(ada.js("return document.querySelector('.spoiler').innerText").await, json!(""));
    ada.js("document.querySelector('.spoiler__cover').focus()").await;
    ada.presses(Key::Enter).await;
    assert_eq!(ada.js("return document.querySelector('.spoiler').innerText").await, json!("a surprise"));
    assert_eq!(ada.js("return document.activeElement.textContent").await, json!("a surprise"));
    // The list of conversations has a line, and what is hidden stays so.
    let line = "return document.querySelector('.conversation__line').textContent";
    assert!(
        ada.js(line).await.as_str().unwrap().starts_with("You: the plan: first think, guess, then measure one deeper")
    );
    ada.picture("markup-shown").await;
    ada.leaves().await;
}

#[tokio::test]
async fn a_text_stays_in_its_message() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    ada.says(&format!("h{}i", "\u{301}\u{323}".repeat(20))).await;
    ada.has_sent_all().await;
    // Marks heaped on letters are cut off where the message ends.
    let showing = "'.message__text, .message__sender, .conversation__name, .conversation__line'";
    let open = format!(
        "return [...document.querySelectorAll({showing})].filter((e) => getComputedStyle(e).overflowY === 'visible').length"
    );
    assert_eq!(ada.js(&open).await, json!(0));
    // Signs that turn a text around end with it: the note behind it is read from left to right.
    ada.presses(Key::Up).await;
    ada.rewrites("\u{202e}all of it!").await;
    ada.sees("\u{202e}all of it! (edited)").await;
    let order = "const note = document.querySelector('.message__edited').firstChild;
        const at = (index) => {
            const range = document.createRange();
            range.setStart(note, index);
            range.setEnd(note, index + 1);
            return range.getBoundingClientRect().left;
        };
        return at(1) < at(note.length - 1);";
    assert_eq!(ada.js(order).await, json!(true));
    ada.picture("text-inside").await;
    ada.leaves().await;
}

#[tokio::test]
async fn a_long_conversation_loads_what_is_before_its_end() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 230).await;
    ada.opens("Everyone").await;
    ada.clicks_button("230 new messages").await;
    ada.sees("number 230").await;
    let scroll =
        "const pane = document.querySelector('.timeline'); pane.scrollTop = -pane.scrollHeight; return pane.scrollTop";
    eventually("the first message comes into view", || async {
        ada.js(scroll).await;
        ada.texts().await.first().is_some_and(|text| text == "number 1")
    })
    .await;
    let texts = ada.texts().await;
    let expected: Vec<_> = (1..=texts.len()).map(|number| format!("number {number}")).collect();
    assert_eq!(texts, expected);
    ben.opens("Everyone").await;
    ben.says("while she reads above").await;
    ada.clicks_button("1 new message").await;
    ada.sees("while she reads above").await;
    eventually("the end is in view", || async {
        ada.js("return document.querySelector('.timeline').scrollTop > -5").await == json!(true)
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn names_are_text_too() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "hello").await;
    let call = "const [method, path, body] = arguments;
        const done = arguments[arguments.length - 1];
        const headers = { 'content-type': 'application/json' };
        fetch(path, { method, headers, body: JSON.stringify(body) }).then((answer) => done(answer.status));";
    let image = "<img src=x onerror=alert(1)>";
    let script = "<script>alert(1)</script>&amp;";
    let rename = vec![json!("PATCH"), json!("/api/account"), json!({"displayName": image})];
    assert_eq!(ada.browser.execute_async(call, rename).await.unwrap().json(), &json!(200));
    let group = json!({"kind": "group", "name": script, "members": []});
    let make = vec![json!("POST"), json!("/api/conversations"), group];
    assert_eq!(ben.browser.execute_async(call, make).await.unwrap().json(), &json!(201));
    for name in [image, script] {
        eventually("the name is shown", || async { ben.conversations().await.iter().any(|shown| shown == name) }).await;
        ben.opens(name).await;
    }
    assert_eq!(ben.js("return document.querySelectorAll('img, .shell script').length").await, json!(0));
    for person in [ada, ben] {
        person.leaves().await;
    }
}
