//! Steps at which an answer leaves whose making takes a time that depends on what the asker may not read.
//!
//! All messages are in one index of words, so a search takes longer the more often its words were written by others.
//! [`super::search`] therefore answers at the next step only: whoever measures hears between which two steps it was done,
//! and no more. A search that fails or is refused waits alike.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first step. Each further one is twice as far from the beginning: 20, 40, 80, 160 ms and so on. A search that is
/// typed is asked for 200 ms after the last key, so that 20 ms more are not noticed.
pub const FIRST: Duration = Duration::from_millis(20);

/// Does work that reads for somebody, and gives what came of it at the next step since it was begun. The beginning is after
/// the person's turn has come, so that they cannot move the steps by waiting for themselves.
///
/// The wait holds no thread, only the result and the person's turn, of which they have eight.
pub async fn in_steps<T>(work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    // A moment that was fixed when the work was begun: a span from now on would tell when it was done.
    sleep_until(begun + leaves_after(begun.elapsed())).await;
    result
}

/// The first step that has not passed after this time.
fn leaves_after(taken: Duration) -> Duration {
    let mut step = FIRST;
    while step < taken {
        step = step.saturating_mul(2);
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep};

    const MS: Duration = Duration::from_millis(1);
    const NS: Duration = Duration::from_nanos(1);

    #[test]
    fn answer_leaves_at_the_first_step_that_has_not_passed() {
        let table = [
            (Duration::ZERO, 20),
            (NS, 20),
            (20 * MS - NS, 20),
            (20 * MS, 20),
            (20 * MS + NS, 40),
            (40 * MS, 40),
            (40 * MS + NS, 80),
            (81 * MS, 160),
            (161 * MS, 320),
            (5_000 * MS, 5_120),
        ];
        for (taken, leaves_ms) in table {
            assert_eq!(leaves_after(taken), leaves_ms * MS, "{taken:?}");
        }
        assert_eq!(leaves_after(Duration::MAX), Duration::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn results_of_work_that_differs_within_a_step_come_at_the_same_moment() {
        // Not begun at a whole millisecond.
        advance(MS / 3).await;
        let begun = Instant::now();
        let done_after = |took: u32| async move {
            let result = in_steps(async {
                sleep(took * MS).await;
                Err::<(), _>("a failure as well")
            });
            assert_eq!(result.await, Err("a failure as well"));
            begun.elapsed()
        };
        let spans = futures_util::future::join_all([0, 1, 7, 18, 21, 35].map(done_after)).await;
        assert!(spans[0] >= FIRST && spans[4] >= 2 * FIRST, "{spans:?}");
        assert!(spans[..4].iter().all(|span| *span == spans[0]), "{spans:?}");
        assert_eq!(spans[4], spans[5]);
    }
}
