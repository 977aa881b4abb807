//! Place of a connection: among those of its address without a session, and of its person once somebody has signed in
//! on it.
//!
//! An address has so many places for connections without a session; further ones wait at its [door](super::door), where
//! they may show one and nothing else. A person's first [`OWN_MAX`] connections and sockets are counted by nobody but
//! them, so that nobody at the same address can take these; further ones take places of the address.
//!
//! Behind a trusted proxy each request has a place, because there a connection is nobody's.

use super::answer::{self, Held};
use super::bucket::{Bucket, Count, Pace};
use super::door::Knock;
use super::toll::{self, HANDSHAKE, MISSED_LOOK, Payer, Toll};
use super::{ANSWER_BYTES_MAX, Ledger, Network, NetworkKey, Person, TOO_MUCH, later};
use crate::rate;
use axum::response::Response;
use shared::code::Rejection;
use shared::ids::UserId;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Connections and sockets of a person that no address counts: a few browsers with their sockets. Thirty accounts, which is
/// what an address makes in a day, have 240 such connections.
const OWN_MAX: u64 = 8;
/// Connections at the door of an address. Above it the oldest is closed.
const DOOR_MAX: u64 = 64;
/// When to come back after too many connections, or too many answers that were not read.
const RETRY: Duration = Duration::from_secs(10);
/// When to come back when the answers of all people together are too many.
const ALL_RETRY: Duration = Duration::from_secs(2);
const TOO_MANY_CONNECTIONS: &str =
    "Too many connections of this account. Close some, or use them for more than one request";
const TOO_MANY_FROM_ADDRESS: &str = "Too many connections from this address";
const UNREAD: &str = "Many answers were asked for and not read yet. Read them first";
const ALL_UNREAD: &str = "The server has too many answers under way. Please try again in a moment";

/// A place. It is given back when the last copy is dropped.
#[derive(Debug, Clone)]
pub struct ConnectionSlot(Arc<Slot>);

/// Accounts of an address: its own, and that of its /48 if it has one.
type Networks = [Option<(NetworkKey, Arc<Network>)>; 2];

#[derive(Debug)]
struct Slot {
    ledger: Arc<Ledger>,
    networks: Networks,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// Payer of the first unit of the request under way.
    paid: Paid,
    /// Held while a request is answered.
    turn: Option<OwnedSemaphorePermit>,
}

/// Owner of a connection.
#[derive(Debug)]
enum Holder {
    /// Nobody has signed in.
    Guest,
    /// Nobody has signed in, and the address has no place for it.
    Door(Arc<Knock>),
    /// Somebody has.
    Person(PersonPlace),
    /// None: the connection has ended, or is a socket and has a [`PersonPlace`] by itself.
    Nobody,
}

/// Place of a connection or socket among those of its person. It is given back when this is dropped.
#[derive(Debug)]
pub struct PersonPlace {
    person: Arc<Person>,
    /// Accounts that count it. None counts one of the person's own, which nearly all are.
    networks: Option<Box<Networks>>,
}

impl PersonPlace {
    /// The person, who pays.
    #[must_use]
    pub fn person(&self) -> &Arc<Person> {
        &self.person
    }
}

impl Drop for PersonPlace {
    fn drop(&mut self) {
        match &self.networks {
            None => self.person.own.give_back(1),
            Some(networks) => networks.iter().flatten().for_each(|(_, network)| network.connections.give_back(1)),
        }
    }
}

#[derive(Debug, Default)]
enum Paid {
    #[default]
    Nobody,
    /// The address.
    Address,
    /// The address, from its units for look-ups.
    Look,
    /// The person whose session was known.
    Person(Arc<Person>),
}

