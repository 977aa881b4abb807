//! Conversations, their members and how they stand in somebody's list.

use super::event;
use super::row::{self, Sql};
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
    let mut statement = transaction.prepare_cached(&format!(
        "{SUMMARY} AND (last_position, key) < (?2, ?3) ORDER BY last_position DESC, key DESC LIMIT ?4"
    ))?;
    let mut found = row::all(statement.query_map(params![Sql(user), position, key, limit + 1], columns)?)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let conversations = found.into_iter().map(|found| fill(&transaction, found)).collect::<Result<_, _>>()?;
    Ok(Snapshot { conversations, more })
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
    let mut statement = database.prepare_cached("SELECT 1 FROM user WHERE id = ?1")?;
    for user in users {
        if !statement.exists([Sql(*user)])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a conversation with these members and returns its key.
pub(in crate::store) fn insert(
    database: &Connection,
    id: ConversationId,
    kind: ConversationKind,
    set: &[u8; 32],
    members: &[UserId],
    at: Timestamp,
) -> Result<i64, Error> {
    database
        .prepare_cached("INSERT INTO conversation (id, kind, member_set, created_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![Sql(id), kind_name(kind), set, Sql(at)])?;
    let key = database.last_insert_rowid();
    let mut statement =
        database.prepare_cached("INSERT INTO member (conversation, user, joined_at) VALUES (?1, ?2, ?3)")?;
    for user in members {
        statement.execute(params![key, Sql(*user), Sql(at)])?;
    }
    Ok(key)
}
