//! Conversations and their members.

use super::row::{self, Sql};
use crate::store::access::role_name;
use crate::store::{Error, Member, kind_name, kind_of};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use shared::account::User;
use shared::conversation::{self, Channel, ConversationKind, Preferences, Role};
use shared::fold;
use shared::ids::{AttachmentId, ConversationId, Timestamp, UserId};
use shared::limits::SUMMARY_MEMBERS_MAX;
use shared::mention::Key;
use shared::receipt::Receipt;

pub(in crate::store) fn member(
    database: &Connection,
    user: UserId,
    conversation: ConversationId,
) -> Result<Option<Member>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT key FROM conversation JOIN member ON member.conversation = key WHERE id = ?1 AND member.user = ?2",
    )?;
    Ok(statement
        .query_row(params![Sql(conversation), Sql(user)], |found| {
            Ok(Member { key: found.get("key")?, conversation, user })
        })
        .optional()?)
}

/// The members with their names, in the order of their ids.
pub(in crate::store) fn members(database: &Connection, key: i64) -> Result<Vec<User>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user.id, display_name, user.avatar, status FROM member JOIN user ON user.id = member.user WHERE conversation = ?1
         ORDER BY user.id",
    )?;
    row::all(statement.query_map([key], row::user)?)
}

/// The members a summary names: the first in the order of their ids, which are those with the oldest accounts.
pub(in crate::store) fn first_members(database: &Connection, key: i64) -> Result<Vec<User>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user.id, display_name, user.avatar, status FROM member JOIN user ON user.id = member.user WHERE conversation = ?1
         ORDER BY member.user LIMIT ?2",
    )?;
    row::all(statement.query_map(params![key, SUMMARY_MEMBERS_MAX as i64], row::user)?)
}

/// How many members it has.
pub(in crate::store) fn count_members(database: &Connection, key: i64) -> Result<u64, Error> {
    let mut statement = database.prepare_cached("SELECT count(*) AS members FROM member WHERE conversation = ?1")?;
    Ok(statement.query_row([key], |found| row::count(found, "members"))?)
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

/// The conversation whose members are this set of people.
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

/// What a conversation shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::store) struct Face {
    pub(in crate::store) name: Option<String>,
    pub(in crate::store) topic: Option<String>,
    /// Whether everybody here finds it and may join.
    pub(in crate::store) is_public: bool,
    pub(in crate::store) avatar: Option<AttachmentId>,
}

impl Face {
    /// The key by which the name is searched.
    fn name_key(&self) -> Option<String> {
        self.name.as_deref().map(fold::search_key)
    }
}

/// A conversation to be made.
pub(in crate::store) struct NewConversation<'a> {
    pub(in crate::store) id: ConversationId,
    pub(in crate::store) kind: ConversationKind,
    pub(in crate::store) face: Face,
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
            "INSERT INTO conversation (id, kind, name, member_set, created_at, topic, is_public, name_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            Sql(new.id),
            kind_name(new.kind),
            new.face.name,
            new.set,
            Sql(new.at),
            new.face.topic,
            new.face.is_public,
            new.face.name_key()
        ])?;
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
    role_of(&name)
}

fn role_of(name: &str) -> Result<Role, Error> {
    let found = Role::ALL.into_iter().find(|role| role_name(*role) == name);
    found.ok_or_else(|| Error::Corrupt(format!("role {name:?}")))
}

/// Gives a member another role.
pub(in crate::store) fn set_role(database: &Connection, key: i64, user: UserId, role: Role) -> Result<(), Error> {
    database.prepare_cached("UPDATE member SET role = ?3 WHERE conversation = ?1 AND user = ?2")?.execute(params![
        key,
        Sql(user),
        role_name(role)
    ])?;
    Ok(())
}

/// Some of the members, by name: those with a word that starts with `search`, after the first `skip`.
pub(in crate::store) fn member_page(
    database: &Connection,
    key: i64,
    search: &str,
    skip: u32,
    limit: u32,
) -> Result<Vec<conversation::Member>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user.id, display_name, user.avatar, status, role FROM member JOIN user ON user.id = member.user
         WHERE conversation = ?1 AND deleted_at IS NULL
           AND (?2 = '' OR instr(name_key, ?2) = 1 OR instr(name_key, ' ' || ?2) > 0)
         ORDER BY name_key, display_name, user.id LIMIT ?4 OFFSET ?3",
    )?;
    let mut rows = statement.query(params![key, search, skip, limit])?;
    let mut members = Vec::new();
    while let Some(found) = rows.next()? {
        let role = role_of(found.get_ref("role")?.as_str().map_err(rusqlite::Error::from)?)?;
        members.push(conversation::Member { user: row::user(found)?, role });
    }
    Ok(members)
}

/// Members of one name in any spelling: their names as they are exactly, in the order of their ids.
pub(in crate::store) type Namesakes = Vec<(String, UserId)>;

