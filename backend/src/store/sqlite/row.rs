//! From columns to the contract's types and back. What does not fit is `Corrupt`, never a panic.

use crate::store::Error;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use shared::account::{Privacy, User};
use shared::ids::{AttachmentId, CommandId, ConversationId, Cursor, Seq, SessionId, Timestamp, TokenId, UserId};

/// A value of the contract in a column. (Neither the type nor the database's trait is ours, hence
/// the wrapper.)
pub(in crate::store) struct Sql<T>(pub(in crate::store) T);

macro_rules! id_columns {
    ($($id:ident),*) => {$(
        impl FromSql for Sql<$id> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).and_then(|bytes| {
                    $id::from_bytes(bytes).map(Sql).ok_or(rusqlite::types::FromSqlError::InvalidType)
                })
            }
        }

        impl ToSql for Sql<$id> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
            }
        }
    )*};
}

id_columns!(UserId, ConversationId, CommandId, SessionId, TokenId, AttachmentId);

macro_rules! integer_columns {
    ($($type:ident from $make:expr, $get:ident;)*) => {$(
        impl FromSql for Sql<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                u64::try_from(number)
                    .ok()
                    .and_then($make)
                    .map(Sql)
                    .ok_or(rusqlite::types::FromSqlError::OutOfRange(number))
            }
        }

        impl ToSql for Sql<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                // A time that somebody asks about may be beyond what a column holds; then it is after all of them.
                Ok(ToSqlOutput::from(i64::try_from(self.0.$get()).unwrap_or(i64::MAX)))
            }
        }
    )*};
}

integer_columns! {
    Seq from Seq::new, get;
    Cursor from Cursor::new, get;
    Timestamp from |millis| Some(Timestamp::from_millis(millis)), as_millis;
}

/// A count column.
pub(in crate::store) fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// A column of the contract's type.
pub(in crate::store) fn get<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    Sql<T>: FromSql,
{
    row.get::<_, Sql<T>>(column).map(|Sql(value)| value)
}

/// The picture of somebody or something, from the column `avatar`.
pub(in crate::store) fn avatar(row: &Row<'_>) -> rusqlite::Result<Option<AttachmentId>> {
    Ok(row.get::<_, Option<Sql<AttachmentId>>>("avatar")?.map(|Sql(avatar)| avatar))
}

/// The public side of a user, from columns `id`, `display_name`, `avatar` and `status`.
pub(in crate::store) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let avatar = avatar(row)?;
    let (id, display_name) = (get(row, "id")?, row.get("display_name")?);
    Ok(User { id, display_name, avatar, status: row.get("status")?, privacy: None, email: None })
}

/// A user as they see themselves: with the columns `email`, `hides_presence` and `hides_typing`.
pub(in crate::store) fn own_user(row: &Row<'_>) -> rusqlite::Result<User> {
    let privacy = Privacy { hides_presence: row.get("hides_presence")?, hides_typing: row.get("hides_typing")? };
    Ok(User { email: Some(row.get("email")?), privacy: Some(privacy), ..user(row)? })
}

/// What `rows` yields, or the first error.
pub(in crate::store) fn all<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> Result<Vec<T>, Error> {
    rows.collect::<rusqlite::Result<Vec<T>>>().map_err(Error::from)
}

/// A list to be bound to a statement that asks about many, through `json_each`.
pub(in crate::store) fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(error.to_string()))
}
