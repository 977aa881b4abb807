//! `durable`: the floor of storage. No server: one thread writes rows as Confab's log has them into SQLite, set as
//! Confab sets it, so many in each transaction, each on the disk before the next begins.

use super::{Figure, Round};
use crate::contender::folder;
use anyhow::Result;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// Rows in one transaction.
pub const BATCHES: [usize; 4] = [1, 10, 100, 1_000];

/// Every size of a transaction.
///
/// # Errors
/// When SQLite fails.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for batch in BATCHES {
        let (rows, wall, cpu) = write(batch, round.options.time(1))?;
        let rows = rows as f64;
        figures.push(Figure::new(format!("durable.{batch}.cpu"), "µs", cpu.as_secs_f64() * 1e6 / rows));
        figures.push(Figure::new(format!("durable.{batch}.rate"), "/s", rows / wall.as_secs_f64()));
    }
    Ok(figures)
}

/// Writes for a while, and says how many rows, how long, and what this process computed.
///
/// # Errors
/// When SQLite fails.
pub fn write(batch: usize, time: Duration) -> Result<(i64, Duration, Duration)> {
    let folder = folder()?;
    let mut database = Connection::open(folder.path().join("floor.db"))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "cache_size", -16_384)?;
    database.execute_batch(
        "CREATE TABLE event (position INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, seq INTEGER NOT NULL,
           at INTEGER NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL) STRICT;
         CREATE UNIQUE INDEX event_by_seq ON event (conversation, seq);
         CREATE UNIQUE INDEX event_by_id ON event (id);",
    )?;
    let text = "x".repeat(crate::dialect::TEXT_BYTES);
    let before = crate::process::Cpu::of(std::process::id())?;
    let started = Instant::now();
    let mut rows = 0_i64;
    while started.elapsed() < time {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO event (conversation, seq, at, id, kind) VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for _ in 0..batch {
                // A hundred conversations in turn; ids that grow, as those of version 7 do.
                let (conversation, seq) = (rows % 100, rows / 100);
                insert.execute((conversation, seq, rows, i128::from(rows).to_be_bytes(), &text))?;
                rows += 1;
            }
        }
        transaction.commit()?;
    }
    let wall = started.elapsed();
    let cpu = crate::process::Cpu::of(std::process::id())?.since(&before);
    Ok((rows, wall, cpu))
}
