//! The server from outside: the real program, real sockets, a real database; one file for each
//! promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounts;
mod amend;
mod attachment;
mod channel;
mod conversations;
mod delivery;
mod document;
mod durability;
mod errors;
mod faults;
mod frames;
mod fuzz;
mod group;
mod group_request;
mod handshake;
mod invite;
mod ledger;
mod mention;
mod page;
mod panics;
mod permission;
mod presence;
mod program;
mod push;
mod raw;
mod resume;
mod search;
mod session;
mod slow;
mod storm;
mod support;
mod support_raw;
mod unseen;
mod world;
