//! Read-only connections, lent to one reader each.

use crate::store::Error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    lane: Mutex<Lane>,
}

/// Short reads that are done one after the other by one thread, which looks for more before it rests: waking another
/// thread costs more than such a read. Bounded by those who wait for the answers.
#[derive(Default)]
struct Lane {
    jobs: Vec<Job>,
    is_running: bool,
}

type Job = Box<dyn FnOnce(Result<&Connection, Error>) + Send>;

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("jobs", &self.jobs.len()).field("is_running", &self.is_running).finish()
    }
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(Inner {
            path: path.to_owned(),
            idle: Mutex::new(Vec::with_capacity(READERS)),
            permits: Arc::new(Semaphore::new(READERS)),
            lane: Mutex::default(),
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
        tokio::task::spawn_blocking(move || {
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

    /// The same for work that is short and comes often: it waits for others like it, and for nothing else.
    ///
    /// # Cancel safety
    /// A dropped caller does not stop work that has begun; it only reads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_in_turn<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have gone.
            let _ = reply.send(connection.and_then(work));
        });
        if self.0.queue(job) {
            let pool = self.0.clone();
            tokio::task::spawn_blocking(move || pool.run_lane());
        }
        answer.await.map_err(|_| panicked())?
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

    /// Puts a job into the lane. `true`: nobody is at work there.
    fn queue(&self, job: Job) -> bool {
        let mut lane = self.lane.lock().unwrap_or_else(PoisonError::into_inner);
        lane.jobs.push(job);
        !std::mem::replace(&mut lane.is_running, true)
    }

    fn run_lane(&self) {
        let mut connection = None;
        loop {
            let mut lane = self.lane.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = std::mem::take(&mut lane.jobs);
            lane.is_running = !jobs.is_empty();
            drop(lane);
            if jobs.is_empty() {
                break;
            }
            for job in jobs {
                let lent = match connection.take() {
                    Some(connection) => Ok(connection),
                    None => self.borrow(),
                };
                match lent {
                    Ok(lent) => {
                        // A panic is its asker's, who finds the answer's sender gone; the others go on, with another
                        // connection.
                        if std::panic::catch_unwind(AssertUnwindSafe(|| job(Ok(&lent)))).is_ok() {
                            connection = Some(lent);
                        }
                    }
                    Err(error) => job(Err(error)),
                }
            }
        }
        if let Some(connection) = connection {
            self.give_back(connection);
        }
    }
}

fn panicked() -> Error {
    Error::Corrupt("a reader panicked".into())
}

fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
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
