//! What travels on the socket: one JSON object a text frame, told apart by its `"type"`.
//!
//! To add a frame: a payload type in its feature's file, one line here, a golden file under
//! `tests/golden/`. The switches over these enums then do not compile until they handle it.

use crate::account::PersonChanged;
use crate::code::{Code, ErrorFrame, Rejected, Rejection};
use crate::conversation::ConversationChanged;
use crate::event::Event;
use crate::group_request::GroupRequestsChanged;
use crate::ids::CommandId;
use crate::message::{Accepted, Delete, Edit, Send};
use crate::presence::Presence;
use crate::reaction::React;
use crate::receipt::{Receipt, UpTo};
use crate::resume::{Resume, Resumed, Resync};
use crate::strict::Strict;
use crate::typing::{Typing, UserTyping};
use crate::welcome::{Draining, Ping, Welcome};
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

macro_rules! frames {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident($payload:ty) = $type:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(tag = "type")]
        pub enum $name {
            $($(#[doc = $variant_doc])* #[serde(rename = $type)] $variant($payload),)*
        }

        impl $name {
            /// The `"type"` of every frame.
            pub const TYPES: &[&str] = &[$($type),*];

            /// This frame's `"type"`.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $($name::$variant(_) => $type,)* }
            }

            /// The frame as JSON.
            #[must_use]
            pub fn encode(&self) -> String {
                serde_json::to_string(self).expect("frames are maps with string keys")
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::schema::frames(concat!($($doc),*), &[
                    $(($type, concat!($($variant_doc),*), generator.subschema_for::<$payload>()),)*
                ])
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct FrameVisitor;

                impl<'de> Visitor<'de> for FrameVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object with a \"type\"")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        // Everybody writes the type first; then the rest is read straight into its
                        // payload, without a copy of the whole frame in between.
                        let first: Key<'de> = map.next_key()?.ok_or_else(|| de::Error::missing_field("type"))?;
                        if first.0 == "type" {
                            let kind: Key<'de> = map.next_value()?;
                            return match kind.0.as_ref() {
                                $($type => <$payload>::deserialize(MapAccessDeserializer::new(Untyped(map)))
                                    .map($name::$variant),)*
                                _ => Err(de::Error::custom("unknown type")),
                            };
                        }
                        Err(de::Error::custom(TYPE_LATER))
                    }
                }

                deserializer.deserialize_map(FrameVisitor)
            }
        }
    };
}

/// What reading a frame says when its type is not its first key; [`ClientFrame::decode`] then reads it another way.
const TYPE_LATER: &str = "the type is not the first key";
/// A frame that cannot be read is told which field is at fault up to this size. That takes a tree of the whole frame,
/// which costs ten times what reading a good one does; above, it is only looked through.
const DIAGNOSED_BYTES_MAX: usize = 4 * 1024;

/// The rest of a frame after its type: a second one is refused (the payloads refuse their own keys
/// when they stand twice).
struct Untyped<M>(M);

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Untyped<M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        match self.0.next_key::<Key<'de>>()? {
            None => Ok(None),
            Some(Key(name)) if name == "type" => Err(de::Error::duplicate_field("type")),
            Some(Key(Cow::Borrowed(name))) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            Some(Key(Cow::Owned(name))) => seed.deserialize(name.into_deserializer()).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.0.next_value_seed(seed)
    }
}

/// A string of the input, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

frames! {
    /// What a client sends.
    ClientFrame {
        /// A message.
        Send(Send) = "send",
        /// Another text for one's own message.
        Edit(Edit) = "edit",
        /// Takes a message away.
        Delete(Delete) = "delete",
        /// Sets or takes back a reaction.
        React(React) = "react",
        /// Everything up to here has arrived.
        Delivered(UpTo) = "delivered",
        /// Everything up to here was read.
        Read(UpTo) = "read",
        /// Somebody is writing.
        Typing(Typing) = "typing",
        /// What the client has; asks for the rest.
        Resume(Resume) = "resume",
        /// Asks for a `pong`.
        Ping(Ping) = "ping",
    }
}

frames! {
    /// What a server sends.
    ServerFrame {
        /// The first frame of a socket.
        Welcome(Box<Welcome>) = "welcome",
        /// A command is stored.
        Accepted(Accepted) = "accepted",
        /// A command is not stored.
        Rejected(Rejected) = "rejected",
        /// A committed event.
        Event(Event) = "event",
        /// A replay is complete.
        Resumed(Resumed) = "resumed",
        /// A replay is not to be had.
        Resync(Resync) = "resync",
        /// Somebody else's positions.
        Receipt(Receipt) = "receipt",
        /// Somebody else is writing.
        Typing(UserTyping) = "typing",
        /// Somebody else came or went.
        Presence(Presence) = "presence",
        /// Somebody has another name, picture or status.
        Person(Box<PersonChanged>) = "person",
        /// A conversation is new, or oneself stands differently in it.
        Conversation(Box<ConversationChanged>) = "conversation",
        /// A request to come into a group has come, or gone.
        GroupRequests(GroupRequestsChanged) = "groupRequests",
        /// The answer to `ping`.
        Pong(Ping) = "pong",
        /// The server is going away.
        Draining(Draining) = "draining",
        /// A frame that was no command was refused.
        Error(ErrorFrame) = "error",
    }
}

