//! Passwords: Argon2id, off the async threads, a bounded number at a time, in a fair order.
//!
//! 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet (RFC 9106
//! describes the function). About 20 ms of one core each, which is why only [`AT_ONCE`] run together
//! and only [`WAITING_MAX`] wait: a flood of sign-ins must not take the cores from the chat.
//!
//! Hashes wait in fair queues ([`crate::fair`]), one for checks of passwords and one for new accounts, which take turns.
//! In each, addresses take turns, and an address and a person have a bounded share, so that whoever floods the server
//! waits for themselves: a hash waits for at most one of each other address. A person who has signed in from this address
//! before takes turns of their own beside their address', so that no neighbour uses up what they have. An asker who goes
//! gives their share back at once.

mod guess;

use crate::behind;
use crate::fair::{Bounds, FairQueue, Full};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use shared::account::Password;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Hashes computed at once: 2 × 19 MiB of memory.
const AT_ONCE: usize = 2;
/// Hashes that may wait in each queue: about ten seconds of work. Above it nobody is served (`overloaded`).
const WAITING_MAX: usize = 1_024;
/// Hashes of one address (of one site for IPv6), waiting or computed. Above it that address is refused (`rate_limited`).
///
/// Eight take about 80 ms, so an office behind one address comes to it when more than a hundred of its people sign in for the
/// first time within a second, or when somebody there keeps it full; then those who were signed in to from there before have
/// their own share. A larger one would help that somebody only: 128 addresses, or /48s, are needed to fill the queue of all
/// people with shares of eight.
const ADDRESS_MAX: usize = 8;
/// Hashes of one person: one is computed and two wait. Above it that person is refused (`rate_limited`).
const PERSON_MAX: usize = 3;

/// Person whose password is hashed: the account's address in lower case, and the place they are asked from if the
/// account was signed in to from there before, so that strangers do not use up their share.
pub type Person = (String, Option<IpAddr>);

/// Owner of the share of work that a hash takes.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Address that asks, as it counts for shares.
    pub site: IpAddr,
    /// Owner of the password; `None` for an account that is being made.
    pub person: Option<Person>,
}

/// Owner of the turns that a hash takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Share {
    /// All people's at an address who were not signed in from there before.
    Site(IpAddr),
    /// This person's.
    Person(Person),
}

impl Asker {
    fn share(&self) -> Share {
        match &self.person {
            Some(person @ (_, Some(_))) => Share::Person(person.clone()),
            Some((_, None)) | None => Share::Site(self.site),
        }
    }
}

/// Hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Mutex<Waiting>>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many are waiting.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// The asker has as many under way as they may have.
    #[error("too many passwords of one person or address are being checked")]
    ShareFull,
    /// Refused: others would guess it.
    #[error("the password is guessable")]
    Guessable,
    /// Hashing failed, which it never should.
    #[error("password hashing failed: {0}")]
    Hash(String),
}

/// All that waits, and what is computed.
#[derive(Debug)]
struct Waiting {
    /// Checks of passwords, and new accounts.
    queues: [FairQueue<Share, Job>; 2],
    /// The queue whose turn it is.
    next: usize,
    under_way: usize,
    person_max: usize,
    /// Of each person that has any.
    people: HashMap<Person, OfPerson>,
}

/// Hashes of one person.
#[derive(Debug, Default)]
struct OfPerson {
    /// Waiting or computed.
    all: usize,
    is_under_way: bool,
}

/// Somebody who waits for their turn.
#[derive(Debug)]
struct Job {
    person: Option<Person>,
    turn: oneshot::Sender<Turn>,
}

/// Right to compute one hash. Dropping it lets the next one begin.
#[derive(Debug)]
struct Turn {
    passwords: Passwords,
    queue: usize,
    share: Share,
    person: Option<Person>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.passwords.waiting().end(self.queue, &self.share, self.person.as_ref());
        self.passwords.begin();
    }
}

/// Place in the queue. Dropping it gives the share back, whether its turn has come or not.
#[derive(Debug)]
struct Place {
    passwords: Passwords,
    queue: usize,
    share: Share,
    granted: oneshot::Receiver<Turn>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.granted.close();
        self.passwords.waiting().discard(self.queue, &self.share);
    }
}

