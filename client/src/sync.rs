//! What is missing after a reconnect or behind a gap, and asking for it with `resume`.
//!
//! A `resume` replaces the one that runs on the server, so each carries what the one before has not
//! finished, from where its replay has come to. What is asked for twice comes twice and is ignored by
//! the timelines; nothing is asked for while it is running. When the connection is cut everything here
//! is void: the next `welcome` begins again from where the timelines are.

use crate::Millis;
use litemap::LiteMap;
use shared::event::Event;
use shared::ids::{ConversationId, Cursor, Epoch};
use shared::limits::CURSORS_MAX;
use shared::resume::Resume;

/// How long a replay may stand still before it is asked for again, in milliseconds.
const STILL_MAX: Millis = 30_000;

/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Sync {
    epoch: Option<Epoch>,
    /// Asked for and not complete: how far the replay has come.
    running: LiteMap<ConversationId, Cursor>,
    /// To be asked for.
    waiting: LiteMap<ConversationId, Cursor>,
    /// What runs is to be asked for once more.
    is_still: bool,
    last_heard: Millis,
}

impl Sync {
    /// The server has greeted. `true`: its history is another one than the one known, and nothing of
    /// that counts any more.
    pub fn handle_welcome(&mut self, epoch: &Epoch) -> bool {
        self.handle_cut();
        self.epoch.replace(epoch.clone()).is_some_and(|before| before != *epoch)
    }

    /// What is known is of this history.
    pub fn remember(&mut self, epoch: &Epoch) {
        self.epoch = Some(epoch.clone());
    }

    /// What is known is of this history; `None` before the first greeting.
    #[must_use]
    pub fn epoch(&self) -> Option<&Epoch> {
        self.epoch.as_ref()
    }

    /// The connection is gone, and every replay with it.
    pub fn handle_cut(&mut self) {
        self.running.clear();
        self.waiting.clear();
        self.is_still = false;
    }

    /// What comes after this cursor is missing. Nothing happens if it is being replayed already.
    pub fn ask(&mut self, conversation: ConversationId, cursor: Cursor) {
        if !self.running.contains_key(&conversation) {
            self.waiting.insert(conversation, cursor);
        }
    }

    /// A conversation needs no replay any more.
    pub fn forget(&mut self, conversation: ConversationId) {
        self.running.remove(&conversation);
        self.waiting.remove(&conversation);
    }

    /// An event came in, perhaps by a replay.
    pub fn handle_event(&mut self, event: &Event, now: Millis) {
        if let Some(cursor) = self.running.get_mut(&event.conversation) {
            self.last_heard = now;
            if event.seq == cursor.next() {
                *cursor = event.seq.into();
            }
        }
    }

    /// A replay is complete, or not to be had.
    pub fn handle_end(&mut self, conversation: ConversationId, now: Millis) {
        if self.running.remove(&conversation).is_some() {
            self.last_heard = now;
        }
    }

    /// What to ask for now, with all that runs. At most [`CURSORS_MAX`] at once; the others wait until
    /// those are done.
    pub fn poll_resume(&mut self, now: Millis) -> Option<Resume> {
        while self.running.len() < CURSORS_MAX
            && let Some((conversation, cursor)) = crate::pop_first(&mut self.waiting)
        {
            self.running.insert(conversation, cursor);
            self.is_still = true;
        }
        if !std::mem::take(&mut self.is_still) || self.running.is_empty() {
            return None;
        }
        self.last_heard = now;
        Some(Resume { epoch: self.epoch.clone()?, cursors: self.running.clone() })
    }

    /// When to call [`Sync::handle_timeout`].
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        (!self.running.is_empty()).then_some(self.last_heard + STILL_MAX)
    }

    /// Time has passed: a replay that stands still is asked for again.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.is_still |= self.next_timeout().is_some_and(|due| now >= due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::event::EventKind;
    use shared::ids::{Seq, Timestamp, UserId};

    fn conversation(number: u16) -> ConversationId {
        let mut random = [1; 10];
        random[..2].copy_from_slice(&number.to_be_bytes());
        random[8..].copy_from_slice(&number.to_be_bytes());
        ConversationId::v7(Timestamp::default(), random)
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::new(number).expect("in range")
    }

    fn event(number: u16, seq: u64) -> Event {
        Event {
            conversation: conversation(number),
            seq: Seq::new(seq).expect("in range"),
            at: Timestamp::default(),
            sender: UserId::v7(Timestamp::default(), [1; 10]),
            kind: EventKind::Unknown,
        }
    }

    fn greeted() -> Sync {
        let mut sync = Sync::default();
        assert!(!sync.handle_welcome(&Epoch::new("a".into()).expect("short")), "the first history is no other one");
        sync
    }

    fn asked(sync: &mut Sync) -> Vec<(ConversationId, u64)> {
        let resume = sync.poll_resume(0);
        resume.into_iter().flat_map(|resume| resume.cursors).map(|(id, cursor)| (id, cursor.get())).collect()
    }

    #[test]
    fn all_that_is_missing_is_asked_for_at_once_and_once() {
        let mut sync = greeted();
        assert_eq!(asked(&mut sync), []);
        sync.ask(conversation(1), cursor(5));
        sync.ask(conversation(2), cursor(0));
        assert_eq!(asked(&mut sync), [(conversation(1), 5), (conversation(2), 0)]);
        sync.ask(conversation(1), cursor(5));
        assert_eq!(asked(&mut sync), []);
    }

    #[test]
    fn a_second_question_carries_what_the_first_has_not_finished() {
        let mut sync = greeted();
        sync.ask(conversation(1), cursor(5));
        sync.ask(conversation(2), cursor(0));
        asked(&mut sync);
        sync.handle_event(&event(1, 6), 1);
        sync.handle_event(&event(1, 9), 1);
        sync.handle_end(conversation(2), 1);
        sync.ask(conversation(3), cursor(7));
        assert_eq!(asked(&mut sync), [(conversation(1), 6), (conversation(3), 7)]);
    }

    #[test]
    fn more_than_one_question_holds_waits_for_its_turn() {
        let mut sync = greeted();
        for number in 0..=u16::try_from(CURSORS_MAX).expect("small") {
            sync.ask(conversation(number), cursor(1));
        }
        let first = asked(&mut sync);
        assert_eq!(first.len(), CURSORS_MAX);
        assert_eq!(asked(&mut sync), []);
        sync.handle_end(first[0].0, 1);
        assert_eq!(asked(&mut sync).len(), CURSORS_MAX);
    }

    #[test]
    fn a_replay_that_stands_still_is_asked_for_again() {
        let mut sync = greeted();
        sync.ask(conversation(1), cursor(5));
        asked(&mut sync);
        sync.handle_event(&event(1, 6), 10_000);
        assert_eq!(sync.next_timeout(), Some(40_000));
        sync.handle_timeout(40_000);
        assert_eq!(asked(&mut sync), [(conversation(1), 6)]);
        sync.handle_end(conversation(1), 0);
        assert_eq!(sync.next_timeout(), None);
    }

    #[test]
    fn a_cut_ends_everything_and_another_history_is_noticed() {
        let mut sync = greeted();
        sync.ask(conversation(1), cursor(5));
        sync.handle_cut();
        assert_eq!(asked(&mut sync), []);
        assert!(sync.handle_welcome(&Epoch::new("b".into()).expect("short")));
    }
}
