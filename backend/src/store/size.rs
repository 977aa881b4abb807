//! How large answers become: an upper bound of the bytes of an event and of a summary as JSON, without making it.
//!
//! Pages of events and of conversations are cut by it, so that no answer grows with what others have written or with how
//! many they are. It never says less than `serde_json` writes.

use shared::account::User;
use shared::conversation::Summary;
use shared::event::{Event, EventKind};
use shared::message::Message;

/// An id with its quotes and a comma.
const ID: usize = 39;
/// All keys, numbers, ids and marks of an event that are there once, and of a message in it.
const EVENT: usize = 640;
/// The same of a summary without its event and members.
const SUMMARY: usize = 640;
/// The same of a person.
const USER: usize = 160;
/// The same of a file.
const FILE: usize = 224;
/// The bound for what stands around a text in a list.
const NAME: usize = 8;
/// The same of a reaction.
const REACTION: usize = 64;

/// The most bytes an event takes.
#[must_use]
pub fn event(event: &Event) -> usize {
    EVENT
        + match &event.kind {
            EventKind::Message(message) => of_message(message),
            EventKind::Edited(edited) => {
                text(&edited.content) + ID * edited.mentions.len() + texts(&edited.mention_names)
            }
            EventKind::Reacted(reacted) => text(&reacted.emoji),
            EventKind::Created(created) => optional(created.name.as_ref()) + ID * created.members.len(),
            EventKind::Renamed(renamed) => text(&renamed.name),
            EventKind::Described(described) => optional(described.topic.as_ref()),
            EventKind::Deleted(_) | EventKind::Joined(_) | EventKind::Left(_) | EventKind::Unknown => 0,
        }
}

/// The most bytes a summary takes.
#[must_use]
pub fn summary(summary: &Summary) -> usize {
    let members = summary.members.iter().flatten().map(user).sum::<usize>();
    let names = optional(summary.name.as_ref()) + optional(summary.topic.as_ref());
    SUMMARY + names + members + summary.last_event.as_ref().map_or(0, event)
}

/// How many of these fit into so many bytes, at least one, in their order.
pub fn fitting<'a, T: 'a>(list: impl IntoIterator<Item = &'a T>, most: usize, size: fn(&T) -> usize) -> usize {
    let mut bytes = 0;
    let fits = list.into_iter().take_while(|one| {
        let is_first = bytes == 0;
        bytes += size(one);
        is_first || bytes <= most
    });
    fits.count()
}

fn of_message(message: &Message) -> usize {
    let files = message.attachments.iter().map(|file| FILE + text(&file.name) + text(&file.media_type)).sum::<usize>();
    let reactions = message.reactions.iter().map(|one| REACTION + text(&one.emoji) + ID * one.users.len());
    let mentions = ID * message.mentions.len() + texts(&message.mention_names);
    text(&message.content) + files + mentions + reactions.sum::<usize>()
}

fn texts(list: &[String]) -> usize {
    list.iter().map(|one| NAME + text(one)).sum()
}

fn user(user: &User) -> usize {
    USER + text(&user.display_name) + optional(user.status.as_ref())
}

fn optional(value: Option<&String>) -> usize {
    value.map_or(0, |value| text(value))
}

/// A text with what JSON writes in place of some of its characters.
fn text(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::account::User;
    use shared::attachment::Attachment;
    use shared::conversation::{ConversationKind, Created, Preferences};
    use shared::ids::{AttachmentId, CommandId, ConversationId, Cursor, INTEGER_END, Seq, Timestamp, UserId};
    use shared::reaction::Reaction;

    fn id() -> UserId {
        UserId::v7(at(), [9; 10])
    }

    fn at() -> Timestamp {
        Timestamp::from_millis(INTEGER_END - 1)
    }

    fn conversation() -> ConversationId {
        ConversationId::v7(at(), [9; 10])
    }

    fn picture() -> Option<AttachmentId> {
        Some(AttachmentId::v7(at(), [9; 10]))
    }

    /// As much as there can be of everything, with these texts.
    fn large(text: &str, people: usize) -> Summary {
        let seq = Seq::new(INTEGER_END - 1).expect("in range");
        let file = Attachment {
            id: picture().expect("an id"),
            name: text.into(),
            media_type: text.into(),
            size: u64::MAX,
            width: Some(u32::MAX),
            height: Some(u32::MAX),
            animated: true,
        };
        let reaction = Reaction { emoji: text.into(), users: vec![id(); people], more: u64::MAX };
        let message = Message {
            reply_to: Some(seq),
            attachments: vec![file; people],
            mentions: vec![id(); people],
            mention_names: vec![text.into(); people],
            edited_at: Some(at()),
            deleted_at: Some(at()),
            reactions: vec![reaction; people],
            ..Message::new(CommandId::v7(at(), [9; 10]), text.into(), None)
        };
        let kind = EventKind::Message(message);
        let user = User {
            id: id(),
            display_name: text.into(),
            avatar: picture(),
            status: Some(text.into()),
            privacy: None,
            email: None,
        };
        Summary {
            id: conversation(),
            kind: ConversationKind::Everyone,
            name: Some(text.into()),
            topic: Some(text.into()),
            public: true,
            avatar: picture(),
            members: Some(vec![user; people]),
            member_count: Some(u64::MAX),
            last_seq: seq.into(),
            read_seq: Cursor::from(seq),
            unread: u64::MAX,
            last_event: Some(Event { conversation: conversation(), seq, at: at(), sender: id(), kind }),
            preferences: Preferences {
                pinned: true,
                archived: true,
                marked_unread: true,
                notify: shared::conversation::Notify::Mentions,
                muted_until: Some(at()),
            },
        }
    }

    fn json(value: &impl serde::Serialize) -> usize {
        serde_json::to_string(value).expect("JSON").len()
    }

    proptest! {
        #[test]
        fn the_bound_is_never_less_than_what_is_written_and_not_far_above(text in "(\\PC|\"|\\\\|[\u{1}-\u{1f}]|𝔫){0,80}", people in 0_usize..9) {
            let summary = large(&text, people);
            let written = json(&summary);
            let bound = super::summary(&summary);
            prop_assert!(written <= bound, "{written} > {bound}");
            prop_assert!(bound <= written + 3_000, "{bound} for {written}");
            let created = Created {
                kind: ConversationKind::Channel,
                name: Some(text),
                members: vec![id(); people],
                member_count: Some(u64::MAX),
            };
            let created = Event { kind: EventKind::Created(created), ..summary.last_event.expect("there is one") };
            prop_assert!(json(&created) <= event(&created));
        }
    }

    #[test]
    fn at_least_one_fits() {
        let size = |bytes: &usize| *bytes;
        assert_eq!(fitting(&[5, 5, 5], 10, size), 2);
        assert_eq!(fitting(&[50, 5], 10, size), 1);
        assert_eq!(fitting(&[], 10, size), 0);
    }
}
