//! Conversations, their members and how they stand in somebody's list.

use super::event;
use super::row::{self, Sql};
use crate::store::access::Role;
use crate::store::{Error, Member, Snapshot, kind_name, kind_of};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use shared::account::User;
use shared::conversation::{ConversationKind, Summary};
use shared::ids::{ConversationId, Timestamp, UserId};

pub(in crate::store) fn member(
    database: &Connection,
    user: UserId,
    conversation: ConversationId,
) -> Result<Option<Member>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT key FROM conversation JOIN member ON member.conversation = key WHERE id = ?1 AND member.user = ?2",
    )?;
    Ok(statement
        .query_row(params![Sql(conversation), Sql(user)], |found| Ok(Member { key: found.get("key")?, conversation }))
        .optional()?)
}

const SUMMARY: &str = "SELECT key, id, kind, name, last_seq, last_position, message_count, read_seq, read_count
    FROM member JOIN conversation ON conversation.key = member.conversation WHERE member.user = ?1";

pub(in crate::store) fn summary(
    database: &Connection,
    user: UserId,
    conversation: ConversationId,
) -> Result<Option<Summary>, Error> {
    // One transaction, so that the numbers and the last event are of one moment.
    let transaction = database.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(&format!("{SUMMARY} AND id = ?2"))?;
    statement
        .query_row(params![Sql(user), Sql(conversation)], columns)
        .optional()?
        .map(|found| fill(&transaction, found))
        .transpose()
}

pub(in crate::store) fn summaries(
    database: &Connection,
    user: UserId,
    before: Option<ConversationId>,
    limit: u32,
) -> Result<Snapshot, Error> {
    let transaction = database.unchecked_transaction()?;
    summaries_in(&transaction, user, before, limit)
}

/// The same, inside a transaction that reads more than this.
pub(in crate::store) fn summaries_in(
    transaction: &Connection,
    user: UserId,
    before: Option<ConversationId>,
    limit: u32,
) -> Result<Snapshot, Error> {
    let (position, key) = match before {
        None => (i64::MAX, i64::MAX),
        Some(before) => {
            let mut statement = transaction.prepare_cached(&format!("{SUMMARY} AND id = ?2"))?;
            let found = statement
                .query_row(params![Sql(user), Sql(before)], |found| {
                    Ok((found.get("last_position")?, found.get("key")?))
                })
                .optional()?;
            match found {
                Some(found) => found,
                None => return Ok(Snapshot { conversations: Vec::new(), more: false }),
            }
        }
    };
    let newest = if is_in_many(transaction, user)? { newest(transaction, user, position, limit + 1)? } else { None };
    let mut found = match newest {
        Some(found) => found,
        None => {
            let mut statement = transaction.prepare_cached(&format!(
                "{SUMMARY} AND (last_position, key) < (?2, ?3) ORDER BY last_position DESC, key DESC LIMIT ?4"
            ))?;
            row::all(statement.query_map(params![Sql(user), position, key, limit + 1], columns)?)?
        }
    };
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let conversations = found.into_iter().map(|found| fill(transaction, found)).collect::<Result<_, _>>()?;
    Ok(Snapshot { conversations, more })
}

/// Above so many conversations of somebody they are not sorted to find the newest.
const SORTED_MAX: u32 = 1_000;
/// So many events are looked at to find the newest conversations of somebody who is in many.
const LOOKED_AT_MAX: u32 = 5_000;

fn is_in_many(database: &Connection, user: UserId) -> Result<bool, Error> {
    let mut statement =
        database.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM member WHERE user = ?1 LIMIT ?2)")?;
    let count: u32 = statement.query_row(params![Sql(user), SORTED_MAX + 1], |found| found.get(0))?;
    Ok(count > SORTED_MAX)
}

