//! Sessions, API tokens and the account: what ends when, and what a token may not do.

use crate::support::{Person, Server, cookie_of, new_id};
use reqwest::{Method, header};
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Signs the same person in on another device.
async fn other_device(server: &Server, person: &Person, email: &str) -> Person {
    let answer = server.post("/api/session", None, &json!({"email": email, "password": "correct horse"})).await;
    assert_eq!(answer.status(), 200);
    let mut other = person.clone();
    other.cookie = cookie_of(&answer);
    other
}

async fn bearer(server: &Server, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server.http().request(method, format!("{}{path}", server.origin)).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn somebody_signs_in_however_their_keyboard_composes_letters() {
    let server = Server::start();
    let (composed, taken_apart) = ("p\u{e4}ssw\u{f6}rd caf\u{e9} 9", "pa\u{308}sswo\u{308}rd cafe\u{301} 9");
    let account = json!({"email": "zoe@example.org", "displayName": "Zoë", "password": composed});
    assert_eq!(server.post("/api/accounts", None, &account).await.status(), 201);
    for (password, status) in [(composed, 200), (taken_apart, 200), ("passwo\u{308}rd cafe\u{301} 9", 401)] {
        let body = json!({"email": "zoe@example.org", "password": password});
        assert_eq!(server.post("/api/session", None, &body).await.status(), status, "{password:?}");
    }
    // Ten characters are ten letters, not letters and their marks.
    let account = json!({"email": "ben@example.org", "displayName": "Ben", "password": "a\u{308}o\u{308}u\u{308}e\u{301}i\u{302}"});
    assert_eq!(server.post("/api/accounts", None, &account).await.status(), 422);
}

#[tokio::test]
async fn devices_are_listed_and_one_can_be_ended() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let phone = other_device(&server, &ada, "ADA@example.org").await;
    let (mut desk, mut mobile) = (ada.connect().await, phone.connect().await);
    let (status, body) = ada.get("/api/sessions").await;
    assert_eq!(status, 200);
    let sessions = body["sessions"].as_array().unwrap();
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
    assert_eq!(ada.request(Method::DELETE, &format!("/api/sessions/{other}"), None).await.0, 204);
    assert_eq!(mobile.closed().await.0, 4401);
    assert_eq!(phone.get("/api/session").await.0, 401);
    assert_eq!(desk.sees().await, []);
    let gone = ada.request(Method::DELETE, &format!("/api/sessions/{other}"), None).await;
    assert_eq!(gone.0, 404);
    let ben = server.sign_up("Ben").await;
    let (_, body) = ada.get("/api/sessions").await;
    let mine = body["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(
        ben.request(Method::DELETE, &format!("/api/sessions/{mine}"), None).await,
        gone,
        "not yours is not there"
    );
}

#[tokio::test]
async fn signing_in_again_ends_the_browsers_old_session() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let body = json!({"email": "ada@example.org", "password": "correct horse"});
    let answer = server.post("/api/session", Some(&ada.cookie), &body).await;
    assert_eq!(answer.status(), 200);
    assert_ne!(cookie_of(&answer), ada.cookie);
    assert_eq!(ada.get("/api/session").await.0, 401);
    let answer = server.post("/api/session", Some("confab=chosen-by-an-attacker"), &body).await;
    assert_ne!(cookie_of(&answer), "confab=chosen-by-an-attacker");
}

