//! The numbers of the contract. What a server may configure stands in [`Limits`]; the rest is fixed.

use serde::{Deserialize, Serialize};

/// Limits a server announces in `welcome`, in bytes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The longest message, in bytes after trimming.
    pub content_bytes: u32,
    /// The longest frame a client may send, in bytes.
    pub frame_bytes: u32,
    /// How many attachments one message may have.
    pub attachments: u32,
    /// The largest attachment, in bytes.
    pub attachment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { content_bytes: 16_384, frame_bytes: 65_536, attachments: 10, attachment_bytes: 25 * 1024 * 1024 }
    }
}

/// The name of a file, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 128;
/// Members of one conversation, oneself included.
pub const MEMBERS_MAX: usize = 1_000;
/// Group requests that wait for one person; whoever asks one more is refused.
pub const GROUP_REQUESTS_MAX: u64 = 50;
/// A display name, in characters after trimming.
pub const DISPLAY_NAME_CHARS_MAX: usize = 64;
/// What somebody says of themselves, in characters after trimming.
pub const STATUS_CHARS_MAX: usize = 100;
/// Shortest new password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The longest password, in bytes: Argon2 reads all of them.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// The longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// The address of a browser at its push service, in bytes.
pub const PUSH_ENDPOINT_BYTES_MAX: usize = 1_024;
/// Different reactions on one message.
pub const REACTIONS_MAX: usize = 20;
/// How often a message can be changed.
pub const EDITS_MAX: usize = 1_000;
/// One reaction, in bytes.
pub const EMOJI_BYTES_MAX: usize = 64;
/// People one message names.
pub const MENTIONS_MAX: usize = 50;
/// The name of a conversation, in characters after trimming.
pub const CONVERSATION_NAME_CHARS_MAX: usize = 64;
/// What a channel is about, in characters after trimming.
pub const TOPIC_CHARS_MAX: usize = 250;
/// What a list answers when no limit is asked for.
pub const PAGE_DEFAULT: u32 = 50;
/// The most a list answers.
pub const PAGE_MAX: u32 = 100;
/// Conversations in one `welcome`.
pub const WELCOME_CONVERSATIONS_MAX: usize = 100;
/// Events a `resume` replays of one conversation; who is further back loads it again.
pub const REPLAY_MAX: u64 = 10_000;
/// Signed-in devices of one person; another one ends the one not used for longest.
pub const SESSIONS_MAX: u32 = 100;
/// API tokens of one person.
pub const TOKENS_MAX: u32 = 100;
/// What an API token is for, in characters after trimming.
pub const TOKEN_NAME_CHARS_MAX: usize = 64;
/// Days until an API token ends, if its maker does not say.
pub const TOKEN_DAYS_DEFAULT: u16 = 90;
/// Most days until an API token ends.
pub const TOKEN_DAYS_MAX: u16 = 365;
/// People whose presence one is told.
pub const CONTACTS_MAX: u32 = 1_000;
/// People named under one reaction; of the others their number is told.
pub const REACTION_USERS_MAX: usize = 20;
/// Members named in a summary, and in the note that a conversation was made; of the others their number is told. A title
/// names four people, and one of the eight may be the reader.
pub const SUMMARY_MEMBERS_MAX: usize = 8;
/// Bytes of a page of conversations, about: the first one may be larger.
pub const LIST_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a `welcome`: a page of conversations, or one large conversation (up to 130 KiB), and the presence of a
/// thousand people (up to 100 KiB).
pub const WELCOME_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a page of events, about: the first one may be larger.
pub const EVENTS_BYTES_MAX: usize = 1024 * 1024;
/// How often somebody who writes says so, in milliseconds.
pub const TYPING_EACH_MS: u64 = 3_000;
/// Cursors in one `resume`; what is above it is answered with `resync`.
pub const CURSORS_MAX: usize = 1_000;
/// A search text, in characters.
pub const SEARCH_CHARS_MAX: usize = 256;
/// Results of a search that are left out of a page; `before` leads further.
pub const SEARCH_SKIP_MAX: u32 = 1_000;

/// The length of a list: what was asked for, clamped to 1–100; 50 when nothing was.
#[must_use]
pub fn page(asked: Option<i64>) -> u32 {
    match asked {
        None => PAGE_DEFAULT,
        Some(asked) => u32::try_from(asked.clamp(1, i64::from(PAGE_MAX))).unwrap_or(PAGE_DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn lists_are_clamped() {
        let table =
            [(None, 50), (Some(0), 1), (Some(-1), 1), (Some(1), 1), (Some(100), 100), (Some(1_000_000_000), 100)];
        for (asked, given) in table {
            assert_eq!(page(asked), given, "{asked:?}");
        }
    }
}
