//! The one place that opens a connection: what must hold for every connection is set here.
//!
//! * SQLite keeps what is temporary in memory. A file in the system's temporary folder would need a descriptor and a
//!   folder that can be written to, and a transaction would fail for want of either although the disk is well.
//! * Another process that holds the database is waited for.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for another process that holds the database.
const BUSY: Duration = Duration::from_secs(5);

/// Opens a database to read and write it, and makes it if it is not there.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    open_with(path, OpenFlags::default())
}

/// Opens a database with these flags.
pub(super) fn open_with(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    #[cfg(debug_assertions)]
    if crate::fault::is_on("temporary_files") {
        return Ok(connection);
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The lines of the product below a folder that open a connection.
    fn openings(folder: &Path, found: &mut Vec<String>) {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                openings(&path, found);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("source text");
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let opens = product.lines().filter(|line| line.contains("Connection::open"));
                found.extend(opens.map(|line| format!("{}: {}", path.display(), line.trim())));
            }
        }
    }

    #[test]
    fn no_connection_is_opened_elsewhere() {
        let mut found = Vec::new();
        openings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(matches!(&found[..], [one] if one.contains("sqlite/connection.rs")), "{found:#?}");
    }

    #[test]
    fn every_connection_keeps_temporary_data_in_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("database");
        for flags in [OpenFlags::default(), OpenFlags::SQLITE_OPEN_READ_ONLY] {
            let connection = open_with(&path, flags).expect("opens");
            let kept: i64 = connection.query_row("PRAGMA temp_store", [], |row| row.get(0)).expect("a number");
            assert_eq!(kept, 2, "MEMORY");
        }
    }
}
