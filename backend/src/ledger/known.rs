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

/// First half of the SHA-256 of a session's secret: as hard to hit as the secret is to guess.
type Key = [u8; 16];

/// Known sessions, at most [`KEYS_MAX`] (some 8 MB). When there are more, all are forgotten: each is known again after
/// its next look-up, which an address that has units left pays for, or its share of look-ups.
#[derive(Debug, Default)]
pub struct KnownSessions(Mutex<HashMap<Key, Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    user: UserId,
    session: SessionId,
    /// In nanoseconds of the ledger.
    until: u64,
}

impl KnownSessions {
    /// Notes that a secret with this SHA-256 is a session's. `now` is in nanoseconds of the ledger.
    pub fn note(&self, hash: &[u8; 32], user: UserId, session: SessionId, now: u64) {
        let until = now.saturating_add(u64::try_from(KNOWN_FOR.as_nanos()).unwrap_or(u64::MAX));
        let mut known = self.known();
        if known.len() >= KEYS_MAX && !known.contains_key(&key(hash)) {
            known.clear();
        }
        known.insert(key(hash), Known { user, session, until });
    }

    /// Owner of this session, if it is known.
    #[must_use]
    pub fn user_of(&self, hash: &[u8; 32], now: u64) -> Option<UserId> {
        self.known().get(&key(hash)).filter(|known| known.until > now).map(|known| known.user)
    }

    /// The secret is no session's.
    pub fn forget(&self, hash: &[u8; 32]) {
        self.known().remove(&key(hash));
    }

    /// These sessions have ended, or have another secret.
    pub fn end(&self, sessions: &[SessionId]) {
        if !sessions.is_empty() {
            self.known().retain(|_, known| !sessions.contains(&known.session));
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        // A map is whole at any moment, so a poisoned lock still guards one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(hash: &[u8; 32]) -> Key {
    *hash.first_chunk().expect("16 of 32 bytes")
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
        assert!(known.known().len() <= KEYS_MAX);
    }
}
