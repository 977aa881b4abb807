//! Presence: who hears of whose coming and going. One task tells it, in bounded portions, to those
//! who share a direct, group or channel conversation with the person.

use crate::app::App;
use crate::clock;
use crate::presence::{Board, News};
use crate::socket::queue::{About, Item};
use crate::store::{Contacts, Error};
use shared::frame::ServerFrame;
use shared::ids::{Timestamp, UserId};
use shared::presence::{Presence, PresenceState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// People whose news are told in one go.
const PORTION: usize = 64;
/// How often it is looked whether somebody has left.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks pass between two looks for people who do nothing.
const IDLE_TICKS: u32 = 15;

/// The board everybody writes on.
#[derive(Debug, Default)]
pub struct Presences {
    board: Mutex<Board>,
    changed: Notify,
}

/// One open socket's mark on the board; dropping it takes it off.
#[derive(Debug)]
pub struct Mark {
    presences: Arc<Presences>,
    user: UserId,
}

impl Presences {
    /// A socket of this person is open for as long as the mark lives.
    #[must_use]
    pub fn connected(self: &Arc<Self>, user: UserId) -> Mark {
        self.lock().connected(user, Instant::now());
        self.changed.notify_one();
        Mark { presences: self.clone(), user }
    }

    /// How these people are, with what the database knows of those who are not there.
    #[must_use]
    pub fn of(&self, contacts: &Contacts) -> Vec<Presence> {
        let board = self.lock();
        let presence = |&(user, last_seen_at): &(UserId, Option<Timestamp>)| {
            let state = board.state(user);
            Presence { user, state, last_seen_at: last_seen_at.filter(|_| state == PresenceState::Offline) }
        };
        contacts.iter().map(presence).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mark {
    /// The person has done something.
    pub fn active(&self) {
        self.presences.lock().active(self.user, Instant::now());
        self.presences.changed.notify_one();
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.presences.lock().disconnected(self.user, Instant::now(), clock::now());
    }
}

/// Tells who has come and gone until the server stops.
pub async fn run(app: Arc<App>) {
    let mut ticks = 0;
    loop {
        tokio::select! {
            () = app.presences.changed.notified() => {}
            () = tokio::time::sleep(TICK) => {
                ticks += 1;
                let mut board = app.presences.lock();
                board.pass(Instant::now());
                if ticks % IDLE_TICKS == 0 {
                    board.pass_idle(Instant::now());
                }
            }
            () = app.stopping.cancelled() => return,
        }
        loop {
            let news = app.presences.lock().take_news(PORTION);
            if news.is_empty() {
                break;
            }
            if let Err(error) = tell(&app, &news).await {
                tracing::warn!(%error, "presence.failed");
            }
        }
    }
}

async fn tell(app: &App, news: &[News]) -> Result<(), Error> {
    let gone: Vec<_> = news.iter().filter_map(|one| Some((one.user, one.last_seen_at?))).collect();
    let all = app.store.contacts(news.iter().map(|one| one.user).collect()).await?;
    for (News { user, state, last_seen_at }, contacts) in news.iter().copied().zip(all) {
        let frame = super::encode(&ServerFrame::Presence(Presence { user, state, last_seen_at }));
        let item = Item { frame, about: About::Presence };
        app.registry.push_each(contacts.iter().map(|(contact, _)| contact), &item, None);
    }
    if !gone.is_empty() {
        app.writer.set_last_seen(gone).await?;
    }
    Ok(())
}
