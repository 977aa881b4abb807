//! Notices on their way to push services, in a fair order: people take turns, so that nobody's places that answer nothing
//! hold up the notices of others.
//!
//! The follower of the log adds notices, the sender of `push/mod.rs` takes them. A person has at most
//! [`UNDER_WAY_PER_USER`] requests at the same time and [`PER_USER`] notices in all; above it the newer takes the place of
//! their oldest. A service's host has at most [`UNDER_WAY_PER_HOST`], places that did not answer the last time
//! [`UNDER_WAY_DOUBTFUL`] together, and all [`UNDER_WAY`].

use super::place::Places;
use crate::fair::{Bounds, FairQueue};
use crate::store::push::Notice;
use shared::ids::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Requests at the same time.
const UNDER_WAY: usize = 64;
/// Requests at the same time for one person.
const UNDER_WAY_PER_USER: usize = 3;
/// Requests at the same time to one host.
const UNDER_WAY_PER_HOST: usize = 32;
/// Requests at the same time to places that did not answer the last time.
const UNDER_WAY_DOUBTFUL: usize = 16;
/// Notices of one person. Above it the oldest is dropped: what is newer says more.
const PER_USER: usize = 64;
/// Notices that wait, some kilobytes each. Above it the oldest of whoever has most is dropped.
const WAITING: usize = 4_096;
/// Notice that waited for so long is no news.
const WAITED_MAX: Duration = Duration::from_secs(10 * 60);

/// A notice, and how its delivery stands.
pub(super) struct Job {
    pub(super) notice: Notice,
    /// What the server signs with.
    pub(super) signer: [u8; 32],
    /// How often it may be tried again.
    pub(super) again: u32,
    host: String,
    added_at: Instant,
    due_at: Instant,
    is_doubtful: bool,
}

impl Job {
    pub(super) fn new(notice: Notice, signer: [u8; 32], again: u32) -> Self {
        let url = notice.endpoint.url.parse::<http::Uri>().ok();
        let host = url.as_ref().and_then(http::Uri::authority).map(|host| host.as_str().to_ascii_lowercase());
        let now = Instant::now();
        Self { notice, signer, again, host: host.unwrap_or_default(), added_at: now, due_at: now, is_doubtful: false }
    }
}

/// All notices that wait or are under way.
pub(super) struct Outgoing {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    queue: FairQueue<UserId, Job>,
    places: Places,
    under_way: usize,
    doubtful: usize,
    hosts: HashMap<String, usize>,
}

/// A notice's right to be under way. Dropping it makes room for the next.
pub(super) struct Turn {
    outgoing: Arc<Outgoing>,
    user: UserId,
    host: String,
    is_doubtful: bool,
}

