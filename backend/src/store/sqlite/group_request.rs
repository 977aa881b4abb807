//! Group requests, and those that were declined.
//!
//! The writer asks inside its transactions. Always holds: who is asked into a conversation is no member of it, and who asks
//! is one.

use super::row::{self, Sql};
use crate::store::{Error, kind_of};
use rusqlite::{Connection, OptionalExtension, params};
use shared::group_request::GroupRequest;
use shared::ids::{ConversationId, Timestamp, UserId};
use shared::limits::GROUP_REQUESTS_MAX;

/// Declined requests of a person that are remembered: the oldest one above it is forgotten, and may come again.
const REFUSALS_MAX: u32 = 1_000;

/// Asks somebody.
pub(in crate::store) fn insert(
    database: &Connection,
    key: i64,
    user: UserId,
    asker: UserId,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached("INSERT INTO group_request (user, conversation, asker, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![Sql(user), key, Sql(asker), Sql(at)])?;
    Ok(())
}

/// Whether somebody is asked into a conversation.
pub(in crate::store) fn exists(database: &Connection, key: i64, user: UserId) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM group_request WHERE user = ?1 AND conversation = ?2")?;
    Ok(statement.exists(params![Sql(user), key])?)
}

/// How many requests somebody has.
pub(in crate::store) fn count(database: &Connection, user: UserId) -> Result<u64, Error> {
    let mut statement = database.prepare_cached("SELECT count(*) AS requests FROM group_request WHERE user = ?1")?;
    Ok(statement.query_row([Sql(user)], |found| row::count(found, "requests"))?)
}

/// How many people are asked into a conversation.
pub(in crate::store) fn count_asked(database: &Connection, key: i64) -> Result<u64, Error> {
    let mut statement =
        database.prepare_cached("SELECT count(*) AS requests FROM group_request WHERE conversation = ?1")?;
    Ok(statement.query_row([key], |found| row::count(found, "requests"))?)
}

/// The requests of somebody, the newest first.
pub(in crate::store) fn list(database: &Connection, user: UserId) -> Result<Vec<GroupRequest>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT conversation.id AS conversation_id, conversation.kind, name, at, asker.id, asker.display_name, asker.avatar, asker.status,
           (SELECT count(*) FROM member WHERE member.conversation = conversation.key) AS members
         FROM group_request AS request
         CROSS JOIN conversation ON conversation.key = request.conversation
         CROSS JOIN user AS asker ON asker.id = request.asker
         WHERE request.user = ?1 ORDER BY at DESC, conversation.key DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![Sql(user), GROUP_REQUESTS_MAX as i64])?;
    let mut requests = Vec::new();
    while let Some(found) = rows.next()? {
        requests.push(GroupRequest {
            conversation: row::get(found, "conversation_id")?,
            kind: kind_of(found.get_ref("kind")?.as_str().map_err(rusqlite::Error::from)?)?,
            name: found.get("name")?,
            member_count: row::count(found, "members")?,
            asker: row::user(found)?,
            at: row::get(found, "at")?,
        });
    }
    Ok(requests)
}

/// People whom somebody asks into a conversation, in the order of their ids.
pub(in crate::store) fn asked_by(
    database: &Connection,
    conversation: ConversationId,
    asker: UserId,
) -> Result<Vec<UserId>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT user FROM group_request WHERE asker = ?2
           AND conversation = (SELECT key FROM conversation WHERE id = ?1) ORDER BY user",
    )?;
    row::all(statement.query_map(params![Sql(conversation), Sql(asker)], |found| row::get(found, "user"))?)
}

/// Takes a request away, and gives who had asked.
pub(in crate::store) fn remove(database: &Connection, key: i64, user: UserId) -> Result<Option<UserId>, Error> {
    let mut statement =
        database.prepare_cached("DELETE FROM group_request WHERE user = ?1 AND conversation = ?2 RETURNING asker")?;
    Ok(statement.query_row(params![Sql(user), key], |found| row::get(found, "asker")).optional()?)
}

/// Takes away what somebody has asked others into a conversation, and gives these people.
pub(in crate::store) fn remove_asked_by(database: &Connection, key: i64, asker: UserId) -> Result<Vec<UserId>, Error> {
    let mut statement =
        database.prepare_cached("DELETE FROM group_request WHERE conversation = ?1 AND asker = ?2 RETURNING user")?;
    row::all(statement.query_map(params![key, Sql(asker)], |found| row::get(found, "user"))?)
}

/// Remembers that somebody has declined.
pub(in crate::store) fn decline(
    database: &Connection,
    key: i64,
    user: UserId,
    asker: UserId,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached("INSERT OR REPLACE INTO group_refusal (user, conversation, asker, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![Sql(user), key, Sql(asker), Sql(at)])?;
    database
        .prepare_cached(
            "DELETE FROM group_refusal WHERE user = ?1 AND conversation IN (
               SELECT conversation FROM group_refusal WHERE user = ?1 ORDER BY at DESC, conversation DESC LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![Sql(user), REFUSALS_MAX])?;
    Ok(())
}

/// Whether somebody has declined what this person asked before, or this conversation.
pub(in crate::store) fn has_declined(
    database: &Connection,
    key: Option<i64>,
    user: UserId,
    asker: UserId,
) -> Result<bool, Error> {
    let mut statement = database
        .prepare_cached("SELECT 1 FROM group_refusal WHERE user = ?1 AND (conversation = ?2 OR asker = ?3) LIMIT 1")?;
    Ok(statement.exists(params![Sql(user), key, Sql(asker)])?)
}

/// An account is deleted: nothing is asked of it any more. What it asked went when it left.
pub(super) fn forget(database: &Connection, user: UserId) -> Result<(), Error> {
    database.prepare_cached("DELETE FROM group_request WHERE user = ?1")?.execute([Sql(user)])?;
    database.prepare_cached("DELETE FROM group_refusal WHERE user = ?1")?.execute([Sql(user)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{self, Face, NewConversation};
    use super::super::{account, open};
    use super::*;
    use crate::clock;
    use shared::conversation::ConversationKind;

    #[test]
    fn the_oldest_of_too_many_declined_requests_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let database = &opened.connection;
        let [ada, ben] = [1, 2].map(|number| {
            let user = clock::id(UserId::v7);
            let inserted = account::insert(database, user, &format!("{number}@x"), "Ada", "x", clock::now());
            assert!(inserted.expect("an account"));
            user
        });
        let mut keys = Vec::new();
        for at in 0..=u64::from(REFUSALS_MAX) {
            let (id, at) = (clock::id(ConversationId::v7), Timestamp::from_millis(at));
            let (kind, face, members) = (ConversationKind::Group, Face::default(), &[ben][..]);
            let new = NewConversation { id, kind, face, set: None, owner: ben, members, at };
            let key = conversation::insert(database, &new).expect("a group");
            decline(database, key, ada, ben, at).expect("declined");
            keys.push(key);
        }
        // By another asker: it is the conversation that counts.
        let is_remembered = |key: i64| has_declined(database, Some(key), ada, ada).expect("asked");
        assert!(!is_remembered(keys[0]));
        assert!(keys[1..].iter().all(|key| is_remembered(*key)));
        assert!(has_declined(database, None, ada, ben).expect("asked"), "and the asker");
    }
}