/// What a server answers to a text that is no frame of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It was meant as a command with this id.
    Rejected(Rejected),
    /// Anything else.
    Error(ErrorFrame),
}

impl Refusal {
    /// The refusal's code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Refusal::Rejected(rejected) => rejected.rejection.code,
            Refusal::Error(error) => error.code,
        }
    }
}

impl From<Refusal> for ServerFrame {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejected) => ServerFrame::Rejected(rejected),
            Refusal::Error(error) => ServerFrame::Error(error),
        }
    }
}

impl ClientFrame {
    /// The id of a command; `None` for frames that are none.
    #[must_use]
    pub fn command(&self) -> Option<CommandId> {
        match self {
            ClientFrame::Send(send) => Some(send.id),
            ClientFrame::Edit(edit) => Some(edit.id),
            ClientFrame::Delete(delete) => Some(delete.id),
            ClientFrame::React(react) => Some(react.id),
            ClientFrame::Delivered(_)
            | ClientFrame::Read(_)
            | ClientFrame::Typing(_)
            | ClientFrame::Resume(_)
            | ClientFrame::Ping(_) => None,
        }
    }

    /// Reads a frame. One that cannot be read costs about what a good one of its size does.
    ///
    /// # Errors
    /// The answer the sender is due: `rejected` if there was a valid `id`, else `error`; with
    /// `bad_json`, `unknown_type` or `bad_field`.
    pub fn decode(text: &str) -> Result<Self, Refusal> {
        serde_json::from_str(text).or_else(|error: serde_json::Error| {
            let is_late = error.to_string().starts_with(TYPE_LATER);
            if text.len() <= DIAGNOSED_BYTES_MAX { Self::diagnose(text, is_late) } else { Self::glance(text, is_late) }
        })
    }

    /// The slow way, for small frames that the fast way refused: reads all of it into a tree, and that into a frame if
    /// only its type stood too late, or finds out what is wrong with it.
    fn diagnose(text: &str, is_late: bool) -> Result<Self, Refusal> {
        let Ok(Strict(Value::Object(mut map))) = serde_json::from_str(text) else { return Err(bad_json()) };
        let id = map.get("id").and_then(Value::as_str).map(str::to_owned);
        let diagnosis = match map.remove("type") {
            Some(Value::String(kind)) => match from_map(&kind, map) {
                Ok(frame) if is_late => return Ok(frame),
                Ok(_) => unreadable(),
                Err(diagnosis) => diagnosis,
            },
            _ => no_type(),
        };
        Err(refusal(diagnosis, id.as_deref()))
    }

    /// For large frames that the fast way refused: looks for its type and id without keeping anything else.
    fn glance(text: &str, is_late: bool) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow, rename = "type")]
            kind: Key<'a>,
            #[serde(borrow)]
            id: Option<Key<'a>>,
        }
        // Whatever is read into named fields may be a list, too.
        let is_object = text.trim_ascii_start().starts_with('{');
        if !is_object || serde_json::from_str::<IgnoredAny>(text).is_err() {
            return Err(bad_json());
        }
        let Ok(Envelope { kind, id }) = serde_json::from_str(text) else { return Err(refusal(no_type(), None)) };
        let id = id.as_ref().map(|id| id.0.as_ref());
        if !Self::TYPES.contains(&kind.0.as_ref()) {
            return Err(refusal(Diagnosis::UnknownType, id));
        }
        if is_late && let Some(frame) = from_text(&kind.0, text) {
            return Ok(frame);
        }
        Err(refusal(unreadable(), id))
    }
}

fn bad_json() -> Refusal {
    Refusal::Error(ErrorFrame {
        code: Code::BadJson,
        message: "A frame is one JSON object that names each key once".into(),
        reference: None,
    })
}

fn unreadable() -> Diagnosis {
    Diagnosis::BadField { field: ".".into(), reason: "it cannot be read".into() }
}

fn no_type() -> Diagnosis {
    Diagnosis::BadField { field: "type".into(), reason: "it is missing or no string".into() }
}

/// What the sender of a frame is due that is none.
fn refusal(diagnosis: Diagnosis, id: Option<&str>) -> Refusal {
    let rejection = diagnosis.into_rejection();
    match id.map(str::parse) {
        Some(Ok(id)) => Refusal::Rejected(Rejected { id, rejection }),
        _ => Refusal::Error(ErrorFrame {
            code: rejection.code,
            message: rejection.message,
            reference: id.map(|id| cut(id, 64).to_owned()),
        }),
    }
}

