//! Being told while the page is closed: by a push service of one's own that keeps what it is asked to deliver.

use crate::support::{PATIENCE, Person, Server, cookie_of};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::SecretKey;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The push service.
struct Service {
    origin: String,
    /// Which browser was told, with what.
    told: mpsc::UnboundedReceiver<(String, HeaderMap, Vec<u8>)>,
    answers: Answers,
    silent: Silent,
}

/// Requests to browsers whose name begins with "silent", which are never answered: how many there are, and were at most.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<(usize, usize)>>);

impl Silent {
    fn begin(&self) -> Asked {
        let mut counts = self.0.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Asked(self.clone())
    }

    fn most(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

/// A request that is not answered, until whoever asks has gone.
struct Asked(Silent);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().0 -= 1;
    }
}

/// What is answered next for a browser, in place of 201.
type Answers = Arc<Mutex<HashMap<String, VecDeque<StatusCode>>>>;

impl Service {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = mpsc::unbounded_channel();
        let (answers, silent) = (Answers::default(), Silent::default());
        let take = async |State((tell, answers, silent)): State<(mpsc::UnboundedSender<_>, Answers, Silent)>,
                          Path(browser): Path<String>,
                          headers: HeaderMap,
                          body: axum::body::Bytes| {
            if browser.starts_with("silent") {
                let _asked = silent.begin();
                std::future::pending::<()>().await;
            }
            let status = answers.lock().unwrap().get_mut(&browser).and_then(VecDeque::pop_front);
            let _ = tell.send((browser, headers, body.to_vec()));
            (status.unwrap_or(StatusCode::CREATED), [("retry-after", "0")]).into_response()
        };
        let app =
            axum::Router::new().route("/{browser}", post(take)).with_state((tell, answers.clone(), silent.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { origin, told, answers, silent }
    }

    fn server(&self) -> Server {
        Server::start_with(&["--rate-limits", "off", "--push-service", &self.origin], &[])
    }

    fn answers(&self, browser: &str, statuses: &[u16]) {
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap()).collect();
        self.answers.lock().unwrap().insert(browser.to_owned(), statuses);
    }

    /// What is delivered next, and to whom.
    async fn next(&mut self) -> (String, HeaderMap, Vec<u8>) {
        timeout(PATIENCE, self.told.recv()).await.expect("something is pushed in time").unwrap()
    }
}

/// A browser that wants to be told.
struct Browser {
    name: String,
    key: SecretKey,
    secret: [u8; 16],
}

impl Browser {
    fn new(name: impl Into<String>) -> Self {
        let key = SecretKey::from_slice(&backend::push::random_key()).unwrap();
        let name = name.into();
        Self { secret: [name.len() as u8; 16], name, key }
    }

    fn subscription(&self, service: &Service) -> Value {
        let public = backend::push::public_key(&self.key.to_bytes().into()).unwrap();
        json!({
            "endpoint": format!("{}/{}", service.origin, self.name),
            "p256dh": BASE64.encode(public),
            "auth": BASE64.encode(self.secret),
        })
    }

    async fn subscribes(&self, person: &Person, service: &Service) {
        let (status, body) = person.request(Method::PUT, "/api/push", Some(self.subscription(service))).await;
        assert_eq!(status, 204, "{body}");
    }

    /// What it is told.
    fn reads(&self, (browser, _, body): (String, HeaderMap, Vec<u8>)) -> Value {
        assert_eq!(browser, self.name);
        let text = web_push_native::decrypt(body, &self.key, &self.secret.into()).expect("it is for this browser");
        serde_json::from_slice(&text).unwrap()
    }
}

