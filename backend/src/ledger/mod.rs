//! Ledger of what each person costs, above their browsers, tokens, sockets and connections; and each address for what
//! has no person yet.
//!
//! Two kinds of accounts: by person, and by address. An address counts as its /64 and, with four times the bounds, as
//! its /48 (RFC 6177 section 2); an IPv4 address counts for itself. Everything that comes takes units ([`toll`]) from
//! one of them. A request that shows a session which is known ([`known`]) takes from its person alone, from the first
//! unit on. Any other takes its first unit from its address, which gets it back once a session is found. An address with
//! nothing left has units of their own for such look-ups, so that its people get in whose sessions are not known yet; a
//! look-up that finds nothing costs several times as much. So nobody without a session uses up what neighbours have.
//! What is under way is counted besides: connections and requests ([`slot`], [`door`]), and answers that were not read yet
//! ([`answer`]).
//!
//! Whoever has nothing left is told `rate_limited` with when to come back. With `rate-limits = off` nothing costs
//! anything and an address may have any number of connections; what bounds memory stays.

pub mod accounts;
pub mod answer;
pub mod bucket;
pub mod door;
pub mod known;
pub mod sign_up;
pub mod slot;
pub mod toll;

use crate::config::{Config, Switch};
use crate::rate::{self, Rate};
use crate::server::address;
use accounts::Accounts;
use bucket::{Bucket, Count, Pace};
use door::Door;
use known::KnownSessions;
use shared::code::Rejection;
use shared::ids::{ConversationId, SessionId, UserId};
use sign_up::SignUps;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use toll::REPLAY_PAGE;

/// Requests of one person that are worked at; their others wait.
const TURNS: usize = 8;
/// An address may cost so many times what a person may: an office is one address.
const PEOPLE_PER_ADDRESS: u32 = 5;
/// A /48 may have so many times what an address may.
const ADDRESSES_PER_SITE: u32 = 4;
/// Bytes of answers of one person, or one address, that were not read yet.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// The same of everybody: not more than a quarter of the memory that was set.
const ALL_ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Conversations a person is remembered to have typed in.
const TYPED_MAX: usize = 16;
/// Told to somebody who did too much.
const TOO_MUCH: &str = "You are doing very much at once. Please wait a moment";

/// An account in one of the maps.
pub trait Account: Default {
    /// Whether a new account would be the same, apart from what is under way.
    fn is_idle(&self, now: u64) -> bool;
}

/// Account of a person.
#[derive(Debug)]
pub struct Person {
    cost: Bucket,
    /// Connections beside sockets; behind a proxy, requests.
    connections: Count,
    /// Connections and sockets that no address counts.
    own: Count,
    answers: Arc<Count>,
    turns: Arc<Semaphore>,
    typed: Mutex<Vec<(ConversationId, Instant)>>,
    /// Units of replays, apart from the rest: others fill a queue, which is then read from the log, too.
    replays: Bucket,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            cost: Bucket::default(),
            connections: Count::default(),
            own: Count::default(),
            answers: Arc::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
            typed: Mutex::default(),
            replays: Bucket::default(),
        }
    }
}

impl Account for Person {
    fn is_idle(&self, now: u64) -> bool {
        self.cost.is_full(now) && self.replays.is_full(now)
    }
}

impl Person {
    /// Whether others may be told of typing again: once in a while for each conversation.
    pub fn may_type(&self, conversation: ConversationId, now: Instant, each: Duration) -> bool {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.retain(|(_, at)| now.saturating_duration_since(*at) < each);
        let may = typed.len() < TYPED_MAX && typed.iter().all(|(other, _)| *other != conversation);
        if may {
            typed.push((conversation, now));
        }
        may
    }
}

/// Account of an address, or of a /48.
#[derive(Debug, Default)]
pub struct Network {
    cost: Bucket,
    /// Units for looking sessions up when `cost` is used up.
    looks: Bucket,
    /// Connections on which nobody has signed in.
    guests: Count,
    /// Further ones, which may only show a session.
    door: Door,
    /// Connections and sockets of people here beyond their [own](Person::own).
    connections: Count,
    answers: Arc<Count>,
}

impl Account for Network {
    fn is_idle(&self, now: u64) -> bool {
        self.cost.is_full(now) && self.looks.is_full(now)
    }
}

/// Who pays with an account of addresses: an IPv4 address, a /64, or a /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkKey {
    address: IpAddr,
    is_site: bool,
}

