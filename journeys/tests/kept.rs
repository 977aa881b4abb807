//! The page stays in the browser: it opens without a network as it was last, and a new build comes whole, when the person
//! wants it, or not at all.

use crate::proxy::{Build, Proxy};
use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use std::path::Path;

#[tokio::test]
async fn the_page_opens_without_a_network_as_it_was_last_and_goes_on_from_there() {
    let (mut server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ben.opens("Everyone").await;
    ada.says("the first").await;
    ben.sees("the first").await;
    ben.says("the *second*").await;
    ada.sees("the second").await;
    ben.writes_to(&["Ada Lovelace"], "just for you").await;
    ada.opens("Ben Okafor").await;
    ada.sees("just for you").await;
    ada.stays_in_the_browser().await;
    ada.is_written_down("just for you").await;
    let found = ada.browser.cdp().send_raw("Page.getInstallabilityErrors", json!({})).await.unwrap();
    assert_eq!(found["installabilityErrors"], json!([]), "it can be installed");

    server.kill();
    ada.goes_to("/").await;
    ada.has_status("waiting").await;
    assert_eq!(ada.conversations().await, ["Ben Okafor", "Everyone"]);
    ada.opens("Everyone").await;
    ada.sees("the second").await;
    assert_eq!(ada.texts().await, ["the first", "the second"]);
    assert_eq!(ada.shown(".sidebar__name").await, "Ada Lovelace");
    ada.says("from the tunnel").await;
    ada.sees("from the tunnel").await;
    ada.picture("kept-1280").await;
    ada.window(360, 740).await;
    ada.picture("kept-360").await;
    ada.window(1280, 800).await;
    // What is written there survives the page as well, and a conversation's own address opens.
    ada.browser.refresh().await.unwrap();
    ada.sees("from the tunnel").await;
    assert_eq!(ada.texts().await, ["the first", "the second", "from the tunnel"]);

    server.start_again();
    ben.is_connected().await;
    ben.opens("Everyone").await;
    ben.says("in the meantime").await;
    ada.is_connected().await;
    ada.has_sent_all().await;
    ben.sees("from the tunnel").await;
    ada.sees("in the meantime").await;
    eventually("both see the same", || async {
        ada.texts().await.len() == 4 && ada.texts().await == ben.texts().await
    })
    .await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn nothing_of_whoever_signs_out_stays() {
    const SECRET: &str = "a secret of 4711";
    let (mut server, driver) = (Server::start(), Driver::start().await);
    let profile = tempfile::tempdir().unwrap();
    let folder = format!("--user-data-dir={}", profile.path().display());
    let ada = Person::sits_at(driver.browser_with(&[&folder]).await, "Ada Lovelace", &server);
    ada.window(1280, 800).await;
    ada.signs_in_or_up().await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.opens("Everyone").await;
    ada.says(SECRET).await;
    ada.has_sent_all().await;
    // The browser notes that it has told of this.
    ben.writes_to(&["Ada Lovelace"], "Are you there?").await;
    eventually("it has come", || async { ada.unread("Ben Okafor").await == 1 }).await;
    ada.pastes(&format!("{SECRET}, and half a sentence")).await;
    ada.stays_in_the_browser().await;
    ada.is_written_down(SECRET).await;
    let file = ada.fetches_a_file(SECRET).await;
    let hers = [SECRET.to_owned(), "ada.lovelace@example.org".to_owned(), ada.id_of("/api/session").await, {
        let path = ben.js("return location.pathname").await;
        path.as_str().unwrap().trim_start_matches("/c/").to_owned()
    }];
    // All of it is found while she is there: the search can fail.
    let everything = ["IndexedDB confab-last", "localStorage", "HTTP cache"];
    eventually("all of it is there", || async {
        let found = ada.what_stays(&hers, &file).await;
        everything.iter().all(|place| found.iter().any(|one| one == place))
    })
    .await;
    assert_eq!(ada.browser.get_all_cookies().await.unwrap().len(), 1);
    eventually("the file is on the disk", || async { is_in_cache(profile.path(), SECRET) }).await;

    ada.clicks("button[aria-label='Sign out']").await;
    ada.waits_for("form.form").await;
    eventually("it is gone", || async { ada.written_down().await == json!([]) }).await;
    assert_eq!(ada.what_stays(&hers, &file).await, [""; 0]);
    assert_eq!(ada.browser.get_all_cookies().await.unwrap().len(), 0);
    eventually("the file is gone from the disk", || async { !is_in_cache(profile.path(), SECRET) }).await;
    server.kill();
    ada.goes_to("/").await;
    ada.has_status("waiting").await;
    assert_eq!(ada.conversations().await, [""; 0]);
    ada.leaves().await;
    ben.leaves().await;
}

/// Whether a text is in what the browser keeps of answers on its disk.
fn is_in_cache(profile: &Path, text: &str) -> bool {
    let is_there = |file: &Path| {
        std::fs::read(file).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    let files = std::fs::read_dir(profile.join("Default/Cache/Cache_Data")).into_iter().flatten().flatten();
    files.into_iter().any(|file| is_there(&file.path()))
}

#[tokio::test]
async fn a_new_build_waits_until_it_is_wanted() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let proxy = Proxy::start(&server).await;
    let ada = Person::joins_at("Ada Lovelace", &driver, proxy.origin()).await;
    ada.opens("Everyone").await;
    ada.stays_in_the_browser().await;
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    assert_eq!(ada.build().await, json!(null));

    proxy.serves(Build::Next);
    proxy.cuts();
    ada.is_connected().await;
    ada.waits_for("[data-renewed] .status__button").await;
    ada.picture("renewed-1280").await;
    ada.window(360, 740).await;
    ada.picture("renewed-360").await;
    ada.pastes("half a sentence").await;
    assert_eq!(ada.build().await, json!(null), "nothing has changed under the person's hands");
    ada.clicks("[data-renewed] .status__button").await;
    eventually("the new build is there", || async { ada.build().await == json!("next") }).await;
    ada.is_connected().await;
    ada.waits_for(".composer__text").await;
    let written = "return document.querySelector('.composer__text').value";
    eventually("what was written is there", || async { ada.js(written).await == json!("half a sentence") }).await;
    assert_eq!(ada.js("return document.querySelector('[data-renewed] button')").await, json!(null));
    ada.leaves().await;
}

#[tokio::test]
async fn a_build_that_does_not_come_whole_is_not_taken() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let proxy = Proxy::start(&server).await;
    let ada = Person::joins_at("Ada Lovelace", &driver, proxy.origin()).await;
    ada.stays_in_the_browser().await;
    proxy.serves(Build::Broken);
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    eventually("the browser has asked for it", || async { proxy.has_served(Build::Broken) }).await;
    let state = "const done = arguments[0]; navigator.serviceWorker.getRegistration().then((registration) =>
        done(registration.active !== null && registration.installing === null && registration.waiting === null))";
    eventually("it was not taken", || async {
        ada.browser.execute_async(state, vec![]).await.unwrap().json() == &json!(true)
    })
    .await;
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    assert_eq!(ada.build().await, json!(null));
    assert_eq!(ada.js("return document.querySelector('[data-renewed] button')").await, json!(null));
    ada.leaves().await;
}

