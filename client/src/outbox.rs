//! What was written and is not accepted yet, in the order it was written.
//!
//! An entry stays until the server says `accepted`, or the person discards it. It is transmitted again
//! after every reconnect, always under the same id, so the server stores it once.

use crate::Millis;
use shared::code::{Code, Rejection};
use shared::ids::{CommandId, Seq};
use shared::message::{Send, Target};
use std::collections::VecDeque;

/// The most that may wait.
pub const ENTRIES_MAX: usize = 500;
/// How many are under way at once. Below what a server takes in one go, so that their order holds.
const UNDER_WAY_MAX: usize = 16;
/// How often a retryable refusal is tried again without asking the person.
const ATTEMPTS_MAX: u32 = 8;
/// The wait after a retryable refusal that names none, in milliseconds.
const RETRY: Millis = 2_000;

/// There is no room for another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The command, as it is transmitted.
    pub send: Send,
    /// How it stands.
    pub state: State,
    attempts: u32,
}

/// How an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// To be transmitted as soon as there is a connection.
    Waiting,
    /// Transmitted on this connection; the answer is not there yet.
    UnderWay,
    /// Refused for now; to be transmitted again at this moment.
    Later(Millis),
    /// Refused for good; the person decides.
    Failed(Rejection),
}

/// The entries, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    /// The server has asked for patience: one at a time, until everything is accepted.
    is_slow: bool,
}

/// What a refusal means for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is tried again by itself.
    Later,
    /// The person has to decide.
    Final,
    /// There is no such entry.
    Unknown,
}

