//! Being told of messages outside the page: once, as much as one wants, and not of what one is looking at.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::{Value, json};

/// A browser that writes down what is told instead of showing it.
const STAND_IN: &str = "window.told = []; window.sounds = 0;
    class Note {
        static get permission() { return localStorage.getItem('test-permission') ?? 'default' }
        static async requestPermission() { localStorage.setItem('test-permission', 'granted'); return 'granted' }
        constructor(title, options) { Object.assign(this, options); told.push(title + ': ' + options.body); Note.last = this }
        close() { told.push('closed') }
    }
    window.Notification = Note;
    window.AudioContext = class extends AudioContext { createOscillator() { sounds++; return super.createOscillator() } };";

impl Person {
    async fn is_listened_to(&self) {
        let cdp = self.browser.cdp();
        cdp.send_raw("Page.addScriptToEvaluateOnNewDocument", json!({"source": STAND_IN})).await.unwrap();
        cdp.send_raw("Emulation.setFocusEmulationEnabled", json!({"enabled": true})).await.unwrap();
    }

    async fn told(&self) -> Value {
        self.js("return window.told").await
    }

    async fn is_told(&self, expected: &[&str]) {
        eventually(&format!("{} is told {expected:?}", self.name), || async { self.told().await == json!(expected) })
            .await;
    }
}

#[tokio::test]
async fn one_is_told_of_what_one_does_not_see_as_much_as_one_wants() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.signs_in_or_up().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.goes_to("/settings").await;
    ada.clicks_button("Turn on").await;
    eventually("it says so", || async { ada.shown(".settings__told").await.contains("You are told") }).await;
    ada.picture("settings-notifications").await;

    ben.writes_to(&["Ada Lovelace"], "Are you there?").await;
    ada.is_told(&["Ben Okafor: Are you there?"]).await;
    eventually("there was a sound", || async { ada.js("return sounds").await == json!(1) }).await;
    let icon = "return document.querySelector(\"link[rel='icon']\").href.startsWith('data:')";
    eventually("the tab shows a number", || async { ada.js(icon).await == json!(true) }).await;
    assert_eq!(ada.browser.title().await.unwrap(), "(1) Confab");

    // A click leads there; what is read is told no more.
    ada.js("Notification.last.onclick()").await;
    ada.sees("Are you there?").await;
    eventually("it is read", || async { ada.unread("Ben Okafor").await == 0 }).await;
    ada.js("window.told = []").await;
    ben.says("On the screen").await;
    ada.sees("On the screen").await;
    eventually("it is read", || async { ada.unread("Ben Okafor").await == 0 }).await;

    // Named in the place for everyone, with "messages that name me".
    ada.opens("Everyone").await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.clicks(".about__notify option[value='mentions']").await;
    ada.clicks(".dialog button[aria-label='Close']").await;
    ada.opens("Ben Okafor").await;
    ben.opens("Everyone").await;
    ben.says("Nobody in particular").await;
    ben.says("@Ada Lovelace look").await;
    ada.is_told(&["Ben Okafor · Everyone: @Ada Lovelace look"]).await;

    // Silenced for an hour, and not to be disturbed at all.
    ada.opens("Everyone").await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.clicks(".about__notify option[value='hour']").await;
    eventually("it says until when", || async {
        ada.js("return document.querySelector('.about__notify select').value").await == json!("until")
    })
    .await;
    ada.picture("about-muted").await;
    ada.clicks(".dialog button[aria-label='Close']").await;
    ada.opens("Ben Okafor").await;
    ada.js("window.told = []").await;
    ben.says("@Ada Lovelace again").await;
    eventually("it has come", || async { ada.unread("Everyone").await == 1 }).await;
    ada.goes_to("/settings").await;
    ada.clicks("#quiet option[value='always']").await;
    ben.opens("Ada Lovelace").await;
    ben.says("Not now").await;
    eventually("it has come", || async { ada.unread("Ben Okafor").await == 1 }).await;
    ada.clicks("#quiet option[value='off']").await;
    ben.says("But now").await;
    ada.is_told(&["Ben Okafor: But now"]).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn of_two_tabs_one_tells() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.signs_in_or_up().await;
    ada.goes_to("/settings").await;
    ada.clicks_button("Turn on").await;
    eventually("it says so", || async { ada.shown(".settings__told").await.contains("You are told") }).await;
    let first = ada.browser.window().await.unwrap();
    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second.clone()).await.unwrap();
    ada.is_listened_to().await;
    ada.goes_to("/").await;
    ada.is_connected().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "Just once").await;
    let mut told = Vec::new();
    eventually("both tabs have it", || async { ada.unread("Ben Okafor").await == 1 }).await;
    for tab in [&first, &second] {
        ada.browser.switch_to_window(tab.clone()).await.unwrap();
        eventually("both tabs have it", || async { ada.unread("Ben Okafor").await == 1 }).await;
    }
    eventually("one has told", || async {
        let mut count = 0;
        for tab in [&first, &second] {
            ada.browser.switch_to_window(tab.clone()).await.unwrap();
            count += ada.told().await.as_array().unwrap().len();
        }
        count >= 1
    })
    .await;
    // Longer than a tab that nobody looks at waits for one that somebody does look at.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    for tab in [&first, &second] {
        ada.browser.switch_to_window(tab.clone()).await.unwrap();
        told.extend(ada.told().await.as_array().unwrap().clone());
    }
    assert_eq!(told, ["Ben Okafor: Just once"]);
    ada.browser.switch_to_window(first).await.unwrap();
    for person in [ada, ben] {
        person.leaves().await;
    }
}
