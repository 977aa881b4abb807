//! Being told while the page is closed: through a push service of one's own, encrypted for the one browser.

use crate::support::{Driver, Engine, Person, Server, eventually};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;

/// A push service that speaks with Firefox (autopush's protocol): one browser, any number of channels.
#[derive(Clone)]
struct Service {
    origin: String,
    deliver: broadcast::Sender<String>,
    /// What the browser has taken.
    taken: Arc<Mutex<usize>>,
}

impl Service {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let service = Self { origin, deliver: broadcast::Sender::new(16), taken: Arc::default() };
        let app = Router::new()
            .route(
                "/",
                get(async |State(service): State<Self>, upgrade: WebSocketUpgrade| {
                    upgrade.on_upgrade(|socket| service.talk(socket))
                }),
            )
            .route(
                "/to/{channel}",
                post(async |State(service): State<Self>, Path(channel): Path<String>, body: Bytes| {
                    let headers = json!({"encoding": "aes128gcm"});
                    let frame = json!({"messageType": "notification", "channelID": channel, "version": channel,
                    "ttl": 60, "data": BASE64.encode(&body), "headers": headers});
                    service.deliver.send(frame.to_string()).map_or(StatusCode::NOT_FOUND, |_| StatusCode::CREATED)
                }),
            )
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        service
    }

    /// Answers the browser and hands on what came for it, until it goes.
    async fn talk(self, mut socket: WebSocket) {
        let mut deliveries = self.deliver.subscribe();
        loop {
            let answer = tokio::select! {
                said = socket.recv() => match said {
                    Some(Ok(Message::Text(said))) => self.answer(&said),
                    Some(Ok(_)) => None,
                    _ => return,
                },
                frame = deliveries.recv() => frame.ok(),
            };
            if let Some(answer) = answer
                && socket.send(Message::text(answer)).await.is_err()
            {
                return;
            }
        }
    }

    fn answer(&self, said: &str) -> Option<String> {
        let said: Value = serde_json::from_str(said).ok()?;
        let answer = match said["messageType"].as_str() {
            Some("hello") => json!({"messageType": "hello", "status": 200, "use_webpush": true, "broadcasts": {},
                "uaid": "0123456789abcdef0123456789abcdef"}),
            Some("register") => {
                let channel = said["channelID"].as_str()?;
                let endpoint = format!("{}/to/{channel}", self.origin);
                json!({"messageType": "register", "channelID": channel, "status": 200, "pushEndpoint": endpoint})
            }
            Some("unregister") => json!({"messageType": "unregister", "channelID": said["channelID"], "status": 200}),
            Some("ack") => {
                *self.taken.lock().unwrap() += 1;
                return None;
            }
            // A ping is empty.
            None => json!({}),
            Some(_) => return None,
        };
        Some(answer.to_string())
    }
}

/// What the browser shows, asked on something of the server that is not the page.
async fn notifications(person: &Person) -> Value {
    let ask = "const done = arguments[0]; navigator.serviceWorker.getRegistration()
        .then((registration) => registration.getNotifications())
        .then((all) => done(all.map((one) => [one.title, one.body, one.data.path])))";
    person.browser.execute_async(ask, vec![]).await.unwrap().json().clone()
}

#[tokio::test]
async fn firefox_tells_of_a_message_while_the_page_is_closed() {
    let service = Service::start().await;
    let settings = ["--rate-limits", "off", "--push-service", &service.origin];
    let server = Server::start_with(&settings);
    let (driver, other) = (Driver::start_for(Engine::Firefox).await, Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &other, &server).await;
    let preferences = json!({
        "dom.push.serverURL": service.origin.replace("http:", "ws:"),
        "dom.push.testing.allowInsecureServerURL": true,
        "dom.push.connection.enabled": true,
        // Firefox's own notifications: there is no desktop.
        "alerts.useSystemBackend": false,
        "permissions.default.desktop-notification": 1,
    });
    let ben = Person::sits_at(driver.firefox_with(preferences).await, "Ben Okafor", &server);
    ben.signs_in_or_up().await;
    ben.stays_in_the_browser().await;
    ben.goes_to("/settings").await;
    ben.clicks_button("Turn on").await;
    ben.waits_for("[data-told-closed='true']").await;
    ben.picture("settings-push").await;
    ben.browser.goto("about:blank").await.unwrap();

    ada.writes_to(&["Ben Okafor"], "Are you there?").await;
    eventually("the browser has taken it", || async { *service.taken.lock().unwrap() == 1 }).await;
    ben.goes_to("/emoji.txt").await;
    eventually("it is shown", || async { notifications(&ben).await != json!([]) }).await;
    let shown = notifications(&ben).await;
    assert_eq!((&shown[0][0], &shown[0][1]), (&json!("Ada Lovelace"), &json!("Are you there?")));
    ben.goes_to(shown[0][2].as_str().unwrap()).await;
    ben.is_connected().await;
    ben.sees("Are you there?").await;

    // Turned off, the server has nobody to tell.
    ben.goes_to("/settings").await;
    ben.waits_for("[data-told-closed='true']").await;
    ben.js("const ask = window.fetch; window.fetch = async (request, ...rest) => {
        const answer = await ask(request, ...rest);
        if (request.method === 'DELETE' && answer.status === 204) window.deleted = (window.deleted ?? 0) + 1;
        return answer;
    }")
        .await;
    ben.clicks_button("Turn off").await;
    let subscribed = "const done = arguments[0]; navigator.serviceWorker.getRegistration()
        .then((one) => one.pushManager.getSubscription()).then((one) => done([window.deleted ?? 0, one !== null]))";
    eventually("the server and the browser know", || async {
        ben.browser.execute_async(subscribed, vec![]).await.unwrap().json() == &json!([1, false])
    })
    .await;
    ben.browser.quit().await.unwrap();
    ada.leaves().await;
}

