//! The index of words: a file beside the database, filled behind it.

use super::row::{self, Sql};
use super::{connection, event, pool};
use crate::store::{Error, SearchQuery, kind_of};
use rusqlite::{Connection, OptionalExtension, params};
use shared::conversation::ConversationKind;
use shared::event::EventKind;
use shared::ids::{Epoch, Timestamp, UserId};
use shared::search::SearchResult;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The version of the file; one of another is made anew.
const VERSION: u32 = 2;
/// Whoever is in more conversations searches without naming them to the index: what is found is looked at one by one.
const NAMED_MAX: u32 = 500;
/// So many hits are looked at for one page.
const LOOKED_AT_MAX: usize = 5_000;
/// Hits that are looked at together.
const STEP: usize = 200;

/// The file's name in a data folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("search.db")
}

/// Opens the index, an empty one if it was made from another history, by another version, or is damaged.
pub(in crate::store) fn open(folder: &Path, epoch: &Epoch) -> Result<Connection, Error> {
    let path = path(folder);
    let usable = |database: &Connection| -> Result<bool, Error> {
        let version: u32 = database.query_row("PRAGMA user_version", [], |found| found.get(0))?;
        if version != VERSION {
            return Ok(false);
        }
        let of: Option<String> = database.query_row("SELECT epoch FROM state", [], |found| found.get(0)).optional()?;
        Ok(of.as_deref() == Some(epoch.as_str()))
    };
    let found = connect(&path).and_then(|database| Ok((usable(&database)?, database)));
    if let Ok((true, database)) = found {
        return Ok(database);
    }
    drop(found);
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        // What is not there need not go; and what cannot go is noticed below.
        let _ = std::fs::remove_file(name);
    }
    let database = connect(&path)?;
    database.execute_batch(include_str!("../../../migrations/search/0001_first.sql"))?;
    database.execute("INSERT INTO state (epoch, position) VALUES (?1, 0)", [epoch.as_str()])?;
    database.pragma_update(None, "user_version", VERSION)?;
    Ok(database)
}

/// Another connection to an index that is open, to ask it.
pub(in crate::store) fn open_to_ask(folder: &Path) -> Result<Connection, Error> {
    connect(&path(folder))
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let database = connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // After a loss of power it may be behind, and goes on from where it is.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "secure_delete", true)?;
    database.pragma_update(None, "cache_size", -8_192)?;
    pool::steady(&database)?;
    Ok(database)
}

/// The last event of the log that is in the index.
pub(in crate::store) fn position(index: &Connection) -> Result<i64, Error> {
    Ok(index.prepare_cached("SELECT position FROM state")?.query_row([], |found| found.get(0))?)
}

/// What is done to the index because of an event.
#[derive(Debug)]
pub(in crate::store) struct Change {
    /// The message it is about.
    position: i64,
    /// What it says now, and where; `None` if it is gone.
    entry: Option<(String, String)>,
    /// It said something else before.
    is_amended: bool,
}

/// The changes that the events after this position ask for, at most so many events', and the last of them.
pub(in crate::store) fn changes(
    database: &Connection,
    after: i64,
    limit: u32,
) -> Result<(Vec<Change>, Option<i64>), Error> {
    let mut statement = database.prepare_cached(
        "SELECT event.position, event.target IS NOT NULL AS is_amended, message.position AS message_position, event.conversation, message.sender, message.kind
         FROM event LEFT JOIN event AS message ON message.conversation = event.conversation
           AND message.seq = coalesce(event.target, event.seq)
         WHERE event.position > ?1 ORDER BY event.position LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit])?;
    let (mut changes, mut last) = (Vec::new(), None);
    while let Some(found) = rows.next()? {
        last = Some(found.get("position")?);
        let kind = found.get_ref("kind")?.as_bytes_or_null().map_err(rusqlite::Error::from)?;
        // What cannot be read cannot be found.
        let Some(Ok(EventKind::Message(message))) = kind.map(serde_json::from_slice) else { continue };
        let (position, is_amended) = (found.get("message_position")?, found.get("is_amended")?);
        if message.deleted_at.is_some() {
            changes.push(Change { position, entry: None, is_amended });
            continue;
        }
        let mut text = words(&message.content);
        let mut place = format!("c{}", found.get::<_, i64>("conversation")?);
        push_sender(&mut place, row::get(found, "sender")?);
        for attachment in &message.attachments {
            text.push(' ');
            text.push_str(&words(&attachment.name));
        }
        if !message.attachments.is_empty() {
            place.push_str(" hfile");
        }
        if has_link(&message.content) {
            place.push_str(" hlink");
        }
        changes.push(Change { position, entry: Some((text, place)), is_amended });
    }
    Ok((changes, last))
}