/// The members who have one of these names in any spelling, by the fold of the name. Goes over the members, so people of
/// these names elsewhere are not looked at.
pub(in crate::store) fn members_named(
    database: &Connection,
    key: i64,
    names: &[Key],
) -> Result<std::collections::HashMap<String, Namesakes>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT name_fold, name_exact, user.id FROM member CROSS JOIN user ON user.id = member.user
         WHERE conversation = ?1 AND deleted_at IS NULL AND name_fold IN (SELECT value FROM json_each(?2))
         ORDER BY member.user",
    )?;
    let folds: Vec<_> = names.iter().map(|name| &name.fold).collect();
    let mut rows = statement.query(params![key, row::json(&folds)?])?;
    let mut named = std::collections::HashMap::<String, Namesakes>::new();
    while let Some(found) = rows.next()? {
        let people = named.entry(found.get("name_fold")?).or_default();
        people.push((found.get("name_exact")?, row::get(found, "id")?));
    }
    Ok(named)
}

/// How far the members other than this one are, as far as they have come anywhere.
pub(in crate::store) fn receipts(
    database: &Connection,
    key: i64,
    conversation: ConversationId,
    except: UserId,
    limit: usize,
) -> Result<Vec<Receipt>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user, delivered_seq, read_seq FROM member
         WHERE conversation = ?1 AND user <> ?2 AND delivered_seq + read_seq > 0 AND has_written <> 0 LIMIT ?3",
    )?;
    row::all(statement.query_map(params![key, Sql(except), limit as i64], |found| {
        let (delivered, read) = (row::get(found, "delivered_seq")?, row::get(found, "read_seq")?);
        Ok(Receipt { conversation, user: row::get(found, "user")?, delivered: Some(delivered), read: Some(read) })
    })?)
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
        .execute(params![key, Sql(user), Sql(at), role_name(role)])?;
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

pub(in crate::store) fn face(database: &Connection, key: i64) -> Result<Face, Error> {
    let mut statement =
        database.prepare_cached("SELECT name, topic, is_public, avatar FROM conversation WHERE key = ?1")?;
    Ok(statement.query_row([key], |found| {
        let (name, topic) = (found.get("name")?, found.get("topic")?);
        Ok(Face { name, topic, is_public: found.get("is_public")?, avatar: row::avatar(found)? })
    })?)
}

pub(in crate::store) fn set_face(database: &Connection, key: i64, face: &Face) -> Result<(), Error> {
    database
        .prepare_cached(
            "UPDATE conversation SET name = ?2, topic = ?3, is_public = ?4, name_key = ?5, avatar = ?6 WHERE key = ?1",
        )?
        .execute(params![key, face.name, face.topic, face.is_public, face.name_key(), face.avatar.map(Sql)])?;
    Ok(())
}

/// Brings what all names are searched by to how [`set_face`] writes it.
pub(super) fn migrate_names(database: &Connection) -> Result<(), Error> {
    let mut names = database.prepare("SELECT key, name FROM conversation WHERE name_key IS NOT NULL")?;
    let names: Vec<(i64, Option<String>)> = row::all(names.query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?)?;
    let mut write = database.prepare("UPDATE conversation SET name_key = ?2 WHERE key = ?1")?;
    for (key, name) in names {
        write.execute(params![key, Face { name, ..Face::default() }.name_key()])?;
    }
    Ok(())
}

/// Channels that everybody may join, by name: those with a word that starts with `search`, after the first `skip`.
pub(in crate::store) fn channels(
    database: &Connection,
    user: UserId,
    search: &str,
    skip: u32,
    limit: u32,
) -> Result<Vec<Channel>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, topic, (SELECT count(*) FROM member WHERE conversation = found.key) AS members,
           EXISTS (SELECT 1 FROM member WHERE conversation = found.key AND user = ?1) AS joined
         FROM (SELECT key, id, name, topic, name_key FROM conversation WHERE is_public = 1
             AND (?2 = '' OR instr(name_key, ?2) = 1 OR instr(name_key, ' ' || ?2) > 0)
           ORDER BY name_key, name, key LIMIT ?4 OFFSET ?3) AS found
         ORDER BY name_key, name, key",
    )?;
    row::all(statement.query_map(params![Sql(user), search, skip, limit], |found| {
        Ok(Channel {
            id: row::get(found, "id")?,
            name: found.get::<_, Option<String>>("name")?.unwrap_or_default(),
            topic: found.get("topic")?,
            members: row::count(found, "members")?,
            joined: found.get("joined")?,
        })
    })?)
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

/// What a member wants of a conversation, from the column `preferences`. What cannot be read is nothing in particular:
/// it must not take the conversation with it.
pub(super) fn preferences_of(found: &Row<'_>) -> rusqlite::Result<Preferences> {
    let text = found.get_ref("preferences")?.as_str_or_null()?;
    Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

/// The same for one of them; `None` if they are no member.
pub(in crate::store) fn preferences(
    database: &Connection,
    key: i64,
    user: UserId,
) -> Result<Option<Preferences>, Error> {
    let mut statement =
        database.prepare_cached("SELECT preferences FROM member WHERE conversation = ?1 AND user = ?2")?;
    Ok(statement.query_row(params![key, Sql(user)], preferences_of).optional()?)
}

pub(in crate::store) fn set_preferences(
    database: &Connection,
    key: i64,
    user: UserId,
    preferences: Preferences,
) -> Result<(), Error> {
    let text = (preferences != Preferences::default()).then(|| row::json(&preferences)).transpose()?;
    database
        .prepare_cached("UPDATE member SET preferences = ?3 WHERE conversation = ?1 AND user = ?2")?
        .execute(params![key, Sql(user), text])?;
    Ok(())
}
