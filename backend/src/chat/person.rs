//! People who are called, look or say something else: told to those who are shown it.
//!
//! One small frame, made once, goes to everybody connected who shares one of the person's newest conversations, and to the
//! person's own devices. Whoever changed is only noted ([`tell`]); a task reads how they are seen and tells it, at most one
//! round a second. So however often somebody changes, others are told once a second at most, and the newest wins. The task
//! lives while there is somebody to tell.

use super::flush;
use crate::app::App;
use crate::registry::Socket;
use crate::socket::queue::{About, Item};
use crate::store::Error;
use crate::task::{self, Part};
use shared::account::{PersonChanged, User};
use shared::frame::ServerFrame;
use shared::ids::UserId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The time between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// People who wait to be told of. Whoever is above it is not told of by themselves: others see it when they load what
/// shows it again.
const WAITING_MAX: usize = 10_000;

/// People who are to be told of.
#[derive(Debug, Default)]
pub struct ChangedPeople(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: BTreeSet<UserId>,
    is_running: bool,
    /// When the last round began.
    last: Option<Instant>,
}

impl ChangedPeople {
    /// Notes somebody. `true`: the caller begins to tell.
    fn note(&self, user: UserId) -> bool {
        let mut state = self.lock();
        if state.waiting.len() >= WAITING_MAX && !state.waiting.contains(&user) {
            tracing::warn!(%user, "person.too_many_waiting");
            return false;
        }
        state.waiting.insert(user);
        !std::mem::replace(&mut state.is_running, true)
    }

    /// Whether somebody is still to be told of.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.lock().is_running
    }

    /// How long the next round has to wait; `None`: nobody is left to be told of.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        state.is_running = !state.waiting.is_empty();
        let since = state.last.map_or(PAUSE, |last| now.saturating_duration_since(last));
        state.is_running.then(|| PAUSE.saturating_sub(since))
    }

    /// Begins a round.
    fn take(&self, now: Instant) -> BTreeSet<UserId> {
        let mut state = self.lock();
        state.last = Some(now);
        std::mem::take(&mut state.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells others how somebody is seen from now on, within about a second.
pub fn tell(app: &Arc<App>, user: UserId) {
    if app.changed_people.note(user) {
        task::spawn(&app.store, Part::Delivery, run(app.clone()));
    }
}

async fn run(app: Arc<App>) {
    while let Some(pause) = app.changed_people.pause(Instant::now()) {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let people = app.changed_people.take(Instant::now());
        // What was committed before and is not delivered yet has the old name: it must not come after this.
        flush::flushed(&app).await;
        for user in people {
            if let Err(error) = tell_of(&app, user).await {
                // Others see it when they load what shows it again.
                tracing::warn!(%error, "person.failed");
            }
        }
    }
}

/// Tells one socket how these people are seen: it could not take that before.
///
/// # Errors
/// When the database fails.
pub(super) async fn tell_again(app: &App, socket: &Socket, people: BTreeSet<UserId>) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    for user in app.store.users_by_id(people.into_iter().collect()).await? {
        socket.queue.push(item(user));
    }
    Ok(())
}

async fn tell_of(app: &App, user: UserId) -> Result<(), Error> {
    let Some((user, shown_to)) = app.store.shown_to(user).await? else { return Ok(()) };
    app.registry.push_each(&shown_to, &item(user), None);
    Ok(())
}

fn item(user: User) -> Item {
    let about = About::Person(user.id);
    Item { frame: super::encode(&ServerFrame::Person(Box::new(PersonChanged { user }))), about }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn people_who_change_again_and_again_are_told_of_once_a_second() {
        let people = ChangedPeople::default();
        let (ada, ben) = (clock::id(UserId::v7), clock::id(UserId::v7));
        let start = Instant::now();
        assert!(people.note(ada), "the first begins");
        assert!(!people.note(ada) && !people.note(ben));
        assert_eq!(people.pause(start), Some(Duration::ZERO), "at once");
        assert_eq!(people.take(start), [ada, ben].into());
        assert!(!people.note(ada), "while it runs");
        assert_eq!(people.pause(start + PAUSE / 4), Some(PAUSE - PAUSE / 4));
        assert_eq!(people.take(start + PAUSE), [ada].into());
        assert_eq!(people.pause(start + PAUSE), None);
        assert!(people.note(ben), "and begins again");
        assert_eq!(people.pause(start + PAUSE * 3), Some(Duration::ZERO));
    }

    #[test]
    fn people_above_the_bound_are_not_waited_for() {
        let people = ChangedPeople::default();
        let first = clock::id(UserId::v7);
        people.note(first);
        for _ in 0..WAITING_MAX {
            people.note(clock::id(UserId::v7));
        }
        assert!(!people.note(first), "who waits already goes on waiting");
        assert_eq!(people.take(Instant::now()).len(), WAITING_MAX);
    }
}
