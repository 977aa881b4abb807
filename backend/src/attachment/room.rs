//! Room for files on the disk: what is free, less a reserve for messages, less what was promised to files on their way.
//! A disk can also hold only so many files (inodes); of these, too, a reserve is left.
//!
//! [`super::upload`] asks for a promise before a file comes in, after each MiB of it, and before a picture gets its clean
//! and its small form. Files are refused as soon as they would leave less than the reserve free, however many come in at
//! once; messages use the reserve, and the server stays ready. What is promised and not written counts as taken, so a
//! person holds at most what eight files of the largest size have.

use super::upload::UploadError;
use crate::behind;
use crate::disk::{self, Space};
use crate::log_rate::Repeated;
use shared::code::{Code, Rejection};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const MIB: u64 = 1024 * 1024;
/// Reserve for messages, if nothing else is set: this part of the disk, in percent, but at most [`RESERVE_MAX`] bytes.
const RESERVE_PERCENT: u64 = 5;
/// See [`RESERVE_PERCENT`].
const RESERVE_MAX: u64 = 1024 * MIB;
/// The most files that are left to messages, of which [`RESERVE_PERCENT`] of the disk's are: the database makes a handful,
/// and 256 files with their small forms and folders may be on their way while the disk is asked.
const RESERVE_FILES_MAX: u64 = 10_000;

/// Room on the disk of a data folder.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    data: PathBuf,
    /// In bytes; `None` depends on the disk, 0 asks for nothing.
    reserve: Option<u64>,
    /// Held while the disk is asked, so that two do not get the same room.
    turn: Mutex<()>,
    promised: AtomicU64,
}

/// Room for a file on its way, given back when this is dropped.
#[derive(Debug)]
pub struct Promise {
    room: Room,
    bytes: u64,
}

impl Room {
    /// Room on the disk of this folder, with so many MiB for messages; `None` is 5 % of the disk, but at most 1 GiB.
    #[must_use]
    pub fn new(data: &Path, reserve_mib: Option<u64>) -> Self {
        let reserve = reserve_mib.map(|mib| mib.saturating_mul(MIB));
        Self(Arc::new(Inner { data: data.to_owned(), reserve, turn: Mutex::default(), promised: AtomicU64::new(0) }))
    }

    /// Promises room for so many bytes.
    ///
    /// # Errors
    /// `storage_full` with the field `reserve`, if that would leave less than the reserve.
    pub async fn take(&self, bytes: u64) -> Result<Promise, UploadError> {
        self.take_after(bytes, 0).await
    }

    /// Promises room for so many bytes that are written after `freed` bytes were freed.
    async fn take_after(&self, bytes: u64, freed: u64) -> Result<Promise, UploadError> {
        let room = self.clone();
        // If nobody waits for the answer any more, the promise is dropped with it.
        let asked = behind::spawn(move || room.promise(bytes, freed, disk::space)).await;
        let promise = asked.unwrap_or_else(|_| Err(io::Error::other("a task has panicked")))?;
        promise.ok_or_else(|| refused().into())
    }

    /// `None`: that would leave less than the reserve.
    fn promise(
        &self,
        bytes: u64,
        freed: u64,
        space: impl FnOnce(&Path) -> io::Result<Space>,
    ) -> io::Result<Option<Promise>> {
        let inner = &*self.0;
        let _turn = inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the disk is asked: what is written in between counts twice, and not never.
        let promised = inner.promised.load(Ordering::Acquire);
        let space = space(&inner.data)?;
        let reserve = inner.reserve.unwrap_or_else(|| (space.total / 100 * RESERVE_PERCENT).min(RESERVE_MAX));
        #[cfg(debug_assertions)]
        let reserve = if crate::fault::is_on("no_disk_reserve") { 0 } else { reserve };
        let wanted = promised.saturating_add(bytes).saturating_add(reserve);
        if reserve > 0 && (space.free.saturating_add(freed) < wanted || has_few_files(space)) {
            report(space, reserve);
            return Ok(None);
        }
        inner.promised.fetch_add(bytes, Ordering::AcqRel);
        Ok(Some(Promise { room: self.clone(), bytes }))
    }
}

impl Promise {
    /// Bytes that are promised and not written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Promises so many bytes more, to be written after `freed` bytes were freed. With none of either this asks whether
    /// the reserve is still free.
    ///
    /// # Errors
    /// See [`Room::take`].
    pub async fn extend(&mut self, bytes: u64, freed: u64) -> Result<(), UploadError> {
        let mut more = self.room.take_after(bytes, freed).await?;
        self.bytes += std::mem::take(&mut more.bytes);
        Ok(())
    }

    /// Notes that so many bytes are written: from now on they are missing in what is free.
    pub fn settle(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.0.promised.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.settle(self.bytes);
    }
}

