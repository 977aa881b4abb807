//! Whether somebody wants to be told of a message.

use crate::conversation::Preferences;
use crate::event::Event;
use crate::ids::{Timestamp, UserId};

/// Whether `me` wants to be told of this event, as it comes. What has been put away is told of only if it names them.
#[must_use]
pub fn is_wanted(event: &Event, me: UserId, preferences: &Preferences, now: Timestamp) -> bool {
    let Some(message) = event.kind.as_message() else { return false };
    if event.sender == me || message.deleted_at.is_some() || preferences.is_muted(now) {
        return false;
    }
    preferences.tells_all(now) || message.mentions.contains(&me)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Notify;
    use crate::event::EventKind;
    use crate::ids::{CommandId, ConversationId, Seq};
    use crate::message::{Deleted, Message};

    fn user(number: u8) -> UserId {
        UserId::v7(Timestamp::from_millis(1), [number; 10])
    }

    fn event(sender: UserId, mentions: Vec<UserId>) -> Event {
        let at = Timestamp::from_millis(1_000);
        let message = Message::new(CommandId::v7(at, [1; 10]), "hi".into(), None);
        let kind = EventKind::Message(Message { mentions, ..message });
        Event { conversation: ConversationId::v7(at, [1; 10]), seq: Seq::FIRST, at, sender, kind }
    }

    #[test]
    fn everybody_is_told_as_much_as_they_want() {
        let (me, other) = (user(1), user(2));
        let (plain, naming) = (event(other, vec![]), event(other, vec![user(3), me]));
        let now = Timestamp::from_millis(5_000);
        let wants = |notify, archived, muted_until: Option<u64>| {
            let muted_until = muted_until.map(Timestamp::from_millis);
            let preferences = Preferences { notify, archived, muted_until, ..Preferences::default() };
            let told = is_wanted(&plain, me, &preferences, now);
            assert_eq!(preferences.tells_all(now), told, "the title counts what one is told of");
            (told, is_wanted(&naming, me, &preferences, now))
        };
        assert_eq!(wants(Notify::All, false, None), (true, true));
        assert_eq!(wants(Notify::Mentions, false, None), (false, true));
        assert_eq!(wants(Notify::Nothing, false, None), (false, false));
        assert_eq!(wants(Notify::All, true, None), (false, true));
        assert_eq!(wants(Notify::All, false, Some(5_001)), (false, false));
        assert_eq!(wants(Notify::All, false, Some(5_000)), (true, true), "it is over");
    }

    #[test]
    fn what_one_writes_and_what_is_no_message_is_nothing_to_be_told_of() {
        let (me, usual) = (user(1), Preferences::default());
        assert!(!is_wanted(&event(me, vec![me]), me, &usual, Timestamp::default()));
        let kind = EventKind::Deleted(Deleted { target: Seq::FIRST });
        assert!(!is_wanted(&Event { kind, ..event(user(2), vec![]) }, me, &usual, Timestamp::default()));
    }
}