/// Brings changes into the index, up to and including the event at `position`.
pub(in crate::store) fn apply(index: &Connection, changes: &[Change], position: i64) -> Result<(), Error> {
    let transaction = index.unchecked_transaction()?;
    let mut remove = transaction.prepare_cached("DELETE FROM message WHERE rowid = ?1")?;
    let mut add =
        transaction.prepare_cached("INSERT OR REPLACE INTO message (rowid, text, place) VALUES (?1, ?2, ?3)")?;
    for change in changes {
        match &change.entry {
            Some((text, place)) => add.execute(params![change.position, text, place])?,
            None => remove.execute([change.position])?,
        };
    }
    drop((remove, add));
    transaction.execute("UPDATE state SET position = ?1", [position])?;
    transaction.commit()?;
    if changes.iter().any(|change| change.is_amended) {
        // What it said is in SQLite's own log until that is folded. If somebody reads just now, the next time will do.
        index.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// What somebody may read and asks for, the newest first, and whether there is more.
pub(in crate::store) fn find(
    index: &Connection,
    database: &Connection,
    user: UserId,
    query: &SearchQuery,
    limit: u32,
) -> Result<(Vec<SearchResult>, bool), Error> {
    // One moment for who may read what and what is read.
    let database = database.unchecked_transaction()?;
    let Some(places) = places(&database, user, query)? else { return Ok((Vec::new(), false)) };
    let Some(expression) = expression(query, &places, &senders(&database, query)?) else {
        return Ok((Vec::new(), false));
    };
    let end = position_at(&database, query.before)?.unwrap_or(i64::MAX);
    let begin = position_at(&database, query.after)?.unwrap_or(0);
    let mut statement = index.prepare_cached(
        "SELECT rowid FROM message WHERE message MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid DESC",
    )?;
    let hits = statement.query_map(params![expression, begin, end], |found| found.get::<_, i64>(0))?;
    let mut hits = hits.take(LOOKED_AT_MAX).peekable();
    let mut results = Vec::new();
    while results.len() <= limit as usize && hits.peek().is_some() {
        let step = row::all(hits.by_ref().take(STEP.min(limit as usize + 1)))?;
        results.extend(read(&database, user, query, &step)?);
    }
    Ok(page(results, limit as usize))
}

/// As many as were asked for. Who asks for what comes before the last one names its time, so messages of one
/// millisecond are not torn apart.
fn page(mut results: Vec<SearchResult>, limit: usize) -> (Vec<SearchResult>, bool) {
    let Some(next) = results.get(limit).map(|next| next.event.at) else { return (results, false) };
    results.truncate(limit);
    if let Some(last) = results.iter().rposition(|result| result.event.at != next) {
        results.truncate(last + 1);
    }
    (results, true)
}

/// The words for the conversations that are searched: `Some(empty)` stands for all of somebody who is in very many,
/// `None` for none.
fn places(database: &Connection, user: UserId, query: &SearchQuery) -> Result<Option<Vec<String>>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT key, id, kind, name FROM member CROSS JOIN conversation ON conversation.key = member.conversation
         WHERE member.user = ?1 AND (?2 IS NULL OR id = ?2) LIMIT ?3",
    )?;
    let mut rows = statement.query(params![Sql(user), query.conversation.map(Sql), 20 * NAMED_MAX])?;
    let mut places = Vec::new();
    while let Some(found) = rows.next()? {
        let key: i64 = found.get("key")?;
        let is_meant = match &query.within {
            None => true,
            Some(within) => is_called(database, user, key, found, within)?,
        };
        if is_meant {
            places.push(format!("c{key}"));
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    if places.len() > NAMED_MAX as usize && query.within.is_none() {
        places.clear();
    }
    places.truncate(NAMED_MAX as usize);
    Ok(Some(places))
}

/// Whether a conversation has this name for somebody, or is with a person who has.
fn is_called(
    database: &Connection,
    user: UserId,
    key: i64,
    found: &rusqlite::Row<'_>,
    within: &str,
) -> Result<bool, Error> {
    let kind = kind_of(found.get_ref("kind")?.as_str().map_err(rusqlite::Error::from)?)?;
    if let Some(name) = found.get::<_, Option<String>>("name")? {
        return Ok(name.to_lowercase().contains(within));
    }
    match kind {
        ConversationKind::Everyone => Ok("everyone".starts_with(within)),
        ConversationKind::Channel => Ok(false),
        ConversationKind::Direct | ConversationKind::Group => Ok(database
            .prepare_cached(
                "SELECT 1 FROM member JOIN user ON user.id = member.user
                 WHERE conversation = ?1 AND user.id <> ?2 AND instr(name_key, ?3) > 0",
            )?
            .exists(params![key, Sql(user), within])?),
    }
}

/// The words for the people who are meant by `from`; `None` if nobody in particular is.
fn senders(database: &Connection, query: &SearchQuery) -> Result<Option<Vec<String>>, Error> {
    let Some(from) = &query.from else { return Ok(None) };
    let people = super::account::users(database, from, NAMED_MAX)?;
    let mut words = Vec::with_capacity(people.len());
    for person in people {
        let mut word = String::new();
        push_sender(&mut word, person.id);
        words.push(word.trim_start().to_owned());
    }
    Ok(Some(words))
}

fn push_sender(place: &mut String, sender: UserId) {
    place.push_str(" u");
    for byte in sender.as_bytes() {
        // Writing to a string does not fail.
        let _ = write!(place, "{byte:02x}");
    }
}

/// What the index is asked; `None` if nothing can be found. Everything people typed stands in quotes.
fn expression(query: &SearchQuery, places: &[String], senders: &Option<Vec<String>>) -> Option<String> {
    let mut parts = Vec::new();
    for term in &query.terms {
        let words = words(&term.text);
        if words.contains(char::is_alphanumeric) {
            let star = if term.is_start { " *" } else { "" };
            parts.push(format!("{{text}} : \"{}\"{star}", words.replace('"', " ")));
        }
    }
    let place = |words: &[String]| {
        let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        format!("{{place}} : ({})", quoted.join(" OR "))
    };
    parts.extend(query.has.iter().map(|has| place(&[format!("h{}", has.word())])));
    if let Some(senders) = senders {
        if senders.is_empty() {
            return None;
        }
        parts.push(place(senders));
    }
    if parts.is_empty() {
        return None;
    }
    if !places.is_empty() {
        parts.push(place(places));
    }
    Some(parts.join(" AND "))
}

/// The first event of this time or later. Events are in the order in which they were stored; a clock that was set
/// back makes this a little wrong.
fn position_at(database: &Connection, time: Option<Timestamp>) -> Result<Option<i64>, Error> {
    let Some(time) = time else { return Ok(None) };
    let mut statement =
        database.prepare_cached("SELECT position, at FROM event WHERE position >= ?1 ORDER BY position LIMIT 1")?;
    let (mut low, mut high) = (0, event::last_position(database)? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, Sql<Timestamp>)> =
            statement.query_row([middle], |found| Ok((found.get(0)?, found.get(1)?))).optional()?;
        match found {
            Some((position, Sql(at))) if at < time => low = position + 1,
            _ => high = middle,
        }
    }
    Ok(Some(low))
}

/// The messages at these positions that somebody may read, in this order.
fn read(
    database: &Connection,
    user: UserId,
    query: &SearchQuery,
    positions: &[i64],
) -> Result<Vec<SearchResult>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT conversation.id, seq, at, sender, event.kind FROM event
         JOIN conversation ON conversation.key = event.conversation
         JOIN member ON member.conversation = event.conversation AND member.user = ?2
         WHERE position = ?1",
    )?;
    let mut results = Vec::new();
    for position in positions {
        let mut rows = statement.query(params![position, Sql(user)])?;
        let Some(found) = rows.next()? else { continue };
        let conversation = row::get(found, "id")?;
        let event = event::read(found, conversation)?;
        let is_there = event.kind.as_message().is_some_and(|message| message.deleted_at.is_none());
        if is_there && query.before.is_none_or(|before| event.at < before) {
            results.push(SearchResult { conversation, event });
        }
    }
    Ok(results)
}

fn has_link(content: &str) -> bool {
    content.contains("https://") || content.contains("http://")
}

/// A text as the index reads it: in scripts without spaces between words every sign is a word.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for sign in text.chars() {
        if sign == '\0' {
            // It would end what SQLite reads.
            words.push(' ');
        } else if is_spaceless(sign) {
            words.extend([' ', sign, ' ']);
        } else {
            words.push(sign);
        }
    }
    words
}

/// Han, Kana, Hangul, Thai, Lao, Khmer and Burmese: scripts whose words are not, or not always, set apart.
fn is_spaceless(sign: char) -> bool {
    matches!(sign,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3100}'..='\u{318f}' | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}
