//! The tail: what is in the journal and not in the tables yet, and the thread that brings it there.
//!
//! The writer appends; [`Tail::apply`] empties. It is called by the tail's own thread some
//! [`DELAY`] after the first record came, or once there are [`ROWS`] of them, or because somebody wants
//! to read; and by the writer itself before it does what needs the tables. Whoever reads waits until
//! everything accepted so far is there ([`Tail::caught_up`]), so nobody can tell that it was not there
//! all the time.
//!
//! Bounds: at [`ROWS_MAX`] rows or [`BYTES_MAX`] bytes the writer waits until there is room before it goes on,
//! its own queue fills, and senders are told that the server is overloaded.

use super::Error;
use super::health::{Cause, Gauge, Health};
use super::journal::{Number, Record};
use super::sqlite::apply;
use crate::task::Part;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long what was accepted stays in the journal alone if nobody asks for it. Messages of one
/// conversation that come within this time share the pages they change.
const DELAY: Duration = Duration::from_millis(500);
/// So many rows are worth a transaction at once, and no transaction of the tail's own thread has many more: whoever
/// waits for room waits for one of them.
const ROWS: usize = 4_096;
/// At about five microseconds each this is a tenth of a second of work.
pub(super) const ROWS_MAX: usize = 4 * ROWS;
/// See [`ROWS_MAX`].
const BYTES_MAX: usize = 64 << 20;
/// Pages in SQLite's own log at which it is copied into the database: 16 MiB keep both the log and the
/// pause small.
pub(super) const FOLD_PAGES: i64 = 4_000;
/// How long until it is tried again after it failed, if nobody asks.
const RETRY: Duration = Duration::from_secs(5);
/// How long a reader waits until what was accepted is in the tables; after that it is told that the server is overloaded.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);
/// How long the writer waits for room before it sees for itself what is wrong.
const ROOM: Duration = Duration::from_secs(1);

/// The tail, shared by the writer, its own thread and the readers.
#[derive(Debug, Clone)]
pub(super) struct Tail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held while the tables change, by whoever changes them.
    database: Mutex<Connection>,
    waiting: Mutex<Waiting>,
    /// Wakes the tail's own thread.
    wake: Condvar,
    /// Wakes the writer when there is room again.
    room: Condvar,
    /// The last record in the journal, and the last in the tables.
    accepted: AtomicU64,
    applied: watch::Sender<Number>,
    health: Gauge,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Each with its rows.
    records: VecDeque<(Record, usize)>,
    rows: usize,
    bytes: usize,
    /// Somebody wants to read what was accepted up to this record.
    wanted: Number,
    is_closing: bool,
}

