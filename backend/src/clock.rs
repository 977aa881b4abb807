//! The time and new random ids. Nothing else in the server reads the clock or draws randomness.

use shared::ids::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of day. Before 1970 it is 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    #[cfg(debug_assertions)]
    let millis = millis.saturating_add_signed(crate::fault::clock_offset_ms());
    Timestamp::from_millis(millis)
}

/// Bytes nobody can guess.
///
/// # Panics
/// When the operating system has no randomness to give: then no secret can be made, and a server
/// that went on would hand out weak ones.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// So long before a moment.
#[must_use]
pub fn before(now: Timestamp, span: Duration) -> Timestamp {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}

/// Returns the moment that is this long after another.
#[must_use]
pub fn after(now: Timestamp, span: Duration) -> Timestamp {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}

/// A new id of any kind: `clock::id(UserId::v7)`.
pub fn id<T>(make: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
    make(now(), random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::CommandId;

    #[test]
    fn ids_sort_by_the_time_they_were_made_at_and_any_time_makes_one() {
        let at = |millis| CommandId::v7(Timestamp::from_millis(millis), random());
        assert!(at(1_000) < at(1_001) && at(1_001) < at(1_790_000_000_000));
        assert_ne!(at(0), at(0), "a clock that stands makes different ids all the same");
        // A clock beyond the 48 bits of an id is wrong, and no reason to stop.
        assert_ne!(at(u64::MAX), at(u64::MAX));
    }
}
