//! How many sockets' tasks have been woken to write, and have not had their turn.
//!
//! A message to a thousand people wakes a thousand tasks. What is delivered before they have run is written together
//! with it; what is delivered while they run wakes those anew that are done. So whoever delivers waits until a large
//! round is over, and then delivers everything that has come meanwhile at once: nobody hears of it later, because the
//! tasks would have stood behind the others anyway, and each socket is written once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// So many woken tasks are a round worth waiting for.
const LARGE: usize = 64;
/// No round is waited for any longer: tasks are also woken by others than whoever delivers.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// The count. Every task that is woken comes, or is dropped with its queue; so it goes back to nothing.
#[derive(Debug, Default)]
pub struct Backlog {
    woken: AtomicUsize,
    over: Notify,
}

impl Backlog {
    /// A task was woken.
    pub(super) fn add(&self) {
        self.woken.fetch_add(1, Ordering::AcqRel);
    }

    /// A woken task has come.
    pub(super) fn done(&self) {
        if self.woken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.over.notify_waiters();
        }
    }

    /// Waits until a large round is over; a small one is not waited for. Whether there was one.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn settled(&self) -> bool {
        if self.woken.load(Ordering::Acquire) < LARGE {
            return false;
        }
        let over = self.over.notified();
        tokio::pin!(over);
        // Before looking again, so that the end is not missed in between.
        over.as_mut().enable();
        if self.woken.load(Ordering::Acquire) > 0 {
            // If it takes longer, what waits is delivered all the same.
            let _ = timeout(WAIT_MAX, over).await;
        }
        true
    }
}
