//! Who may know whom: words that must not stand in some folders. The reasons are in ARCHITECTURE.md.

use crate::mutants;
use crate::process::root;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;

/// (folder, word, why not).
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("shared/src", "SystemTime", "the contract has no clock"),
    ("shared/src", "std::fs", "the contract does no I/O"),
    ("client/src", "web_sys", "decisions are made without a browser"),
    ("client/src", "Instant::now", "decisions are told the time"),
    ("backend/src/http", "rusqlite", "HTTP asks the store, not the database"),
    ("backend/src/http", "store::sqlite", "HTTP asks the store, not the database"),
    ("backend/src/socket", "rusqlite", "a socket's task never waits for the database"),
    ("backend/src/store", "crate::registry", "the store does not know who is connected"),
    ("backend/src/store", "crate::chat", "the writer does not know who reads its outcomes"),
    ("backend/src/store", "axum", "the store does not know how it is asked"),
    ("backend/src/registry.rs", "crate::store", "the registry does not know what is stored"),
    ("backend/src", "unbounded_channel", "every queue has a bound"),
    ("backend/src/accounts", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/attachment", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/chat", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/http", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/push", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/socket", "spawn_blocking", "work that blocks yields to delivery"),
    ("backend/src/store/sqlite", "spawn_blocking", "work that blocks yields to delivery"),
    ("frontend/src", "inner_html", "text becomes nodes, never HTML"),
    ("frontend/src", "insert_adjacent_html", "text becomes nodes, never HTML"),
    ("frontend/src/components", "connection::socket", "components know the state, not the socket"),
    ("frontend/src/state", "web_sys", "state does not touch the DOM"),
];

pub(crate) fn run() -> Result<()> {
    let mut found = Vec::new();
    for (folder, word, why) in FORBIDDEN {
        let path = root().join(folder);
        look(&path, word, &mut |file, line| found.push(format!("{file}:{line}: {word} — {why}")))?;
    }
    if !found.is_empty() {
        bail!("words where they must not be:\n{}", found.join("\n"));
    }
    let missing = missing_tests()?;
    if !missing.is_empty() {
        bail!("docs/promises.md names what is not there:\n{}", missing.join("\n"));
    }
    mutants::check()
}

/// Every test that docs/promises.md names, file by file, and is not there.
fn missing_tests() -> Result<Vec<String>> {
    let promises = fs::read_to_string(root().join("docs/promises.md"))?;
    let mut missing = Vec::new();
    for line in promises.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")) {
        let mut source = None;
        // Every second piece stands between backticks: a file, then the tests in it.
        for name in line.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                source = Some(fs::read_to_string(root().join(name)).unwrap_or_default());
            } else if let Some(source) = &source
                && !source.contains(&format!("fn {name}("))
            {
                missing.push(format!("{name} ({line:.60})"));
            }
        }
    }
    Ok(missing)
}

fn look(path: &Path, word: &str, report: &mut dyn FnMut(String, usize)) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            look(&entry?.path(), word, report)?;
        }
        return Ok(());
    }
    if path.extension().is_some_and(|end| end == "rs") {
        for (number, line) in fs::read_to_string(path)?.lines().enumerate() {
            if line.contains(word) {
                report(path.strip_prefix(root())?.display().to_string(), number + 1);
            }
        }
    }
    Ok(())
}
