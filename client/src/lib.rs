//! What any Confab client must decide, as plain state machines: no I/O, no clock, no randomness of its
//! own. The page drives them with a browser's socket, tests and load generators with their own.
//!
//! * [`connection`] — connecting, waiting, coming back; which frames go out.
//! * [`command`], [`outbox`] — what was asked for and is not accepted yet.
//! * [`backoff`] — how long to wait.
//! * [`sync`] — what was missed, and asking for it.
//! * [`timeline`] — the rows of one conversation, without gaps and without repeats; [`aggregate`] —
//!   what happens to a message after it was written.
//! * [`clock`] — what time it is, by the server's clock.
//! * [`conversations`] — the list: newest first, unread counts.
//! * [`receipt`], [`typing`], [`presence`] — what people have read, who writes, who is there.
//! * [`search`] — pages of what was found; [`namesake`] — telling people apart whose names look alike.
//! * [`kept`] — what is written down for when there is no connection.
//!
//! Machines are told what happened (`handle_*`) with the time, and asked what to do (`poll_output`,
//! `next_timeout`). Times are milliseconds of a clock that never goes back.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod aggregate;
pub mod backoff;
pub mod clock;
pub mod command;
pub mod connection;
pub mod conversations;
pub mod kept;
pub mod namesake;
pub mod outbox;
pub mod presence;
pub mod receipt;
pub mod search;
pub mod sync;
pub mod timeline;
pub mod typing;

/// Takes the smallest out.
fn pop_first<K: Ord + Copy, V>(map: &mut litemap::LiteMap<K, V>) -> Option<(K, V)> {
    let first = *map.first()?.0;
    Some((first, map.remove(&first)?))
}

/// A moment or a span, in milliseconds of a clock that never goes back (a browser's
/// `performance.now`). Not the time of day.
pub type Millis = u64;
