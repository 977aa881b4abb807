//! What counts as text: trimming, emptiness and length, the same for every client and the server.

use crate::code::{Code, Rejection};

/// White space of Unicode, and nothing else: what is cut from both ends of a message.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Whether a reader sees nothing where this character stands: white space, controls, and what
/// Unicode lists as `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), plus U+2800, a
/// braille pattern without dots, and U+FEFF within the list as the byte order mark.
pub(crate) fn is_invisible(c: char) -> bool {
    is_space(c)
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether there is nothing to see in a text.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// A message's text as it is stored: trimmed at both ends, otherwise byte for byte what was written.
///
/// # Errors
/// `bad_field` if it holds U+0000, `empty` if there is nothing to see in it, `too_long` if it has
/// more than `bytes_max` bytes after trimming.
pub fn content(text: &str, bytes_max: usize) -> Result<&str, Rejection> {
    let trimmed = text.trim_matches(is_space);
    if trimmed.contains('\0') {
        return Err(Rejection::new(Code::BadField, "A message cannot hold the character U+0000").field("content"));
    }
    if trimmed.len() > bytes_max {
        return Err(Rejection::new(
            Code::TooLong,
            format!("A message has at most {bytes_max} bytes, this one has {}. Send it in parts", trimmed.len()),
        )
        .field("content"));
    }
    if is_blank(trimmed) {
        return Err(Rejection::new(Code::Empty, "There is nothing to see in this message").field("content"));
    }
    Ok(trimmed)
}

/// The name of a person or a conversation: trimmed, 1 to `chars_max` characters, on one line.
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn name<'a>(text: &'a str, chars_max: usize, field: &str) -> Result<&'a str, Rejection> {
    let trimmed = text.trim_matches(is_space);
    let refuse = |message: String| Err(Rejection::new(Code::Invalid, message).field(field));
    if is_blank(trimmed) {
        return refuse("Please give a name that can be seen".into());
    }
    if trimmed.chars().count() > chars_max {
        return refuse(format!("A name has at most {chars_max} characters"));
    }
    let mut before = None;
    let mut chars = trimmed.chars().peekable();
    while let Some(c) = chars.next() {
        if is_hidden(c) && !is_part_of_a_sign(before, c, chars.peek().copied()) {
            return refuse("A name is one line of plain text, without control or invisible characters".into());
        }
        before = Some(c);
    }
    Ok(trimmed)
}

/// Whether a character has no place in a name by itself: nobody could tell the name from the same without it, or, of the
/// controls, line breaks and turns of direction, it could swallow the interface around the name.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}') || (is_invisible(c) && !is_space(c)) || c.is_control()
}

