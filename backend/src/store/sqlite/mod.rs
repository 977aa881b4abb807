//! The store on SQLite, SQL by hand: one file for each thing stored.
//!
//! WAL with `synchronous=FULL`: a commit returns after the log file is flushed, so what was committed
//! survives a power cut (<https://sqlite.org/pragma.html#pragma_synchronous>). One connection
//! writes; readers have their own and see the last commit without waiting for the next.

pub(super) mod account;
pub(super) mod apply;
pub(super) mod attachment;
pub(super) mod audience;
pub(super) mod command;
mod connection;
pub(super) mod conversation;
pub(super) mod copy;
pub(super) mod event;
pub(super) mod group_request;
pub(super) mod open;
pub(super) mod pool;
pub(super) mod push;
pub(super) mod reaction;
pub(super) mod resume;
pub(super) mod row;
pub(super) mod search;
pub(super) mod session;
pub(super) mod summary;
