//! From the journal into the tables: many records in one transaction.
//!
//! The tables name the last record that is in them, and change together with that number; so a record
//! is applied once, whatever happens in between.

use super::audience;
use super::row::Sql;
use crate::store::Error;
use crate::store::journal::entry::{Entry, Message, Progress, entries};
use crate::store::journal::{Number, Record};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use shared::ids::{Cursor, Seq, UserId};

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

/// What is written once for all records: where the logs end, how far people have come, and who has written.
#[derive(Default)]
struct Ends {
    logs: HashMap<i64, (Seq, u64, i64)>,
    /// With whether they have written.
    members: HashMap<(i64, UserId), (Cursor, Cursor, u64, bool)>,
}

fn within<'a>(database: &Connection, records: impl IntoIterator<Item = &'a Record>) -> Result<(), Error> {
    let mut ends = Ends::default();
    let mut last = None;
    let mut messages = Vec::new();
    for record in records {
        last = Some(record.number);
        for entry in entries(record.entries()) {
            match entry? {
                Entry::Message(one) => {
                    let Message { conversation, position, seq, message_count, sender, .. } = one;
                    ends.logs.insert(conversation, (seq, message_count, position));
                    ends.members.insert((conversation, sender), (seq.into(), seq.into(), message_count, true));
                    messages.push(one);
                    if messages.len() == ROWS {
                        insert(database, &messages)?;
                        messages.clear();
                    }
                }
                Entry::Progress(one) => {
                    let Progress { conversation, user, delivered, read, read_count } = one;
                    let end = ends.members.entry((conversation, user)).or_default();
                    *end = (delivered, read, read_count, end.3);
                }
            }
        }
    }
    insert(database, &messages)?;
    let Some(last) = last else { return Ok(()) };
    write_ends(database, &ends)?;
    database
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('journal', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([last.to_string()])?;
    Ok(())
}

/// Messages inserted by one statement: starting and ending a statement costs as much as a row. (`OR FAIL`, because
/// what fails half-way is undone with the whole transaction; otherwise SQLite keeps a copy of each page for that.)
const ROWS: usize = 16;

fn insert(database: &Connection, messages: &[Message<'_>]) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let mut sql = String::from(
        "INSERT OR FAIL INTO event
         (position, conversation, seq, at, sender, kind, message_count, command, fingerprint) VALUES ",
    );
    for row in 0..messages.len() {
        sql.push_str(if row > 0 { ",(?,?,?,?,?,?,?,?,?)" } else { "(?,?,?,?,?,?,?,?,?)" });
    }
    let mut statement = database.prepare_cached(&sql)?;
    let mut parameter = 0;
    let mut bind = |value: &dyn ToSql| {
        parameter += 1;
        statement.raw_bind_parameter(parameter, value)
    };
    for one in messages {
        bind(&one.position)?;
        bind(&one.conversation)?;
        bind(&Sql(one.seq))?;
        bind(&Sql(one.at))?;
        bind(&Sql(one.sender))?;
        bind(&one.kind)?;
        bind(&i64::try_from(one.message_count).unwrap_or(i64::MAX))?;
        bind(&Sql(one.command))?;
        bind(&one.fingerprint)?;
    }
    statement.raw_execute()?;
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
    for ((key, user), (delivered, read, count, has_written)) in &ends.members {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        statement.execute(params![key, Sql(*user), Sql(*delivered), Sql(*read), count])?;
        if *has_written {
            audience::note_writer(database, *key, *user)?;
        }
    }
    Ok(())
}

/// Copies the write-ahead log into the database once it has `pages_max` pages. (It is not done by
/// COMMIT, which keeps to itself that it failed.)
pub(in crate::store) fn fold(database: &Connection, pages_max: i64) -> Result<(), Error> {
    #[cfg(debug_assertions)]
    let pages_max = crate::fault::number("CONFAB_FOLD_PAGES").map_or(pages_max, |pages| pages.cast_signed());
    let pages = |mode: &str| {
        database.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?.query_row([], |row| row.get::<_, i64>(1))
    };
    if pages("NOOP")? >= pages_max {
        pages("PASSIVE")?;
    }
    Ok(())
}
