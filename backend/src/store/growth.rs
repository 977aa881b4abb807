//! Telling whoever follows the log that it has grown. Noting it costs those who write next to nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Whether the log has grown since its follower looked last; one for each follower.
#[derive(Debug)]
pub(super) struct Growth {
    is_grown: AtomicBool,
    /// The first who has written something since.
    grown: Notify,
}

impl Growth {
    /// What was written before this process began may not have been followed.
    pub(super) fn new() -> Self {
        Self { is_grown: AtomicBool::new(true), grown: Notify::new() }
    }

    /// Something was written, or is to be looked at again.
    pub(super) fn note(&self) {
        if !self.is_grown.load(Ordering::Relaxed) && !self.is_grown.swap(true, Ordering::Relaxed) {
            self.grown.notify_one();
        }
    }

    /// Whether something was written since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.is_grown.swap(false, Ordering::Relaxed)
    }

    /// Waits until something has been written, and takes note of it.
    pub(super) async fn wait(&self) {
        while !self.take() {
            self.grown.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn growth_is_told_once_and_none_is_missed() {
        let growth = Growth::new();
        growth.wait().await;
        let is_told = async || timeout(Duration::from_secs(1), growth.wait()).await.is_ok();
        assert!(!is_told().await, "nothing has been written since");
        growth.note();
        growth.note();
        assert!(is_told().await);
        assert!(!is_told().await);
        growth.note();
        assert!(growth.take() && !growth.take());
    }
}
