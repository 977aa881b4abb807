//! How many sockets' tasks have been woken to write, and have not had their turn.
//!
//! A message to a thousand people wakes a thousand tasks. What is delivered before they have run is written together
//! with it; what is delivered while they run wakes those anew that are done. So whoever delivers waits until a large
//! round is over, and then delivers everything that has come meanwhile at once: nobody hears of it later, because the
//! tasks would have stood behind the others anyway, and each socket is written once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// So many woken tasks are a round worth waiting for.
const LARGE: u64 = 64;
/// No round is waited for any longer, whatever holds its tasks up.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// The counts. Every task that is woken comes, or is dropped with its queue; so in the end they are the same.
#[derive(Debug, Default)]
pub struct Backlog {
    woken: AtomicU64,
    come: AtomicU64,
    /// How many have to have come for the round that is waited for to be over. One task waits at a time.
    goal: AtomicU64,
    over: Notify,
}

impl Backlog {
    /// A task was woken.
    pub(super) fn add(&self) {
        self.woken.fetch_add(1, Ordering::SeqCst);
    }

    /// A woken task has come.
    pub(super) fn done(&self) {
        let come = self.come.fetch_add(1, Ordering::SeqCst) + 1;
        if come == self.goal.load(Ordering::SeqCst) {
            self.over.notify_waiters();
        }
    }

    /// Waits until a large round is over; a small one is not waited for. Whether there was one.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn settled(&self) -> bool {
        self.settled_within(WAIT_MAX).await
    }

    async fn settled_within(&self, wait_max: Duration) -> bool {
        // As many as have been woken by now; those woken meanwhile by others are not waited for.
        let goal = self.woken.load(Ordering::SeqCst);
        if goal.saturating_sub(self.come.load(Ordering::SeqCst)) < LARGE {
            return false;
        }
        self.goal.store(goal, Ordering::SeqCst);
        let over = self.over.notified();
        tokio::pin!(over);
        // Before looking again, so that the end is not missed in between.
        over.as_mut().enable();
        if self.come.load(Ordering::SeqCst) < goal {
            // If it takes longer, what waits is delivered all the same.
            let _ = timeout(wait_max, over).await;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::queue::{FrameQueue, Item, Taken};
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use tokio::time::Instant;

    fn asks(queue: &FrameQueue) -> Poll<Taken> {
        queue.poll_take(&mut Context::from_waker(Waker::noop()), &mut Vec::new())
    }

    /// Queues whose tasks wait for something to write.
    fn waiting(count: usize) -> (Arc<Backlog>, Vec<FrameQueue>) {
        let backlog = Arc::<Backlog>::default();
        let queues: Vec<_> = (0..count).map(|_| FrameQueue::new(backlog.clone())).collect();
        assert!(queues.iter().all(|queue| asks(queue).is_pending()));
        (backlog, queues)
    }

    fn push(queue: &FrameQueue) {
        queue.push(Item::answer("1".into()));
    }

    fn woken(backlog: &Backlog) -> u64 {
        backlog.woken.load(Ordering::SeqCst) - backlog.come.load(Ordering::SeqCst)
    }

    #[test]
    fn a_task_counts_once_from_being_woken_until_it_comes_passes_or_is_gone() {
        let (backlog, mut queues) = waiting(3);
        for queue in &queues {
            push(queue);
            push(queue);
        }
        assert_eq!(woken(&backlog), 3);
        assert_eq!(asks(&queues[0]), Poll::Ready(Taken::Frames));
        assert_eq!(woken(&backlog), 2);
        queues[1].pass();
        assert_eq!(woken(&backlog), 1);
        drop(queues.pop());
        assert_eq!(woken(&backlog), 0);

        // Nobody waits at these: the first has not asked again, the second has passed.
        queues.iter().for_each(push);
        assert_eq!(woken(&backlog), 0);
        drop(queues);
        assert_eq!(woken(&backlog), 0);
    }

    #[tokio::test]
    async fn a_large_round_is_waited_for_and_a_small_one_is_not() {
        let (backlog, queues) = waiting(LARGE as usize);
        queues[1..].iter().for_each(push);
        assert!(!backlog.settled().await, "one less than a large one");

        push(&queues[0]);
        let round = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.settled_within(Duration::MAX).await }
        });
        tokio::task::yield_now().await;
        assert!(!round.is_finished());
        assert!(queues.iter().all(|queue| asks(queue).is_ready()));
        assert!(round.await.expect("no panic"), "it ends with the last task");
    }

    #[tokio::test]
    async fn those_who_are_woken_while_a_round_is_waited_for_are_not_part_of_it() {
        let (backlog, queues) = waiting(LARGE as usize + 1);
        queues[1..].iter().for_each(push);
        let round = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.settled_within(Duration::MAX).await }
        });
        tokio::task::yield_now().await;
        push(&queues[0]);
        assert!(queues[1..].iter().all(|queue| asks(queue).is_ready()));
        assert!(round.await.expect("no panic"));
        assert_eq!(woken(&backlog), 1);
    }

    #[tokio::test]
    async fn a_round_that_does_not_end_holds_nobody_up_for_long() {
        let (backlog, queues) = waiting(LARGE as usize);
        queues.iter().for_each(push);
        let begun = Instant::now();
        assert!(backlog.settled().await);
        assert!(begun.elapsed() >= WAIT_MAX);
    }
}
