//! What a socket still has to be sent.
//!
//! Bounded in frames and bytes. Answers to the socket's own commands always fit, because what a
//! socket may have under way is bounded where commands are read. What others cause (events, receipts)
//! is refused when the queue is full; the conversation is then noted and the socket is told to load it
//! again (`resync`) as soon as the queue has drained: the log is the truth, so nothing is lost and
//! nothing is dropped in silence.

use axum::extract::ws::Utf8Bytes;
use shared::ids::{ConversationId, Seq};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Frames that may wait for one socket.
pub const FRAMES_MAX: usize = 4_096;
/// Bytes that may wait for one socket: one reader that sleeps costs at most this much memory.
pub const BYTES_MAX: usize = 1 << 20;
/// Conversations a slow socket may miss events of before it has to start over.
const MISSED_MAX: usize = 1_000;
/// How much [`FrameQueue::take`] hands out at once: what one write carries.
const TAKE_BYTES: usize = 32 * 1024;

/// A frame to be sent, with what the queue must know of it. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Item {
    /// The frame.
    pub frame: Utf8Bytes,
    /// Where it belongs.
    pub about: About,
}

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The socket's own command, or the socket itself: always taken.
    Answer,
    /// An event of a conversation.
    Event(ConversationId, Seq),
    /// Anything else others cause in a conversation.
    Conversation(ConversationId),
}

impl Item {
    /// An answer to the socket itself.
    #[must_use]
    pub fn answer(frame: Utf8Bytes) -> Self {
        Self { frame, about: About::Answer }
    }
}

/// The queue. One task takes, anybody pushes, nobody waits for its lock longer than a copy takes.
#[derive(Debug, Default)]
pub struct FrameQueue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    missed: BTreeSet<ConversationId>,
    close: Option<u16>,
}

impl FrameQueue {
    /// Adds a frame, or notes that it was missed. After [`FrameQueue::close`] it is ignored.
    pub fn push(&self, item: Item) {
        let mut state = self.lock();
        if state.close.is_some() {
            return;
        }
        let is_full = state.items.len() >= FRAMES_MAX || state.bytes + item.frame.len() > BYTES_MAX;
        match item.about {
            About::Event(conversation, _) | About::Conversation(conversation)
                if is_full || state.missed.contains(&conversation) =>
            {
                state.missed.insert(conversation);
                if state.missed.len() > MISSED_MAX {
                    state.close = Some(shared::close::SLOW_CONSUMER);
                }
            }
            _ => {
                state.bytes += item.frame.len();
                state.items.push_back(item);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Asks the socket's task to send what waits and then close with this code. The first code stays.
    pub fn close(&self, code: u16) {
        self.lock().close.get_or_insert(code);
        self.changed.notify_one();
    }

    /// Whether the socket was told to close.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().close.is_some()
    }

    /// Whether so much waits that the socket's commands should wait too.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let state = self.lock();
        state.items.len() >= FRAMES_MAX / 2 || state.bytes >= BYTES_MAX / 2
    }

    /// Moves about 32 KiB of waiting frames, at least one if there is any, to `frames`.
    pub fn take(&self, frames: &mut Vec<Utf8Bytes>) -> Taken {
        let mut state = self.lock();
        let mut bytes = 0;
        while bytes < TAKE_BYTES
            && let Some(item) = state.items.pop_front()
        {
            bytes += item.frame.len();
            frames.push(item.frame);
        }
        state.bytes -= bytes;
        if !frames.is_empty() {
            return Taken::Frames;
        }
        if !state.missed.is_empty() {
            return Taken::Missed(std::mem::take(&mut state.missed));
        }
        // A burst must not be paid for in memory for ever after.
        if state.items.capacity() > 64 {
            state.items.shrink_to_fit();
        }
        state.close.map_or(Taken::Nothing, Taken::Close)
    }

    /// Drops waiting events that the reader already has: those a snapshot taken after registering
    /// includes.
    pub fn forget_events(&self, is_known: impl Fn(ConversationId, Seq) -> bool) {
        let mut state = self.lock();
        state
            .items
            .retain(|item| !matches!(item.about, About::Event(conversation, seq) if is_known(conversation, seq)));
        state.bytes = state.items.iter().map(|item| item.frame.len()).sum();
    }

    /// Waits until something may have changed since the last [`FrameQueue::take`].
    ///
    /// # Cancel safety
    /// Safe: a wake-up that nobody waited for is kept for the next call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`FrameQueue::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Frames to write.
    Frames,
    /// The queue was full for a while; these conversations have to be loaded again.
    Missed(BTreeSet<ConversationId>),
    /// All is sent; close with this code.
    Close(u16),
    /// Nothing waits.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn event(conversation: ConversationId, seq: u64, bytes: usize) -> Item {
        let seq = Seq::new(seq).expect("in range");
        Item { frame: "x".repeat(bytes).into(), about: About::Event(conversation, seq) }
    }

    fn drain(queue: &FrameQueue) -> (usize, Taken) {
        let mut count = 0;
        loop {
            let mut frames = Vec::new();
            match queue.take(&mut frames) {
                Taken::Frames => count += frames.len(),
                end => return (count, end),
            }
        }
    }

    #[test]
    fn a_full_queue_refuses_events_and_says_which_conversations_were_missed() {
        let queue = FrameQueue::default();
        let (one, other) = (clock::id(ConversationId::v7), clock::id(ConversationId::v7));
        for seq in 1..=(FRAMES_MAX as u64) {
            queue.push(event(one, seq, 10));
        }
        assert!(queue.is_crowded());
        queue.push(event(other, 1, 10));
        queue.push(Item::answer("accepted".into()));
        let (count, end) = drain(&queue);
        assert_eq!((count, end), (FRAMES_MAX + 1, Taken::Missed([other].into())));
        assert_eq!(drain(&queue).1, Taken::Nothing);
        queue.push(event(other, 2, 10));
        assert_eq!(drain(&queue).0, 1);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let queue = FrameQueue::default();
        let one = clock::id(ConversationId::v7);
        for seq in 1..=17 {
            queue.push(event(one, seq, 65_536));
        }
        assert_eq!(drain(&queue), (16, Taken::Missed([one].into())));
    }

    #[test]
    fn after_a_miss_nothing_of_that_conversation_is_queued_until_it_is_announced() {
        let queue = FrameQueue::default();
        let one = clock::id(ConversationId::v7);
        for seq in 1..=(FRAMES_MAX as u64 + 1) {
            queue.push(event(one, seq, 1));
        }
        let mut frames = Vec::new();
        queue.take(&mut frames);
        queue.push(event(one, 9_999, 1));
        assert_eq!(drain(&queue).1, Taken::Missed([one].into()));
    }

    #[test]
    fn what_waits_is_sent_before_the_close_and_the_first_code_stays() {
        let queue = FrameQueue::default();
        queue.push(Item::answer("last words".into()));
        queue.close(4401);
        queue.close(1012);
        queue.push(Item::answer("too late".into()));
        assert_eq!(drain(&queue), (1, Taken::Close(4401)));
    }

    #[test]
    fn a_snapshot_makes_older_events_unnecessary() {
        let queue = FrameQueue::default();
        let one = clock::id(ConversationId::v7);
        for seq in 1..=5 {
            queue.push(event(one, seq, 1));
        }
        queue.forget_events(|conversation, seq| conversation == one && seq.get() <= 3);
        assert_eq!(drain(&queue).0, 2);
    }
}
