//! Sessions that end take their sockets with them.

use crate::app::App;
use shared::close;
use shared::ids::{SessionId, UserId};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether the sessions of open sockets go on, in case one was ended where
/// this process did not see it.
const WATCH: Duration = Duration::from_secs(30);
/// Sessions asked about at once.
const PORTION: usize = 1_000;

/// Closes the sockets of these sessions of somebody with 4401.
pub fn end(app: &App, user: UserId, sessions: &[SessionId]) {
    for session in sessions {
        app.registry.close_session(user, *session, close::SESSION_ENDED);
    }
}

/// Looks after open sockets until the server stops.
pub async fn watch(app: Arc<App>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            () = app.stopping.cancelled() => return,
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
