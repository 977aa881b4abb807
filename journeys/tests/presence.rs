//! Who is there and who is writing, as others see it; and what becomes of messages later.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;

#[tokio::test]
async fn one_sees_the_other_come_write_and_react() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "hello Ben").await;
    ben.opens("Ada Lovelace").await;
    ben.sees("hello Ben").await;
    ada.goes_to("/").await;
    ada.opens("Ben Okafor").await;
    let shown = |css: &'static str| {
        let ada = &ada;
        async move { ada.js(&format!("return document.querySelector('{css}')?.innerText ?? ''")).await }
    };
    assert_eq!(shown(".pane__detail").await, json!(""), "how Ben is, is told once he has answered");
    ada.picture("presence-not-told").await;
    ben.pastes("I am thinking").await;
    eventually("Ben writes", || async { shown(".typing").await == json!("Ben Okafor is writing…") }).await;
    ada.picture("presence-writing").await;
    ben.presses(thirtyfour::Key::Enter).await;
    ada.sees("I am thinking").await;
    eventually("he has written", || async { shown(".typing").await == json!("") }).await;
    // Both have written now, and that he is there is told to whoever comes.
    ada.goes_to("/").await;
    ada.opens("Ben Okafor").await;
    eventually("Ben is there", || async { shown(".pane__detail").await == json!("Online") }).await;

    // The page has no buttons for these yet; another client of Ben's does them.
    let say = "const done = arguments[arguments.length - 1];
        const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
        const id = () => '0192f0c1-2345-7abc-8def-' + Math.random().toString(16).slice(2).padEnd(12, '0').slice(0, 12);
        let left = 3;
        socket.onmessage = (event) => {
            const frame = JSON.parse(event.data);
            const conversation = location.pathname.split('/')[2];
            if (frame.type === 'welcome') {
                const send = (command) => socket.send(JSON.stringify({ id: id(), conversation, ...command }));
                send({ type: 'react', target: 1, emoji: '🎉', on: true });
                send({ type: 'edit', target: 2, content: 'I have thought' });
                send({ type: 'react', target: 2, emoji: '👍', on: true });
            }
            if (frame.type === 'accepted' && --left === 0) { socket.close(); done('done') }
            if (frame.type === 'rejected') done(event.data);
        };";
    let done = ben.browser.execute_async(say, vec![]).await.unwrap();
    assert_eq!(done.json(), &json!("done"));
    eventually("the message has another text", || async {
        ada.texts().await == ["hello Ben", "I have thought (edited)"] && ben.texts().await == ada.texts().await
    })
    .await;
    let chips = "return [...document.querySelectorAll('.reaction')].map((e) => e.ariaLabel + e.ariaPressed)";
    eventually("reactions are there", || async {
        ada.js(chips).await == json!(["🎉, 1 personfalse", "👍, 1 personfalse"])
    })
    .await;
    ada.clicks(".reaction").await;
    eventually("one's own is added", || async {
        ada.js(chips).await == json!(["🎉, 2 peopletrue", "👍, 1 personfalse"])
    })
    .await;
    eventually("and seen by the other", || async {
        ben.js(chips).await == json!(["🎉, 2 peopletrue", "👍, 1 persontrue"])
    })
    .await;
    ada.picture("presence-reactions").await;
    ada.goes_to("/").await;
    ada.opens("Ben Okafor").await;
    eventually("history has all of it", || async {
        ada.js(chips).await == json!(["🎉, 2 peopletrue", "👍, 1 personfalse"])
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}
