//! Files: how they come in, what they are, where they lie, when they go.
//!
//! A file's bytes lie in the data folder under `attachments/`, named by its id alone; what is known of it is a row of the
//! database, written once the bytes are on disk. A message names files of its sender that no other message has. What no
//! message names after a while goes, and so does what a deleted message had ([`sweep`]).
//!
//! The kind of a file is what its first bytes say ([`kind`]), never its name or its sender. Metadata is removed before anything else
//! ([`clean`]). Pictures are decoded in a process of their own ([`picture`]) that may do nothing else ([`confine`]).

mod animation;
pub mod clean;
pub mod confine;
pub mod folder;
pub mod kind;
pub mod picture;
pub mod place;
pub mod room;
pub mod sweep;
pub mod upload;
