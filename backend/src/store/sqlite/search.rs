//! The index of words: a file beside the database, filled behind it.
//!
//! The index is asked only for the places that the reader may read: messages of other places reach no limit, no count and
//! no order of an answer. Many places, and many people of a name, are asked for in portions ([`NAMED_MAX`]); a search
//! that needs more than [`ASKS_MAX`] of them is refused and never answered in part.

use super::row::{self, Sql};
use super::{connection, event, pool};
use crate::store::search::{Found, Work};
use crate::store::{Error, SearchQuery, kind_of, size};
use foldhash::{HashSet, HashSetExt};
use rusqlite::{Connection, OptionalExtension, params};
use shared::code::Rejection;
use shared::conversation::ConversationKind;
use shared::event::EventKind;
use shared::fold;
use shared::ids::{Epoch, Timestamp, UserId};
use shared::limits::EVENTS_BYTES_MAX;
use shared::search::SearchResult;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The version of the file; one of another is made anew.
const VERSION: u32 = 4;
/// Conversations, and people of a name, in one question to the index: it holds a cursor for each of them.
const NAMED_MAX: usize = 500;
/// Questions to the index for one search, of two milliseconds or so each. It is refused if it needs more.
const ASKS_MAX: usize = 200;
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
    database.execute_batch(include_str!("../../../migrations/search/0002_disorder.sql"))?;
    database.execute_batch(include_str!("../../../migrations/search/0003_letters.sql"))?;
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
}

/// What the events of a stretch of the log come to.
#[derive(Debug, Default)]
pub(in crate::store) struct Changes {
    list: Vec<Change>,
    /// The position of the last event; `None` if there is no event.
    last: Option<i64>,
    /// A message said something else before.
    is_amended: bool,
    times: Times,
}

impl Changes {
    /// The last event.
    pub(in crate::store) fn last(&self) -> Option<i64> {
        self.last
    }
}

/// The times of the events of a stretch of the log, in milliseconds.
#[derive(Debug)]
struct Times {
    oldest: i64,
    newest: i64,
    /// The most by which one is before an earlier one.
    disorder: i64,
}

impl Default for Times {
    fn default() -> Self {
        Self { oldest: i64::MAX, newest: 0, disorder: 0 }
    }
}

impl Times {
    fn add(&mut self, at: Timestamp) {
        let at = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        self.oldest = self.oldest.min(at);
        self.newest = self.newest.max(at);
        self.disorder = self.disorder.max(self.newest - at);
    }
}

/// The changes that the events after this position ask for, of at most so many events. A message is brought in once, as it
/// is now, however often it was changed: taking a long text out of the index takes tens of milliseconds.
pub(in crate::store) fn changes(database: &Connection, after: i64, limit: u32) -> Result<Changes, Error> {
    let mut statement = database.prepare_cached(
        "SELECT event.position, event.target IS NOT NULL AS is_amended, event.at, message.position AS message_position,
           event.conversation, message.sender, message.kind
         FROM event LEFT JOIN event AS message ON message.conversation = event.conversation
           AND message.seq = coalesce(event.target, event.seq)
         WHERE event.position > ?1 ORDER BY event.position LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit])?;
    let mut changes = Changes::default();
    let mut seen = HashSet::new();
    while let Some(found) = rows.next()? {
        changes.last = Some(found.get("position")?);
        changes.times.add(row::get(found, "at")?);
        let is_amended: bool = found.get("is_amended")?;
        changes.is_amended |= is_amended;
        let position: Option<i64> = found.get("message_position")?;
        let Some(position) = position.filter(|position| seen.insert(*position)) else { continue };
        let kind = found.get_ref("kind")?.as_bytes_or_null().map_err(rusqlite::Error::from)?;
        // What cannot be read cannot be found.
        let Some(Ok(EventKind::Message(message))) = kind.map(serde_json::from_slice) else { continue };
        if message.deleted_at.is_some() {
            changes.list.push(Change { position, entry: None });
            continue;
        }
        let names = message.attachments.iter().map(|attachment| attachment.name.as_str());
        let text = indexed([message.content.as_str()].into_iter().chain(names));
        let mut place = format!("c{}", found.get::<_, i64>("conversation")?);
        push_sender(&mut place, row::get(found, "sender")?);
        if !message.attachments.is_empty() {
            place.push_str(" hfile");
        }
        if has_link(&message.content) {
            place.push_str(" hlink");
        }
        changes.list.push(Change { position, entry: Some((text, place)) });
    }
    Ok(changes)
}

