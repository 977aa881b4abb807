//! Flushing of folders that must outlive a loss of power, and the room that their disk has.

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

/// Size of a disk.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// All there is, in bytes.
    pub total: u64,
    /// Bytes that are free for those who are not the system's administrator.
    pub free: u64,
    /// Files and folders that the disk can hold (inodes); 0 if it has no such bound, or does not tell it.
    pub files_total: u64,
    /// Those that can still be made by those who are not the system's administrator.
    pub files_free: u64,
}

/// Returns the size of the disk that a folder is on (statvfs(3)).
///
/// # Errors
/// When the system does not say.
pub fn space(folder: &Path) -> io::Result<Space> {
    let disk = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Space {
        total: bytes(disk.f_blocks),
        free: bytes(disk.f_bavail),
        files_total: disk.f_files,
        files_free: disk.f_favail,
    })
}
