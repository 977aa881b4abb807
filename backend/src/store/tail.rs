//! The tail: what is in the journal and not in the tables yet, and the thread that brings it there.
//!
//! The writer appends; [`Tail::apply`] empties. It is called by the tail's own thread some
//! [`DELAY`] after the first record came, or once there are [`ROWS`] of them, or because somebody wants
//! to read; and by the writer itself before it does what needs the tables. Whoever reads waits until
//! everything accepted so far is there ([`Tail::caught_up`]), so nobody can tell that it was not there
//! all the time.
//!
//! Bounds: at [`ROWS_MAX`] rows or [`BYTES_MAX`] bytes the writer empties the tail before it goes on,
//! its own queue fills, and senders are told that the server is overloaded.

use super::Error;
use super::health::{Gauge, Health};
use super::journal::{Number, Record};
use super::sqlite::apply;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How long what was accepted stays in the journal alone if nobody asks for it. Messages of one
/// conversation that come within this time share the pages they change.
const DELAY: Duration = Duration::from_millis(500);
/// So many rows are worth a transaction at once.
const ROWS: usize = 8_192;
/// At about five microseconds each this is a third of a second of work.
const ROWS_MAX: usize = 65_536;
/// See [`ROWS_MAX`].
const BYTES_MAX: usize = 64 << 20;
/// Pages in SQLite's own log at which it is copied into the database: 16 MiB keep both the log and the
/// pause small.
pub(super) const FOLD_PAGES: i64 = 4_000;
/// How long until it is tried again after it failed, if nobody asks.
const RETRY: Duration = Duration::from_secs(5);

/// The tail, shared by the writer, its own thread and the readers.
#[derive(Debug, Clone)]
pub(super) struct Tail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held while the tables change, by whoever changes them.
    database: Mutex<Connection>,
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// The last record in the journal, and the last in the tables.
    accepted: AtomicU64,
    applied: watch::Sender<Number>,
    health: Gauge,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Record>,
    rows: usize,
    bytes: usize,
    /// Somebody wants to read.
    is_urgent: bool,
    is_closing: bool,
}

impl Tail {
    /// An empty tail. `applied`: the last record in the tables.
    pub(super) fn start(database: Connection, applied: Number, health: Gauge) -> (Self, JoinHandle<()>) {
        let tail = Self(Arc::new(Inner {
            database: Mutex::new(database),
            waiting: Mutex::default(),
            wake: Condvar::new(),
            accepted: AtomicU64::new(applied),
            applied: watch::Sender::new(applied),
            health,
        }));
        let run = tail.clone();
        let thread = std::thread::Builder::new()
            .name("tail".into())
            .spawn(move || run.run())
            .expect("a thread can be started at start-up");
        (tail, thread)
    }

    /// The last record in the journal.
    pub(super) fn accepted(&self) -> Number {
        self.0.accepted.load(Ordering::Acquire)
    }

    /// The last record in the tables.
    pub(super) fn applied(&self) -> Number {
        *self.0.applied.borrow()
    }

    /// Adds a record that is in the journal, with so many rows.
    pub(super) fn push(&self, record: Record, rows: usize) {
        let number = record.number;
        let mut waiting = self.waiting();
        let was_empty = waiting.records.is_empty();
        waiting.rows += rows;
        waiting.bytes += record.entries().len();
        waiting.records.push_back(record);
        let is_due = was_empty || waiting.rows >= ROWS;
        drop(waiting);
        self.0.accepted.store(number, Ordering::Release);
        if is_due {
            self.0.wake.notify_one();
        }
    }

    /// Whether the writer should empty it before it goes on.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.waiting();
        waiting.rows >= ROWS_MAX || waiting.bytes >= BYTES_MAX
    }

    /// Brings everything that waits into the tables. While the guard lives nobody else changes them.
    ///
    /// When it fails what waits goes on waiting; the journal has it.
    pub(super) fn apply(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        let database = self.0.database.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.health.is_given_up() {
            return Err(Error::Failed);
        }
        let (records, rows, bytes) = {
            let mut waiting = self.waiting();
            waiting.is_urgent = false;
            (
                std::mem::take(&mut waiting.records),
                std::mem::take(&mut waiting.rows),
                std::mem::take(&mut waiting.bytes),
            )
        };
        let Some(last) = records.back().map(|record| record.number) else { return Ok(database) };
        if let Err(error) = apply::apply(&database, &records) {
            let mut waiting = self.waiting();
            let newer = std::mem::replace(&mut waiting.records, records);
            waiting.records.extend(newer);
            waiting.rows += rows;
            waiting.bytes += bytes;
            drop(waiting);
            return Err(self.0.health.failed(hopeless(error), rows));
        }
        self.0.applied.send_replace(last);
        Ok(database)
    }

    /// Waits until everything accepted so far is in the tables. If the disk does not take it, what is
    /// there has to do.
    pub(super) async fn caught_up(&self) {
        let accepted = self.accepted();
        if self.applied() >= accepted {
            return;
        }
        let mut applied = self.0.applied.subscribe();
        self.waiting().is_urgent = true;
        self.0.wake.notify_one();
        while *applied.borrow_and_update() < accepted && self.0.health.get() == Health::Ready {
            // The sender lives as long as the tail; and a disk that has just failed is noticed in time.
            let _ = tokio::time::timeout(DELAY, applied.changed()).await;
        }
    }

    /// Ends the thread, after it has applied what waits.
    pub(super) fn close(&self) {
        self.waiting().is_closing = true;
        self.0.wake.notify_one();
    }

    fn run(&self) {
        loop {
            let mut waiting = self.waiting();
            while waiting.records.is_empty() && !waiting.is_closing {
                waiting = self.0.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let is_due = |waiting: &mut Waiting| !(waiting.is_urgent || waiting.is_closing || waiting.rows >= ROWS);
            waiting = self.0.wake.wait_timeout_while(waiting, DELAY, is_due).unwrap_or_else(PoisonError::into_inner).0;
            let is_closing = waiting.is_closing;
            drop(waiting);
            let done = self.apply().and_then(|database| apply::fold(&database, FOLD_PAGES));
            match done {
                _ if is_closing => return,
                Ok(()) => {}
                Err(_) if self.0.health.is_given_up() => self.wait_for_the_end(),
                // Readers do not wait for it, and the writer tries by itself when it has something to write.
                Err(_) => self.rest(),
            }
        }
    }

    fn rest(&self) {
        let waiting = self.waiting();
        drop(self.0.wake.wait_timeout_while(waiting, RETRY, |waiting| !waiting.is_closing));
    }

    fn wait_for_the_end(&self) {
        let waiting = self.waiting();
        drop(self.0.wake.wait_while(waiting, |waiting| !waiting.is_closing));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has been accepted must be applied. If that fails for another reason than that there is no room, or that
/// somebody else holds the database, nothing more may be accepted.
fn hopeless(error: Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    match &error {
        Error::Full => error,
        Error::Database(cause) if matches!(cause.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked)) => error,
        _ => {
            tracing::error!(%error, "tail.cannot_be_applied");
            Error::Failed
        }
    }
}
