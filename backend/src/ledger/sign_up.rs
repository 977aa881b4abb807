//! Accounts made from one place: so many in a quarter of an hour and so many in a day, for an address and for its /48.

use super::NetworkKey;
use crate::rate::{Limiter, Rate};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Rates of accounts made, by address.
#[derive(Debug)]
pub struct SignUps {
    rates: [Limiter<NetworkKey>; 2],
}

impl SignUps {
    /// Nobody has made an account.
    #[must_use]
    pub fn new(in_15_min: u32, in_a_day: u32) -> Self {
        let limiter =
            |count: u32, minutes: u64| Limiter::new(Rate::new(count, count, Duration::from_secs(minutes * 60)));
        Self { rates: [limiter(in_15_min, 15), limiter(in_a_day, 24 * 60)] }
    }

    /// Takes one from what may be made from an address.
    ///
    /// # Errors
    /// How long until there is one. Nothing was taken.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut taken = Vec::new();
        for limiter in &self.rates {
            for key in NetworkKey::of(address) {
                if let Err(wait) = limiter.take(key, now) {
                    taken.iter().for_each(|(limiter, key): &(&Limiter<NetworkKey>, NetworkKey)| limiter.give_back(key));
                    return Err(wait);
                }
                taken.push((limiter, key));
            }
        }
        Ok(())
    }

    /// Gives one back.
    pub fn give_back(&self, address: IpAddr) {
        for limiter in &self.rates {
            NetworkKey::of(address).for_each(|key| limiter.give_back(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn address_makes_ten_accounts_in_a_quarter_and_thirty_in_a_day() {
        let sign_ups = SignUps::new(10, 30);
        let (one, other, start) = (address("192.0.2.7"), address("192.0.2.8"), Instant::now());
        assert_eq!((0..20).filter(|_| sign_ups.take(one, start).is_ok()).count(), 10);
        assert_eq!(sign_ups.take(one, start), Err(MINUTE * 3 / 2), "a refusal takes nothing");
        sign_ups.give_back(one);
        assert_eq!(sign_ups.take(one, start), Ok(()));
        assert_eq!(sign_ups.take(other, start), Ok(()));
        let made = (1..=60).filter(|n| sign_ups.take(one, start + MINUTE * 3 / 2 * *n).is_ok()).count();
        assert_eq!(made, 21, "thirty at once, and one of those that a day gives back one by one");
    }

    #[test]
    fn a_48_makes_as_many_accounts_as_an_address() {
        let sign_ups = SignUps::new(10, 30);
        let now = Instant::now();
        let made = (0..99).filter(|n| sign_ups.take(address(&format!("2001:db8:1:{n:x}::1")), now).is_ok()).count();
        assert_eq!(made, 10);
        assert_eq!(sign_ups.take(address("2001:db8:2::1"), now), Ok(()), "another /48");
    }
}