const CHECKS: usize = 0;
const SIGN_UPS: usize = 1;

impl Waiting {
    /// The next hash that may be computed, if there is room for one.
    fn next(&mut self) -> Option<(usize, Share, Job)> {
        if self.under_way >= AT_ONCE {
            return None;
        }
        for _ in 0..self.queues.len() {
            let queue = self.next;
            self.next = (queue + 1) % self.queues.len();
            let people = &self.people;
            let is_free = |job: &Job| {
                job.person.as_ref().is_none_or(|person| people.get(person).is_none_or(|of| !of.is_under_way))
            };
            if let Some((share, job)) = self.queues[queue].next(is_free) {
                self.under_way += 1;
                if let Some(of) = job.person.as_ref().and_then(|person| self.people.get_mut(person)) {
                    of.is_under_way = true;
                }
                return Some((queue, share, job));
            }
        }
        None
    }

    fn end(&mut self, queue: usize, share: &Share, person: Option<&Person>) {
        self.under_way -= 1;
        self.queues[queue].done(share);
        let Some(person) = person else { return };
        if let Some(of) = self.people.get_mut(person) {
            of.is_under_way = false;
        }
        self.give_back(person);
    }

    /// Takes those who have gone out of a queue.
    fn discard(&mut self, queue: usize, share: &Share) {
        for job in self.queues[queue].discard(share, |job| job.turn.is_closed()) {
            if let Some(person) = &job.person {
                self.give_back(person);
            }
        }
    }

