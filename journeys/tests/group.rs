//! Groups: made with a name, looked after, left; who is named in them, and who has read what.

use crate::support::{Driver, Person, Server, eventually};
use serde_json::json;
use thirtyfour::prelude::*;

/// Makes a group with a name, of these people.
async fn makes(person: &Person, name: &str, people: &[&str]) {
    person.clicks("a[href='/new']").await;
    for other in people {
        let button = By::XPath(format!("//button[contains(@class, 'person')][.//bdi[text()='{other}']]"));
        person.clicks_on(button, &format!("{} picks {other}", person.name)).await;
    }
    person.clicks(".new__group summary").await;
    person.types("#group-name", name).await;
    person.clicks_button("Create").await;
    eventually("the group is open", || async { person.shown(".pane__name").await == name }).await;
}

/// Begins a channel of this name; it is still to be created.
async fn names_channel(person: &Person, name: &str) {
    person.clicks("a[href='/new']").await;
    person.clicks(".new__group summary").await;
    person.types("#group-name", name).await;
    person.clicks("#group-kind option[value='channel']").await;
}

async fn mark(person: &Person) -> String {
    let script = "return [...document.querySelectorAll('.message__mark')].pop()?.dataset.mark ?? ''";
    person.js(script).await.as_str().unwrap_or_default().to_owned()
}

async fn members(person: &Person) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.about__members .person__name')].map((e) => e.textContent)";
    serde_json::from_value(person.js(script).await).unwrap()
}

