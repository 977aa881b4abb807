//! Places of files on their way in: so many of a person, of an address, of its /48, and of all together, and who gives
//! theirs up when none is left.
//!
//! [`super::upload`] takes a place for each file before it reads any of it, and gives it back when the file is stored or
//! refused. Where an address, its /48 or the server has no place left, a newcomer gets that of another file that is still
//! coming in there:
//!
//! 1. the oldest of those that come too slowly ([`BYTES_MIN`] in [`WINDOW`]);
//! 2. else the newest of the person with the most places, if these are at least two more than the newcomer has.
//!
//! Neither files that trickle in nor the many of a few people therefore keep somebody out who has none. The file whose place was
//! taken is refused as `overloaded`, and may be sent again. No bound is ever exceeded but by a file that had come whole in
//! the same moment.

use crate::rate;
use shared::code::Rejection;
use shared::ids::UserId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files of one person that come in at once. Above it the person is refused (`rate_limited`).
const OF_PERSON_MAX: usize = 8;
/// Of one address: eight people who send as many as they may. Above it that address is refused (`rate_limited`).
const OF_ADDRESS_MAX: usize = 64;
/// Of one /48 of IPv6. Above it that /48 is refused (`rate_limited`).
const OF_SITE_MAX: usize = 128;
/// Of all together. Above it nobody is served (`overloaded`).
const OF_ALL_MAX: usize = 256;
/// Span over which it is seen how fast a file comes.
const WINDOW: Duration = Duration::from_secs(30);
/// Bytes in [`WINDOW`] below which a file gives its place up for a newcomer: 16 KiB a second. All places together then cost
/// whoever wants to keep others out 4 MiB a second, and at least 256 accounts at four addresses.
const BYTES_MIN: u64 = 30 * 16 * 1024;
/// When to come back.
const RETRY: Duration = Duration::from_secs(5);

/// Somebody who sends a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The person.
    pub user: UserId,
    /// Where they are: an IPv4 address, or a /64.
    pub address: IpAddr,
    /// The /48 of that, or the same.
    pub site: IpAddr,
}

/// Whether somebody is where a newcomer is.
type Scope = fn(Sender, Sender) -> bool;

/// All places.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<Vec<Arc<Holder>>>>);

/// A file on its way in. In the list the older ones stand first.
#[derive(Debug)]
struct Holder {
    sender: Sender,
    /// Cancelled when somebody else has the place.
    given_up: CancellationToken,
    pace: Mutex<Pace>,
}

/// How fast a file comes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    since: Instant,
    /// Bytes since then.
    bytes: u64,
    /// Whether too few came in the window before.
    was_slow: bool,
    /// Whether all of it has come: what is left to do is the server's.
    is_whole: bool,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, was_slow: false, is_whole: false }
    }

    fn note(&mut self, bytes: u64, now: Instant) {
        if now - self.since >= WINDOW {
            *self = Self { was_slow: self.is_slow(now), ..Self::new(now) };
        }
        self.bytes += bytes;
    }

    fn is_slow(&self, now: Instant) -> bool {
        let span = now - self.since;
        if span < WINDOW {
            return self.was_slow;
        }
        u128::from(self.bytes) * WINDOW.as_millis() < u128::from(BYTES_MIN) * span.as_millis()
    }
}

