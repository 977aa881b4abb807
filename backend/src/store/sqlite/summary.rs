//! How conversations stand in somebody's list.
//!
//! First it is decided which ones ([`newest`]), then all of them are read together: three statements, however many
//! they are.

use super::row::{self, Sql};
use super::{conversation, event, reaction};
use crate::store::{Error, Snapshot, cut, kind_of, size};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::account::User;
use shared::conversation::{ConversationKind, Summary};
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, UserId};
use shared::limits::{LIST_BYTES_MAX, PAGE_MAX, SUMMARY_MEMBERS_MAX};

/// Up to so many conversations of somebody are looked at, and sorted, to find the newest.
const SORTED_MAX: u32 = 200;
/// So many events are looked at to find the newest conversations of somebody who is in more, and never more than
/// somebody has conversations: then sorting those costs no more.
const WALKED_MAX: i64 = 5_000;

pub(in crate::store) fn find(
    database: &Connection,
    user: UserId,
    conversation: ConversationId,
) -> Result<Option<Summary>, Error> {
    // One transaction, so that the numbers and the last event are of one moment.
    let transaction = database.unchecked_transaction()?;
    let Some(place) = place(&transaction, user, conversation)? else { return Ok(None) };
    Ok(read(&transaction, user, &[place])?.pop())
}

pub(in crate::store) fn list(
    database: &Connection,
    user: UserId,
    before: Option<ConversationId>,
    limit: u32,
) -> Result<Snapshot, Error> {
    let transaction = database.unchecked_transaction()?;
    list_in(&transaction, user, before, limit)
}

/// The same, inside a transaction that reads more than this.
pub(in crate::store) fn list_in(
    transaction: &Connection,
    user: UserId,
    before: Option<ConversationId>,
    limit: u32,
) -> Result<Snapshot, Error> {
    let before = match before {
        None => Place { position: i64::MAX, key: i64::MAX },
        Some(before) => match place(transaction, user, before)? {
            Some(before) => before,
            None => return Ok(Snapshot { conversations: Vec::new(), more: false }),
        },
    };
    let mut found = newest(transaction, user, before, limit + 1)?;
    let more = cut(&mut found, limit);
    let mut conversations = read(transaction, user, &found)?;
    let fitting = size::fitting(&conversations, LIST_BYTES_MAX, size::summary);
    let more = more || fitting < conversations.len();
    conversations.truncate(fitting);
    Ok(Snapshot { conversations, more })
}

/// Rows looked at to find the people of somebody's newest conversations.
const PEOPLE_ROWS_MAX: u32 = 100_000;

/// Everybody in somebody's newest conversations, but the one for everyone; themselves among them.
pub(in crate::store) fn people_of_newest(database: &Connection, user: UserId) -> Result<Vec<UserId>, Error> {
    let newest = newest(database, user, Place { position: i64::MAX, key: i64::MAX }, PAGE_MAX)?;
    let keys: Vec<_> = newest.iter().map(|place| place.key).collect();
    let mut statement = database.prepare_cached(
        "SELECT DISTINCT user FROM (
           SELECT member.user FROM json_each(?1) AS asked
           CROSS JOIN conversation ON conversation.key = asked.value AND kind <> 'everyone'
           CROSS JOIN member ON member.conversation = conversation.key LIMIT ?2)",
    )?;
    let mut people =
        row::all(statement.query_map(params![row::json(&keys)?, PEOPLE_ROWS_MAX], |found| row::get(found, "user"))?)?;
    if !people.contains(&user) {
        people.push(user);
    }
    Ok(people)
}

/// A conversation's place in lists: its newest event's position, and its key among those that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    position: i64,
    key: i64,
}

impl Place {
    fn of(found: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { position: found.get(0)?, key: found.get(1)? })
    }
}

fn place(database: &Connection, user: UserId, conversation: ConversationId) -> Result<Option<Place>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT last_position, key FROM conversation JOIN member ON member.conversation = key AND member.user = ?1
         WHERE id = ?2",
    )?;
    Ok(statement.query_row(params![Sql(user), Sql(conversation)], Place::of).optional()?)
}