#[tokio::test]
async fn a_group_has_a_picture() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    makes(&ada, "Weekend walks", &["Ben Okafor"]).await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("us.png");
    std::fs::write(&picture, ada.draws("#a40").await).unwrap();
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.waits_for(".about__members .person").await;
    let input = ada.browser.find(By::Css(".dialog .portrait input")).await.unwrap();
    input.send_keys(picture.to_str().unwrap()).await.unwrap();
    ada.waits_for(".dialog .portrait .avatar__picture").await;
    ada.picture("group-picture").await;
    let face = ".conversation[href^='/c/'] .avatar__picture";
    ben.waits_for(face).await;
    // It stays with whoever loads the page anew, and goes when it is taken away.
    ben.browser.refresh().await.unwrap();
    ben.waits_for(face).await;
    ada.clicks_button("Remove the picture").await;
    let gone = format!("return document.querySelector(\"{face}\") === null");
    eventually("Ben sees letters again", || async { ben.js(&gone).await == json!(true) }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_group_is_made_named_and_looked_after() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    makes(&ada, "Weekend walks", &["Ben Okafor"]).await;
    ben.opens("Weekend walks").await;

    ada.clicks("button[aria-label='About this conversation']").await;
    eventually("both are there", || async { members(&ada).await == ["Ada Lovelace", "Ben Okafor"] }).await;
    ada.types("input[aria-label='Add people']", "cy").await;
    ada.clicks("dialog ul[aria-label='People'] button").await;
    eventually("three are there", || async { members(&ada).await.len() == 3 }).await;
    for width in [1280, 360] {
        ada.window(width, 740).await;
        ada.picture(&format!("about-{width}")).await;
    }
    ada.window(1280, 800).await;
    cy.opens("Weekend walks").await;
    ada.types("#about-name", " and talks").await;
    ada.clicks_button("Save").await;
    for person in [&ben, &cy] {
        eventually("it has another name", || async { person.shown(".pane__name").await == "Weekend walks and talks" })
            .await;
    }
    // Who looks after it may send people away, and nobody else.
    ben.clicks("button[aria-label='About this conversation']").await;
    eventually("all are there", || async { members(&ben).await.len() == 3 }).await;
    assert_eq!(
        ben.js("return document.querySelectorAll('.about__members select, .about__members button').length").await,
        json!(0)
    );
    ben.presses(Key::Escape).await;
    let make = "const select = document.querySelector('select[aria-label=\"Role of Ben Okafor\"]');
        select.value = 'moderator'; select.dispatchEvent(new Event('change', { bubbles: true }))";
    ada.js(make).await;
    let role = "return document.querySelector('select[aria-label=\"Role of Ben Okafor\"]')?.value";
    eventually("Ben is a moderator", || async { ada.js(role).await == json!("moderator") }).await;
    ben.clicks("button[aria-label='About this conversation']").await;
    ben.clicks("button[aria-label='Remove Cy Young']").await;
    eventually("two are left", || async { members(&ben).await == ["Ada Lovelace", "Ben Okafor"] }).await;
    eventually("Cy does not have it", || async { cy.conversations().await.len() == 1 }).await;
    ben.clicks_button("Leave this conversation").await;
    ben.clicks_button("Really leave? Click again.").await;
    eventually("Ben has left", || async { ben.conversations().await.len() == 1 }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn the_list_of_members_follows_who_joins_while_it_is_open() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    names_channel(&ada, "Kitchen").await;
    ada.clicks_button("Create").await;
    eventually("the channel is open", || async { ada.shown(".pane__name").await == "Kitchen" }).await;
    ada.clicks("button[aria-label='About this conversation']").await;
    eventually("she is there", || async { members(&ada).await == ["Ada Lovelace"] }).await;
    ben.goes_to("/channels").await;
    ben.clicks("button[aria-label='Join: Kitchen']").await;
    eventually("Ben has come", || async { members(&ada).await == ["Ada Lovelace", "Ben Okafor"] }).await;
    ben.clicks("button[aria-label='About this conversation']").await;
    ben.clicks_button("Leave this conversation").await;
    ben.clicks_button("Really leave? Click again.").await;
    eventually("Ben has gone", || async { members(&ada).await == ["Ada Lovelace"] }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_group_is_begun_from_the_list_with_the_keyboard() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    for width in [360, 1280] {
        ada.window(width, 740).await;
        ada.goes_to("/").await;
        ada.is_connected().await;
        ada.waits_for("a[aria-label='New group or channel']").await;
        ada.js("document.querySelector(\"a[aria-label='New group or channel']\").focus()").await;
        ada.presses(Key::Enter).await;
        eventually("its name is asked for", || async {
            ada.js("return document.activeElement.id").await == json!("group-name")
        })
        .await;
        ada.waits_for(".person").await;
        ada.meets_no_barrier(&format!("a new group, {width}")).await;
        ada.picture(&format!("group-new-{width}")).await;
    }
    ada.strikes("Garden").await;
    ada.presses(Key::Enter).await;
    eventually("the group is open", || async { ada.shown(".pane__name").await == "Garden" }).await;
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn a_name_is_completed_set_apart_and_shown_to_whoever_is_meant() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    ada.writes_to(&["Ben Okafor"], "Hello").await;
    let written = "return document.querySelector('.composer__text').value";
    ada.types(".composer__text", "Ask @be").await;
    ada.waits_for(".completion__choice[aria-selected='true']").await;
    ada.picture("completion").await;
    ada.presses(Key::Enter).await;
    assert_eq!(ada.js(written).await, json!("Ask @Ben Okafor "));
    // An emoji by its short name; Escape leaves what was typed.
    ada.types(".composer__text", ":tad").await;
    ada.waits_for(".completion__choice").await;
    ada.presses(Key::Tab).await;
    assert_eq!(ada.js(written).await, json!("Ask @Ben Okafor 🎉 "));
    ada.types(".composer__text", "@b").await;
    ada.waits_for(".completion__choice").await;
    ada.presses(Key::Escape).await;
    eventually("nothing is offered", || async { ada.shown(".completion").await.is_empty() }).await;
    ada.presses(Key::Backspace).await;
    ada.presses(Key::Backspace).await;
    ada.presses(Key::Enter).await;
    ben.opens("Ada Lovelace").await;
    for (person, class) in [(&ada, "mention"), (&ben, "mention mention--me")] {
        let name = "return [...document.querySelectorAll('.mention')].map((e) => [e.className, e.textContent])";
        eventually("the name is set apart", || async { person.js(name).await == json!([[class, "@Ben Okafor"]]) })
            .await;
    }
    ben.picture("mention").await;

    // With the caret somewhere else nothing is put anywhere.
    ada.types(".composer__text", "so @b").await;
    ada.waits_for(".completion__choice").await;
    ada.presses(Key::Left).await;
    ada.presses(Key::Enter).await;
    eventually("nothing is offered", || async { ada.shown(".completion").await.is_empty() }).await;
    assert_eq!(ada.js(written).await, json!("so @b"));

    // In the conversation of everybody the server is asked who is there.
    ben.opens("Everyone").await;
    ben.types(".composer__text", "@love").await;
    eventually("she is offered", || async { ben.shown(".completion").await == "Ada Lovelace" }).await;
    ben.leaves().await;
    ada.leaves().await;
}

#[tokio::test]
async fn what_may_be_meant_as_it_is_is_sent_as_it_is_and_a_completion_can_be_undone() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let sam = Person::joins("Sam", &driver, &server).await;
    let hill = Person::joins("Sam Hill", &driver, &server).await;
    ada.writes_to(&["Sam", "Sam Hill"], "Hello").await;
    ada.has_sent_all().await;
    for (text, shown) in [("hi @Sam", "hi @Sam"), ("hi @sam ", "hi @sam"), ("@Sam h", "@Sam h"), ("all :ok", "all :ok")]
    {
        ada.types(".composer__text", text).await;
        ada.waits_for(".completion__choice").await;
        ada.presses(Key::Enter).await;
        let sent = async || ada.texts().await.last().is_some_and(|last| last.trim() == shown);
        eventually(&format!("{shown} is sent"), sent).await;
        ada.has_draft("").await;
        eventually("nothing is offered", || async { ada.shown(".completion").await.is_empty() }).await;
    }
    // The marked choice is taken; and a part of a name is somebody's.
    for (text, keys, taken) in [
        ("hi @Sam", vec![Key::Down, Key::Enter], "hi @Sam Hill "),
        ("hi @Hi", vec![Key::Enter], "hi @Sam Hill "),
        ("all :ok", vec![Key::Down, Key::Enter], "all 🆗 "),
        ("all :ok", vec![Key::Tab], "all 🆗 "),
    ] {
        ada.types(".composer__text", text).await;
        ada.waits_for(".completion__choice").await;
        for key in keys {
            ada.presses(key).await;
        }
        ada.has_draft(taken).await;
        eventually("nothing is offered", || async { ada.shown(".completion").await.is_empty() }).await;
        // The typed text is there again, and at last nothing is.
        ada.presses_control("z").await;
        ada.has_draft(text).await;
        eventually("all is undone", || async {
            ada.presses_control("z").await;
            ada.draft().await.is_empty()
        })
        .await;
        ada.presses(Key::Escape).await;
    }
    // An emoji out of the picker, too.
    ada.types(".composer__text", "well done").await;
    ada.clicks(".composer button[aria-label='Emoji']").await;
    ada.clicks(".emoji__one").await;
    eventually("it is in the text", || async { ada.draft().await.len() > "well done".len() }).await;
    ada.presses_control("z").await;
    ada.has_draft("well done").await;
    for person in [ada, sam, hill] {
        person.leaves().await;
    }
}

impl Person {
    async fn presses_control(&self, key: &str) {
        self.browser.active_element().await.unwrap().send_keys(Key::Control + key).await.unwrap();
    }
}

#[tokio::test]
async fn a_mark_says_that_all_have_received_and_read_and_a_list_says_who() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    makes(&ada, "Walks", &["Ben Okafor", "Cy Young"]).await;
    ada.says("Who comes along?").await;
    // People are told of once they have written: that somebody was put into a group says nothing about them.
    for person in [&ben, &cy] {
        person.opens("Walks").await;
        person.sees("Who comes along?").await;
    }
    assert_eq!(mark(&ada).await, "sent");
    for person in [&ben, &cy] {
        person.says("I do").await;
        person.opens("Everyone").await;
    }
    eventually("all who have written have read it", || async { mark(&ada).await == "read" }).await;
    ada.says("At nine?").await;
    eventually("all have received it", || async { mark(&ada).await == "delivered" }).await;
    ben.opens("Walks").await;
    ben.sees("At nine?").await;
    ada.goes_up(1).await;
    ada.strikes("i").await;
    eventually("one has read it", || async {
        ada.shown("dialog .people").await == "BO\nBen Okafor\nRead\nCY\nCy Young\nDelivered"
    })
    .await;
    ada.picture("readers").await;
    ada.presses(Key::Escape).await;
    assert_eq!(mark(&ada).await, "delivered");
    cy.opens("Walks").await;
    eventually("all have read it", || async { mark(&ada).await == "read" }).await;
    // What was told before is known after a reload.
    ada.browser.refresh().await.unwrap();
    eventually("it is known again", || async { mark(&ada).await == "read" }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn conversations_are_pinned_put_away_silenced_and_marked() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    makes(&ada, "Walks", &["Ben Okafor"]).await;
    ada.writes_to(&["Ben Okafor"], "Hello").await;
    let opens_about = async |person: &Person, title: &str| {
        person.opens(title).await;
        person.clicks("button[aria-label='About this conversation']").await;
        person.waits_for(".about__wants").await;
    };
    assert_eq!(ada.conversations().await, ["Ben Okafor", "Walks", "Everyone"]);
    opens_about(&ada, "Everyone").await;
    ada.clicks_button("Pin").await;
    eventually("it stands above", || async { ada.conversations().await == ["Everyone", "Ben Okafor", "Walks"] }).await;
    ada.presses(Key::Escape).await;
    // Silenced: it counts on its own line, and not in the title.
    let silence = "const select = document.querySelector('.about__notify select');
        select.value = 'nothing'; select.dispatchEvent(new Event('change', { bubbles: true }))";
    opens_about(&ada, "Walks").await;
    ada.js(silence).await;
    eventually("it says so", || async {
        ada.shown(".conversation[aria-current] .conversation__sign").await == "Muted"
    })
    .await;
    ada.presses(Key::Escape).await;
    ada.opens("Ben Okafor").await;
    ben.opens("Walks").await;
    ben.says("Anybody?").await;
    eventually("it counts there", || async { ada.unread("Walks").await == 1 }).await;
    assert_eq!(ada.browser.title().await.unwrap(), "Confab");
    ada.picture("preferences").await;
    // Put away, and brought back.
    opens_about(&ada, "Walks").await;
    ada.clicks_button("Archive").await;
    eventually("it is put away", || async {
        ada.js(
            "return [...document.querySelectorAll('.sidebar__archive .conversation__name')].map((e) => e.textContent)",
        )
        .await
            == json!(["Walks"])
    })
    .await;
    ada.clicks_button("Archive").await;
    eventually("it is back", || async { ada.js("return document.querySelector('.sidebar__archive')").await.is_null() })
        .await;
    ada.presses(Key::Escape).await;
    // Marked, also after a reload, until it is opened.
    opens_about(&ada, "Ben Okafor").await;
    ada.clicks_button("Mark as unread").await;
    eventually("it is marked", || async { ada.unread("Ben Okafor").await == 1 }).await;
    ada.browser.refresh().await.unwrap();
    ada.is_connected().await;
    eventually("it is still marked", || async { ada.unread("Ben Okafor").await == 1 }).await;
    eventually("the title tells", || async { ada.browser.title().await.unwrap() == "(1) Confab" }).await;
    ada.opens("Ben Okafor").await;
    eventually("it is marked no more", || async { ada.unread("Ben Okafor").await == 0 }).await;
    ada.leaves().await;
    ben.leaves().await;
}

#[tokio::test]
async fn a_public_channel_is_found_and_joined_by_others() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    names_channel(&ada, "Kitchen").await;
    ada.types("#group-topic", "Cake and coffee").await;
    ada.picture("channel-new").await;
    ada.clicks_button("Create").await;
    eventually("the channel is open", || async { ada.shown(".pane__name").await == "Kitchen" }).await;
    assert_eq!(ada.shown(".pane__detail").await, "Cake and coffee");
    ada.says("There is cake!").await;

    ben.clicks("a[href='/new']").await;
    ben.clicks(".pane a[href='/channels']").await;
    ben.waits_for(".channel__text").await;
    ben.types("input[type='search']", "kit").await;
    ben.picture("channel-find").await;
    ben.window(360, 740).await;
    ben.picture("channel-find-360").await;
    ben.clicks("button[aria-label='Join: Kitchen']").await;
    ben.sees("There is cake!").await;
    ben.window(1280, 800).await;
    ben.says("On my way").await;
    ada.sees("On my way").await;

    // Another topic is there at once; closed, nobody else finds it.
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.js("document.querySelector('#about-topic').select()").await;
    ada.types("#about-topic", "Cake only").await;
    ada.clicks(".dialog .settings__check input").await;
    ada.picture("channel-about").await;
    ada.clicks_button("Save").await;
    eventually("Ben sees it", || async { ben.shown(".pane__detail").await == "Cake only" }).await;
    ada.clicks(".dialog button[aria-label='Close']").await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    cy.goes_to("/channels").await;
    eventually("nothing is found", || async { cy.shown(".timeline__note").await.contains("no channel") }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn people_whose_names_look_alike_are_told_apart_where_they_are_picked() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let sam = Person::joins("Sam Hill", &driver, &server).await;
    // The first letter is Cyrillic.
    let other = Person::joins("\u{405}am Hill", &driver, &server).await;
    ada.clicks("a[href='/new']").await;
    let details =
        "return [...document.querySelectorAll('.people .channel__detail')].map((e) => e.textContent).filter((e) => e)";
    let shown = async || -> Vec<String> { serde_json::from_value(ada.js(details).await).unwrap() };
    eventually("both have a tag", || async { shown().await.len() == 2 }).await;
    let details = shown().await;
    assert!(details.iter().all(|detail| detail.starts_with('#') && detail.contains("Here since")), "{details:?}");
    assert_ne!(details[0], details[1]);
    ada.picture("people-alike").await;
    let button = By::XPath("//button[contains(@class, 'person')][.//bdi[text()='Sam Hill']]".to_owned());
    ada.clicks_on(button, "Ada picks Sam").await;
    eventually("the tag says which", || async { ada.shown(".chip bdi").await.starts_with("Sam Hill #") }).await;

    // What waits says to whom it goes.
    ada.has_network(false).await;
    ada.has_status("offline").await;
    ada.pastes("hello Sam").await;
    ada.clicks("button[aria-label='Send']:not([disabled])").await;
    eventually("it waits", || async { ada.shown(".new .message .settings__note").await == "Message to Sam Hill" })
        .await;
    ada.has_network(true).await;
    sam.opens("Ada Lovelace").await;
    sam.sees("hello Sam").await;
    for person in [ada, sam, other] {
        person.leaves().await;
    }
}

/// Picks people for a group with a name, and makes it where they are asked first.
async fn invites(person: &Person, name: &str, people: &[&str]) {
    person.clicks("a[href='/new']").await;
    for other in people {
        let button = By::XPath(format!("//button[contains(@class, 'person')][.//bdi[text()='{other}']]"));
        person.clicks_on(button, &format!("{} picks {other}", person.name)).await;
    }
    person.clicks(".new__group summary").await;
    person.types("#group-name", name).await;
    person.clicks_button("Create").await;
    let note = format!("Invited: {}. They are members once they join.", people.join(", "));
    eventually("it is said who was invited", || async {
        person.shown(".new__group [role=\"status\"]").await.starts_with(&note)
    })
    .await;
}

#[tokio::test]
async fn a_stranger_who_is_invited_into_a_group_joins_or_declines() {
    let server = Server::start_with(&["--rate-limits", "off", "--group-invites", "known"]);
    let driver = Driver::start().await;
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    let cy = Person::joins("Cy Young", &driver, &server).await;
    invites(&ada, "Garden", &["Ben Okafor", "Cy Young"]).await;
    ada.picture("request-invited").await;
    ada.clicks(".new__group [role='status'] a").await;
    eventually("the group is open", || async { ada.shown(".pane__name").await == "Garden" }).await;
    ada.says("Who brings the spades?").await;

    for person in [&ben, &cy] {
        eventually("the invitation is there", || async {
            person.shown(".request__text").await == "Ada Lovelace invites you to Garden"
        })
        .await;
        assert_eq!(person.shown(".request__detail").await, "1 person");
        assert_eq!(person.conversations().await, ["Everyone"], "nothing else of it is told");
    }
    for (scheme, width) in [("light", 1280), ("light", 360), ("dark", 1280), ("dark", 360)] {
        ben.prefers(scheme).await;
        ben.window(width, 740).await;
        ben.meets_no_barrier(&format!("an invitation, {scheme}, {width}")).await;
        ben.picture(&format!("request-{scheme}-{width}")).await;
        let is_wide = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(ben.js(is_wide).await, json!(false), "{width}");
    }
    ben.window(1280, 800).await;
    // It is still there after a reload, and answered with the keyboard alone.
    ben.browser.refresh().await.unwrap();
    ben.waits_for(".request").await;
    ben.js("[...document.querySelectorAll('.request button')].find((e) => e.textContent.trim() === 'Decline').focus()")
        .await;
    ben.presses(Key::Enter).await;
    let none = "return document.querySelector('.request') === null";
    eventually("it is gone", || async { ben.js(none).await == json!(true) }).await;
    ada.clicks("button[aria-label='About this conversation']").await;
    ada.types("input[aria-label='Add people']", "ben").await;
    ada.clicks("dialog ul[aria-label='People'] button").await;
    eventually("Ada is told why not", || async { ada.shown("dialog [role=\"alert\"]").await.contains("has declined") })
        .await;
    assert_eq!(ben.js(none).await, json!(true));

    cy.clicks_button("Join").await;
    eventually("Cy is in the group", || async { cy.shown(".pane__name").await == "Garden" }).await;
    cy.sees("Who brings the spades?").await;
    eventually("nothing is asked any more", || async { cy.js(none).await == json!(true) }).await;
    ada.presses(Key::Escape).await;
    ada.clicks("button[aria-label='About this conversation']").await;
    eventually("Ada sees who has come", || async { members(&ada).await == ["Ada Lovelace", "Cy Young"] }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn who_has_left_a_group_comes_back_with_a_button() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    makes(&ada, "Weekend walks", &["Ben Okafor"]).await;
    ada.says("On Sunday?").await;
    ben.opens("Weekend walks").await;
    ben.sees("On Sunday?").await;
    for is_later in [false, true] {
        ben.clicks("button[aria-label='About this conversation']").await;
        ben.clicks_button("Leave this conversation").await;
        ben.clicks_button("Really leave? Click again.").await;
        let says_so = || async { ben.shown(".pane .shell__empty h2").await == "You left this conversation." };
        eventually("Ben has left", says_so).await;
        assert_eq!(ben.conversations().await, ["Everyone"]);
        if is_later {
            // The address shows it as long as one may come back.
            ben.browser.refresh().await.unwrap();
            eventually("it is still said", says_so).await;
            for width in [1280, 360] {
                ben.window(width, 740).await;
                ben.meets_no_barrier(&format!("what was left, {width}")).await;
                ben.picture(&format!("left-{width}")).await;
            }
            ben.window(1280, 800).await;
        }
        ben.clicks_button("Come back").await;
        eventually("Ben is back", || async { ben.shown(".pane__name").await == "Weekend walks" }).await;
        ben.sees("On Sunday?").await;
    }
    for person in [ada, ben] {
        person.leaves().await;
    }
}

#[tokio::test]
async fn names_are_set_apart_in_any_script_and_spelling_and_after_they_have_changed() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    let ben = Person::joins("Ben Okafor", &driver, &server).await;
    // Others, whom nobody sits before.
    let join = "const [names, done] = arguments; (async () => {
        for (const [number, displayName] of names.entries()) {
            const body = JSON.stringify({ email: `p${number}@example.org`, displayName, password: 'correct horse' });
            await fetch('/api/accounts', {
                method: 'POST', headers: { 'content-type': 'application/json' }, body, credentials: 'omit' });
        }
        done(names.length);
    })()";
    let names = json!(["李雷", "_ghost_", "Zoë", "O'Brien"]);
    ada.browser.execute_async(join, vec![names]).await.unwrap();
    ada.opens("Everyone").await;
    ada.pastes("请@李").await;
    ada.waits_for(".completion__choice").await;
    assert_eq!(ada.shown(".completion__choice").await, "李雷");
    ada.presses(Key::Enter).await;
    ada.pastes("你好, @_ghost_ and @zoe, @O’Brien: *ask* @Ben Okafor, not @Ben-Okafor").await;
    ada.presses(Key::Enter).await;
    ben.opens("Everyone").await;
    let apart = "return [...document.querySelectorAll('.mention')].map((e) => e.textContent)";
    let expected = json!(["@李雷", "@_ghost_", "@zoe", "@O’Brien", "@Ben Okafor"]);
    eventually("all are set apart", || async { ben.js(apart).await == expected }).await;
    let own = "return document.querySelector('.mention--me')?.textContent";
    assert_eq!(ben.js(own).await, json!("@Ben Okafor"));
    let rename = "const [done] = arguments; (async () => {
        const body = JSON.stringify({ displayName: 'Benedict' });
        const answer = await fetch('/api/account', {
            method: 'PATCH', headers: { 'content-type': 'application/json' }, body });
        done(answer.status);
    })()";
    assert_eq!(ben.browser.execute_async(rename, vec![]).await.unwrap().json(), &json!(200));
    for person in [&ada, &ben] {
        person.browser.refresh().await.unwrap();
        person.is_connected().await;
        eventually("all are still set apart", || async { person.js(apart).await == expected }).await;
    }
    assert_eq!(ben.js(own).await, json!("@Ben Okafor"));
    for person in [ada, ben] {
        person.leaves().await;
    }
}
