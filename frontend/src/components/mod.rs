//! What pages are made of: one file for each thing seen, with a style sheet of the same name.

pub(crate) mod about;
pub(crate) mod actions;
pub(crate) mod anchor;
pub(crate) mod attachment;
pub(crate) mod avatar;
pub(crate) mod back;
pub(crate) mod completion;
pub(crate) mod composer;
pub(crate) mod dialog;
pub(crate) mod emoji;
pub(crate) mod field;
pub(crate) mod form;
pub(crate) mod icon;
pub(crate) mod markup;
pub(crate) mod message;
pub(crate) mod purpose;
pub(crate) mod quote;
pub(crate) mod readers;
pub(crate) mod rows;
pub(crate) mod sidebar;
pub(crate) mod status;
pub(crate) mod switcher;
pub(crate) mod timeline;
pub(crate) mod tray;
pub(crate) mod typing;
