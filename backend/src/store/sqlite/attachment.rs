//! Files.

use super::row::{self, Sql};
use crate::store::Error;
use crate::store::attachment::{FILE_BYTES_MIN, NewAttachment, StoredAttachment};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::attachment::Attachment;
use shared::ids::{AttachmentId, Seq, Timestamp, UserId};

pub(in crate::store) fn insert(database: &Connection, new: &NewAttachment, at: Timestamp) -> Result<(), Error> {
    let Attachment { id, name, media_type, size, width, height } = &new.attachment;
    let stored = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let small_type = new.small_form.map(|small| small.media_type);
    let small_size = new.small_form.map(|small| stored(small.bytes));
    database
        .prepare_cached(
            "INSERT INTO attachment (id, owner, name, media_type, size, width, height, thumbnail, small_size, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            Sql(*id),
            Sql(new.owner),
            name,
            media_type,
            stored(*size),
            width,
            height,
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
        "SELECT id, name, media_type, size, width, height, thumbnail FROM attachment
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
    })
}

pub(in crate::store) fn bytes_of(database: &Connection, owner: UserId) -> Result<u64, Error> {
    let mut statement = database.prepare_cached(
        "SELECT coalesce(sum(max(size, ?2) + CASE WHEN small_size > 0 THEN max(small_size, ?2) ELSE 0 END), 0) AS size
         FROM attachment WHERE owner = ?1 AND removed_at IS NULL",
    )?;
    let least = i64::try_from(FILE_BYTES_MIN).unwrap_or(i64::MAX);
    Ok(statement.query_row(params![Sql(owner), least], |found| row::count(found, "size"))?)
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
        "SELECT id, name, media_type, size, width, height FROM attachment
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

/// This picture is the one everybody sees of its owner, and those of before go.
pub(in crate::store) fn set_avatar(
    database: &Connection,
    owner: UserId,
    avatar: Option<AttachmentId>,
    at: Timestamp,
) -> Result<(), Error> {
    database.prepare_cached("UPDATE attachment SET is_avatar = 1 WHERE id = ?1")?.execute([avatar.map(Sql)])?;
    database
        .prepare_cached(
            "UPDATE attachment SET removed_at = ?3
             WHERE owner = ?1 AND id IS NOT ?2 AND is_avatar = 1 AND removed_at IS NULL",
        )?
        .execute(params![Sql(owner), avatar.map(Sql), Sql(at)])?;
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