#[tokio::test]
async fn another_password_ends_all_other_sessions_and_tokens() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let phone = other_device(&server, &ada, "ada@example.org").await;
    let (_, token) = ada
        .request(Method::POST, "/api/tokens", Some(json!({"name": "bot", "currentPassword": "correct horse"})))
        .await;
    let token = token["token"].as_str().unwrap();
    let (mut desk, mut mobile) = (ada.connect().await, phone.connect().await);
    let change = |current: &str| json!({"password": "battery staple", "currentPassword": current});
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(change("wrong horse"))).await.0, 403);
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(json!({"password": "battery staple"}))).await.0, 422);
    let answer = server
        .http()
        .patch(format!("{}/api/account", server.origin))
        .header(header::ORIGIN, &server.origin)
        .header(header::COOKIE, &ada.cookie)
        .json(&change("correct horse"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(mobile.closed().await.0, 4401);
    assert_eq!(phone.get("/api/session").await.0, 401);
    assert_eq!(bearer(&server, Method::GET, "/api/session", token, None).await.0, 401);
    assert_eq!(ada.get("/api/session").await.0, 401, "the old secret is worth nothing");
    let mut again = ada.clone();
    again.cookie = cookie_of(&answer);
    assert_eq!(again.get("/api/session").await.0, 200);
    assert_eq!(desk.sees().await, [], "this browser's sockets stay");
    let old = json!({"email": "ada@example.org", "password": "correct horse"});
    assert_eq!(server.post("/api/session", None, &old).await.status(), 401);
}

#[tokio::test]
async fn name_and_address_can_be_changed() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (mut a, mut b) = (ada.connect().await, ben.connect().await);
    a.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "hi"})).await.unwrap();
    b.sees().await;
    let (status, body) =
        ada.request(Method::PATCH, "/api/account", Some(json!({"displayName": " Ada Lovelace "}))).await;
    assert_eq!((status, &body["user"]["displayName"]), (200, &json!("Ada Lovelace")));
    for socket in [&mut a, &mut b] {
        let told = socket
            .until(|frame| match frame {
                ServerFrame::Person(changed) => Some(changed.user),
                _ => None,
            })
            .await;
        assert_eq!((told.id, told.display_name.as_str()), (ada.id, "Ada Lovelace"), "who talks with her is told");
        assert_eq!((told.email, told.privacy), (None, None));
    }
    let change = |email: &str| json!({"email": email, "currentPassword": "correct horse"});
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(json!({"email": "x@y"}))).await.0, 422);
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(change("BEN@example.org"))).await.0, 409);
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(change("nonsense"))).await.0, 422);
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(change("new@example.org"))).await.0, 200);
    let sign_in = json!({"email": "New@Example.org", "password": "correct horse"});
    assert_eq!(server.post("/api/session", None, &sign_in).await.status(), 200);
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_what_it_wrote_stays() {
    let server = Server::start();
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let mut a = ada.connect().await;
    let (direct, _) = a.asks(json!({"type": "send", "to": {"user": ben.id}, "content": "hi"})).await.unwrap();
    let to = json!({"users": [ben.id, cy.id]});
    let (group, _) = a.asks(json!({"type": "send", "to": to, "content": "hi all"})).await.unwrap();
    let delete = |password: &str| Some(json!({"currentPassword": password}));
    assert_eq!(ada.request(Method::DELETE, "/api/account", delete("wrong horse")).await.0, 403);
    assert_eq!(ada.request(Method::DELETE, "/api/account", delete("correct horse")).await.0, 204);
    assert_eq!(a.closed().await.0, 4401);
    assert_eq!(ada.get("/api/session").await.0, 401);
    let sign_in = json!({"email": "ada@example.org", "password": "correct horse"});
    assert_eq!(server.post("/api/session", None, &sign_in).await.status(), 401);
    let (_, body) = ben.get(&format!("/api/conversations/{group}")).await;
    assert_eq!(body["conversation"]["members"].as_array().unwrap().len(), 2);
    let (_, body) = ben.get(&format!("/api/conversations/{direct}")).await;
    assert!(body.to_string().contains("Deleted account") && !body.to_string().contains("Ada"), "{body}");
    assert_eq!(ben.log(direct).await.len(), 1);
    let (_, body) = ben.get("/api/users?search=").await;
    assert!(!body.to_string().contains(&ada.id.to_string()));
    let mut c = cy.connect().await;
    let to_nobody = json!({"type": "send", "to": {"user": ada.id}, "content": "x"});
    assert_eq!(c.asks(to_nobody).await, Err("not_found".into()));
    assert_eq!(server.sign_up("Ada").await.get("/api/session").await.0, 200, "the address is free again");
}

