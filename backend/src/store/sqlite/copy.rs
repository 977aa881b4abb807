//! A copy of the database in one file, and a data folder from such a copy.
//!
//! Both appear whole or not at all: they are made under another name, flushed, and then named.

use super::apply;
use super::connection;
use super::open::{self, FILE, MIGRATIONS};
use crate::disk::flush_folder;
use crate::store::journal;
use crate::store::{Error, OpenError};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How often and how long apart it is looked whether a gap in the journal is still there: the tables follow within
/// half a second.
const GAP_LOOKS: u32 = 15;
/// See [`GAP_LOOKS`].
const GAP_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Why a copy could not be made or used. The texts are for the person who asked for it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nothing to copy.
    #[error("There is no Confab database in {0}. Name the server's data folder with --data")]
    Nothing(PathBuf),
    /// The file to make is there.
    #[error("{0} exists already, and a backup never replaces a file. Choose another name")]
    Exists(PathBuf),
    /// The folder to fill has something in it.
    #[error("The folder {0} is not empty. A backup is restored into an empty folder; choose another with --data")]
    NotEmpty(PathBuf),
    /// What should be a backup is none.
    #[error("{0} is no backup of Confab")]
    NoBackup(PathBuf),
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The backup names people's files, which are not there.
    #[error(
        "The files of people that {0} names are not in {1}. Put that folder beside the backup, or make an empty one of \
         that name to go on without them"
    )]
    NoFiles(PathBuf, PathBuf),
    /// The copy could not be made.
    #[error("The database cannot be copied: {0}")]
    Database(#[from] Error),
    /// The folder or the database in it cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Copies the database of the data folder `folder`, as it is at one moment, into the new file `to`. A
/// server that uses the folder goes on meanwhile. Before the file has its name `beside` copies what belongs to it.
///
/// # Errors
/// See [`CopyError`]; then there is no file `to`.
pub fn backup(folder: &Path, to: &Path, beside: impl FnOnce() -> Result<(), CopyError>) -> Result<(), CopyError> {
    let from = folder.join(FILE);
    if !from.is_file() {
        return Err(CopyError::Nothing(folder.to_owned()));
    }
    if to.exists() {
        return Err(CopyError::Exists(to.to_owned()));
    }
    let part = Part::new(to)?;
    let database = read_only(&from)?;
    known(&database, folder, || CopyError::Nothing(folder.to_owned()))?;
    // Read first: what is accepted while the tables are copied is a later moment's. What is written over meanwhile
    // was in the tables before, so that nothing is missing behind what the copy has of them.
    let seal = open::seal(&database, &open::epoch(&database)?)?;
    let journal = journal::read_whole(folder, &seal, apply::applied(&database)?)
        .map_err(|source| CopyError::File { path: folder.to_owned(), source })?;
    database.execute("VACUUM INTO ?1", [part.path.to_str().ok_or_else(|| not_text(to))?])?;
    let copy = connection::open_with(&part.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let (records, is_all) = journal::following(journal, apply::applied(&copy)?);
    if !is_all {
        gap_closes(&database, folder, &seal)?;
    }
    // A database of an earlier version has no journal, and no place for it.
    if !records.is_empty() {
        apply::apply(&copy, &records)?;
    }
    open::check(&copy, folder)?;
    copy.close().map_err(|(_, error)| error)?;
    // After the database: every file that it names is there by now, but for those that were deleted meanwhile.
    beside()?;
    part.publish(to)
}

/// A server that goes on writes over records that were read here, or brings what follows a gap into the tables. A
/// gap that stays is damage, and what is behind it was accepted.
fn gap_closes(database: &Connection, folder: &Path, seal: &str) -> Result<(), CopyError> {
    for _ in 0..GAP_LOOKS {
        let applied = apply::applied(database)?;
        let (_, is_all) = journal::read(folder, seal, applied)
            .map_err(|source| CopyError::File { path: folder.to_owned(), source })?;
        if is_all {
            return Ok(());
        }
        std::thread::sleep(GAP_PAUSE);
    }
    let detail = "its journal has a gap".to_owned();
    Err(OpenError::Damaged { path: folder.to_owned(), detail }.into())
}

/// Makes the data folder `folder` from the backup `from`, which stays as it is. The database gets
/// another epoch: what people saw of the history after the backup does not belong to it. Before there is a database,
/// `beside` copies what belongs to it; it is told whether people's files are among that.
///
/// # Errors
/// See [`CopyError`]; then there is no database in the folder.
pub fn restore(
    from: &Path,
    folder: &Path,
    beside: impl FnOnce(bool) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::File { path, source }
    };
    let mut source = File::open(from).map_err(file_error(from))?;
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(CopyError::NotEmpty(folder.to_owned())),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(file_error(folder)(error)),
        _ => {}
    }
    // Held until the end, so that no server starts on half a database.
    let lock = open::lock(folder)?;
    let to = folder.join(FILE);
    let made = (|| {
        let part = Part::new(&to)?;
        let mut target = File::options().write(true).open(&part.path).map_err(file_error(&part.path))?;
        io::copy(&mut source, &mut target).map_err(file_error(&part.path))?;
        target.sync_all().map_err(file_error(&part.path))?;
        drop(target);
        let database = connection::open_with(&part.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        known(&database, from, || CopyError::NoBackup(from.to_owned()))?;
        open::check(&database, from)?;
        begin_anew(&database)?;
        // A backup of before there were files has no such table.
        let names_files = database.query_row("SELECT EXISTS (SELECT 1 FROM attachment)", [], |found| found.get(0));
        let names_files = names_files.unwrap_or(false);
        database.close().map_err(|(_, error)| error)?;
        beside(names_files)?;
        part.publish(&to)
    })();
    if made.is_err() {
        // The folder was empty before; it is again, and may be used for the next attempt.
        let _ = std::fs::remove_file(folder.join("confab.lock"));
    }
    drop(lock);
    made
}

fn begin_anew(database: &Connection) -> Result<(), Error> {
    #[cfg(debug_assertions)]
    if crate::fault::is_on("restore_epoch") {
        return Ok(());
    }
    match database.execute("UPDATE meta SET value = ?1 WHERE name = 'epoch'", [open::new_epoch()])? {
        1 => Ok(()),
        _ => Err(Error::Corrupt("no epoch".into())),
    }
}

/// Whether this program knows the version of a database.
fn known(database: &Connection, path: &Path, none: impl Fn() -> CopyError) -> Result<(), CopyError> {
    let found = database.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).map_err(|_| none())?;
    let known = u32::try_from(MIGRATIONS.len()).expect("migrations are few");
    match found {
        0 => Err(none()),
        found if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }.into()),
        _ => Ok(()),
    }
}

