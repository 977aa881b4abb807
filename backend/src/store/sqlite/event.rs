//! The log: appending to it and reading it back.

use super::command::Fingerprint;
use super::reaction;
use super::row::{self, Sql};
use crate::store::{Error, Member, Range, size};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::event::{Event, EventKind};
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::limits::EVENTS_BYTES_MAX;
use shared::message::Message;

/// A new entry of the log; its `position`, `seq` and `message_count` are decided by the writer.
pub(in crate::store) struct NewEvent<'a> {
    /// Its place in the order of all logs.
    pub(in crate::store) position: i64,
    pub(in crate::store) conversation: i64,
    pub(in crate::store) seq: Seq,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) sender: UserId,
    /// The contract's `kind` object, as JSON.
    pub(in crate::store) kind: &'a str,
    /// The message it edits or deletes.
    pub(in crate::store) target: Option<Seq>,
    pub(in crate::store) message_count: u64,
    /// The command that asked for it, if one did.
    pub(in crate::store) command: Option<(CommandId, Fingerprint)>,
}

/// The last position in the order of all logs.
pub(in crate::store) fn last_position(database: &Connection) -> Result<i64, Error> {
    Ok(database.prepare_cached("SELECT coalesce(max(position), 0) FROM event")?.query_row([], |found| found.get(0))?)
}

/// Appends an event.
pub(in crate::store) fn append(database: &Connection, event: &NewEvent<'_>) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO event (position, conversation, seq, at, sender, kind, target, message_count, command, fingerprint)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            event.position,
            event.conversation,
            Sql(event.seq),
            Sql(event.at),
            Sql(event.sender),
            event.kind,
            event.target.map(Sql),
            i64::try_from(event.message_count).unwrap_or(i64::MAX),
            event.command.map(|(id, _)| Sql(id)),
            event.command.map(|(_, fingerprint)| fingerprint),
        ])?;
    Ok(())
}

/// Whether this event is a message.
pub(in crate::store) fn is_message(database: &Connection, conversation: i64, seq: Seq) -> Result<bool, Error> {
    let kind: Option<String> = database
        .prepare_cached("SELECT kind FROM event WHERE conversation = ?1 AND seq = ?2")?
        .query_row(params![conversation, Sql(seq)], |found| found.get(0))
        .optional()?;
    Ok(kind.is_some_and(|kind| kind.starts_with("{\"message\":")))
}

/// The message with this number, who wrote it and when; `None` if there is none or it is no message.
pub(in crate::store) fn message(
    database: &Connection,
    conversation: i64,
    seq: Seq,
) -> Result<Option<(UserId, Timestamp, Message)>, Error> {
    let mut statement =
        database.prepare_cached("SELECT sender, at, kind FROM event WHERE conversation = ?1 AND seq = ?2")?;
    let found = statement
        .query_row(params![conversation, Sql(seq)], |found| {
            Ok((row::get(found, "sender")?, row::get(found, "at")?, found.get::<_, String>("kind")?))
        })
        .optional()?;
    let Some((sender, at, kind)) = found else { return Ok(None) };
    Ok(match serde_json::from_str(&kind) {
        Ok(EventKind::Message(message)) => Some((sender, at, message)),
        _ => None,
    })
}

/// Writes what a message has become over what it was.
pub(in crate::store) fn set_kind(database: &Connection, conversation: i64, seq: Seq, kind: &str) -> Result<(), Error> {
    database.prepare_cached("UPDATE event SET kind = ?3 WHERE conversation = ?1 AND seq = ?2")?.execute(params![
        conversation,
        Sql(seq),
        kind
    ])?;
    Ok(())
}

