//! Whether the store can take what is written: decided by the writer, read by everybody.
//!
//! A full disk comes and goes. A disk that failed does not come back: after a failed flush the
//! operating system may have dropped what was to be written and report success the next time, so
//! nothing is written any more by this process. What is on disk can still be read, and the next start
//! copies the log into the database anew before it is trusted.
//!
//! Only an error on the database, its log or the journal is the disk's ([`Cause`]). A server that is short of
//! descriptors or memory refuses what it cannot do at the moment, and goes on.

use super::Error;
use crate::task::Part;
use shared::code::{Code, Rejection};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio_util::sync::CancellationToken;

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It takes what is written.
    Ready,
    /// The disk was full the last time; it goes on by itself once there is space.
    Full,
    /// The disk failed: nothing is written until the server is started again.
    Failed,
    /// A part of the server has panicked: nothing is written any more, and the process is about to end.
    Broken,
}

/// The store's health as its parts share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<Level>);

#[derive(Debug, Default)]
struct Level {
    level: AtomicU8,
    /// Cancelled at [`Health::Broken`].
    broken: CancellationToken,
}

impl Gauge {
    pub(super) fn get(&self) -> Health {
        match self.0.level.load(Ordering::Acquire) {
            0 => Health::Ready,
            1 => Health::Full,
            2 => Health::Failed,
            _ => Health::Broken,
        }
    }

    /// Whether nothing may be written any more.
    pub(super) fn is_given_up(&self) -> bool {
        #[cfg(debug_assertions)]
        if crate::fault::is_on("retry_writes") {
            return self.get() == Health::Broken;
        }
        self.given_up().is_some()
    }

    /// Why nothing may be written any more, if that is so.
    pub(super) fn given_up(&self) -> Option<Error> {
        match self.get() {
            Health::Ready | Health::Full => None,
            Health::Failed => Some(Error::Failed),
            Health::Broken => Some(Error::Broken),
        }
    }

    /// Notes that a part of the server has panicked. What is waiting for [`Gauge::broken`] ends the process.
    pub(super) fn break_down(&self, part: Part) {
        self.0.level.fetch_max(3, Ordering::AcqRel);
        tracing::error!(%part, "server.part_panicked: nothing is written any more, and the server stops. Start it again");
        self.0.broken.cancel();
    }

    /// Waits until a part of the server has panicked.
    pub(super) async fn broken(&self) {
        self.0.broken.cancelled().await;
    }

    /// Notes how it is now. From [`Health::Failed`] and [`Health::Broken`] there is no way back.
    pub(super) fn set(&self, health: Health) {
        let level = match health {
            Health::Ready => 0,
            Health::Full => 1,
            Health::Failed => 2,
            Health::Broken => 3,
        };
        // An error means that it has failed before.
        let _ = self.0.level.fetch_update(Ordering::AcqRel, Ordering::Acquire, |before| (before < 2).then_some(level));
    }
}

impl Gauge {
    /// Notes what an error of a transaction with so many rows says about the disk, and gives the error for those
    /// who are waiting.
    pub(super) fn failed(&self, error: Error, rows: usize) -> Error {
        match error.cause() {
            Cause::Disk => {
                tracing::error!(
                    %error,
                    rows,
                    "store.disk_failed: nothing is written any more. Check the disk of the data folder, then restart Confab"
                );
                self.set(Health::Failed);
                return Error::Failed;
            }
            Cause::Full => {
                if self.get() != Health::Full {
                    tracing::error!(rows, "store.disk_full: free some space; Confab goes on by itself then");
                }
                self.set(Health::Full);
            }
            Cause::Passing => {
                tracing::warn!(%error, rows, "store.refused: the system is short of something else than disk")
            }
            Cause::Other => tracing::error!(%error, rows, "store.failed"),
        }
        error
    }
}

/// What an error says about the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The disk or what is on it: nothing may be written after it.
    Disk,
    /// There is no space.
    Full,
    /// Something is short for a moment: descriptors, memory, a lock that another process holds. The transaction is
    /// refused and may be tried again.
    Passing,
    /// Anything else.
    Other,
}

