//! Place of a connection: among those of its address, and of its person once somebody has signed in on it.
//!
//! Behind a trusted proxy each request has one, because there a connection is nobody's.

use super::answer::{self, Held};
use super::bucket::Count;
use super::toll::{Payer, Toll};
use super::{ANSWER_BYTES_MAX, Ledger, Network, NetworkKey, Person, TOO_MUCH, later, overloaded};
use crate::rate;
use axum::response::Response;
use shared::code::Rejection;
use shared::ids::UserId;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// When to come back after too many connections, or too many answers that were not read.
const RETRY: Duration = Duration::from_secs(10);
/// When to come back when the answers of all people together are too many.
const ALL_RETRY_MS: u64 = 2_000;
const TOO_MANY_CONNECTIONS: &str =
    "Too many connections of this account. Close some, or use them for more than one request";
const UNREAD: &str = "Many answers were asked for and not read yet. Read them first";
const ALL_UNREAD: &str = "The server has too many answers under way. Please try again in a moment";

/// A place. It is given back when the last copy is dropped.
#[derive(Debug, Clone)]
pub struct ConnectionSlot(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    ledger: Arc<Ledger>,
    networks: [Option<(NetworkKey, Arc<Network>)>; 2],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// Held while a request is answered.
    turn: Option<OwnedSemaphorePermit>,
}

/// Whose a connection is, beside its address'.
#[derive(Debug)]
enum Holder {
    /// Nobody has signed in.
    Guest,
    /// Somebody has.
    Person(Arc<Person>),
    /// A socket, which the registry counts.
    Socket,
}

impl Ledger {
    /// A place for a connection from an address; `None` if it has too many.
    #[must_use]
    pub fn connect(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionSlot> {
        let now = self.moment(Instant::now());
        let mut networks = [None, None];
        for (place, key) in networks.iter_mut().zip(NetworkKey::of(address)) {
            let network = self.networks.of(key, now);
            let taken = self.take_place(key, &network);
            if taken {
                *place = Some((key, network));
            } else {
                // Gives back what was taken before.
                drop(self.slot(networks));
                return None;
            }
        }
        Some(ConnectionSlot(Arc::new(self.slot(networks))))
    }

    fn slot(self: &Arc<Self>, networks: [Option<(NetworkKey, Arc<Network>)>; 2]) -> Slot {
        Slot { ledger: self.clone(), networks, state: Mutex::new(State { holder: Holder::Guest, turn: None }) }
    }

    fn take_place(&self, key: NetworkKey, network: &Network) -> bool {
        let times = u64::from(key.times());
        let most = if self.is_on { self.bounds.connections_per_address.saturating_mul(times) } else { u64::MAX };
        if !network.connections.take(1, most) {
            return false;
        }
        let may = network.guests.take(1, self.bounds.guests.saturating_mul(times));
        if !may {
            network.connections.give_back(1);
        }
        may
    }
}

impl ConnectionSlot {
    /// A request has come, of whomever: a unit of its address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn begin_request(&self) -> Result<(), Rejection> {
        self.0.take(1)
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
        ledger.take(&person, toll.with_body(body_bytes), Instant::now())?;
        self.0.give_back(1);
        if person.answers.get() >= ANSWER_BYTES_MAX {
            return Err(rate::refusal(UNREAD, RETRY));
        }
        if ledger.answers.get() >= ledger.bounds.all_answers {
            return Err(overloaded(ALL_UNREAD, ALL_RETRY_MS));
        }
        if !toll.is_file {
            let turn = person.turns.clone().acquire_owned().await;
            self.0.state().turn = Some(turn.expect("nobody closes it"));
        }
        Ok(())
    }

