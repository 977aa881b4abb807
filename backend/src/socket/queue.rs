//! What a socket still has to be sent.
//!
//! Bounded in frames and bytes. Answers to the socket's own commands always fit, because what a
//! socket may have under way is bounded where commands are read. What others cause is refused when
//! the queue is full: events are then read from the log as soon as there is room, since the log is the
//! truth, and for the rest the reader is told how the conversation stands. Only what passes anyway
//! (typing, presence) is dropped.
//!
//! A **replay** is a conversation whose events come from the log and not live, because the reader
//! asked for it (`resume`) or because the queue was full. While it lasts, live events of that
//! conversation only move its end, and answers to the reader's own commands are kept to be sent in
//! their place; so what leaves is in `seq` order, without a gap and once. Whoever replays reads a page
//! from [`FrameQueue::replays`]' cursors, waits for [`FrameQueue::room`], and hands it to
//! [`FrameQueue::replay`].

use super::backlog::Backlog;
use axum::extract::ws::Utf8Bytes;
use shared::frame::ServerFrame;
use shared::ids::{ConversationId, Cursor, Seq, UserId};
use shared::limits::CURSORS_MAX;
use shared::resume::{Resumed, Resync};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// Frames that may wait for one socket.
pub const FRAMES_MAX: usize = 4_096;
/// Bytes that may wait for one socket: one reader that sleeps costs at most this much memory, and one
/// page of a replay.
pub const BYTES_MAX: usize = 1 << 20;
/// Conversations, and people, a slow socket may miss something of before it has to start over.
const MISSED_MAX: usize = CURSORS_MAX;
/// How much [`FrameQueue::take`] hands out at once: what one write carries.
const TAKE_BYTES: usize = 32 * 1024;
/// Below so many waiting bytes, and frames, there is room for a page of a replay.
const ROOM_BYTES: usize = 64 * 1024;
/// See [`ROOM_BYTES`].
const ROOM_FRAMES: usize = 512;

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
    /// The first answer to the socket's own command, in the place of its event: always taken.
    Accepted(ConversationId, Seq),
    /// An event of a conversation.
    Event(ConversationId, Seq),
    /// The event by which the reader has left a conversation: always taken, and the last of it.
    Left(ConversationId, Seq),
    /// A conversation that is new to the reader.
    New(ConversationId),
    /// How a conversation stands, or somebody in it.
    Conversation(ConversationId),
    /// How somebody is seen: told anew when there is room.
    Person(UserId),
    /// How many group requests the reader has: told anew when there is room.
    GroupRequests,
    /// Somebody writes: dropped when there is no room.
    Typing(ConversationId),
    /// Somebody comes or goes: dropped when there is no room.
    Presence,
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
    drained: Notify,
    /// Whether there is a code to close with, for those who ask often.
    is_closing: AtomicBool,
    /// How many takers have been woken, of all queues.
    backlog: Arc<Backlog>,
}

impl Drop for FrameQueue {
    fn drop(&mut self) {
        if self.state.get_mut().unwrap_or_else(PoisonError::into_inner).is_due {
            self.backlog.done();
        }
    }
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    replays: BTreeMap<ConversationId, Replay>,
    /// Up to where snapshots and finished replays went: live events up to there are known.
    floors: HashMap<ConversationId, Cursor>,
    /// Conversations whose state the reader has to be told anew.
    stale: BTreeSet<ConversationId>,
    /// People of whom the reader has to be told anew.
    stale_people: BTreeSet<UserId>,
    /// Whether the reader has to be told anew how many group requests they have.
    has_stale_requests: bool,
    /// Conversations the reader has left: what was on its way to be said of them is not said.
    left: BTreeSet<ConversationId>,
    /// Whether somebody replays.
    is_replaying: bool,
    close: Option<u16>,
    /// Who waits for something to take.
    taker: Option<Waker>,
    /// Whether the taker has been woken and has not come yet.
    is_due: bool,
}

/// One conversation whose events come from the log.
#[derive(Debug)]
struct Replay {
    /// Up to where it has been handed out.
    cursor: Cursor,
    /// The last live event or answer that came meanwhile.
    live: Cursor,
    /// Answers that wait for their place, and their bytes.
    answers: BTreeMap<Seq, Utf8Bytes>,
    /// Whether the reader asked for it, and hears when it is complete.
    is_asked: bool,
}

/// A page of a replay, read from the log.
#[derive(Debug)]
pub enum Page {
    /// These events come next, and then there are more.
    Some(Vec<(Seq, Utf8Bytes)>),
    /// These events come next, and that was all there was.
    All(Vec<(Seq, Utf8Bytes)>),
    /// The log cannot be read from there; the reader has to load the conversation again.
    Unknown,
}