/// Whether the disk can hold hardly any more files, however many bytes are free. One that tells no bound has none.
fn has_few_files(space: Space) -> bool {
    let reserve = (space.files_total / 100 * RESERVE_PERCENT).min(RESERVE_FILES_MAX);
    space.files_total > 0 && space.files_free <= reserve
}

fn refused() -> Rejection {
    let message = "The server's disk is nearly full, so it takes no files for now. Messages are still sent. Please tell \
                   whoever runs it, and try again later";
    Rejection::new(Code::StorageFull, message).field("reserve").retry_after_ms(30_000)
}

fn report(space: Space, reserve: u64) {
    static REACHED: Repeated = Repeated::new();
    if let Some(files) = REACHED.count(Instant::now()) {
        tracing::error!(
            free_mib = space.free / MIB,
            reserve_mib = reserve / MIB,
            free_inodes = space.files_free,
            inodes = space.files_total,
            files,
            "attachment.reserve_reached: files are refused so that messages can be stored. Free some space; \
             disk-reserve-mib sets the reserve"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(reserve_mib: Option<u64>) -> Room {
        Room::new(Path::new("."), reserve_mib)
    }

    /// A disk that does not say how many files it holds.
    fn disk_of(total_mib: u64, free_mib: u64) -> Space {
        Space { total: total_mib * MIB, free: free_mib * MIB, files_total: 0, files_free: 0 }
    }

    #[test]
    fn files_leave_a_twentieth_of_the_disks_inodes_and_at_most_ten_thousand() {
        let promise = |reserve_mib, files_total, files_free| {
            has(&room(reserve_mib), 1, Space { files_total, files_free, ..disk_of(100, 50) }).is_some()
        };
        for reserve_mib in [None, Some(4)] {
            assert!(promise(reserve_mib, 1_000, 51) && !promise(reserve_mib, 1_000, 50));
            assert!(promise(reserve_mib, 1 << 40, 10_001) && !promise(reserve_mib, 1 << 40, 10_000));
            assert!(promise(reserve_mib, 0, 0), "there is no bound, or none is told");
            assert!(promise(reserve_mib, 10, 1) && !promise(reserve_mib, 10, 0));
        }
        assert!(promise(Some(0), 1_000, 0), "without a reserve the disk itself says no");
    }

    fn has(room: &Room, bytes: u64, space: Space) -> Option<Promise> {
        room.promise(bytes, 0, |_| Ok(space)).expect("asked")
    }

    #[test]
    fn files_leave_the_reserve_and_not_a_byte_less() {
        let space = disk_of(100, 10);
        let promise = |reserve_mib, bytes| has(&room(reserve_mib), bytes, space).is_some();
        assert!(promise(Some(4), 6 * MIB) && !promise(Some(4), 6 * MIB + 1));
        assert!(promise(None, 5 * MIB) && !promise(None, 5 * MIB + 1), "5 % of the disk");
        assert!(promise(Some(10), 0) && !promise(Some(11), 0));
        assert!(promise(Some(0), 11 * MIB), "without a reserve the disk itself says no");
        assert!(!promise(Some(u64::MAX), 0));
        let large = disk_of(10_000 * 1024, 1_030);
        assert!(has(&room(None), 6 * MIB, large).is_some() && has(&room(None), 6 * MIB + 1, large).is_none());
    }

    #[test]
    fn files_on_their_way_are_counted_until_they_are_written() {
        let room = room(Some(4));
        let mut space = disk_of(100, 10);
        let mut first = has(&room, 4 * MIB, space).expect("there is room");
        assert!(has(&room, 2 * MIB + 1, space).is_none(), "4 MiB are promised");
        first.settle(3 * MIB);
        space.free -= 3 * MIB;
        assert!(has(&room, 2 * MIB + 1, space).is_none(), "written or promised, it is the same");
        let second = has(&room, 2 * MIB, space).expect("there is room");
        assert!(has(&room, 1, space).is_none());
        // In the place of what is freed first.
        assert!(room.promise(MIB, MIB, |_| Ok(space)).expect("asked").is_some());
        drop((first, second));
        assert_eq!(room.0.promised.load(Ordering::Acquire), 0);
        assert!(has(&room, 3 * MIB, space).is_some());
    }

    #[test]
    fn of_many_at_once_so_many_pass_as_there_is_room_for() {
        let room = room(Some(4));
        let space = disk_of(100, 10);
        let passed: Vec<Promise> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..10).map(|_| scope.spawn(|| has(&room, 2 * MIB, space))).collect();
            asking.into_iter().filter_map(|one| one.join().expect("no panic")).collect()
        });
        assert_eq!(passed.len(), 3);
    }
}