impl Tail {
    /// An empty tail. `applied`: the last record in the tables.
    pub(super) fn start(database: Connection, applied: Number, health: Gauge) -> (Self, JoinHandle<()>) {
        let tail = Self(Arc::new(Inner {
            database: Mutex::new(database),
            waiting: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
            accepted: AtomicU64::new(applied),
            applied: watch::Sender::new(applied),
            health,
        }));
        let run = tail.clone();
        let thread = std::thread::Builder::new()
            .name("tail".into())
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| run.run())).is_err() {
                    run.0.health.break_down(Part::Applier);
                    // There will be no room; the writer has to see why.
                    run.0.room.notify_all();
                    run.leave_as_it_is();
                }
            })
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
        waiting.put(record, rows);
        let is_due = was_empty || waiting.is_due();
        drop(waiting);
        self.0.accepted.store(number, Ordering::Release);
        if is_due {
            self.0.wake.notify_one();
        }
    }

    /// Waits until there is room for a batch. `false`: there is none in good time, because the disk is slow or worse.
    pub(super) fn has_room(&self) -> bool {
        let is_stuck = |waiting: &mut Waiting| waiting.is_full() && self.0.health.get() == Health::Ready;
        let (waiting, _) =
            self.0.room.wait_timeout_while(self.waiting(), ROOM, is_stuck).unwrap_or_else(PoisonError::into_inner);
        !waiting.is_full() && self.0.health.get() == Health::Ready
    }

    /// Brings everything that waits into the tables. While the guard lives nobody else changes them.
    ///
    /// When it fails what waits goes on waiting; the journal has it.
    pub(super) fn apply(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        self.apply_some(usize::MAX)
    }

    /// The same with so many rows, or a batch more.
    fn apply_some(&self, rows_max: usize) -> Result<MutexGuard<'_, Connection>, Error> {
        let database = self.0.database.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.health.is_given_up() {
            return Err(self.0.health.given_up().unwrap_or(Error::Failed));
        }
        let records = self.waiting().take(rows_max);
        let Some(last) = records.last().map(|(record, _)| record.number) else { return Ok(database) };
        if let Err(error) = apply::apply(&database, records.iter().map(|(record, _)| record)) {
            let rows = records.iter().map(|(_, rows)| rows).sum();
            self.waiting().put_back(records);
            let error = self.0.health.failed(hopeless(error), rows);
            // There will be no room; the writer has to see why.
            self.0.room.notify_all();
            return Err(error);
        }
        self.0.applied.send_replace(last);
        self.0.room.notify_all();
        Ok(database)
    }

    /// Whether everything accepted so far is in the tables.
    pub(super) fn is_caught_up(&self) -> bool {
        self.applied() >= self.accepted()
    }

    /// Waits until everything accepted so far is in the tables, [`CATCH_UP_MAX`] at most. If the disk does not take it,
    /// what is there has to do.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if it takes longer: the disk is slow, or another process holds the database.
    pub(super) async fn caught_up(&self) -> Result<(), Error> {
        let accepted = self.accepted();
        if self.applied() >= accepted {
            return Ok(());
        }
        #[cfg(debug_assertions)]
        if crate::fault::is_on("read_tables_alone") {
            return Ok(());
        }
        let mut applied = self.0.applied.subscribe();
        {
            let mut waiting = self.waiting();
            waiting.wanted = waiting.wanted.max(accepted);
        }
        self.0.wake.notify_one();
        let until = Instant::now() + CATCH_UP_MAX;
        while *applied.borrow_and_update() < accepted && self.0.health.get() == Health::Ready {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return Err(Error::Overloaded) };
            // The sender lives as long as the tail; and a disk that has just failed is noticed in time.
            let _ = timeout(DELAY.min(left), applied.changed()).await;
        }
        Ok(())
    }

    /// Ends the thread, after it has applied what waits.
    pub(super) fn close(&self) {
        self.waiting().is_closing = true;
        self.0.wake.notify_one();
    }

    fn run(&self) {
        loop {
            #[cfg(debug_assertions)]
            crate::fault::panic_if_asked(Part::Applier);
            let mut waiting = self.waiting();
            while waiting.records.is_empty() && !waiting.is_closing {
                waiting = self.0.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let may_rest = |waiting: &mut Waiting| !(waiting.is_urgent() || waiting.is_closing || waiting.is_due());
            waiting =
                self.0.wake.wait_timeout_while(waiting, delay(), may_rest).unwrap_or_else(PoisonError::into_inner).0;
            let is_closing = waiting.is_closing;
            drop(waiting);
            // A flush of the database that failed is the last one, too.
            let fold = |database: &Connection| {
                apply::fold(database, FOLD_PAGES).map_err(|error| self.0.health.failed(error, 0))
            };
            let rows_max = if is_closing { usize::MAX } else { ROWS };
            let done = self.apply_some(rows_max).and_then(|database| fold(&database));
            match done {
                Ok(()) if is_closing => return,
                Err(_) if is_closing => return self.leave_as_it_is(),
                Ok(()) => {}
                Err(_) if self.0.health.is_given_up() => self.wait_for_the_end(),
                // Readers do not wait for it, and the writer tries by itself when it has something to write.
                Err(_) => self.rest(),
            }
        }
    }

    /// Closing would fold SQLite's log. What is there is left as it is for the next start.
    fn leave_as_it_is(&self) {
        let database = self.0.database.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
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

impl Waiting {
    /// Whether it is worth a transaction at once.
    fn is_due(&self) -> bool {
        self.rows >= ROWS || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    fn put(&mut self, record: Record, rows: usize) {
        self.rows += rows;
        self.bytes += record.entries().len();
        self.records.push_back((record, rows));
    }

    /// Whether somebody waits to read what is in there.
    fn is_urgent(&self) -> bool {
        self.records.front().is_some_and(|(record, _)| record.number <= self.wanted)
    }

    /// Takes the first records, until they have so many rows.
    fn take(&mut self, rows_max: usize) -> Vec<(Record, usize)> {
        let (mut records, mut taken) = (Vec::new(), 0);
        while taken < rows_max
            && let Some((record, rows)) = self.records.pop_front()
        {
            self.rows -= rows;
            self.bytes -= record.entries().len();
            taken += rows;
            records.push((record, rows));
        }
        records
    }

    /// Puts back what was taken.
    fn put_back(&mut self, records: Vec<(Record, usize)>) {
        for (record, rows) in records.into_iter().rev() {
            self.rows += rows;
            self.bytes += record.entries().len();
            self.records.push_front((record, rows));
        }
    }
}

/// See [`DELAY`].
fn delay() -> Duration {
    #[cfg(debug_assertions)]
    if let Some(delay) = crate::fault::number("CONFAB_TAIL_DELAY_MS") {
        return Duration::from_millis(delay);
    }
    DELAY
}

/// What has been accepted must be applied. If that fails for another reason than that there is no room, or that
/// something is short for a moment, nothing more may be accepted.
fn hopeless(error: Error) -> Error {
    match error.cause() {
        Cause::Full | Cause::Passing => error,
        Cause::Disk | Cause::Other => {
            tracing::error!(%error, "tail.cannot_be_applied");
            Error::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of two rows each.
    fn waiting(numbers: std::ops::RangeInclusive<Number>) -> Waiting {
        let mut waiting = Waiting::default();
        numbers.for_each(|number| waiting.put(Record::new(number, 0), 2));
        waiting
    }

    fn numbers(records: &[(Record, usize)]) -> Vec<Number> {
        records.iter().map(|(record, _)| record.number).collect()
    }

    #[test]
    fn a_portion_is_taken_from_the_front_and_put_back_where_it_was() {
        let mut waiting = waiting(1..=5);
        let taken = waiting.take(3);
        assert_eq!((numbers(&taken), waiting.rows), (vec![1, 2], 6), "whole records, until it is enough");
        waiting.put(Record::new(6, 0), 2);
        waiting.put_back(taken);
        assert_eq!(waiting.rows, 12);
        assert_eq!(numbers(&waiting.take(usize::MAX)), [1, 2, 3, 4, 5, 6]);
        assert_eq!((waiting.rows, waiting.bytes), (0, 0));
        assert!(waiting.take(usize::MAX).is_empty());
    }

    #[test]
    fn it_is_urgent_until_what_is_wanted_has_been_taken() {
        let mut waiting = waiting(1..=5);
        assert!(!waiting.is_urgent());
        waiting.wanted = 3;
        for number in 1..=3 {
            assert!(waiting.is_urgent(), "{number} is wanted");
            waiting.take(1);
        }
        assert!(!waiting.is_urgent(), "what came later can wait");
    }

    #[test]
    fn it_is_full_at_its_bound_of_rows() {
        let mut waiting = Waiting::default();
        waiting.put(Record::new(1, 0), ROWS_MAX - 1);
        assert!(!waiting.is_full());
        waiting.put(Record::new(2, 0), 1);
        assert!(waiting.is_full() && waiting.is_due());
    }
}
