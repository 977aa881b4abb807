//! Buckets of cost units and counts of what is under way, each one number that needs no lock: a socket takes from its
//! person's bucket with every frame.
//!
//! A bucket keeps the moment at which it will be full again (GCRA, ITU-T I.371), in nanoseconds since the ledger was
//! opened. The clock is a parameter.

use crate::rate::Rate;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A [`Rate`] in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    each: u64,
    burst: u32,
}

impl From<Rate> for Pace {
    fn from(Rate { burst, each }: Rate) -> Self {
        Self { each: u64::try_from(each.as_nanos()).unwrap_or(u64::MAX), burst }
    }
}

impl Pace {
    /// How long it takes to fill so many units. More than the whole bucket is the whole bucket: whatever costs that
    /// much can be had when nothing else was.
    fn span(self, units: u32) -> u64 {
        self.each.saturating_mul(units.min(self.burst).into())
    }
}

/// A bucket; a new one is full.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes units.
    ///
    /// # Errors
    /// How long until there are as many. Nothing was taken.
    pub fn take(&self, pace: Pace, units: u32, now: u64) -> Result<(), Duration> {
        let all = now.saturating_add(pace.span(pace.burst));
        let next = |full_at: u64| full_at.max(now).saturating_add(pace.span(units));
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            Some(next(full_at)).filter(|next| *next <= all)
        });
        taken.map(drop).map_err(|full_at| Duration::from_nanos(next(full_at).saturating_sub(all)))
    }

    /// Takes units of what was done already. A bucket that has fewer is empty afterwards; nobody is in debt.
    pub fn charge(&self, pace: Pace, units: u32, now: u64) {
        let all = now.saturating_add(pace.span(pace.burst));
        self.0.update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            full_at.max(now).saturating_add(pace.span(units)).min(all)
        });
    }

    /// Gives units back that somebody else pays for.
    pub fn give_back(&self, pace: Pace, units: u32) {
        self.0.update(Ordering::Relaxed, Ordering::Relaxed, |full_at| full_at.saturating_sub(pace.span(units)));
    }

    /// Whether nothing is missing: a new bucket would be the same.
    #[must_use]
    pub fn is_full(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}

/// How much of something is under way.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it if it is not above `most` afterwards. Whether it was added.
    #[must_use]
    pub fn take(&self, much: u64, most: u64) -> bool {
        let add = |count: u64| count.checked_add(much).filter(|count| *count <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// The same, but when nothing is under way anything may be.
    #[must_use]
    pub fn take_first(&self, much: u64, most: u64) -> bool {
        let add = |count: u64| count.checked_add(much).filter(|sum| count == 0 || *sum <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// What was under way has ended. Only what was taken is given back.
    pub fn give_back(&self, much: u64) {
        self.0.fetch_sub(much, Ordering::Relaxed);
    }

    /// How much there is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pace() -> Pace {
        Rate::new(10, 10, Duration::from_secs(10)).into()
    }

    #[test]
    fn bucket_gives_its_burst_and_then_its_rate() {
        let bucket = Bucket::default();
        let now = 100 * SECOND;
        assert_eq!(bucket.take(pace(), 4, now), Ok(()));
        assert_eq!(bucket.take(pace(), 6, now), Ok(()));
        assert_eq!(bucket.take(pace(), 3, now), Err(Duration::from_secs(3)));
        assert_eq!(bucket.take(pace(), 1, now), Err(Duration::from_secs(1)), "a refusal takes nothing");
        assert_eq!(bucket.take(pace(), 3, now + 3 * SECOND), Ok(()));
        assert!(!bucket.is_full(now + 3 * SECOND) && bucket.is_full(now + 13 * SECOND));
        assert_eq!(bucket.take(pace(), 11, now + 99 * SECOND), Ok(()), "what costs more than all costs all");
        assert!(bucket.take(pace(), 1, now + 99 * SECOND).is_err());
    }

    #[test]
    fn charged_bucket_is_empty_at_worst_and_gets_back_what_it_gave() {
        let (bucket, now) = (Bucket::default(), 100 * SECOND);
        for _ in 0..9 {
            bucket.charge(pace(), 7, now);
        }
        assert_eq!(bucket.take(pace(), 1, now), Err(Duration::from_secs(1)));
        bucket.give_back(pace(), 1);
        assert_eq!(bucket.take(pace(), 1, now), Ok(()));
    }

    #[test]
    fn count_takes_up_to_its_bound_and_one_that_is_alone_above() {
        let count = Count::default();
        assert!(count.take(2, 3) && !count.take(2, 3) && count.take(1, 3));
        assert_eq!(count.get(), 3);
        assert!(!count.take_first(9, 3));
        count.give_back(3);
        assert!(count.take_first(9, 3) && !count.take_first(1, 3));
    }
}