/// How many events are about a message: its edits, its deletion, and reactions from before these had no target.
pub(in crate::store) fn count_about(database: &Connection, conversation: i64, target: Seq) -> Result<usize, Error> {
    let mut statement =
        database.prepare_cached("SELECT count(*) AS events FROM event WHERE conversation = ?1 AND target = ?2")?;
    let events = statement.query_row(params![conversation, Sql(target)], |found| row::count(found, "events"))?;
    Ok(usize::try_from(events).unwrap_or(usize::MAX))
}

/// Writes the same over all edits of a message: they say what it said.
pub(in crate::store) fn blank_edits(
    database: &Connection,
    conversation: i64,
    target: Seq,
    kind: &str,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "UPDATE event INDEXED BY event_changed SET kind = ?3 WHERE conversation = ?1 AND target = ?2
               AND substr(kind, 1, 11) <> '{\"reacted\":' AND kind LIKE '{\"edited\":%'",
        )?
        .execute(params![conversation, Sql(target), kind])?;
    Ok(())
}

/// The event that deleted a message: the last that has changed it.
pub(in crate::store) fn deletion(
    database: &Connection,
    conversation: i64,
    target: Seq,
) -> Result<Option<(Seq, Timestamp)>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT seq, at FROM event INDEXED BY event_changed WHERE conversation = ?1 AND target = ?2
           AND substr(kind, 1, 11) <> '{\"reacted\":' AND kind LIKE '{\"deleted\":%'
         ORDER BY position DESC LIMIT 1",
    )?;
    Ok(statement
        .query_row(params![conversation, Sql(target)], |found| Ok((row::get(found, "seq")?, row::get(found, "at")?)))
        .optional()?)
}

/// How many messages there are up to and including this event.
pub(in crate::store) fn message_count(database: &Connection, conversation: i64, seq: Seq) -> Result<u64, Error> {
    Ok(database
        .prepare_cached("SELECT message_count FROM event WHERE conversation = ?1 AND seq = ?2")?
        .query_row(params![conversation, Sql(seq)], |found| row::count(found, "message_count"))?)
}

/// A part of a log, as many events as are asked for and fit into a page, and whether there is more.
pub(in crate::store) fn range(
    database: &Connection,
    member: Member,
    range: Range,
    limit: u32,
) -> Result<(Vec<Event>, bool), Error> {
    let size = Size { count: limit, bytes: EVENTS_BYTES_MAX };
    match range {
        Range::After(cursor) => after(database, member, cursor, size),
        Range::Before(cursor) => before(database, member, cursor, size),
        Range::Newest => before(database, member, top(), size),
        Range::At(at) => {
            let before = last_before(database, member.key, at)?;
            after(database, member, before, size)
        }
        Range::Around(cursor) => {
            // Half of them, at least the one asked for, from it on; what room is left goes before it.
            let from = Cursor::new(cursor.get().saturating_sub(1)).unwrap_or_default();
            let later = Size { count: limit - limit / 2, bytes: EVENTS_BYTES_MAX / 2 };
            let (mut later, more_after) = after(database, member, from, later)?;
            let count = limit - u32::try_from(later.len()).unwrap_or(limit);
            if count == 0 {
                return Ok((later, more_after));
            }
            let (mut events, more_before) =
                before(database, member, cursor, Size { count, bytes: EVENTS_BYTES_MAX / 2 })?;
            events.append(&mut later);
            Ok((events, more_before || more_after))
        }
    }
}

/// How much of a log is read at once.
#[derive(Clone, Copy)]
struct Size {
    count: u32,
    bytes: usize,
}