#[tokio::test]
async fn a_token_talks_but_manages_nothing() {
    let server = Server::start();
    let (ada, ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let (status, made) = ada
        .request(Method::POST, "/api/tokens", Some(json!({"name": " My bot ", "currentPassword": "correct horse"})))
        .await;
    assert_eq!((status, &made["name"]), (201, &json!("My bot")));
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let (_, list) = ada.get("/api/tokens").await;
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1);
    assert!(list["tokens"][0].get("lastUsedAt").is_none() && !list.to_string().contains(token));
    let (status, me) = bearer(&server, Method::GET, "/api/session", token, None).await;
    assert_eq!((status, &me["user"]["id"], me["user"].get("email")), (200, &json!(ada.id), None));
    assert_eq!(ada.get("/api/session").await.1["user"]["email"], "ada@example.org");
    let (_, list) = ada.get("/api/sessions").await;
    assert_eq!(list["sessions"].as_array().unwrap().len(), 1, "a token is no device");

    // No origin is needed, neither for calls nor for the socket.
    let body = json!({"kind": "group", "members": [ben.id]});
    let (status, group) = bearer(&server, Method::POST, "/api/conversations", token, Some(body)).await;
    assert_eq!(status, 201);
    let path = format!("/api/conversations/{}/messages", group["conversation"]["id"].as_str().unwrap());
    let body = json!({"id": new_id(), "content": "beep"});
    assert_eq!(bearer(&server, Method::POST, &path, token, Some(body)).await.0, 201);
    let mut request = format!("{}/ws", server.origin.replace("http:", "ws:")).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut socket = ada.socket(stream);
    let ServerFrame::Welcome(welcome) = socket.next().await else { panic!("the server speaks first: welcome") };
    assert_eq!(welcome.user.email, None, "a program is not told its owner's address");

    let sessions = format!("/api/sessions/{id}");
    for (method, path, body) in [
        (Method::POST, "/api/tokens", Some(json!({"name": "another", "currentPassword": "correct horse"}))),
        (Method::GET, "/api/tokens", None),
        (Method::GET, "/api/sessions", None),
        (Method::DELETE, "/api/session", None),
        (Method::DELETE, sessions.as_str(), None),
        (Method::PATCH, "/api/account", Some(json!({"displayName": "x"}))),
        (Method::DELETE, "/api/account", Some(json!({"currentPassword": "correct horse"}))),
    ] {
        assert_eq!(bearer(&server, method, path, token, body).await.0, 403, "{path}");
    }
    let mut as_cookie = ada.clone();
    as_cookie.cookie = format!("confab={token}");
    assert_eq!(as_cookie.get("/api/session").await.0, 401, "a token is no cookie");
    let cookie = ada.cookie.split_once('=').unwrap().1;
    assert_eq!(bearer(&server, Method::GET, "/api/session", cookie, None).await.0, 401, "and a cookie no token");

    assert_eq!(ben.request(Method::DELETE, &format!("/api/tokens/{id}"), None).await.0, 404);
    assert_eq!(ada.request(Method::DELETE, &format!("/api/tokens/{id}"), None).await.0, 204);
    assert_eq!(socket.closed().await.0, 4401);
    assert_eq!(bearer(&server, Method::GET, "/api/session", token, None).await.0, 401);
}

#[tokio::test]
async fn a_token_is_made_with_the_password_only_and_for_some_days() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let make = async |body: Value| ada.request(Method::POST, "/api/tokens", Some(body)).await;
    for (body, status, field) in [
        (json!({"name": "bot"}), 422, "currentPassword"),
        (json!({"name": "bot", "currentPassword": "wrong horse"}), 403, "currentPassword"),
        (json!({"name": "bot", "currentPassword": "correct horse", "days": 0}), 422, "days"),
        (json!({"name": "bot", "currentPassword": "correct horse", "days": 366}), 422, "days"),
    ] {
        let (found, error) = make(body.clone()).await;
        assert_eq!((found, &error["error"]["field"]), (status, &json!(field)), "{body} {error}");
    }
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    for (days, end) in [(None, 90), (Some(1), 1), (Some(365), 365)] {
        let (status, made) = make(json!({"name": "bot", "currentPassword": "correct horse", "days": days})).await;
        assert_eq!(status, 201, "{made}");
        let (_, list) = ada.get("/api/tokens").await;
        let listed = list["tokens"].as_array().unwrap().iter().find(|token| token["id"] == made["id"]).unwrap();
        assert_eq!(listed["expiresAt"], made["expiresAt"]);
        let lasts = made["expiresAt"].as_u64().unwrap() - listed["createdAt"].as_u64().unwrap();
        assert!(lasts.abs_diff(end * DAY_MS) < DAY_MS / 2, "{lasts}");
    }
}

#[tokio::test]
async fn strangers_who_guess_do_not_lock_out_the_owner() {
    let server = Server::start_with(&["--trusted-proxy", "127.0.0.1"], &[]);
    let _ada = server.sign_up("Ada").await;
    let sign_in = |from: &'static str, password: &'static str| {
        let body = json!({"email": "ada@example.org", "password": password});
        let request = server.http().post(format!("{}/api/session", server.origin)).json(&body);
        request.header(header::ORIGIN, &server.origin).header("x-forwarded-for", from).send()
    };
    assert_eq!(sign_in("192.0.2.1", "correct horse").await.unwrap().status(), 200);
    for _ in 0..10 {
        assert_eq!(sign_in("198.51.100.9", "a guess!").await.unwrap().status(), 401);
    }
    let refused = sign_in("198.51.100.9", "a guess!").await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(sign_in("203.0.113.7", "correct horse").await.unwrap().status(), 429, "nor from elsewhere");
    assert_eq!(sign_in("192.0.2.1", "correct horse").await.unwrap().status(), 200, "but where she was before");
}

