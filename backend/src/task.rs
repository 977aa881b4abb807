//! Parts of the server that run as long as it does. A part that panics ends the process: the others would go on
//! without it, and people would wait for what nobody does any more.
//!
//! [`spawn`] starts each of them; the writer and the applier are threads and report by themselves. What then happens:
//! nothing is written any more, `/readyz` is 503, the server stops as it does on SIGTERM, and the process ends with a
//! failure. The data folder's lock is held until the process has ended.
//!
//! Adding one: a line in [`Part`]; its test follows from [`Part::ALL`].

use crate::store::Store;
use futures_util::FutureExt;
use std::fmt;
use std::panic::AssertUnwindSafe;
use tokio::task::JoinHandle;

/// A part of the server that must not be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Decides and commits what is written.
    Writer,
    /// Brings the journal into the tables.
    Applier,
    /// Tells people what was committed.
    Delivery,
    /// Answers those who wait for a commit to be delivered.
    Barrier,
    /// Tells who is there.
    Presence,
    /// Closes the sockets of ended sessions.
    Sessions,
    /// Removes files that nobody may have.
    Sweep,
    /// Tells browsers whose page is closed.
    Push,
    /// Fills the index of words.
    Index,
    /// Watches how much memory is used.
    Memory,
    /// Accepts connections.
    Listener,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 11] = [
        Part::Writer,
        Part::Applier,
        Part::Delivery,
        Part::Barrier,
        Part::Presence,
        Part::Sessions,
        Part::Sweep,
        Part::Push,
        Part::Index,
        Part::Memory,
        Part::Listener,
    ];

    /// Its name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Writer => "writer",
            Part::Applier => "applier",
            Part::Delivery => "delivery",
            Part::Barrier => "barrier",
            Part::Presence => "presence",
            Part::Sessions => "sessions",
            Part::Sweep => "sweep",
            Part::Push => "push",
            Part::Index => "index",
            Part::Memory => "memory",
            Part::Listener => "listener",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Starts a task that is this part of the server. If it panics, the store notes that the server is broken.
pub fn spawn(store: &Store, part: Part, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        #[cfg(debug_assertions)]
        let task = crate::fault::panicking_when_asked(part, task);
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            store.break_down(part);
        }
    })
}
