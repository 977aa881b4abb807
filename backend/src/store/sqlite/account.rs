//! Accounts.

use super::row::{self, Sql};
use super::{attachment, audience, group_request};
use crate::store::{Contacts, Credentials, Error};
use foldhash::{HashSet, HashSetExt};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::account::{Privacy, User};
use shared::fold;
use shared::ids::{AttachmentId, Timestamp, UserId};
use shared::limits::CONTACTS_MAX;
use shared::mention::Key;
use shared::name::DELETED;

pub(in crate::store) fn credentials(database: &Connection, email_key: &str) -> Result<Option<Credentials>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, email, display_name, avatar, status, hides_presence, hides_typing, password_hash FROM user WHERE email_key = ?1",
    )?;
    Ok(statement
        .query_row([email_key], |found| {
            Ok(Credentials { user: row::own_user(found)?, password_hash: found.get("password_hash")? })
        })
        .optional()?)
}

/// Whether somebody's password has this hash, and the account goes on.
pub(in crate::store) fn has_password(database: &Connection, user: UserId, hash: &str) -> Result<bool, Error> {
    let mut statement =
        database.prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND password_hash = ?2 AND deleted_at IS NULL")?;
    Ok(statement.exists(params![Sql(user), hash])?)
}

pub(in crate::store) fn users(database: &Connection, key: &str, limit: u32) -> Result<Vec<User>, Error> {
    // The start of a name or of a later word in it, both as `fold::name_key` makes them. `instr` and not LIKE: what people
    // type is text, not a pattern.
    let mut statement = database.prepare_cached(
        "SELECT id, display_name, avatar, status FROM user
         WHERE deleted_at IS NULL AND (?1 = '' OR instr(name_key, ?1) = 1 OR instr(name_key, ' ' || ?1) > 0)
         ORDER BY name_key, display_name, id LIMIT ?2",
    )?;
    row::all(statement.query_map(params![key, limit], row::user)?)
}

/// Everybody with such a name, as [`users`] finds them.
pub(in crate::store) fn ids_named(database: &Connection, key: &str) -> Result<Vec<UserId>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id FROM user WHERE deleted_at IS NULL AND (instr(name_key, ?1) = 1 OR instr(name_key, ' ' || ?1) > 0)
         ORDER BY id",
    )?;
    row::all(statement.query_map([key], |found| row::get(found, "id"))?)
}

pub(in crate::store) fn users_by_id(database: &Connection, ids: &[UserId]) -> Result<Vec<User>, Error> {
    let mut statement = database.prepare_cached("SELECT id, display_name, avatar, status FROM user WHERE id = ?1")?;
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        users.extend(statement.query_row([Sql(*id)], row::user).optional()?);
    }
    Ok(users)
}

/// The people who are meant by a name, at most so many: those whose name is exactly this, else those with another spelling
/// of it. Both are read from an index, however many others have the name.
pub(in crate::store) fn named(database: &Connection, name: &Key, limit: usize) -> Result<Vec<UserId>, Error> {
    let mut exact = database.prepare_cached(
        "SELECT id FROM user WHERE name_fold = ?1 AND name_exact = ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3",
    )?;
    let found =
        row::all(exact.query_map(params![name.fold, name.exact, limit as i64], |found| row::get(found, "id"))?)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut any = database.prepare_cached(
        "SELECT id FROM user WHERE name_fold = ?1 AND deleted_at IS NULL ORDER BY name_exact, id LIMIT ?2",
    )?;
    row::all(any.query_map(params![name.fold, limit as i64], |found| row::get(found, "id"))?)
}

