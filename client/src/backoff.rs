//! How long to wait before coming back: full jitter (Marc Brooker, "Exponential Backoff And Jitter",
//! 2015), so that a crowd cut off together does not return together.

use crate::Millis;

/// The first ceiling, in milliseconds.
pub const FIRST: Millis = 500;
/// The last ceiling, in milliseconds.
pub const LAST: Millis = 30_000;

/// Waits that grow until something worked.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// Begins with short waits. The seed makes clients differ.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { attempts: 0, random: seed | 1 }
    }

    /// The next wait: evenly drawn between half a second and a ceiling that doubles from one second to
    /// 30 seconds. (Not from zero: a server that has just gone is not back at once.)
    pub fn next_wait(&mut self) -> Millis {
        self.attempts = self.attempts.saturating_add(1);
        let ceiling = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LAST);
        FIRST + self.draw() % (ceiling - FIRST + 1)
    }

    /// It worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// xorshift64 (Marsaglia, 2003): jitter needs no better.
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_between_half_a_second_and_thirty(seed: u64, times in 1usize..50) {
            let mut backoff = Backoff::new(seed);
            for _ in 0..times {
                let wait = backoff.next_wait();
                prop_assert!((FIRST..=LAST).contains(&wait));
            }
            backoff.reset();
            prop_assert!(backoff.next_wait() <= 2 * FIRST);
        }
    }

    #[test]
    fn a_crowd_does_not_come_back_together() {
        let mut waits: Vec<_> = (0..1_000)
            .map(|seed| {
                let mut backoff = Backoff::new(seed * 7_919);
                (0..7).map(|_| backoff.next_wait()).last().unwrap_or_default()
            })
            .collect();
        waits.sort_unstable();
        assert!(waits[250] < 12_000 && waits[750] > 18_000, "spread over the whole span");
    }
}
