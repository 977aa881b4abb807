//! `confab backup` and `confab restore`: the database in one file, people's files in a folder beside it.
//!
//! The database gets its name last: where there is one, there is all that belongs to it.

use crate::attachment::folder;
use crate::config::{Backup, Restore};
use crate::disk::flush_folder;
use crate::store::{self, CopyError};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Copies a data folder's database into a new file and people's files into a new folder named like it, while a server
/// uses them or not.
///
/// # Errors
/// A sentence for the person who asked; then there is no new database.
#[expect(clippy::print_stdout, reason = "that it is done is what was asked for")]
pub fn backup(arguments: &Backup) -> anyhow::Result<()> {
    let (from, to) = (arguments.data.join(folder::NAME), beside(&arguments.to));
    if to.exists() {
        return Err(CopyError::Exists(to).into());
    }
    store::backup(&arguments.data, &arguments.to, || copy_all(&from, &to))?;
    println!("The backup is in {}", arguments.to.display());
    if to.exists() {
        println!("People's files are in {}; keep the two together", to.display());
    }
    Ok(())
}

/// Fills an empty data folder from a backup.
///
/// # Errors
/// A sentence for the person who asked; then there is no database in the folder.
#[expect(clippy::print_stdout, reason = "that it is done is what was asked for")]
pub fn restore(arguments: &Restore) -> anyhow::Result<()> {
    let (from, to) = (beside(&arguments.from), arguments.data.join(folder::NAME));
    store::restore(&arguments.from, &arguments.data, |names_files| {
        if names_files && !from.is_dir() {
            return Err(CopyError::NoFiles(arguments.from.clone(), from.clone()));
        }
        copy_all(&from, &to)
    })?;
    println!("The backup is restored. Start the server with: confab serve --data {}", arguments.data.display());
    Ok(())
}

/// The folder with the files of a backup.
fn beside(file: &Path) -> PathBuf {
    ending(file, &format!(".{}", folder::NAME))
}

fn ending(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Copies all files; the new folder has its name once it is whole. Nothing is copied where there is nothing.
fn copy_all(from: &Path, to: &Path) -> Result<(), CopyError> {
    let part = ending(to, ".part");
    // What an attempt has left that was cut short.
    let _ = std::fs::remove_dir_all(&part);
    let copied = folder::copy(from, &part).and_then(|count| match count {
        0 => Ok(()),
        _ => publish(&part, to),
    });
    copied.map_err(|source| {
        let _ = std::fs::remove_dir_all(&part);
        CopyError::File { path: to.to_owned(), source }
    })
}

fn publish(part: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(part, to)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    flush_folder(parent)
}
