//! Ids, sequence numbers and times: the numbers and names every payload is made of.
//!
//! An id that exists is valid: parsing refuses anything but the one spelling the contract knows
//! (lower case, hyphenated, not nil), so two different strings never name the same thing.

use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text was no id: ids are UUIDs in lower case with hyphens, and never nil (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is a UUID in lower case with hyphens")
    }
}

impl std::error::Error for NotAnId {}

fn parse(text: &str) -> Result<Uuid, NotAnId> {
    let uuid = Uuid::try_parse(text).map_err(|_| NotAnId)?;
    let mut buffer = Uuid::encode_buffer();
    if uuid.is_nil() || *uuid.hyphenated().encode_lower(&mut buffer) != *text {
        return Err(NotAnId);
    }
    Ok(uuid)
}

macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id of UUID version 7: `at` in its first 48 bits, so that ids made later sort
            /// later, and 74 of the random bits given.
            #[must_use]
            pub fn v7(at: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &random).into_uuid())
            }

            /// The id in these 16 bytes (big-endian, RFC 9562 section 4), if it is not nil.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
                let uuid = Uuid::from_bytes(bytes);
                (!uuid.is_nil()).then_some(Self(uuid))
            }

            /// Appends the id as it is written.
            pub fn push_to(&self, text: &mut String) {
                text.push_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            }

            /// The id's 16 bytes, big-endian.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor).map(Self)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::schema::id(concat!($($doc),*))
            }
        }
    };
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&NotAnId, f)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        parse(text).map_err(|_| E::invalid_value(Unexpected::Other("other text"), &self))
    }
}

id!(
    /// Names a person's account.
    UserId
);
id!(
    /// Names a conversation.
    ConversationId
);
id!(
    /// Names a command. A client makes it; sent again by the same user it means the same command.
    CommandId
);
id!(
    /// Names a signed-in device.
    SessionId
);
id!(
    /// Names an API token (not the secret itself).
    TokenId
);
id!(
    /// Names an uploaded file.
    AttachmentId
);

/// The first integer that is no longer exact in a JavaScript number: all numbers stay below it.
pub const INTEGER_END: u64 = 1 << 53;

macro_rules! integer {
    ($(#[doc = $doc:literal])* $(#[derive($derive:ident)])? $name:ident, $first:literal, $expecting:literal) => {
        $(#[doc = $doc])*
        $(#[derive($derive)])?
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(u64);

        impl $name {
            /// The number, if it is in range.
            #[must_use]
            pub fn new(number: u64) -> Option<Self> {
                ($first..INTEGER_END).contains(&number).then_some(Self(number))
            }

            /// The plain number.
            #[must_use]
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = u64::deserialize(deserializer)?;
                Self::new(number).ok_or_else(|| {
                    de::Error::invalid_value(Unexpected::Unsigned(number), &$expecting)
                })
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::schema::integer(concat!($($doc),*), $first)
            }
        }
    };
}

integer!(
    /// The number of an event in its conversation's log: 1, 2, 3 … without gaps.
    Seq,
    1,
    "an integer from 1, below 2^53"
);

integer!(
    /// How far somebody is in a conversation's log: the last [`Seq`] they have, or 0 for none.
    #[derive(Default)]
    Cursor,
    0,
    "an integer from 0, below 2^53"
);

impl Seq {
    /// The first number of a log.
    pub const FIRST: Seq = Seq(1);
}

impl Cursor {
    /// Before the first event.
    pub const START: Cursor = Cursor(0);

    /// The number the next event has.
    ///
    /// # Panics
    /// After 2^53 − 2 events, which a log that grows by a million events a second reaches in 285 years.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq::new(self.0 + 1).expect("a log stays below 2^53 events")
    }
}

impl From<Seq> for Cursor {
    fn from(seq: Seq) -> Self {
        Cursor(seq.0)
    }
}

/// A moment: whole milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment this many milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

/// Names the database's history. A restored backup has another one, and what a client knows of the
/// old one no longer counts. Compared, never looked into: at most 64 bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "schema", schemars(extend("maxLength" = Epoch::BYTES_MAX)))]
pub struct Epoch(String);

impl Epoch {
    /// The longest epoch, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// The epoch of this name, if it is not too long.
    #[must_use]
    pub fn new(name: String) -> Option<Self> {
        (name.len() <= Self::BYTES_MAX).then_some(Self(name))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let length = name.len();
        Self::new(name).ok_or_else(|| de::Error::invalid_length(length, &"at most 64 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_has_one_spelling() {
        let good = "0192f0c1-2345-7abc-8def-0123456789ab";
        assert_eq!(good.parse::<UserId>().expect("a good id").to_string(), good);
        for bad in [
            "",
            "00000000-0000-0000-0000-000000000000",
            "0192F0C1-2345-7ABC-8DEF-0123456789AB",
            "0192f0c123457abc8def0123456789ab",
            "{0192f0c1-2345-7abc-8def-0123456789ab}",
            "urn:uuid:0192f0c1-2345-7abc-8def-0123456789ab",
            " 0192f0c1-2345-7abc-8def-0123456789ab",
            "0192f0c1-2345-7abc-8def-0123456789a",
            "not an id at all, by far",
            &"a".repeat(10_240),
        ] {
            assert_eq!(bad.parse::<UserId>(), Err(NotAnId), "{bad:.40}");
            assert!(serde_json::from_value::<UserId>(bad.into()).is_err());
        }
    }

    #[test]
    fn a_seq_is_an_exact_integer_from_one() {
        for good in ["1", "9007199254740991"] {
            assert_eq!(serde_json::from_str::<Seq>(good).expect(good).to_string(), good);
        }
        for bad in [
            "0",
            "-1",
            "1.5",
            "1.0",
            "\"1\"",
            "1e400",
            "1e3",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775808",
            "18446744073709551616",
            "null",
            "true",
        ] {
            assert!(serde_json::from_str::<Seq>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Cursor>("0").is_ok());
        assert_eq!(Cursor::START.next(), Seq::FIRST);
    }

    #[test]
    fn an_epoch_is_bounded() {
        assert!(Epoch::new("e".repeat(64)).is_some());
        assert!(Epoch::new("e".repeat(65)).is_none());
    }

    proptest! {
        #[test]
        fn ids_made_later_sort_later(at in 0u64..(1 << 47), random: [u8; 10], other: [u8; 10]) {
            let earlier = CommandId::v7(Timestamp::from_millis(at), random);
            let later = CommandId::v7(Timestamp::from_millis(at + 1), other);
            prop_assert!(earlier < later);
            prop_assert_eq!(earlier.to_string().parse::<CommandId>(), Ok(earlier));
        }
    }
}
