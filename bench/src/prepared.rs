//! Data folders that take a while to fill: each is filled once, and every run has a copy of its own.

use crate::contender::folder;
use crate::seed::Seed;
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use tempfile::TempDir;

/// The folders that are there; they are gone with it.
#[derive(Debug, Default)]
pub struct Prepared(RefCell<HashMap<String, TempDir>>);

impl Prepared {
    /// A new folder with what `fill` puts into it. Whoever comes with the same `name` later gets the same.
    ///
    /// # Errors
    /// When it cannot be filled or copied.
    pub fn folder(&self, name: &str, fill: impl FnOnce(&mut Seed) -> Result<()>) -> Result<TempDir> {
        let mut all = self.0.borrow_mut();
        if !all.contains_key(name) {
            let filled = folder()?;
            let mut seed = Seed::new(filled.path())?;
            fill(&mut seed)?;
            seed.finish()?;
            all.insert(name.to_owned(), filled);
        }
        let filled = all.get(name).context("it was filled just now")?;
        let copy = folder()?;
        for entry in fs::read_dir(filled.path())? {
            let entry = entry?;
            let path = copy.path().join(entry.file_name());
            fs::copy(entry.path(), &path)?;
            // Else the system would write it out while a server is measured.
            File::open(path)?.sync_all()?;
        }
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_once_is_there_in_every_copy() {
        let prepared = Prepared::default();
        let mut filled = 0;
        for _ in 0..2 {
            let copy = prepared.folder("three people", |seed| {
                filled += 1;
                seed.people(3)
            });
            let copy = copy.expect("a folder");
            let database = rusqlite::Connection::open(copy.path().join("confab.db")).expect("it is there");
            let count: i64 =
                database.query_row("SELECT count(*) FROM user", [], |row| row.get(0)).expect("it is whole");
            assert_eq!(count, 3);
            database.execute("DELETE FROM session", []).expect("it is its own");
        }
        assert_eq!(filled, 1);
    }
}