impl Outgoing {
    pub(super) fn new() -> Arc<Self> {
        let bounds = Bounds { waiting: WAITING, per_key: PER_USER, under_way_per_key: UNDER_WAY_PER_USER };
        let state = State {
            queue: FairQueue::new(bounds),
            places: Places::default(),
            under_way: 0,
            doubtful: 0,
            hosts: HashMap::new(),
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    /// Adds a notice. `false`: another one was dropped for it.
    pub(super) fn add(&self, mut job: Job) -> bool {
        let mut state = self.state();
        job.is_doubtful = state.places.is_doubtful(&job.notice.endpoint.url);
        if job.is_doubtful {
            job.again = 0;
        }
        let dropped = state.queue.push_replacing(job.notice.user, job);
        drop(state);
        self.changed.notify_one();
        dropped.is_none()
    }

    /// Adds a notice that is to be tried again after a while; once less.
    pub(super) fn add_again(&self, mut job: Job, after: Duration) {
        job.again = job.again.saturating_sub(1);
        job.due_at = Instant::now() + after;
        self.state().queue.push_replacing(job.notice.user, job);
        self.changed.notify_one();
    }

    /// Takes the next notice that may be sent now.
    pub(super) fn next(self: &Arc<Self>, now: Instant) -> Option<(Turn, Job)> {
        let mut state = self.state();
        loop {
            if state.under_way >= UNDER_WAY {
                return None;
            }
            let State { queue, hosts, doubtful, .. } = &mut *state;
            let may_run = |job: &Job| {
                job.due_at <= now
                    && hosts.get(&job.host).is_none_or(|count| *count < UNDER_WAY_PER_HOST)
                    && (!job.is_doubtful || *doubtful < UNDER_WAY_DOUBTFUL)
            };
            let (user, job) = queue.next(may_run)?;
            if now.saturating_duration_since(job.added_at) > WAITED_MAX {
                queue.done(&user);
                continue;
            }
            state.under_way += 1;
            state.doubtful += usize::from(job.is_doubtful);
            *state.hosts.entry(job.host.clone()).or_insert(0) += 1;
            let turn = Turn { outgoing: self.clone(), user, host: job.host.clone(), is_doubtful: job.is_doubtful };
            return Some((turn, job));
        }
    }

    /// Waits until there may be something to send.
    pub(super) async fn changed(&self, look_again: Duration) {
        if self.state().queue.waiting() == 0 {
            return self.changed.notified().await;
        }
        // What is tried again says nothing when its time has come.
        let _ = tokio::time::timeout(look_again, self.changed.notified()).await;
    }

    /// Notes whether a place has answered. `true`: it is to be forgotten.
    pub(super) fn note(&self, url: &str, has_answered: bool) -> bool {
        let places = &mut self.state().places;
        if has_answered {
            places.answered(url);
            return false;
        }
        places.failed(url, Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.outgoing.state();
        state.queue.done(&self.user);
        state.under_way -= 1;
        state.doubtful -= usize::from(self.is_doubtful);
        if let Some(count) = state.hosts.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                state.hosts.remove(&self.host);
            }
        }
        drop(state);
        self.outgoing.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::push::Endpoint;
    use shared::ids::{ConversationId, Seq, Timestamp};
    use shared::push::PushNotice;

    fn job(user: u8, host: &str) -> Job {
        let at = Timestamp::from_millis(1_790_000_000_000);
        let url = format!("https://{host}/{user}");
        let notice = PushNotice {
            conversation: ConversationId::v7(at, [2; 10]),
            seq: Seq::FIRST,
            title: String::new(),
            body: String::new(),
        };
        let endpoint = Endpoint { url, public_key: [4; 65], secret: [7; 16] };
        Job::new(Notice { user: UserId::v7(at, [user; 10]), endpoint, is_delivered: None, notice }, [1; 32], 2)
    }

    #[test]
    fn a_person_with_many_dead_places_holds_up_nobody() {
        let outgoing = Outgoing::new();
        for place in 0..100 {
            outgoing.add(job(1, &format!("x{place}.example.org")));
        }
        outgoing.add(job(2, "example.org"));
        let mut turns = Vec::new();
        while let Some((turn, job)) = outgoing.next(Instant::now()) {
            turns.push((turn, job.notice.user));
        }
        let of = |user: u8| turns.iter().filter(|(_, found)| *found == job(user, "").notice.user).count();
        assert_eq!((of(1), of(2)), (UNDER_WAY_PER_USER, 1));
        assert_eq!(outgoing.state().queue.waiting(), PER_USER - UNDER_WAY_PER_USER, "the oldest were dropped");
    }

    #[test]
    fn one_host_has_only_a_part_of_the_turns() {
        let outgoing = Outgoing::new();
        for user in 0..60 {
            outgoing.add(job(user, "slow.example.org"));
        }
        outgoing.add(job(61, "example.org"));
        let mut turns = Vec::new();
        while let Some((turn, job)) = outgoing.next(Instant::now()) {
            turns.push((turn, job.host));
        }
        assert_eq!(turns.len(), UNDER_WAY_PER_HOST + 1);
        assert!(turns.iter().any(|(_, host)| host == "example.org"));
        turns.clear();
        assert!(outgoing.next(Instant::now()).is_some(), "room comes back");
        assert!(outgoing.state().hosts.len() <= 1);
    }

    #[test]
    fn a_place_that_did_not_answer_is_tried_once_and_beside_the_others() {
        let outgoing = Outgoing::new();
        for user in 0..40 {
            outgoing.note(&job(user, "dead.example.org").notice.endpoint.url, false);
            outgoing.add(job(user, "dead.example.org"));
        }
        outgoing.add(job(41, "example.org"));
        let mut turns = Vec::new();
        while let Some((turn, job)) = outgoing.next(Instant::now()) {
            turns.push((turn, job.again));
        }
        assert_eq!(turns.iter().filter(|(_, again)| *again == 0).count(), UNDER_WAY_DOUBTFUL);
        assert_eq!(turns.iter().filter(|(_, again)| *again == 2).count(), 1);
    }

    #[test]
    fn a_notice_is_tried_again_in_its_time_and_not_when_it_is_old() {
        let outgoing = Outgoing::new();
        outgoing.add(job(1, "example.org"));
        let now = Instant::now();
        let (turn, first) = outgoing.next(now).expect("a notice");
        drop(turn);
        outgoing.add_again(first, Duration::from_secs(5));
        assert!(outgoing.next(now).is_none());
        let (turn, again) = outgoing.next(now + Duration::from_secs(6)).expect("its time has come");
        assert_eq!(again.again, 1);
        drop(turn);
        outgoing.add_again(again, Duration::from_secs(5));
        assert!(outgoing.next(now + 2 * WAITED_MAX).is_none());
        assert_eq!(outgoing.state().queue.waiting(), 0);
    }
}