    fn give_back(&mut self, person: &Person) {
        if let Some(of) = self.people.get_mut(person) {
            of.all -= 1;
            if of.all == 0 {
                self.people.remove(person);
            }
        }
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("OWASP's parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, Error> {
    let hash = argon2().hash_password(password.as_bytes()).map_err(|error| Error::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

impl Passwords {
    /// Nothing is waiting. Where people and addresses have no shares, only the bounds of all remain.
    #[must_use]
    pub fn new(has_shares: bool) -> Self {
        let per_key = if has_shares { ADDRESS_MAX } else { WAITING_MAX };
        let bounds = Bounds { waiting: WAITING_MAX, per_key, under_way_per_key: AT_ONCE };
        Self(Arc::new(Mutex::new(Waiting {
            queues: [FairQueue::new(bounds), FairQueue::new(bounds)],
            next: CHECKS,
            under_way: 0,
            person_max: if has_shares { PERSON_MAX } else { WAITING_MAX },
            people: HashMap::new(),
        })))
    }

    /// The hash to store, in PHC string format, with a new salt.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hash(&self, asker: Asker, password: Password) -> Result<String, Error> {
        self.run(asker, move || hash(password.prepared().reveal())).await?
    }

    /// Whether this is the password, in any spelling of its letters. Without a hash to compare with (no such account), it
    /// takes as long and says no, so that time does not tell who has an account.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn verify(&self, asker: Asker, password: Password, stored: Option<String>) -> Result<bool, Error> {
        self.run(asker, move || {
            let is_it = |password: &Password| match &stored {
                None => {
                    let _ = std::hint::black_box(hash(password.reveal()));
                    false
                }
                Some(stored) => PasswordHash::new(stored)
                    .is_ok_and(|stored| argon2().verify_password(password.reveal().as_bytes(), &stored).is_ok()),
            };
            let prepared = password.prepared();
            // Hashes from before are of what was typed.
            is_it(&prepared) || (prepared != password && is_it(&password))
        })
        .await
    }

    /// Refuses a new password that others would guess; `about` is what they know of the person. It costs a few
    /// milliseconds of CPU at most, and waits for its turn like a hash.
    ///
    /// # Errors
    /// [`Error::Guessable`]; see [`Error`] for others.
    pub async fn check_new(&self, asker: Asker, password: &Password, about: Vec<String>) -> Result<(), Error> {
        let password = password.prepared();
        match self.run(asker, move || guess::is_guessable(password.reveal(), &about)).await? {
            true => Err(Error::Guessable),
            false => Ok(()),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let mut place = self.turn(asker)?;
        let turn = (&mut place.granted).await.map_err(|error| Error::Hash(error.to_string()))?;
        behind::spawn(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| Error::Hash(error.to_string()))
    }

    /// Takes a place in the queue.
    fn turn(&self, asker: Asker) -> Result<Place, Error> {
        let share = asker.share();
        let person = asker.person;
        let (turn, granted) = oneshot::channel();
        let mut waiting = self.waiting();
        if let Some(person) = &person {
            let person_max = waiting.person_max;
            if waiting.people.get(person).is_some_and(|of| of.all >= person_max) {
                return Err(Error::ShareFull);
            }
        }
        let queue = if person.is_some() { CHECKS } else { SIGN_UPS };
        match waiting.queues[queue].push(share.clone(), Job { person: person.clone(), turn }) {
            Ok(()) => {}
            Err(Full::Key(_)) => return Err(Error::ShareFull),
            Err(Full::Queue(_)) => return Err(Error::Overloaded),
        }
        if let Some(person) = person {
            waiting.people.entry(person).or_default().all += 1;
        }
        drop(waiting);
        self.begin();
        Ok(Place { passwords: self.clone(), queue, share, granted })
    }

    /// Grants as many turns as there is room for.
    fn begin(&self) {
        loop {
            let Some((queue, share, job)) = self.waiting().next() else { return };
            if job.turn.is_closed() {
                // The asker has gone.
                self.waiting().end(queue, &share, job.person.as_ref());
                continue;
            }
            let turn = Turn { passwords: self.clone(), queue, share, person: job.person };
            // Gone in this very moment: dropping the turn lets the next one begin.
            drop(job.turn.send(turn));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    fn asker(site: u8, person: &str) -> Asker {
        Asker { site: IpAddr::from([127, 0, 0, site]), person: Some((person.into(), None)) }
    }

    fn newcomer(site: u8) -> Asker {
        Asker { site: IpAddr::from([127, 0, 0, site]), person: None }
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_every_byte_counts() {
        let passwords = Passwords::new(true);
        let long = "p".repeat(1_024);
        let stored = passwords.hash(newcomer(1), password(&long)).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let verify = async |text: &str| {
            passwords.verify(asker(1, "ada"), password(text), Some(stored.clone())).await.expect("checked")
        };
        assert!(verify(&long).await);
        assert!(!verify(&long[1..]).await);
        assert!(!verify(&format!(" {}", &long[1..])).await);
    }

    #[tokio::test]
    async fn password_is_the_same_in_every_spelling_and_hashes_from_before_go_on() {
        let passwords = Passwords::new(true);
        let (composed, taken_apart) = ("p\u{e4}ssw\u{f6}rd caf\u{e9}", "pa\u{308}sswo\u{308}rd\u{a0}cafe\u{301}");
        let verify = async |text: &str, stored: &str| {
            passwords.verify(asker(1, "ada"), password(text), Some(stored.to_owned())).await.expect("checked")
        };
        for text in [composed, taken_apart] {
            let stored = passwords.hash(newcomer(1), password(text)).await.expect("hashed");
            assert!(verify(composed, &stored).await && verify(taken_apart, &stored).await, "{text:?}");
            assert!(!verify("passwo\u{308}rd caf\u{e9}", &stored).await);
        }
        let from_before = hash(taken_apart).expect("hashed");
        assert!(verify(taken_apart, &from_before).await);
        assert!(!verify(composed, &from_before).await, "the control: that hash is of the other spelling");
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = Passwords::new(true);
        assert!(!passwords.verify(asker(1, "nobody"), password("anything"), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_person_and_an_address_have_a_share_and_leave_others_theirs() {
        let passwords = Passwords::new(true);
        let mut granted = Vec::new();
        for _ in 0..PERSON_MAX {
            granted.push(passwords.turn(asker(1, "ada")).expect("room"));
        }
        assert!(matches!(passwords.turn(asker(1, "ada")), Err(Error::ShareFull)));
        assert!(matches!(passwords.turn(asker(2, "ada")), Err(Error::ShareFull)), "wherever they are");
        for person in PERSON_MAX..ADDRESS_MAX {
            granted.push(passwords.turn(asker(1, &person.to_string())).expect("room"));
        }
        assert!(matches!(passwords.turn(asker(1, "ben")), Err(Error::ShareFull)));
        granted.push(passwords.turn(newcomer(1)).expect("new accounts have a queue of their own"));
        granted.push(passwords.turn(asker(2, "ben")).expect("room"));
        assert!(passwords.waiting().people.len() > 1);
        drop(granted);
        let waiting = passwords.waiting();
        assert_eq!((waiting.under_way, waiting.people.len()), (0, 0), "whoever goes gives their share back");
    }

    #[tokio::test]
    async fn asker_who_goes_while_they_wait_gives_their_share_back_at_once() {
        let passwords = Passwords::new(true);
        // Others keep both cores, so that no turn comes.
        let _others = [passwords.turn(asker(8, "eve")).expect("room"), passwords.turn(asker(9, "eve2")).expect("room")];
        for _ in 0..4 {
            let waiting: Vec<_> = (0..PERSON_MAX).map(|_| passwords.turn(asker(1, "ada")).expect("room")).collect();
            assert!(passwords.turn(asker(1, "ada")).is_err(), "the control: as many as she may have");
            drop(waiting);
            let full: Vec<_> =
                (0..ADDRESS_MAX).map(|person| passwords.turn(asker(1, &person.to_string())).expect("room")).collect();
            assert!(passwords.turn(asker(1, "ada")).is_err(), "the control: as many as the address may have");
            drop(full);
        }
        let waiting = passwords.waiting();
        assert_eq!((waiting.under_way, waiting.people.len(), waiting.queues[CHECKS].waiting()), (2, 2, 0));
    }

    #[tokio::test]
    async fn person_known_at_an_address_has_a_share_although_a_neighbour_fills_that_of_the_address() {
        let passwords = Passwords::new(true);
        let _flood: Vec<_> =
            (0..ADDRESS_MAX).map(|person| passwords.turn(asker(1, &person.to_string())).expect("room")).collect();
        assert!(passwords.turn(asker(1, "ada")).is_err(), "the control: nobody knows her here");
        let known = Asker { person: Some(("ada".into(), Some(asker(1, "").site))), ..asker(1, "") };
        let waiting: Vec<_> = (0..PERSON_MAX).map(|_| passwords.turn(known.clone()).expect("her own")).collect();
        assert!(matches!(passwords.turn(known), Err(Error::ShareFull)));
        drop(waiting);
    }

    #[tokio::test]
    async fn one_persons_passwords_are_looked_at_one_at_a_time() {
        let passwords = Passwords::new(true);
        let mut first = passwords.turn(asker(1, "ada")).expect("room");
        let mut second = passwords.turn(asker(1, "ada")).expect("room");
        let mut other = passwords.turn(asker(1, "ben")).expect("room");
        let turn = first.granted.try_recv().expect("granted");
        assert!(second.granted.try_recv().is_err(), "the same person waits");
        assert!(other.granted.try_recv().is_ok(), "and holds up nobody behind");
        drop(turn);
        assert!(second.granted.try_recv().is_ok());
    }

    #[tokio::test]
    async fn a_flood_from_one_address_lets_the_next_address_in() {
        let passwords = Passwords::new(true);
        let mut flood: Vec<_> =
            (0..ADDRESS_MAX).map(|person| passwords.turn(asker(1, &person.to_string())).expect("room")).collect();
        let mut ada = passwords.turn(asker(2, "ada")).expect("room");
        assert!(ada.granted.try_recv().is_err(), "as many are computed as may be");
        let mut ended = 0;
        for turn in &mut flood {
            drop(turn.granted.try_recv().expect("granted"));
            ended += 1;
            if ada.granted.try_recv().is_ok() {
                break;
            }
        }
        assert_eq!(ended, 2, "one more of the other address comes first, and then it is her turn");
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let passwords = Passwords::new(true);
        let site = |number: usize| {
            let [.., high, low] = number.to_be_bytes();
            Asker { site: IpAddr::from([10, 0, high, low]), person: Some((number.to_string(), None)) }
        };
        let all: Vec<_> =
            (0..WAITING_MAX + AT_ONCE).map(|number| passwords.turn(site(number)).expect("room")).collect();
        assert!(matches!(passwords.hash(asker(1, "ada"), password("x")).await, Err(Error::Overloaded)));
        drop(all);
    }
}