/// The conversations of somebody whose newest event stands before a position, so many of them, newest first. The log of
/// all conversations is walked back from there: whoever is in many has some among the last events. `None` if there are
/// not so many among the events looked at.
fn newest(database: &Connection, user: UserId, before: i64, count: u32) -> Result<Option<Vec<Columns>>, Error> {
    // A conversation's newest event is the one at its `last_position`.
    let mut statement = database.prepare_cached(
        "SELECT key, id, kind, name, last_seq, last_position, message_count, read_seq, read_count
         FROM (SELECT position, conversation FROM event WHERE position < ?2 ORDER BY position DESC LIMIT ?3) AS walked
         JOIN conversation ON conversation.key = walked.conversation AND last_position = walked.position
         JOIN member ON member.conversation = conversation.key AND member.user = ?1
         ORDER BY walked.position DESC LIMIT ?4",
    )?;
    let found = row::all(statement.query_map(params![Sql(user), before, LOOKED_AT_MAX, count], columns)?)?;
    Ok((found.len() == count as usize).then_some(found))
}

struct Columns {
    key: i64,
    kind: String,
    summary: Summary,
}

fn columns(found: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok(Columns {
        key: found.get("key")?,
        kind: found.get("kind")?,
        summary: Summary {
            id: row::get(found, "id")?,
            kind: ConversationKind::Direct,
            name: found.get("name")?,
            members: None,
            last_seq: row::get(found, "last_seq")?,
            read_seq: row::get(found, "read_seq")?,
            unread: row::count(found, "message_count")?.saturating_sub(row::count(found, "read_count")?),
            last_event: None,
        },
    })
}

/// Adds what stands in other tables.
fn fill(database: &Connection, found: Columns) -> Result<Summary, Error> {
    let Columns { key, kind, mut summary } = found;
    summary.kind = kind_of(&kind)?;
    if matches!(summary.kind, ConversationKind::Direct | ConversationKind::Group) {
        summary.members = Some(members(database, key)?);
    }
    summary.last_event = event::last(database, key, summary.id)?;
    Ok(summary)
}

/// The members with their names, in the order of their ids.
pub(in crate::store) fn members(database: &Connection, key: i64) -> Result<Vec<User>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user.id, display_name FROM member JOIN user ON user.id = member.user WHERE conversation = ?1
         ORDER BY user.id",
    )?;
    row::all(statement.query_map([key], row::user)?)
}

/// Names a set of people, whatever their order.
pub(in crate::store) fn member_set(sorted: &[UserId]) -> [u8; 32] {
    debug_assert!(sorted.is_sorted());
    let mut hash = Sha256::new();
    for user in sorted {
        hash.update(user.as_bytes());
    }
    hash.finalize().into()
}

/// The conversation made for this set of people.
pub(in crate::store) fn find_by_set(database: &Connection, set: &[u8; 32]) -> Result<Option<i64>, Error> {
    let mut statement = database.prepare_cached("SELECT key FROM conversation WHERE member_set = ?1")?;
    Ok(statement.query_row([set], |found| found.get(0)).optional()?)
}

pub(in crate::store) fn find_by_id(database: &Connection, id: ConversationId) -> Result<Option<i64>, Error> {
    let mut statement = database.prepare_cached("SELECT key FROM conversation WHERE id = ?1")?;
    Ok(statement.query_row([Sql(id)], |found| found.get(0)).optional()?)
}

pub(in crate::store) fn find_everyone(database: &Connection) -> Result<i64, Error> {
    Ok(database
        .prepare_cached("SELECT key FROM conversation WHERE kind = 'everyone'")?
        .query_row([], |found| found.get(0))?)
}

/// Whether all of these people have accounts.
pub(in crate::store) fn all_exist(database: &Connection, users: &[UserId]) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND deleted_at IS NULL")?;
    for user in users {
        if !statement.exists([Sql(*user)])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A conversation to be made.
pub(in crate::store) struct NewConversation<'a> {
    pub(in crate::store) id: ConversationId,
    pub(in crate::store) kind: ConversationKind,
    pub(in crate::store) name: Option<&'a str>,
    /// What names the set of people it is made for, if it is made for a set.
    pub(in crate::store) set: Option<&'a [u8; 32]>,
    pub(in crate::store) owner: UserId,
    pub(in crate::store) members: &'a [UserId],
    pub(in crate::store) at: Timestamp,
}

