//! Three people, three browsers: to one, to several, to everyone.

use crate::support::{Driver, Person, Server, eventually};

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