#[tokio::test]
async fn neighbours_of_somebody_who_guesses_at_their_address_sign_in() {
    // One more may be tried each minute and a half: this takes less, however long a password takes here.
    let server = Server::start_with(&["--trusted-proxy", "127.0.0.1", "--address-failures-in-15-min", "10"], &[]);
    let (_ada, _ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
    let sign_in = async |name: &str, password: &str| {
        let body = json!({"email": format!("{name}@example.org"), "password": password});
        let request = server.http().post(format!("{}/api/session", server.origin)).json(&body);
        let request = request.header(header::ORIGIN, &server.origin).header("x-forwarded-for", "198.51.100.9");
        request.send().await.unwrap().status().as_u16()
    };
    for number in 0..10 {
        assert_eq!(sign_in(["fay", "gil"][number % 2], "a wrong guess").await, 401);
    }
    for guessed_at in ["fay", "gil"] {
        assert_eq!(sign_in(guessed_at, "a wrong guess").await, 429, "the control");
    }
    // She was never there, and nobody guesses at her account; then she is known there.
    assert_eq!(sign_in("ada", "correct horse").await, 200);
    // At ever new accounts.
    let mut last = 0;
    for number in 0..11 {
        last = sign_in(&format!("new{number}"), "a wrong guess").await;
    }
    assert_eq!(last, 429);
    assert_eq!(sign_in("ben", "correct horse").await, 429, "the control: nothing tells him from the next guess");
    assert_eq!(sign_in("ada", "correct horse").await, 200);
}

#[tokio::test]
async fn account_is_known_at_an_address_where_it_is_used() {
    let server = Server::start_with(&["--trusted-proxy", "127.0.0.1", "--address-failures-in-15-min", "1"], &[]);
    let ada = server.sign_up("Ada").await;
    let from = |request: reqwest::RequestBuilder| {
        let request = request.header(header::ORIGIN, &server.origin).header("x-forwarded-for", "198.51.100.9");
        async { request.send().await.unwrap().status().as_u16() }
    };
    let sign_in = |name: &str, password: &str| {
        let body = json!({"email": format!("{name}@example.org"), "password": password});
        from(server.http().post(format!("{}/api/session", server.origin)).json(&body))
    };
    for name in ["fay", "gil"] {
        assert_eq!(sign_in(name, "a wrong guess").await, 401);
    }
    assert_eq!(sign_in("ada", "correct horse").await, 429, "the control");
    let opens = server.http().get(format!("{}/api/session", server.origin)).header(header::COOKIE, &ada.cookie);
    assert_eq!(from(opens).await, 200);
    assert_eq!(sign_in("ada", "correct horse").await, 200);
}

#[tokio::test]
async fn a_browser_whose_session_has_ended_is_told_to_forget_the_files_it_had() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let ask = |method: Method, cookie: Option<&str>| {
        let request = server.http().request(method, format!("{}/api/session", server.origin));
        let request = request.header(header::ORIGIN, &server.origin);
        match cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    };
    let forgets = |answer: &reqwest::Response| {
        answer.headers().get("clear-site-data").map(|value| value.to_str().unwrap().to_owned())
    };
    let cache = Some("\"cache\"".to_owned());
    let answer = ask(Method::GET, Some(&ada.cookie)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), forgets(&answer)), (200, None));
    let answer = ask(Method::DELETE, Some(&ada.cookie)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), forgets(&answer)), (204, cache.clone()));
    let answer = ask(Method::GET, Some(&ada.cookie)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), forgets(&answer)), (401, cache.clone()));
    let answer = ask(Method::GET, None).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), forgets(&answer)), (401, None), "nobody was signed in");
    let ben = server.sign_up("Ben").await;
    let gone = server.http().delete(format!("{}/api/account", server.origin));
    let gone = gone.header(header::ORIGIN, &server.origin).header(header::COOKIE, &ben.cookie);
    let answer = gone.json(&json!({"currentPassword": "correct horse"})).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), forgets(&answer)), (204, cache));
}

#[tokio::test]
async fn another_cookie_of_the_same_name_does_not_hide_the_session() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let stranger = format!("confab={}", "0".repeat(64));
    let with = |others: usize| format!("{}; {}", vec![stranger.as_str(); others].join("; "), ada.cookie);
    for (cookie, status) in [
        (format!("{}; {stranger}", ada.cookie), 200),
        (format!("confab=x; {}", ada.cookie), 200),
        (with(1), 200),
        (with(7), 200),
        // A bound for what one request may ask.
        (with(8), 401),
        (stranger.clone(), 401),
    ] {
        let mut other = ada.clone();
        other.cookie = cookie;
        assert_eq!(other.get("/api/session").await.0, status, "{}", other.cookie);
        assert_eq!(other.connect_raw().await.is_ok(), status == 200, "{}", other.cookie);
    }
}
