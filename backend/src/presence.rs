//! Who is there: a pure machine that is told what happens and when, and says whose state has changed.
//!
//! Somebody is `online` while one of their sockets is open and they do something now and then, `away`
//! after ten minutes of nothing but heartbeats, and `offline` ten seconds after their last socket has
//! closed: a reload or a short cut is nobody's news.

use shared::ids::{Timestamp, UserId};
use shared::presence::PresenceState;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How long after the last socket somebody is gone.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(10);
/// How long after the last thing they did somebody is away.
pub const AWAY_AFTER: Duration = Duration::from_secs(600);

/// Everybody who is there, and whose state others have not been told yet.
#[derive(Debug, Default)]
pub struct Board {
    people: HashMap<UserId, Person>,
    /// Those without a socket, in the order in which they left. Who comes back in time is taken out, so it is never
    /// longer than there are people.
    leaving: BTreeSet<(Instant, UserId)>,
    untold: BTreeSet<UserId>,
}

#[derive(Debug)]
struct Person {
    sockets: usize,
    /// What others were told, or are going to be.
    state: PresenceState,
    active_at: Instant,
    /// When the last socket closed, if none is open.
    left: Option<(Instant, Timestamp)>,
}

/// A state to be told to those it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub state: PresenceState,
    /// When they left, if they have.
    pub last_seen_at: Option<Timestamp>,
}

impl Board {
    /// A socket has opened.
    pub fn connected(&mut self, user: UserId, now: Instant) {
        let person = self.people.entry(user).or_insert(Person {
            sockets: 0,
            state: PresenceState::Offline,
            active_at: now,
            left: None,
        });
        person.sockets += 1;
        if let Some((left, _)) = person.left.take() {
            self.leaving.remove(&(left, user));
        }
        self.active(user, now);
    }

    /// A socket has closed.
    pub fn disconnected(&mut self, user: UserId, now: Instant, at: Timestamp) {
        if let Some(person) = self.people.get_mut(&user) {
            person.sockets = person.sockets.saturating_sub(1);
            if person.sockets == 0 {
                person.left = Some((now, at));
                self.leaving.insert((now, user));
            }
        }
    }

    /// Somebody has done something.
    pub fn active(&mut self, user: UserId, now: Instant) {
        if let Some(person) = self.people.get_mut(&user) {
            person.active_at = now;
            if person.state != PresenceState::Online {
                person.state = PresenceState::Online;
                self.untold.insert(user);
            }
        }
    }

    /// Whether others have to be told of anybody.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Whether others have to be told of this person.
    #[must_use]
    pub fn has_news_of(&self, user: UserId) -> bool {
        self.untold.contains(&user)
    }

    /// How somebody is.
    #[must_use]
    pub fn state(&self, user: UserId) -> PresenceState {
        self.people.get(&user).map_or(PresenceState::Offline, |person| person.state)
    }

    /// Time has passed: notes who has left for good.
    pub fn pass(&mut self, now: Instant) {
        while let Some((since, user)) = self.leaving.first().copied()
            && now.saturating_duration_since(since) >= OFFLINE_AFTER
        {
            self.leaving.pop_first();
            if let Some(person) = self.people.get_mut(&user)
                && person.state != PresenceState::Offline
            {
                person.state = PresenceState::Offline;
                self.untold.insert(user);
            }
        }
    }

    /// Time has passed: notes who has done nothing for long. Looks at everybody, so not too often.
    pub fn pass_idle(&mut self, now: Instant) {
        for (user, person) in &mut self.people {
            let is_idle = now.saturating_duration_since(person.active_at) >= AWAY_AFTER;
            if is_idle && person.state == PresenceState::Online && person.left.is_none() {
                person.state = PresenceState::Away;
                self.untold.insert(*user);
            }
        }
    }

    /// Takes at most `most` states that others have to be told. Those who have gone are forgotten.
    pub fn take_news(&mut self, most: usize) -> Vec<News> {
        let mut news = Vec::new();
        while news.len() < most
            && let Some(user) = self.untold.pop_first()
        {
            let Some(person) = self.people.get(&user) else { continue };
            let state = person.state;
            let last_seen_at = person.left.map(|(_, at)| at).filter(|_| state == PresenceState::Offline);
            news.push(News { user, state, last_seen_at });
            if state == PresenceState::Offline {
                self.people.remove(&user);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn told(board: &mut Board) -> Vec<PresenceState> {
        board.take_news(99).iter().map(|news| news.state).collect()
    }

    #[test]
    fn somebody_is_online_with_the_first_socket_and_offline_ten_seconds_after_the_last() {
        let (mut board, ada, start) = (Board::default(), clock::id(UserId::v7), Instant::now());
        let at = Timestamp::from_millis(7);
        board.connected(ada, start);
        board.connected(ada, start);
        assert_eq!(told(&mut board), [PresenceState::Online]);
        board.disconnected(ada, start, at);
        board.disconnected(ada, start, at);
        board.pass(start + OFFLINE_AFTER - Duration::from_millis(1));
        assert_eq!(told(&mut board), []);
        board.pass(start + OFFLINE_AFTER);
        let news = board.take_news(99);
        assert_eq!(news, [News { user: ada, state: PresenceState::Offline, last_seen_at: Some(at) }]);
        board.pass(start + 9 * OFFLINE_AFTER);
        assert_eq!(told(&mut board), [], "once");
        assert!(board.people.is_empty() && board.leaving.is_empty());
    }

    #[test]
    fn coming_back_in_time_is_no_news() {
        let (mut board, ada, start) = (Board::default(), clock::id(UserId::v7), Instant::now());
        board.connected(ada, start);
        told(&mut board);
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            board.disconnected(ada, now, Timestamp::default());
            board.pass(now);
            assert_eq!(board.leaving.len(), 1, "however often they go");
            board.connected(ada, now);
        }
        assert!(board.leaving.is_empty());
        board.pass(start + Duration::from_secs(99));
        assert_eq!(told(&mut board), []);
        assert_eq!(board.state(ada), PresenceState::Online);
    }

    #[test]
    fn who_does_nothing_is_away_until_they_do_something() {
        let (mut board, ada, start) = (Board::default(), clock::id(UserId::v7), Instant::now());
        board.connected(ada, start);
        told(&mut board);
        board.pass_idle(start + AWAY_AFTER - Duration::from_secs(1));
        assert_eq!(told(&mut board), []);
        board.pass_idle(start + AWAY_AFTER);
        assert_eq!(told(&mut board), [PresenceState::Away]);
        board.active(ada, start + AWAY_AFTER);
        assert_eq!(told(&mut board), [PresenceState::Online]);
    }

    #[test]
    fn news_come_in_bounded_portions() {
        let (mut board, now) = (Board::default(), Instant::now());
        for _ in 0..10 {
            board.connected(clock::id(UserId::v7), now);
        }
        assert_eq!((board.take_news(7).len(), board.take_news(7).len()), (7, 3));
    }
}
