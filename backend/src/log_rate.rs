//! Rate of log lines: an event that others can repeat as often as they like is logged once a minute, with how often it
//! happened.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of one event.
const EACH: Duration = Duration::from_secs(60);

/// One event of the log, as a `static` beside the place that logs it.
#[derive(Debug, Default)]
pub struct Repeated(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    logged_at: Option<Instant>,
    since: u64,
}

impl Repeated {
    /// An event that has not happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Seen { logged_at: None, since: 0 }))
    }

    /// Counts the event. Returns how often it has happened since its last line if it is to be logged now, this time
    /// included; `None` within a minute of that line. What happened after the last line and never again is not logged.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.since += 1;
        if seen.logged_at.is_some_and(|at| now.saturating_duration_since(at) < EACH) {
            return None;
        }
        seen.logged_at = Some(now);
        Some(std::mem::take(&mut seen.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_event_is_logged_once_a_minute_with_its_count() {
        let event = Repeated::new();
        let start = Instant::now();
        assert_eq!(event.count(start), Some(1));
        for second in 1..60 {
            assert_eq!(event.count(start + Duration::from_secs(second)), None);
        }
        assert_eq!(event.count(start + EACH), Some(60));
        assert_eq!(event.count(start + EACH), None);
        assert_eq!(event.count(start + 3 * EACH), Some(2));
    }
}
