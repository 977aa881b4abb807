//! Accounts.

use super::row::{self, Sql};
use crate::store::{Credentials, Error};
use rusqlite::{Connection, OptionalExtension, params};
use shared::account::User;
use shared::ids::{Timestamp, UserId};

pub(in crate::store) fn credentials(database: &Connection, email_key: &str) -> Result<Option<Credentials>, Error> {
    let mut statement =
        database.prepare_cached("SELECT id, email, display_name, password_hash FROM user WHERE email_key = ?1")?;
    Ok(statement
        .query_row([email_key], |found| {
            Ok(Credentials { user: row::own_user(found)?, password_hash: found.get("password_hash")? })
        })
        .optional()?)
}

pub(in crate::store) fn users(database: &Connection, key: &str, limit: u32) -> Result<Vec<User>, Error> {
    // The start of a name or of a later word in it. `instr` and not LIKE: what people type is text,
    // not a pattern.
    let mut statement = database.prepare_cached(
        "SELECT id, display_name FROM user
         WHERE ?1 = '' OR instr(name_key, ?1) = 1 OR instr(name_key, ' ' || ?1) > 0
         ORDER BY name_key, id LIMIT ?2",
    )?;
    row::all(statement.query_map(params![key, limit], row::user)?)
}

pub(in crate::store) fn users_by_id(database: &Connection, ids: &[UserId]) -> Result<Vec<User>, Error> {
    let mut statement = database.prepare_cached("SELECT id, display_name FROM user WHERE id = ?1")?;
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        users.extend(statement.query_row([Sql(*id)], row::user).optional()?);
    }
    Ok(users)
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
    let inserted = database
        .prepare_cached(
            "INSERT INTO user (id, email, email_key, display_name, name_key, password_hash, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (email_key) DO NOTHING",
        )?
        .execute(params![
            Sql(id),
            email,
            email.to_lowercase(),
            display_name,
            display_name.to_lowercase(),
            password_hash,
            Sql(at)
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    database
        .prepare_cached(
            "INSERT INTO member (conversation, user, joined_at, delivered_seq, read_seq, read_count)
             SELECT key, ?1, ?2, last_seq, last_seq, message_count FROM conversation WHERE kind = 'everyone'",
        )?
        .execute(params![Sql(id), Sql(at)])?;
    Ok(true)
}
