//! Long conversations: only a part of them is in the page, and nobody notices.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// So many rows are in the page at most, and one's own that are on their way.
const ROWS_MAX: u64 = 200;

/// Opens the conversation everybody is in and goes to its end: it opens at what is new.
async fn opens_at_end(person: &Person) {
    person.opens("Everyone").await;
    let goes = "const latest = document.querySelector('.latest');
        if (latest?.dataset.shown === 'true') latest.click();
        return document.querySelector('.message') !== null && document.querySelector('.timeline').scrollTop > -5";
    eventually(&format!("{} is at the end", person.name), || async {
        person.js(goes).await == json!(true) && person.unread("Everyone").await == 0
    })
    .await;
}

/// Scrolls by so many pixels, again and again, until this text is there and it goes no further. Says how
/// many pixels a row ever stood from where the scrolling should have left it, and how many rows there
/// were at most.
async fn scrolls(person: &Person, by: i32, until: &str) -> (f64, u64) {
    let script = "const [by, until, done] = arguments;
        const frame = () => new Promise(requestAnimationFrame);
        (async () => {
            const pane = document.querySelector('.timeline');
            // Somebody's hand, as the page can tell.
            pane.dispatchEvent(new WheelEvent('wheel'));
            let [worst, most] = [0, 0];
            for (let step = 0; step < 400; step++) {
                const all = [...document.querySelectorAll('.timeline .message')];
                most = Math.max(most, all.length);
                const top = pane.getBoundingClientRect().top + 100;
                const row = all.find((e) => e.getBoundingClientRect().bottom > top);
                const [before, from] = [row.getBoundingClientRect().bottom, pane.scrollTop];
                pane.scrollTop += by;
                const moved = pane.scrollTop - from;
                await frame();
                await frame();
                if (!row.isConnected) return done({ lost: row.textContent });
                worst = Math.max(worst, Math.abs(before - moved - row.getBoundingClientRect().bottom));
                const is_there = all.some((e) => e.querySelector('.message__text').textContent === until);
                if (moved === 0 && is_there) return done({ worst, most });
            }
            done({ stuck: pane.scrollTop });
        })()";
    let answer = person.browser.execute_async(script, vec![json!(by), json!(until)]).await.unwrap();
    let answer = answer.json();
    let worst = answer["worst"].as_f64().unwrap_or_else(|| panic!("{} does not get to {until}: {answer}", person.name));
    (worst, answer["most"].as_u64().unwrap())
}

/// The rows in view: their texts, and where they stand.
async fn view(person: &Person) -> Value {
    let script = "const pane = document.querySelector('.timeline').getBoundingClientRect();
        return [...document.querySelectorAll('.timeline .message')]
            .map((e) => [e.querySelector('.message__text').textContent, e.getBoundingClientRect()])
            .filter(([_, box]) => box.bottom > pane.top && box.top < pane.bottom)
            .map(([text, box]) => [text, Math.round(box.top)])";
    person.js(script).await
}

async fn rows(person: &Person) -> u64 {
    person.js("return document.querySelectorAll('.timeline .message').length").await.as_u64().unwrap()
}

async fn is_at_end(person: &Person) {
    eventually(&format!("{} is at the end", person.name), || async {
        person.js("return document.querySelector('.timeline').scrollTop > -5").await == json!(true)
    })
    .await;
}