fn read_only(path: &Path) -> Result<Connection, CopyError> {
    Ok(connection::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn not_text(path: &Path) -> CopyError {
    let source = io::Error::new(ErrorKind::InvalidInput, "the name is not UTF-8");
    CopyError::File { path: path.to_owned(), source }
}

/// A file that is being made under another name; dropped before it is published, it goes away.
struct Part {
    path: PathBuf,
}

impl Part {
    /// An empty file beside `to` that only its owner can read: it will hold everybody's messages.
    fn new(to: &Path) -> Result<Self, CopyError> {
        let name = to.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_text(to))?;
        let path = to.with_file_name(format!(".{name}.{}.part", open::new_epoch()));
        let mut options = File::options();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(_) => Ok(Self { path }),
            Err(source) => Err(CopyError::File { path: to.to_owned(), source }),
        }
    }

    /// Gives it its name, unless something has that name by now.
    fn publish(self, to: &Path) -> Result<(), CopyError> {
        let error = |source: io::Error| match source.kind() {
            ErrorKind::AlreadyExists => CopyError::Exists(to.to_owned()),
            _ => CopyError::File { path: to.to_owned(), source },
        };
        File::options().write(true).open(&self.path).and_then(|file| file.sync_all()).map_err(error)?;
        // A second name, because giving the only one away would replace a file that came meanwhile.
        match std::fs::hard_link(&self.path, to) {
            Err(source) if source.kind() == ErrorKind::AlreadyExists || to.exists() => {
                return Err(CopyError::Exists(to.to_owned()));
            }
            // Some file systems know one name only.
            Err(_) => std::fs::rename(&self.path, to).map_err(error)?,
            Ok(()) => std::fs::remove_file(&self.path).map_err(error)?,
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        flush_folder(folder).map_err(error)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Published, it has this name no longer.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::Epoch;

    fn epoch(folder: &Path) -> Epoch {
        open::open(folder).expect("opens").epoch
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }

    #[test]
    fn a_copy_is_a_whole_one_and_each_restore_is_another_history() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, file) = (folder.path().join("data"), folder.path().join("copy"));
        let first = epoch(&data);
        backup(&data, &file, || Ok(())).expect("copied");
        assert!(matches!(backup(&data, &file, || Ok(())), Err(CopyError::Exists(_))));
        let (one, other) = (folder.path().join("a/one"), folder.path().join("other"));
        restore(&file, &one, |_| Ok(())).expect("restored");
        restore(&file, &other, |_| Ok(())).expect("restored");
        assert!(epoch(&one) != first && epoch(&other) != first && epoch(&one) != epoch(&other));
        assert!(matches!(restore(&file, &one, |_| Ok(())), Err(CopyError::NotEmpty(_))));
        assert!(names(folder.path()).iter().all(|name| !name.contains("part")), "nothing half is left");
    }

    #[test]
    fn what_is_no_backup_leaves_an_empty_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, file) = (folder.path().join("data"), folder.path().join("copy"));
        assert!(matches!(backup(&data, &file, || Ok(())), Err(CopyError::Nothing(_))));
        std::fs::write(&file, "not a database at all, but longer than a header".repeat(99)).expect("written");
        let error = restore(&file, &data, |_| Ok(())).expect_err("refused");
        assert!(matches!(error, CopyError::NoBackup(_)), "{error}");
        assert_eq!(names(&data), Vec::<String>::new());
        std::fs::write(&file, "").expect("written");
        assert!(matches!(restore(&file, &data, |_| Ok(())), Err(CopyError::NoBackup(_))));
    }

    #[test]
    fn a_database_of_an_earlier_version_is_copied_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, file) = (folder.path().join("data"), folder.path().join("copy"));
        std::fs::create_dir(&data).expect("made");
        let old = Connection::open(data.join(FILE)).expect("opens");
        MIGRATIONS[..2].iter().for_each(|migration| old.execute_batch(migration).expect("migrated"));
        old.execute("INSERT INTO meta (name, value) VALUES ('epoch', 'then')", []).expect("written");
        old.pragma_update(None, "user_version", 2).expect("set");
        backup(&data, &file, || Ok(())).expect("copied");
        let to = folder.path().join("restored");
        restore(&file, &to, |_| Ok(())).expect("restored");
        epoch(&to);
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (data, file) = (folder.path().join("data"), folder.path().join("copy"));
        epoch(&data);
        backup(&data, &file, || Ok(())).expect("copied");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