impl NetworkKey {
    /// The account of an address, and that of its /48 if it has one.
    pub fn of(address: IpAddr) -> impl Iterator<Item = Self> + Clone {
        let near = Self { address: address::counted(address), is_site: false };
        let site = near.address.is_ipv6().then(|| Self { address: address::site(address), is_site: true });
        std::iter::once(near).chain(site)
    }

    /// How many times the bounds of an address it has.
    fn times(self) -> u32 {
        if self.is_site { ADDRESSES_PER_SITE } else { 1 }
    }
}

/// Bounds of the accounts.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    person: Pace,
    address: Pace,
    site: Pace,
    /// For look-ups of sessions when an address, or a /48, has nothing else left.
    looks: Pace,
    site_looks: Pace,
    connections_per_user: u64,
    guests: u64,
    connections_per_address: u64,
    all_answers: u64,
}

/// All accounts.
#[derive(Debug)]
pub struct Ledger {
    is_on: bool,
    bounds: Bounds,
    started: Instant,
    people: Accounts<UserId, Person>,
    networks: Accounts<NetworkKey, Network>,
    /// Bytes of all answers that were not read yet.
    answers: Arc<Count>,
    sessions: KnownSessions,
    /// Accounts made.
    pub sign_ups: SignUps,
}

impl Ledger {
    /// A ledger in which nobody has cost anything.
    #[must_use]
    pub fn new(config: &Config) -> Arc<Self> {
        let ten = Duration::from_secs(10);
        // Commands have their own rates; this one is never what keeps somebody from what those allow.
        let commands = |own: u32, token: u32| own.max(token).saturating_mul(4);
        let burst = config.request_burst.max(commands(config.send_burst, config.token_send_burst));
        let count = config.requests_in_10_s.max(commands(config.sends_in_10_s, config.token_sends_in_10_s));
        let pace = |times: u32| Pace::from(Rate::new(burst.saturating_mul(times), count.saturating_mul(times), ten));
        let all_answers = match config.memory_limit_mib {
            0 => ALL_ANSWER_BYTES_MAX,
            mib => ALL_ANSWER_BYTES_MAX.min((mib << 20) / 4),
        };
        Arc::new(Self {
            is_on: config.rate_limits == Switch::On,
            bounds: Bounds {
                person: pace(1),
                address: pace(PEOPLE_PER_ADDRESS),
                site: pace(PEOPLE_PER_ADDRESS * ADDRESSES_PER_SITE),
                looks: pace(1),
                site_looks: pace(ADDRESSES_PER_SITE),
                connections_per_user: config.connections_per_user as u64,
                guests: config.connections_per_address as u64,
                connections_per_address: config.connections_per_address_in_all as u64,
                all_answers,
            },
            started: Instant::now(),
            people: Accounts::default(),
            networks: Accounts::default(),
            answers: Arc::default(),
            sessions: KnownSessions::default(),
            sign_ups: SignUps::new(config.sign_ups_in_15_min, config.sign_ups_in_a_day),
        })
    }

    /// The account of a person.
    #[must_use]
    pub fn person(&self, user: UserId) -> Arc<Person> {
        self.people.of(user, self.moment(Instant::now()))
    }

    /// Forgets the account of somebody of whom nothing is under way and nothing is missing: a crowd that has gone keeps no
    /// memory.
    pub fn forget_if_idle(&self, user: UserId) {
        self.people.forget_if_idle(&user, self.moment(Instant::now()));
    }

    /// Takes units from a person.
    ///
    /// # Errors
    /// `rate_limited`, with when to try again. Nothing was taken.
    pub fn take(&self, person: &Person, units: u32, now: Instant) -> Result<(), Rejection> {
        if !self.is_on {
            return Ok(());
        }
        person
            .cost
            .take(self.bounds.person, units, self.moment(now))
            .map_err(|wait| rate::refusal(TOO_MUCH, later(wait)))
    }

    /// Takes units of what was done already: at most what is left.
    pub fn charge(&self, person: &Person, units: u32, now: Instant) {
        if self.is_on {
            person.cost.charge(self.bounds.person, units, self.moment(now));
        }
    }

    /// Takes a page of a replay. There are as many units for these as for the rest, and nobody is refused one.
    ///
    /// # Errors
    /// How long to wait for it. Nothing was taken.
    pub fn take_replay(&self, person: &Person, now: Instant) -> Result<(), Duration> {
        if !self.is_on {
            return Ok(());
        }
        person.replays.take(self.bounds.person, REPLAY_PAGE, self.moment(now))
    }

    /// Notes that a secret with this SHA-256 is a session's: its person pays from its next request on.
    pub fn know(&self, hash: &[u8; 32], user: UserId, session: SessionId) {
        self.sessions.note(hash, user, session, self.moment(Instant::now()));
    }

