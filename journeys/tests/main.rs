//! The page, used as people use it: real browsers with profiles of their own, the real server, a real
//! database. Screenshots are kept in `test-output/`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod access;
mod alert;
mod engine;
mod file;
mod gallery;
mod group;
mod kept;
mod keyboard;
mod lighthouse;
mod looks;
mod message;
mod outbox;
mod page;
mod presence;
mod proxy;
mod push;
mod reading;
mod restart;
mod scroll;
mod search;
mod setting;
mod support;
mod talk;
mod time;
mod writing;
