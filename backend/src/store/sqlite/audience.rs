//! The sets of people that find a conversation, those who have left one, those whose positions in one are told, and the
//! migration to all three.
//!
//! The writer asks inside its transactions. Always holds: a set of people finds a conversation only while the members
//! of that conversation are exactly that set; who has left a conversation is no member of it.

use super::row::{self, Sql};
use super::{conversation, event};
use crate::store::Error;
use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::{ConversationId, UserId};

/// SHA-256 over the ids of a set of people; see [`conversation::member_set`].
type Set = [u8; 32];

/// Makes a conversation whose members have changed an ordinary one: the set of people it was made with does not find it
/// any more. Returns that set the first time.
pub(in crate::store) fn release_set(database: &Connection, key: i64) -> Result<Option<Set>, Error> {
    #[cfg(debug_assertions)]
    if crate::fault::is_on("keep_set") {
        return Ok(None);
    }
    let mut statement = database.prepare_cached("SELECT member_set FROM conversation WHERE key = ?1")?;
    let Some(set) = statement.query_row([key], |found| found.get::<_, Option<Set>>(0))? else { return Ok(None) };
    database
        .prepare_cached("UPDATE conversation SET former_set = member_set, member_set = NULL WHERE key = ?1")?
        .execute([key])?;
    Ok(Some(set))
}

/// Whether this set of people finds a conversation, or found it until its members changed.
pub(in crate::store) fn was_found_by(
    database: &Connection,
    conversation: ConversationId,
    set: &Set,
) -> Result<bool, Error> {
    let mut statement = database
        .prepare_cached("SELECT 1 FROM conversation WHERE id = ?1 AND coalesce(member_set, former_set) = ?2")?;
    Ok(statement.exists(params![Sql(conversation), set])?)
}

/// Notes that a member has written a message. (`has_written` is 0 for members whom others put there and who are silent since,
/// 1 for those who have written, 2 for those who came by themselves and have not written.)
pub(in crate::store) fn note_writer(database: &Connection, key: i64, user: UserId) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE member SET has_written = 1 WHERE conversation = ?1 AND user = ?2 AND has_written <> 1")?
        .execute(params![key, Sql(user)])?;
    Ok(())
}

/// Notes that a member came by themselves: their positions are told from the start.
pub(in crate::store) fn note_own_coming(database: &Connection, key: i64, user: UserId) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE member SET has_written = 2 WHERE conversation = ?1 AND user = ?2 AND has_written = 0")?
        .execute(params![key, Sql(user)])?;
    Ok(())
}

/// The members whose positions are told to nobody: others put them there, and they have not written since. In the order of
/// their ids.
pub(in crate::store) fn silent_members(database: &Connection, key: i64) -> Result<Vec<UserId>, Error> {
    let mut statement =
        database.prepare_cached("SELECT user FROM member WHERE conversation = ?1 AND has_written = 0 ORDER BY user")?;
    row::all(statement.query_map([key], |found| row::get(found, "user"))?)
}

/// Whether both of two people have written in their direct conversation.
pub(in crate::store) fn have_talked_directly(database: &Connection, one: UserId, other: UserId) -> Result<bool, Error> {
    let set = conversation::member_set(&[one.min(other), one.max(other)]);
    let Some(key) = conversation::find_by_set(database, &set)? else { return Ok(false) };
    let mut statement =
        database.prepare_cached("SELECT count(*) FROM member WHERE conversation = ?1 AND has_written = 1")?;
    Ok(statement.query_row([key], |found| found.get::<_, i64>(0))? == 2)
}

/// Somebody has left a group or channel by themselves, and may come back by themselves.
pub(in crate::store) fn depart(database: &Connection, key: i64, user: UserId) -> Result<(), Error> {
    database
        .prepare_cached("INSERT OR REPLACE INTO departure (user, conversation) VALUES (?1, ?2)")?
        .execute(params![Sql(user), key])?;
    Ok(())
}

/// Whether somebody who has left may come back by themselves; `None` if they have not left.
pub(in crate::store) fn departed(database: &Connection, key: i64, user: UserId) -> Result<Option<bool>, Error> {
    let mut statement =
        database.prepare_cached("SELECT may_return FROM departure WHERE user = ?1 AND conversation = ?2")?;
    Ok(statement.query_row(params![Sql(user), key], |found| found.get(0)).optional()?)
}

/// Somebody who has left does not come back by themselves any more. `Ok(false)`: they have not left.
pub(in crate::store) fn shut_out(database: &Connection, key: i64, user: UserId) -> Result<bool, Error> {
    let changed = database
        .prepare_cached("UPDATE departure SET may_return = 0 WHERE user = ?1 AND conversation = ?2")?
        .execute(params![Sql(user), key])?;
    Ok(changed == 1)
}

/// Somebody is back.
pub(in crate::store) fn forget_departure(database: &Connection, key: i64, user: UserId) -> Result<(), Error> {
    database
        .prepare_cached("DELETE FROM departure WHERE user = ?1 AND conversation = ?2")?
        .execute(params![Sql(user), key])?;
    Ok(())
}

/// An account is deleted: it comes back nowhere.
pub(super) fn forget_departures(database: &Connection, user: UserId) -> Result<(), Error> {
    database.prepare_cached("DELETE FROM departure WHERE user = ?1")?.execute([Sql(user)])?;
    Ok(())
}

