//! Numbers from many samples.

/// Samples of a duration, in nanoseconds.
#[derive(Debug, Default, Clone)]
pub struct Latencies {
    samples: Vec<u64>,
    is_sorted: bool,
}

impl Latencies {
    /// One more.
    pub fn add(&mut self, nanoseconds: u64) {
        self.is_sorted = false;
        self.samples.push(nanoseconds);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// The smallest sample that at least `share` (0 to 1) of all samples do not exceed, in milliseconds: the
    /// nearest-rank percentile, so always a sample that was there. 0 if there is none.
    pub fn percentile(&mut self, share: f64) -> f64 {
        if !self.is_sorted {
            self.samples.sort_unstable();
            self.is_sorted = true;
        }
        let rank = (share * self.samples.len() as f64).ceil() as usize;
        let index = rank.clamp(1, self.samples.len().max(1)) - 1;
        self.samples.get(index).map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1e6)
    }
}

/// The median of some runs with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median; the mean of the middle two of an even number.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these runs; `None` if there are none.
    #[must_use]
    pub fn of(runs: &[f64]) -> Option<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_sample_of_its_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.5), 0.0);
        for sample in (1..=1_000_u64).rev() {
            latencies.add(sample * 1_000_000);
        }
        let table = [(0.0, 1.0), (0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)];
        for (share, expected) in table {
            assert_eq!(latencies.percentile(share), expected, "{share}");
        }
        latencies.add(7_000_000_000);
        assert_eq!(latencies.percentile(1.0), 7_000.0, "what comes later counts too");
    }

    #[test]
    fn one_slow_run_does_not_move_the_median() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 90.0, 2.0]), Some(Spread { median: 3.0, min: 2.0, max: 90.0 }));
        assert_eq!(Spread::of(&[4.0, 2.0]), Some(Spread { median: 3.0, min: 2.0, max: 4.0 }));
    }
}
