//! Files.

use super::row::{self, Sql};
use crate::store::Error;
use crate::store::attachment::{NewAttachment, StoredAttachment};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::attachment::Attachment;
use shared::ids::{AttachmentId, Seq, Timestamp, UserId};

const INSERT: &str = "INSERT INTO attachment
  (id, owner, name, media_type, size, width, height, is_animated, thumbnail, small_size, created_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub(in crate::store) fn insert(database: &Connection, new: &NewAttachment, at: Timestamp) -> Result<(), Error> {
    let Attachment { id, name, media_type, size, width, height, animated } = &new.attachment;
    let stored = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let small_type = new.small_form.map(|small| small.media_type);
    let small_size = new.small_form.map(|small| stored(small.bytes));
    database.prepare_cached(INSERT)?.execute(params![
        Sql(*id),
        Sql(new.owner),
        name,
        media_type,
        stored(*size),
        width,
        height,
        animated,
        small_type,
        small_size,
        Sql(at)
    ])?;
    Ok(())
}

/// See [`crate::store::Store::attachment`].
pub(in crate::store) fn find(
    database: &Connection,
    user: UserId,
    id: AttachmentId,
) -> Result<Option<StoredAttachment>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, media_type, size, width, height, is_animated, thumbnail FROM attachment
         WHERE id = ?1 AND removed_at IS NULL AND CASE
           WHEN conversation IS NOT NULL THEN EXISTS (
             SELECT 1 FROM member WHERE member.conversation = attachment.conversation AND member.user = ?2)
           ELSE is_avatar OR owner = ?2
         END",
    )?;
    let stored =
        |found: &Row<'_>| Ok(StoredAttachment { attachment: read(found)?, small_type: found.get("thumbnail")? });
    Ok(statement.query_row(params![Sql(id), Sql(user)], stored).optional()?)
}

fn read(found: &Row<'_>) -> rusqlite::Result<Attachment> {
    Ok(Attachment {
        id: row::get(found, "id")?,
        name: found.get("name")?,
        media_type: found.get("media_type")?,
        size: row::count(found, "size")?,
        width: found.get("width")?,
        height: found.get("height")?,
        animated: found.get("is_animated")?,
    })
}

/// The sum that triggers keep for each owner.
const TOTAL: &str = "SELECT bytes FROM attachment_total WHERE owner = ?1";

/// See [`crate::store::Store::attachment_bytes`].
pub(in crate::store) fn bytes_of(database: &Connection, owner: UserId) -> Result<u64, Error> {
    let mut statement = database.prepare_cached(TOTAL)?;
    let bytes = statement.query_row([Sql(owner)], |found| row::count(found, "bytes")).optional()?;
    Ok(bytes.unwrap_or_default())
}

/// See [`crate::store::Store::unmeasured_attachments`].
pub(in crate::store) fn unmeasured(
    database: &Connection,
    after: Option<AttachmentId>,
    limit: u32,
) -> Result<Vec<AttachmentId>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id FROM attachment
         WHERE thumbnail IS NOT NULL AND small_size IS NULL AND removed_at IS NULL AND id > coalesce(?1, x'')
         ORDER BY id LIMIT ?2",
    )?;
    row::all(statement.query_map(params![after.map(Sql), limit], |found| row::get(found, "id"))?)
}

