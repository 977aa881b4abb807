//! Conversations: what they are, how they stand in a list, and the log's notes about them.

use crate::account::{User, some};
use crate::event::Event;
use crate::ids::{AttachmentId, ConversationId, Cursor, Timestamp, UserId};
#[cfg(feature = "schema")]
use crate::limits;
use crate::limits::SUMMARY_MEMBERS_MAX;
use serde::{Deserialize, Serialize};

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ConversationKind {
    /// Two people, or one with oneself. Its members are fixed.
    Direct,
    /// Several people.
    Group,
    /// A place people join by its topic.
    Channel,
    /// The one conversation everybody is in.
    Everyone,
}

/// A conversation in somebody's list: how far it is read, and what is unread, are theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Which conversation.
    pub id: ConversationId,
    /// Its kind.
    pub kind: ConversationKind,
    /// Its name, if somebody gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is about; channels only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether everybody here finds it and may join; channels only.
    #[serde(default, skip_serializing_if = "is_not")]
    pub public: bool,
    /// Its picture, which its members may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AttachmentId>,
    /// Those in it who have had their accounts for longest, in the order of their ids, 8 at most; direct and group only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = limits::SUMMARY_MEMBERS_MAX)))]
    pub members: Option<Vec<User>>,
    /// How many are in it; not told of the one for everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_count: Option<u64>,
    /// The number of its newest event, 0 if there is none.
    pub last_seq: Cursor,
    /// How far one has read.
    pub read_seq: Cursor,
    /// Others' messages after what one has read.
    pub unread: u64,
    /// Its newest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<Event>,
    /// What one wants of it; left out while that is nothing in particular.
    #[serde(default, skip_serializing_if = "Preferences::are_usual")]
    pub preferences: Preferences,
}

impl Summary {
    /// All members, if all of them are named here.
    #[must_use]
    pub fn all_members(&self) -> Option<&[User]> {
        let members = self.members.as_deref()?;
        self.member_count.is_none_or(|count| count == members.len() as u64).then_some(members)
    }
}

/// What somebody wants of a conversation. It is theirs alone: nobody else is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Preferences {
    /// It stands above the others.
    #[serde(skip_serializing_if = "is_not")]
    pub pinned: bool,
    /// It is put away.
    #[serde(skip_serializing_if = "is_not")]
    pub archived: bool,
    /// It is to be come back to, though all of it was read.
    #[serde(skip_serializing_if = "is_not")]
    pub marked_unread: bool,
    /// What one wants to be told of.
    #[serde(skip_serializing_if = "Notify::is_usual")]
    pub notify: Notify,
    /// Until when one wants to be told of nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl Preferences {
    /// Whether one wants to be told of nothing just now.
    #[must_use]
    pub fn is_muted(&self, now: Timestamp) -> bool {
        self.notify == Notify::Nothing || self.muted_until.is_some_and(|until| until > now)
    }

    /// Whether one wants to be told of each message just now. Only such conversations count in the page's title.
    #[must_use]
    pub fn tells_all(&self, now: Timestamp) -> bool {
        self.notify == Notify::All && !self.archived && !self.is_muted(now)
    }

    fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

fn is_not(value: &bool) -> bool {
    !value
}

/// What somebody wants to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Notify {
    /// Each message.
    #[default]
    All,
    /// Messages that name them.
    Mentions,
    /// Nothing.
    Nothing,
}

impl Notify {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The body of `PATCH /api/conversations/{id}/preferences`: what is left out stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangePreferences {
    /// Whether it is to stand above the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Whether it is to be put away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Whether it is to be come back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked_unread: Option<bool>,
    /// What one wants to be told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Until when one wants to be told of nothing; 0: that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl ChangePreferences {
    /// What they are then.
    #[must_use]
    pub fn applied_to(self, before: Preferences) -> Preferences {
        Preferences {
            pinned: self.pinned.unwrap_or(before.pinned),
            archived: self.archived.unwrap_or(before.archived),
            marked_unread: self.marked_unread.unwrap_or(before.marked_unread),
            notify: self.notify.unwrap_or(before.notify),
            muted_until: match self.muted_until {
                Some(until) => Some(until).filter(|until| *until > Timestamp::default()),
                None => before.muted_until,
            },
        }
    }
}

/// `conversation`: new to you, or your own read position or preferences changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConversationChanged {
    /// How it stands now.
    pub summary: Summary,
}