#[tokio::test]
async fn a_long_conversation_is_read_up_to_its_beginning_and_down_again_without_a_jump() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 520).await;
    for (width, height, last) in [(1280, 800, "number 520"), (360, 740, "seen at 1280")] {
        ada.window(width, height).await;
        ada.goes_to("/").await;
        ada.is_connected().await;
        opens_at_end(&ada).await;
        ada.sees(last).await;
        for (by, until) in [(-400, "number 1"), (400, last)] {
            let (worst, most) = scrolls(&ada, by, until).await;
            assert!(worst <= 1.0, "the view jumped by {worst} pixels on the way to {until}");
            assert!(most <= ROWS_MAX, "{most} rows on the way to {until}");
            ada.picture(&format!("scroll-{width}-{}", if by < 0 { "up" } else { "down" })).await;
        }
        is_at_end(&ada).await;
        let text = format!("seen at {width}");
        ben.opens("Everyone").await;
        ben.says(&text).await;
        ada.sees(&text).await;
    }
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn what_comes_while_history_is_read_does_not_move_it() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 150).await;
    opens_at_end(&ada).await;
    ada.sees("number 150").await;
    // Somebody's hand, as the page can tell: what it scrolls is not taken back.
    ada.js(
        "const pane = document.querySelector('.timeline'); pane.dispatchEvent(new WheelEvent('wheel')); pane.scrollTop = -1500",
    )
    .await;
    ada.waits_for(".latest").await;
    eventually("older ones are loaded", || async { rows(&ada).await > 100 }).await;
    let before = view(&ada).await;
    // More than there is room for.
    ben.fills(151, 450).await;
    eventually("Ada hears of them", || async {
        ada.js("return document.querySelector('.latest').innerText.trim()").await == json!("300 new messages")
    })
    .await;
    let after = view(&ada).await;
    assert_eq!(after, before);
    assert!(rows(&ada).await <= ROWS_MAX);
    ada.picture("scroll-new-messages").await;
    assert!(ada.unread("Everyone").await > 0, "what is not seen is not read");
    ada.clicks(".latest").await;
    ada.sees("number 450").await;
    is_at_end(&ada).await;
    eventually("all is read", || async { ada.unread("Everyone").await == 0 }).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn at_the_end_the_view_follows_and_the_page_does_not_grow() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 60).await;
    opens_at_end(&ada).await;
    ada.sees("number 60").await;
    let nodes = "return document.querySelectorAll('*').length";
    for last in [360, 660] {
        ben.fills(last - 299, last).await;
        ada.sees(&format!("number {last}")).await;
        is_at_end(&ada).await;
        assert!(rows(&ada).await <= ROWS_MAX);
        assert!(ada.js(nodes).await.as_u64().unwrap() < 3_000);
    }
    assert_eq!(ada.unread("Everyone").await, 0);
    let (worst, _) = scrolls(&ada, -400, "number 1").await;
    assert!(worst <= 1.0, "the view jumped by {worst} pixels");
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn what_one_writes_is_in_view_wherever_one_was() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 450).await;
    opens_at_end(&ada).await;
    ada.sees("number 450").await;
    scrolls(&ada, -400, "number 1").await;
    ada.says("from far above").await;
    ada.sees("from far above").await;
    is_at_end(&ada).await;
    ada.sees("number 450").await;
    ada.has_sent_all().await;

    scrolls(&ada, -400, "number 1").await;
    ada.has_network(false).await;
    ada.says("without a network").await;
    ada.waits_for(".message[data-state='pending']").await;
    is_at_end(&ada).await;
    ada.has_network(true).await;
    ada.is_connected().await;
    ada.has_sent_all().await;
    eventually("all is there, in its order", || async {
        ada.texts().await.ends_with(&["number 450".into(), "from far above".into(), "without a network".into()])
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn history_is_read_with_the_keyboard() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.fills(1, 300).await;
    opens_at_end(&ada).await;
    ada.sees("number 300").await;
    ada.js("document.querySelector('.timeline').focus()").await;
    let scrolled = "return document.querySelector('.timeline').scrollTop";
    ada.presses(Key::PageUp).await;
    eventually("a page up", || async { ada.js(scrolled).await.as_f64().unwrap() < -200.0 }).await;
    eventually("Home, again and again, leads to the beginning", || async {
        ada.presses(Key::Home).await;
        ada.texts().await.first().is_some_and(|text| text == "number 1")
    })
    .await;
    // Though the browser is still on its way up.
    ada.presses(Key::End).await;
    eventually("End leads to the end", || async {
        ada.texts().await.last().is_some_and(|text| text == "number 300")
            && ada.js(scrolled).await.as_f64().is_some_and(|scrolled| scrolled.abs() < 2.0)
    })
    .await;
    is_at_end(&ada).await;
    ada.leaves().await;
    ben.leaves().await;
}