/// The last event before a moment. The log is in the order of time but for clocks that were set back; halving it finds a
/// place where that moment passes.
fn last_before(database: &Connection, key: i64, at: Timestamp) -> Result<Cursor, Error> {
    let mut when = database.prepare_cached("SELECT at FROM event WHERE conversation = ?1 AND seq = ?2")?;
    let mut newest =
        database.prepare_cached("SELECT coalesce(max(seq), 0) AS seq FROM event WHERE conversation = ?1")?;
    let (mut first, mut end) = (0_u64, newest.query_row([key], |found| row::count(found, "seq"))?);
    // What is up to `first` came before; what is behind `end` did not.
    while first < end {
        let middle = first + (end - first).div_ceil(2);
        let then =
            when.query_row(params![key, i64::try_from(middle).unwrap_or(i64::MAX)], |found| row::get(found, "at"));
        let is_before = then.optional()?.is_none_or(|then: Timestamp| then < at);
        (first, end) = if is_before { (middle, end) } else { (first, middle - 1) };
    }
    Ok(Cursor::new(first).unwrap_or_default())
}

/// A bound that excludes nothing.
fn top() -> Cursor {
    Cursor::new(shared::ids::INTEGER_END - 1).unwrap_or_default()
}

fn after(database: &Connection, member: Member, cursor: Cursor, size: Size) -> Result<(Vec<Event>, bool), Error> {
    page(database, member, "seq > ?2 ORDER BY seq", cursor, size)
}

fn before(database: &Connection, member: Member, cursor: Cursor, size: Size) -> Result<(Vec<Event>, bool), Error> {
    let (mut events, more) = page(database, member, "seq < ?2 ORDER BY seq DESC", cursor, size)?;
    events.reverse();
    Ok((events, more))
}

/// The events nearest to a bound, in the order asked for, and whether there are more of them.
fn page(
    database: &Connection,
    member: Member,
    bound: &'static str,
    cursor: Cursor,
    most: Size,
) -> Result<(Vec<Event>, bool), Error> {
    let Member { key, conversation, .. } = member;
    let mut statement = database.prepare_cached(&format!(
        "SELECT seq, at, sender, kind FROM event WHERE conversation = ?1 AND {bound} LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![key, Sql(cursor), most.count + 1])?;
    let mut events = Vec::new();
    let mut bytes = 0;
    // What does not fit is not read: one more than fits, so that it is known whether there is more.
    while bytes <= most.bytes
        && let Some(found) = rows.next()?
    {
        let event = read(found, conversation)?;
        bytes += size::event(&event);
        events.push(event);
    }
    drop(rows);
    let read = events.len();
    events.truncate(most.count as usize);
    fold(database, member, &mut events)?;
    events.truncate(size::fitting(&events, most.bytes, size::event));
    let more = events.len() < read;
    Ok((events, more))
}

/// Adds their reactions to the messages among these events of one log.
fn fold(database: &Connection, member: Member, events: &mut [Event]) -> Result<(), Error> {
    let seqs = || events.iter().map(|event| event.seq.get());
    let (Some(first), Some(last)) = (seqs().min(), seqs().max()) else { return Ok(()) };
    let key = member.key;
    let mut folded = reaction::spans(database, &format!("[[{key},{first},{last}]]"), member.user)?;
    reaction::fold(events, key, &mut folded);
    Ok(())
}

/// The newest event of a log, if there is any.
pub(in crate::store) fn last(database: &Connection, member: Member) -> Result<Option<Event>, Error> {
    Ok(before(database, member, top(), Size { count: 1, bytes: EVENTS_BYTES_MAX })?.0.pop())
}

/// One row as an event. A kind that cannot be read (bit rot, a later version) must not take the rest
/// of the log with it: it keeps its number and shows as nothing.
pub(super) fn read(found: &Row<'_>, conversation: ConversationId) -> rusqlite::Result<Event> {
    let seq: Seq = row::get(found, "seq")?;
    let kind = serde_json::from_slice(found.get_ref("kind")?.as_bytes()?).unwrap_or_else(|error| {
        tracing::error!(%conversation, %seq, %error, "event.unreadable");
        EventKind::Unknown
    });
    let kind = match kind {
        EventKind::Created(created) => EventKind::Created(created.bounded()),
        kind => kind,
    };
    Ok(Event { conversation, seq, at: row::get(found, "at")?, sender: row::get(found, "sender")?, kind })
}
