//! Queue in which nobody waits for the crowd of somebody else: bounded in all and for each key, round robin between
//! keys.
//!
//! Passwords (`accounts/password.rs`) and notifications (`push/queue.rs`) wait in one each. The queue starts nothing by
//! itself and knows no time: its owner takes the next job and says when a job is done. What always holds: no key has
//! more jobs waiting or under way than [`Bounds`] allow, and between two jobs of one key every other key that has a job
//! which may run gets one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Upper bounds of a queue, in jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Waiting, of all keys.
    pub waiting: usize,
    /// Waiting and under way, of one key.
    pub per_key: usize,
    /// Under way at the same time, of one key.
    pub under_way_per_key: usize,
}

/// A job that found no room, and where there was none.
#[derive(Debug, PartialEq, Eq)]
pub enum Full<J> {
    /// Its key has as many jobs as it may. Others still have room.
    Key(J),
    /// The queue has as many jobs as it may.
    Queue(J),
}

/// Jobs by key. A key is remembered while it has a job that waits or is under way.
#[derive(Debug)]
pub struct FairQueue<K, J> {
    bounds: Bounds,
    keys: HashMap<K, Share<J>>,
    /// Each key with waiting jobs, once, the next one first.
    turns: VecDeque<K>,
    waiting: usize,
}

#[derive(Debug)]
struct Share<J> {
    /// In the order in which they came.
    waiting: VecDeque<J>,
    under_way: usize,
}

impl<K: Hash + Eq + Clone, J> FairQueue<K, J> {
    /// An empty queue.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, keys: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }

    /// Adds a job at the end of its key's.
    ///
    /// # Errors
    /// [`Full`], with the job.
    pub fn push(&mut self, key: K, job: J) -> Result<(), Full<J>> {
        let of_key = self.keys.get(&key).map_or(0, |share| share.waiting.len() + share.under_way);
        if of_key >= self.bounds.per_key {
            return Err(Full::Key(job));
        }
        if self.waiting >= self.bounds.waiting {
            return Err(Full::Queue(job));
        }
        self.append(key, job);
        Ok(())
    }

    /// Adds a job at the end of its key's, and gives the job that had to go for it, if one had to: the oldest of the
    /// same key where the key has no room, the oldest of the key with most where the queue has none.
    pub fn push_replacing(&mut self, key: K, job: J) -> Option<J> {
        let from = match self.keys.get(&key) {
            // Those under way cannot be taken back, so that with no job waiting there is none to replace.
            Some(share) if share.waiting.len() + share.under_way >= self.bounds.per_key => {
                if share.waiting.is_empty() {
                    return Some(job);
                }
                Some(key.clone())
            }
            _ if self.waiting >= self.bounds.waiting => {
                self.turns.iter().max_by_key(|key| self.keys.get(key).map_or(0, |share| share.waiting.len())).cloned()
            }
            _ => None,
        };
        let replaced = from.and_then(|from| self.take(&from, |_| true));
        self.append(key, job);
        replaced
    }

    /// Takes a job of the key whose turn it is and counts it as under way: its oldest that `may_run`. A key none of
    /// whose jobs may run keeps its turn.
    pub fn next(&mut self, mut may_run: impl FnMut(&J) -> bool) -> Option<(K, J)> {
        for turn in 0..self.turns.len() {
            let key = self.turns[turn].clone();
            if self.keys.get(&key).is_none_or(|share| share.under_way >= self.bounds.under_way_per_key) {
                continue;
            }
            let Some(job) = self.take(&key, &mut may_run) else { continue };
            let share = self.keys.entry(key.clone()).or_insert_with(Share::empty);
            share.under_way += 1;
            let has_more = !share.waiting.is_empty();
            if has_more {
                self.turns.remove(turn);
                self.turns.push_back(key.clone());
            }
            return Some((key, job));
        }
        None
    }

    /// Takes the waiting jobs of a key out that nobody wants any more.
    pub fn discard(&mut self, key: &K, mut is_unwanted: impl FnMut(&J) -> bool) -> Vec<J> {
        std::iter::from_fn(|| self.take(key, &mut is_unwanted)).collect()
    }

