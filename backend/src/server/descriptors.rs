//! Descriptors: as many as the system allows, and some of them kept for the store.
//!
//! Every connection is a descriptor, and so is every file. Without a bound connections take all of them, and then the
//! store, uploads and push services have none. So the accept loop pauses at [`Descriptors::connections_max`]; those who
//! come meanwhile wait in the system's backlog until others have gone. Own connections are counted, nothing is probed.

use rustix::process::{Resource, getrlimit, setrlimit};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Kept for what is no connection: the database, the index and the journal have some forty, requests to push services
/// up to 64; files that come and go have the rest.
const RESERVE_MIN: usize = 128;
/// Of a large limit an eighth is kept, but no more than this.
const RESERVE_MAX: usize = 1_024;

/// Raises the soft limit of descriptors to the hard one.
pub fn raise() {
    let before = getrlimit(Resource::Nofile);
    let mut wanted = before;
    wanted.current = before.maximum;
    let raised = setrlimit(Resource::Nofile, wanted);
    let limit = limit();
    if let Err(error) = raised {
        tracing::warn!(%error, descriptors = limit, "descriptors.not_raised");
        return;
    }
    let connections_max = limit.saturating_sub(reserve(limit));
    tracing::info!(
        descriptors = limit,
        descriptors_before = before.current,
        connections_max,
        "the limit of descriptors is {limit}: at most {connections_max} connections at a time"
    );
}

/// How many descriptors this process may have.
fn limit() -> usize {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// How many of so many are not for connections.
fn reserve(limit: usize) -> usize {
    (limit / 8).clamp(RESERVE_MIN, RESERVE_MAX).min(limit / 2)
}

/// Counts connections.
#[derive(Debug)]
pub struct Descriptors(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connections_max: usize,
    connections: AtomicUsize,
    /// Told when one has gone while the accept loop pauses.
    freed: Notify,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Held(Arc<Inner>);

impl Descriptors {
    /// For the limit this process has now.
    #[must_use]
    pub fn of_process() -> Self {
        let limit = limit();
        Self::with_max(limit.saturating_sub(reserve(limit)))
    }

    fn with_max(connections_max: usize) -> Self {
        Self(Arc::new(Inner { connections_max, connections: AtomicUsize::new(0), freed: Notify::new() }))
    }

    /// Accepts the next connection once there is room for it.
    ///
    /// # Cancel safety
    /// No connection is lost.
    ///
    /// # Errors
    /// When the system does not give one.
    pub async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        self.room().await;
        listener.accept().await
    }

    /// Waits until there is room for another connection.
    async fn room(&self) {
        let inner = &self.0;
        if inner.has_room() {
            return;
        }
        tracing::warn!(
            connections_max = inner.connections_max,
            "accept.paused: all descriptors for connections are taken"
        );
        while !inner.has_room() {
            inner.freed.notified().await;
        }
        tracing::info!("accept.resumed");
    }

    /// Counts a connection.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        Held(self.0.clone())
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.connections.load(Ordering::Relaxed) < self.connections_max
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::Relaxed) == self.0.connections_max {
            // A permit is kept if the loop does not wait yet.
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[test]
    fn some_descriptors_are_kept_at_any_limit() {
        for (limit, expected) in [(100, 50), (256, 128), (1_024, 128), (4_096, 512), (1_048_576, 1_024)] {
            assert_eq!(reserve(limit), expected, "{limit}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_accept_loop_waits_at_the_bound_until_a_connection_has_gone() {
        let descriptors = Descriptors::with_max(2);
        let has_room = async || timeout(Duration::from_secs(1), descriptors.room()).await.is_ok();
        assert!(has_room().await);
        let (one, _other) = (descriptors.hold(), descriptors.hold());
        assert!(!has_room().await, "all are taken");
        // A connection that changes hands is counted twice for a moment.
        let twice = descriptors.hold();
        drop(twice);
        assert!(!has_room().await, "as many as before");
        drop(one);
        assert!(has_room().await);
    }
}
