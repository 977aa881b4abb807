//! Wrong passwords by the address they come from: who guesses there is stopped, and neighbours are not.
//!
//! Checking a password asks before and counts after (`http/session.rs`). An address has so many wrong passwords in a
//! quarter of an hour. With these used up it still lets in
//!
//! * accounts that were used there before ([`Rates::known_places`](crate::app::Rates)), which have a count of their own;
//! * other accounts for which no wrong password came from there in a quarter of an hour, up to as many wrong ones again.
//!
//! Guessing at some accounts therefore keeps nobody else out. Guessing at ever new accounts, existing or not, keeps those
//! out who were never there before: nothing tells them from the next guess. An account that does not exist counts as any
//! other, so that no refusal tells which exist.

use crate::rate::{Limiter, Rate};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Time after which an address has all its wrong passwords again, and in which one is remembered for an account.
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// An account (its e-mail address in lower case), and where it is signed in to.
pub type Place = (String, IpAddr);

/// Wrong passwords from addresses.
#[derive(Debug)]
pub struct AddressFailures {
    all: Limiter<IpAddr>,
    /// For accounts without one in [`PERIOD`], once `all` is used up.
    first: Limiter<IpAddr>,
    places: Limiter<Place>,
}

impl AddressFailures {
    /// Nobody has given a wrong one. An address has `count` of them in a quarter of an hour.
    #[must_use]
    pub fn new(count: u32) -> Self {
        let each = Rate::new(count, count, PERIOD);
        Self { all: Limiter::new(each), first: Limiter::new(each), places: Limiter::new(Rate::new(1, 1, PERIOD)) }
    }

    /// Whether a password for this account may be looked at there. `is_known`: the account was used there before.
    ///
    /// # Errors
    /// How long until one may.
    pub fn peek(&self, place: &Place, is_known: bool, now: Instant) -> Result<(), Duration> {
        let Err(wait) = self.all.peek(&place.1, now) else { return Ok(()) };
        if is_known {
            return Ok(());
        }
        let first = self.places.peek(place, now).and_then(|()| self.first.peek(&place.1, now));
        first.map_err(|later| later.min(wait))
    }

    /// Counts a wrong password.
    pub fn count(&self, place: Place, is_known: bool, now: Instant) {
        // Only counted: whether there is room is asked before the password is looked at.
        if self.all.take(place.1, now).is_err() && !is_known {
            let _ = self.first.take(place.1, now);
        }
        let _ = self.places.take(place, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(account: &str, address: u8) -> Place {
        (account.to_owned(), IpAddr::from([192, 0, 2, address]))
    }

    /// Guesses at these accounts in turn until it is stopped; how many it were.
    fn guesses(failures: &AddressFailures, accounts: usize, now: Instant) -> usize {
        let of = |number: usize| place(&(number % accounts).to_string(), 1);
        let made = (0..999).take_while(|number| {
            let may = failures.peek(&of(*number), false, now).is_ok();
            if may {
                failures.count(of(*number), false, now);
            }
            may
        });
        made.count()
    }

    #[test]
    fn neighbour_of_somebody_who_guesses_at_some_accounts_is_let_in() {
        let failures = AddressFailures::new(100);
        let now = Instant::now();
        assert_eq!(guesses(&failures, 20, now), 100);
        assert_eq!(failures.peek(&place("7", 1), false, now), Err(PERIOD / 100), "the control");
        for _ in 0..9 {
            assert_eq!(failures.peek(&place("ada", 1), false, now), Ok(()));
        }
        assert_eq!(failures.peek(&place("7", 2), false, now), Ok(()), "another address");
        // A wrong one of hers counts as anybody's.
        failures.count(place("ada", 1), false, now);
        assert!(failures.peek(&place("ada", 1), false, now).is_err());
        assert_eq!(failures.peek(&place("ben", 1), false, now), Ok(()));
    }

    #[test]
    fn guesses_at_ever_new_accounts_end_and_keep_nobody_out_who_was_there_before() {
        let failures = AddressFailures::new(100);
        let now = Instant::now();
        assert_eq!(guesses(&failures, 999, now), 200);
        assert!(failures.peek(&place("ada", 1), false, now).is_err());
        assert_eq!(failures.peek(&place("ada", 1), true, now), Ok(()));
        // Wrong passwords for known accounts take nothing from the others.
        let later = now + PERIOD / 100;
        (0..9).for_each(|_| failures.count(place("ada", 1), true, later));
        assert_eq!(failures.peek(&place("ben", 1), false, later), Ok(()), "one more in a hundredth of the time");
        assert_eq!(guesses(&failures, 999, now + 2 * PERIOD), 200, "and all again later");
    }
}