/// Makes a conversation and returns its key.
pub(in crate::store) fn insert(database: &Connection, new: &NewConversation<'_>) -> Result<i64, Error> {
    database
        .prepare_cached(
            "INSERT INTO conversation (id, kind, name, member_set, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![Sql(new.id), kind_name(new.kind), new.name, new.set, Sql(new.at)])?;
    let key = database.last_insert_rowid();
    for user in new.members {
        let is_owner = *user == new.owner && new.kind != ConversationKind::Direct;
        let role = if is_owner { Role::Owner } else { Role::Member };
        insert_member(database, key, *user, role, new.at)?;
    }
    Ok(key)
}

/// The role of a member.
pub(in crate::store) fn role(database: &Connection, key: i64, user: UserId) -> Result<Role, Error> {
    let mut statement = database.prepare_cached("SELECT role FROM member WHERE conversation = ?1 AND user = ?2")?;
    let name: String = statement.query_row(params![key, Sql(user)], |found| found.get(0))?;
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| Error::Corrupt(format!("role {name:?}")))
}

pub(in crate::store) fn insert_member(
    database: &Connection,
    key: i64,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached("INSERT INTO member (conversation, user, joined_at, role) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![key, Sql(user), Sql(at), role.name()])?;
    Ok(())
}

pub(in crate::store) fn delete_member(database: &Connection, key: i64, user: UserId) -> Result<(), Error> {
    database
        .prepare_cached("DELETE FROM member WHERE conversation = ?1 AND user = ?2")?
        .execute(params![key, Sql(user)])?;
    Ok(())
}

/// A conversation without an owner goes to a moderator, or to whoever has been in it for longest.
pub(in crate::store) fn appoint_owner(database: &Connection, key: i64) -> Result<(), Error> {
    database
        .prepare_cached(
            "UPDATE member SET role = 'owner' WHERE conversation = ?1
               AND NOT EXISTS (SELECT 1 FROM member WHERE conversation = ?1 AND role = 'owner')
               AND user = (SELECT user FROM member WHERE conversation = ?1
                           ORDER BY role <> 'moderator', joined_at, user LIMIT 1)",
        )?
        .execute([key])?;
    Ok(())
}

pub(in crate::store) fn name(database: &Connection, key: i64) -> Result<Option<String>, Error> {
    let mut statement = database.prepare_cached("SELECT name FROM conversation WHERE key = ?1")?;
    Ok(statement.query_row([key], |found| found.get(0))?)
}

pub(in crate::store) fn set_name(database: &Connection, key: i64, name: &str) -> Result<(), Error> {
    database.prepare_cached("UPDATE conversation SET name = ?2 WHERE key = ?1")?.execute(params![key, name])?;
    Ok(())
}

/// The groups and channels somebody is in, at most so many.
pub(in crate::store) fn groups(database: &Connection, user: UserId, limit: u32) -> Result<Vec<ConversationId>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id FROM member JOIN conversation ON conversation.key = member.conversation
         WHERE member.user = ?1 AND kind IN ('group', 'channel') LIMIT ?2",
    )?;
    row::all(statement.query_map(params![Sql(user), limit], |found| row::get(found, "id"))?)
}

/// Whether somebody is in a conversation.
pub(in crate::store) fn has_member(database: &Connection, key: i64, user: UserId) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM member WHERE conversation = ?1 AND user = ?2")?;
    Ok(statement.exists(params![key, Sql(user)])?)
}

/// The members, as ids.
pub(in crate::store) fn member_ids(database: &Connection, key: i64) -> Result<Vec<UserId>, Error> {
    let mut statement = database.prepare_cached("SELECT user FROM member WHERE conversation = ?1 ORDER BY user")?;
    row::all(statement.query_map([key], |found| row::get(found, "user"))?)
}

/// A conversation's kind.
pub(in crate::store) fn kind(database: &Connection, key: i64) -> Result<ConversationKind, Error> {
    let mut statement = database.prepare_cached("SELECT kind FROM conversation WHERE key = ?1")?;
    kind_of(&statement.query_row([key], |found| found.get::<_, String>(0))?)
}
