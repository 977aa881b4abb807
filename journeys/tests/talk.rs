//! Three people, three browsers: to one, to several, to everyone.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

#[tokio::test]
async fn three_people_talk_to_one_to_several_and_to_everyone() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;

    ada.writes_to(&["Ben Okafor"], "Hello Ben, just you").await;
    ada.has_sent_all().await;
    eventually("Ben's list shows it", || async { ben.unread("Ada Lovelace").await == 1 }).await;
    ben.opens("Ada Lovelace").await;
    ben.sees("Hello Ben, just you").await;
    eventually("it is read", || async { ben.unread("Ada Lovelace").await == 0 }).await;
    ben.says("Hello Ada!").await;
    ada.sees("Hello Ada!").await;
    assert_eq!(cy.conversations().await, ["Everyone"], "a third person sees nothing");

    ada.writes_to(&["Ben Okafor", "Cy Young"], "Hello both").await;
    cy.opens("Ada Lovelace, Ben Okafor").await;
    cy.sees("Hello both").await;
    eventually("Ben has it", || async { ben.unread("Ada Lovelace, Cy Young").await == 1 }).await;

    cy.opens("Everyone").await;
    cy.says("Hello all").await;
    ben.opens("Everyone").await;
    ben.sees("Hello all").await;
    ada.opens("Everyone").await;
    ada.sees("Hello all").await;
    for person in [&ada, &ben, &cy] {
        assert_eq!(person.texts().await, ["Hello all"], "once, and nothing else");
        assert_eq!(person.conversations().await[0], "Everyone", "newest first");
    }
    ben.picture("talk-everyone").await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn two_tabs_of_one_person_agree_and_a_reload_shows_the_same() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    for text in ["one", "two", "three"] {
        ben.opens("Everyone").await;
        ben.says(text).await;
    }
    eventually("Ada has three unread", || async { ada.unread("Everyone").await == 3 }).await;

    let first = ada.browser.window().await.unwrap();
    let second = ada.browser.new_tab().await.unwrap();
    ada.browser.switch_to_window(second.clone()).await.unwrap();
    ada.has_focus().await;
    ada.goes_to("/").await;
    ada.is_connected().await;
    assert_eq!(ada.unread("Everyone").await, 3);
    ada.opens("Everyone").await;
    eventually("it is read", || async { ada.unread("Everyone").await == 0 }).await;
    // Nothing is written yet: whoever writes has read, too.
    ada.browser.switch_to_window(first.clone()).await.unwrap();
    eventually("the other tab has read it too", || async { ada.unread("Everyone").await == 0 }).await;
    ada.browser.switch_to_window(second).await.unwrap();
    ada.says("four").await;
    ada.has_sent_all().await;
    assert_eq!(ada.texts().await, ["one", "two", "three", "four"]);

    ada.browser.switch_to_window(first).await.unwrap();
    ada.opens("Everyone").await;
    ada.sees("four").await;
    ada.browser.refresh().await.unwrap();
    ada.sees("four").await;
    assert_eq!(ada.texts().await, ["one", "two", "three", "four"]);
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_new_account_is_shown_what_it_can_do() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    for (width, place) in [(1280, ".pane .first-steps"), (360, ".sidebar .first-steps")] {
        ada.window(width, 740).await;
        for scheme in ["dark", "light"] {
            ada.prefers(scheme).await;
            ada.waits_for(&format!("{place} a")).await;
            let seen =
                "return [...document.querySelectorAll('.first-steps')].filter((e) => e.checkVisibility()).length";
            assert_eq!(ada.js(seen).await, json!(1), "{width}");
            ada.meets_no_barrier(&format!("first steps, {scheme}, {width}")).await;
            ada.picture(&format!("first-steps-{scheme}-{width}")).await;
        }
        assert_eq!(
            ada.js(&format!("return document.querySelector('{place} .first-steps__address').textContent")).await,
            json!(server.origin())
        );
        for (link, css) in [
            ("New message", "#people-search"),
            ("Find channels", "input[type='search']"),
            ("New group or channel", "#group-name"),
        ] {
            let link =
                By::XPath(format!("//main//a[normalize-space()='{link}'] | //nav//a[normalize-space()='{link}']"));
            let links = ada.browser.find_all(link).await.unwrap();
            for link in links {
                if link.is_displayed().await.unwrap() {
                    link.click().await.unwrap();
                    break;
                }
            }
            ada.waits_for(css).await;
            ada.browser.back().await.unwrap();
            ada.waits_for(&format!("{place} a")).await;
        }
    }
    ada.js("[...document.querySelectorAll('.first-steps a')].find((e) => e.checkVisibility()).click()").await;
    eventually("everybody's is open", || async { ada.shown(".pane__name").await == "Everyone" }).await;
    ada.window(1280, 800).await;
    // First steps go once something is begun.
    ada.writes_to(&["Ben Okafor"], "Hello").await;
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.waits_for(".shell__empty").await;
    assert_eq!(ada.js("return document.querySelectorAll('.first-steps').length").await, json!(0));
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn what_is_written_to_people_stays_whoever_is_added_and_wherever_one_looks() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    let written = "return document.querySelector('.composer__text').value";
    let picks = async |name: &str| {
        let person = By::XPath(format!("//button[contains(@class, 'person')][.//bdi[text()='{name}']]"));
        ada.clicks_on(person, &format!("Ada picks {name}")).await;
    };
    ada.clicks("a[href='/new']").await;
    picks("Ben Okafor").await;
    ada.pastes("Are you there").await;
    picks("Cy Young").await;
    assert_eq!(ada.js(written).await, json!("Are you there"));
    ada.clicks("button[aria-label='Remove Ben Okafor']").await;
    assert_eq!(ada.js(written).await, json!("Are you there"));
    // Elsewhere and back; beginning a group is the same message.
    ada.opens("Everyone").await;
    ada.clicks("a[href='/new-group']").await;
    ada.waits_for(".chip").await;
    assert_eq!((ada.js(written).await, ada.shown(".chip bdi").await), (json!("Are you there"), "Cy Young".into()));
    // The text survives a reload as every draft does; whom it is for is chosen again.
    ada.goes_to("/new").await;
    ada.is_connected().await;
    eventually("the text is back", || async { ada.js(written).await == json!("Are you there") }).await;
    picks("Cy Young").await;
    ada.pastes("?").await;
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    ada.sees("Are you there?").await;
    cy.opens("Ada Lovelace").await;
    cy.sees("Are you there?").await;
    assert_eq!(ben.conversations().await, ["Everyone"]);
    // The next one begins anew.
    ada.clicks("a[href='/new']").await;
    ada.waits_for(".person").await;
    assert_eq!((ada.js(written).await, ada.shown(".chip").await), (json!(""), String::new()));
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}