/// Lets the page show notifications, and its worker be pushed to.
async fn may_notify(person: &Person, server: &Server) {
    let tools = person.browser.cdp();
    let grant = json!({"origin": server.origin(), "permissions": ["notifications"]});
    tools.send_raw("Browser.grantPermissions", grant).await.unwrap();
    tools.send_raw("ServiceWorker.enable", json!({})).await.unwrap();
}

#[tokio::test]
async fn what_is_pushed_is_shown_once_and_not_to_whoever_is_looking() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.stays_in_the_browser().await;
    let tools = ada.browser.cdp();
    may_notify(&ada, &server).await;
    let push = async |seq: u64, body: &str| {
        // The last one is of another conversation: it takes the place of none of the others.
        let conversation = format!("0198c000-0000-7000-8000-00000000000{}", 1 + seq / 4);
        let notice = json!({"conversation": conversation, "seq": seq, "title": "Ben", "body": body});
        let message = json!({"origin": server.origin(), "registrationId": "0", "data": notice.to_string()});
        tools.send_raw("ServiceWorker.deliverPushMessage", message).await.unwrap();
    };
    ada.goes_to("/emoji.txt").await;
    push(1, "one").await;
    push(2, "two").await;
    let path = "/c/0198c000-0000-7000-8000-000000000001/2";
    eventually("the later one has taken the place of the earlier", || async {
        notifications(&ada).await == json!([["Ben", "two", path]])
    })
    .await;
    // A page that is looked at tells by itself.
    ada.goes_to("/").await;
    ada.is_connected().await;
    let close =
        "const done = arguments[0]; navigator.serviceWorker.getRegistration().then((one) => one.getNotifications())
        .then((all) => { all.forEach((one) => one.close()); done(true) })";
    ada.browser.execute_async(close, vec![]).await.unwrap();
    eventually("all are closed", || async { notifications(&ada).await == json!([]) }).await;
    tools.send_raw("Emulation.setFocusEmulationEnabled", json!({"enabled": true})).await.unwrap();
    ada.browser.execute("window.focus()", vec![]).await.unwrap();
    push(3, "three").await;
    ada.goes_to("/emoji.txt").await;
    push(4, "four").await;
    let four = json!(["Ben", "four", "/c/0198c000-0000-7000-8000-000000000002/4"]);
    eventually("the next one is shown", || async { notifications(&ada).await.as_array().unwrap().contains(&four) })
        .await;
    assert_eq!(notifications(&ada).await, json!([four]), "and the one before it was not");
    ada.leaves().await;
}

#[tokio::test]
async fn what_was_pushed_goes_when_its_message_is_deleted() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ada = Person::joins("Ada Lovelace", &driver, &server).await;
    ada.stays_in_the_browser().await;
    let tools = ada.browser.cdp();
    may_notify(&ada, &server).await;
    ada.js("localStorage.setItem('confab-notify', 'on')").await;
    ada.goes_to("/emoji.txt").await;
    let (ben, cy) =
        (Person::joins("Ben Okafor", &driver, &server).await, Person::joins("Cy Young", &driver, &server).await);
    for (person, text) in [(&ben, "gone while the page is open"), (&cy, "gone before")] {
        person.writes_to(&["Ada Lovelace"], text).await;
        person.has_sent_all().await;
        eventually("it has an address", || async {
            person.js("return location.pathname.startsWith('/c/')").await == json!(true)
        })
        .await;
        let conversation = person.js("return location.pathname.split('/')[2]").await;
        let notice = json!({"conversation": conversation, "seq": 1, "title": person.name, "body": text});
        let message = json!({"origin": server.origin(), "registrationId": "0", "data": notice.to_string()});
        tools.send_raw("ServiceWorker.deliverPushMessage", message).await.unwrap();
    }
    eventually("both are shown", || async { notifications(&ada).await.as_array().unwrap().len() == 2 }).await;
    // Messages deleted while nobody was here go when the page comes, and those deleted now go at once.
    cy.commands(json!({"type": "delete", "target": 1})).await;
    ada.goes_to("/").await;
    ada.is_connected().await;
    let titles =
        || async { notifications(&ada).await.as_array().unwrap().iter().map(|one| one[0].clone()).collect::<Vec<_>>() };
    eventually("Cy's goes", || async { titles().await == [json!("Ben Okafor")] }).await;
    ben.commands(json!({"type": "delete", "target": 1})).await;
    eventually("Ben's goes", || async { titles().await.is_empty() }).await;
    for person in [ada, ben, cy] {
        person.leaves().await;
    }
}
