//! Reactions: one grapheme on a message, on or off.

use crate::code::{Code, Rejection};
use crate::fold::composed;
use crate::ids::{CommandId, ConversationId, Seq, UserId};
use crate::limits::EMOJI_BYTES_MAX;
use crate::text;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// `react`: sets or takes back one's own reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct React {
    /// Names the command.
    pub id: CommandId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Which message.
    pub target: Seq,
    /// One grapheme, at most 64 bytes.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = EMOJI_BYTES_MAX)))]
    pub emoji: String,
    /// Set or take back.
    pub on: bool,
}

/// The log's note of a reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reacted {
    /// Which message.
    pub target: Seq,
    /// Which reaction.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = EMOJI_BYTES_MAX)))]
    pub emoji: String,
    /// Set or taken back.
    pub on: bool,
}

/// One reaction of a message and the people who gave it, in the order they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// Which reaction.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = EMOJI_BYTES_MAX)))]
    pub emoji: String,
    /// Who gave it: the first 20, the reader among them if they did.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = crate::limits::REACTION_USERS_MAX)))]
    pub users: Vec<UserId>,
    /// How many others gave it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

impl Reaction {
    /// How many people gave it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.users.len() as u64 + self.more
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whether two reactions are one sign: they differ at most in how the sign is asked to be drawn (U+FE0E, U+FE0F).
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    fn drawn(emoji: &str) -> impl Iterator<Item = char> {
        emoji.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}'))
    }
    one == other || drawn(one).eq(drawn(other))
}

/// A reaction as it is stored, composed (NFC): one grapheme (UAX #29) that can be seen, at most 64 bytes.
///
/// # Errors
/// `bad_field` with the sentence to show.
pub fn emoji(emoji: &str) -> Result<String, Rejection> {
    let is_one = emoji.len() <= EMOJI_BYTES_MAX && emoji.graphemes(true).take(2).count() == 1;
    if !is_one || text::is_blank(emoji) || emoji.chars().any(char::is_control) {
        let message = format!("A reaction is one emoji or character, at most {EMOJI_BYTES_MAX} bytes");
        return Err(Rejection::new(Code::BadField, message).field("emoji"));
    }
    Ok(composed(emoji).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{emoji as check_emoji, is_same};

    #[test]
    fn a_sign_is_one_reaction_however_it_is_spelled() {
        for (one, other) in [
            ("👍", "👍\u{fe0f}"),
            ("❤", "❤\u{fe0f}"),
            ("❤\u{fe0e}", "❤\u{fe0f}"),
            ("👁\u{fe0f}\u{200d}🗨\u{fe0f}", "👁\u{200d}🗨"),
        ] {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
        for (one, other) in [("👍", "👎"), ("👍", "👍🏽"), ("👍", "👍\u{200d}"), ("1", "1\u{fe0f}\u{20e3}")]
        {
            assert!(!is_same(one, other) && !is_same(other, one), "{one} {other}");
        }
        assert_eq!(check_emoji("e\u{301}").as_deref(), Ok("é"));
    }

    #[test]
    fn a_reaction_is_one_grapheme_that_can_be_seen() {
        for good in ["👍", "❤️", "👩‍👩‍👧‍👦", "🇩🇪", "a", "é", "नि", "👍🏽"] {
            assert!(check_emoji(good).is_ok(), "{good}");
        }
        let zalgo = format!("a{}", "\u{301}".repeat(40));
        for bad in ["", " ", "👍👍", "ab", ":smile:", "\u{200b}", "\0", "\n", "\u{fe0f}", &zalgo, &"x".repeat(1 << 20)]
        {
            assert!(check_emoji(bad).is_err(), "{bad:.40}");
        }
    }
}