/// Whether a hidden character makes one sign of its neighbours, as people write it: in emoji, and in scripts whose
/// letters join.
fn is_part_of_a_sign(before: Option<char>, c: char, after: Option<char>) -> bool {
    let before_is = |is: fn(char) -> bool| before.is_some_and(is);
    match c {
        // Joins emoji (Unicode UTS 51), and joins or parts letters (Unicode section 23.2).
        '\u{200d}' if before_is(is_emoji) => after.is_some_and(is_emoji),
        '\u{200c}' | '\u{200d}' => before_is(is_joining) && after.is_some_and(is_joining),
        // How an emoji or a digit on a key looks.
        '\u{fe0e}' | '\u{fe0f}' => {
            before_is(|c| (is_emoji(c) && c != '\u{fe0f}') || matches!(c, '0'..='9' | '#' | '*'))
        }
        // How a Han character looks, as in Japanese names.
        '\u{e0100}'..='\u{e01ef}' => before_is(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')),
        // The flags of England, Scotland and Wales.
        '\u{e0020}'..='\u{e007f}' => before_is(|c| matches!(c, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}')),
        _ => false,
    }
}

/// Whether a character is drawn as a picture, or is what an emoji of several characters may end with.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{20e3}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{27ff}' | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a character belongs to a script whose letters join: Arabic, Syriac, N'Ko and those of India and its
/// neighbours.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{7ff}' | '\u{860}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
        && !is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> Option<Code> {
        content(text, 16_384).err().map(|rejection| rejection.code)
    }

    #[test]
    fn content_is_trimmed_and_otherwise_untouched() {
        assert_eq!(content(" \n\u{3000}hi  there\u{200b}\t ", 99), Ok("hi  there\u{200b}"));
        assert_eq!(content("مرحبا 👩‍👩‍👧‍👦 <script>", 99), Ok("مرحبا 👩‍👩‍👧‍👦 <script>"));
        assert_eq!(content("\u{202e}abc", 99), Ok("\u{202e}abc"));
    }

    #[test]
    fn nothing_visible_is_empty() {
        for text in
            ["", " ", "\n\t\u{a0}", "\u{200b}", "\u{3164}\u{feff}", "\u{2060} \u{ad}", "\u{1}\u{7f}", "\u{2800}"]
        {
            assert_eq!(code(text), Some(Code::Empty), "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_bytes_after_trimming() {
        assert_eq!(code(&"a".repeat(16_384)), None);
        assert_eq!(code(&format!("  {}  ", "a".repeat(16_384))), None);
        assert_eq!(code(&"a".repeat(16_385)), Some(Code::TooLong));
        assert_eq!(code(&"é".repeat(8_192)), None);
        assert_eq!(code(&format!("{}a", "é".repeat(8_192))), Some(Code::TooLong));
    }

    #[test]
    fn the_null_character_is_refused() {
        assert_eq!(code("a\0b"), Some(Code::BadField));
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(name("  Ada Lovelace ", 64, "displayName"), Ok("Ada Lovelace"));
        assert_eq!(name(&"x".repeat(64), 64, "displayName").map(str::len), Ok(64));
        for bad in ["", "  ", "\u{200b}", &"x".repeat(65), "a\nb", "a\u{202e}b", "a\u{2066}b", "a\0b", "x\u{2028}x"] {
            let rejection = name(bad, 64, "displayName").expect_err(bad);
            assert_eq!((rejection.code, rejection.field.as_deref()), (Code::Invalid, Some("displayName")));
        }
    }

    #[test]
    fn a_name_with_what_cannot_be_seen_is_refused_and_signs_of_several_characters_are_not() {
        for bad in [
            "Ada\u{200b}",
            "Ada\u{200b}x",
            "A\u{ad}da",
            "A\u{200d}da",
            "A\u{200c}da",
            "Ada\u{feff}",
            "\u{200e}Ada",
            "Ada\u{200f}.",
            "Ada\u{fe0f}",
            "Ada\u{e0041}",
            "A\u{2060}da",
            "A\u{3164}da",
            "A\u{34f}da",
            "A\u{61c}da",
            "😀\u{200d}",
            "😀\u{200d}a",
            "\u{fe0f}Ada",
            "🏳\u{e0041}",
            "Ada\u{e0100}",
            "م\u{200c}",
            "م\u{200c}\u{200c}ن",
            "❤\u{fe0f}\u{fe0f}",
        ] {
            assert!(name(bad, 64, "displayName").is_err(), "{bad:?}");
        }
        for good in [
            "Ada Lovelace",
            "山田　太郎",
            "葛\u{e0100}城",
            "علی\u{200c}رضا",
            "ක්\u{200d}ෂ",
            "👩\u{200d}👩\u{200d}👧",
            "🏳\u{fe0f}\u{200d}🌈",
            "❤\u{fe0f}",
            "👩🏽\u{200d}💻",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "José",
            "Jose\u{301}",
            "O’Neill",
        ] {
            assert_eq!(name(good, 64, "displayName"), Ok(good));
        }
    }

    proptest! {
        #[test]
        fn content_is_stable_once_accepted(text in "\\PC{0,80}|[\\s\\PC]{0,80}") {
            if let Ok(first) = content(&text, 16_384) {
                prop_assert_eq!(content(first, 16_384), Ok(first));
                prop_assert!(text.contains(first));
            }
        }
    }
}
