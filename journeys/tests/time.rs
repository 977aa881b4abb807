//! Clocks that are wrong, days that begin, and when a message was said.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thirtyfour::prelude::*;

/// A device whose clock is so many milliseconds ahead: since the page began, or since just now.
const CLOCK: &str = "{
        const Real = Date;
        const ahead = () => window.ahead ?? Number(localStorage.getItem('test-ahead') ?? 0);
        window.Date = class extends Real {
            constructor(...all) { if (all.length > 0) super(...all); else super(Real.now() + ahead()) }
            static now() { return Real.now() + ahead() }
        };
    }";

const MINUTE: u64 = 60 * 1_000;
const DAY: u64 = 24 * 60 * MINUTE;

impl Person {
    /// The device's clock can be set from the next page on.
    async fn has_a_clock(&self) {
        let source = json!({"source": CLOCK});
        self.browser.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", source).await.unwrap();
    }

    /// The device's clock jumps while the page is open, as after a sleep; the person is there, and the list follows.
    async fn wakes_after(&self, millis: u64, parts: Value) {
        let script = "const [millis, parts] = arguments; window.ahead = millis; dispatchEvent(new Event('focus'));
            const text = document.querySelector('.conversation__time').textContent;
            const at = new Date(document.querySelector('.message__time').dateTime);
            const format = (part) => new Intl.DateTimeFormat(document.documentElement.lang, { [part]: 'numeric' });
            const has = (part) => format(part).formatToParts(at).every(({ type, value }) => type !== part || text.includes(value));
            return !text.includes(':') && parts.every(has)";
        eventually(&format!("the list says {parts}"), || async {
            let args = vec![json!(millis), parts.clone()];
            self.browser.execute(script, args).await.unwrap().json() == &json!(true)
        })
        .await;
    }
}

#[tokio::test]
async fn a_wrong_clock_keeps_nobody_from_being_told() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.has_a_clock().await;
    ada.js(&format!("localStorage.setItem('test-ahead', {})", 20 * MINUTE)).await;
    ada.signs_in_or_up().await;
    ada.turns_on().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "Are you there?").await;
    ada.is_told(&["Ben Okafor: Are you there?"]).await;
    // The clock is corrected while the page is open, and wrong again by far.
    for (ahead, text) in [(0, "Now?"), (3 * DAY, "And now?")] {
        ada.js(&format!("window.told = []; window.ahead = {ahead}")).await;
        ben.says(text).await;
        ada.is_told(&[&format!("Ben Okafor: {text}")]).await;
    }

    // An hour of silence begins now, and not when the device says.
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    ada.opens("Everyone").await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.clicks(".about__notify option[value='hour']").await;
    let until = "const done = arguments[0]; fetch('/api/conversations').then((answer) => answer.json())
        .then(({ conversations }) => done(conversations.find((one) => one.kind === 'everyone').preferences?.mutedUntil ?? 0))";
    let muted_until = || async { ada.browser.execute_async(until, vec![]).await.unwrap().json().as_u64().unwrap() };
    eventually("it is silenced", || async { muted_until().await > 0 }).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = Duration::from_millis(muted_until().await).saturating_sub(now);
    assert!(left <= Duration::from_millis(61 * MINUTE), "{left:?} of an hour");
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn the_list_follows_the_day_and_says_the_year_in_every_language() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.has_a_clock().await;
    ada.opens("Everyone").await;
    ada.says("Good night").await;
    ada.has_sent_all().await;
    let shown = "return document.querySelector('.conversation__time').textContent";
    for language in ["en", "de", "es", "ar", "zh", "ja"] {
        ada.js(&format!("localStorage.setItem('confab-language', '{language}')")).await;
        ada.browser.refresh().await.unwrap();
        ada.is_connected().await;
        ada.waits_for(".message__time").await;
        eventually(&format!("it speaks {language}"), || async {
            ada.js("return document.documentElement.lang").await == json!(language)
        })
        .await;
        let time = ada.js(shown).await;
        assert!(time.as_str().unwrap().contains(':'), "today it has a time: {time}");
        ada.wakes_after(2 * DAY, json!(["day"])).await;
        ada.wakes_after(400 * DAY, json!(["day", "year"])).await;
    }
    ada.leaves().await;
}

#[tokio::test]
async fn days_of_a_search_are_those_of_the_person() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.fills(1, 1).await;
    // At any time at least one of these has another date than Greenwich.
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let zone = json!({"timezoneId": zone});
        ada.browser.cdp().send_raw("Emulation.setTimezoneOverride", zone).await.unwrap();
        let day = async |ahead: i32| {
            let script = "const day = new Date(); day.setDate(day.getDate() + arguments[0]);
                return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, '0')).join('-')";
            ada.browser.execute(script, vec![json!(ahead)]).await.unwrap().json().as_str().unwrap().to_owned()
        };
        let (yesterday, today, tomorrow) = (day(-1).await, day(0).await, day(1).await);
        for (query, count) in [
            (format!("number after:{today} before:{tomorrow}"), 1),
            (format!("number after:{yesterday} before:{today}"), 0),
            (format!("number after:{tomorrow}"), 0),
        ] {
            ada.goes_to("/search").await;
            ada.types(".search input", &query).await;
            let note = if count == 0 { "Nothing was found." } else { "" };
            eventually(&query, || async {
                ada.js("return document.querySelectorAll('.search__text').length").await == json!(count)
                    && ada.shown(".search__note").await == note
            })
            .await;
        }
    }
    ada.leaves().await;
}

#[tokio::test]
async fn each_message_says_whose_it_is_and_when() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.opens("Everyone").await;
    for text in ["one", "two", "three"] {
        ben.says(text).await;
        ben.has_sent_all().await;
    }
    for (person, is_own) in [(&ada, false), (&ben, true)] {
        person.opens("Everyone").await;
        person.sees("three").await;
        let heads = "return [...document.querySelectorAll('.message')].map((e) => {
            const [name, time] = ['.message__sender', 'time.message__time'].map((css) => e.querySelector(css));
            const age = Date.now() - new Date(time.dateTime);
            return [name.textContent, /\\d/.test(time.textContent), age < 864e5, getComputedStyle(name).display !== 'none', e.dataset.own];
        })";
        let head = json!(["Ben Okafor", true, true, true, is_own.to_string()]);
        assert_eq!(person.js(heads).await, json!([head, head, head]));
        // The time is seen where one points, and not elsewhere.
        let seen = "return [...document.querySelectorAll('.message__head')].map((e) => getComputedStyle(e).opacity)";
        let last = person.browser.find(By::XPath("//div[@class='message__text'][.='two']")).await.unwrap();
        person.browser.action_chain().move_to_element_center(&last).perform().await.unwrap();
        eventually("the second is seen", || async { person.js(seen).await == json!(["1", "1", "0"]) }).await;
        person.js("[...document.querySelectorAll('.message')].at(-1).focus()").await;
        eventually("and the last with the focus", || async { person.js(seen).await[2] == json!("1") }).await;
        person.picture(&format!("time-of-{}", if is_own { "own" } else { "others" })).await;
        person.meets_no_barrier("a row of messages").await;
    }
    ada.leaves().await;
    ben.leaves().await;
}
