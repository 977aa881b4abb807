//! `confab backup` and `confab restore`: the database in one file, people's files in a folder beside it.

use crate::attachment::folder;
use crate::config::{Backup, Restore};
use crate::store;
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Copies a data folder's database into a new file and people's files into a new folder named like it, while a server
/// uses them or not.
///
/// # Errors
/// A sentence for the person who asked; then there is neither.
#[expect(clippy::print_stdout, reason = "that it is done is what was asked for")]
pub fn backup(arguments: &Backup) -> anyhow::Result<()> {
    let (from, to) = (arguments.data.join(folder::NAME), beside(&arguments.to));
    if to.exists() {
        bail!("{} exists already, and a backup never replaces anything. Choose another name", to.display());
    }
    store::backup(&arguments.data, &arguments.to)?;
    // After the database: every file that it names is there by now, but for those that were deleted meanwhile.
    if let Err(error) = copy_all(&from, &to) {
        let _ = std::fs::remove_file(&arguments.to);
        return Err(error);
    }
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
    let to = arguments.data.join(folder::NAME);
    store::restore(&arguments.from, &arguments.data)?;
    if let Err(error) = copy_all(&beside(&arguments.from), &to) {
        // With it the folder would look like a whole one.
        let _ = std::fs::remove_file(arguments.data.join(store::FILE));
        return Err(error);
    }
    println!("The backup is restored. Start the server with: confab serve --data {}", arguments.data.display());
    Ok(())
}

/// The folder with the files of a backup.
fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".");
    name.push(folder::NAME);
    name.into()
}

/// Copies all files; the new folder has its name once it is whole. Nothing is copied where there is nothing.
fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut part = OsString::from(to);
    part.push(".part");
    let part = PathBuf::from(part);
    let copied = folder::copy(from, &part).and_then(|count| match count {
        0 => Ok(()),
        _ => std::fs::rename(&part, to),
    });
    if copied.is_err() {
        let _ = std::fs::remove_dir_all(&part);
    }
    copied.with_context(|| format!("People's files cannot be copied from {} to {}", from.display(), to.display()))
}