impl Cause {
    /// The cause of an SQLite error with this extended code (<https://sqlite.org/rescode.html>).
    ///
    /// `SQLITE_CANTOPEN` is passing: what must be open for writing has been since the start, so the system was out of
    /// descriptors, or refused a file that can wait. `SQLITE_READONLY` is the disk: nothing this process does makes
    /// the database writable again.
    pub(super) fn of(extended_code: i32) -> Self {
        use rusqlite::ffi;
        match extended_code {
            // The index beside the log could not grow: SQLite calls this an I/O error, but only a full disk causes it.
            ffi::SQLITE_IOERR_SHMSIZE => return Cause::Full,
            // I/O errors of what is not the database or its log: locks, the index in memory that processes share,
            // temporary files, names, and memory.
            ffi::SQLITE_IOERR_UNLOCK
            | ffi::SQLITE_IOERR_RDLOCK
            | ffi::SQLITE_IOERR_DELETE
            | ffi::SQLITE_IOERR_DELETE_NOENT
            | ffi::SQLITE_IOERR_BLOCKED
            | ffi::SQLITE_IOERR_NOMEM
            | ffi::SQLITE_IOERR_ACCESS
            | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
            | ffi::SQLITE_IOERR_LOCK
            | ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMLOCK
            | ffi::SQLITE_IOERR_SHMMAP
            | ffi::SQLITE_IOERR_GETTEMPPATH
            | ffi::SQLITE_IOERR_CONVPATH => return Cause::Passing,
            _ => {}
        }
        match extended_code & 0xff {
            ffi::SQLITE_FULL => Cause::Full,
            ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB | ffi::SQLITE_READONLY => Cause::Disk,
            ffi::SQLITE_CANTOPEN
            | ffi::SQLITE_NOMEM
            | ffi::SQLITE_BUSY
            | ffi::SQLITE_LOCKED
            | ffi::SQLITE_PROTOCOL
            | ffi::SQLITE_INTERRUPT => Cause::Passing,
            _ => Cause::Other,
        }
    }
}

impl Error {
    /// What this says about the store.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Error::Failed => Cause::Disk,
            Error::Full => Cause::Full,
            Error::Overloaded => Cause::Passing,
            Error::Database(error) => error.sqlite_error().map_or(Cause::Other, |error| Cause::of(error.extended_code)),
            _ => Cause::Other,
        }
    }

    /// The error of a whole transaction in which one call failed like this; `None`: only the call failed.
    pub(super) fn ends_transaction(&self) -> Option<Self> {
        let whole = match self.cause() {
            Cause::Disk => Error::Failed,
            Cause::Full => Error::Full,
            Cause::Passing => Error::Overloaded,
            Cause::Other => return None,
        };
        tracing::warn!(error = %self, "store.call_failed");
        Some(whole)
    }

    /// The error of a write to a file that failed like this. A flush that failed is [`Error::Failed`] whatever the
    /// system says.
    #[must_use]
    pub fn of_write(error: &io::Error) -> Self {
        use rustix::io::Errno;
        // Nothing was written for want of these, and it may be tried again.
        const SHORT: [Errno; 6] = [Errno::NOMEM, Errno::NOBUFS, Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::INTR];
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Error::Full,
            _ if Errno::from_io_error(error).is_some_and(|errno| SHORT.contains(&errno)) => Error::Overloaded,
            _ => Error::Failed,
        }
    }

    /// What somebody is told whose command was not stored because of this.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        match self {
            Error::Overloaded | Error::Closed => overloaded(),
            Error::Database(_) if self.cause() == Cause::Passing => overloaded(),
            Error::Full => Rejection::new(
                Code::StorageFull,
                "The server's disk is full. Nothing was stored; it can be sent again later",
            )
            .retry_after_ms(30_000),
            Error::Failed => Rejection::new(
                Code::Internal,
                "The server's disk has failed and nothing can be stored until somebody has repaired it. Please tell \
                 its owner, and try again later",
            )
            .retry_after_ms(30_000),
            Error::Broken => Rejection::new(
                Code::Internal,
                "The server has met a fault of its own and stops. Nothing was stored; please send it again in a moment",
            )
            .retry_after_ms(1_000),
            Error::SignedOut => Rejection::new(Code::Unauthenticated, "Please sign in again"),
            Error::Database(_) | Error::Corrupt(_) | Error::Panicked => Rejection::internal(),
        }
    }
}

