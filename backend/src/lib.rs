//! Confab's server: one program, one data folder, the page inside.
//!
//! In reading order:
//!
//! * [`config`], [`app`] — how it is started, and what lives as long as it runs; [`task`] — what happens when a part of
//!   it panics.
//! * [`server`] — the listener, all URLs, stopping.
//! * [`socket`], [`http`] — the two ways in: they read what came, call [`chat`] and answer.
//! * [`chat`] — what a command does; [`chat::deliver`] is where committed events leave for people.
//! * [`push`] — telling browsers while the page is closed.
//! * [`registry`] — user id → live sockets.
//! * [`store`] — the log on disk; [`backup`] — copying it and putting it back.
//! * [`accounts`] — passwords and secrets; [`ledger`] — what each person costs; [`rate`] — how often; [`fair`] — whose turn
//!   it is; [`log_rate`] — how often a line is logged; [`clock`] — now, and new ids.

#![forbid(unsafe_code)]

pub mod app;
pub mod attachment;
pub mod backup;
pub mod config;
pub mod disk;
pub mod server;
pub mod task;

pub mod http;
pub mod socket;

pub mod chat;
pub mod push;

pub mod registry;
pub mod store;

pub mod accounts;
pub mod behind;
pub mod clock;
pub mod fair;
#[cfg(debug_assertions)]
pub mod fault;
pub mod ledger;
pub mod log_rate;
pub mod presence;
pub mod rate;
pub mod telemetry;