pub(in crate::store) fn set_small_sizes(database: &Connection, sizes: &[(AttachmentId, u64)]) -> Result<(), Error> {
    let mut statement = database.prepare_cached("UPDATE attachment SET small_size = ?2 WHERE id = ?1")?;
    for (id, bytes) in sizes {
        statement.execute(params![Sql(*id), i64::try_from(*bytes).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// These files, if all of them are this person's and no message has them.
pub(in crate::store) fn unsent(
    database: &Connection,
    owner: UserId,
    ids: &[AttachmentId],
) -> Result<Option<Vec<Attachment>>, Error> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, media_type, size, width, height, is_animated FROM attachment
         WHERE id = ?1 AND owner = ?2 AND conversation IS NULL AND is_avatar = 0 AND removed_at IS NULL",
    )?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(one) = statement.query_row(params![Sql(*id), Sql(owner)], read).optional()? else { return Ok(None) };
        found.push(one);
    }
    Ok(Some(found))
}

/// A message has these files from now on.
pub(in crate::store) fn bind(
    database: &Connection,
    files: &[Attachment],
    conversation: i64,
    seq: Seq,
) -> Result<(), Error> {
    let mut statement = database.prepare_cached("UPDATE attachment SET conversation = ?2, seq = ?3 WHERE id = ?1")?;
    for file in files {
        statement.execute(params![Sql(file.id), conversation, Sql(seq)])?;
    }
    Ok(())
}

/// A message has no files any more.
pub(in crate::store) fn remove_of(
    database: &Connection,
    conversation: i64,
    seq: Seq,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE attachment SET removed_at = ?3 WHERE conversation = ?1 AND seq = ?2")?
        .execute(params![conversation, Sql(seq), Sql(at)])?;
    Ok(())
}

/// Whether this is a picture of this person's that no message has.
pub(in crate::store) fn is_picture(database: &Connection, owner: UserId, id: AttachmentId) -> Result<bool, Error> {
    let mut statement = database.prepare_cached(
        "SELECT 1 FROM attachment
         WHERE id = ?1 AND owner = ?2 AND conversation IS NULL AND thumbnail IS NOT NULL AND removed_at IS NULL",
    )?;
    Ok(statement.exists(params![Sql(id), Sql(owner)])?)
}

const REMOVE_AVATARS: &str = "UPDATE attachment SET removed_at = ?3
  WHERE owner = ?1 AND id IS NOT ?2 AND is_avatar = 1 AND removed_at IS NULL";

/// This picture is the one everybody sees of its owner, and those of before go.
pub(in crate::store) fn set_avatar(
    database: &Connection,
    owner: UserId,
    avatar: Option<AttachmentId>,
    at: Timestamp,
) -> Result<(), Error> {
    database.prepare_cached("UPDATE attachment SET is_avatar = 1 WHERE id = ?1")?.execute([avatar.map(Sql)])?;
    database.prepare_cached(REMOVE_AVATARS)?.execute(params![Sql(owner), avatar.map(Sql), Sql(at)])?;
    Ok(())
}

/// Whether this is a picture of this person's that nothing has.
pub(in crate::store) fn is_free_picture(database: &Connection, owner: UserId, id: AttachmentId) -> Result<bool, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM attachment WHERE id = ?1 AND is_avatar = 0")?;
    Ok(statement.exists([Sql(id)])? && is_picture(database, owner, id)?)
}

/// This picture is the one of a conversation, and the one of before goes.
pub(in crate::store) fn set_picture(
    database: &Connection,
    conversation: i64,
    picture: Option<AttachmentId>,
    at: Timestamp,
) -> Result<(), Error> {
    database
        .prepare_cached("UPDATE attachment SET conversation = ?2 WHERE id = ?1")?
        .execute(params![picture.map(Sql), conversation])?;
    database
        .prepare_cached(
            "UPDATE attachment SET removed_at = ?3
             WHERE conversation = ?1 AND seq IS NULL AND id IS NOT ?2 AND removed_at IS NULL",
        )?
        .execute(params![conversation, picture.map(Sql), Sql(at)])?;
    Ok(())
}

pub(in crate::store) fn remove_one(
    database: &Connection,
    owner: UserId,
    id: AttachmentId,
    at: Timestamp,
) -> Result<bool, Error> {
    let mut statement = database.prepare_cached(
        "UPDATE attachment SET removed_at = ?3
         WHERE id = ?1 AND owner = ?2 AND conversation IS NULL AND is_avatar = 0 AND removed_at IS NULL",
    )?;
    Ok(statement.execute(params![Sql(id), Sql(owner), Sql(at)])? > 0)
}

pub(in crate::store) fn has_unsent(database: &Connection, before: Timestamp) -> Result<bool, Error> {
    let mut statement = database.prepare_cached(
        "SELECT 1 FROM attachment
         WHERE created_at < ?1 AND conversation IS NULL AND is_avatar = 0 AND removed_at IS NULL",
    )?;
    Ok(statement.exists([Sql(before)])?)
}

pub(in crate::store) fn remove_unsent(database: &Connection, before: Timestamp, at: Timestamp) -> Result<(), Error> {
    database
        .prepare_cached(
            "UPDATE attachment SET removed_at = ?2
             WHERE created_at < ?1 AND conversation IS NULL AND is_avatar = 0 AND removed_at IS NULL",
        )?
        .execute(params![Sql(before), Sql(at)])?;
    Ok(())
}

pub(in crate::store) fn removed(database: &Connection, limit: u32) -> Result<Vec<AttachmentId>, Error> {
    let mut statement = database
        .prepare_cached("SELECT id FROM attachment WHERE removed_at IS NOT NULL ORDER BY removed_at LIMIT ?1")?;
    row::all(statement.query_map([limit], |found| row::get(found, "id"))?)
}

pub(in crate::store) fn forget(database: &Connection, ids: &[AttachmentId]) -> Result<(), Error> {
    let mut statement = database.prepare_cached("DELETE FROM attachment WHERE id = ?1 AND removed_at IS NOT NULL")?;
    for id in ids {
        statement.execute([Sql(*id)])?;
    }
    Ok(())
}

