//! Signing up, in and out.

use crate::support::{Server, cookie_of};
use reqwest::Method;
use serde_json::{Value, json};

fn account(email: &str) -> Value {
    json!({"email": email, "displayName": "Ada", "password": "correct horse"})
}

#[tokio::test]
async fn an_account_is_made_once_for_an_address_in_any_case() {
    let server = Server::start();
    let answer = server.post("/api/accounts", None, &account("Ada@Example.org")).await;
    assert_eq!(answer.status(), 201);
    let line = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"), "{line}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["user"]["email"], "Ada@Example.org");

    let again = server.post("/api/accounts", None, &account("ada@example.ORG")).await;
    assert_eq!(again.status(), 409);
    assert_eq!(again.json::<Value>().await.unwrap()["error"]["code"], "conflict");

    let sign_in = json!({"email": " ADA@example.org ", "password": "correct horse"});
    let answer = server.post("/api/session", None, &sign_in).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn each_bad_field_is_named() {
    let server = Server::start();
    let table = [
        ("email", json!("no address")),
        ("email", json!("")),
        ("email", json!(7)),
        ("displayName", json!("  ")),
        ("displayName", json!("x".repeat(65))),
        ("password", json!("short")),
        ("password", json!("a secret!")),
        ("password", json!(" ".repeat(12))),
        ("password", json!("p".repeat(1_025))),
    ];
    for (field, value) in table {
        let mut body = account("ada@example.org");
        body[field] = value;
        let answer = server.post("/api/accounts", None, &body).await;
        assert_eq!(answer.status(), 422, "{body}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!((&error["error"]["code"], &error["error"]["field"]), (&json!("invalid"), &json!(field)));
    }
}

#[tokio::test]
async fn a_password_that_others_would_guess_is_refused_wherever_it_is_chosen() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    for password in ["password12", "1234567890", "qwertyuiop", "AdaLovelace", "countess12", "confabconfab"] {
        let body = json!({"email": "countess.ada@example.org", "displayName": "Ada Lovelace", "password": password});
        let answer = server.post("/api/accounts", None, &body).await;
        assert_eq!(answer.status(), 422, "{password}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!((&error["error"]["code"], &error["error"]["field"]), (&json!("invalid"), &json!("password")));
        let body = json!({
            "displayName": "Ada Lovelace",
            "email": "countess.ada@example.org",
            "password": password,
            "currentPassword": "correct horse",
        });
        let (status, error) = ada.request(Method::PATCH, "/api/account", Some(body)).await;
        assert_eq!((status, &error["error"]["field"]), (422, &json!("password")), "{password}");
    }
    assert_eq!(ada.get("/api/session").await.1["user"]["displayName"], "Ada", "nothing was changed");
}

#[tokio::test]
async fn which_addresses_are_taken_is_told_a_few_times_only() {
    let change = |email: &str| Some(json!({"email": email, "currentPassword": "correct horse"}));
    // An account may ask five times a day, and an address no more often than it may sign up.
    for (sign_ups, asked) in [("100", 5), ("3", 1)] {
        let server = Server::start_with(&["--sign-ups-in-15-min", sign_ups], &[]);
        let (ada, _ben) = (server.sign_up("Ada").await, server.sign_up("Ben").await);
        for _ in 0..asked {
            let (status, body) = ada.request(Method::PATCH, "/api/account", change("ben@example.org")).await;
            assert_eq!(status, 409, "{body}");
        }
        let (status, body) = ada.request(Method::PATCH, "/api/account", change("nobody@example.org")).await;
        assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limited")), "a free one is not told either");
        let (status, _) = ada.request(Method::PATCH, "/api/account", change("Ada@Example.org")).await;
        assert_eq!(status, 200, "her own address in another case tells nothing");
    }
}

#[tokio::test]
async fn right_passwords_have_a_rate_as_well_and_it_is_the_accounts_own() {
    let server = Server::start_with(&[], &[]);
    server.sign_up("Ada").await;
    server.sign_up("Ben").await;
    let sign_in = async |who: &str| {
        let body = json!({"email": format!("{who}@example.org"), "password": "correct horse"});
        server.post("/api/session", None, &body).await
    };
    let mut refused = None;
    for _ in 0..200 {
        let answer = sign_in("ada").await;
        if answer.status() != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("two hundred sign-ins in a row are too many");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.status(), 429);
    assert_eq!(sign_in("ben").await.status(), 200);
}

#[tokio::test]
async fn a_wrong_password_and_no_account_are_answered_alike() {
    let server = Server::start();
    server.sign_up("Ada").await;
    let mut bodies = Vec::new();
    for (email, password) in [("ada@example.org", "wrong horse"), ("nobody@example.org", "wrong horse")] {
        let answer = server.post("/api/session", None, &json!({"email": email, "password": password})).await;
        assert_eq!(answer.status(), 401);
        bodies.push(answer.text().await.unwrap());
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn signing_in_gives_a_new_token_each_time_and_only_its_hash_is_stored() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let body = json!({"email": "ada@example.org", "password": "correct horse"});
    let other = cookie_of(&server.post("/api/session", Some(&ada.cookie), &body).await);
    assert_ne!(other, ada.cookie);
    let token = other.split_once('=').unwrap().1;
    assert_eq!(token.len(), 64);
    for file in std::fs::read_dir(server.data()).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        for secret in [token, "correct horse"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_its_sockets_and_no_other() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let body = json!({"email": "ada@example.org", "password": "correct horse"});
    let mut elsewhere = ada.clone();
    elsewhere.cookie = cookie_of(&server.post("/api/session", None, &body).await);
    let (mut here, mut there) = (ada.connect().await, elsewhere.connect().await);
    assert_eq!(ada.get("/api/session").await.0, 200);
    assert_eq!(ada.request(Method::DELETE, "/api/session", None).await.0, 204);
    assert_eq!(here.closed().await.0, 4401);
    assert_eq!(ada.get("/api/session").await.0, 401);
    assert_eq!(there.sees().await, []);
    let (status, me) = elsewhere.get("/api/session").await;
    assert_eq!((status, &me["user"]["email"]), (200, &json!("ada@example.org")));
}

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let origin = server.origin.clone();
    let foreign = [
        None,
        Some("null".to_owned()),
        Some("http://evil.example".to_owned()),
        Some(origin.replace("http:", "https:")),
        Some(format!("{origin}0")),
        Some(format!("{origin}.evil.example")),
        Some("http://127.0.0.1".to_owned()),
    ];
    for origin in foreign {
        for (method, path) in [(Method::POST, "/api/session"), (Method::DELETE, "/api/session"), (Method::GET, "/ws")] {
            let mut request =
                server.http().request(method, format!("{}{path}", server.origin)).header("cookie", &ada.cookie);
            if let Some(origin) = &origin {
                request = request.header("origin", origin);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 403, "{path} from {origin:?}");
            assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "bad_origin");
        }
    }
    assert_eq!(ada.get("/api/session").await.0, 200);
}

#[tokio::test]
async fn too_many_wrong_passwords_are_slowed_down() {
    let server = Server::start_with(&[], &[]);
    server.sign_up("Ada").await;
    let wrong = json!({"email": "ada@example.org", "password": "wrong horse"});
    for _ in 0..10 {
        assert_eq!(server.post("/api/session", None, &wrong).await.status(), 401);
    }
    let answer = server.post("/api/session", None, &wrong).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
}