impl Ledger {
    /// A place for a connection from an address, or one at its door.
    #[must_use]
    pub fn connect(self: &Arc<Self>, address: IpAddr) -> ConnectionSlot {
        let now = self.moment(Instant::now());
        let mut networks = [None, None];
        for (place, key) in networks.iter_mut().zip(NetworkKey::of(address)) {
            *place = Some((key, self.networks.of(key, now)));
        }
        let state = State { holder: Holder::Nobody, paid: Paid::Nobody, turn: None };
        let slot = Slot { ledger: self.clone(), networks, state: Mutex::new(state) };
        let holder = if slot.take_guest() { Holder::Guest } else { slot.knock() };
        slot.state().holder = holder;
        ConnectionSlot(Arc::new(slot))
    }
}

impl ConnectionSlot {
    /// A request has come that shows these (the SHA-256 of each secret): a unit of the person whose session is known, or of
    /// its address.
    ///
    /// # Errors
    /// `rate_limited`. It may be so for an address that has no place for it.
    pub fn begin_request(&self, shown: &[[u8; 32]]) -> Result<(), Rejection> {
        let (slot, ledger) = (&*self.0, &self.0.ledger);
        let now = Instant::now();
        slot.come_in(!shown.is_empty())?;
        let moment = ledger.moment(now);
        let paid = match shown.iter().find_map(|hash| ledger.sessions.user_of(hash, moment)) {
            Some(user) => {
                let person = ledger.person(user);
                ledger.take(&person, 1, now)?;
                Paid::Person(person)
            }
            None => match slot.take(1) {
                Ok(()) => Paid::Address,
                // The request may be a neighbour's whose session was not looked up yet.
                Err(_) if !shown.is_empty() => {
                    slot.take_look()?;
                    Paid::Look
                }
                Err(refused) => return Err(refused),
            },
        };
        slot.state().paid = paid;
        Ok(())
    }

    /// Waits until a newer connection has taken this one's place at the door, and gives what is told then; for ever if it has
    /// a better place.
    pub async fn sent_away(&self) -> Rejection {
        let knock = match &self.0.state().holder {
            Holder::Door(knock) => Some(knock.clone()),
            _ => None,
        };
        match knock {
            Some(knock) => knock.sent_away().await,
            None => std::future::pending().await,
        }
        rate::refusal(TOO_MANY_FROM_ADDRESS, RETRY)
    }

    /// No session has this secret: the look-up is paid by the address.
    pub fn note_stranger(&self, hash: &[u8; 32]) {
        let (slot, ledger) = (&self.0, &self.0.ledger);
        ledger.sessions.forget(hash);
        if ledger.is_on {
            let now = ledger.moment(Instant::now());
            let networks = slot.networks.iter().flatten();
            networks.for_each(|(key, network)| network.cost.charge(ledger.pace(*key), MISSED_LOOK, now));
        }
    }

    /// A request of somebody whose session was shown: from now on the connection is theirs, they pay, and wait for
    /// their turn if many requests of theirs are worked at.
    ///
    /// # Errors
    /// `rate_limited` or `overloaded`.
    ///
    /// # Cancel safety
    /// Safe; the units are gone.
    pub async fn admit(&self, user: UserId, toll: Toll, body_bytes: Option<u64>) -> Result<(), Rejection> {
        if toll.payer == Payer::Address {
            return Ok(());
        }
        let ledger = &self.0.ledger;
        let person = ledger.person(user);
        self.0.sign_in(&person)?;
        self.0.settle(&person, toll.with_body(body_bytes))?;
        if person.answers.get() >= ANSWER_BYTES_MAX {
            return Err(rate::refusal(UNREAD, RETRY));
        }
        if ledger.answers.get() >= ledger.bounds.all_answers {
            return Err(rate::overloaded(ALL_UNREAD, ALL_RETRY));
        }
        if !toll.is_file {
            let turn = person.turns.clone().acquire_owned().await;
            self.0.state().turn = Some(turn.expect("nobody closes it"));
        }
        Ok(())
    }

