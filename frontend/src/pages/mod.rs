//! What fills the window: one file for each address.

pub(crate) mod channel;
pub(crate) mod chat;
pub(crate) mod conversation;
pub(crate) mod new;
pub(crate) mod search;
pub(crate) mod setting;
pub(crate) mod signin;
