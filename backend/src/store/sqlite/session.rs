//! Sessions and API tokens: who is signed in with which secret. A token is a session with a name.

use super::row::{self, Sql};
use crate::accounts::SessionKind;
use crate::store::{Error, SessionRow};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::account::{Session, Token};
use shared::ids::{SessionId, Timestamp, TokenId, UserId};

/// The session with this secret. One of a browser's that was silent since before `not_before` has
/// ended; tokens end only on purpose.
pub(in crate::store) fn find(
    database: &Connection,
    token_hash: &[u8; 32],
    not_before: Timestamp,
) -> Result<Option<SessionRow>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT session.id AS session, session.last_seen_at, name, user.id, email, display_name, user.avatar, status,
           hides_presence, hides_typing
         FROM session JOIN user ON user.id = session.user
         WHERE token_hash = ?1 AND (name IS NOT NULL OR session.last_seen_at >= ?2)",
    )?;
    Ok(statement
        .query_row(params![token_hash, Sql(not_before)], |found| {
            let is_token = found.get::<_, Option<String>>("name")?.is_some();
            Ok(SessionRow {
                id: row::get(found, "session")?,
                user: row::own_user(found)?,
                kind: if is_token { SessionKind::Token } else { SessionKind::Browser },
                last_seen_at: row::get(found, "last_seen_at")?,
            })
        })
        .optional()?)
}

/// Whether a session goes on, with this secret.
pub(in crate::store) fn is_valid(database: &Connection, id: SessionId, token_hash: &[u8; 32]) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM session WHERE id = ?1 AND token_hash = ?2")?;
    Ok(statement.exists(params![Sql(id), token_hash])?)
}

pub(in crate::store) fn exists(database: &Connection, id: SessionId) -> Result<bool, Error> {
    Ok(database.prepare_cached("SELECT 1 FROM session WHERE id = ?1")?.exists([Sql(id)])?)
}

/// Those of these sessions that are no more.
pub(in crate::store) fn missing(database: &Connection, ids: &[SessionId]) -> Result<Vec<SessionId>, Error> {
    let mut missing = Vec::new();
    for id in ids {
        if !exists(database, *id)? {
            missing.push(*id);
        }
    }
    Ok(missing)
}

/// The signed-in devices of somebody, those used last first.
pub(in crate::store) fn list(database: &Connection, user: UserId, current: SessionId) -> Result<Vec<Session>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, created_at, last_seen_at, user_agent FROM session WHERE user = ?1 AND name IS NULL
         ORDER BY last_seen_at DESC, id DESC",
    )?;
    let session = |found: &Row<'_>| {
        let id = row::get(found, "id")?;
        Ok(Session {
            id,
            created_at: row::get(found, "created_at")?,
            last_seen_at: row::get(found, "last_seen_at")?,
            user_agent: found.get("user_agent")?,
            current: id == current,
        })
    };
    row::all(statement.query_map([Sql(user)], session)?)
}

/// The API tokens of somebody, newest first.
pub(in crate::store) fn tokens(database: &Connection, user: UserId) -> Result<Vec<Token>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, created_at, last_seen_at FROM session WHERE user = ?1 AND name IS NOT NULL
         ORDER BY created_at DESC, id DESC",
    )?;
    let token = |found: &Row<'_>| {
        let last_used_at: Timestamp = row::get(found, "last_seen_at")?;
        Ok(Token {
            id: row::get::<TokenId>(found, "id")?,
            name: found.get("name")?,
            created_at: row::get(found, "created_at")?,
            last_used_at: (last_used_at.as_millis() > 0).then_some(last_used_at),
        })
    };
    row::all(statement.query_map([Sql(user)], token)?)
}

pub(in crate::store) fn insert(
    database: &Connection,
    id: SessionId,
    token_hash: &[u8; 32],
    user: UserId,
    user_agent: &str,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
        )?
        .execute(params![Sql(id), token_hash, Sql(user), Sql(at), user_agent])?;
    Ok(())
}

pub(in crate::store) fn insert_token(
    database: &Connection,
    id: SessionId,
    token_hash: &[u8; 32],
    user: UserId,
    name: &str,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent, name)
             VALUES (?1, ?2, ?3, ?4, 0, '', ?5)",
        )?
        .execute(params![Sql(id), token_hash, Sql(user), Sql(at), name])?;
    Ok(())
}

/// The session goes on under another secret.
pub(in crate::store) fn set_secret(database: &Connection, id: SessionId, token_hash: &[u8; 32]) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE session SET token_hash = ?2 WHERE id = ?1")?
        .execute(params![Sql(id), token_hash])?;
    Ok(())
}

pub(in crate::store) fn touch(database: &Connection, id: SessionId, at: Timestamp) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE session SET last_seen_at = max(last_seen_at, ?2) WHERE id = ?1")?
        .execute(params![Sql(id), Sql(at)])?;
    Ok(())
}

pub(in crate::store) fn delete(
    database: &Connection,
    user: UserId,
    id: SessionId,
    is_token: bool,
) -> Result<bool, Error> {
    let deleted = database
        .prepare_cached("DELETE FROM session WHERE id = ?1 AND user = ?2 AND (name IS NOT NULL) = ?3")?
        .execute(params![Sql(id), Sql(user), is_token])?;
    Ok(deleted == 1)
}

/// Ends all sessions and tokens of somebody, except one, and names them.
pub(in crate::store) fn delete_all(
    database: &Connection,
    user: UserId,
    except: Option<SessionId>,
) -> Result<Vec<SessionId>, Error> {
    let except = except.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let mut statement = database.prepare_cached("DELETE FROM session WHERE user = ?1 AND id <> ?2 RETURNING id")?;
    row::all(statement.query_map(params![Sql(user), except], |found| row::get(found, "id"))?)
}

/// Ends the sessions not used for longest, down to `most`, and names them.
pub(in crate::store) fn delete_oldest(database: &Connection, user: UserId, most: u32) -> Result<Vec<SessionId>, Error> {
    let mut statement = database.prepare_cached(
        "DELETE FROM session WHERE id IN (
           SELECT id FROM session WHERE user = ?1 AND name IS NULL ORDER BY last_seen_at DESC, id DESC LIMIT -1 OFFSET ?2
         ) RETURNING id",
    )?;
    row::all(statement.query_map(params![Sql(user), most], |found| row::get(found, "id"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::store::sqlite::{account, open};

    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const NOW: u64 = 20_000 * DAY;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(NOW.saturating_add_signed(day * i64::try_from(DAY).expect("small")))
    }

    #[test]
    fn a_session_is_found_until_it_was_silent_for_too_long_whatever_the_clock_did() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open::open(folder.path()).expect("opens").connection;
        let (user, session) = (clock::id(UserId::v7), clock::id(SessionId::v7));
        account::insert(&database, user, "a@b", "Ada", "x", at(0)).expect("an account");
        insert(&database, session, &[7; 32], user, "", at(0)).expect("a session");
        let is_found = |now: i64| find(&database, &[7; 32], at(now - 30)).expect("reads").is_some();
        assert!(is_found(0) && is_found(30) && !is_found(31));
        assert!(is_found(-365), "a clock that went back ends nothing");
        touch(&database, session, at(-365)).expect("noted");
        assert!(is_found(30), "and what it notes meanwhile shortens nothing");
        touch(&database, session, at(20)).expect("noted");
        assert!(is_found(50) && !is_found(51), "a clock that was ahead adds what it was ahead, and no more");
    }
}