#[tokio::test]
async fn whose_page_is_closed_is_told_what_was_said() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let phone = Browser::new("phone");
    let id = ada.makes_group("Walks", &[&ben]).await;
    ada.posts(&id, "before anybody wanted to be told").await;
    phone.subscribes(&ben, &service).await;
    ben.posts(&id, "my own").await;
    let seq = ada.posts(&id, "shall *we* go?").await;
    let told = service.next().await;
    let (_, key) = told.1["authorization"].to_str().unwrap().split_once(", k=").unwrap();
    assert_eq!(ben.get("/api/push").await, (200, json!({"key": key})));
    assert_eq!(told.1["ttl"], "86400");
    let expected = json!({"conversation": id, "seq": seq, "title": "Ada · Walks", "body": "shall we go?"});
    assert_eq!(phone.reads(told), expected);

    // What is not wanted, and what is read already, is not told.
    let path = format!("/api/conversations/{id}/preferences");
    assert_eq!(ben.request(Method::PATCH, &path, Some(json!({"notify": "mentions"}))).await.0, 200);
    ada.posts(&id, "nobody in particular").await;
    ada.posts(&id, "@Ben you").await;
    assert_eq!(phone.reads(service.next().await)["body"], "@Ben you");
    let mut socket = ben.connect().await;
    let (_, seq) =
        ada.connect().await.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "read"})).await.unwrap();
    let (direct, _) = socket
        .until(|frame| match frame {
            shared::frame::ServerFrame::Event(event) => Some((event.conversation, event.seq)),
            _ => None,
        })
        .await;
    socket.send(json!({"type": "read", "conversation": direct, "seq": seq})).await;
    drop(socket);
    let long = "é".repeat(300);
    ada.connect().await.asks(json!({"type": "send", "to": {"user": ben.id}, "content": long})).await.unwrap();
    let told = phone.reads(service.next().await);
    assert_eq!(told["title"], "Ada", "between two there is no other name");
    assert_eq!(told["body"].as_str().unwrap(), format!("{}…", "é".repeat(200)));
}

#[tokio::test]
async fn a_page_that_takes_things_in_is_enough_and_one_that_sleeps_is_not() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let phone = Browser::new("phone");
    phone.subscribes(&ben, &service).await;
    let id = ada.makes_group("Walks", &[&ben]).await;
    let mut page = ben.connect().await;
    let seq = ada.posts(&id, "seen").await;
    page.send(json!({"type": "delivered", "conversation": id, "seq": seq})).await;
    // The server has taken that in once it answers what comes after it.
    page.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "a note"})).await.unwrap();
    ada.posts(&id, "asleep").await;
    assert_eq!(phone.reads(service.next().await)["body"], "asleep");
}

#[tokio::test]
async fn a_browser_that_is_gone_is_forgotten_and_a_busy_service_is_asked_again() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (old, phone) = (Browser::new("old"), Browser::new("phone"));
    old.subscribes(&ben, &service).await;
    phone.subscribes(&cy, &service).await;
    service.answers("old", &[410]);
    service.answers("phone", &[503, 429]);
    let id = ada.makes_group("Walks", &[&ben, &cy]).await;
    ada.posts(&id, "one").await;
    let mut told: Vec<_> = [service.next().await, service.next().await, service.next().await, service.next().await]
        .map(|(browser, ..)| browser)
        .into();
    told.sort();
    assert_eq!(told, ["old", "phone", "phone", "phone"]);
    ada.posts(&id, "two").await;
    assert_eq!(phone.reads(service.next().await)["body"], "two");
    assert!(timeout(Duration::from_millis(500), service.told.recv()).await.is_err(), "the old one is asked no more");
}

#[tokio::test]
async fn a_place_that_is_refused_is_asked_no_more() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let phone = Browser::new("phone");
    phone.subscribes(&ben, &service).await;
    let mut members = vec![ben];
    let refusals = [400, 403, 404, 410];
    for status in refusals {
        let person = server.sign_up(&format!("p{status}")).await;
        let place = Browser::new(format!("place-{status}"));
        place.subscribes(&person, &service).await;
        service.answers(&place.name, &[status]);
        members.push(person);
    }
    let id = ada.makes_group("Walks", &members.iter().collect::<Vec<_>>()).await;
    ada.posts(&id, "one").await;
    for _ in 0..=refusals.len() {
        service.next().await;
    }
    ada.posts(&id, "two").await;
    assert_eq!(phone.reads(service.next().await)["body"], "two");
    assert!(timeout(Duration::from_millis(500), service.told.recv()).await.is_err(), "nobody else is asked");
}