impl FrameQueue {
    /// An empty queue; whom it wakes is counted in `backlog`.
    #[must_use]
    pub fn new(backlog: Arc<Backlog>) -> Self {
        let mut queue = Self::default();
        queue.backlog = backlog;
        queue
    }

    /// Adds a frame, or notes that it was missed. After [`FrameQueue::close`] it is ignored.
    pub fn push(&self, item: Item) {
        let mut state = self.lock();
        if state.close.is_none() {
            state.push(item);
        }
        self.wake(state);
    }

    /// Asks the socket's task to send what waits and then close with this code. The first code stays.
    /// Whose session has ended is owed nothing any more: then it closes at once.
    pub fn close(&self, code: u16) {
        let mut state = self.lock();
        state.close.get_or_insert(code);
        if code == shared::close::SESSION_ENDED {
            state.items.clear();
            state.bytes = 0;
        }
        self.wake(state);
        self.drained.notify_waiters();
    }

    /// Whether the socket was told to close.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Whether so much waits that the socket's commands should wait too.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let state = self.lock();
        let held: usize = state.replays.values().map(|replay| replay.answers.len()).sum();
        state.items.len() + held >= FRAMES_MAX / 2 || state.bytes >= BYTES_MAX / 2
    }

    /// Moves about 32 KiB of waiting frames, at least one if there is any, to `frames`; with nothing to take, wakes
    /// the caller when that may have changed. One task waits at a time.
    pub fn poll_take(&self, cx: &mut Context<'_>, frames: &mut Vec<Utf8Bytes>) -> Poll<Taken> {
        let mut state = self.lock();
        self.come(&mut state);
        let taken = self.take_from(&mut state, frames);
        if taken != Taken::Nothing {
            return Poll::Ready(taken);
        }
        if !state.taker.as_ref().is_some_and(|taker| taker.will_wake(cx.waker())) {
            state.taker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The taker has come and takes nothing for now: its peer has to read first, or it is about to end. It is not
    /// woken until it asks again.
    pub fn pass(&self) {
        let mut state = self.lock();
        state.taker = None;
        self.come(&mut state);
    }

    fn come(&self, state: &mut State) {
        if std::mem::take(&mut state.is_due) {
            self.backlog.done();
        }
    }

    /// The same without waiting.
    pub fn take(&self, frames: &mut Vec<Utf8Bytes>) -> Taken {
        self.take_from(&mut self.lock(), frames)
    }

    fn take_from(&self, state: &mut State, frames: &mut Vec<Utf8Bytes>) -> Taken {
        let mut bytes = 0;
        while bytes < TAKE_BYTES
            && let Some(item) = state.items.pop_front()
        {
            bytes += item.frame.len();
            frames.push(item.frame);
        }
        state.bytes -= bytes;
        if state.has_room() {
            self.drained.notify_waiters();
        }
        if !frames.is_empty() {
            return Taken::Frames;
        }
        // A burst must not be paid for in memory for ever after.
        if state.items.capacity() > 64 {
            state.items.shrink_to_fit();
        }
        state.close.map_or(Taken::Nothing, Taken::Close)
    }

    /// The reader has these conversations up to these numbers, from a snapshot taken after
    /// registering: what waits of them is dropped, and what is still to be delivered is not queued.
    pub fn has_up_to(&self, known: HashMap<ConversationId, Cursor>) {
        let mut state = self.lock();
        let is_known = |conversation, seq: Seq| known.get(&conversation).is_some_and(|last| Cursor::from(seq) <= *last);
        state
            .items
            .retain(|item| !matches!(item.about, About::Event(conversation, seq) if is_known(conversation, seq)));
        state.bytes = state.items.iter().map(|item| item.frame.len()).sum();
        state.floors = known;
    }

    /// Begins to replay these conversations from their cursors; one that was being replayed begins
    /// anew. Those above the bound are given back.
    #[must_use]
    pub fn begin(&self, cursors: impl IntoIterator<Item = (ConversationId, Cursor)>) -> Vec<ConversationId> {
        let mut state = self.lock();
        let mut refused = Vec::new();
        for (conversation, cursor) in cursors {
            if state.replays.len() >= CURSORS_MAX && !state.replays.contains_key(&conversation) {
                refused.push(conversation);
                continue;
            }
            if state.floors.get(&conversation) == Some(&cursor) && !state.left.contains(&conversation) {
                state.add(answer(&ServerFrame::Resumed(Resumed { conversation, seq: cursor })));
                continue; // This is where the snapshot ended, and nothing has come since.
            }
            let before = state.replays.remove(&conversation);
            let (live, mut answers) =
                before.map_or((Cursor::START, BTreeMap::new()), |before| (before.live, before.answers));
            // The reader has these events from elsewhere; the replay does not come by their places.
            let later = Seq::new(cursor.get() + 1).map(|next| answers.split_off(&next)).unwrap_or_default();
            for answer in std::mem::replace(&mut answers, later).into_values() {
                state.bytes -= answer.len();
                state.add(Item::answer(answer));
            }
            state.floors.remove(&conversation);
            state.replays.insert(conversation, Replay { cursor, live, answers, is_asked: true });
        }
        self.wake(state);
        refused
    }

    /// Whether somebody has to replay now, and it is the caller. (Only one at a time.)
    #[must_use]
    pub fn claim(&self) -> bool {
        let mut state = self.lock();
        let is_needed = !state.is_replaying && state.has_missed();
        state.is_replaying |= is_needed;
        is_needed
    }

    /// Waits until there is room for a page. `false`: the socket closes, nobody needs it any more.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn room(&self) -> bool {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Before looking, so that a wake-up in between is not lost.
            drained.as_mut().enable();
            {
                let state = self.lock();
                if state.close.is_some() {
                    return false;
                }
                if state.has_room() {
                    return true;
                }
            }
            drained.await;
        }
    }

    /// What is being replayed, and from where on.
    #[must_use]
    pub fn replays(&self) -> Vec<(ConversationId, Cursor)> {
        self.lock().replays.iter().map(|(conversation, replay)| (*conversation, replay.cursor)).collect()
    }

    /// Takes the conversations whose state has to be told anew.
    #[must_use]
    pub fn take_stale(&self) -> BTreeSet<ConversationId> {
        std::mem::take(&mut self.lock().stale)
    }

    /// Takes the people of whom the reader has to be told anew.
    #[must_use]
    pub fn take_stale_people(&self) -> BTreeSet<UserId> {
        std::mem::take(&mut self.lock().stale_people)
    }

    /// Whether the reader has to be told anew how many group requests they have; asked once.
    #[must_use]
    pub fn take_stale_requests(&self) -> bool {
        std::mem::take(&mut self.lock().has_stale_requests)
    }

    /// Queues a page that was read from `from` on; it is ignored if the replay has begun anew since.
    pub fn replay(&self, conversation: ConversationId, from: Cursor, page: Page) {
        let mut state = self.lock();
        if state.close.is_none() {
            state.replay(conversation, from, page);
        }
        self.wake(state);
    }

    /// Ends replaying if there is nothing left to replay. `false`: something has come up. To be called
    /// when everything the replays may have sent has come by live, too.
    #[must_use]
    pub fn finish(&self) -> bool {
        let mut state = self.lock();
        if state.has_missed() {
            return state.close.is_some();
        }
        state.is_replaying = false;
        state.floors = HashMap::new();
        true
    }

    /// Forgets up to where snapshots and replays went: everything they had has come by live, too.
    /// While there is a replay its end does that.
    pub fn forget_floors(&self) {
        let mut state = self.lock();
        if !state.is_replaying {
            state.floors = HashMap::new();
        }
    }

    /// Unlocks, and wakes whoever waits for something to take.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if state.close.is_some() {
            self.is_closing.store(true, Ordering::Release);
        }
        let Some(taker) = state.taker.take() else { return };
        if !std::mem::replace(&mut state.is_due, true) {
            self.backlog.add();
        }
        drop(state);
        taker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, item: Item) {
        match item.about {
            About::Answer => self.add(item),
            About::Accepted(conversation, seq) => match self.replays.get_mut(&conversation) {
                Some(replay) if Cursor::from(seq) > replay.cursor => {
                    replay.live = replay.live.max(seq.into());
                    self.bytes += item.frame.len();
                    if let Some(twin) = replay.answers.insert(seq, item.frame) {
                        self.bytes -= twin.len();
                    }
                }
                _ => self.add(item),
            },
            About::Event(conversation, seq) => {
                match self.floors.get(&conversation) {
                    Some(floor) if Cursor::from(seq) <= *floor => return,
                    Some(_) => drop(self.floors.remove(&conversation)),
                    None => {}
                }
                if let Some(replay) = self.replays.get_mut(&conversation) {
                    replay.live = replay.live.max(seq.into());
                } else if self.is_full(&item) {
                    // From here on the log is read; what waits comes before it.
                    let cursor = Cursor::new(seq.get() - 1).unwrap_or_default();
                    let replay = Replay { cursor, live: seq.into(), answers: BTreeMap::new(), is_asked: false };
                    self.replays.insert(conversation, replay);
                    self.close_if_too_much();
                } else {
                    self.add(item);
                }
            }
            About::Left(conversation, _) => self.leave(conversation, item),
            About::New(conversation) | About::Conversation(conversation) => {
                if matches!(item.about, About::New(_)) {
                    self.left.remove(&conversation);
                }
                if self.left.contains(&conversation) {
                    return;
                }
                if self.is_full(&item) {
                    self.stale.insert(conversation);
                    self.close_if_too_much();
                } else {
                    self.add(item);
                }
            }
            About::Person(user) => {
                if self.is_full(&item) {
                    self.stale_people.insert(user);
                    self.close_if_too_much();
                } else {
                    self.add(item);
                }
            }
            About::GroupRequests => {
                if self.is_full(&item) {
                    self.has_stale_requests = true;
                } else {
                    self.add(item);
                }
            }
            About::Typing(conversation) => {
                if !self.is_full(&item) && !self.left.contains(&conversation) {
                    self.add(item);
                }
            }
            About::Presence => {
                if !self.is_full(&item) {
                    self.add(item);
                }
            }
        }
    }

    /// The reader is no member any more: the log cannot be read to its end, so a replay ends here, and
    /// nothing of the conversation comes after this.
    fn leave(&mut self, conversation: ConversationId, item: Item) {
        if self.replays.contains_key(&conversation) {
            let from = self.replays[&conversation].cursor;
            self.replay(conversation, from, Page::Unknown);
        }
        self.stale.remove(&conversation);
        self.floors.remove(&conversation);
        if self.left.len() >= MISSED_MAX {
            self.left.pop_first();
        }
        self.left.insert(conversation);
        self.add(item);
        if self.items.len() > 2 * FRAMES_MAX {
            self.close = Some(shared::close::SLOW_CONSUMER);
        }
    }

    fn add(&mut self, item: Item) {
        self.bytes += item.frame.len();
        self.items.push_back(item);
    }

    fn is_full(&self, item: &Item) -> bool {
        self.items.len() >= FRAMES_MAX || self.bytes + item.frame.len() > BYTES_MAX
    }

    fn has_room(&self) -> bool {
        self.items.len() < ROOM_FRAMES && self.items.iter().map(|item| item.frame.len()).sum::<usize>() < ROOM_BYTES
    }

    /// Whether something of the log, or how something stands, is to be told once there is room.
    fn has_missed(&self) -> bool {
        let is_told = self.stale.is_empty() && self.stale_people.is_empty() && !self.has_stale_requests;
        !(self.replays.is_empty() && is_told)
    }

    fn close_if_too_much(&mut self) {
        if [self.replays.len(), self.stale.len(), self.stale_people.len()].iter().any(|missed| *missed > MISSED_MAX) {
            self.close = Some(shared::close::SLOW_CONSUMER);
        }
    }

    fn replay(&mut self, conversation: ConversationId, from: Cursor, page: Page) {
        let Some(mut replay) = self.replays.remove(&conversation) else { return };
        if replay.cursor != from {
            self.replays.insert(conversation, replay);
            return;
        }
        let (events, is_all) = match page {
            Page::Some(events) => (events, false),
            Page::All(events) => (events, true),
            Page::Unknown => {
                for frame in std::mem::take(&mut replay.answers).into_values() {
                    self.bytes -= frame.len();
                    self.add(Item::answer(frame));
                }
                self.add(answer(&ServerFrame::Resync(Resync { conversation })));
                return;
            }
        };
        for (seq, frame) in events {
            replay.cursor = seq.into();
            match replay.answers.remove(&seq) {
                // One's own: the answer stands in the event's place.
                Some(answer) => {
                    self.bytes -= answer.len();
                    self.add(Item::answer(answer));
                }
                None => self.add(Item { frame, about: About::Answer }),
            }
        }
        if !is_all || replay.live > replay.cursor {
            self.replays.insert(conversation, replay);
            return;
        }
        self.floors.insert(conversation, replay.cursor);
        if replay.is_asked {
            self.add(answer(&ServerFrame::Resumed(Resumed { conversation, seq: replay.cursor })));
        } else {
            self.stale.insert(conversation);
        }
    }
}

fn answer(frame: &ServerFrame) -> Item {
    Item::answer(Utf8Bytes::from(frame.encode()))
}

/// What [`FrameQueue::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Frames to write.
    Frames,
    /// All is sent; close with this code.
    Close(u16),
    /// Nothing waits.
    Nothing,
}

#[cfg(test)]
mod tests;
