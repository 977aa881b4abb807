//! Whether the store can take what is written: decided by the writer, read by everybody.
//!
//! A full disk comes and goes. A disk that failed does not come back: after a failed flush the
//! operating system may have dropped what was to be written and report success the next time, so
//! nothing is written any more by this process. What is on disk can still be read, and the next start
//! copies the log into the database anew before it is trusted.

use super::Error;
use shared::code::{Code, Rejection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It takes what is written.
    Ready,
    /// The disk was full the last time; it goes on by itself once there is space.
    Full,
    /// The disk failed: nothing is written until the server is started again.
    Failed,
}

/// The store's health as its parts share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<AtomicU8>);

impl Gauge {
    pub(super) fn get(&self) -> Health {
        match self.0.load(Ordering::Acquire) {
            0 => Health::Ready,
            1 => Health::Full,
            _ => Health::Failed,
        }
    }

    /// Whether nothing may be written any more.
    pub(super) fn is_given_up(&self) -> bool {
        #[cfg(debug_assertions)]
        if crate::fault::is_on("retry_writes") {
            return false;
        }
        self.get() == Health::Failed
    }

    /// Notes how it is now. From [`Health::Failed`] there is no way back.
    pub(super) fn set(&self, health: Health) {
        let level = match health {
            Health::Ready => 0,
            Health::Full => 1,
            Health::Failed => 2,
        };
        // An error means that it has failed before.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |before| (before < 2).then_some(level));
    }
}

impl Gauge {
    /// Notes what an error of a transaction with so many rows says about the disk, and gives the error for those
    /// who are waiting.
    pub(super) fn failed(&self, error: Error, rows: usize) -> Error {
        if error.is_disk_failure() {
            tracing::error!(
                %error,
                rows,
                "store.disk_failed: nothing is written any more. Check the disk of the data folder, then restart Confab"
            );
            self.set(Health::Failed);
            return Error::Failed;
        }
        if matches!(error, Error::Full) {
            if self.get() != Health::Full {
                tracing::error!(rows, "store.disk_full: free some space; Confab goes on by itself then");
            }
            self.set(Health::Full);
        } else {
            tracing::error!(%error, rows, "store.failed");
        }
        error
    }
}

impl Error {
    /// Whether this came from the disk or from damaged data, so that nothing may be written after it.
    pub(super) fn is_disk_failure(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, ReadOnly, SystemIoFailure};
        match self {
            Error::Failed => true,
            Error::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(SystemIoFailure | DatabaseCorrupt | NotADatabase | CannotOpen | ReadOnly)
            ),
            _ => false,
        }
    }

    /// What somebody is told whose command was not stored because of this.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        match self {
            Error::Overloaded | Error::Closed => {
                Rejection::new(Code::Overloaded, "The server has too much to do. Please try again in a moment")
                    .retry_after_ms(1_000)
            }
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
            Error::SignedOut => Rejection::new(Code::Unauthenticated, "Please sign in again"),
            Error::Database(_) | Error::Corrupt(_) => Rejection::internal(),
        }
    }
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
        for error in [Error::Full, Error::Failed, Error::Overloaded] {
            let rejection = error.rejection();
            assert!(rejection.code.is_retryable() && rejection.retry_after_ms.is_some(), "{rejection:?}");
        }
    }
}
