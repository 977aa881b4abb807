//! How the page looks and speaks, and what belongs to the account.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

async fn chooses(person: &Person, select: &str, value: &str) {
    person.clicks(&format!("#{select} option[value='{value}']")).await;
}

#[tokio::test]
async fn a_theme_a_size_and_a_language_stay_chosen() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.opens("Everyone").await;
    ada.says("Hello").await;
    ada.has_sent_all().await;
    ada.clicks("a[href='/settings']").await;
    for (value, colour) in
        [("dark", "rgb(20, 22, 27)"), ("contrast", "rgb(255, 255, 255)"), ("light", "rgb(246, 247, 249)")]
    {
        chooses(&ada, "system", value).await;
        let canvas = "return getComputedStyle(document.body).backgroundColor";
        eventually(value, || async { ada.js(canvas).await == json!(colour) }).await;
    }
    chooses(&ada, "normal", "huge").await;
    let size = "return getComputedStyle(document.documentElement).fontSize";
    eventually("larger letters", || async { ada.js(size).await == json!("21px") }).await;
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    assert_eq!(ada.js(size).await, json!("21px"));
    chooses(&ada, "normal", "normal").await;

    for (tag, title, direction) in [
        ("de", "Einstellungen", "ltr"),
        ("es", "Ajustes", "ltr"),
        ("zh", "设置", "ltr"),
        ("ja", "設定", "ltr"),
        ("ar", "الإعدادات", "rtl"),
    ] {
        chooses(&ada, "language", tag).await;
        eventually(tag, || async { ada.shown(".pane__name").await == title }).await;
        let root = ada.js("return document.documentElement.lang + ' ' + document.documentElement.dir").await;
        assert_eq!(root, json!(format!("{tag} {direction}")));
    }
    // All of the page, after a reload, too, and in both directions.
    ada.goes_to("/").await;
    ada.is_connected().await;
    ada.opens("الجميع").await;
    for (width, scheme) in [(1280, "light"), (360, "light")] {
        ada.window(width, 740).await;
        ada.picture(&format!("arabic-{width}-{scheme}")).await;
        let fits = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(ada.js(fits).await, json!(true));
    }
    ada.window(1280, 800).await;
    ada.clicks("a[href='/settings']").await;
    ada.picture("settings-arabic").await;
    chooses(&ada, "language", "en").await;
    eventually("English again", || async { ada.shown(".pane__name").await == "Settings" }).await;
    for width in [1280, 360] {
        ada.window(width, 800).await;
        ada.picture(&format!("settings-{width}")).await;
    }
    ada.leaves().await;
}

#[tokio::test]
async fn a_name_a_password_devices_and_tokens_are_managed_in_the_page() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let phone = Person::sits_at(driver.browser().await, "Ada Lovelace", &server);
    phone.signs_in_or_up().await;
    ada.clicks("a[href='/settings']").await;
    let name = ada.waits_for("#displayName").await;
    name.send_keys(Key::Control + "a").await.unwrap();
    name.send_keys("Ada King").await.unwrap();
    ada.presses(Key::Enter).await;
    eventually("it is saved", || async { ada.shown(".settings__done").await.contains("Saved.") }).await;
    eventually("the list has it", || async { ada.shown(".sidebar__name").await == "Ada King" }).await;

    // A wrong password is said beside its field, and changes nothing.
    ada.types("#password-current", "wrong password").await;
    ada.types("#password", "a new and longer one").await;
    ada.presses(Key::Enter).await;
    ada.waits_for("#password-current-error .field__error").await;

    // The other device is signed out from here, and its page says so.
    eventually("two devices", || async {
        ada.shown(".settings__section .settings__name").await.matches("Chrome").count() == 2
    })
    .await;
    ada.clicks("button[aria-label^='Sign out: Chrome']").await;
    phone.has_status("ended").await;
    eventually("one device", || async {
        ada.shown(".settings__section .settings__name").await.matches("Chrome").count() == 1
    })
    .await;

    ada.types("#token-name", "weather bot").await;
    ada.types("#token-password", "correct horse").await;
    ada.presses(Key::Enter).await;
    let token = ada.waits_for(".settings__token code").await.text().await.unwrap();
    let call = "const [token, done] = arguments;
        fetch('/api/conversations', { headers: { authorization: 'Bearer ' + token }, credentials: 'omit' }).then((answer) => done(answer.status));";
    assert_eq!(ada.browser.execute_async(call, vec![json!(token)]).await.unwrap().json(), &json!(200));
    ada.picture("settings-token").await;
    ada.clicks("button[aria-label='Delete: weather bot']").await;
    eventually("the token is gone", || async { !ada.shown(".settings__name").await.contains("weather bot") }).await;
    assert_eq!(ada.browser.execute_async(call, vec![json!(token)]).await.unwrap().json(), &json!(401));

    ada.types("#deletion-password", "correct horse").await;
    ada.presses(Key::Enter).await;
    let path = "return location.pathname";
    eventually("nobody is signed in", || async { ada.js(path).await == json!("/signin") }).await;
    ada.leaves().await;
    phone.leaves().await;
}

