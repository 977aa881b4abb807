//! Stopping: nothing accepted is lost, everybody is told, and it ends in time.
//!
//! 1. No new connections; requests under way finish.
//! 2. Everything queued is committed and its answers are handed to the sockets.
//! 3. Sockets send what waits, say `draining`, and close with 1012.
//! 4. The writer commits what still came in, folds the log away and closes the database.

use crate::app::App;
use crate::chat::deliver::Asker;
use crate::clock;
use anyhow::Context;
use shared::ids::UserId;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the queues have, and how long the sockets have: together below the ten seconds after which
/// a supervisor loses patience.
const FLUSH_MAX: Duration = Duration::from_secs(4);
/// See [`FLUSH_MAX`].
const CLOSE_MAX: Duration = Duration::from_secs(4);

/// How long a server with a part that panicked has to stop.
const FAULT_END_MAX: Duration = Duration::from_secs(10);

/// The signals that ask a server to stop.
#[derive(Debug)]
pub struct Signal {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signal {
    /// Catches SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn catch() -> anyhow::Result<Self> {
        let catch = |kind| unix::signal(kind).context("Signals cannot be caught");
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for the first of them. A second one later ends the process at once.
    pub async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            tracing::warn!("stopping at once");
            std::process::exit(1);
        });
    }
}

/// Sees to it that the process ends, with a failure, even if stopping hangs: a part of the server that others wait for
/// is gone.
pub fn end_in_time() {
    std::thread::spawn(|| {
        std::thread::sleep(FAULT_END_MAX);
        tracing::error!("stopping took too long; ending at once");
        std::process::exit(1);
    });
}

/// Stops a server. Returns when everything accepted is on disk and the database is closed.
pub async fn stop(app: Arc<App>, accepting: JoinHandle<()>) {
    let (users, sockets) = app.registry.count();
    tracing::info!(users, sockets, "stopping");
    app.stopping.cancel();
    // The loop only waits for this token; if it has panicked, that is noted already.
    let _ = accepting.await;

    let flushed = app.writer.flushed(|| Asker::Nobody, clock::id(UserId::v7));
    if timeout(FLUSH_MAX, flushed).await.is_err() {
        tracing::warn!("the database is slow; some people will send again after the restart");
    }
    app.registry.close_all(shared::close::RESTART);
    app.sockets.close();
    if timeout(CLOSE_MAX, app.sockets.wait()).await.is_err() {
        tracing::warn!(sockets = app.registry.count().1, "some sockets did not close in time");
    }
    let closing = tokio::task::spawn_blocking(move || app.writer.close());
    if closing.await.is_err() {
        tracing::error!("closing the database panicked");
    }
    tracing::info!("stopped");
}
