//! What every folder needs that must outlive the power.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes sure that the names in a folder are on disk.
///
/// # Errors
/// When the disk says no.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
