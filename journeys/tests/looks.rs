//! How it looks, at three widths, in light and dark; and that nothing sticks out.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

#[tokio::test]
async fn it_fits_phones_tablets_and_desks_in_light_and_dark() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let stranger = Person::arrives("Somebody", &driver, &server).await;
    for (width, height) in [(1280, 800), (768, 1024), (360, 740)] {
        stranger.window(width, height).await;
        for scheme in ["light", "dark"] {
            stranger.prefers(scheme).await;
            nothing_sticks_out(&stranger, "/signin").await;
            stranger.picture(&format!("signin-{width}-{scheme}")).await;
        }
    }
    stranger.leaves().await;

    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace", "Cy Young"], "Shall we meet at ten? The kettle is on.").await;
    cy.opens("Ada Lovelace, Ben Okafor").await;
    cy.says("Ten is fine").await;
    cy.opens("Everyone").await;
    cy.says("Good morning, everybody ☀️").await;
    ben.writes_to(&["Ada Lovelace"], "Morning! Have you seen the plans for the new engine?").await;
    ada.opens("Ben Okafor").await;
    ada.says("Not yet. Are they on the server?").await;
    ben.says("Yes, in the folder of last week. I have a few questions about the second page, where the numbers do not add up.").await;
    ben.says("And the cards are missing.").await;
    ada.says("I'll look at them now 👀").await;
    ben.sees("I'll look at them now 👀").await;
    ada.has_sent_all().await;
    let conversation = ada.js("return location.pathname").await;
    for (width, height) in [(1280, 800), (768, 1024), (360, 740)] {
        ada.window(width, height).await;
        for scheme in ["light", "dark"] {
            ada.prefers(scheme).await;
            for (name, path) in [("list", "/"), ("conversation", conversation.as_str().unwrap()), ("new", "/new")] {
                ada.goes_to(path).await;
                ada.is_connected().await;
                let there = match name {
                    "list" if width > 720 => ".shell__empty",
                    "list" => ".conversation",
                    "new" => ".person",
                    _ => ".message[data-own='true']",
                };
                ada.waits_for(there).await;
                nothing_sticks_out(&ada, name).await;
                ada.picture(&format!("{name}-{width}-{scheme}")).await;
            }
        }
    }
    let sizes = "return [...document.querySelectorAll('a, button, input, textarea')]
        .filter((e) => e.checkVisibility())
        .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([_, box]) => box.width < 24 || box.height < 24).map(([html]) => html)";
    assert_eq!(ada.js(sizes).await, json!([]), "targets of at least 24 pixels");
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

/// A window of 1280 × 1024 enlarged to 400 % has this many of the page's pixels (WCAG 2.2, 1.4.10).
const ENLARGED: (u32, u32) = (320, 256);

#[tokio::test]
async fn enlarged_to_400_percent_everything_can_be_reached() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let guest = Person::arrives("Guest", &driver, &server).await;
    guest.window(ENLARGED.0, ENLARGED.1).await;
    nothing_is_cut(&guest, "/signin").await;
    // The button is below the window, and can be gone to.
    guest.types("#email", "nobody@example.org").await;
    guest.types("#password", "not a password").await;
    guest.clicks("form.form button[type='submit']").await;
    guest.waits_for(".form__alert").await;
    guest.picture("signin-enlarged").await;
    guest.leaves().await;

    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.window(ENLARGED.0, ENLARGED.1).await;
    ada.opens("Everyone").await;
    ada.says("Written with large letters, a whole sentence of them").await;
    ada.sees("Written with large letters, a whole sentence of them").await;
    nothing_is_cut(&ada, "a conversation").await;
    for css in [".composer__text", "button[aria-label='Send']", ".message[data-own='true']", ".pane__back"] {
        let script = format!(
            "const box = document.querySelector(\"{css}\").getBoundingClientRect();
            return box.top < innerHeight && box.bottom > 0 && box.left >= 0 && box.right <= innerWidth"
        );
        assert_eq!(ada.js(&script).await, json!(true), "{css} is in view");
    }
    ada.picture("conversation-enlarged").await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.waits_for(".dialog .person").await;
    nothing_is_cut(&ada, "about").await;
    ada.picture("about-enlarged").await;
    ada.clicks(".dialog button[aria-label='Close']").await;
    ada.goes_to("/settings").await;
    ada.waits_for("#quiet").await;
    nothing_is_cut(&ada, "settings").await;
    ada.leaves().await;
}

