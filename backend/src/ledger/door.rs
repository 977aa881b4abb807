//! Connections of an address that has as many without a session as it may: they wait at the door to show one.
//!
//! A new one that finds no room sends the oldest away. So somebody who opens connections and says nothing keeps none of
//! their neighbours out: those show their session with their first request, and are then counted as their person's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Connections at the door, the oldest first.
#[derive(Debug, Default)]
pub struct Door(Mutex<VecDeque<Arc<Knock>>>);

/// A connection at the door.
#[derive(Debug, Default)]
pub struct Knock(Notify);

impl Knock {
    /// Waits until it is sent away.
    pub async fn sent_away(&self) {
        self.0.notified().await;
    }
}

impl Door {
    /// Lets a connection wait here, and sends the oldest away if there are more than `most` then.
    pub fn add(&self, knock: Arc<Knock>, most: usize) {
        let mut waiting = self.waiting();
        waiting.push_back(knock);
        if waiting.len() > most
            && let Some(oldest) = waiting.pop_front()
        {
            // A permit is kept if nobody waits for it yet.
            oldest.0.notify_one();
        }
    }

    /// A connection waits here no longer.
    pub fn remove(&self, knock: &Arc<Knock>) {
        self.waiting().retain(|other| !Arc::ptr_eq(other, knock));
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Knock>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn newcomer_sends_the_oldest_away() {
        let door = Door::default();
        let knocks: Vec<_> = (0..3).map(|_| Arc::new(Knock::default())).collect();
        knocks.iter().for_each(|knock| door.add(knock.clone(), 2));
        let sent_away = |at: usize| knocks[at].sent_away().now_or_never().is_some();
        assert_eq!([sent_away(0), sent_away(1), sent_away(2)], [true, false, false]);
        door.remove(&knocks[1]);
        door.add(Arc::new(Knock::default()), 2);
        assert!(!sent_away(2), "there was room");
    }
}
