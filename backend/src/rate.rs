//! How often somebody may do something: a bucket of tokens that refills evenly.
//!
//! A bucket is kept as one moment, the one at which it will be full again (the form known as GCRA,
//! ITU-T I.371): a few bytes for each key, exact at any clock. Own code because wrong passwords must
//! be asked about without counting, and the number of keys is bounded; the clock is a parameter, so
//! tests move it by hand.

use shared::code::{Code, Rejection};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many at once, and one more each time this long has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// How long it takes until one more may come.
    pub each: Duration,
}

impl Rate {
    /// `burst` at once, and `count` in each `period` for ever.
    #[must_use]
    pub fn new(burst: u32, count: u32, period: Duration) -> Self {
        Self { burst: burst.max(1), each: period / count.max(1) }
    }

    /// When the bucket is full again after one more token is taken, or how long there is none.
    fn after(self, full_at: Instant, now: Instant) -> Result<Instant, Duration> {
        self.after_many(full_at, 1, now)
    }

    /// When the bucket is full again after so many tokens are taken, or how long there are not so many.
    fn after_many(self, full_at: Instant, count: u32, now: Instant) -> Result<Instant, Duration> {
        let next = full_at.max(now) + self.each * count;
        let wait = (next - now).saturating_sub(self.each * self.burst);
        if wait.is_zero() { Ok(next) } else { Err(wait) }
    }
}

/// What somebody is told who did something too often: this sentence, and how long to wait.
#[must_use]
pub fn refusal(message: impl Into<String>, wait: Duration) -> Rejection {
    with_wait(Code::RateLimited, message, wait)
}

/// Refusal of what the server has no room for now, whoever asks: this sentence, and how long to wait.
#[must_use]
pub fn overloaded(message: impl Into<String>, wait: Duration) -> Rejection {
    with_wait(Code::Overloaded, message, wait)
}

fn with_wait(code: Code, message: impl Into<String>, wait: Duration) -> Rejection {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Rejection::new(code, message).retry_after_ms(wait_ms)
}

/// One bucket; a new one is full. Its rate is said each time, so that many with the same do not each keep it.
#[derive(Debug, Default)]
pub struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.full_at = Some(rate.after(self.full_at.unwrap_or(now), now)?);
        Ok(())
    }
}

/// Buckets by key, at most [`KEYS_MAX`]. When there are more, those that are full are forgotten (they
/// mean nothing); if all still matter, all are: a few may then do more than they should for a moment,
/// and memory stays bounded.
#[derive(Debug)]
pub struct Limiter<K> {
    rate: Rate,
    full_at: Mutex<HashMap<K, Instant>>,
}

/// How many keys a limiter remembers.
pub const KEYS_MAX: usize = 100_000;

impl<K: Hash + Eq> Limiter<K> {
    /// A limiter that has seen nobody.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::new(HashMap::new()) }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.take_many(key, 1, now)
    }

    /// Takes so many tokens, or none. More than the rate's burst are never there at once.
    ///
    /// # Errors
    /// How long until there are so many.
    pub fn take_many(&self, key: K, count: u32, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.rate.after_many(*full_at.get(&key).unwrap_or(&now), count, now)?;
        if full_at.len() >= KEYS_MAX && !full_at.contains_key(&key) {
            full_at.retain(|_, moment| *moment > now);
            if full_at.len() >= KEYS_MAX {
                full_at.clear();
            }
        }
        full_at.insert(key, next);
        Ok(())
    }

    /// Gives a token back that was not needed after all.
    pub fn give_back(&self, key: &K) {
        self.give_back_many(key, 1);
    }

    /// Gives so many tokens back.
    pub fn give_back_many(&self, key: &K, count: u32) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moment) = full_at.get_mut(key) {
            *moment = moment.checked_sub(self.rate.each * count).unwrap_or(*moment);
        }
    }

    /// Whether there is a token, without taking it.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn peek(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.rate.after(*full_at.get(key).unwrap_or(&now), now).map(|_| ())
    }
}

/// Keys seen before, at most [`KEYS_MAX`]; when there are more, all are forgotten.
#[derive(Debug)]
pub struct Known<K>(Mutex<HashSet<K>>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Known<K> {
    /// Remembers a key.
    pub fn insert(&self, key: K) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains(&key) {
            keys.clear();
        }
        keys.insert(key);
    }

    /// Whether it was seen before.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_and_then_an_even_pace() {
        let limiter = Limiter::new(Rate::new(60, 30, 10 * SECOND));
        let start = Instant::now();
        for _ in 0..60 {
            assert_eq!(limiter.take("ada", start), Ok(()));
        }
        let wait = limiter.take("ada", start).expect_err("the burst is used up");
        assert_eq!(wait, SECOND / 3);
        assert_eq!(limiter.take("ben", start), Ok(()), "another one's bucket");
        assert_eq!(limiter.take("ada", start + wait), Ok(()));
        assert!(limiter.take("ada", start + wait).is_err());
        let later = start + 100 * SECOND;
        assert_eq!((0..100).filter(|_| limiter.take("ada", later).is_ok()).count(), 60, "it fills up, not over");
    }

    #[test]
    fn asking_takes_nothing() {
        let limiter = Limiter::new(Rate::new(1, 1, SECOND));
        let now = Instant::now();
        for _ in 0..9 {
            assert_eq!(limiter.peek(&1, now), Ok(()));
        }
        assert_eq!(limiter.take(1, now), Ok(()));
        assert_eq!(limiter.peek(&1, now), Err(SECOND));
        limiter.give_back(&1);
        assert_eq!(limiter.take(1, now), Ok(()));
    }

    #[test]
    fn many_are_taken_at_once_or_none() {
        let limiter = Limiter::new(Rate::new(10, 5, 10 * SECOND));
        let start = Instant::now();
        assert_eq!(limiter.take_many("ada", 8, start), Ok(()));
        assert_eq!(
            limiter.take_many("ada", 4, start),
            Err(4 * SECOND),
            "two are there, and two more take four seconds"
        );
        assert_eq!(limiter.take_many("ada", 2, start), Ok(()), "what was refused took nothing");
        assert_eq!(limiter.take_many("ada", 4, start + 8 * SECOND), Ok(()));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let limiter = Limiter::new(Rate::new(1, 1, SECOND));
        let now = Instant::now();
        for key in 0..KEYS_MAX + 10 {
            assert_eq!(limiter.take(key, now), Ok(()));
        }
        assert!(limiter.full_at.lock().expect("not poisoned").len() <= KEYS_MAX);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let known = Known::default();
        for key in 0..KEYS_MAX + 10 {
            known.insert(key);
        }
        assert!(known.contains(&(KEYS_MAX + 9)) && !known.contains(&0));
        assert!(known.0.lock().expect("not poisoned").len() <= KEYS_MAX);
    }

    #[test]
    fn key_that_is_known_already_makes_nothing_forgotten_at_the_bound() {
        let known = Known::default();
        for key in 0..KEYS_MAX {
            known.insert(key);
        }
        known.insert(0);
        assert!(known.contains(&(KEYS_MAX - 1)));
    }
}
