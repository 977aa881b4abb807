//! Presence: who hears of whose coming and going. One task tells it, in bounded portions, to those
//! who share a direct, group or channel conversation with the person.

use crate::app::App;
use crate::clock;
use crate::presence::{Board, News};
use crate::socket::queue::{About, Item};
use crate::store::{Contacts, Error};
use foldhash::HashMap;
use shared::account::Privacy;
use shared::frame::ServerFrame;
use shared::ids::{Timestamp, UserId};
use shared::presence::{Presence, PresenceState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
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
    state: Mutex<State>,
    changed: Notify,
    /// Those of whom others are not told everything. Few, and known from the start.
    discreet: RwLock<HashMap<UserId, Privacy>>,
}

#[derive(Debug, Default)]
struct State {
    board: Board,
    /// The contacts of those who have just come in, read for their first screen: not to be read again to tell them.
    contacts: HashMap<UserId, Vec<UserId>>,
}

/// One open socket's mark on the board; dropping it takes it off.
#[derive(Debug)]
pub struct Mark {
    presences: Arc<Presences>,
    user: UserId,
}

impl Presences {
    /// A socket of this person is open for as long as the mark lives. Those who are told are these contacts, where they
    /// are known already.
    #[must_use]
    pub fn connected(self: &Arc<Self>, user: UserId, contacts: Option<&Contacts>) -> Mark {
        let mut state = self.lock();
        state.board.connected(user, Instant::now());
        if state.board.has_news() {
            if let Some(contacts) = contacts.filter(|_| state.board.has_news_of(user)) {
                state.contacts.insert(user, contacts.iter().map(|(contact, _)| *contact).collect());
            }
            self.changed.notify_one();
        }
        drop(state);
        Mark { presences: self.clone(), user }
    }

    /// How these people are, with what the database knows of those who are not there.
    #[must_use]
    pub fn of(&self, contacts: &Contacts) -> Vec<Presence> {
        let board = &self.lock().board;
        let discreet = self.discreet.read().unwrap_or_else(PoisonError::into_inner);
        let presence = |&(user, last_seen_at): &(UserId, Option<Timestamp>)| {
            if discreet.get(&user).is_some_and(|privacy| privacy.hides_presence) {
                return Presence { user, state: PresenceState::Offline, last_seen_at: None };
            }
            let state = board.state(user);
            Presence { user, state, last_seen_at: last_seen_at.filter(|_| state == PresenceState::Offline) }
        };
        contacts.iter().map(presence).collect()
    }

    /// What others are not told of somebody.
    #[must_use]
    pub fn privacy(&self, user: UserId) -> Privacy {
        self.discreet.read().unwrap_or_else(PoisonError::into_inner).get(&user).copied().unwrap_or_default()
    }

    /// What others are not told of somebody is this from now on.
    pub fn set_privacy(&self, user: UserId, privacy: Privacy) {
        let mut discreet = self.discreet.write().unwrap_or_else(PoisonError::into_inner);
        match privacy == Privacy::default() {
            true => discreet.remove(&user),
            false => discreet.insert(user, privacy),
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mark {
    /// The person has done something.
    pub fn active(&self) {
        let mut state = self.presences.lock();
        state.board.active(self.user, Instant::now());
        if state.board.has_news() {
            self.presences.changed.notify_one();
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.presences.lock().board.disconnected(self.user, Instant::now(), clock::now());
    }
}

/// Others are not told of somebody what they were told before, or are again; they see at once how it looks from now on.
///
/// # Errors
/// When the database fails; then it is so all the same, and who comes in sees it.
pub async fn hide(app: &App, user: UserId, privacy: Privacy) -> Result<(), Error> {
    let before = app.presences.privacy(user);
    app.presences.set_privacy(user, privacy);
    if before.hides_presence == privacy.hides_presence {
        return Ok(());
    }
    let contacts = app.store.contacts(vec![user]).await?.pop().unwrap_or_default();
    let contacts: Vec<_> = contacts.into_iter().map(|(contact, _)| contact).collect();
    let there = app.registry.connected(&contacts);
    for presence in app.presences.of(&vec![(user, None)]) {
        let frame = super::encode(&ServerFrame::Presence(presence));
        app.registry.push_each(&there, &Item { frame, about: About::Presence }, None);
    }
    Ok(())
}

/// Tells who has come and gone until the server stops.
pub async fn run(app: Arc<App>) {
    let mut ticks = 0;
    loop {
        tokio::select! {
            () = app.presences.changed.notified() => {}
            () = tokio::time::sleep(TICK) => {
                ticks += 1;
                let board = &mut app.presences.lock().board;
                board.pass(Instant::now());
                if ticks % IDLE_TICKS == 0 {
                    board.pass_idle(Instant::now());
                }
            }
            () = app.stopping.cancelled() => return,
        }
        loop {
            let news = app.presences.lock().take_news();
            if news.is_empty() {
                break;
            }
            if let Err(error) = tell(&app, news).await {
                tracing::warn!(%error, "presence.failed");
            }
        }
    }
}

/// A state to be told, and to whom, if that is known.
type Told = (News, Option<Vec<UserId>>);

impl State {
    fn take_news(&mut self) -> Vec<Told> {
        let news = self.board.take_news(PORTION);
        if news.is_empty() {
            self.contacts.clear();
        }
        news.into_iter().map(|one| (one, self.contacts.remove(&one.user))).collect()
    }
}

async fn tell(app: &App, told: Vec<Told>) -> Result<(), Error> {
    let gone: Vec<_> = told.iter().filter_map(|(one, _)| Some((one.user, one.last_seen_at?))).collect();
    let unknown: Vec<_> = told.iter().filter(|(_, known)| known.is_none()).map(|(one, _)| one.user).collect();
    let mut read = if unknown.is_empty() { Vec::new() } else { app.store.contacts(unknown).await? }.into_iter();
    for (News { user, state, last_seen_at }, known) in told {
        let contacts = known.unwrap_or_else(|| {
            // As many as were asked for come back.
            read.next().unwrap_or_default().into_iter().map(|(contact, _)| contact).collect()
        });
        let there = app.registry.connected(&contacts);
        if there.is_empty() || app.presences.privacy(user).hides_presence {
            continue;
        }
        let frame = super::encode(&ServerFrame::Presence(Presence { user, state, last_seen_at }));
        app.registry.push_each(&there, &Item { frame, about: About::Presence }, None);
    }
    if !gone.is_empty() {
        app.writer.set_last_seen(gone).await?;
    }
    Ok(())
}