/// The places before this one of somebody's conversations, the newest first, at most so many.
fn newest(database: &Connection, user: UserId, before: Place, count: u32) -> Result<Vec<Place>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT last_position, key FROM (SELECT conversation FROM member WHERE user = ?1 LIMIT ?2) AS own
         CROSS JOIN conversation ON conversation.key = own.conversation",
    )?;
    let mut places = row::all(statement.query_map(params![Sql(user), SORTED_MAX + 1], Place::of)?)?;
    if places.len() > SORTED_MAX as usize {
        return match walked(database, user, before, count)? {
            Some(places) => Ok(places),
            None => sorted(database, user, before, count),
        };
    }
    places.retain(|place| *place < before);
    places.sort_unstable_by(|one, other| other.cmp(one));
    places.truncate(count as usize);
    Ok(places)
}

/// The same for somebody who is in many. The log of all conversations is walked back from there: whoever is in many has
/// some among the last events. `None` if there are not so many among the events looked at.
fn walked(database: &Connection, user: UserId, before: Place, count: u32) -> Result<Option<Vec<Place>>, Error> {
    let own: i64 = database
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM member WHERE user = ?1 LIMIT ?2)")?
        .query_row(params![Sql(user), WALKED_MAX], |found| found.get(0))?;
    let end = before.position.min(event::last_position(database)? + 1);
    // A conversation's newest event is the one at its `last_position`. The order of the joins is said, or the planner
    // would begin with all that somebody is in.
    let mut statement = database.prepare_cached(
        "SELECT position, key FROM event
         CROSS JOIN conversation ON conversation.key = event.conversation AND last_position = event.position
         CROSS JOIN member ON member.conversation = conversation.key AND member.user = ?1
         WHERE position < ?2 AND position >= ?3 ORDER BY position DESC LIMIT ?4",
    )?;
    let places = row::all(statement.query_map(params![Sql(user), end, end - own, count], Place::of)?)?;
    Ok((places.len() == count as usize).then_some(places))
}

/// The same by looking at all that somebody is in.
fn sorted(database: &Connection, user: UserId, before: Place, count: u32) -> Result<Vec<Place>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT last_position, key FROM member CROSS JOIN conversation ON conversation.key = member.conversation
         WHERE member.user = ?1 AND (last_position, key) < (?2, ?3) ORDER BY last_position DESC, key DESC LIMIT ?4",
    )?;
    row::all(statement.query_map(params![Sql(user), before.position, before.key, count], Place::of)?)
}

/// How these conversations stand for somebody who is in them, in this order.
fn read(database: &Connection, user: UserId, places: &[Place]) -> Result<Vec<Summary>, Error> {
    let keys: Vec<_> = places.iter().map(|place| place.key).collect();
    let mut statement = database.prepare_cached(
        "SELECT asked.key AS number, conversation.id, conversation.kind AS conversation_kind, name, topic, is_public, avatar, last_seq,
           conversation.message_count, read_seq, read_count, preferences, position, seq, at, sender, event.kind,
           CASE conversation.kind WHEN 'everyone' THEN NULL ELSE
             (SELECT count(*) FROM member AS every WHERE every.conversation = conversation.key) END AS member_count
         FROM json_each(?1) AS asked
         CROSS JOIN conversation ON conversation.key = asked.value
         CROSS JOIN member ON member.conversation = conversation.key AND member.user = ?2
         LEFT JOIN event ON event.position = last_position",
    )?;
    let mut rows = statement.query(params![row::json(&keys)?, Sql(user)])?;
    let mut list: Vec<Option<Summary>> = vec![None; keys.len()];
    while let Some(found) = rows.next()? {
        if let Some(place) = list.get_mut(number(found)?) {
            *place = Some(columns(found)?);
        }
    }
    drop(rows);
    add_members(database, &keys, &mut list)?;
    add_reactions(database, user, &keys, &mut list)?;
    Ok(list.into_iter().flatten().collect())
}