/// Events that are looked at in one statement of [`migrate`]: the senders among them are held in memory.
const PORTION: i64 = 100_000;

/// Brings a database from before to what holds now: groups whose members are not the set any more are released, and
/// members who have written are known. The log is read once.
pub(super) fn migrate(database: &Connection) -> Result<(), Error> {
    release_changed(database)?;
    note_writers(database, PORTION)
}

fn note_writers(database: &Connection, portion: i64) -> Result<(), Error> {
    let last = event::last_position(database)?;
    let mut statement = database.prepare(
        r#"UPDATE member SET has_written = 1 WHERE (conversation, user) IN (
             SELECT conversation, sender FROM event
             WHERE position > ?1 AND position <= ?2 AND substr(kind, 1, 11) = '{"message":')"#,
    )?;
    let mut done = 0;
    while done < last {
        statement.execute(params![done, done.saturating_add(portion)])?;
        done = done.saturating_add(portion);
    }
    Ok(())
}

fn release_changed(database: &Connection) -> Result<(), Error> {
    let mut groups =
        database.prepare("SELECT key, member_set FROM conversation WHERE kind = 'group' AND member_set IS NOT NULL")?;
    let groups: Vec<(i64, Set)> = row::all(groups.query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?)?;
    for (key, set) in groups {
        // The ids come in their order, as the set was made.
        if conversation::member_set(&conversation::member_ids(database, key)?) != set {
            release_set(database, key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{Face, NewConversation};
    use super::super::event::NewEvent;
    use super::super::{account, open};
    use super::*;
    use crate::clock;
    use shared::conversation::{ConversationKind, Role};
    use shared::ids::Seq;

    fn people(database: &Connection, count: usize) -> Vec<UserId> {
        let mut people: Vec<_> = (0..count).map(|_| clock::id(UserId::v7)).collect();
        for user in &people {
            let inserted = account::insert(database, *user, &format!("{user}@x"), "Ada", "x", clock::now());
            assert!(inserted.expect("an account"));
        }
        people.sort_unstable();
        people
    }

    /// A group that was made for a set of people.
    fn group(database: &Connection, members: &[UserId]) -> i64 {
        let (id, set) = (clock::id(ConversationId::v7), conversation::member_set(members));
        let (kind, face) = (ConversationKind::Group, Face::default());
        let new = NewConversation { id, kind, face, set: Some(&set), owner: members[0], members, at: clock::now() };
        conversation::insert(database, &new).expect("a group")
    }

    #[test]
    fn migration_releases_the_sets_of_groups_whose_members_differ_and_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let database = &opened.connection;
        let all = people(database, 5);
        let sets = [&all[..3], &all[1..4], &all[2..5]];
        let keys = sets.map(|set| group(database, set));
        // As a program from before left them: somebody is gone, somebody has come, nobody has.
        conversation::delete_member(database, keys[0], all[0]).expect("gone");
        conversation::insert_member(database, keys[1], all[0], Role::Member, clock::now()).expect("come");
        release_changed(database).expect("migrated");
        let found = sets.map(|set| conversation::find_by_set(database, &conversation::member_set(set)).expect("asked"));
        assert_eq!(found, [None, None, Some(keys[2])]);
    }

    #[test]
    fn members_are_silent_until_they_write_unless_they_came_by_themselves() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let database = &opened.connection;
        let all = people(database, 3);
        let key = group(database, &all);
        let silent = || silent_members(database, key).expect("read");
        assert_eq!(silent(), all);
        note_own_coming(database, key, all[0]).expect("noted");
        note_writer(database, key, all[1]).expect("noted");
        note_own_coming(database, key, all[1]).expect("noted");
        assert_eq!(silent(), [all[2]]);
        let talked = |user| account::contacts(database, user).expect("read").len();
        assert_eq!((talked(all[0]), talked(all[1])), (0, 0), "coming is not writing");
        note_writer(database, key, all[0]).expect("noted");
        assert_eq!((talked(all[0]), talked(all[1])), (1, 1), "and who came by themselves may write");
    }

    #[test]
    fn migration_finds_everybody_who_has_written_in_any_portion() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open::open(folder.path()).expect("opens");
        let database = &opened.connection;
        let all = people(database, 3);
        let key = group(database, &all);
        let append = |position, sender, kind| {
            let (seq, message_count) = (Seq::new(position).expect("from 1"), position);
            let (position, at) = (position.cast_signed(), clock::now());
            let (conversation, target, command) = (key, None, None);
            let new = NewEvent { position, conversation, seq, at, sender, kind, target, message_count, command };
            event::append(database, &new).expect("appended");
        };
        append(1, all[0], r#"{"message":{}}"#);
        append(2, all[1], r#"{"reacted":{}}"#);
        append(3, all[2], r#"{"message":{}}"#);
        note_writers(database, 2).expect("migrated");
        let mut asked =
            database.prepare("SELECT has_written FROM member WHERE conversation = ?1 ORDER BY user").expect("SQL");
        let found: Vec<bool> = row::all(asked.query_map([key], |found| found.get(0)).expect("asked")).expect("read");
        assert_eq!(found, [true, false, true]);
        assert_eq!(account::contacts(database, all[0]).expect("read"), [(all[2], None)]);
        assert_eq!(account::contacts(database, all[1]).expect("read"), []);
    }
}
