//! Places at push services that do not answer: noted for as long as the server runs, and forgotten for good at last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Notices in a row that a place may fail to take.
const FAILED_MAX: u32 = 5;
/// And the least time in which it fails: a network that is away for an hour costs nobody their notifications.
const FAILED_FOR: Duration = Duration::from_secs(6 * 60 * 60);
/// Places that are remembered, up to a kilobyte each. Above it all are given another chance.
const PLACES_MAX: usize = 4_096;

/// Places that failed the last time.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, Failing>);

#[derive(Debug)]
struct Failing {
    count: u32,
    since: Instant,
}

impl Places {
    /// Whether it failed the last time.
    pub(super) fn is_doubtful(&self, url: &str) -> bool {
        self.0.contains_key(url)
    }

    /// It has answered, whatever the answer was.
    pub(super) fn answered(&mut self, url: &str) {
        self.0.remove(url);
    }

    /// It has not taken a notice. `true`: it is to be forgotten.
    pub(super) fn failed(&mut self, url: &str, now: Instant) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(url) {
            self.0.clear();
        }
        let failing = self.0.entry(url.to_owned()).or_insert(Failing { count: 0, since: now });
        failing.count += 1;
        let is_dead = failing.count >= FAILED_MAX && now.saturating_duration_since(failing.since) >= FAILED_FOR;
        if is_dead {
            self.0.remove(url);
        }
        is_dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_fails_again_and_again_is_forgotten_and_one_that_answers_is_not() {
        let mut places = Places::default();
        let start = Instant::now();
        assert!((0..100).all(|_| !places.failed("a", start)), "not for a moment");
        assert!(places.failed("a", start + FAILED_FOR));
        assert!(!places.is_doubtful("a"));
        for hour in 0..100 {
            assert!(!places.failed("b", start + hour * FAILED_FOR / 2), "it answers in between");
            assert!(places.is_doubtful("b"));
            places.answered("b");
            assert!(!places.is_doubtful("b"));
        }
    }

    #[test]
    fn places_that_are_remembered_are_bounded() {
        let mut places = Places::default();
        let now = Instant::now();
        for place in 0..2 * PLACES_MAX {
            places.failed(&place.to_string(), now);
        }
        assert!(places.0.len() <= PLACES_MAX);
    }
}