    /// These sessions have ended, or have another secret.
    pub fn end_sessions(&self, sessions: &[SessionId]) {
        self.sessions.end(sessions);
    }

    fn pace(&self, key: NetworkKey) -> Pace {
        if key.is_site { self.bounds.site } else { self.bounds.address }
    }

    fn pace_of_looks(&self, key: NetworkKey) -> Pace {
        if key.is_site { self.bounds.site_looks } else { self.bounds.looks }
    }

    fn moment(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A millisecond more: part of one is not told.
fn later(wait: Duration) -> Duration {
    wait + Duration::from_millis(1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock;
    use shared::code::Code;

    /// A ledger with these settings.
    pub(crate) fn ledger(arguments: &[&str]) -> Arc<Ledger> {
        use clap::Parser;
        let arguments = crate::config::Arguments::try_parse_from([&["confab"], arguments].concat()).expect("good");
        Ledger::new(&Config::load(arguments.serve).expect("good settings"))
    }

    #[test]
    fn ipv6_address_pays_for_its_64_and_its_48() {
        let keys = |text: &str| {
            let keys = NetworkKey::of(text.parse().expect("an address"));
            keys.map(|key| key.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(keys("2001:db8:1:2:3:4:5:6"), ["2001:db8:1:2::", "2001:db8:1::"]);
        assert_eq!(keys("192.0.2.7"), ["192.0.2.7"]);
        assert_eq!(keys("::ffff:192.0.2.7"), ["192.0.2.7"]);
        let mut same = NetworkKey::of("2001:db8:1::".parse().expect("an address"));
        assert_ne!(same.next(), same.next(), "a /64 is not its /48");
    }

    #[test]
    fn person_who_has_nothing_left_is_told_when_to_come_back() {
        let ledger = ledger(&["--request-burst=300", "--requests-in-10-s=200"]);
        let (ada, ben) = (ledger.person(clock::id(UserId::v7)), ledger.person(clock::id(UserId::v7)));
        let now = Instant::now();
        assert_eq!(ledger.take(&ada, 300, now), Ok(()));
        let refused = ledger.take(&ada, 2, now).expect_err("nothing is left");
        assert_eq!((refused.code, refused.retry_after_ms), (Code::RateLimited, Some(101)));
        assert_eq!(ledger.take(&ada, 2, now + Duration::from_millis(101)), Ok(()));
        assert_eq!(ledger.take(&ben, 300, now), Ok(()), "another one's account");
        let free = tests::ledger(&["--rate-limits=off"]);
        assert_eq!((0..9_999).filter(|_| free.take(&ada, 9, now).is_ok()).count(), 9_999);
    }

    #[test]
    fn replays_have_units_of_their_own_and_wait_for_more() {
        let ledger = ledger(&["--request-burst=300", "--requests-in-10-s=200"]);
        let (ada, ben) = (ledger.person(clock::id(UserId::v7)), ledger.person(clock::id(UserId::v7)));
        let now = Instant::now();
        let pages = |person: &Person| (0..999).take_while(|_| ledger.take_replay(person, now).is_ok()).count();
        assert_eq!(pages(&ada), 60);
        assert_eq!(ledger.take_replay(&ada, now), Err(Duration::from_millis(250)));
        assert_eq!(ledger.take(&ada, 300, now), Ok(()), "the rest is whole");
        assert_eq!(pages(&ben), 60, "another one's account");
    }

    #[test]
    fn ledger_allows_whatever_the_rates_of_commands_allow() {
        let ledger = ledger(&["--token-send-burst=5000", "--token-sends-in-10-s=10000"]);
        let bot = ledger.person(clock::id(UserId::v7));
        let now = Instant::now();
        assert_eq!((0..5_000).filter(|_| ledger.take(&bot, 1, now).is_ok()).count(), 5_000);
    }

    #[test]
    fn typing_is_told_once_in_a_while_for_each_conversation_of_a_person() {
        let person = Person::default();
        let (one, other) = (clock::id(ConversationId::v7), clock::id(ConversationId::v7));
        let (now, each) = (Instant::now(), Duration::from_secs(3));
        let may = |conversation, after| person.may_type(conversation, now + after, each);
        assert!(may(one, Duration::ZERO) && !may(one, each / 2) && may(other, each / 2) && may(one, each));
        let many = (0..99).filter(|_| may(clock::id(ConversationId::v7), each)).count();
        assert!(many < TYPED_MAX, "and for so many conversations");
    }
}