#[tokio::test]
async fn places_that_answer_nothing_hold_up_nobody_elses() {
    const PLACES: usize = 100;
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben, eve) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Eve").await);
    for place in 0..PLACES {
        let sign_in = json!({"email": "eve@example.org", "password": "correct horse"});
        let mut device = eve.clone();
        device.cookie = cookie_of(&server.post("/api/session", None, &sign_in).await);
        Browser::new(format!("silent-{place}")).subscribes(&device, &service).await;
    }
    let phone = Browser::new("phone");
    phone.subscribes(&ben, &service).await;
    let id = ada.makes_group("Walks", &[&eve, &ben]).await;
    ada.posts(&id, "hello").await;
    assert_eq!(phone.reads(service.next().await)["body"], "hello");
    // A hundred places wait for an answer, of which three are asked at the same time. (Twice that, where the service
    // hears late of those that were given up.)
    assert!(service.silent.most() <= 6, "{}", service.silent.most());
}

#[tokio::test]
async fn it_ends_with_the_session_and_when_it_is_not_wanted() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (laptop, phone, shared) = (Browser::new("laptop"), Browser::new("phone"), Browser::new("shared-one"));
    laptop.subscribes(&ben, &service).await;
    assert_eq!(ben.request(Method::DELETE, "/api/push", None).await.0, 204);
    let again =
        server.post("/api/session", None, &json!({"email": "ben@example.org", "password": "correct horse"})).await;
    let mut ben_again = ben.clone();
    ben_again.cookie = cookie_of(&again);
    phone.subscribes(&ben_again, &service).await;
    assert_eq!(ben_again.request(Method::DELETE, "/api/session", None).await.0, 204);
    // One browser tells one person: who signed in last.
    shared.subscribes(&ben, &service).await;
    shared.subscribes(&cy, &service).await;
    let id = ada.makes_group("Walks", &[&ben, &cy]).await;
    ada.posts(&id, "hello").await;
    assert_eq!(shared.reads(service.next().await)["body"], "hello");
    assert!(timeout(Duration::from_millis(500), service.told.recv()).await.is_err(), "nobody else is told");
}

#[tokio::test]
async fn what_was_said_right_before_a_crash_is_told_after_it() {
    let mut service = Service::start().await;
    let server = service.server();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let phone = Browser::new("phone");
    phone.subscribes(&ben, &service).await;
    let id = ada.makes_group("Walks", &[&ben]).await;
    ada.posts(&id, "the last words").await;
    let _server = server.restart(&["--rate-limits", "off", "--push-service", &service.origin]);
    assert_eq!(phone.reads(service.next().await)["body"], "the last words");
}

#[tokio::test]
async fn no_address_of_somebodys_own_choice_is_asked() {
    let service = Service::start().await;
    let server = service.server();
    let ben = server.sign_up("Ben").await;
    let phone = Browser::new("phone");
    let good = phone.subscription(&service);
    let with = |field: &str, value: &str| {
        let mut body = good.clone();
        body[field] = value.into();
        body
    };
    let table = [
        (with("endpoint", "http://169.254.169.254/latest"), "endpoint"),
        (with("endpoint", "https://example.org/x"), "endpoint"),
        (with("endpoint", "nothing"), "endpoint"),
        (with("endpoint", &format!("{}/{}", service.origin, "x".repeat(1_024))), "endpoint"),
        (with("p256dh", "AAAA"), "p256dh"),
        (with("p256dh", &BASE64.encode([4; 65])), "p256dh"),
        (with("p256dh", "***"), "p256dh"),
        (with("auth", "AAAA"), "auth"),
    ];
    for (body, field) in table {
        let (status, answer) = ben.request(Method::PUT, "/api/push", Some(body.clone())).await;
        assert_eq!((status, &answer["error"]["field"]), (422, &json!(field)), "{body} {answer}");
    }
}