    /// A handshake of somebody whose session was found: they pay for it, and the connection is a socket of theirs, which
    /// has the place that is given.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn admit_socket(&self, user: UserId) -> Result<PersonPlace, Rejection> {
        let person = self.0.ledger.person(user);
        let place = self.0.take_place(&person)?;
        self.0.settle(&person, HANDSHAKE)?;
        self.0.leave(Holder::Nobody);
        Ok(place)
    }

    /// Pays for a request that needs no session, beyond the unit it has paid.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn take(&self, toll: Toll, body_bytes: Option<u64>) -> Result<(), Rejection> {
        if toll.payer == Payer::Person {
            return Ok(());
        }
        let more = toll.with_body(body_bytes).saturating_sub(1);
        let person = match &self.0.state().paid {
            Paid::Person(person) => Some(person.clone()),
            _ => None,
        };
        match person {
            Some(person) => self.0.ledger.take(&person, more, Instant::now()),
            None => self.0.take(more),
        }
    }

    /// A request is answered: the turn is the next one's, and the answer is paid for by its bytes and counted
    /// until it has been written.
    ///
    /// # Errors
    /// `rate_limited` or `overloaded` if too much waits to be read already. The answer is gone.
    pub fn end_request(&self, response: Response) -> Result<Response, Rejection> {
        let mut state = self.0.state();
        state.turn = None;
        state.paid = Paid::Nobody;
        let bytes = answer::size(&response);
        if bytes == 0 {
            return Ok(response);
        }
        let places: Vec<(Arc<Count>, u64)> = match &state.holder {
            Holder::Person(place) => {
                self.0.ledger.charge(&place.person, toll::answer(bytes), Instant::now());
                vec![(place.person.answers.clone(), ANSWER_BYTES_MAX)]
            }
            Holder::Guest | Holder::Door(_) | Holder::Nobody => {
                let networks = self.0.networks.iter().flatten();
                networks
                    .map(|(key, network)| (network.answers.clone(), ANSWER_BYTES_MAX * u64::from(key.times())))
                    .collect()
            }
        };
        drop(state);
        let Some(own) = Held::take(bytes, &places) else { return Err(rate::refusal(UNREAD, RETRY)) };
        let ledger = &self.0.ledger;
        match Held::take(bytes, &[(ledger.answers.clone(), ledger.bounds.all_answers)]) {
            Some(all) => Ok(all.until_written(own.until_written(response))),
            None => Err(rate::overloaded(ALL_UNREAD, ALL_RETRY)),
        }
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, units: u32) -> Result<(), Rejection> {
        self.take_from(units, |network| &network.cost, Ledger::pace)
    }

    fn take_look(&self) -> Result<(), Rejection> {
        self.take_from(1 + MISSED_LOOK, |network| &network.looks, Ledger::pace_of_looks)
    }

    /// Takes units from a bucket of the address and from that of its /48, or from neither.
    fn take_from(
        &self,
        units: u32,
        bucket: fn(&Network) -> &Bucket,
        pace: fn(&Ledger, NetworkKey) -> Pace,
    ) -> Result<(), Rejection> {
        let ledger = &*self.ledger;
        if !ledger.is_on {
            return Ok(());
        }
        let now = ledger.moment(Instant::now());
        for (at, (key, network)) in self.networks.iter().flatten().enumerate() {
            if let Err(wait) = bucket(network).take(pace(ledger, *key), units, now) {
                let taken = self.networks.iter().flatten().take(at);
                taken.for_each(|(key, network)| bucket(network).give_back(pace(ledger, *key), units));
                return Err(rate::refusal(TOO_MUCH, later(wait)));
            }
        }
        Ok(())
    }

    /// The person pays so many units, and whoever has paid the first unit of the request gets it back.
    fn settle(&self, person: &Arc<Person>, units: u32) -> Result<(), Rejection> {
        let ledger = &*self.ledger;
        let paid = std::mem::take(&mut self.state().paid);
        let is_own = matches!(&paid, Paid::Person(payer) if Arc::ptr_eq(payer, person));
        ledger.take(person, units.saturating_sub(u32::from(is_own)), Instant::now())?;
        if !ledger.is_on {
            return Ok(());
        }
        let networks = self.networks.iter().flatten();
        match paid {
            Paid::Address => networks.for_each(|(key, network)| network.cost.give_back(ledger.pace(*key), 1)),
            Paid::Look => {
                networks.for_each(|(key, network)| network.looks.give_back(ledger.pace_of_looks(*key), 1 + MISSED_LOOK))
            }
            // Several secrets were shown, and another than the known one counts.
            Paid::Person(payer) if !is_own => payer.cost.give_back(ledger.bounds.person, 1),
            Paid::Person(_) | Paid::Nobody => {}
        }
        Ok(())
    }

    /// Lets a request in that came to the door: for good if there is a place by now, or because it shows a session.
    fn come_in(&self, shows_session: bool) -> Result<(), Rejection> {
        let is_nobodys = match self.state().holder {
            Holder::Guest | Holder::Person(_) => return Ok(()),
            Holder::Door(_) => false,
            Holder::Nobody => true,
        };
        if is_nobodys {
            // A handshake was paid, and no socket came of it.
            self.leave(self.knock());
        }
        if self.take_guest() {
            self.leave(Holder::Guest);
            return Ok(());
        }
        if shows_session { Ok(()) } else { Err(rate::refusal(TOO_MANY_FROM_ADDRESS, RETRY)) }
    }

    /// Takes a place among the connections of the address without a session.
    fn take_guest(&self) -> bool {
        self.count(|network| &network.guests, |key| self.ledger.bounds.guests.saturating_mul(key.times().into()))
    }

    fn knock(&self) -> Holder {
        let knock = Arc::new(Knock::default());
        for (key, network) in self.networks.iter().flatten() {
            let most = self.ledger.bounds.guests.min(DOOR_MAX) * u64::from(key.times());
            network.door.add(knock.clone(), usize::try_from(most).unwrap_or(usize::MAX));
        }
        Holder::Door(knock)
    }

    /// Counts one more in the address and in its /48, or in neither.
    fn count(&self, count: fn(&Network) -> &Count, most: impl Fn(NetworkKey) -> u64) -> bool {
        for (at, (key, network)) in self.networks.iter().flatten().enumerate() {
            if !count(network).take(1, most(*key)) {
                self.networks.iter().flatten().take(at).for_each(|(_, network)| count(network).give_back(1));
                return false;
            }
        }
        true
    }

    /// The connection is this person's.
    fn sign_in(&self, person: &Arc<Person>) -> Result<(), Rejection> {
        if let Holder::Person(place) = &self.state().holder
            && Arc::ptr_eq(&place.person, person)
        {
            return Ok(());
        }
        if !person.connections.take(1, self.ledger.bounds.connections_per_user) {
            return Err(rate::refusal(TOO_MANY_CONNECTIONS, RETRY));
        }
        let place = self.take_place(person).inspect_err(|_| person.connections.give_back(1))?;
        self.leave(Holder::Person(place));
        Ok(())
    }

    /// A place for one more connection or socket of this person.
    fn take_place(&self, person: &Arc<Person>) -> Result<PersonPlace, Rejection> {
        if person.own.take(1, OWN_MAX) {
            return Ok(PersonPlace { person: person.clone(), networks: None });
        }
        let bounds = &self.ledger.bounds;
        let most = |key: NetworkKey| {
            if self.ledger.is_on { bounds.connections_per_address.saturating_mul(key.times().into()) } else { u64::MAX }
        };
        if self.count(|network| &network.connections, most) {
            Ok(PersonPlace { person: person.clone(), networks: Some(Box::new(self.networks.clone())) })
        } else {
            Err(rate::refusal(TOO_MANY_FROM_ADDRESS, RETRY))
        }
    }

    /// Gives back what the holder has taken; the next has taken its own.
    fn leave(&self, next: Holder) {
        let before = std::mem::replace(&mut self.state().holder, next);
        match before {
            Holder::Guest => self.networks.iter().flatten().for_each(|(_, network)| network.guests.give_back(1)),
            Holder::Door(knock) => self.networks.iter().flatten().for_each(|(_, network)| network.door.remove(&knock)),
            Holder::Person(place) => place.person.connections.give_back(1),
            Holder::Nobody => {}
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.leave(Holder::Nobody);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ledger;
    use super::*;
    use crate::clock;
    use axum::body::Body;
    use futures_util::FutureExt;
    use shared::code::Code;
    use shared::ids::SessionId;

    fn user() -> UserId {
        clock::id(UserId::v7)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// 240 units of a person, and so slow that a slow machine gives little back.
    const SLOW: &[&str] = &[
        "--request-burst=240",
        "--requests-in-10-s=1",
        "--send-burst=1",
        "--sends-in-10-s=1",
        "--token-send-burst=1",
        "--token-sends-in-10-s=1",
    ];

    /// Whether a request without a session is let in.
    fn is_let_in(slot: &ConnectionSlot) -> bool {
        slot.begin_request(&[]).is_ok()
    }

    fn is_sent_away(slot: &ConnectionSlot) -> bool {
        slot.sent_away().now_or_never().is_some()
    }

    #[test]
    fn address_has_so_many_places_without_a_session_and_gets_them_back() {
        let ledger = ledger(&["--connections-per-address=2"]);
        let (one, other) = (address("127.0.0.1"), address("127.0.0.2"));
        let slots: Vec<_> = (0..3).map(|_| ledger.connect(one)).collect();
        assert_eq!(slots.iter().map(is_let_in).collect::<Vec<_>>(), [true, true, false]);
        assert!(is_let_in(&ledger.connect(other)));
        let [_, second, third] = <[_; 3]>::try_from(slots).expect("three");
        assert!(is_let_in(&third), "the first has gone");
        assert!(!is_let_in(&ledger.connect(one)));
        drop((second, third));
        let slots: Vec<_> = (0..3).map(|_| ledger.connect(one)).collect();
        assert_eq!(slots.iter().map(is_let_in).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn a_48_has_four_times_the_places_of_its_64s() {
        let ledger = ledger(&["--connections-per-address=2"]);
        let from = |n: usize| ledger.connect(address(&format!("2001:db8:1:{n:x}::1")));
        let mut slots: Vec<_> = (0..99).map(from).collect();
        assert_eq!(slots.iter().filter(|slot| is_let_in(slot)).count(), 8);
        slots.clear();
        assert!(is_let_in(&from(98)), "what was refused took nothing");
    }

    #[tokio::test]
    async fn silent_connections_of_strangers_keep_no_neighbour_out() {
        let ledger = ledger(&["--connections-per-address=2"]);
        let (from, ada) = (address("127.0.0.1"), user());
        let inside: Vec<_> = (0..2).map(|_| ledger.connect(from)).collect();
        let door: Vec<_> = (0..2).map(|_| ledger.connect(from)).collect();
        let hers = ledger.connect(from);
        assert!(is_sent_away(&door[0]) && !is_sent_away(&door[1]), "the oldest at the door makes room");
        assert!(!inside.iter().any(is_sent_away), "and nobody inside");
        assert!(!is_let_in(&hers), "the control: without a session there is no place");
        hers.begin_request(&[[1; 32]]).expect("it may be a session");
        hers.admit(ada, Toll::person(1), Some(0)).await.expect("it is one");
        let more: Vec<_> = (0..9).map(|_| ledger.connect(from)).collect();
        assert!(!is_sent_away(&hers), "it is hers now");
        assert!(is_sent_away(&more[0]));
    }

    #[tokio::test]
    async fn signed_in_connection_is_counted_by_its_person_and_beyond_their_own_by_its_address() {
        let ledger =
            ledger(&["--connections-per-user=9", "--connections-per-address=1", "--connections-per-address-in-all=2"]);
        let (from, ada, ben) = (address("127.0.0.1"), user(), user());
        let toll = Toll::person(1);
        let mut slots = Vec::new();
        for _ in 0..9 {
            let slot = ledger.connect(from);
            assert!(is_let_in(&slot), "the one before is somebody's");
            slot.admit(ada, toll, Some(0)).await.expect("there is room");
            slot.admit(ada, toll, Some(0)).await.expect("it is hers already");
            slot.0.state().turn = None;
            slots.push(slot);
        }
        let slot = ledger.connect(from);
        assert_eq!(slot.admit(ada, toll, Some(0)).await.expect_err("her tenth").code, Code::RateLimited);
        let socket = slot.admit_socket(ada).expect("sockets are counted elsewhere, and the address has a second place");
        let third = ledger.connect(from);
        assert_eq!(third.admit_socket(ada).expect_err("the address has two").code, Code::RateLimited);
        third.admit_socket(ben).expect("his own");
        drop(slot);
        assert_eq!(third.admit_socket(ada).expect_err("the socket is still there").code, Code::RateLimited);
        drop(socket);
        third.admit_socket(ada).expect("one of hers has gone");
        slots.remove(0);
        ledger.connect(from).admit(ada, toll, Some(0)).await.expect("one of hers has gone");
    }

    #[test]
    fn connection_of_a_handshake_that_came_to_nothing_takes_a_place_of_its_address_again() {
        let ledger = ledger(&["--connections-per-address=1"]);
        let from = address("127.0.0.1");
        let slot = ledger.connect(from);
        drop(slot.admit_socket(user()).expect("there is room"));
        assert!(is_let_in(&slot));
        assert!(!is_let_in(&ledger.connect(from)), "the only place is taken");
        drop(slot);
        assert!(is_let_in(&ledger.connect(from)));
    }

    #[tokio::test]
    async fn known_session_pays_for_itself_at_an_address_that_has_nothing_left() {
        let ledger = ledger(SLOW);
        let (from, ada) = (address("127.0.0.1"), user());
        let (slot, secret) = (ledger.connect(from), [1; 32]);
        while slot.begin_request(&[]).is_ok() {}
        // Not known yet: the look-up takes what is kept for look-ups, and gives it back.
        for _ in 0..200 {
            slot.begin_request(&[secret]).expect("it is given back");
            slot.admit(ada, Toll::person(1), Some(0)).await.expect("found");
            slot.0.state().turn = None;
        }
        ledger.know(&secret, ada, clock::id(SessionId::v7));
        // Made-up ones use all of that up.
        let looks = (0..9_999_u32).take_while(|_| {
            let is_looked_up = slot.begin_request(&[[2; 32]]).is_ok();
            slot.note_stranger(&[2; 32]);
            is_looked_up
        });
        let looks = looks.count();
        assert!((45..100).contains(&looks), "{looks} of 240 / 5");
        slot.begin_request(&[[9; 32], secret]).expect("a neighbour");
        slot.take(Toll::address(20), Some(0)).expect("also where no session is needed");
        assert!(slot.begin_request(&[]).is_err() && slot.begin_request(&[[2; 32]]).is_err(), "the control");
        // Her own requests end, too, and those that are refused cost nobody else.
        let made = (0..9_999).take_while(|_| slot.begin_request(&[secret]).is_ok()).count();
        assert!(made < 240, "{made}");
        ledger.end_sessions(&[]);
        slot.note_stranger(&secret);
        assert!(slot.begin_request(&[secret]).is_err(), "it is no session any more");
    }

    #[test]
    fn address_pays_more_for_a_made_up_session_than_for_none() {
        let ledger = ledger(SLOW);
        let counts = [false, true].map(|shows| {
            let slot = ledger.connect(address(if shows { "127.0.0.1" } else { "127.0.0.2" }));
            let shown: &[[u8; 32]] = if shows { &[[2; 32]] } else { &[] };
            let made = (0..9_999).take_while(|_| {
                let is_let_in = slot.begin_request(shown).is_ok();
                shown.iter().for_each(|hash| slot.note_stranger(hash));
                is_let_in
            });
            made.count()
        });
        // 1,200 units by one, or by five and then 240 more of those kept for look-ups.
        assert!(counts[0] >= 1_200 && (280..600).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn refusal_of_a_48_takes_nothing_from_its_64() {
        let ledger = ledger(SLOW);
        let from = |n: usize| ledger.connect(address(&format!("2001:db8:1:{n:x}::1")));
        let others: Vec<_> = (1..9).map(from).collect();
        others.iter().for_each(|slot| while is_let_in(slot) {});
        let slot = from(0);
        let passed = (0..999).filter(|_| is_let_in(&slot)).count();
        assert!(passed < 900, "the control: the /48 has nothing left");
        let (_, own) = slot.0.networks[0].as_ref().expect("a /64");
        let left = 1_200 - u32::try_from(passed).expect("small");
        assert!(own.cost.take(ledger.bounds.address, left, ledger.moment(Instant::now())).is_ok());
    }

    #[tokio::test]
    async fn requests_are_paid_by_the_person_and_without_one_by_the_address() {
        let ledger = ledger(&["--request-burst=240", "--requests-in-10-s=1"]);
        let (from, ada) = (address("127.0.0.1"), user());
        let slot = ledger.connect(from);
        // More only where the time of this test gives some back.
        let mut paid = 0;
        while slot.admit(ada, Toll::person(5), Some(0)).await.is_ok() {
            paid += 1;
            slot.begin_request(&[]).expect("the address pays nothing for her");
        }
        assert!((48..1_000).contains(&paid), "{paid} of 5 units each, of 240");
        let made = (0..99_999).take_while(|_| slot.begin_request(&[]).is_ok()).count();
        assert!((1_190..9_999).contains(&made), "{made} of five times as many");
        assert!(slot.take(Toll::address(1_000), Some(0)).is_err());
        assert!(slot.take(Toll::person(20), Some(0)).is_ok(), "that is paid elsewhere");
    }

    #[tokio::test]
    async fn requests_of_one_person_wait_for_their_turn() {
        let ledger = ledger(&[]);
        let (from, ada, ben) = (address("127.0.0.1"), user(), user());
        let mut slots = Vec::new();
        for _ in 0..super::super::TURNS {
            let slot = ledger.connect(from);
            slot.admit(ada, Toll::person(1), Some(0)).await.expect("a turn");
            slots.push(slot);
        }
        let next = ledger.connect(from);
        {
            let file = ledger.connect(from);
            file.admit(ada, Toll::person(1).file(), None).await.expect("files wait for none");
            let other = ledger.connect(from);
            other.admit(ben, Toll::person(1), Some(0)).await.expect("another one's turns");
        }
        let waiting = next.admit(ada, Toll::person(1), Some(0));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        let _ = slots[0].end_request(Response::new(Body::empty()));
        waiting.await.expect("a turn");
    }

    #[tokio::test]
    async fn answers_not_read_are_bounded_for_a_person_and_for_all() {
        let ledger = ledger(&["--memory-limit-mib=160"]);
        let answer = || Response::new(Body::from(vec![0; 6 << 20]));
        let mut held = Vec::new();
        let mut codes = Vec::new();
        for _ in 0..4 {
            let slot = ledger.connect(address("127.0.0.1"));
            slot.admit(user(), Toll::person(1), Some(0)).await.expect("a new person");
            for _ in 0..3 {
                match slot.end_request(answer()) {
                    Ok(answer) => held.push(answer),
                    Err(refused) => codes.push(refused.code),
                }
            }
        }
        assert_eq!(held.len(), 6, "36 of 40 MiB, at most 12 of 16 for each");
        use Code::{Overloaded, RateLimited};
        assert_eq!(codes, [RateLimited, RateLimited, RateLimited, Overloaded, Overloaded, Overloaded]);
        held.clear();
        assert_eq!(ledger.answers.get(), 0);
    }
}
