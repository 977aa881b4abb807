//! The server from outside: the real program, real sockets, a real database; one file for each
//! promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounts;
mod amend;
mod conversations;
mod delivery;
mod document;
mod durability;
mod errors;
mod group;
mod page;
mod permission;
mod presence;
mod program;
mod resume;
mod session;
mod support;