impl Places {
    /// Takes a place, a free one or one that another gives up.
    ///
    /// # Errors
    /// `rate_limited` or `overloaded`.
    pub fn take(&self, sender: Sender) -> Result<Place, Rejection> {
        let now = Instant::now();
        let mut holders = self.holders();
        let mut of_person: HashMap<UserId, usize> = HashMap::new();
        holders.iter().for_each(|holder| *of_person.entry(holder.sender.user).or_default() += 1);
        let own = of_person.get(&sender.user).copied().unwrap_or(0);
        if own >= OF_PERSON_MAX {
            let message = format!("At most {OF_PERSON_MAX} of your files come in at once. Please wait for one of them");
            return Err(rate::refusal(message, RETRY));
        }
        let scopes: [(Scope, usize); 3] = [
            (|one, other| one.address == other.address, OF_ADDRESS_MAX),
            (|one, other| one.site == other.site, OF_SITE_MAX),
            (|_, _| true, OF_ALL_MAX),
        ];
        // The narrowest that is full: a place that is given up there is free in the others, too.
        for (is_within, most) in scopes {
            let within = holders.iter().enumerate().filter(|(_, holder)| is_within(holder.sender, sender));
            if within.clone().count() < most {
                continue;
            }
            let coming = within.map(|(at, holder)| (at, holder.sender.user, *holder.pace()));
            let coming: Vec<_> = coming.filter(|(_, _, pace)| !pace.is_whole).collect();
            let slow = coming.iter().find(|(_, _, pace)| pace.is_slow(now)).map(|(at, ..)| *at);
            let most_of_person = || {
                let counts = coming.iter().map(|(at, user, _)| (of_person.get(user).copied().unwrap_or(0), *at));
                counts.max().filter(|(count, _)| *count >= own + 2).map(|(_, at)| at)
            };
            let at = slow.or_else(most_of_person).ok_or_else(|| no_place(most))?;
            holders.remove(at).given_up.cancel();
            break;
        }
        let pace = Mutex::new(Pace::new(now));
        let holder = Arc::new(Holder { sender, given_up: CancellationToken::new(), pace });
        holders.push(holder.clone());
        Ok(Place { places: self.clone(), holder })
    }

    fn holders(&self) -> MutexGuard<'_, Vec<Arc<Holder>>> {
        // A list is whole at any moment, so a poisoned lock still guards one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refusal where there is no place.
fn no_place(most: usize) -> Rejection {
    if most < OF_ALL_MAX {
        return rate::refusal("Too many files from this address come in at once. Please try again in a moment", RETRY);
    }
    all_taken()
}

/// Refusal where the server has more files coming in than it can work at.
pub(super) fn all_taken() -> Rejection {
    rate::overloaded("The server has too many files coming in. Please try again in a moment", RETRY)
}

/// A place. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    holder: Arc<Holder>,
}

impl Place {
    /// Notes that so many bytes have come.
    pub fn note(&self, bytes: u64) {
        self.holder.pace().note(bytes, Instant::now());
    }

    /// Notes that the file has come whole: its place is nobody else's any more.
    pub fn note_whole(&self) {
        self.holder.pace().is_whole = true;
    }

    /// Waits until somebody else has the place, and gives what is told then.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn given_up(&self) -> Rejection {
        self.holder.given_up.cancelled().await;
        let message = "Too many files are coming in, and this one came slowly or was one of several of yours. Please send \
             it again in a moment";
        rate::overloaded(message, RETRY)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.holders().retain(|holder| !Arc::ptr_eq(holder, &self.holder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use futures_util::FutureExt;
    use shared::code::Code;
    use tokio::time::advance;

    fn sender(address: usize) -> Sender {
        let [.., high, low] = address.to_be_bytes();
        let address = IpAddr::from([10, 0, high, low]);
        Sender { user: clock::id(UserId::v7), address, site: address }
    }

    fn has(place: &Place) -> bool {
        place.given_up().now_or_never().is_none()
    }

    fn code(taken: Result<Place, Rejection>) -> Code {
        taken.expect_err("refused").code
    }

    /// Takes places for so many people at so many addresses, with so many files each.
    fn fill(places: &Places, people: usize, addresses: usize, files: usize) -> Vec<Place> {
        let senders = (0..people).map(|number| sender(number % addresses));
        let taken = senders.flat_map(|sender| (0..files).map(move |_| places.take(sender).expect("a place")));
        taken.collect()
    }

    #[tokio::test]
    async fn person_has_so_many_and_others_as_many() {
        let places = Places::default();
        let (ada, ben) = (sender(1), sender(1));
        let mut taken: Vec<_> = (0..OF_PERSON_MAX).map(|_| places.take(ada).expect("a place")).collect();
        assert_eq!(code(places.take(ada)), Code::RateLimited);
        assert!(places.take(ben).is_ok());
        taken.pop();
        assert!(places.take(ada).is_ok());
        drop(taken);
        assert!(places.holders().is_empty());
    }

    #[tokio::test]
    async fn address_its_48_and_all_have_so_many() {
        let places = Places::default();
        let one = fill(&places, OF_ADDRESS_MAX, 1, 1);
        assert_eq!(code(places.take(sender(0))), Code::RateLimited);
        assert!(places.take(sender(1)).is_ok());
        drop(one);
        let site = IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 0]);
        let of_site = |number: u16| {
            let address = IpAddr::from([0x2001, 0xdb8, 1, number, 0, 0, 0, 0]);
            Sender { user: clock::id(UserId::v7), address, site }
        };
        let taken: Vec<_> = (0..999).map_while(|number| places.take(of_site(number)).ok()).collect();
        assert_eq!(taken.len(), OF_SITE_MAX);
        drop(taken);
        let _all = fill(&places, OF_ALL_MAX, 99, 1);
        assert_eq!(code(places.take(sender(1_000))), Code::Overloaded);
    }