/// Which of those asked for a row is about.
fn number(found: &Row<'_>) -> rusqlite::Result<usize> {
    Ok(usize::try_from(found.get::<_, i64>("number")?).unwrap_or(usize::MAX))
}

fn columns(found: &Row<'_>) -> Result<Summary, Error> {
    let id = row::get(found, "id")?;
    let has_event = found.get::<_, Option<i64>>("position")?.is_some();
    Ok(Summary {
        id,
        kind: kind_of(found.get_ref("conversation_kind")?.as_str().map_err(rusqlite::Error::from)?)?,
        name: found.get("name")?,
        topic: found.get("topic")?,
        public: found.get("is_public")?,
        avatar: row::avatar(found)?,
        members: None,
        member_count: found.get::<_, Option<i64>>("member_count")?.map(|count| u64::try_from(count).unwrap_or(0)),
        last_seq: row::get(found, "last_seq")?,
        read_seq: row::get(found, "read_seq")?,
        unread: row::count(found, "message_count")?.saturating_sub(row::count(found, "read_count")?),
        last_event: if has_event { Some(event::read(found, id)?) } else { None },
        preferences: conversation::preferences_of(found)?,
    })
}

/// Adds the first of those who are in them, where that is told, in the order of their ids.
fn add_members(database: &Connection, keys: &[i64], list: &mut [Option<Summary>]) -> Result<(), Error> {
    let is_told = |summary: &Summary| matches!(summary.kind, ConversationKind::Direct | ConversationKind::Group);
    // Those that tell nobody keep their places, and no conversation has this key.
    let mut asked = vec![0; keys.len()];
    for ((asked, key), summary) in asked.iter_mut().zip(keys).zip(list.iter_mut()) {
        if let Some(summary) = summary.as_mut().filter(|summary| is_told(summary)) {
            *asked = *key;
            summary.members = Some(Vec::new());
        }
    }
    if asked.iter().all(|key| *key == 0) {
        return Ok(());
    }
    let mut statement = database.prepare_cached(
        "SELECT asked.key AS number, user.id, display_name, user.avatar, status FROM json_each(?1) AS asked
         CROSS JOIN member ON member.conversation = asked.value AND member.user IN
           (SELECT user FROM member AS first WHERE first.conversation = asked.value ORDER BY user LIMIT ?2)
         CROSS JOIN user ON user.id = member.user",
    )?;
    let mut rows = statement.query(params![row::json(&asked)?, SUMMARY_MEMBERS_MAX as i64])?;
    while let Some(found) = rows.next()? {
        let summary = list.get_mut(number(found)?).and_then(Option::as_mut);
        if let Some(members) = summary.and_then(|summary| summary.members.as_mut()) {
            members.push(row::user(found)?);
        }
    }
    for members in list.iter_mut().flatten().filter_map(|summary| summary.members.as_mut()) {
        members.sort_unstable_by_key(|user: &User| user.id);
    }
    Ok(())
}

/// Adds their reactions to the newest events.
fn add_reactions(database: &Connection, user: UserId, keys: &[i64], list: &mut [Option<Summary>]) -> Result<(), Error> {
    let is_message = |event: &&Event| matches!(event.kind, EventKind::Message(_));
    let newest = |summary: &Option<Summary>| {
        let event = summary.as_ref()?.last_event.as_ref().filter(is_message)?;
        Some(event.seq.get())
    };
    let spans: Vec<_> =
        keys.iter().zip(&*list).filter_map(|(key, summary)| newest(summary).map(|seq| (key, seq, seq))).collect();
    if spans.is_empty() {
        return Ok(());
    }
    let mut folded = reaction::spans(database, &row::json(&spans)?, user)?;
    for (key, summary) in keys.iter().zip(list) {
        let event = summary.as_mut().and_then(|summary| summary.last_event.as_mut());
        reaction::fold(event.map(std::slice::from_mut).unwrap_or_default(), *key, &mut folded);
    }
    Ok(())
}
