//! Sessions that end take their sockets with them, and are removed some time after.

use crate::accounts::ENDED_KEPT;
use crate::app::App;
use crate::clock;
use crate::store;
use shared::close;
use shared::ids::{SessionId, UserId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the sessions of open sockets go on, in case one was ended where
/// this process did not see it.
const WATCH: Duration = Duration::from_secs(30);
/// Sessions asked about at once.
const PORTION: usize = 1_000;

/// How often ended sessions and tokens are removed.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// Rows in one transaction.
const SWEPT: u32 = 1_000;

/// Closes the sockets of these sessions of somebody with 4401. Their secrets spend nothing of that person's any more.
pub fn end(app: &App, user: UserId, sessions: &[SessionId]) {
    app.ledger.end_sessions(sessions);
    for session in sessions {
        app.registry.close_session(user, *session, close::SESSION_ENDED);
    }
}

/// Looks after open sockets until the server stops.
pub async fn watch(app: Arc<App>) {
    let mut sweep_at = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            () = app.stopping.cancelled() => return,
        }
        if Instant::now() >= sweep_at {
            sweep_at = Instant::now() + SWEEP;
            if let Err(error) = sweep(&app).await {
                tracing::warn!(%error, "session.sweep_failed");
            }
        }
        let sessions = app.registry.sessions();
        for portion in sessions.chunks(PORTION) {
            match app.store.ended_sessions(portion.iter().map(|(_, session)| *session).collect()).await {
                Ok(ended) => {
                    for (user, session) in portion.iter().filter(|(_, session)| ended.contains(session)) {
                        end(&app, *user, &[*session]);
                    }
                }
                Err(error) => tracing::warn!(%error, "session.watch_failed"),
            }
        }
    }
}

/// Removes sessions and tokens that ended long ago.
async fn sweep(app: &App) -> Result<(), store::Error> {
    let before = clock::before(clock::now(), ENDED_KEPT);
    while app.writer.remove_ended_sessions(before, SWEPT).await? {}
    Ok(())
}
