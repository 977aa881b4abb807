//! Sessions that were found when they were looked up last: who pays for a request that shows one is known before it is
//! looked up again.
//!
//! The ledger asks with every request; whoever looks a session up says what came of it. A session is forgotten when it
//! ends, when it is not found, and [`KNOWN_FOR`] after it was found last: a secret that is no session's any more can spend
//! nothing of its owner's.

use crate::rate::KEYS_MAX;
use shared::ids::{SessionId, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time after which a session that was not looked up is unknown.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// First quarter of the SHA-256 of a session's secret; the second quarter stands in the entry.
type Key = u64;

/// Known sessions, at most [`KEYS_MAX`] (some 11 MB). When there are more, all are forgotten: each is known again after
/// its next look-up, which an address that has units left pays for, or its share of look-ups.
#[derive(Debug, Default)]
pub struct KnownSessions(Mutex<Sessions>);

/// Always holds: each entry of one map has one in the other.
#[derive(Debug, Default)]
struct Sessions {
    by_key: HashMap<Key, Known>,
    /// The key of each session, so that its end does not look at those of others.
    keys: HashMap<SessionId, Key>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// With its key, half of the hash: as hard to hit as the secret is to guess.
    rest: u64,
    user: UserId,
    session: SessionId,
    /// In nanoseconds of the ledger.
    until: u64,
}

impl Sessions {
    fn get(&self, hash: &[u8; 32]) -> Option<&Known> {
        let (key, rest) = split(hash);
        self.by_key.get(&key).filter(|known| known.rest == rest)
    }

    fn insert(&mut self, hash: &[u8; 32], user: UserId, session: SessionId, until: u64) {
        let (key, rest) = split(hash);
        if let Some(known) = self.by_key.get_mut(&key)
            && (known.rest, known.user, known.session) == (rest, user, session)
        {
            known.until = until;
            return;
        }
        // Another secret of the same session, and another session of the same key, which nobody sees happen.
        self.remove_session(session);
        self.remove_key(key);
        if self.by_key.len() >= KEYS_MAX {
            self.by_key.clear();
            self.keys.clear();
        }
        self.by_key.insert(key, Known { rest, user, session, until });
        self.keys.insert(session, key);
    }

    fn remove_key(&mut self, key: Key) {
        if let Some(known) = self.by_key.remove(&key) {
            self.keys.remove(&known.session);
        }
    }

    fn remove_session(&mut self, session: SessionId) {
        if let Some(key) = self.keys.remove(&session) {
            self.by_key.remove(&key);
        }
    }
}

impl KnownSessions {
    /// Notes that a secret with this SHA-256 is a session's. `now` is in nanoseconds of the ledger.
    pub fn note(&self, hash: &[u8; 32], user: UserId, session: SessionId, now: u64) {
        let until = now.saturating_add(u64::try_from(KNOWN_FOR.as_nanos()).unwrap_or(u64::MAX));
        self.known().insert(hash, user, session, until);
    }

    /// Owner of this session, if it is known.
    #[must_use]
    pub fn user_of(&self, hash: &[u8; 32], now: u64) -> Option<UserId> {
        self.known().get(hash).filter(|known| known.until > now).map(|known| known.user)
    }

    /// The secret is no session's.
    pub fn forget(&self, hash: &[u8; 32]) {
        let mut known = self.known();
        if known.get(hash).is_some() {
            known.remove_key(split(hash).0);
        }
    }

    /// These sessions have ended, or have another secret. Takes as long as there are of them, however many are known.
    pub fn end(&self, sessions: &[SessionId]) {
        let mut known = self.known();
        sessions.iter().for_each(|session| known.remove_session(*session));
    }

    fn known(&self) -> MutexGuard<'_, Sessions> {
        // Nothing in here panics between the two maps, so a poisoned lock still guards whole ones.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn split(hash: &[u8; 32]) -> (Key, u64) {
    let quarter = |at: usize| u64::from_be_bytes(*hash[at..].first_chunk().expect("8 of 32 bytes"));
    (quarter(0), quarter(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn session_is_known_until_it_ends_or_is_not_found_or_a_day_has_passed() {
        let known = KnownSessions::default();
        let (user, session) = (clock::id(UserId::v7), clock::id(SessionId::v7));
        let day = u64::try_from(KNOWN_FOR.as_nanos()).expect("small");
        known.note(&[1; 32], user, session, 5);
        assert_eq!([4, 5 + day - 1, 5 + day].map(|now| known.user_of(&[1; 32], now)), [Some(user), Some(user), None]);
        assert_eq!(known.user_of(&[2; 32], 5), None);
        known.forget(&[1; 32]);
        assert_eq!(known.user_of(&[1; 32], 5), None);
        known.note(&[1; 32], user, session, 5);
        known.note(&[2; 32], user, clock::id(SessionId::v7), 5);
        known.end(&[session]);
        assert_eq!([[1; 32], [2; 32]].map(|hash| known.user_of(&hash, 5)), [None, Some(user)]);
    }

    #[test]
    fn number_of_known_sessions_is_bounded() {
        let known = KnownSessions::default();
        let (user, session) = (clock::id(UserId::v7), clock::id(SessionId::v7));
        for number in 0..KEYS_MAX + 9 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            known.note(&hash, user, session, 0);
        }
        assert!(known.known().by_key.len() <= KEYS_MAX);
        check_invariants(&known);
    }

    fn check_invariants(known: &KnownSessions) {
        let Sessions { by_key, keys } = &*known.known();
        assert_eq!(by_key.len(), keys.len());
        assert!(by_key.iter().all(|(key, known)| keys.get(&known.session) == Some(key)));
    }

    #[test]
    fn ends_of_a_thousand_sessions_leave_the_others_and_nothing_of_their_own() {
        let known = KnownSessions::default();
        let user = clock::id(UserId::v7);
        let hash = |number: usize| {
            let mut hash = [7; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            hash
        };
        let sessions: Vec<_> = (0..3_000).map(|_| clock::id(SessionId::v7)).collect();
        for (number, session) in sessions.iter().enumerate() {
            known.note(&hash(number), user, *session, 0);
        }
        known.end(&sessions[..1_000]);
        known.end(&sessions[..1]);
        check_invariants(&known);
        let is_known = |number: usize| known.user_of(&hash(number), 0).is_some();
        assert!((0..1_000).all(|number| !is_known(number)) && (1_000..3_000).all(is_known));
        // Another secret takes the place of the one before, and with it the session's end is found.
        known.note(&hash(9_999), user, sessions[1_000], 0);
        known.note(&hash(9_999), user, sessions[1_000], 0);
        check_invariants(&known);
        assert!(!is_known(1_000) && is_known(9_999));
        known.end(&sessions[1_000..1_001]);
        assert!(!is_known(9_999));
        known.forget(&hash(1_001));
        known.end(&sessions[1_001..1_002]);
        check_invariants(&known);
        assert_eq!(known.known().by_key.len(), 1_998);
    }

    #[test]
    fn half_of_a_hash_has_to_fit() {
        let known = KnownSessions::default();
        let (user, session) = (clock::id(UserId::v7), clock::id(SessionId::v7));
        known.note(&[1; 32], user, session, 0);
        let mut other = [1; 32];
        other[15] = 2;
        assert_eq!(known.user_of(&other, 0), None);
        known.forget(&other);
        assert_eq!(known.user_of(&[1; 32], 0), Some(user), "what is no session's takes nobody else's away");
        known.note(&other, user, clock::id(SessionId::v7), 0);
        check_invariants(&known);
    }
}
