//! Sessions: which browser is signed in as whom.

use super::row::{self, Sql};
use crate::store::{Error, SessionRow};
use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::{SessionId, Timestamp, UserId};

pub(in crate::store) fn find(
    database: &Connection,
    token_hash: &[u8; 32],
    not_before: Timestamp,
) -> Result<Option<SessionRow>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT session.id AS session, last_seen_at, user.id, email, display_name
         FROM session JOIN user ON user.id = session.user
         WHERE token_hash = ?1 AND last_seen_at >= ?2",
    )?;
    Ok(statement
        .query_row(params![token_hash, Sql(not_before)], |found| {
            Ok(SessionRow {
                id: row::get(found, "session")?,
                user: row::own_user(found)?,
                last_seen_at: row::get(found, "last_seen_at")?,
            })
        })
        .optional()?)
}

pub(in crate::store) fn exists(database: &Connection, id: SessionId) -> Result<bool, Error> {
    Ok(database.prepare_cached("SELECT 1 FROM session WHERE id = ?1")?.exists([Sql(id)])?)
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

pub(in crate::store) fn touch(database: &Connection, id: SessionId, at: Timestamp) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE session SET last_seen_at = max(last_seen_at, ?2) WHERE id = ?1")?
        .execute(params![Sql(id), Sql(at)])?;
    Ok(())
}

pub(in crate::store) fn delete(database: &Connection, id: SessionId) -> Result<(), Error> {
    database.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([Sql(id)])?;
    Ok(())
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
