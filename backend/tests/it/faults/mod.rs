//! What the world does to a server: it is killed, loses its power, its space, its disk, its time.
//!
//! Each promise has a control, a server with a fault on purpose that must not pass, so that a test
//! which has stopped testing is noticed. What cannot be tried on a machine says so ([`not_run`]).

mod audience;
mod backup;
mod clock;
mod crowd;
pub(crate) mod dice;
mod disk;
mod failing;
mod journal;
mod kill;
mod parts;
mod power;
mod power_model;
mod reading;
mod retry;
mod rot;
mod short;
mod slow;
mod stop;
mod strace;
mod tail;

use backend::store::{OpenError, Store};
use shared::ids::CommandId;
use std::collections::HashMap;
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

/// Waits until something holds, however long a busy machine takes.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(180), "waited in vain until {what}");
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

/// Opens a folder as a server does, and gives its tables: what was in the journal alone is in them then.
pub(crate) fn opened(folder: &Path) -> Result<rusqlite::Connection, String> {
    let (outcomes, _kept) = tokio::sync::mpsc::channel(1);
    match Store::open::<()>(folder, 16, outcomes) {
        Ok((_, writer)) => writer.close(),
        Err(OpenError::Damaged { detail, .. }) => return Err(format!("damaged: {detail}")),
        Err(error) => return Err(error.to_string()),
    }
    Ok(rusqlite::Connection::open(folder.join("confab.db")).unwrap())
}

/// Opens a folder as a server does, and says what is missing or wrong: everything accepted must be there,
/// whole, once, and in its place.
pub(crate) fn compare(folder: &Path, accepted: &HashMap<CommandId, u64>) -> Vec<String> {
    match opened(folder) {
        Ok(database) => compare_tables(&database, accepted),
        Err(error) => vec![error],
    }
}

/// The same of tables that are known to have everything.
pub(crate) fn compare_tables(database: &rusqlite::Connection, accepted: &HashMap<CommandId, u64>) -> Vec<String> {
    let mut wrong = damage(database);
    let list = crowd::events(database, 0);
    let is_out_of_place = |(place, (seq, _)): &(u64, &(u64, CommandId))| place != seq;
    wrong.extend((1..).zip(&list).filter(is_out_of_place).map(|(place, found)| format!("{place}: {found:?}")));
    let stored: HashMap<_, _> = list.iter().map(|(seq, id)| (*id, *seq)).collect();
    if stored.len() != list.len() {
        wrong.push(format!("{} events are of {} commands", list.len(), stored.len()));
    }
    let lost = accepted.iter().filter(|(id, seq)| stored.get(id) != Some(seq));
    wrong.extend(lost.map(|(id, seq)| format!("{id} was accepted as {seq} and is {:?}", stored.get(id))));
    let miscounted: i64 = database
        .query_row(
            "SELECT count(*) FROM conversation WHERE message_count <>
             (SELECT count(*) FROM event WHERE conversation = key AND json_extract(kind, '$.message.id') IS NOT NULL)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    if miscounted > 0 {
        wrong.push(format!("{miscounted} conversations count their messages wrongly"));
    }
    wrong
}