impl Person {
    /// Waits until the page is kept by the browser.
    pub(crate) async fn stays_in_the_browser(&self) {
        let ready =
            "const done = arguments[0]; navigator.serviceWorker.ready.then((kept) => done(kept.active !== null))";
        let is_ready = self.browser.execute_async(ready, vec![]).await.unwrap();
        assert_eq!(is_ready.json(), &json!(true));
    }

    /// All that is written down of how everything stands.
    async fn written_down(&self) -> serde_json::Value {
        let all = "const done = arguments[0]; (async () => {
            const known = await indexedDB.databases();
            if (!known.some((one) => one.name === 'confab-last')) return done([]);
            const open = indexedDB.open('confab-last');
            open.onsuccess = () => {
                const database = open.result;
                if (!database.objectStoreNames.contains('last')) { database.close(); return done([]); }
                const all = database.transaction('last').objectStore('last').getAll();
                all.onsuccess = () => { database.close(); done(all.result) };
            };
        })()";
        self.browser.execute_async(all, vec![]).await.unwrap().json().clone()
    }

    /// Uploads a file that says this, and gets it, as the page does. Gives its address.
    async fn fetches_a_file(&self, text: &str) -> String {
        let fetch = "const [text, done] = arguments; (async () => {
            const sent = await fetch('/api/attachments?name=notes.txt', { method: 'POST', body: text });
            const path = '/api/attachments/' + (await sent.json()).attachment.id;
            await (await fetch(path)).text();
            done(path);
        })()";
        let path = self.browser.execute_async(fetch, vec![json!(text)]).await.unwrap();
        path.json().as_str().unwrap().to_owned()
    }

    /// One's own id, as an address of the server says it.
    async fn id_of(&self, path: &str) -> String {
        let ask = "const [path, done] = arguments; fetch(path).then((answer) => answer.json()).then((it) => done(it.user.id))";
        let id = self.browser.execute_async(ask, vec![json!(path)]).await.unwrap();
        id.json().as_str().unwrap().to_owned()
    }

    /// The places where the browser keeps any of these texts for this site; of its HTTP cache, whether this address is in
    /// it.
    async fn what_stays(&self, texts: &[String], address: &str) -> Vec<String> {
        let look = "const [texts, address, done] = arguments; (async () => {
            const found = new Set();
            const look = (place, text) => { if (texts.some((one) => text.includes(one))) found.add(place) };
            const settled = (request) => new Promise((resolve) => {
                request.onsuccess = () => resolve(request.result);
                request.onerror = (event) => { event.preventDefault(); resolve(null) };
            });
            for (const { name } of await indexedDB.databases()) {
                const open = indexedDB.open(name);
                // One that has gone meanwhile is not made again.
                open.onupgradeneeded = () => open.transaction.abort();
                const database = await settled(open);
                for (const store of database?.objectStoreNames ?? []) {
                    const all = database.transaction(store).objectStore(store);
                    const [keys, values] = await Promise.all([settled(all.getAllKeys()), settled(all.getAll())]);
                    look('IndexedDB ' + name, JSON.stringify([name, keys, values]));
                }
                database?.close();
            }
            look('localStorage', JSON.stringify(Object.entries(localStorage)));
            look('sessionStorage', JSON.stringify(Object.entries(sessionStorage)));
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const request of await cache.keys()) {
                    look('Cache Storage', request.url + ' ' + (await (await cache.match(request)).text()));
                    if (new URL(request.url).pathname.startsWith('/api/')) found.add('Cache Storage');
                }
            }
            const kept = await fetch(address, { cache: 'only-if-cached', mode: 'same-origin' }).catch(() => null);
            if (kept?.ok) found.add('HTTP cache');
            done([...found]);
        })()";
        let found = self.browser.execute_async(look, vec![json!(texts), json!(address)]).await.unwrap();
        serde_json::from_value(found.json().clone()).unwrap()
    }

    async fn is_written_down(&self, text: &str) {
        eventually(&format!("{text} is written down"), || async {
            let all = self.written_down().await;
            // In the list, and in the conversation.
            all.as_array().unwrap().iter().filter(|one| one.as_str().unwrap().contains(text)).count() >= 2
        })
        .await;
    }

    /// Which build the page is of.
    async fn build(&self) -> serde_json::Value {
        self.js("return document.querySelector('meta[name=build]')?.content ?? null").await
    }
}