/// The log's note that a group or channel was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Its kind.
    pub kind: ConversationKind,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Those who were in it then, in the order of their ids, 8 at most.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::SUMMARY_MEMBERS_MAX)))]
    pub members: Vec<UserId>,
    /// How many were in it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_count: Option<u64>,
}

impl Created {
    /// Names so many members as are told of, and counts all. (Older entries of the log name all of them.)
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.member_count = self.member_count.or(Some(self.members.len() as u64));
        self.members.truncate(SUMMARY_MEMBERS_MAX);
        self
    }
}

/// The log's note that it has another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renamed {
    /// The new name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = limits::CONVERSATION_NAME_CHARS_MAX)))]
    pub name: String,
}

/// The log's note that a conversation is about something else, has another picture, or is open to others than before: how
/// it is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Described {
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether everybody here finds it and may join.
    pub public: bool,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AttachmentId>,
}

/// The log's note that somebody came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Membership {
    /// Who.
    pub user: UserId,
}

/// The body of `POST /api/conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateConversation {
    /// `group` or `channel`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["group", "channel"])))]
    pub kind: ConversationKind,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is about; channels only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether everybody here finds it and may join; channels only.
    #[serde(default, skip_serializing_if = "is_not")]
    pub public: bool,
    /// Who is in it, oneself understood.
    pub members: Vec<UserId>,
}

/// The body of `PATCH /api/conversations/{id}`: what is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeConversation {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub name: Option<String>,
    /// What it is about; empty: nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether everybody here finds it and may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// Another picture: one that was uploaded and not sent; `null` takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<AttachmentId>"))]
    pub avatar: Option<Option<AttachmentId>>,
}

/// A channel that everybody may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channel {
    /// Which.
    pub id: ConversationId,
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// How many are in it.
    pub members: u64,
    /// Whether one is in it oneself.
    pub joined: bool,
}

/// The answer of `GET /api/channels`: by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelList {
    /// At most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::PAGE_MAX)))]
    pub channels: Vec<Channel>,
    /// Whether there are further ones.
    pub more: bool,
}

/// What somebody may do in a conversation beyond talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Whoever made it, or has inherited it: appoints others, and cannot be sent away.
    Owner,
    /// Looks after it: deletes messages, sends people away.
    Moderator,
    /// Talks.
    Member,
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Role; 3] = [Role::Owner, Role::Moderator, Role::Member];

    /// Whether they may delete what others wrote, and send others away.
    #[must_use]
    pub fn looks_after(self) -> bool {
        matches!(self, Role::Owner | Role::Moderator)
    }
}

/// Somebody in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    pub user: User,
    /// What they may do.
    pub role: Role,
}

/// The answer of `GET /api/conversations/{id}/members`: by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberList {
    /// At most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::PAGE_MAX)))]
    pub members: Vec<Member>,
    /// Whether there are further ones.
    pub more: bool,
}

/// The body of `PATCH /api/conversations/{id}/members/{userId}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeMember {
    /// What they may do from now on.
    pub role: Role,
}

/// The answer of `GET /api/conversations/{id}` and of making or renaming one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationBody {
    /// How it stands now.
    pub conversation: Summary,
}

/// The answer of `GET /api/conversations`: most recent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationList {
    /// At most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::PAGE_MAX)))]
    pub conversations: Vec<Summary>,
    /// Whether there are older ones.
    pub more: bool,
}

/// The answer of `GET /api/conversations/{id}/events`: in `seq` order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventList {
    /// At most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = limits::PAGE_MAX)))]
    pub events: Vec<Event>,
    /// Whether there are further ones in the asked direction.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_note_that_names_all_members_names_the_first_and_counts_all() {
        let person = |number| UserId::v7(Timestamp::from_millis(1), [number; 10]);
        let old = Created {
            kind: ConversationKind::Group,
            name: None,
            members: (1..=20).map(person).collect(),
            member_count: None,
        };
        let bounded = old.bounded();
        assert_eq!((bounded.members.len(), bounded.member_count), (SUMMARY_MEMBERS_MAX, Some(20)));
        assert_eq!(bounded.members[0], person(1));
        assert_eq!(bounded.clone().bounded(), bounded);
    }
}
