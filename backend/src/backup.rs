//! `confab backup` and `confab restore`: what they say to the person who asked.

use crate::config::{Backup, Restore};
use crate::store;

/// Copies a data folder's database into a new file, while a server uses it or not.
///
/// # Errors
/// A sentence for the person who asked; then there is no new file.
#[expect(clippy::print_stdout, reason = "that it is done is what was asked for")]
pub fn backup(arguments: &Backup) -> anyhow::Result<()> {
    store::backup(&arguments.data, &arguments.to)?;
    println!("The backup is in {}", arguments.to.display());
    Ok(())
}

/// Fills an empty data folder from a backup.
///
/// # Errors
/// A sentence for the person who asked; then the folder is as empty as before.
#[expect(clippy::print_stdout, reason = "that it is done is what was asked for")]
pub fn restore(arguments: &Restore) -> anyhow::Result<()> {
    store::restore(&arguments.from, &arguments.data)?;
    println!("The backup is restored. Start the server with: confab serve --data {}", arguments.data.display());
    Ok(())
}