    /// Counts a job of this key as under way no longer.
    pub fn done(&mut self, key: &K) {
        if let Some(share) = self.keys.get_mut(key) {
            share.under_way = share.under_way.saturating_sub(1);
            if share.under_way == 0 && share.waiting.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn append(&mut self, key: K, job: J) {
        let share = self.keys.entry(key.clone()).or_insert_with(Share::empty);
        if share.waiting.is_empty() {
            self.turns.push_back(key);
        }
        share.waiting.push_back(job);
        self.waiting += 1;
    }

    /// Takes the oldest waiting job of a key that `may_run`; a key that has none left loses its turn.
    fn take(&mut self, key: &K, may_run: impl FnMut(&J) -> bool) -> Option<J> {
        let share = self.keys.get_mut(key)?;
        let at = share.waiting.iter().position(may_run)?;
        let job = share.waiting.remove(at)?;
        self.waiting -= 1;
        if share.waiting.is_empty() {
            self.turns.retain(|other| other != key);
            if share.under_way == 0 {
                self.keys.remove(key);
            }
        }
        Some(job)
    }
}

impl<J> Share<J> {
    fn empty() -> Self {
        Self { waiting: VecDeque::new(), under_way: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANY: fn(&u32) -> bool = |_| true;

    fn queue(waiting: usize, per_key: usize, under_way_per_key: usize) -> FairQueue<u8, u32> {
        FairQueue::new(Bounds { waiting, per_key, under_way_per_key })
    }

    fn check_invariants(queue: &FairQueue<u8, u32>) {
        assert_eq!(queue.waiting, queue.keys.values().map(|share| share.waiting.len()).sum::<usize>());
        assert!(queue.waiting <= queue.bounds.waiting);
        for (key, share) in &queue.keys {
            assert!(share.under_way <= queue.bounds.under_way_per_key);
            assert!(share.waiting.len() + share.under_way <= queue.bounds.per_key);
            assert!(share.waiting.len() + share.under_way > 0, "a key without jobs is forgotten");
            let turns = queue.turns.iter().filter(|turn| *turn == key).count();
            assert_eq!(turns, usize::from(!share.waiting.is_empty()));
        }
        assert!(queue.turns.iter().all(|key| queue.keys.contains_key(key)));
    }

    #[test]
    fn a_key_that_is_full_says_so_and_others_have_room() {
        let mut queue = queue(4, 3, 1);
        for job in 0..3 {
            assert_eq!(queue.push(1, job), Ok(()));
        }
        assert_eq!(queue.push(1, 3), Err(Full::Key(3)));
        assert_eq!(queue.push(2, 4), Ok(()));
        assert_eq!(queue.push(3, 5), Err(Full::Queue(5)));
        // A job under way counts for its key and waits no longer.
        assert_eq!(queue.next(ANY), Some((1, 0)));
        assert_eq!(queue.push(1, 6), Err(Full::Key(6)));
        assert_eq!(queue.push(3, 5), Ok(()));
        queue.done(&1);
        check_invariants(&queue);
    }

    #[test]
    fn keys_take_turns_and_a_key_runs_no_more_than_it_may() {
        let mut queue = queue(10, 10, 1);
        for (key, job) in [(1, 10), (1, 11), (1, 12), (2, 20), (2, 21)] {
            queue.push(key, job).expect("room");
        }
        assert_eq!([queue.next(ANY), queue.next(ANY), queue.next(ANY)], [Some((1, 10)), Some((2, 20)), None]);
        queue.done(&2);
        assert_eq!(queue.next(ANY), Some((2, 21)));
        queue.done(&1);
        assert_eq!(queue.next(ANY), Some((1, 11)));
        check_invariants(&queue);
    }

    #[test]
    fn a_job_that_may_not_run_holds_up_none_behind_it() {
        let mut queue = queue(10, 10, 3);
        for (key, job) in [(1, 10), (1, 11), (2, 20)] {
            queue.push(key, job).expect("room");
        }
        assert_eq!(queue.next(|job| *job != 10), Some((1, 11)));
        assert_eq!(queue.next(|job| *job != 10), Some((2, 20)));
        assert_eq!(queue.next(|job| *job != 10), None);
        assert_eq!(queue.next(ANY), Some((1, 10)));
        check_invariants(&queue);
    }

    #[test]
    fn unwanted_jobs_leave_their_room_to_others() {
        let mut queue = queue(4, 3, 1);
        for (key, job) in [(1, 10), (1, 11), (1, 12), (2, 20)] {
            queue.push(key, job).expect("room");
        }
        assert_eq!(queue.next(ANY), Some((1, 10)));
        assert_eq!(queue.discard(&1, |job| *job == 11), [11]);
        check_invariants(&queue);
        assert_eq!(queue.push(1, 13), Ok(()));
        assert_eq!((queue.discard(&1, ANY), queue.discard(&3, ANY)), (vec![12, 13], vec![]));
        check_invariants(&queue);
        assert_eq!(queue.next(ANY), Some((2, 20)));
    }

    #[test]
    fn a_newer_job_takes_the_place_of_the_oldest_of_its_key_or_of_the_fullest_key() {
        let mut queue = queue(4, 3, 1);
        assert_eq!([1, 2, 3].map(|job| queue.push_replacing(1, job)), [None, None, None]);
        assert_eq!(queue.push_replacing(1, 4), Some(1), "its key is full");
        assert_eq!(queue.push_replacing(2, 20), None);
        assert_eq!(queue.push_replacing(3, 30), Some(2), "the queue is full: the key with most gives way");
        check_invariants(&queue);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Replace(u8),
        Next(u32),
        Discard(u8, u32),
        Done,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u8..5).prop_map(Step::Push),
            (0_u8..5).prop_map(Step::Replace),
            (1_u32..4).prop_map(Step::Next),
            (0_u8..5, 1_u32..4).prop_map(|(key, divisor)| Step::Discard(key, divisor)),
            Just(Step::Done)
        ]
    }

    proptest! {
        #[test]
        fn bounds_hold_whatever_happens(steps in proptest::collection::vec(step(), 0..300)) {
            let mut queue = queue(12, 5, 2);
            let mut under_way = VecDeque::new();
            for (number, step) in (0_u32..).zip(steps) {
                match step {
                    Step::Push(key) => drop(queue.push(key, number)),
                    Step::Replace(key) => drop(queue.push_replacing(key, number)),
                    Step::Next(divisor) => {
                        if let Some((key, job)) = queue.next(|job| job % divisor == 0) {
                            prop_assert_eq!(job % divisor, 0);
                            under_way.push_back(key);
                        }
                    }
                    Step::Discard(key, divisor) => {
                        let discarded = queue.discard(&key, |job| job % divisor == 0);
                        prop_assert!(discarded.iter().all(|job| job % divisor == 0));
                    }
                    Step::Done => {
                        if let Some(key) = under_way.pop_front() {
                            queue.done(&key);
                        }
                    }
                }
                check_invariants(&queue);
            }
        }

        /// However many jobs one key keeps waiting, another's is behind at most one job of each other key.
        #[test]
        fn a_job_waits_for_at_most_one_job_of_each_other_key(others in 1_u8..20, flood in 1_usize..20, before in 0_usize..40) {
            let mut queue = queue(1_000, 20, 1);
            for key in 1..=others {
                for job in 0..flood {
                    queue.push(key, u32::try_from(job).expect("small")).expect("room");
                }
            }
            let run = |queue: &mut FairQueue<u8, u32>| {
                let (key, job) = queue.next(ANY).expect("a job");
                queue.done(&key);
                // The flood never ends.
                if key != 0 {
                    queue.push(key, job).expect("room");
                }
                key
            };
            for _ in 0..before {
                run(&mut queue);
            }
            queue.push(0, 0).expect("room");
            let waited = (0..).take_while(|_: &u32| run(&mut queue) != 0).count();
            prop_assert!(waited <= usize::from(others), "{waited} jobs of {others} keys came first");
        }

        #[test]
        fn jobs_of_one_key_come_out_in_the_order_they_went_in(keys in proptest::collection::vec(0_u8..4, 0..60)) {
            let mut queue = queue(100, 100, 100);
            for (job, key) in (0_u32..).zip(&keys) {
                queue.push(*key, job).expect("room");
            }
            let mut last = HashMap::new();
            while let Some((key, job)) = queue.next(ANY) {
                prop_assert!(last.insert(key, job).is_none_or(|before| before < job));
            }
        }
    }
}
