//! What Lighthouse says of the sign-in screen and of a conversation, on a telephone of the middle range as it imagines one.
//!
//! Accessibility and best practices are counted and have to hold. Performance is a time, and so is only told.

use crate::support::{Driver, Person, Server, free_port};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// How often it is run: now and then it records nothing, says so, and asks to be run again.
const TRIES: u32 = 3;

/// What it finds, also kept in a file.
async fn report_of(port: u16, url: &str, report: &Path) -> Value {
    let program =
        std::env::var("CONFAB_LIGHTHOUSE").expect("CONFAB_LIGHTHOUSE names its cli; cargo xtask test sets it");
    // That of an earlier run is none of this one.
    let _ = std::fs::remove_file(report);
    let answer = Command::new("node")
        .args([&program, url, &format!("--port={port}"), "--output=json", "--quiet", "--disable-storage-reset"])
        .args(["--only-categories=performance,accessibility,best-practices", "--no-enable-error-reporting"])
        .arg(format!("--output-path={}", report.display()))
        .output()
        .await
        .unwrap();
    let found: Value = serde_json::from_slice(&std::fs::read(report).unwrap_or_default()).unwrap_or_default();
    // One that has recorded nothing says so in its report, and fails.
    let is_told = answer.status.success() || !found["runtimeError"].is_null();
    assert!(is_told, "{}", String::from_utf8_lossy(&answer.stderr));
    found
}

/// The scores of a screen, of 100, by category.
#[expect(clippy::print_stdout, reason = "what is only told has to be told somewhere")]
async fn scores(port: u16, url: &str, name: &str) -> [f64; 3] {
    let report = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../test-output/lighthouse-{name}.json"));
    std::fs::create_dir_all(report.parent().unwrap()).unwrap();
    let mut found = Value::Null;
    for _ in 0..TRIES {
        found = report_of(port, url, &report).await;
        if found["runtimeError"].is_null() {
            break;
        }
    }
    assert!(found["runtimeError"].is_null(), "{name}: {}", found["runtimeError"]);
    let scores = ["performance", "accessibility", "best-practices"]
        .map(|category| found["categories"][category]["score"].as_f64().unwrap_or(0.0) * 100.0);
    println!("{name}: performance {:.0}, accessibility {:.0}, best practices {:.0}", scores[0], scores[1], scores[2]);
    let failed = found["audits"].as_object().unwrap().values().filter(|audit| {
        audit["score"].as_f64().is_some_and(|score| score < 0.9) && audit["scoreDisplayMode"] != "informative"
    });
    for audit in failed {
        println!("  {} {} {}", audit["id"], audit["score"], audit["displayValue"]);
    }
    scores
}

#[tokio::test]
async fn lighthouse_finds_the_screens_accessible_and_well_made() {
    let (server, driver) = (Server::start(), Driver::start().await);
    let ports = [free_port(), free_port()];
    let guest = driver.browser_with(&[&format!("--remote-debugging-port={}", ports[0])]).await;
    let guest = Person::sits_at(guest, "Guest", &server);
    let [_, accessibility, practices] = scores(ports[0], &format!("{}/signin", server.origin()), "signin").await;
    assert!(accessibility >= 100.0 && practices >= 95.0, "the sign-in screen");
    guest.browser.quit().await.unwrap();

    let ada = driver.browser_with(&[&format!("--remote-debugging-port={}", ports[1])]).await;
    let ada = Person::sits_at(ada, "Ada Lovelace", &server);
    ada.signs_in_or_up().await;
    let everyone = ada.fills(1, 80).await;
    let [_, accessibility, practices] = scores(ports[1], &format!("{}/c/{everyone}", server.origin()), "chat").await;
    assert!(accessibility >= 100.0 && practices >= 95.0, "a conversation");
    ada.browser.quit().await.unwrap();
}
