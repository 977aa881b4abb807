//! Opening a data folder: the lock, the pragmas, the migrations, the first rows.

use super::pool::{self, Readers};
use super::row::Sql;
use super::{account, apply, audience, connection, conversation};
use crate::clock;
use crate::disk::flush_folder;
use crate::store::journal::{self, Journal};
use crate::store::{Error, OpenError};
use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::{ConversationId, Epoch, UserId};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Migrations in order; `PRAGMA user_version` counts those that ran. One that has landed is never
/// changed again: what it did is on people's disks.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_first.sql"),
    include_str!("../../../migrations/sqlite/0002_contract.sql"),
    include_str!("../../../migrations/sqlite/0003_journal.sql"),
    include_str!("../../../migrations/sqlite/0004_preferences.sql"),
    include_str!("../../../migrations/sqlite/0005_attachments.sql"),
    include_str!("../../../migrations/sqlite/0006_faces.sql"),
    include_str!("../../../migrations/sqlite/0007_push.sql"),
    include_str!("../../../migrations/sqlite/0008_pictures.sql"),
    include_str!("../../../migrations/sqlite/0009_names.sql"),
    AUDIENCE,
    include_str!("../../../migrations/sqlite/0011_session_end.sql"),
    include_str!("../../../migrations/sqlite/0012_small_size.sql"),
    include_str!("../../../migrations/sqlite/0013_shares.sql"),
    include_str!("../../../migrations/sqlite/0014_group_request.sql"),
    LETTERS,
    include_str!("../../../migrations/sqlite/0016_attachment_total.sql"),
    include_str!("../../../migrations/sqlite/0017_animation.sql"),
];

/// The migration that needs [`audience::migrate`] beside its SQL.
const AUDIENCE: &str = include_str!("../../../migrations/sqlite/0010_audience.sql");

/// The migration that needs [`account::migrate_names`] and [`conversation::migrate_names`] beside its SQL.
const LETTERS: &str = include_str!("../../../migrations/sqlite/0015_letters.sql");

/// The name of the database in the data folder.
pub const FILE: &str = "confab.db";

pub(in crate::store) struct Opened {
    pub(in crate::store) connection: Connection,
    /// Another one that writes: the two take turns.
    pub(in crate::store) second: Connection,
    pub(in crate::store) journal: Journal,
    pub(in crate::store) readers: Readers,
    pub(in crate::store) epoch: Epoch,
    /// Held as long as the store lives; the operating system frees it when the process ends, however
    /// it ends.
    pub(in crate::store) lock: File,
}

pub(in crate::store) fn open(folder: &Path) -> Result<Opened, OpenError> {
    let lock = lock(folder)?;

    let path = folder.join(FILE);
    let database_error = |source: Error| OpenError::Database { path: folder.to_owned(), source };
    let mut connection = connection::open(&path).map_err(|error| database_error(error.into()))?;
    restrict_files(folder).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    let found: u32 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|error| damaged_or(folder, error))?;
    let known = u32::try_from(MIGRATIONS.len()).expect("migrations are few");
    if found > known {
        return Err(OpenError::Newer { path: folder.to_owned(), found, known });
    }
    if found > 0 {
        check(&connection, folder)?;
    }
    set_up(&mut connection, found).map_err(database_error)?;
    trust(&connection).map_err(database_error)?;
    let epoch = epoch(&connection).map_err(database_error)?;
    let seal = seal(&connection, &epoch).map_err(database_error)?;
    recover(&connection, folder, &seal)?;
    let journal =
        Journal::open(folder, &seal).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    let second = connection::open(&path).map_err(Error::from).and_then(|second| {
        tune(&second)?;
        // It only writes what the first one, which checks them, has decided.
        second.pragma_update(None, "foreign_keys", false)?;
        Ok(second)
    });
    let second = second.map_err(database_error)?;
    Ok(Opened { readers: Readers::new(&path), connection, second, journal, epoch, lock })
}

