//! What the world does to a server: it is killed, loses its power, its space, its disk, its time.
//!
//! Each promise has a control, a server with a fault on purpose that must not pass, so that a test
//! which has stopped testing is noticed. What cannot be tried on a machine says so ([`not_run`]).

mod backup;
mod clock;
mod crowd;
mod dice;
mod disk;
mod kill;
mod power;
mod power_model;
mod retry;
mod rot;
mod slow;
mod stop;
mod strace;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Says loudly that a promise was not tested, and why. `cargo xtask test` repeats it in its summary.
pub(crate) fn not_run(reason: &str) {
    #[expect(clippy::explicit_write, reason = "what the macro prints is hidden when a test passes")]
    writeln!(std::io::stderr(), "NOT RUN: {reason}").unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("not-run.txt");
    let mut file = std::fs::File::options().append(true).create(true).open(file).unwrap();
    writeln!(file, "{reason}").unwrap();
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What is wrong with the pages of a database; nothing, if it is sound.
pub(crate) fn damage(database: &rusqlite::Connection) -> Vec<String> {
    let found = database.prepare("PRAGMA integrity_check").and_then(|mut statement| {
        statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()
    });
    match found {
        Ok(lines) if lines == ["ok"] => Vec::new(),
        Ok(lines) => lines,
        Err(error) => vec![error.to_string()],
    }
}
