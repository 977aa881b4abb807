//! Who is writing just now. Oneself is told at most every three seconds, others are shown for five.

use crate::Millis;
use litemap::LiteMap;
use shared::event::{Event, EventKind};
use shared::ids::{ConversationId, UserId};
use shared::typing::{Typing as TypingFrame, UserTyping};

/// How often one's own typing is told, in milliseconds.
pub const TELL_EVERY: Millis = 3_000;
/// How long somebody else's is shown, in milliseconds.
pub const SHOWN_FOR: Millis = 5_000;
/// How many people are shown at once, over all conversations; further ones are not noticed.
const SHOWN_MAX: usize = 1_000;

/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Typing {
    /// When one's own typing may be told again.
    own: LiteMap<ConversationId, Millis>,
    /// Until when others are shown.
    others: LiteMap<(ConversationId, UserId), Millis>,
}

impl Typing {
    /// The person has typed something. Gives what to tell the server, if it is time to.
    pub fn handle_input(&mut self, conversation: ConversationId, now: Millis) -> Option<TypingFrame> {
        self.own.retain(|_, again| *again > now);
        if self.own.contains_key(&conversation) {
            return None;
        }
        self.own.insert(conversation, now + TELL_EVERY);
        Some(TypingFrame { conversation })
    }

    /// Somebody else is typing.
    pub fn handle_typing(&mut self, typing: UserTyping, now: Millis) {
        let key = (typing.conversation, typing.user);
        if self.others.len() < SHOWN_MAX || self.others.contains_key(&key) {
            self.others.insert(key, now + SHOWN_FOR);
        }
    }

    /// Something was written: its writer is not typing any more.
    pub fn handle_event(&mut self, event: &Event) {
        if matches!(event.kind, EventKind::Message(_) | EventKind::Edited(_)) {
            self.others.remove(&(event.conversation, event.sender));
        }
    }

    /// Who is typing there, in a fixed order.
    pub fn users(&self, conversation: ConversationId) -> impl Iterator<Item = UserId> {
        self.others.keys().filter(move |(other, _)| *other == conversation).map(|(_, user)| *user)
    }

    /// When to call [`Typing::handle_timeout`].
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.others.values().min().copied()
    }

    /// Time has passed. `true`: somebody is not shown any more.
    pub fn handle_timeout(&mut self, now: Millis) -> bool {
        let before = self.others.len();
        self.others.retain(|_, until| *until > now);
        before != self.others.len()
    }

    /// The connection is gone: nobody is known to be typing.
    pub fn handle_cut(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::event::EventKind;
    use shared::ids::{CommandId, Seq, Timestamp};
    use shared::message::Message;

    fn conversation(number: u8) -> ConversationId {
        ConversationId::v7(Timestamp::default(), [number; 10])
    }

    fn user(number: u8) -> UserId {
        UserId::v7(Timestamp::default(), [number; 10])
    }

    fn typing(by: u8) -> UserTyping {
        UserTyping { conversation: conversation(1), user: user(by) }
    }

    #[test]
    fn somebody_is_shown_for_five_seconds_after_the_last_word() {
        let mut machine = Typing::default();
        machine.handle_typing(typing(2), 0);
        machine.handle_typing(typing(2), 3_000);
        assert_eq!(machine.next_timeout(), Some(8_000));
        assert!(!machine.handle_timeout(7_999));
        assert_eq!(machine.users(conversation(1)).collect::<Vec<_>>(), [user(2)]);
        assert!(machine.handle_timeout(8_000));
        assert_eq!((machine.users(conversation(1)).count(), machine.next_timeout()), (0, None));
    }

    #[test]
    fn what_was_written_ends_the_typing() {
        let mut machine = Typing::default();
        machine.handle_typing(typing(2), 0);
        machine.handle_typing(typing(3), 0);
        let kind = EventKind::Message(Message::new(CommandId::v7(Timestamp::default(), [1; 10]), "x".into(), None));
        let (seq, at) = (Seq::FIRST, Timestamp::default());
        machine.handle_event(&Event { conversation: conversation(1), seq, at, sender: user(2), kind });
        assert_eq!(machine.users(conversation(1)).collect::<Vec<_>>(), [user(3)]);
        assert_eq!(machine.users(conversation(2)).count(), 0);
    }

    proptest! {
        #[test]
        fn ones_own_typing_is_told_at_most_every_three_seconds(steps in prop::collection::vec((0u8..3, 0u64..2_000), 0..60)) {
            let mut machine = Typing::default();
            let mut now = 0;
            let mut told = std::collections::BTreeMap::new();
            for (number, wait) in steps {
                now += wait;
                match machine.handle_input(conversation(number), now) {
                    Some(frame) => {
                        let before = told.insert(frame.conversation, now);
                        prop_assert!(before.is_none_or(|before| now - before >= TELL_EVERY));
                    }
                    None => prop_assert!(now - told[&conversation(number)] < TELL_EVERY),
                }
            }
        }
    }
}
