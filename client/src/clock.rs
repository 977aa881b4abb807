//! The time of day, by the server's clock, which everybody shares, and not by the device's, which may be wrong.
//!
//! `welcome` tells the server's time, and from then on a clock that never goes back counts. In some browsers that clock
//! stands still while the device sleeps. A device's clock that has gone on by [`SLEPT`] more shows that it slept; what it
//! says itself, and small corrections of it, count for nothing.

use crate::Millis;
use shared::ids::Timestamp;

/// A device's clock that went on by so much more than the other one, in milliseconds, slept; less is a correction.
pub const SLEPT: u64 = 60 * 60 * 1_000;

/// The server's clock, as it was heard last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    said: Timestamp,
    /// The device's clock at that moment.
    device: Timestamp,
    /// And the one that never goes back.
    at: Millis,
}

impl Clock {
    /// The server has told its time.
    #[must_use]
    pub fn new(said: Timestamp, device: Timestamp, at: Millis) -> Self {
        Self { said, device, at }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self, device: Timestamp, at: Millis) -> Timestamp {
        let awake = at.saturating_sub(self.at);
        let passed = device.as_millis().saturating_sub(self.device.as_millis());
        let passed = if passed >= awake.saturating_add(SLEPT) { passed } else { awake };
        Timestamp::from_millis(self.said.as_millis().saturating_add(passed))
    }

    /// The time of day as far as the device was awake. What comes on the connection that told the time is compared with
    /// this: no change of the device's clock, however large, makes it old.
    #[must_use]
    pub fn awake(&self, at: Millis) -> Timestamp {
        self.now(self.device, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60 * 1_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE)
    }

    #[test]
    fn the_server_s_time_goes_on_whatever_the_device_s_clock_says() {
        // A device that is twenty minutes ahead, then corrected, then wrong the other way.
        let clock = Clock::new(at(1_000), at(1_020), 5 * MINUTE);
        for device in [1_020, 1_023, 1_003, 1_060, 0] {
            assert_eq!(clock.now(at(device), 8 * MINUTE), at(1_003), "{device}");
        }
    }

    #[test]
    fn a_device_that_slept_has_slept_and_what_comes_is_as_new_as_before() {
        let clock = Clock::new(at(1_000), at(1_020), 5 * MINUTE);
        assert_eq!(clock.now(at(1_020 + 1_440), 6 * MINUTE), at(1_000 + 1_440));
        assert_eq!(clock.awake(6 * MINUTE), at(1_001));
    }

    proptest! {
        #[test]
        fn it_never_goes_back_while_the_device_is_awake(steps in prop::collection::vec((0_u64..SLEPT, 0_u64..SLEPT), 1..20)) {
            let clock = Clock::new(at(1_000), at(9_000), 0);
            let (mut before, mut monotonic) = (clock.now(at(9_000), 0), 0);
            for (device, passed) in steps {
                monotonic += passed;
                let now = clock.now(Timestamp::from_millis(at(9_000).as_millis() + device), monotonic);
                prop_assert!(now >= before);
                prop_assert_eq!(now, clock.awake(monotonic));
                before = now;
            }
        }
    }
}
