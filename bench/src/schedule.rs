//! When messages are due that come at a fixed pace, whether the server keeps up or not (an open loop). A message that
//! could not be sent in time is still counted from when it was due: otherwise a server that stalls would be asked less
//! while it stalls, and its stall would not be seen.

/// Moments at a fixed pace. No error adds up: each is computed from the first.
#[derive(Debug, Clone)]
pub struct Schedule {
    start: u64,
    per_second: u64,
    count: u64,
}

impl Schedule {
    /// From `start` (nanoseconds) on.
    #[must_use]
    pub fn new(start: u64, per_second: u64) -> Self {
        Self { start, per_second, count: 0 }
    }

    /// The next moment, if it has come; it is not given again.
    pub fn due(&mut self, now: u64) -> Option<u64> {
        let since = u128::from(self.count) * 1_000_000_000 / u128::from(self.per_second);
        let moment = self.start + u64::try_from(since).unwrap_or(u64::MAX - self.start);
        (moment <= now).then(|| {
            self.count += 1;
            moment
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_at_their_pace_and_once() {
        let mut schedule = Schedule::new(1_000, 1_000_000);
        assert_eq!(schedule.due(999), None);
        assert_eq!([schedule.due(1_000), schedule.due(1_000), schedule.due(1_999)], [Some(1_000), None, None]);
        assert_eq!(schedule.due(2_500), Some(2_000), "it keeps its own time, not that of who asks late");
    }

    #[test]
    fn what_was_missed_in_a_stall_is_due_from_its_own_moment() {
        let mut schedule = Schedule::new(0, 3);
        let all: Vec<_> = std::iter::from_fn(|| schedule.due(2_000_000_000)).collect();
        let expected = [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666, 2_000_000_000];
        assert_eq!(all, expected, "no moment is left out, and thirds do not drift");
    }
}