fn overloaded() -> Rejection {
    Rejection::new(Code::Overloaded, "The server has too much to do. Please try again in a moment")
        .retry_after_ms(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_comes_and_goes_and_a_failed_one_stays() {
        let gauge = Gauge::default();
        assert_eq!(gauge.get(), Health::Ready);
        gauge.set(Health::Full);
        assert_eq!(gauge.get(), Health::Full);
        gauge.set(Health::Ready);
        assert_eq!(gauge.get(), Health::Ready);
        gauge.set(Health::Failed);
        gauge.set(Health::Ready);
        assert_eq!(gauge.get(), Health::Failed);
    }

    #[test]
    fn what_was_not_stored_for_want_of_a_disk_may_be_sent_again() {
        for error in [Error::Full, Error::Failed, Error::Overloaded, Error::Broken] {
            let rejection = error.rejection();
            assert!(rejection.code.is_retryable() && rejection.retry_after_ms.is_some(), "{rejection:?}");
        }
    }

    #[test]
    fn only_what_happens_to_the_database_or_its_log_is_the_disks_failure() {
        use Cause::{Disk, Full, Other, Passing};
        // (primary code, causes of its extended codes by their number; the first is the code alone).
        let table: &[(i32, &[Cause])] = &[
            // Nothing more; READ, SHORT_READ, WRITE, FSYNC, DIR_FSYNC, TRUNCATE, FSTAT; UNLOCK, RDLOCK, DELETE,
            // BLOCKED, NOMEM, ACCESS, CHECKRESERVEDLOCK, LOCK; CLOSE, DIR_CLOSE; SHMOPEN, SHMSIZE, SHMLOCK, SHMMAP;
            // SEEK; DELETE_NOENT; MMAP; GETTEMPPATH, CONVPATH; VNODE, AUTH, BEGIN_ATOMIC, COMMIT_ATOMIC,
            // ROLLBACK_ATOMIC, DATA, CORRUPTFS, IN_PAGE.
            (
                10,
                &[
                    Disk, Disk, Disk, Disk, Disk, Disk, Disk, Disk, Passing, Passing, Passing, Passing, Passing,
                    Passing, Passing, Passing, Disk, Disk, Passing, Full, Passing, Passing, Disk, Passing, Disk,
                    Passing, Passing, Disk, Disk, Disk, Disk, Disk, Disk, Disk, Disk,
                ],
            ),
            // RECOVERY, CANTLOCK, ROLLBACK, DBMOVED, CANTINIT, DIRECTORY.
            (8, &[Disk; 7]),
            // VTAB, SEQUENCE, INDEX.
            (11, &[Disk; 4]),
            (13, &[Full]),
            // NOTEMPDIR, ISDIR, FULLPATH, CONVPATH, DIRTYWAL, SYMLINK.
            (14, &[Passing; 7]),
            // RECOVERY, SNAPSHOT, TIMEOUT.
            (5, &[Passing; 4]),
            // SHAREDCACHE, VTAB.
            (6, &[Passing; 3]),
            (26, &[Disk]),
            (7, &[Passing]),
            (9, &[Passing]),
            (15, &[Passing]),
            (1, &[Other; 5]),
            (2, &[Other]),
            (3, &[Other]),
            (4, &[Other; 3]),
            (12, &[Other]),
            (16, &[Other]),
            (17, &[Other]),
            (18, &[Other]),
            // The constraints.
            (19, &[Other; 14]),
            (20, &[Other]),
            (21, &[Other]),
            (22, &[Other]),
            (23, &[Other; 2]),
            (24, &[Other]),
            (25, &[Other]),
        ];
        for (primary, causes) in table {
            for (extension, cause) in (0_i32..).zip(*causes) {
                let code = primary | extension << 8;
                let error = Error::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
                assert_eq!(error.cause(), *cause, "{primary}, {extension}: {error}");
                let gauge = Gauge::default();
                let code = gauge.failed(error, 1).rejection().code;
                let (health, expected) = match cause {
                    Disk => (Health::Failed, Code::Internal),
                    Full => (Health::Full, Code::StorageFull),
                    Passing => (Health::Ready, Code::Overloaded),
                    Other => (Health::Ready, Code::Internal),
                };
                assert_eq!((gauge.get(), code), (health, expected), "{primary}, {extension}");
            }
        }
    }

    #[test]
    fn a_write_to_a_file_fails_for_good_unless_something_is_short() {
        use rustix::io::Errno;
        let error = |errno: Errno| Error::of_write(&errno.into());
        for errno in [Errno::IO, Errno::ROFS, Errno::NXIO, Errno::NODEV, Errno::BADF, Errno::STALE, Errno::PERM] {
            assert!(matches!(error(errno), Error::Failed), "{errno}");
        }
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
            assert!(matches!(error(errno), Error::Full), "{errno}");
        }
        for errno in [Errno::NOMEM, Errno::MFILE, Errno::NFILE] {
            assert!(matches!(error(errno), Error::Overloaded), "{errno}");
        }
    }
}