impl Outbox {
    /// Adds a message at the end.
    ///
    /// # Errors
    /// [`Full`]; the text stays where it was written.
    pub fn push(&mut self, id: CommandId, to: Target, content: String, reply_to: Option<Seq>) -> Result<(), Full> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(Full);
        }
        let send = Send { id, to, content, reply_to, attachments: Vec::new() };
        self.entries.push_back(Entry { send, state: State::Waiting, attempts: 0 });
        Ok(())
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether everything was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connection is gone: what was under way may or may not have arrived, so all of it goes
    /// again.
    pub fn handle_cut(&mut self) {
        for entry in &mut self.entries {
            if entry.state == State::UnderWay {
                entry.state = State::Waiting;
            }
        }
    }

    /// What is to be transmitted now. An entry that waits for its moment holds back those behind it,
    /// so that messages keep their order.
    pub fn due(&mut self, now: Millis) -> Vec<Send> {
        let mut due = Vec::new();
        let most = if self.is_slow { 1 } else { UNDER_WAY_MAX };
        let under_way = self.entries.iter().filter(|entry| entry.state == State::UnderWay).count();
        for entry in &mut self.entries {
            if under_way + due.len() >= most {
                break;
            }
            match entry.state {
                State::Later(at) if at > now => break,
                State::Later(_) | State::Waiting => {
                    entry.state = State::UnderWay;
                    due.push(entry.send.clone());
                }
                State::UnderWay | State::Failed(_) => {}
            }
        }
        due
    }

    /// When [`Outbox::due`] has something again, if nothing else happens.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        self.entries.iter().find_map(|entry| match entry.state {
            State::Later(at) => Some(at),
            _ => None,
        })
    }

    /// The server has it: takes it out.
    pub fn accepted(&mut self, id: CommandId) -> Option<Send> {
        let index = self.entries.iter().position(|entry| entry.send.id == id)?;
        let entry = self.entries.remove(index);
        self.is_slow &= !self.entries.is_empty();
        entry.map(|entry| entry.send)
    }

    /// The server refused it.
    pub fn rejected(&mut self, id: CommandId, rejection: Rejection, now: Millis) -> Refusal {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.send.id == id) else { return Refusal::Unknown };
        // To be asked for patience is no failure: it is tried again for as long as it takes.
        if matches!(rejection.code, Code::RateLimited | Code::Overloaded) {
            self.is_slow = true;
        } else {
            entry.attempts += 1;
        }
        if rejection.code.is_retryable() && entry.attempts < ATTEMPTS_MAX {
            entry.state = State::Later(now + rejection.retry_after_ms.unwrap_or(RETRY).max(1));
            Refusal::Later
        } else {
            entry.state = State::Failed(rejection);
            Refusal::Final
        }
    }

    /// The person wants a failed entry tried again.
    pub fn retry(&mut self, id: CommandId) -> bool {
        match self.entries.iter_mut().find(|entry| entry.send.id == id) {
            Some(entry) if matches!(entry.state, State::Failed(_)) => {
                entry.state = State::Waiting;
                entry.attempts = 0;
                true
            }
            _ => false,
        }
    }

    /// The person does not want an entry any more. One under way may have arrived all the same.
    pub fn discard(&mut self, id: CommandId) -> Option<Send> {
        self.accepted(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::Timestamp;

    fn id(number: u8) -> CommandId {
        CommandId::v7(Timestamp::from_millis(1), [number; 10])
    }

    fn filled(count: u8) -> Outbox {
        let mut outbox = Outbox::default();
        for number in 0..count {
            outbox.push(id(number), Target::Everyone, format!("{number}"), None).expect("room");
        }
        outbox
    }

    fn texts(sends: &[Send]) -> Vec<&str> {
        sends.iter().map(|send| send.content.as_str()).collect()
    }

    #[test]
    fn what_was_under_way_goes_again_under_the_same_id_after_a_cut() {
        let mut outbox = filled(3);
        let first = outbox.due(0);
        assert_eq!(texts(&first), ["0", "1", "2"]);
        assert!(outbox.due(0).is_empty());
        outbox.accepted(id(1));
        outbox.handle_cut();
        let again = outbox.due(1);
        assert_eq!(texts(&again), ["0", "2"]);
        assert_eq!(again[0].id, first[0].id);
    }

    #[test]
    fn a_refusal_for_now_holds_back_what_was_written_later() {
        let mut outbox = filled(2);
        outbox.due(0);
        let slow = Rejection::new(Code::RateLimited, "slow").retry_after_ms(300);
        assert_eq!(outbox.rejected(id(0), slow, 1_000), Refusal::Later);
        outbox.push(id(9), Target::Everyone, "9".into(), None).expect("room");
        assert!(outbox.due(1_299).is_empty());
        assert_eq!(outbox.next_due(), Some(1_300));
        assert_eq!(texts(&outbox.due(1_300)), [""; 0], "one at a time: 1 is still under way");
        outbox.accepted(id(1));
        assert_eq!(texts(&outbox.due(1_300)), ["0"]);
        outbox.accepted(id(0));
        assert_eq!(texts(&outbox.due(1_300)), ["9"]);
    }

    #[test]
    fn being_asked_for_patience_never_fails_a_message() {
        let mut outbox = filled(40);
        assert_eq!(outbox.due(0).len(), UNDER_WAY_MAX);
        let slow = Rejection::new(Code::RateLimited, "slow").retry_after_ms(1);
        for round in 0..100 {
            outbox.handle_cut();
            for send in outbox.due(round * 10) {
                assert_eq!(outbox.rejected(send.id, slow.clone(), round * 10), Refusal::Later);
            }
        }
        let mut accepted = Vec::new();
        for round in 100..200 {
            for send in outbox.due(round * 10) {
                accepted.push(send.content);
                outbox.accepted(send.id);
            }
        }
        assert_eq!(accepted, (0..40).map(|number| number.to_string()).collect::<Vec<_>>(), "in order");
    }

    #[test]
    fn a_refusal_for_good_waits_for_the_person_and_holds_nobody_back() {
        let mut outbox = filled(2);
        outbox.due(0);
        assert_eq!(outbox.rejected(id(0), Rejection::not_found(), 0), Refusal::Final);
        assert_eq!(outbox.rejected(id(7), Rejection::not_found(), 0), Refusal::Unknown);
        outbox.handle_cut();
        assert_eq!(texts(&outbox.due(0)), ["1"]);
        assert!(outbox.retry(id(0)) && !outbox.retry(id(1)));
        assert_eq!(texts(&outbox.due(0)), ["0"]);
        assert!(outbox.discard(id(0)).is_some());
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn trying_again_by_itself_ends() {
        let mut outbox = filled(1);
        let refusals = (0..ATTEMPTS_MAX).map(|_| outbox.rejected(id(0), Rejection::internal(), 0)).collect::<Vec<_>>();
        assert_eq!(refusals.last(), Some(&Refusal::Final));
        assert!(refusals[..refusals.len() - 1].iter().all(|refusal| *refusal == Refusal::Later));
    }

    #[test]
    fn it_is_bounded() {
        let mut outbox = Outbox::default();
        for number in 0..ENTRIES_MAX {
            let id = CommandId::v7(Timestamp::from_millis(number as u64), [1; 10]);
            assert_eq!(outbox.push(id, Target::Everyone, "x".into(), None), Ok(()));
        }
        assert_eq!(outbox.push(id(0), Target::Everyone, "x".into(), None), Err(Full));
    }
}