/// Brings changes into the index.
pub(in crate::store) fn apply(index: &Connection, changes: &Changes) -> Result<(), Error> {
    let transaction = index.unchecked_transaction()?;
    let mut remove = transaction.prepare_cached("DELETE FROM message WHERE rowid = ?1")?;
    let mut add =
        transaction.prepare_cached("INSERT OR REPLACE INTO message (rowid, text, place) VALUES (?1, ?2, ?3)")?;
    for change in &changes.list {
        match &change.entry {
            Some((text, place)) => add.execute(params![change.position, text, place])?,
            None => remove.execute([change.position])?,
        };
    }
    drop((remove, add));
    let Times { oldest, newest, disorder } = changes.times;
    transaction.execute(
        "UPDATE state SET position = coalesce(?1, position), newest = max(newest, ?2),
           disorder = max(disorder, newest - ?3, ?4)",
        params![changes.last, newest, oldest, disorder],
    )?;
    transaction.commit()?;
    if changes.is_amended {
        // What it said is in SQLite's own log until that is folded. If somebody reads just now, the next time will do.
        index.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// What somebody may read and asks for after the first `skip`, the newest first, and whether there is more.
pub(in crate::store) fn find(
    index: &Connection,
    database: &Connection,
    user: UserId,
    query: &SearchQuery,
    skip: usize,
    limit: usize,
    pay: impl FnOnce(Work) -> Result<(), Rejection>,
) -> Result<Found, Error> {
    // One moment for who may read what and what is read, and one for all questions to the index.
    let (database, index) = (database.unchecked_transaction()?, index.unchecked_transaction()?);
    let Some((asks, work)) = asks(&database, user, query)? else { return Ok(Found::TooMuch) };
    if let Err(refused) = pay(work) {
        return Ok(Found::Refused(refused));
    }
    let disorder = disorder(&index)?;
    let (begin, mut end) = bounds(&index, &database, query, disorder)?;
    let count = skip + limit + 1;
    // Where clocks were set back, a few more: then the first round tells that no other is needed.
    let step = if disorder == 0 { count } else { count + 16 };
    let mut results: Vec<(i64, SearchResult)> = Vec::new();
    loop {
        let hits = newest(&index, &asks, begin, end, step)?;
        let read = read(&database, user, query, &hits)?;
        let oldest = read.last().map(|(_, result)| result.event.at.as_millis());
        results.extend(read);
        results.sort_by_key(|(position, result)| std::cmp::Reverse((result.event.at, *position)));
        results.truncate(count);
        match hits.last() {
            Some(last) if hits.len() == step => end = *last,
            _ => break,
        }
        #[cfg(debug_assertions)]
        if crate::fault::is_on("search_everywhere") {
            break;
        }
        // Enough are found once none that comes before the last hit in the log can be newer than them.
        let least = results.get(count - 1).map(|(_, result)| result.event.at.as_millis());
        if let (Some(oldest), Some(least)) = (oldest, least)
            && oldest.saturating_add(disorder) <= least
        {
            break;
        }
    }
    let (results, more) = page(results.into_iter().skip(skip).map(|(_, result)| result).collect(), limit);
    Ok(Found::Page { results, more })
}

/// The most by which an event's time is before that of an earlier event, in milliseconds.
fn disorder(index: &Connection) -> Result<u64, Error> {
    let disorder: i64 = index.prepare_cached("SELECT disorder FROM state")?.query_row([], |found| found.get(0))?;
    Ok(u64::try_from(disorder).unwrap_or_default())
}

/// Positions in the log between which all is that was written at the times asked for. They only save looking at what was
/// written at other times: whatever others have written in between, no result depends on them.
fn bounds(index: &Connection, database: &Connection, query: &SearchQuery, disorder: u64) -> Result<(i64, i64), Error> {
    let top = position(index)? + 1;
    let begin = match query.after {
        Some(after) => passed(database, after.as_millis().saturating_sub(disorder), top)?,
        None => 0,
    };
    let end = match query.before {
        Some(before) => passed(database, before.as_millis().saturating_add(disorder), top)?,
        None => i64::MAX,
    };
    Ok((begin, end))
}

/// Questions to the index, one for each portion of places and people, and how much work that is; `None` if
/// it is too much.
fn asks(database: &Connection, user: UserId, query: &SearchQuery) -> Result<Option<(Vec<String>, Work)>, Error> {
    let Some((places, looked_at)) = places(database, user, query)? else { return Ok(None) };
    let senders = query.from.as_deref().map(|from| senders(database, from)).transpose()?;
    // Nobody in particular is one portion without a name.
    let senders = senders.as_ref().map_or(vec![None], |senders| senders.chunks(NAMED_MAX).map(Some).collect());
    if places.len().div_ceil(NAMED_MAX) * senders.len() > ASKS_MAX {
        return Ok(None);
    }
    let portions = places.chunks(NAMED_MAX).flat_map(|places| senders.iter().map(move |senders| (places, *senders)));
    let portions: Vec<_> = portions.collect();
    let asked_for = portions.iter().map(|(places, senders)| places.len() + senders.map_or(0, <[_]>::len));
    let work = Work { names: looked_at + asked_for.sum::<usize>(), terms: query.terms.len() };
    let asks = portions.into_iter().filter_map(|(places, senders)| expression(query, places, senders)).collect();
    Ok(Some((asks, work)))
}

/// The newest of all that these questions find, at most so many.
fn newest(index: &Connection, asks: &[String], begin: i64, end: i64, count: usize) -> Result<Vec<i64>, Error> {
    let mut statement = index.prepare_cached(
        "SELECT rowid FROM message WHERE message MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid DESC LIMIT ?4",
    )?;
    let mut newest: Vec<i64> = Vec::new();
    for ask in asks {
        // What is older than enough others need not be found.
        let begin = newest.get(count - 1).copied().unwrap_or(begin);
        newest.extend(row::all(
            statement.query_map(params![ask, begin, end, count as i64], |found| found.get::<_, i64>(0))?,
        )?);
        newest.sort_unstable_by(|one, other| other.cmp(one));
        newest.truncate(count);
    }
    Ok(newest)
}

/// As many as were asked for and fit into a page. Who asks for what comes before the last one names its time, so messages of one
/// millisecond are not torn apart, unless a page is not enough for them.
fn page(mut results: Vec<SearchResult>, limit: usize) -> (Vec<SearchResult>, bool) {
    let limit = limit.min(size::fitting(&results, EVENTS_BYTES_MAX, |result| size::event(&result.event)));
    let Some(next) = results.get(limit).map(|next| next.event.at) else { return (results, false) };
    results.truncate(limit);
    if let Some(last) = results.iter().rposition(|result| result.event.at != next) {
        results.truncate(last + 1);
    }
    (results, true)
}

/// The words for the conversations that are searched, those with the newest events first, and how many were looked at;
/// `None` if they are too many.
fn places(database: &Connection, user: UserId, query: &SearchQuery) -> Result<Option<(Vec<String>, usize)>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT key, id, kind, name, last_position FROM member
         CROSS JOIN conversation ON conversation.key = member.conversation
         WHERE member.user = ?1 AND (?2 IS NULL OR id = ?2)",
    )?;
    let mut rows = statement.query(params![Sql(user), query.conversation.map(Sql)])?;
    let (mut places, mut count) = (Vec::new(), 0);
    while let Some(found) = rows.next()? {
        count += 1;
        if count > ASKS_MAX * NAMED_MAX {
            return Ok(None);
        }
        let key: i64 = found.get("key")?;
        let is_meant = match &query.within {
            None => true,
            Some(within) => is_called(database, user, key, found, within)?,
        };
        if is_meant {
            places.push((found.get::<_, i64>("last_position")?, key));
        }
    }
    // Then most of what is told is found by the first questions, and the others have little to look at.
    places.sort_unstable_by(|one, other| other.cmp(one));
    Ok(Some((places.into_iter().map(|(_, key)| format!("c{key}")).collect(), count)))
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
        return Ok(fold::search_key(&name).contains(within));
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

/// The words for the people who have a name like this.
fn senders(database: &Connection, from: &str) -> Result<Vec<String>, Error> {
    let people = super::account::ids_named(database, from)?;
    let word = |person| {
        let mut word = String::new();
        push_sender(&mut word, person);
        word.trim_start().to_owned()
    };
    Ok(people.into_iter().map(word).collect())
}

fn push_sender(place: &mut String, sender: UserId) {
    place.push_str(" u");
    for byte in sender.as_bytes() {
        // Writing to a string does not fail.
        let _ = write!(place, "{byte:02x}");
    }
}

/// What the index is asked about these places and people; `None` if nothing can be found. Everything people typed stands
/// in quotes, and is words and symbols alone.
fn expression(query: &SearchQuery, places: &[String], senders: Option<&[String]>) -> Option<String> {
    let mut parts = Vec::new();
    for term in &query.terms {
        let star = if term.is_start { " *" } else { "" };
        parts.push(format!("{{text}} : \"{}\"{star}", term.text));
    }
    let place = |words: &[String]| {
        let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        format!("{{place}} : ({})", quoted.join(" OR "))
    };
    parts.extend(query.has.iter().map(|has| place(&[format!("h{}", has.word())])));
    parts.extend(senders.map(place));
    if parts.is_empty() {
        return None;
    }
    #[cfg(debug_assertions)]
    if crate::fault::is_on("search_everywhere") {
        return Some(parts.join(" AND "));
    }
    parts.push(place(places));
    Some(parts.join(" AND "))
}

/// A position, at most `top`, where this time passes: the event there is of this time or later, the one before it is of
/// an earlier time. There are several where a clock was set back.
fn passed(database: &Connection, millis: u64, top: i64) -> Result<i64, Error> {
    let mut statement =
        database.prepare_cached("SELECT position, at FROM event WHERE position >= ?1 ORDER BY position LIMIT 1")?;
    let (mut low, mut high) = (0, top);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, Sql<Timestamp>)> =
            statement.query_row([middle], |found| Ok((found.get(0)?, found.get(1)?))).optional()?;
        match found {
            Some((position, Sql(at))) if at.as_millis() < millis => low = position + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Those of the messages at these positions that somebody may read, in this order.
fn read(
    database: &Connection,
    user: UserId,
    query: &SearchQuery,
    positions: &[i64],
) -> Result<Vec<(i64, SearchResult)>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT conversation.id, seq, at, sender, event.kind FROM event
         JOIN conversation ON conversation.key = event.conversation
         JOIN member ON member.conversation = event.conversation AND member.user = ?2
         WHERE position = ?1 AND (?3 IS NULL OR at < ?3) AND (?4 IS NULL OR at >= ?4)",
    )?;
    let (before, after) = (query.before.map(Sql), query.after.map(Sql));
    let mut results = Vec::new();
    for position in positions {
        let mut rows = statement.query(params![position, Sql(user), before, after])?;
        let Some(found) = rows.next()? else { continue };
        let conversation = row::get(found, "id")?;
        let event = event::read(found, conversation)?;
        // It may have been deleted since the index was filled.
        if event.kind.as_message().is_some_and(|message| message.deleted_at.is_none()) {
            results.push((*position, SearchResult { conversation, event }));
        }
    }
    Ok(results)
}

