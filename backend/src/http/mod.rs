//! HTTP: each handler extracts, calls and answers. What people may do is decided below, not here.

pub mod account;
pub mod attachment;
pub mod channel;
pub mod conversation;
pub mod document;
pub mod error;
pub mod event;
pub mod extract;
pub mod group_request;
pub mod health;
pub mod member;
pub mod message;
pub mod page;
pub mod push;
pub mod receipt;
pub mod search;
pub mod session;
pub mod step;
pub mod token;
pub mod user;