#[tokio::test]
async fn one_goes_anywhere_with_a_few_keys() {
    const NEXT: &str = ".switcher__place[aria-selected=true] .switcher__name";
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let go =
        "document.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], ctrlKey: true, bubbles: true }))";
    let strikes = async |person: &Person, key: &str| {
        person.browser.execute(go, vec![json!(key)]).await.unwrap();
    };
    strikes(&ada, "k").await;
    ada.waits_for(".switcher__place").await;
    ada.strikes("ever").await;
    eventually("one is left", || async { ada.shown(NEXT).await == "Everyone" }).await;
    ada.presses(Key::Enter).await;
    eventually("it is open", || async { ada.shown(".pane__name").await == "Everyone" }).await;
    // Somebody one has not written to yet.
    strikes(&ada, "k").await;
    ada.waits_for(".switcher__place").await;
    ada.strikes("oka").await;
    eventually("Ben is found", || async { ada.shown(NEXT).await == "Ben Okafor" }).await;
    ada.picture("switcher").await;
    ada.presses(Key::Enter).await;
    eventually("he is written to", || async { ada.shown(".chip bdi").await == "Ben Okafor" }).await;
    strikes(&ada, "/").await;
    ada.waits_for(".shortcut").await;
    ada.picture("shortcuts").await;
    ada.presses(Key::Escape).await;
    eventually("it is closed", || async { ada.shown(".shortcut").await.is_empty() }).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_picture_and_a_status_are_seen_by_others() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ben.writes_to(&["Ada Lovelace"], "Hello").await;
    let folder = tempfile::tempdir().unwrap();
    let (picture, text) = (folder.path().join("me.png"), folder.path().join("me.txt"));
    std::fs::write(&picture, ada.draws("#0a8").await).unwrap();
    std::fs::write(&text, "no picture").unwrap();
    ada.goes_to("/settings").await;
    ada.waits_for(".portrait").await;
    let input = ada.browser.find(By::Css(".portrait input")).await.unwrap();
    input.send_keys(text.to_str().unwrap()).await.unwrap();
    eventually("it is refused", || async { ada.shown(".form__alert").await.contains("picture") }).await;
    input.send_keys(picture.to_str().unwrap()).await.unwrap();
    ada.waits_for(".portrait .avatar__picture").await;
    ada.types("#status", "At lunch").await;
    ada.clicks("form.form button[type='submit']").await;
    eventually("it is saved", || async { ada.shown(".settings__done").await.contains("Saved") }).await;
    ada.picture("settings-profile").await;
    ben.waits_for(".pane__head .avatar__picture").await;
    eventually("Ben sees the status", || async { ben.shown(".pane__detail").await.ends_with("At lunch") }).await;
    ben.picture("profile-seen").await;
    ada.clicks_button("Remove the picture").await;
    let gone = "return document.querySelector('.pane__head .avatar__picture') === null";
    eventually("Ben sees letters again", || async { ben.js(gone).await == json!(true) }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn without_https_links_are_copied_or_shown_and_notifications_say_what_they_need() {
    let server = Server::start_with(&["--rate-limits", "off", "--allow-host", "chatbox"]);
    let driver = Driver::start().await;
    let browser = driver.browser_with(&["--host-resolver-rules=MAP chatbox 127.0.0.1"]).await;
    let origin = server.origin().replace("127.0.0.1", "chatbox");
    let ada = Person::sits_before(browser, "Ada Lovelace", origin.clone());
    ada.window(1280, 800).await;
    ada.signs_in_or_up().await;
    assert_eq!(ada.js("return [isSecureContext, navigator.clipboard === undefined]").await, json!([false, true]));
    ada.opens("Everyone").await;
    ada.says("hello").await;
    ada.has_sent_all().await;
    let begins = format!("{origin}{}/", ada.js("return location.pathname").await.as_str().unwrap());
    ada.goes_up(1).await;
    ada.strikes("l").await;
    ada.clicks(".composer__text").await;
    ada.browser.active_element().await.unwrap().send_keys(Key::Control + "v").await.unwrap();
    eventually("the link is pasted", || async { ada.draft().await.starts_with(&begins) }).await;
    let link = ada.draft().await;
    assert_eq!(ada.js("return document.querySelectorAll('body > textarea').length").await, json!(0));
    // A browser that does not let it happen.
    ada.js("document.execCommand = () => false").await;
    ada.goes_up(1).await;
    ada.strikes("l").await;
    ada.waits_for("dialog[open] #copying").await;
    let marked = "const area = document.activeElement; return area.value.slice(area.selectionStart, area.selectionEnd)";
    eventually("the link is marked", || async { ada.js(marked).await == json!(link) }).await;
    ada.picture("copy-by-hand").await;
    ada.presses(Key::Escape).await;
    ada.goes_to("/settings").await;
    eventually("it says what notifications need", || async {
        ada.shown(".settings__told").await.contains("addresses with https only")
    })
    .await;
    ada.leaves().await;
}

#[tokio::test]
async fn the_hint_where_one_writes_is_whole_on_a_phone_in_every_language() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Benjamin Okafor of the Very Long Names", &driver, &server).await;
    ada.writes_to(&[ben.name], "Hello").await;
    let conversation = ada.js("return location.pathname").await;
    for (tag, title) in [
        ("en", "Settings"),
        ("de", "Einstellungen"),
        ("es", "Ajustes"),
        ("zh", "设置"),
        ("ja", "設定"),
        ("ar", "الإعدادات"),
    ] {
        ada.window(1280, 800).await;
        ada.goes_to("/settings").await;
        chooses(&ada, "language", tag).await;
        eventually(tag, || async { ada.shown(".pane__name").await == title }).await;
        ada.window(360, 740).await;
        for path in [conversation.as_str().unwrap(), "/new"] {
            ada.goes_to(path).await;
            ada.waits_for(".composer__text").await;
            let fits = "const area = document.querySelector('.composer__text'); const style = getComputedStyle(area);
                const context = document.createElement('canvas').getContext('2d'); context.font = style.font;
                return context.measureText(area.placeholder).width
                    <= area.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)";
            assert_eq!(ada.js(fits).await, json!(true), "{tag}, {path}");
            ada.picture(&format!("hint-{tag}-{}", path.split('/').nth(1).unwrap())).await;
        }
    }
    for person in [ada, ben] {
        person.leaves().await;
    }
}
