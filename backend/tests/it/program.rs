//! The program on the command line.

use crate::support::{Server, command, cookie_of};
use serde_json::json;
use std::process::Output;

fn text(output: &Output) -> (bool, String, String) {
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), string(&output.stdout), string(&output.stderr))
}

#[test]
fn it_shows_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["--print-config"]).env("CONFAB_SEND_BURST", "7").output().unwrap();
    let (is_good, shown, _) = text(&output);
    assert!(is_good);
    assert!(shown.contains("send-burst = 7") && shown.contains("listen = \"127.0.0.1:0\""), "{shown}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "and touches nothing");
}

#[test]
fn a_setting_it_does_not_understand_ends_it_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("confab.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let output = command(folder.path()).arg("--config").arg(&file).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("lisen") && said.contains("settings file"), "{said}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start();
    let output = command(server.data()).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("Another Confab server is using the data folder"), "{said}");
}

#[test]
fn a_port_in_use_is_said() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let address = server.origin.strip_prefix("http://").unwrap();
    let program = env!("CARGO_BIN_EXE_confab");
    let output =
        std::process::Command::new(program).args(["--listen", address, "--data"]).arg(folder.path()).output().unwrap();
    let (is_good, _, said) = text(&output);
    assert!(!is_good && said.contains("Cannot listen on") && said.contains("--listen"), "{said}");
}

#[tokio::test]
async fn the_log_is_json_on_demand_and_keeps_secrets_and_texts_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_logging(&["--rate-limits", "off", "--log", "trace", "--log-format", "json"], &log);
    let ada = server.sign_up("Ada").await;
    let mut socket = ada.connect().await;
    let id = socket.says(json!("everyone"), "between you and me").await;
    socket.accepted(id).await;
    let wrong = json!({"email": "ada@example.org", "password": "wrong horse"});
    assert_eq!(server.post("/api/session", None, &wrong).await.status(), 401);
    ada.request(reqwest::Method::DELETE, "/api/session", None).await;
    assert_eq!(socket.closed().await.0, 4401);
    let user = ada.id.to_string();
    server.terminate();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.lines().count() > 3 && log.contains(&user), "{log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let token = ada.cookie.split_once('=').unwrap().1;
    for secret in ["correct horse", "wrong horse", "ada@example.org", "between you and me", token] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_password_and_a_secret_are_on_no_disk_and_in_no_log() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let server = Server::start_logging(&["--rate-limits", "off", "--log", "trace"], &log);
    let (first, second) = ("marker-of-the-first-password", "marker-of-the-second-password");
    let sign_up = json!({"email": "ada@example.org", "displayName": "Ada", "password": first});
    let mut ada = server.sign_up("Other").await;
    ada.cookie = cookie_of(&server.post("/api/accounts", None, &sign_up).await);
    let sign_in = json!({"email": "ada@example.org", "password": first});
    let mut secrets = vec![ada.cookie.clone(), cookie_of(&server.post("/api/session", None, &sign_in).await)];
    let (_, token) =
        ada.request(reqwest::Method::POST, "/api/tokens", Some(json!({"name": "bot", "currentPassword": first}))).await;
    let token = token["token"].as_str().unwrap().to_owned();
    let answer = server.http().get(format!("{}/api/session", server.origin)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    secrets.push(format!("bearer={token}"));
    ada.connect().await.says(json!("everyone"), "hello").await;
    let wrong = json!({"email": "ada@example.org", "password": "marker-of-a-wrong-password"});
    server.post("/api/session", None, &wrong).await;
    let change = json!({"password": second, "currentPassword": first});
    assert_eq!(ada.request(reqwest::Method::PATCH, "/api/account", Some(change)).await.0, 200);

    // Killed, so that the write-ahead log is there as well.
    let folder = server.kill();
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.push(log);
    assert!(files.len() >= 4, "{files:?}");
    let is_in = |bytes: &[u8], secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    let mut is_anything_found = false;
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        is_anything_found |= is_in(&bytes, b"ada@example.org");
        for secret in &secrets {
            let digits = secret.split_once('=').unwrap().1;
            let raw: Vec<_> = (0..32).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
            assert!(!is_in(&bytes, digits.as_bytes()) && !is_in(&bytes, &raw), "a secret is in {}", file.display());
        }
        for marker in [first, second, "marker-of-a-wrong-password"] {
            assert!(!is_in(&bytes, marker.as_bytes()), "{marker} is in {}", file.display());
        }
    }
    assert!(is_anything_found, "the search finds what is there");
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_of_the_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    fn others(folder: &std::path::Path, seen: &mut usize) {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
            *seen += 1;
            if path.is_dir() {
                others(&path, seen);
            }
        }
    }
    let server = Server::start();
    let ada = server.sign_up("Ada").await;
    let mut socket = ada.connect().await;
    let id = socket.says(json!("everyone"), "between you and me").await;
    socket.accepted(id).await;
    assert_eq!(ada.uploads(&server, "small.bin", vec![7_u8; 1_000]).await.0, 201);
    assert_eq!(ada.get("/api/search?query=between").await.0, 200);
    let mut seen = 0;
    others(server.data(), &mut seen);
    assert!(seen > 8, "{seen}");
    // A folder of an earlier version, whose database others may read.
    let folder = server.kill();
    let database = folder.path().join("confab.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::start_on(folder, &["--rate-limits", "off"]);
    others(server.data(), &mut seen);
}