/// Nothing is wider than the window.
async fn nothing_is_cut(person: &Person, what: &str) {
    let script = "return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.visually-hidden'))
        .filter((e) => { const box = e.getBoundingClientRect(); return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) })
        .map((e) => e.outerHTML.slice(0, 80))";
    assert_eq!(person.js(script).await, json!([]), "{what}");
}

async fn nothing_sticks_out(person: &Person, what: &str) {
    let script = "return document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight + 1";
    assert_eq!(person.js(script).await, json!(true), "{what} does not fit");
}

/// A telephone: narrow, and pointed at with a finger.
async fn takes_a_telephone(person: &Person) {
    let metrics = json!({"width": 390, "height": 780, "deviceScaleFactor": 2, "mobile": true});
    person.browser.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    person.browser.cdp().send_raw("Emulation.setTouchEmulationEnabled", json!({"enabled": true})).await.unwrap();
    assert_eq!(person.js("return matchMedia('(pointer: coarse)').matches").await, json!(true));
}

#[tokio::test]
async fn on_a_telephone_enter_breaks_the_line_and_nothing_is_enlarged() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    takes_a_telephone(&ada).await;
    // The telephone would enlarge the page around letters that are smaller, whatever size of text was chosen.
    let small = "document.documentElement.dataset.size = 'small';
        return [...document.querySelectorAll('input:not([type=file], [type=checkbox]), select, textarea')]
            .filter((field) => parseFloat(getComputedStyle(field).fontSize) < 16).map((field) => field.outerHTML)";
    for (path, there) in [("/settings", "#token-name"), ("/new", "#people-search"), ("/search", ".search input")] {
        ada.goes_to(path).await;
        ada.is_connected().await;
        ada.waits_for(there).await;
        assert_eq!(ada.js(small).await, json!([]), "{path}");
    }
    ada.goes_to("/").await;
    ada.opens("Everyone").await;
    assert_eq!(ada.js(small).await, json!([]));
    ada.types(".composer__text", "line one").await;
    ada.presses(Key::Enter).await;
    ada.types(".composer__text", "line two").await;
    assert_eq!(ada.draft().await, "line one\nline two");
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.sees("line one\nline two").await;
    // With a keyboard beside it there is a way, too.
    ada.types(".composer__text", "line three").await;
    ada.browser.active_element().await.unwrap().send_keys(Key::Control + Key::Enter).await.unwrap();
    ada.sees("line three").await;
    ada.has_sent_all().await;
    ada.leaves().await;
}

#[tokio::test]
async fn the_way_back_closes_what_is_over_the_page_and_leads_nowhere_else() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "Hello").await;
    ada.has_sent_all().await;
    takes_a_telephone(&ada).await;
    ada.goes_to("/").await;
    ada.opens("Everyone").await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, ada.draws("#0a8").await).unwrap();
    let input = ada.browser.find(By::Css(".composer__files")).await.unwrap();
    input.send_keys(picture.to_str().unwrap()).await.unwrap();
    ada.waits_for(".tray__item[data-stage='there']").await;
    ada.pastes("A picture").await;
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.has_sent_all().await;
    let path = async || ada.js("return location.pathname").await;
    let everyone = path().await;
    let is_open = "return document.querySelector('dialog') !== null";
    let closed = async || eventually("it is closed", || async { ada.js(is_open).await == json!(false) }).await;
    for opener in [
        ".picture",
        "button[aria-label='About this conversation']",
        ".composer button[aria-label='Emoji']",
        ".timeline__day button",
    ] {
        for is_escaped in [false, true] {
            ada.clicks(opener).await;
            ada.waits_for("dialog[open] .dialog__head").await;
            match is_escaped {
                true => ada.presses(Key::Escape).await,
                false => ada.browser.back().await.unwrap(),
            }
            closed().await;
            assert_eq!(path().await, everyone, "{opener}");
            eventually("its entry is gone", || async { ada.js("return history.state").await == json!(null) }).await;
        }
    }
    // From there one goes on as if it had not been there; and the way back leads by where one was, and nothing else.
    ada.browser.active_element().await.unwrap().send_keys(Key::Control + "k").await.unwrap();
    ada.waits_for(".switcher__place").await;
    ada.strikes("Okafor").await;
    eventually("one is left", || async { ada.shown(".switcher__name").await.starts_with("Ben Okafor") }).await;
    ada.presses(Key::Enter).await;
    ada.sees("Hello").await;
    closed().await;
    ada.browser.back().await.unwrap();
    eventually("back where it was opened", || async { path().await == everyone }).await;
    ada.browser.back().await.unwrap();
    eventually("the list is there", || async { path().await == json!("/") }).await;
    assert_eq!(ada.js(is_open).await, json!(false));
    ada.leaves().await;
    ben.leaves().await;
}
