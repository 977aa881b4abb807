//! Being told of messages outside the page: once, as much as one wants, and not of what one is looking at.

use crate::reading::first_new;
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
    document.hasFocus = () => window.isThere ?? true;
    window.AudioContext = class extends AudioContext { createOscillator() { sounds++; return super.createOscillator() } };";

impl Person {
    pub(crate) async fn is_listened_to(&self) {
        let cdp = self.browser.cdp();
        cdp.send_raw("Page.addScriptToEvaluateOnNewDocument", json!({"source": STAND_IN})).await.unwrap();
        self.has_focus().await;
    }

    async fn told(&self) -> Value {
        self.js("return window.told").await
    }

    /// Turns notifications on, in a browser that is listened to.
    pub(crate) async fn turns_on(&self) {
        self.goes_to("/settings").await;
        self.clicks_button("Turn on").await;
        eventually("it says so", || async { self.shown(".settings__told").await.contains("You are told") }).await;
    }

    /// Uses another window, of another program, or comes back to this one.
    pub(crate) async fn is_there(&self, is_there: bool) {
        let event = if is_there { "focus" } else { "blur" };
        self.js(&format!("window.isThere = {is_there}; dispatchEvent(new Event('{event}'))")).await;
    }

    /// Says texts in the open conversation by another client.
    pub(crate) async fn posts(&self, texts: &[String]) {
        let post = "const [texts, done] = arguments; (async () => {
            const url = `/api/conversations/${location.pathname.split('/')[2]}/messages`;
            for (const content of texts) {
                const body = JSON.stringify({ id: crypto.randomUUID(), content });
                await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
            }
            done();
        })()";
        self.browser.execute_async(post, vec![json!(texts)]).await.unwrap();
    }

    /// Does something to the open conversation's messages, by another client.
    pub(crate) async fn commands(&self, command: Value) {
        eventually("the conversation has an address", || async {
            self.js("return location.pathname.startsWith('/c/')").await == json!(true)
        })
        .await;
        let say = "const [command, done] = arguments; const conversation = location.pathname.split('/')[2];
            const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
            socket.onmessage = ({ data }) => {
                const { type } = JSON.parse(data);
                if (type === 'welcome') socket.send(JSON.stringify({ id: crypto.randomUUID(), conversation, ...command }));
                if (type === 'accepted' || type === 'rejected') { socket.close(); done(type) }
            };";
        let done = self.browser.execute_async(say, vec![command]).await.unwrap();
        assert_eq!(done.json(), &json!("accepted"));
    }

    pub(crate) async fn is_told(&self, expected: &[&str]) {
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
    ada.turns_on().await;
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
    assert_eq!(ada.browser.title().await.unwrap(), "Confab", "what is silenced does not count there");
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
    ada.turns_on().await;
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

#[tokio::test]
async fn what_nobody_looks_at_is_told_and_stays_new() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.signs_in_or_up().await;
    ada.turns_on().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "Are you there?").await;
    ada.opens("Ben Okafor").await;
    // From then on how far she is is told.
    ada.says("Yes").await;
    ben.sees("Yes").await;
    let marks = "return [...document.querySelectorAll('.message__mark')].map((e) => e.dataset.mark)";
    eventually("it is read", || async { ben.js(marks).await == json!(["read"]) }).await;

    // The window stays where it is, and she uses another program.
    ada.js("window.told = []").await;
    ada.is_there(false).await;
    ben.says("And now?").await;
    ada.sees("And now?").await;
    ada.is_told(&["Ben Okafor: And now?"]).await;
    eventually("it has come and is not read", || async { ben.js(marks).await == json!(["read", "delivered"]) }).await;
    assert_eq!((ada.unread("Ben Okafor").await, first_new(&ada).await), (1, "And now?".to_owned()));
    assert_eq!(ada.browser.title().await.unwrap(), "(1) Confab");
    ada.picture("alert-not-looked-at").await;
    ada.is_there(true).await;
    eventually("it is read", || async { ben.js(marks).await == json!(["read", "read"]) }).await;
    eventually("its notification goes", || async { ada.told().await == json!(["Ben Okafor: And now?", "closed"]) })
        .await;
    assert_eq!((ada.unread("Ben Okafor").await, first_new(&ada).await), (0, "And now?".to_owned()));

    // More than the window has room for is read from its beginning on.
    ada.is_there(false).await;
    let many: Vec<_> = (1..=40).map(|number| format!("line {number}")).collect();
    ben.posts(&many).await;
    ada.sees("line 40").await;
    assert_eq!(ada.unread("Ben Okafor").await, 40);
    ada.is_there(true).await;
    eventually("the first new one is in view", || async { first_new(&ada).await == "line 1" }).await;
    assert_eq!(ada.unread("Ben Okafor").await, 40, "what is not seen yet is not read");
    ada.clicks(".latest").await;
    eventually("all is read", || async { ada.unread("Ben Okafor").await == 0 }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn what_was_told_changes_and_goes_with_its_message() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::arrives("Ada Lovelace", &driver, &server).await;
    ada.is_listened_to().await;
    ada.signs_in_or_up().await;
    ada.turns_on().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "The code is 4711").await;
    ada.is_told(&["Ben Okafor: The code is 4711"]).await;
    ben.commands(json!({"type": "edit", "target": 1, "content": "The code is a secret"})).await;
    ada.is_told(&["Ben Okafor: The code is 4711", "Ben Okafor: The code is a secret"]).await;
    assert_eq!(ada.browser.title().await.unwrap(), "(1) Confab");
    ben.commands(json!({"type": "delete", "target": 1})).await;
    ada.is_told(&["Ben Okafor: The code is 4711", "Ben Okafor: The code is a secret", "closed"]).await;
    // Nothing of it waits to be read, after a reload neither.
    for _ in 0..2 {
        eventually("nothing is new", || async { ada.browser.title().await.unwrap() == "Confab" }).await;
        assert_eq!(ada.unread("Ben Okafor").await, 0);
        ada.browser.refresh().await.unwrap();
        ada.is_connected().await;
    }
    for person in [ada, ben] {
        person.leaves().await;
    }
}
