//! The contract between Confab's server and its clients, in code.
//!
//! Every frame on the socket, every HTTP body, every code and every limit is defined here and nowhere
//! else; the server, the page and the tests all use these types. The crate does no I/O, reads no
//! clock and draws no randomness, so it means the same on a server and in a browser.
//!
//! In reading order:
//!
//! * [`frame`] — what travels on the socket: [`frame::ClientFrame`], [`frame::ServerFrame`].
//! * [`event`] — the entry of a conversation's log.
//! * [`message`], [`reaction`], [`receipt`], [`typing`], [`presence`], [`conversation`], [`resume`],
//!   [`group_request`], [`welcome`] — the payloads of one feature each.
//! * [`account`], [`attachment`], [`search`], [`push`] — HTTP bodies.
//! * [`alert`] — what somebody wants to be told of.
//! * [`ids`], [`code`], [`close`], [`limits`], [`text`], [`fold`], [`name`] — what all of the above are made of.
//! * [`markdown`], [`mention`] — what stands in a message's text.
//! * [`page`] — the page's own addresses.
//! * `schema` (with the feature of this name) — all of it as JSON Schema.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod frame;

pub mod event;

pub mod account;
pub mod alert;
pub mod attachment;
pub mod conversation;
pub mod group_request;
pub mod message;
pub mod presence;
pub mod push;
pub mod reaction;
pub mod receipt;
pub mod resume;
pub mod search;
pub mod typing;
pub mod welcome;

pub mod close;
pub mod code;
pub mod fold;
pub mod ids;
pub mod limits;
pub mod markdown;
pub mod mention;
pub mod name;
pub mod page;
pub mod text;

mod strict;

#[cfg(feature = "schema")]
pub mod schema;
