//! What is done with messages that are there: answering, changing, deleting, reacting; by mouse and by keyboard.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

/// Presses a button of a message's bar, which is there when the message is pointed at.
async fn does(person: &Person, text: &str, action: &str) {
    points_at(person, text).await;
    person.clicks(&format!(".actions button[aria-label='{action}']")).await;
}

async fn points_at(person: &Person, text: &str) {
    let row = By::XPath(format!("//article[.//div[contains(@class, 'message__text')][text()='{text}']]"));
    let row = person.browser.find(row).await.unwrap();
    row.scroll_into_view().await.unwrap();
    person.browser.action_chain().move_to_element_center(&row).perform().await.unwrap();
    person.waits_for(".actions").await;
}

async fn shows(person: &Person, css: &str, text: &str) {
    let what = format!("{} sees {text} in {css}", person.name);
    eventually(&what, || async { person.shown(css).await == text }).await;
}

#[tokio::test]
async fn an_answer_shows_what_it_answers_and_leads_there() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "Shall we take the early train?").await;
    ben.opens("Ada Lovelace").await;
    ben.says("Let me look").await;
    does(&ben, "Let me look", "Reply").await;
    shows(&ben, ".purpose .quote__text", "Let me look").await;
    ben.presses(Key::Escape).await;
    eventually("it is no answer any more", || async { ben.shown(".purpose").await.is_empty() }).await;
    ben.goes_up(2).await;
    ben.strikes("r").await;
    shows(&ben, ".purpose .quote__text", "Shall we take the early train?").await;
    ben.picture("reply-writing").await;
    ben.says("The early one is full").await;
    for person in [&ada, &ben] {
        person.sees("The early one is full").await;
        shows(person, ".message .quote", "Ada Lovelace\nShall we take the early train?").await;
    }
    assert_eq!(ben.shown(".purpose").await, "", "the next one answers nothing");
    // What is answered is changed: so is its quote.
    does(&ada, "Shall we take the early train?", "Edit").await;
    ada.rewrites("Shall we walk?").await;
    shows(&ben, ".message .quote", "Ada Lovelace\nShall we walk?").await;
    for width in [1280, 360] {
        ben.window(width, 740).await;
        ben.picture(&format!("reply-{width}")).await;
    }
    ben.clicks(".message .quote").await;
    eventually("the focus is on what is answered", || async {
        ben.js("return document.activeElement.querySelector('.message__text')?.textContent").await
            == json!("Shall we walk? (edited)")
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_quote_leads_to_a_message_that_is_far_away_and_so_does_its_link() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let id = ben.fills(1, 399).await;
    let answers = "const [id, done] = arguments;
        const body = JSON.stringify({ id: crypto.randomUUID(), content: 'number 400', replyTo: 20 });
        const headers = { 'content-type': 'application/json' };
        fetch('/api/conversations/' + id + '/messages', { method: 'POST', headers, body }).then(() => done(true));";
    ben.browser.execute_async(answers, vec![json!(id)]).await.unwrap();
    ben.opens("Everyone").await;
    ben.sees("number 400").await;
    shows(&ben, ".message .quote", "Ben Okafor\nnumber 20").await;
    ben.clicks(".message .quote").await;
    let focused = "return document.activeElement.querySelector('.message__text')?.textContent";
    let in_view = "const [pane, row] = [document.querySelector('.timeline'), document.activeElement].map((e) => e.getBoundingClientRect());
        return row.top >= pane.top && row.bottom <= pane.bottom";
    eventually("number 20 is there", || async { ben.js(focused).await == json!("number 20") }).await;
    assert_eq!(ben.js(in_view).await, json!(true));
    ben.picture("reply-far").await;
    // From there it goes on both ways, and back to the end.
    ben.clicks_button("Latest messages").await;
    ben.sees("number 400").await;

    // The same by its address, as somebody who gets it sends it on: also before one is signed in.
    let cy = Person::joins("Cy Young", &driver, &server).await;
    cy.goes_to(&format!("/c/{id}/120")).await;
    eventually("number 120 is there", || async { cy.js(focused).await == json!("number 120") }).await;
    assert_eq!(cy.js(in_view).await, json!(true));
    cy.opens("Everyone").await;
    assert_eq!(cy.js("return location.pathname").await, json!(format!("/c/{id}")));
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_message_is_changed_with_the_key_up_and_everybody_sees_it() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "See you at noon").await;
    ben.opens("Ada Lovelace").await;
    ben.sees("See you at noon").await;
    ada.has_sent_all().await;
    ada.clicks(".composer__text").await;
    ada.presses(Key::Up).await;
    let written = "return document.querySelector('.composer__text').value";
    eventually("her text is there", || async { ada.js(written).await == json!("See you at noon") }).await;
    ada.picture("edit-writing").await;
    ada.presses(Key::Escape).await;
    eventually("and not any more", || async { ada.js(written).await == json!("") }).await;
    ada.presses(Key::Up).await;
    ada.rewrites("See you at one").await;
    for person in [&ada, &ben] {
        person.sees("See you at one (edited)").await;
    }
    assert_eq!(ada.js(written).await, json!(""));
    // Without a connection it is shown, and sent when there is one: by the page that is still there, and by the next
    // one if the page was left.
    for (text, is_left) in [("See you at two", false), ("See you at three", true)] {
        let edited = format!("{text} (edited)");
        ada.has_network(false).await;
        ada.has_status("offline").await;
        ada.clicks(".composer__text").await;
        ada.presses(Key::Up).await;
        ada.rewrites(text).await;
        ada.sees(&edited).await;
        shows(&ada, ".message__note", "Saving…").await;
        ada.is_kept(1).await;
        if is_left {
            ada.browser.goto("about:blank").await.unwrap();
        }
        ada.has_network(true).await;
        if is_left {
            ada.goes_to("/").await;
            ada.is_connected().await;
            ada.opens("Ben Okafor").await;
        }
        for person in [&ada, &ben] {
            person.sees(&edited).await;
        }
        eventually("it is saved", || async { ada.shown(".message__note").await.is_empty() }).await;
        ada.is_kept(0).await;
    }
    // What is another's cannot be changed.
    points_at(&ben, "See you at three").await;
    assert_eq!(
        ben.js("return [...document.querySelectorAll('.actions button')].map((e) => e.ariaLabel)").await,
        json!(["Add a reaction", "Reply", "Copy text", "Copy link"])
    );
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_deleted_message_can_be_had_back_for_a_moment() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "first").await;
    ada.has_sent_all().await;
    ada.says("second").await;
    ada.has_sent_all().await;
    ben.opens("Ada Lovelace").await;
    ben.sees("second").await;
    does(&ada, "first", "Delete").await;
    shows(&ada, ".message__note", "Message deleted.\nUndo").await;
    ada.picture("delete-undo").await;
    ada.clicks_button("Undo").await;
    ada.sees("first").await;
    assert_eq!(ben.texts().await, ["first", "second"], "nobody has heard of it");
    does(&ada, "second", "Delete").await;
    // Leaving the page does not undo it, nor does loading it anew.
    ada.goes_to("/").await;
    ben.sees("This message was deleted").await;
    assert_eq!(ben.texts().await, ["first", "This message was deleted"]);
    ada.opens("Ben Okafor").await;
    ada.sees("This message was deleted").await;
    does(&ada, "first", "Delete").await;
    ada.browser.refresh().await.unwrap();
    for person in [&ben, &ada] {
        eventually("both are deleted", || async { person.texts().await == ["This message was deleted"; 2] }).await;
    }
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn an_emoji_is_found_by_its_name_and_by_keys_alone() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "The engine works").await;
    ben.opens("Ada Lovelace").await;
    ben.sees("The engine works").await;
    ben.js("document.querySelector('.timeline').focus()").await;
    ben.presses(Key::Up).await;
    ben.strikes("+").await;
    ben.waits_for(".emoji__one").await;
    let count = "return document.querySelectorAll('.emoji__one').length";
    eventually("the table is there", || async {
        ben.js("return document.querySelectorAll('.emoji__tab').length").await == json!(10)
    })
    .await;
    for (width, scheme) in [(1280, "light"), (360, "dark")] {
        ben.window(width, 740).await;
        ben.prefers(scheme).await;
        ben.picture(&format!("emoji-{width}-{scheme}")).await;
    }
    ben.browser.active_element().await.unwrap().send_keys("party").await.unwrap();
    eventually("a few are left", || async {
        ben.js(count).await.as_u64().is_some_and(|count| (1..20).contains(&count))
    })
    .await;
    ben.presses(Key::Down).await;
    ben.presses(Key::Right).await;
    ben.presses(Key::Left).await;
    let symbol = ben.js("return document.activeElement.textContent").await;
    ben.presses(Key::Enter).await;
    let chips = "return [...document.querySelectorAll('.reaction')].map((e) => e.firstElementChild.textContent)";
    for person in [&ada, &ben] {
        eventually("the reaction is there", || async { person.js(chips).await == json!([symbol]) }).await;
    }
    assert_eq!(
        ben.js("return document.activeElement.className").await,
        json!("message"),
        "the focus is back on the message"
    );
    // In a text, where the caret is; in one's own skin tone.
    ada.pastes("good  work").await;
    ada.presses(Key::Left).await;
    for _ in 0..4 {
        ada.presses(Key::Left).await;
    }
    ada.clicks(".composer button[aria-label='Emoji']").await;
    ada.waits_for(".emoji__one").await;
    ada.clicks(".emoji__tone:nth-child(4)").await;
    ada.browser.find(By::Css(".dialog--emoji input")).await.unwrap().send_keys(":clap:").await.unwrap();
    eventually("it is found", || async {
        ada.js("return document.querySelector('.emoji__one')?.textContent").await == json!("👏🏽")
    })
    .await;
    ada.browser.find(By::Css(".dialog--emoji input")).await.unwrap().send_keys(Key::Enter + "").await.unwrap();
    eventually("it is in the text", || async {
        ada.js("return document.querySelector('.composer__text').value").await == json!("good 👏🏽 work")
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}
