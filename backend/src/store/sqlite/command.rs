//! What makes a command idempotent: its id, once for each user, and what came of it.
//!
//! It stands in the row of the command's event. Commands that were answered with another's event, and
//! those from before that was so, have a table of their own.

use super::row::Sql;
use crate::store::Error;
use crate::store::writer::Place;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::ids::{CommandId, Seq, UserId};

/// Tells two commands with the same id apart: the first half of SHA-256 over all their fields.
pub(in crate::store) type Fingerprint = [u8; 16];

/// What came of the command of this user that has this id.
pub(in crate::store) fn find(
    database: &Connection,
    user: UserId,
    id: CommandId,
) -> Result<Option<(Fingerprint, Place)>, Error> {
    const OWN_EVENT: &str = "SELECT fingerprint, conversation.id, seq, at FROM event
         JOIN conversation ON conversation.key = event.conversation WHERE command = ?2 AND sender = ?1";
    const OTHER: &str = "SELECT fingerprint, conversation.id, seq, at FROM command
         JOIN conversation ON conversation.key = command.conversation WHERE user = ?1 AND command.id = ?2";
    for sql in [OWN_EVENT, OTHER] {
        let mut statement = database.prepare_cached(sql)?;
        let found = statement.query_row(params![Sql(user), Sql(id)], place).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn place(found: &Row<'_>) -> rusqlite::Result<(Fingerprint, Place)> {
    let (Sql(conversation), Sql(seq), Sql(at)) = (found.get(1)?, found.get(2)?, found.get(3)?);
    Ok((found.get(0)?, Place { conversation, seq, at }))
}

/// Notes a command that was answered with another's event.
pub(in crate::store) fn insert(
    database: &Connection,
    user: UserId,
    id: CommandId,
    fingerprint: &Fingerprint,
    conversation: i64,
    place: Place,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO command (user, id, fingerprint, conversation, seq, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![Sql(user), Sql(id), fingerprint, conversation, Sql(place.seq), Sql(place.at)])?;
    Ok(())
}

/// Writes other fingerprints over those of a message, sent by this person with this id, and of its edits.
pub(in crate::store) fn blank(
    database: &Connection,
    conversation: i64,
    target: Seq,
    (sender, id): (UserId, CommandId),
    sent: &Fingerprint,
    edited: &Fingerprint,
) -> Result<(), Error> {
    const EDITS: &str = "event.conversation = ?1 AND target = ?2 AND substr(kind, 1, 11) <> '{\"reacted\":'
       AND kind LIKE '{\"edited\":%'";
    database
        .prepare_cached(
            "UPDATE event SET fingerprint = ?3 WHERE conversation = ?1 AND seq = ?2 AND fingerprint IS NOT NULL",
        )?
        .execute(params![conversation, Sql(target), sent])?;
    database
        .prepare_cached(&format!(
            "UPDATE event INDEXED BY event_changed SET fingerprint = ?3 WHERE fingerprint IS NOT NULL AND {EDITS}"
        ))?
        .execute(params![conversation, Sql(target), edited])?;
    // Those from before fingerprints stood in the rows of events.
    database.prepare_cached("UPDATE command SET fingerprint = ?3 WHERE user = ?1 AND id = ?2")?.execute(params![
        Sql(sender),
        Sql(id),
        sent
    ])?;
    // The table has no index for this: it is looked through only for edits that old.
    let old = format!("SELECT seq FROM event INDEXED BY event_changed WHERE command IS NULL AND {EDITS}");
    if database.prepare_cached(&old)?.exists(params![conversation, Sql(target)])? {
        database
            .prepare_cached(&format!("UPDATE command SET fingerprint = ?3 WHERE conversation = ?1 AND seq IN ({old})"))?
            .execute(params![conversation, Sql(target), edited])?;
    }
    Ok(())
}

/// The highest id up to this one, and the lowest after it, of all that were used.
pub(in crate::store) fn around(
    database: &Connection,
    id: CommandId,
) -> Result<(Option<CommandId>, Option<CommandId>), Error> {
    let find = |sql: &str| -> Result<Option<CommandId>, Error> {
        let mut statement = database.prepare_cached(sql)?;
        let found = statement.query_row([Sql(id)], |found| Ok(found.get::<_, Sql<CommandId>>(0)?.0)).optional()?;
        Ok(found)
    };
    let below = find("SELECT command FROM event WHERE command <= ?1 ORDER BY command DESC LIMIT 1")?
        .max(find("SELECT id FROM command WHERE id <= ?1 ORDER BY id DESC LIMIT 1")?);
    let above = [
        find("SELECT command FROM event WHERE command > ?1 ORDER BY command LIMIT 1")?,
        find("SELECT id FROM command WHERE id > ?1 ORDER BY id LIMIT 1")?,
    ];
    Ok((below, above.into_iter().flatten().min()))
}