impl ServerFrame {
    /// Reads a frame. `Ok(None)` is a type of a later version, to be ignored. A server writes the type
    /// first; the page does not carry the code for any other order.
    ///
    /// # Errors
    /// What is wrong with it: the server and this client do not speak the same contract.
    pub fn decode(text: &str) -> Result<Option<Self>, serde_json::Error> {
        serde_json::from_str(text).map(Some).or_else(|error| {
            #[derive(Deserialize)]
            struct Typed<'a> {
                #[serde(borrow, rename = "type")]
                kind: Key<'a>,
            }
            match serde_json::from_str::<Typed<'_>>(text) {
                Ok(typed) if !Self::TYPES.contains(&typed.kind.0.as_ref()) => Ok(None),
                _ => Err(error),
            }
        })
    }
}

/// Why a JSON object is no frame.
#[derive(Debug)]
enum Diagnosis {
    UnknownType,
    BadField { field: String, reason: String },
}

impl Diagnosis {
    fn into_rejection(self) -> Rejection {
        match self {
            Diagnosis::UnknownType => {
                Rejection::new(Code::UnknownType, "This server does not know frames of this type")
            }
            Diagnosis::BadField { field, reason } => {
                let message = format!("The field {field} cannot be read: {reason}");
                Rejection::new(Code::BadField, message).field(field)
            }
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Diagnosis::UnknownType => f.write_str("unknown type"),
            Diagnosis::BadField { field, reason } => write!(f, "{field}: {reason}"),
        }
    }
}

/// Reads a client's frame of this type from the rest of its keys.
fn from_map(kind: &str, map: Map<String, Value>) -> Result<ClientFrame, Diagnosis> {
    match kind {
        "send" => payload(map).map(ClientFrame::Send),
        "edit" => payload(map).map(ClientFrame::Edit),
        "delete" => payload(map).map(ClientFrame::Delete),
        "react" => payload(map).map(ClientFrame::React),
        "delivered" => payload(map).map(ClientFrame::Delivered),
        "read" => payload(map).map(ClientFrame::Read),
        "typing" => payload(map).map(ClientFrame::Typing),
        "resume" => payload(map).map(ClientFrame::Resume),
        "ping" => payload(map).map(ClientFrame::Ping),
        _ => Err(Diagnosis::UnknownType),
    }
}

/// Reads a client's frame of this type, wherever the type stands among its keys.
fn from_text(kind: &str, text: &str) -> Option<ClientFrame> {
    match kind {
        "send" => skipping_type(text).map(ClientFrame::Send),
        "edit" => skipping_type(text).map(ClientFrame::Edit),
        "delete" => skipping_type(text).map(ClientFrame::Delete),
        "react" => skipping_type(text).map(ClientFrame::React),
        "delivered" => skipping_type(text).map(ClientFrame::Delivered),
        "read" => skipping_type(text).map(ClientFrame::Read),
        "typing" => skipping_type(text).map(ClientFrame::Typing),
        "resume" => skipping_type(text).map(ClientFrame::Resume),
        "ping" => skipping_type(text).map(ClientFrame::Ping),
        _ => None,
    }
}

/// Reads everything but the type.
fn skipping_type<T: DeserializeOwned>(text: &str) -> Option<T> {
    struct Skipping<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for Skipping<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(WithoutType(map)))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Skipping(PhantomData)).ok()
}

/// A frame without its type, which was read before and stands there once.
struct WithoutType<M>(M);

impl<'de, M: MapAccess<'de>> MapAccess<'de> for WithoutType<M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        loop {
            match self.0.next_key::<Key<'de>>()? {
                None => return Ok(None),
                Some(Key(name)) if name == "type" => drop(self.0.next_value::<IgnoredAny>()?),
                Some(Key(Cow::Borrowed(name))) => {
                    return seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some);
                }
                Some(Key(Cow::Owned(name))) => return seed.deserialize(name.into_deserializer()).map(Some),
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.0.next_value_seed(seed)
    }
}

fn payload<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, Diagnosis> {
    let mut track = serde_path_to_error::Track::new();
    T::deserialize(serde_path_to_error::Deserializer::new(Value::Object(map), &mut track)).map_err(|error| {
        let reason = error.to_string();
        let path = track.path().to_string();
        // serde names a missing field in its sentence only.
        let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let field = match missing {
            Some(missing) if path == "." => missing.to_owned(),
            Some(missing) => format!("{path}.{missing}"),
            None => path,
        };
        Diagnosis::BadField { field: cut(&field, 128).to_owned(), reason: cut(&reason, 256).to_owned() }
    })
}

/// The longest start of `text` that has at most `bytes_max` bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Reads an HTTP body.
///
/// # Errors
/// `bad_json` if it is not JSON that names each key once, `invalid` with the field that is missing or
/// cannot be read.
pub fn decode_body<T: DeserializeOwned>(text: &str) -> Result<T, Rejection> {
    let Ok(Strict(value)) = serde_json::from_str(text) else {
        return Err(Rejection::new(Code::BadJson, "The body is not JSON that names each key once"));
    };
    let Value::Object(map) = value else {
        return Err(Rejection::new(Code::Invalid, "The body must be a JSON object").field("."));
    };
    payload(map).map_err(|diagnosis| {
        let rejection = diagnosis.into_rejection();
        Rejection { code: Code::Invalid, ..rejection }
    })
}
