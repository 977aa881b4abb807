//! Refusals: the stable codes machines read and the sentences people read.

use crate::ids::CommandId;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $text:literal, $status:literal, $retry:literal;)*) => {
        /// Why something was refused. The same codes stand in HTTP errors, `rejected` and `error`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $text)] $variant,)*
            /// A code of a later version; only ever received.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// Every code this version sends.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The code on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* Code::Unknown => "unknown" }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* Code::Unknown => 500 }
            }

            /// Whether the same command, sent again later with the same id, may succeed.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                match self { $(Code::$variant => $retry,)* Code::Unknown => false }
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for Code {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "Code".into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::schema::names("Why something was refused.", &[$(($text, concat!($($doc),*))),*])
            }
        }
    };
}

codes! {
    /// The text is not one JSON object.
    BadJson = "bad_json", 400, false;
    /// Nobody is signed in.
    Unauthenticated = "unauthenticated", 401, false;
    /// Signed in, but not allowed.
    Forbidden = "forbidden", 403, false;
    /// The `Origin` header is missing or names another site.
    BadOrigin = "bad_origin", 403, false;
    /// Not there, or not yours: the answer does not tell which.
    NotFound = "not_found", 404, false;
    /// The path is right, the method is not.
    MethodNotAllowed = "method_not_allowed", 405, false;
    /// It contradicts what is already there.
    Conflict = "conflict", 409, false;
    /// More bytes than allowed.
    TooLarge = "too_large", 413, false;
    /// The body's media type is not understood.
    UnsupportedMediaType = "unsupported_media_type", 415, false;
    /// An HTTP body or query with a field that cannot be accepted; `field` names it.
    Invalid = "invalid", 422, false;
    /// A file that may hold where and when it was taken, which the server cannot take out.
    UncleanFile = "unclean_file", 422, false;
    /// Too many in too short a time.
    RateLimited = "rate_limited", 429, true;
    /// The server has more to do than it can queue.
    Overloaded = "overloaded", 503, true;
    /// The server's disk is full.
    StorageFull = "storage_full", 507, true;
    /// A fault of the server's.
    Internal = "internal", 500, true;
    /// A frame type this server does not know.
    UnknownType = "unknown_type", 422, false;
    /// A frame with a field that is missing or cannot be accepted; `field` names it.
    BadField = "bad_field", 422, false;
    /// A message without anything visible in it.
    Empty = "empty", 422, false;
    /// A text longer than the limit.
    TooLong = "too_long", 422, false;
    /// A target or reply that is no message of this conversation.
    BadReference = "bad_reference", 422, false;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal as it travels: in HTTP as `{"error": Rejection}`, on the socket inside
/// [`Rejected`] and [`ErrorFrame`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// For machines.
    pub code: Code,
    /// For people: what happened, which limit, what to do.
    pub message: String,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Which field was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Rejection {
    /// A refusal with a sentence for people.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None, field: None }
    }

    /// The same, naming the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, saying when to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }

    /// The one answer for what is not there and for what is not yours.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing here that you can see")
    }

    /// The one answer to a method that an address does not take.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(Code::MethodNotAllowed, "This address does not take this method")
    }

    /// The one answer to a fault of the server's: the cause is in its log, not on the wire.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on the server. Please try again").retry_after_ms(2_000)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}

/// The body of every HTTP error: `{"error": {"code": "not_found", "message": "…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// The refusal.
    pub error: Rejection,
}

/// `rejected`: the command of this id was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The command's id.
    pub id: CommandId,
    /// Why.
    #[serde(flatten)]
    pub rejection: Rejection,
}

/// `error`: a frame that was no command with a valid id was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorFrame {
    /// For machines.
    pub code: Code,
    /// For people.
    pub message: String,
    /// What stood where an id belongs, if anything did, cut to 64 bytes.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_travel_as_their_text_and_unknown_ones_are_kept_apart() {
        for code in Code::ALL {
            let text = serde_json::to_string(code).expect("a code is a string");
            assert_eq!(text, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&text).expect("its own text"), *code);
        }
        assert_eq!(serde_json::from_str::<Code>("\"not_yet_known\"").expect("any"), Code::Unknown);
    }
}
