//! Read-only connections, lent to one reader each.

use super::connection;
use crate::behind;
use crate::store::Error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Readers at once. Each holds a thread while it reads; what a page of history costs is mostly
/// memory copies, so more than a few do not read faster.
const READERS: usize = 4;

/// A bounded set of read-only connections. Readers above the bound wait in order of arrival.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    entering: Mutex<Queue>,
    catching_up: Mutex<Queue>,
}

/// Which short reads wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Lane {
    /// Of those who come in.
    Entering,
    /// Of those who catch up with what they have missed; a page of it takes longer.
    CatchingUp,
}

/// Short reads that are done one after the other by one thread, all that wait in one transaction. It looks for more
/// before it rests: waking another thread costs more than such a read, and so does a transaction. Bounded by those who
/// wait for the answers.
#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    is_running: bool,
}

/// A read inside the transaction of its round. It may go on in the next round's, which sees what has happened since.
struct Job(Box<Work>);

type Work = dyn FnOnce(Result<&Connection, Error>) -> Option<Job> + Send;

/// Reads in one round at most: what is asked later should not wait long, nor a transaction last.
const ROUND_MAX: usize = 64;

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("jobs", &self.jobs.len()).field("is_running", &self.is_running).finish()
    }
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(Inner {
            path: path.to_owned(),
            idle: Mutex::new(Vec::with_capacity(READERS)),
            permits: Arc::new(Semaphore::new(READERS)),
            entering: Mutex::default(),
            catching_up: Mutex::default(),
        }))
    }

    /// Runs `work` on a connection of its own, off the async threads.
    ///
    /// # Cancel safety
    /// A dropped caller does not stop work that has begun; it only reads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.0.permits.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let pool = self.0.clone();
        behind::spawn(move || {
            let _permit = permit;
            let connection = pool.borrow()?;
            let result = work(&connection);
            // A connection that failed is not lent again.
            if result.is_ok() {
                pool.give_back(connection);
            }
            result
        })
        .await
        .map_err(|_| panicked())?
    }

    /// The same for work that is short and comes often: it waits for others of its lane, and for nothing else, and is
    /// done in one transaction with them. That transaction begins after this call.
    ///
    /// # Cancel safety
    /// A dropped caller does not stop work that has begun; it only reads.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn read_in_turn<T, F>(&self, lane: Lane, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.read_in_turns(lane, |connection| Ok(Step::Done(work(connection)?))).await
    }

    /// The same for work that may be done in two parts: the second sees what has happened since the first.
    ///
    /// # Cancel safety
    /// As above.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn read_in_turns<T, F>(&self, lane: Lane, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> Result<Step<T>, Error> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job(Box::new(move |connection| {
            // Whoever asked may have gone.
            let result = match connection.and_then(work) {
                Ok(Step::Then(rest)) => {
                    return Some(Job(Box::new(move |connection| {
                        let _ = reply.send(connection.and_then(rest));
                        None
                    })));
                }
                Ok(Step::Done(value)) => Ok(value),
                Err(error) => Err(error),
            };
            let _ = reply.send(result);
            None
        }));
        if self.0.queue(lane, job) {
            // Started when it is dropped, so also when the caller is.
            let start = Start { pool: self.0.clone(), lane };
            // Whoever else is about to ask at this moment is in the first round.
            tokio::task::yield_now().await;
            drop(start);
        }
        answer.await.map_err(|_| panicked())?
    }
}

/// What a part of some work comes to.
pub(in crate::store) enum Step<T> {
    /// All of it is done.
    Done(T),
    /// The rest is to be done in a later transaction.
    Then(Box<Rest<T>>),
}

type Rest<T> = dyn FnOnce(&Connection) -> Result<T, Error> + Send;

/// Sets a lane going.
struct Start {
    pool: Arc<Inner>,
    lane: Lane,
}

impl Drop for Start {
    fn drop(&mut self) {
        let (pool, lane) = (self.pool.clone(), self.lane);
        // Without a runtime nobody waits for an answer any more.
        if let Ok(runtime) = Handle::try_current() {
            behind::spawn_on(&runtime, move || {
                if std::panic::catch_unwind(AssertUnwindSafe(|| pool.run(lane))).is_err() {
                    // Those who wait find the senders of their answers gone, and the next one starts anew.
                    *pool.lane(lane) = Queue::default();
                }
            });
        }
    }
}

impl Inner {
    fn borrow(&self) -> Result<Connection, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open(&self.path), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn lane(&self, lane: Lane) -> MutexGuard<'_, Queue> {
        let queue = match lane {
            Lane::Entering => &self.entering,
            Lane::CatchingUp => &self.catching_up,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job into a lane. `true`: nobody is at work there.
    fn queue(&self, lane: Lane, job: Job) -> bool {
        let mut queue = self.lane(lane);
        queue.jobs.push(job);
        !std::mem::replace(&mut queue.is_running, true)
    }

    fn run(&self, lane: Lane) {
        let mut connection = None;
        let mut jobs: Vec<Job> = Vec::new();
        loop {
            let mut queue = self.lane(lane);
            let room = ROUND_MAX.saturating_sub(jobs.len()).min(queue.jobs.len());
            jobs.extend(queue.jobs.drain(..room));
            queue.is_running = !jobs.is_empty();
            drop(queue);
            if jobs.is_empty() {
                break;
            }
            jobs = self.round(&mut connection, jobs);
        }
        if let Some(connection) = connection {
            self.give_back(connection);
        }
    }

    /// Does these jobs in one transaction; gives those that go on.
    fn round(&self, connection: &mut Option<Connection>, jobs: Vec<Job>) -> Vec<Job> {
        let mut rest = Vec::new();
        for Job(job) in jobs {
            let lent = match connection.take() {
                Some(connection) => begin(connection),
                None => self.borrow().and_then(begin),
            };
            match lent {
                // A panic is its asker's, who finds the answer's sender gone; the others go on, with another
                // connection.
                Ok(lent) => {
                    if let Ok(more) = std::panic::catch_unwind(AssertUnwindSafe(|| job(Ok(&lent)))) {
                        *connection = Some(lent);
                        rest.extend(more);
                    }
                }
                Err(error) => rest.extend(job(Err(error))),
            }
        }
        *connection = connection.take().and_then(end);
        rest
    }
}

/// Sees to it that the connection is in a transaction.
fn begin(connection: Connection) -> Result<Connection, Error> {
    if connection.is_autocommit() {
        connection.prepare_cached("BEGIN")?.execute([])?;
    }
    Ok(connection)
}

/// Ends its transaction. A connection that cannot is not lent again.
fn end(connection: Connection) -> Option<Connection> {
    let ended = connection.is_autocommit()
        || connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).is_ok();
    ended.then_some(connection)
}

fn panicked() -> Error {
    Error::Panicked
}

fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connection::open_with(path, flags)?;
    connection.set_prepared_statement_cache_capacity(32);
    steady(&connection)?;
    Ok(connection)
}

/// A statement is planned once. Otherwise SQLite plans some anew each time a value is bound, because the value might
/// make another plan better; that costs several times what they do.
pub(super) fn steady(connection: &Connection) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}
