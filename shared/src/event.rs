//! The entry of a conversation's log.

use crate::conversation::{Created, Described, Membership, Renamed};
use crate::ids::{ConversationId, Seq, Timestamp, UserId};
use crate::message::{Deleted, Edited, Message};
use crate::reaction::Reacted;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// A committed event: number `seq` of its conversation's log.
///
/// `{"conversation": "…", "seq": 1, "at": 1790000000000, "sender": "…", "kind": {"message": {…}}}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Which log.
    pub conversation: ConversationId,
    /// Its number there.
    pub seq: Seq,
    /// When it was stored. Order is `seq`, never this.
    pub at: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// What happened.
    pub kind: EventKind,
}

macro_rules! event_kinds {
    ($($(#[doc = $doc:literal])* $variant:ident($payload:ty) = $name:literal,)*) => {
        /// What happened: an object with one key.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub enum EventKind {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($payload),)*
            /// A kind of a later version, or one that is damaged: it takes its `seq` and shows as nothing.
            #[serde(rename = "unknown", serialize_with = "empty")]
            Unknown,
        }

        impl EventKind {
            /// The names of all kinds this version knows.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The kind's name on the wire.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(EventKind::$variant(_) => $name,)* EventKind::Unknown => "unknown" }
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for EventKind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "EventKind".into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::schema::one_key("What happened: an object with one key.", &[
                    $(($name, concat!($($doc),*), generator.subschema_for::<$payload>()),)*
                    ("unknown", "What cannot be read: it takes its `seq` and shows as nothing.", true.into()),
                ])
            }
        }

        impl<'de> Visitor<'de> for KindVisitor {
            type Value = EventKind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one key, the event's kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventKind, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let kind = match name.as_str() {
                    $($name => EventKind::$variant(map.next_value()?),)*
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                        EventKind::Unknown
                    }
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(kind),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }
    };
}

/// What is not known is an object too, like every kind.
fn empty<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_map(Some(0))?.end()
}

struct KindVisitor;

event_kinds! {
    /// Somebody wrote a message.
    Message(Message) = "message",
    /// A message has another text.
    Edited(Edited) = "edited",
    /// A message was deleted.
    Deleted(Deleted) = "deleted",
    /// A reaction was set or taken back.
    Reacted(Reacted) = "reacted",
    /// The conversation was made.
    Created(Created) = "created",
    /// It has another name.
    Renamed(Renamed) = "renamed",
    /// It is about something else, or open to others than before.
    Described(Described) = "described",
    /// Somebody came.
    Joined(Membership) = "joined",
    /// Somebody went.
    Left(Membership) = "left",
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KindVisitor)
    }
}

impl EventKind {
    /// The message, if it is one.
    #[must_use]
    pub fn as_message(&self) -> Option<&Message> {
        match self {
            EventKind::Message(message) => Some(message),
            _ => None,
        }
    }
}