/// Brings into the tables what an earlier process had only in its journal.
fn recover(connection: &Connection, folder: &Path, seal: &str) -> Result<(), OpenError> {
    let database_error = |source: Error| OpenError::Database { path: folder.to_owned(), source };
    let applied = apply::applied(connection).map_err(database_error)?;
    let (records, is_all) =
        journal::read(folder, seal, applied).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    if !is_all {
        let detail = format!("its journal has a gap after record {}", applied + records.len() as u64);
        return Err(OpenError::Damaged { path: folder.to_owned(), detail });
    }
    if !records.is_empty() {
        #[cfg(debug_assertions)]
        if crate::fault::is_on("trust_log") {
            // What a killed process wrote and did not flush is believed, and not flushed either.
            let set = |level: &str| connection.pragma_update(None, "synchronous", level).map_err(Error::from);
            let applied = set("OFF").and_then(|()| apply::apply(connection, &records)).and_then(|()| set("FULL"));
            return applied.map_err(database_error);
        }
        apply::apply(connection, &records).map_err(database_error)?;
        tracing::info!(records = records.len(), "journal.applied");
    }
    Ok(())
}

/// Makes the data folder if need be, and takes it for this process.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let folder_error = |source| OpenError::Folder { path: folder.to_owned(), source };
    make(folder).map_err(folder_error)?;
    restrict(folder).map_err(folder_error)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("confab.lock"))
        .map_err(folder_error)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse(folder.to_owned()),
        TryLockError::Error(source) => folder_error(source),
    })?;
    Ok(lock)
}

/// Makes a folder that is still there after the power was lost: its name is in its parent, and that is
/// flushed too.
fn make(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        make(parent)?;
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => flush_folder(parent)?,
        }
    }
    Ok(())
}

/// Whether there is room for some messages beside the database.
pub(in crate::store) fn try_space(connection: &Connection) -> Result<(), Error> {
    let path = Path::new(connection.path().unwrap_or_default()).with_extension("probe");
    let written = std::fs::write(&path, [0; 256 * 1024]);
    let _ = std::fs::remove_file(&path);
    written.map_err(|error| Error::of_write(&error))
}

/// The data folder is its owner's alone: it holds everybody's messages.
#[cfg(unix)]
fn restrict(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// The same for the files of the databases, which an earlier version made readable to others. (A copy of the folder
/// may be less well guarded than the folder.)
#[cfg(unix)]
fn restrict_files(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for name in [FILE, "search.db"].iter().flat_map(|name| ["", "-wal", "-shm"].map(|end| format!("{name}{end}"))) {
        match std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict_files(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Copies what an earlier process left in the write-ahead log into the database and flushes it.
///
/// Until then the log may be in the system's memory only: the process was killed before its flush, or
/// the flush failed. What is read from it would be believed, and lost with the power.
fn trust(connection: &Connection) -> Result<(), Error> {
    #[cfg(debug_assertions)]
    if crate::fault::is_on("trust_log") {
        return Ok(());
    }
    // A file that has only now been changed to have a log is still being read by that change.
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// A quick look at the pages. It reads the whole file, about a second for each gigabyte.
pub(super) fn check(connection: &Connection, folder: &Path) -> Result<(), OpenError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged_or(folder, error))?;
    if found != "ok" {
        return Err(OpenError::Damaged { path: folder.to_owned(), detail: found });
    }
    // That look does not compare the log with its index, through which it is read: each conversation
    // must have all its numbers, and the index must hold what the log holds. Sums tell, in any order:
    // looking each entry up would take eight times as long.
    let holes: i64 = connection
        .query_row(
            "SELECT (SELECT count(*) FROM conversation LEFT JOIN
                      (SELECT conversation, count(*) AS count, min(seq) AS first, max(seq) AS last
                       FROM event INDEXED BY event_by_seq GROUP BY conversation) AS log
                      ON log.conversation = conversation.key
                     WHERE last_seq <> coalesce(last, 0) OR last_seq <> coalesce(count, 0) OR coalesce(first, 1) <> 1)
                  + ((SELECT coalesce(sum((position * 7919 + conversation * 104729 + seq * 1299709) % 2147483647), 0)
                      FROM event INDEXED BY event_by_seq)
                  <> (SELECT coalesce(sum((position * 7919 + conversation * 104729 + seq * 1299709) % 2147483647), 0)
                      FROM event NOT INDEXED))",
            [],
            |row| row.get(0),
        )
        .map_err(|error| damaged_or(folder, error))?;
    if holes > 0 {
        let detail = format!("{holes} gaps between the log and its index");
        return Err(OpenError::Damaged { path: folder.to_owned(), detail });
    }
    Ok(())
}

fn damaged_or(folder: &Path, error: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            OpenError::Damaged { path: folder.to_owned(), detail: error.to_string() }
        }
        _ => OpenError::Database { path: folder.to_owned(), source: error.into() },
    }
}

