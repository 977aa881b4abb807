//! Sessions and API tokens: who is signed in with which secret. A token is a session with a name.

use super::row::{self, Sql};
use crate::accounts::SessionKind;
use crate::store::{Error, SessionRow};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::account::{Session, Token};
use shared::ids::{SessionId, Timestamp, TokenId, UserId};

/// The session with this secret, unless its end has come by `now`. One of a browser's that was silent since before
/// `not_before` has ended, too. The address of a token's owner is left out: a program does not need it.
pub(in crate::store) fn find(
    database: &Connection,
    token_hash: &[u8; 32],
    not_before: Timestamp,
    now: Timestamp,
) -> Result<Option<SessionRow>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT session.id AS session, session.last_seen_at, name, user.id, email, display_name, user.avatar, status,
           hides_presence, hides_typing
         FROM session JOIN user ON user.id = session.user
         WHERE token_hash = ?1 AND session.expires_at > ?3 AND (name IS NOT NULL OR session.last_seen_at >= ?2)",
    )?;
    Ok(statement
        .query_row(params![token_hash, Sql(not_before), Sql(now)], |found| {
            let is_token = found.get::<_, Option<String>>("name")?.is_some();
            let mut user = row::own_user(found)?;
            user.email = user.email.filter(|_| !is_token);
            Ok(SessionRow {
                id: row::get(found, "session")?,
                user,
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

/// Whether a session or token is there, and its end has not come.
pub(in crate::store) fn exists(database: &Connection, id: SessionId, now: Timestamp) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM session WHERE id = ?1 AND expires_at > ?2")?;
    Ok(statement.exists(params![Sql(id), Sql(now)])?)
}

/// Those of these sessions that are no more.
pub(in crate::store) fn missing(
    database: &Connection,
    ids: &[SessionId],
    now: Timestamp,
) -> Result<Vec<SessionId>, Error> {
    let mut missing = Vec::new();
    for id in ids {
        if !exists(database, *id, now)? {
            missing.push(*id);
        }
    }
    Ok(missing)
}

/// The signed-in devices of somebody, those used last first.
pub(in crate::store) fn list(
    database: &Connection,
    user: UserId,
    current: SessionId,
    now: Timestamp,
) -> Result<Vec<Session>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, created_at, last_seen_at, user_agent FROM session
         WHERE user = ?1 AND name IS NULL AND expires_at > ?2
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
    row::all(statement.query_map(params![Sql(user), Sql(now)], session)?)
}

/// The API tokens of somebody, newest first.
pub(in crate::store) fn tokens(database: &Connection, user: UserId, now: Timestamp) -> Result<Vec<Token>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, created_at, last_seen_at, expires_at FROM session
         WHERE user = ?1 AND name IS NOT NULL AND expires_at > ?2
         ORDER BY created_at DESC, id DESC",
    )?;
    let token = |found: &Row<'_>| {
        let last_used_at: Timestamp = row::get(found, "last_seen_at")?;
        Ok(Token {
            id: row::get::<TokenId>(found, "id")?,
            name: found.get("name")?,
            created_at: row::get(found, "created_at")?,
            expires_at: Some(row::get(found, "expires_at")?),
            last_used_at: (last_used_at.as_millis() > 0).then_some(last_used_at),
        })
    };
    row::all(statement.query_map(params![Sql(user), Sql(now)], token)?)
}

pub(in crate::store) fn insert(
    database: &Connection,
    id: SessionId,
    token_hash: &[u8; 32],
    user: UserId,
    user_agent: &str,
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
        )?
        .execute(params![Sql(id), token_hash, Sql(user), Sql(at), user_agent, Sql(expires_at)])?;
    Ok(())
}

pub(in crate::store) fn insert_token(
    database: &Connection,
    id: SessionId,
    token_hash: &[u8; 32],
    user: UserId,
    name: &str,
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached(
            "INSERT INTO session (id, token_hash, user, created_at, last_seen_at, user_agent, name, expires_at)
             VALUES (?1, ?2, ?3, ?4, 0, '', ?5, ?6)",
        )?
        .execute(params![Sql(id), token_hash, Sql(user), Sql(at), name, Sql(expires_at)])?;
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

/// Removes at most `most` of those whose end came before this moment. `true`: there may be more.
pub(in crate::store) fn delete_ended(database: &Connection, before: Timestamp, most: u32) -> Result<bool, Error> {
    let deleted = database
        .prepare_cached("DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < ?1 LIMIT ?2)")?
        .execute(params![Sql(before), most])?;
    Ok(u32::try_from(deleted).is_ok_and(|deleted| deleted >= most))
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
        insert(&database, session, &[7; 32], user, "", at(0), at(90)).expect("a session");
        let is_found = |now: i64| find(&database, &[7; 32], at(now - 30), at(now)).expect("reads").is_some();
        assert!(is_found(0) && is_found(30) && !is_found(31));
        assert!(is_found(-365), "a clock that went back ends nothing");
        touch(&database, session, at(-365)).expect("noted");
        assert!(is_found(30), "and what it notes meanwhile shortens nothing");
        touch(&database, session, at(20)).expect("noted");
        assert!(is_found(50) && !is_found(51), "a clock that was ahead adds what it was ahead, and no more");
    }

    #[test]
    fn sessions_and_tokens_end_however_they_are_used_and_are_removed_after_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open::open(folder.path()).expect("opens").connection;
        let (user, session, token) = (clock::id(UserId::v7), clock::id(SessionId::v7), clock::id(SessionId::v7));
        account::insert(&database, user, "a@b", "Ada", "x", at(0)).expect("an account");
        insert(&database, session, &[7; 32], user, "", at(0), at(90)).expect("a session");
        insert_token(&database, token, &[8; 32], user, "bot", at(0), at(10)).expect("a token");
        for (id, hash, end) in [(session, [7; 32], 90), (token, [8; 32], 10)] {
            touch(&database, id, at(end)).expect("noted");
            let is_there = |now: i64| {
                let found = find(&database, &hash, at(now - 30), at(now)).expect("reads").is_some();
                assert_eq!(exists(&database, id, at(now)).expect("reads"), found);
                let listed = list(&database, user, session, at(now)).expect("reads").len()
                    + tokens(&database, user, at(now)).expect("reads").len();
                assert_eq!(listed, [90, 10].iter().filter(|end| now < **end).count());
                found
            };
            assert!(is_there(end - 1) && !is_there(end), "its end is day {end}");
        }
        let email = |hash: [u8; 32]| find(&database, &hash, at(0), at(1)).expect("reads").map(|found| found.user.email);
        assert_eq!((email([7; 32]), email([8; 32])), (Some(Some("a@b".into())), Some(None)));
        let remove = |day: i64| delete_ended(&database, at(day), 1).expect("removed");
        assert!(!remove(10) && remove(50) && !remove(50), "the token");
        assert!(remove(91) && !remove(91), "and the session");
    }
}