pub(in crate::store) fn unknown(database: &Connection, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Error> {
    let mut statement = database.prepare_cached("SELECT 1 FROM attachment WHERE id = ?1")?;
    let mut unknown = Vec::new();
    for id in ids {
        if !statement.exists([Sql(*id)])? {
            unknown.push(*id);
        }
    }
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::store::attachment::{SmallForm, charged};
    use crate::store::sqlite::{account, open};
    use proptest::prelude::*;
    use rusqlite::StatementStatus;
    use shared::ids::ConversationId;

    /// A database of the newest form, or of the form before a migration.
    fn database(before: Option<&str>) -> Connection {
        let database = Connection::open_in_memory().expect("opens");
        let end = before.and_then(|sql| open::MIGRATIONS.iter().position(|migration| migration.contains(sql)));
        let migrations = &open::MIGRATIONS[..end.unwrap_or(open::MIGRATIONS.len())];
        migrations.iter().for_each(|migration| database.execute_batch(migration).expect("migrated"));
        for kind in ["everyone", "group"] {
            database
                .prepare("INSERT INTO conversation (id, kind, created_at) VALUES (?1, ?2, 1)")
                .and_then(|mut made| made.execute(params![Sql(clock::id(ConversationId::v7)), kind]))
                .expect("made");
        }
        database
    }

    fn person(database: &Connection) -> UserId {
        let user = clock::id(UserId::v7);
        database
            .prepare(
                "INSERT INTO user (id, email, email_key, display_name, name_key, password_hash, created_at)
                 VALUES (?1, 'e', hex(?1), 'n', 'n', '', 1)",
            )
            .and_then(|mut made| made.execute([Sql(user)]))
            .expect("made");
        user
    }

    fn add(database: &Connection, owner: UserId, size: u64, small: Option<u64>) -> Attachment {
        let (id, name, media_type) = (clock::id(AttachmentId::v7), "a".to_owned(), "image/png".to_owned());
        let attachment = Attachment { id, name, media_type, size, width: None, height: None, animated: false };
        let small_form = small.map(|bytes| SmallForm { media_type: "image/png", bytes });
        let new = NewAttachment { owner, attachment: attachment.clone(), small_form };
        insert(database, &new, clock::now()).expect("inserted");
        attachment
    }

    /// The sum of the rows, as [`charged`] says.
    fn sum(database: &Connection, owner: UserId) -> u64 {
        let mut statement = database
            .prepare(
                "SELECT size, coalesce(small_size, 0) AS small FROM attachment WHERE owner = ?1 AND removed_at IS NULL",
            )
            .expect("prepared");
        let charge = |found: &Row<'_>| {
            let small = row::count(found, "small")?;
            Ok(charged(row::count(found, "size")?) + if small > 0 { charged(small) } else { 0 })
        };
        let all = statement.query_map([Sql(owner)], charge).expect("read");
        all.sum::<Result<u64, _>>().expect("summed")
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(usize, u64, Option<u64>),
        Send(usize, u64),
        DeleteMessage(u64),
        TakeBack(usize),
        Avatar(usize, bool),
        Picture(usize, bool),
        Measure(usize, u64),
        RemoveUnsent,
        Forget,
        DeleteAccount(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (file, size) = (0..12_usize, prop_oneof![0..5_000_u64, 4_090..4_100_u64, 0..u64::from(u32::MAX)]);
        prop_oneof![
            6 => (0..3_usize, size.clone(), prop::option::of(size.clone())).prop_map(|(who, size, small)| Step::Add(who, size, small)),
            2 => (file.clone(), 1..5_u64).prop_map(|(file, seq)| Step::Send(file, seq)),
            1 => (1..5_u64).prop_map(Step::DeleteMessage),
            1 => file.clone().prop_map(Step::TakeBack),
            1 => (file.clone(), any::<bool>()).prop_map(|(file, is_set)| Step::Avatar(file, is_set)),
            1 => (file.clone(), any::<bool>()).prop_map(|(file, is_set)| Step::Picture(file, is_set)),
            1 => (file, size).prop_map(|(file, bytes)| Step::Measure(file, bytes)),
            1 => Just(Step::RemoveUnsent),
            1 => Just(Step::Forget),
            1 => (0..3_usize).prop_map(Step::DeleteAccount),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn total_of_a_person_is_the_sum_of_their_files_whatever_happens_to_them(steps in prop::collection::vec(step(), 1..40)) {
            let database = database(None);
            let people: [UserId; 3] = std::array::from_fn(|_| person(&database));
            let mut files: Vec<(UserId, Attachment)> = Vec::new();
            for step in steps {
                let now = clock::now();
                let file = |index: usize| files.get(index).cloned();
                match step {
                    Step::Add(who, size, small) => files.push((people[who], add(&database, people[who], size, small))),
                    Step::Send(index, seq) => {
                        if let Some((owner, file)) = file(index)
                            && let Some(unsent) = unsent(&database, owner, &[file.id]).expect("read")
                        {
                            bind(&database, &unsent, 2, Seq::new(seq).expect("in range")).expect("bound");
                        }
                    }
                    Step::DeleteMessage(seq) => remove_of(&database, 2, Seq::new(seq).expect("in range"), now).expect("removed"),
                    Step::TakeBack(index) => {
                        if let Some((owner, file)) = file(index) {
                            remove_one(&database, owner, file.id, now).expect("taken back");
                        }
                    }
                    Step::Avatar(index, is_set) => {
                        if let Some((owner, file)) = file(index)
                            && is_picture(&database, owner, file.id).expect("read")
                        {
                            account::set_avatar(&database, owner, is_set.then_some(file.id), now).expect("set");
                        }
                    }
                    Step::Picture(index, is_set) => {
                        if let Some((owner, file)) = file(index)
                            && is_free_picture(&database, owner, file.id).expect("read")
                        {
                            set_picture(&database, 2, is_set.then_some(file.id), now).expect("set");
                        }
                    }
                    Step::Measure(index, bytes) => {
                        let sizes: Vec<_> = file(index).into_iter().map(|(_, file)| (file.id, bytes)).collect();
                        set_small_sizes(&database, &sizes).expect("set");
                    }
                    Step::RemoveUnsent => remove_unsent(&database, now, now).expect("removed"),
                    Step::Forget => forget(&database, &removed(&database, 9).expect("read")).expect("forgotten"),
                    Step::DeleteAccount(who) => account::delete(&database, people[who], now).expect("deleted"),
                }
                for owner in people {
                    prop_assert_eq!(bytes_of(&database, owner).expect("read"), sum(&database, owner));
                }
            }
        }
    }

    #[test]
    fn a_file_more_takes_the_writer_as_many_steps_however_many_there_are() {
        let database = database(None);
        let owner = person(&database);
        // SQLite counts what it does, in triggers too.
        let steps = || {
            let steps_of = |sql: &str, run: &mut dyn FnMut(&mut rusqlite::Statement<'_>)| {
                let mut statement = database.prepare(sql).expect("prepares");
                run(&mut statement);
                statement.get_status(StatementStatus::VmStep)
            };
            let (id, now) = (clock::id(AttachmentId::v7), Sql(clock::now()));
            let total = steps_of(TOTAL, &mut |statement| {
                statement.query_row([Sql(owner)], |found| row::count(found, "bytes")).expect("read");
            });
            let inserted = steps_of(INSERT, &mut |statement| {
                let row = params![Sql(id), Sql(owner), "a", "image/png", 1, 1, 1, false, "image/png", 1, now];
                statement.execute(row).expect("inserted");
            });
            let removed = steps_of(REMOVE_AVATARS, &mut |statement| {
                statement.execute(params![Sql(owner), None::<Sql<AttachmentId>>, now]).expect("removed");
            });
            [total, inserted, removed]
        };
        add(&database, owner, 9, None);
        let before = steps();
        (0..2_000).for_each(|_| drop(add(&database, owner, 9, None)));
        let after = steps();
        for (before, after) in before.into_iter().zip(after) {
            assert!(after <= before + 5, "{before} and then {after}");
        }
    }

    #[test]
    fn totals_of_files_from_before_are_summed_once() {
        const TOTALS: &str = "CREATE TABLE attachment_total";
        let database = database(Some(TOTALS));
        let (ada, ben, cy) = (person(&database), person(&database), person(&database));
        for (owner, size, small, removed_at) in [
            (ada, 9, None, None),
            (ada, 5_000, Some(7), None),
            (ada, 9_999, Some(8_000), None),
            (ada, 1_i64 << 40, None, Some(1)),
            (ben, 4_097, Some(0), None),
        ] {
            database
                .prepare(
                    "INSERT INTO attachment (id, owner, name, media_type, size, small_size, removed_at, created_at)
                     VALUES (?1, ?2, 'a', 'b', ?3, ?4, ?5, 1)",
                )
                .and_then(|mut row| {
                    row.execute(params![Sql(clock::id(AttachmentId::v7)), Sql(owner), size, small, removed_at])
                })
                .expect("inserted");
        }
        let migrations = open::MIGRATIONS.iter().skip_while(|migration| !migration.contains(TOTALS));
        migrations.for_each(|migration| database.execute_batch(migration).expect("migrated"));
        let totals = [ada, ben, cy].map(|owner| bytes_of(&database, owner).expect("read"));
        assert_eq!(totals, [4_096 + 5_000 + 4_096 + 9_999 + 8_000, 4_097, 0]);
        assert_eq!(totals, [ada, ben, cy].map(|owner| sum(&database, owner)));
    }
}