    #[tokio::test]
    async fn somebody_without_a_file_gets_a_place_of_those_who_have_many() {
        for addresses in [1, 4] {
            let places = Places::default();
            let mut taken = fill(&places, addresses * 8, addresses, OF_PERSON_MAX);
            let address = if addresses == 1 { 0 } else { 9 };
            let newcomer = sender(address);
            // As long as they have two less than those who have most.
            let theirs: Vec<_> = (0..OF_PERSON_MAX).map_while(|_| places.take(newcomer).ok()).collect();
            assert_eq!(theirs.len(), OF_PERSON_MAX - 1, "{addresses}");
            assert!(theirs.iter().all(has));
            assert_eq!(taken.iter().filter(|place| !has(place)).count(), theirs.len(), "and each from another person");
            taken.retain(has);
            let of_person =
                |place: &Place| taken.iter().filter(|other| other.holder.sender == place.holder.sender).count();
            assert!(taken.iter().all(|place| of_person(place) >= OF_PERSON_MAX - 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_come_slowly_give_their_places_up_and_others_do_not() {
        let places = Places::default();
        let taken = fill(&places, OF_ALL_MAX, 99, 1);
        assert_eq!(
            code(places.take(sender(1_000))),
            Code::Overloaded,
            "nobody has more than one, and nothing is slow yet"
        );
        // 100 have come whole, 100 come fast enough and 56 do not, by a byte in the second.
        taken[..100].iter().for_each(Place::note_whole);
        for _ in 0..30 {
            taken[100..200].iter().for_each(|place| place.note(BYTES_MIN / 30));
            taken[200..].iter().for_each(|place| place.note(BYTES_MIN / 30 - 1));
            advance(Duration::from_secs(1)).await;
        }
        let newcomers: Vec<_> = (0..999).map_while(|number| places.take(sender(1_000 + number)).ok()).collect();
        assert_eq!(newcomers.len(), 56);
        assert!(taken[..200].iter().all(has) && !taken[200..].iter().any(has) && newcomers.iter().all(has));
        assert_eq!(taken[200].given_up().await.code, Code::Overloaded);
        // What was slow is not for ever.
        drop(newcomers);
        let _others = fill(&places, 55, 99, 1);
        let again = places.take(sender(1)).expect("a place");
        again.note(1);
        advance(WINDOW).await;
        again.note(BYTES_MIN);
        assert!(again.holder.pace().is_slow(Instant::now()));
        advance(WINDOW).await;
        assert!(!again.holder.pace().is_slow(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn places_of_files_that_trickle_go_one_by_one_and_the_oldest_first() {
        let places = Places::default();
        let taken = fill(&places, OF_ADDRESS_MAX, 1, 1);
        advance(WINDOW).await;
        let newcomers = [0, 0].map(|address| places.take(sender(address)).expect("a place"));
        assert_eq!(taken.iter().map(has).collect::<Vec<_>>()[..3], [false, false, true]);
        assert!(taken[3..].iter().all(has));
        drop((taken, newcomers));
        assert!(places.holders().is_empty());
    }
}