    /// Pays for a request of nobody, beyond the unit it has paid.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn take(&self, toll: Toll, body_bytes: Option<u64>) -> Result<(), Rejection> {
        match toll.payer {
            Payer::Person => Ok(()),
            Payer::Address => self.0.take(toll.with_body(body_bytes).saturating_sub(1)),
        }
    }

    /// A request is answered: the turn is the next one's, and the answer is counted until it has been written.
    ///
    /// # Errors
    /// `rate_limited` or `overloaded` if too much waits to be read already. The answer is gone.
    pub fn end_request(&self, response: Response) -> Result<Response, Rejection> {
        let mut state = self.0.state();
        state.turn = None;
        let bytes = answer::size(&response);
        if bytes == 0 {
            return Ok(response);
        }
        let places: Vec<(Arc<Count>, u64)> = match &state.holder {
            Holder::Person(person) => vec![(person.answers.clone(), ANSWER_BYTES_MAX)],
            Holder::Guest | Holder::Socket => {
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
            None => Err(overloaded(ALL_UNREAD, ALL_RETRY_MS)),
        }
    }

    /// The connection is a socket: its person's sockets are counted by the registry. Its address counts it on.
    pub fn become_socket(&self) {
        self.0.leave(Holder::Socket);
    }

    /// A socket's handshake was paid by its person: its address gets its unit back.
    pub fn paid_by_person(&self) {
        self.0.give_back(1);
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, units: u32) -> Result<(), Rejection> {
        let ledger = &self.ledger;
        if !ledger.is_on {
            return Ok(());
        }
        let now = ledger.moment(Instant::now());
        let mut networks = self.networks.iter().flatten();
        networks
            .try_for_each(|(key, network)| network.cost.take(ledger.pace(*key), units, now))
            .map_err(|wait| rate::refusal(TOO_MUCH, later(wait)))
    }

    fn give_back(&self, units: u32) {
        if self.ledger.is_on {
            let networks = self.networks.iter().flatten();
            networks.for_each(|(key, network)| network.cost.give_back(self.ledger.pace(*key), units));
        }
    }

    /// The connection is this person's.
    fn sign_in(&self, person: &Arc<Person>) -> Result<(), Rejection> {
        if let Holder::Person(holder) = &self.state().holder
            && Arc::ptr_eq(holder, person)
        {
            return Ok(());
        }
        if !person.connections.take(1, self.ledger.bounds.connections_per_user) {
            return Err(rate::refusal(TOO_MANY_CONNECTIONS, RETRY));
        }
        self.leave(Holder::Person(person.clone()));
        Ok(())
    }

    /// Gives back what the holder has taken; the next has taken its own.
    fn leave(&self, next: Holder) {
        match std::mem::replace(&mut self.state().holder, next) {
            Holder::Guest => self.networks.iter().flatten().for_each(|(_, network)| network.guests.give_back(1)),
            Holder::Person(person) => person.connections.give_back(1),
            Holder::Socket => {}
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.leave(Holder::Socket);
        self.networks.iter().flatten().for_each(|(_, network)| network.connections.give_back(1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ledger;
    use super::*;
    use crate::clock;
    use axum::body::Body;
    use shared::code::Code;

    fn user() -> UserId {
        clock::id(UserId::v7)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn address_has_so_many_places_and_gets_them_back() {
        let ledger = ledger(&["--connections-per-address=2"]);
        let (one, other) = (address("127.0.0.1"), address("127.0.0.2"));
        let slots: Vec<_> = (0..3).map_while(|_| ledger.connect(one)).collect();
        assert_eq!(slots.len(), 2);
        assert!(ledger.connect(other).is_some());
        drop(slots);
        assert_eq!((0..3).map_while(|_| ledger.connect(one)).collect::<Vec<_>>().len(), 2);
    }

    #[test]
    fn a_48_has_four_times_the_places_of_its_64s() {
        let ledger = ledger(&["--connections-per-address=2"]);
        let from = |n: usize| ledger.connect(address(&format!("2001:db8:1:{n:x}::1")));
        let slots: Vec<_> = (0..99).filter_map(from).collect();
        assert_eq!(slots.len(), 8);
        drop(slots);
        assert!(from(98).is_some(), "what was refused took nothing");
    }

    #[tokio::test]
    async fn signed_in_connection_is_counted_by_its_person_and_on_by_its_address() {
        let ledger =
            ledger(&["--connections-per-user=2", "--connections-per-address=1", "--connections-per-address-in-all=4"]);
        let (from, ada, ben) = (address("127.0.0.1"), user(), user());
        let toll = Toll::person(1);
        let mut slots = Vec::new();
        for _ in 0..2 {
            let slot = ledger.connect(from).expect("the one before is somebody's");
            slot.admit(ada, toll, Some(0)).await.expect("there is room");
            slot.admit(ada, toll, Some(0)).await.expect("it is hers already");
            slots.push(slot);
        }
        let slot = ledger.connect(from).expect("a place");
        let refused = slot.admit(ada, toll, Some(0)).await.expect_err("her third");
        assert_eq!(refused.code, Code::RateLimited);
        assert!(ledger.connect(from).is_none(), "it is still nobody's");
        slot.admit(ben, toll, Some(0)).await.expect("there is room");
        slots.push(slot);
        let socket = ledger.connect(from).expect("a place");
        socket.become_socket();
        assert!(ledger.connect(from).is_none(), "the address has four");
        drop(socket);
        assert!(ledger.connect(from).is_some());
        slots.remove(0);
        let slot = ledger.connect(from).expect("a place");
        slot.admit(ada, toll, Some(0)).await.expect("one of hers has gone");
    }

    #[tokio::test]
    async fn requests_are_paid_by_the_person_and_without_one_by_the_address() {
        let ledger = ledger(&["--request-burst=240", "--requests-in-10-s=1"]);
        let (from, ada) = (address("127.0.0.1"), user());
        let slot = ledger.connect(from).expect("a place");
        // More only where the time of this test gives some back.
        let mut paid = 0;
        while slot.admit(ada, Toll::person(5), Some(0)).await.is_ok() {
            paid += 1;
            slot.begin_request().expect("the address pays nothing for her");
        }
        assert!((48..1_000).contains(&paid), "{paid} of 5 units each, of 240");
        let made = (0..99_999).take_while(|_| slot.begin_request().is_ok()).count();
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
            let slot = ledger.connect(from).expect("a place");
            slot.admit(ada, Toll::person(1), Some(0)).await.expect("a turn");
            slots.push(slot);
        }
        let next = ledger.connect(from).expect("a place");
        {
            let file = ledger.connect(from).expect("a place");
            file.admit(ada, Toll::person(1).file(), None).await.expect("files wait for none");
            let other = ledger.connect(from).expect("a place");
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
            let slot = ledger.connect(address("127.0.0.1")).expect("a place");
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