fn has_link(content: &str) -> bool {
    content.contains("https://") || content.contains("http://")
}

/// Texts as the index reads them: their words, and then their symbols.
fn indexed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let (mut indexed, mut symbols) = (String::new(), String::new());
    for text in texts {
        let found = fold::words(text);
        for (into, found) in [(&mut indexed, &found.words), (&mut symbols, &found.symbols)] {
            if !into.is_empty() && !found.is_empty() {
                into.push(' ');
            }
            into.push_str(found);
        }
    }
    indexed.push(' ');
    indexed.push_str(&symbols);
    indexed
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{Face, NewConversation};
    use super::super::event::NewEvent;
    use super::super::{account, conversation, open};
    use super::*;
    use crate::clock;
    use shared::ids::{ConversationId, Seq};

    #[test]
    fn message_that_was_changed_often_is_brought_into_the_index_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let database = &opened.connection;
        let user = clock::id(UserId::v7);
        assert!(account::insert(database, user, "ada@x", "Ada", "x", clock::now()).expect("an account"));
        let new = NewConversation {
            id: clock::id(ConversationId::v7),
            kind: ConversationKind::Group,
            face: Face::default(),
            set: None,
            owner: user,
            members: &[user],
            at: clock::now(),
        };
        let key = conversation::insert(database, &new).expect("a group");
        let append = |position: u64, kind: &str, target: Option<u64>| {
            let event = NewEvent {
                position: position.cast_signed(),
                conversation: key,
                seq: Seq::new(position).expect("from 1"),
                at: clock::now(),
                sender: user,
                kind,
                target: target.and_then(Seq::new),
                message_count: 1,
                command: None,
            };
            event::append(database, &event).expect("appended");
        };
        let message =
            |text: &str| format!(r#"{{"message":{{"id":"018f0000-0000-7000-8000-000000000001","content":"{text}"}}}}"#);
        append(1, &message("new words"), None);
        append(2, &message("another"), None);
        let changed = |after| changes(database, after, 100).expect("read");
        assert!(!changed(0).is_amended);
        for position in 3..50 {
            append(position, r#"{"edited":{"target":1,"content":"new words"}}"#, Some(1));
        }
        append(50, r#"{"reacted":{"target":1,"emoji":"x","on":true}}"#, None);
        for (after, messages) in [(0, 2), (2, 1), (49, 0)] {
            let found = changed(after);
            assert_eq!((found.list.len(), found.last, found.is_amended), (messages, Some(50), after < 49), "{after}");
        }
    }
}
