//! From the journal into the tables: many records in one transaction.
//!
//! The tables name the last record that is in them, and change together with that number; so a record
//! is applied once, whatever happens in between.

use super::row::Sql;
use crate::store::Error;
use crate::store::journal::entry::{Entry, Message, Progress, entries};
use crate::store::journal::{Number, Record};
use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::{Cursor, Seq, UserId};
use std::collections::BTreeMap;

/// The last record of the journal that is in the tables.
pub(in crate::store) fn applied(database: &Connection) -> Result<Number, Error> {
    let found: Option<String> = database
        .prepare_cached("SELECT value FROM meta WHERE name = 'journal'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    found.map_or(Ok(0), |text| text.parse().map_err(|_| Error::Corrupt(format!("the journal's number {text:?}"))))
}

/// Applies records that follow the last one applied, in a transaction of their own.
pub(in crate::store) fn apply<'a>(
    database: &Connection,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<(), Error> {
    database.execute_batch("BEGIN IMMEDIATE")?;
    let done = within(database, records).and_then(|()| Ok(database.execute_batch("COMMIT")?));
    if done.is_err() {
        // What fails here fails again at the next BEGIN.
        let _ = database.execute_batch("ROLLBACK");
    }
    done
}

/// What is written once for all records: where the logs end, and how far people have come.
#[derive(Default)]
struct Ends {
    logs: BTreeMap<i64, (Seq, u64, i64)>,
    members: BTreeMap<(i64, UserId), (Cursor, Cursor, u64)>,
}

fn within<'a>(database: &Connection, records: impl IntoIterator<Item = &'a Record>) -> Result<(), Error> {
    let mut ends = Ends::default();
    let mut last = None;
    let mut event = database.prepare_cached(
        "INSERT INTO event (position, conversation, seq, at, sender, kind, message_count, command, fingerprint)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for record in records {
        last = Some(record.number);
        for entry in entries(record.entries()) {
            match entry? {
                Entry::Message(one) => {
                    let Message { conversation, position, seq, message_count, sender, .. } = one;
                    event.execute(params![
                        position,
                        conversation,
                        Sql(seq),
                        Sql(one.at),
                        Sql(sender),
                        one.kind,
                        i64::try_from(message_count).unwrap_or(i64::MAX),
                        Sql(one.command),
                        one.fingerprint,
                    ])?;
                    ends.logs.insert(conversation, (seq, message_count, position));
                    ends.members.insert((conversation, sender), (seq.into(), seq.into(), message_count));
                }
                Entry::Progress(one) => {
                    let Progress { conversation, user, delivered, read, read_count } = one;
                    ends.members.insert((conversation, user), (delivered, read, read_count));
                }
            }
        }
    }
    let Some(last) = last else { return Ok(()) };
    write_ends(database, &ends)?;
    database
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('journal', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([last.to_string()])?;
    Ok(())
}

fn write_ends(database: &Connection, ends: &Ends) -> Result<(), Error> {
    let mut statement = database.prepare_cached(
        "UPDATE conversation SET last_seq = ?2, message_count = ?3, last_position = ?4 WHERE key = ?1",
    )?;
    for (key, (seq, count, position)) in &ends.logs {
        statement.execute(params![key, Sql(*seq), i64::try_from(*count).unwrap_or(i64::MAX), position])?;
    }
    let mut statement = database.prepare_cached(
        "UPDATE member SET delivered_seq = ?3, read_seq = ?4, read_count = ?5 WHERE conversation = ?1 AND user = ?2",
    )?;
    for ((key, user), (delivered, read, count)) in &ends.members {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        statement.execute(params![key, Sql(*user), Sql(*delivered), Sql(*read), count])?;
    }
    Ok(())
}

/// Copies the write-ahead log into the database once it has `pages_max` pages. (It is not done by
/// COMMIT, which keeps to itself that it failed.)
pub(in crate::store) fn fold(database: &Connection, pages_max: i64) -> Result<(), Error> {
    let pages = |mode: &str| {
        database.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?.query_row([], |row| row.get::<_, i64>(1))
    };
    if pages("NOOP")? >= pages_max {
        pages("PASSIVE")?;
    }
    Ok(())
}
