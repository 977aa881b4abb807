//! Measures Confab: a load generator so cheap that the server is the bottleneck, and what Confab is compared with.
//!
//! In reading order:
//!
//! * [`scenario`] — what is measured; [`contender`] — whom with; [`stats`], [`goals`], [`report`] — what is
//!   made of it.
//! * [`seed`] — the people and their data, [`prepared`] — each made once; [`crowd`] — their coming in; [`dialect`] — what they say.
//! * [`schedule`] — when they say it, at a fixed pace.
//! * [`net`] — all their sockets on one thread; [`frame`] — RFC 6455.
//! * [`process`] — the server's process: its core, its CPU time.

#![forbid(unsafe_code)]

pub mod contender;
pub mod crowd;
pub mod dialect;
pub mod frame;
pub mod goals;
pub mod net;
pub mod page;
pub mod prepared;
pub mod process;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod seed;
pub mod stats;