/// Inserts an account and makes it a member of `everyone`, with nothing unread. `Ok(false)`: the
/// address is taken.
pub(in crate::store) fn insert(
    database: &Connection,
    id: UserId,
    email: &str,
    display_name: &str,
    password_hash: &str,
    at: Timestamp,
) -> Result<bool, Error> {
    let name = Key::of(display_name);
    let inserted = database
        .prepare_cached(
            "INSERT INTO user (id, email, email_key, display_name, name_key, name_fold, name_exact, password_hash, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (email_key) DO NOTHING",
        )?
        .execute(params![
            Sql(id),
            email,
            email.to_lowercase(),
            display_name,
            fold::name_key(&name.fold),
            name.fold,
            name.exact,
            password_hash,
            Sql(at)
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    // By its key: the first conversation that was made is the one looked for, and the others are not gone over.
    // Asked of the log: what was said in this transaction is not in the conversation's row yet.
    database
        .prepare_cached(
            "INSERT INTO member (conversation, user, joined_at, delivered_seq, read_seq, read_count)
             SELECT key, ?1, ?2, coalesce(newest.seq, 0), coalesce(newest.seq, 0), coalesce(newest.message_count, 0)
             FROM conversation LEFT JOIN event AS newest ON newest.conversation = key
               AND newest.seq = (SELECT max(seq) FROM event WHERE conversation = key)
             WHERE key = (SELECT key FROM conversation WHERE kind = 'everyone')",
        )?
        .execute(params![Sql(id), Sql(at)])?;
    Ok(true)
}

/// `Ok(false)`: the address is somebody else's.
pub(in crate::store) fn set_email(database: &Connection, user: UserId, email: &str) -> Result<bool, Error> {
    let changed = database
        .prepare_cached("UPDATE OR IGNORE user SET email = ?2, email_key = ?3 WHERE id = ?1")?
        .execute(params![Sql(user), email, email.to_lowercase()])?;
    Ok(changed == 1)
}

pub(in crate::store) fn set_display_name(database: &Connection, user: UserId, name: &str) -> Result<(), Error> {
    let Key { fold, exact } = Key::of(name);
    database
        .prepare_cached(
            "UPDATE user SET display_name = ?2, name_key = ?3, name_fold = ?4, name_exact = ?5 WHERE id = ?1",
        )?
        .execute(params![Sql(user), name, fold::name_key(&fold), fold, exact])?;
    Ok(())
}

/// Brings the forms of all names to how [`set_display_name`] writes them: ten thousand of them in less than a second.
pub(super) fn migrate_names(database: &Connection) -> Result<(), Error> {
    let mut names = database.prepare("SELECT id, display_name FROM user")?;
    let names: Vec<(UserId, String)> =
        row::all(names.query_map([], |found| Ok((row::get(found, "id")?, found.get(1)?)))?)?;
    for (user, name) in names {
        set_display_name(database, user, &name)?;
    }
    Ok(())
}

pub(in crate::store) fn set_status(database: &Connection, user: UserId, status: Option<&str>) -> Result<(), Error> {
    database.prepare_cached("UPDATE user SET status = ?2 WHERE id = ?1")?.execute(params![Sql(user), status])?;
    Ok(())
}

pub(in crate::store) fn set_privacy(database: &Connection, user: UserId, privacy: Privacy) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE user SET hides_presence = ?2, hides_typing = ?3 WHERE id = ?1")?
        .execute(params![Sql(user), privacy.hides_presence, privacy.hides_typing])?;
    Ok(())
}

/// Those of whom others are not told everything.
pub(in crate::store) fn discreet(database: &Connection) -> Result<Vec<(UserId, Privacy)>, Error> {
    let mut statement = database
        .prepare_cached("SELECT id, hides_presence, hides_typing FROM user WHERE hides_presence OR hides_typing")?;
    row::all(statement.query_map([], |found| {
        let privacy =
            Privacy { hides_presence: found.get("hides_presence")?, hides_typing: found.get("hides_typing")? };
        Ok((row::get(found, "id")?, privacy))
    })?)
}

/// Gives somebody another picture, which is theirs, or none; the one before goes.
pub(in crate::store) fn set_avatar(
    database: &Connection,
    user: UserId,
    avatar: Option<AttachmentId>,
    at: Timestamp,
) -> Result<(), Error> {
    attachment::set_avatar(database, user, avatar, at)?;
    database
        .prepare_cached("UPDATE user SET avatar = ?2 WHERE id = ?1")?
        .execute(params![Sql(user), avatar.map(Sql)])?;
    Ok(())
}

pub(in crate::store) fn set_password(database: &Connection, user: UserId, hash: &str) -> Result<(), Error> {
    database.prepare_cached("UPDATE user SET password_hash = ?2 WHERE id = ?1")?.execute(params![Sql(user), hash])?;
    Ok(())
}

pub(in crate::store) fn set_last_seen(database: &Connection, people: &[(UserId, Timestamp)]) -> Result<(), Error> {
    let mut statement = database.prepare_cached("UPDATE user SET last_seen_at = ?2 WHERE id = ?1")?;
    for (user, at) in people {
        statement.execute(params![Sql(*user), Sql(*at)])?;
    }
    Ok(())
}

/// Takes away all that says who it was. The row stays, because messages name it.
pub(in crate::store) fn delete(database: &Connection, user: UserId, at: Timestamp) -> Result<(), Error> {
    set_avatar(database, user, None, at)?;
    audience::forget_departures(database, user)?;
    group_request::forget(database, user)?;
    // What stands in place of the address can be nobody's: it has no `@`.
    database
        .prepare_cached(
            "UPDATE user SET email = '', email_key = 'deleted ' || hex(id), display_name = ?3,
               name_key = ?4, name_fold = ?4, name_exact = ?4, password_hash = '', last_seen_at = NULL, deleted_at = ?2, status = NULL
             WHERE id = ?1",
        )?
        .execute(params![Sql(user), Sql(at), DELETED, fold::fold(DELETED)])?;
    database
        .prepare_cached(
            "DELETE FROM member WHERE user = ?1
               AND conversation = (SELECT key FROM conversation WHERE kind = 'everyone')",
        )?
        .execute([Sql(user)])?;
    Ok(())
}

/// So many conversations of somebody are looked at for their contacts.
const CONTACT_CONVERSATIONS_MAX: u32 = 10_000;
/// And so many of their members: groups of the same people are many rows and few contacts.
const CONTACT_ROWS_MAX: usize = 20_000;

/// Those one has talked with, and when they were last there: both have written in a direct conversation, group or
/// channel they share. At most [`CONTACTS_MAX`], of the first [`CONTACT_CONVERSATIONS_MAX`] conversations and
/// [`CONTACT_ROWS_MAX`] members who have written where one has written oneself: what others make alone adds
/// nobody.
pub(in crate::store) fn contacts(database: &Connection, user: UserId) -> Result<Contacts, Error> {
    // The order of the joins is said, so that it stops as soon as there are enough, and so is the index: it has nobody
    // who has not written, and no columns to skip.
    let mut others = database.prepare_cached(
        "SELECT other.user FROM (
           SELECT conversation FROM member WHERE user = ?1
             AND conversation <> (SELECT key FROM conversation WHERE kind = 'everyone') LIMIT ?2
         ) AS own
         CROSS JOIN member AS self INDEXED BY member_written
           ON self.conversation = own.conversation AND self.user = ?1 AND self.has_written = 1
         CROSS JOIN member AS other INDEXED BY member_written
           ON other.conversation = own.conversation AND other.has_written = 1 AND other.user <> ?1",
    )?;
    let mut person = database.prepare_cached("SELECT last_seen_at FROM user WHERE id = ?1 AND deleted_at IS NULL")?;
    let mut seen = HashSet::new();
    let mut contacts = Vec::new();
    let mut left = CONTACT_ROWS_MAX;
    let mut rows = others.query(params![Sql(user), CONTACT_CONVERSATIONS_MAX])?;
    while contacts.len() < CONTACTS_MAX as usize
        && left > 0
        && let Some(found) = rows.next()?
    {
        left -= 1;
        // Most people are met again and again; each is looked at once.
        let other: UserId = row::get(found, "user")?;
        if seen.insert(other) {
            let last_seen_at = |found: &Row<'_>| found.get::<_, Option<Sql<Timestamp>>>("last_seen_at");
            let found = person.query_row([Sql(other)], last_seen_at).optional()?;
            contacts.extend(found.map(|at| (other, at.map(|Sql(at)| at))));
        }
    }
    Ok(contacts)
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;
    use crate::clock;

    #[test]
    fn names_from_before_are_found_in_any_spelling_once_they_are_migrated() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open::open(folder.path()).expect("opens").connection;
        let names = ["Jean-Luc", "Zoe", "Zoë", "Łukasz"];
        let ids = names.map(|name| {
            let id = clock::id(UserId::v7);
            assert!(insert(&database, id, &format!("{id}@x"), name, "x", clock::now()).expect("an account"));
            id
        });
        let finds = |database: &Connection| {
            let found = ["luc", "zoe", "luk"].map(|typed| users(database, typed, 9).expect("asked").len());
            let meant = ["zoë", "ZOE", "zoê", "lukasz"].map(|name| named(database, &Key::of(name), 9).expect("asked"));
            (found, meant)
        };
        let as_inserted = finds(&database);
        assert_eq!(as_inserted.0, [1, 2, 1]);
        assert_eq!(as_inserted.1, [vec![ids[2]], vec![ids[1]], vec![ids[1], ids[2]], vec![ids[3]]]);
        // As a program from before left it, and then migrated.
        database
            .execute_batch(
                "DROP INDEX user_by_fold; ALTER TABLE user DROP COLUMN name_fold; ALTER TABLE user DROP COLUMN name_exact;
                 UPDATE user SET name_key = lower(display_name)",
            )
            .expect("taken back");
        database.execute_batch(include_str!("../../../migrations/sqlite/0015_letters.sql")).expect("migrated");
        migrate_names(&database).expect("migrated");
        assert_eq!(finds(&database), as_inserted);
    }
}
