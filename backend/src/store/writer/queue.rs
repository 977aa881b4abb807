//! The writer's queue: people take turns.
//!
//! A person's jobs are done in the order in which they came. Of different people, each has one turn in a round: one job,
//! or several light ones that together cost no more than one ([`Weight`]). So a person who has queued a thousand jobs
//! holds up the others by one turn for each of theirs. Jobs for people without an account yet are those of one person for
//! each address, jobs of the program itself those of one more.
//!
//! Light jobs share a turn because a batch that takes one message of each of a thousand people writes a thousand answers
//! to a thousand sockets; a batch that takes the sixteen that came together writes them together.
//!
//! Each job is put into a round as it comes: the one under way or the last one its person has a job in, or, if its
//! person's turn there is used up, the one after it. So taking a turn costs no search, and nobody is in more rounds than
//! they have jobs.
//!
//! Bounds: so many jobs in all, and a quarter of that of one person; more are refused. A batch has jobs of
//! [`ROUNDS_AT_ONCE`] rounds at most.

use crate::store::Error;
use foldhash::HashMap;
use shared::ids::UserId;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Rounds in a batch, and so turns of one person in it: whoever comes while it is done waits for so many of a flood. A
/// flush of the disk shared by so many costs little for each of them.
pub(super) const ROUNDS_AT_ONCE: usize = 32;

/// Jobs that a round kept for its memory may have room for.
const SPARE_MAX: usize = 1_024;

/// Units of work in a turn.
const TURN: u32 = 16;

/// Work of a job, in units of a short message that the journal alone accepts: from 1 to [`TURN`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight(u32);

impl Weight {
    /// A job with a turn of its own.
    pub(super) const WHOLE_TURN: Self = Self(TURN);

    /// A light job.
    pub(super) fn units(units: usize) -> Self {
        Self(u32::try_from(units).unwrap_or(TURN).clamp(1, TURN))
    }
}

/// The part of the queue that one person may fill.
const PERSON_PART: usize = 4;

/// Whose turn a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) enum Turn {
    /// This person's.
    Person(UserId),
    /// That of all people at this address (or /48) who have no account yet.
    Address(IpAddr),
    /// The program's own.
    Program,
    /// None: it comes after every job that was queued before it, whosever they are.
    Last,
}

/// A queue for so many jobs: the end they are put into, and the end they are taken from.
pub(super) fn channel<T>(max: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State { turns: Turns::new(max), is_closed: false, is_awaited: false }),
        wake: Condvar::new(),
    });
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Wakes the receiver.
    wake: Condvar,
}

struct State<T> {
    turns: Turns<T>,
    is_closed: bool,
    /// The receiver sleeps.
    is_awaited: bool,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> MutexGuard<'_, State<T>> {
        let mut state = self.state();
        state.is_closed = true;
        self.wake.notify_all();
        state
    }
}

/// Where jobs are put in.
pub(super) struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Puts a job in.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if there is no room, [`Error::Closed`] if nothing is taken any more.
    pub(super) fn push(&self, turn: Turn, weight: Weight, job: T) -> Result<(), Error> {
        let mut state = self.0.state();
        if state.is_closed {
            return Err(Error::Closed);
        }
        state.turns.push(turn, weight, job).map_err(|_| Error::Overloaded)?;
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        if is_awaited {
            self.0.wake.notify_one();
        }
        Ok(())
    }

    /// Takes nothing more. What is in the queue is still done.
    pub(super) fn close(&self) {
        drop(self.0.close());
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

/// Where jobs are taken out. When it is dropped the queue takes nothing more, and what is in it is dropped.
pub(super) struct Receiver<T>(Arc<Shared<T>>);

impl<T> Receiver<T> {
    /// Waits for a job, and takes those that are there, at most `max`. None: the queue is closed and empty.
    pub(super) fn take(&self, batch: &mut Vec<T>, max: usize) -> usize {
        let mut state = self.0.state();
        while state.turns.is_empty() && !state.is_closed {
            state.is_awaited = true;
            state = self.0.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.turns.take(batch, max)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.close();
        let left = std::mem::replace(&mut state.turns, Turns::new(0));
        drop(state);
        // Outside of the lock: what is dropped may answer somebody who queues again.
        drop(left);
    }
}

/// The jobs in their order.
struct Turns<T> {
    /// The round under way, and those after it.
    rounds: VecDeque<VecDeque<(Turn, T)>>,
    /// The number of the round under way.
    round: u64,
    /// Those who have jobs here.
    people: HashMap<Turn, Waiting>,
    count: usize,
    max: usize,
    /// Empty rounds, at most [`ROUNDS_AT_ONCE`] of [`SPARE_MAX`] jobs, kept for their memory: a round that grows moves its jobs.
    spare: Vec<VecDeque<(Turn, T)>>,
}

/// What somebody has in the queue.
#[derive(Default)]
struct Waiting {
    count: usize,
    /// The round of their last job.
    round: u64,
    /// Units of their turn in it that are used.
    used: u32,
}

impl<T> Turns<T> {
    fn new(max: usize) -> Self {
        let rounds = VecDeque::from([VecDeque::new()]);
        Self { rounds, round: 0, people: HashMap::default(), count: 0, max, spare: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts a job in, or gives it back if there is no room for it.
    fn push(&mut self, turn: Turn, Weight(weight): Weight, job: T) -> Result<(), T> {
        if self.count >= self.max {
            return Err(job);
        }
        let place = if turn == Turn::Last {
            // Everything that is here is in this round at the latest, and before it.
            self.rounds.len() - 1
        } else {
            let waiting = self.people.entry(turn).or_default();
            if waiting.count >= self.max.div_ceil(PERSON_PART) {
                return Err(job);
            }
            if waiting.round < self.round {
                (waiting.round, waiting.used) = (self.round, 0);
            }
            if waiting.used + weight > TURN {
                (waiting.round, waiting.used) = (waiting.round + 1, 0);
            }
            waiting.used += weight;
            waiting.count += 1;
            usize::try_from(waiting.round - self.round).expect("nobody is in more rounds than they have jobs")
        };
        if place == self.rounds.len() {
            self.rounds.push_back(self.spare.pop().unwrap_or_default());
        }
        self.rounds[place].push_back((turn, job));
        self.count += 1;
        Ok(())
    }

    /// Takes the next jobs, at most `max` of [`ROUNDS_AT_ONCE`] rounds. Says how many.
    fn take(&mut self, batch: &mut Vec<T>, max: usize) -> usize {
        let (mut taken, mut rounds) = (0, 1);
        while taken < max && self.count > 0 {
            let Some((turn, job)) = self.rounds[0].pop_front() else {
                // Behind the last round there is no other, and it is not empty: something is left.
                let done = self.rounds.pop_front().unwrap_or_default();
                if self.spare.len() < ROUNDS_AT_ONCE && done.capacity() <= SPARE_MAX {
                    self.spare.push(done);
                }
                self.round += 1;
                rounds += 1;
                if rounds > ROUNDS_AT_ONCE {
                    break;
                }
                continue;
            };
            if let Some(waiting) = self.people.get_mut(&turn) {
                waiting.count -= 1;
                if waiting.count == 0 {
                    self.people.remove(&turn);
                }
            }
            self.count -= 1;
            taken += 1;
            batch.push(job);
        }
        taken
    }
}

#[cfg(test)]
mod tests;