fn tune(connection: &Connection) -> Result<(), Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    #[cfg(debug_assertions)]
    if crate::fault::is_on("no_flush") {
        connection.pragma_update(None, "synchronous", "OFF")?;
    }
    // 16 MiB of pages. The writer folds the log itself, where a failure is noticed.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    pool::steady(connection)?;
    Ok(())
}

fn set_up(connection: &mut Connection, found: u32) -> Result<(), Error> {
    tune(connection)?;
    for (version, migration) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        if version == 1 {
            first_rows(&transaction)?;
        }
        if version == 3 {
            transaction.execute("INSERT INTO meta (name, value) VALUES ('journal_key', ?1)", [new_epoch()])?;
        }
        if *migration == AUDIENCE {
            audience::migrate(&transaction)?;
        }
        if *migration == LETTERS {
            account::migrate_names(&transaction)?;
            conversation::migrate_names(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        tracing::info!(version, "database.migrated");
    }
    Ok(())
}

/// What the records of this database's journal are sealed with: nobody outside knows it, so nobody can send a text
/// that looks like a record.
pub(super) fn seal(connection: &Connection, epoch: &Epoch) -> Result<String, Error> {
    let key: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE name = 'journal_key'", [], |row| row.get(0)).optional()?;
    Ok(format!("{} {}", epoch.as_str(), key.unwrap_or_default()))
}

/// What a new database begins with: a name for its history, and the conversation everybody is in.
fn first_rows(connection: &Connection) -> Result<(), Error> {
    connection.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?1)", [new_epoch()])?;
    connection.execute(
        "INSERT INTO conversation (id, kind, created_at) VALUES (?1, 'everyone', ?2)",
        params![Sql(clock::id(ConversationId::v7)), Sql(clock::now())],
    )?;
    Ok(())
}

pub(super) fn new_epoch() -> String {
    clock::id(UserId::v7).to_string()
}

pub(super) fn epoch(connection: &Connection) -> Result<Epoch, Error> {
    connection
        .query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))
        .optional()?
        .and_then(Epoch::new)
        .ok_or_else(|| Error::Corrupt("no epoch".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn the_database_is_the_bundled_one_and_flushes_every_commit() {
        // Before 3.51.3 a WAL reset could lose committed data.
        assert!(rusqlite::version_number() >= 3_051_003);
        let folder = folder();
        let opened = open(folder.path()).expect("a new folder opens");
        let pragma = |name: &str| -> String {
            opened
                .connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| format!("{value:?}"))
                .expect(name)
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)");
        assert_eq!(pragma("foreign_keys"), "Integer(1)");
    }

    #[test]
    fn a_folder_keeps_its_epoch_and_another_has_another() {
        let (one, other) = (folder(), folder());
        let first = open(one.path()).expect("opens").epoch;
        assert_eq!(open(one.path()).expect("opens again").epoch, first);
        assert_ne!(open(other.path()).expect("opens").epoch, first);
    }

    #[test]
    fn a_second_server_on_the_same_folder_is_refused() {
        let folder = folder();
        let _first = open(folder.path()).expect("opens");
        let error = open(folder.path()).err().expect("refused");
        assert!(matches!(error, OpenError::InUse(_)), "{error}");
    }

    #[test]
    fn a_folder_of_a_newer_version_is_refused() {
        let folder = folder();
        let opened = open(folder.path()).expect("opens");
        opened.connection.pragma_update(None, "user_version", 99).expect("set");
        drop(opened);
        let error = open(folder.path()).err().expect("refused");
        assert!(error.to_string().contains("newer Confab"), "{error}");
    }

    #[test]
    fn a_damaged_database_is_refused() {
        let folder = folder();
        drop(open(folder.path()).expect("opens"));
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).expect("a database");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4_096].fill(0xff);
        std::fs::write(&path, bytes).expect("written");
        let error = open(folder.path()).err().expect("refused");
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        std::fs::write(&path, "not a database at all, but longer than a header".repeat(99)).expect("written");
        let error = open(folder.path()).err().expect("refused");
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}
