//! Rules of texts: trimming, emptiness and length, and where a word ends, the same for every client and the server.

use crate::code::{Code, Rejection};

/// White space of Unicode, and nothing else: what is cut from both ends of a message.
pub(crate) fn is_space(c: char) -> bool {
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

/// Whether a letter belongs to a script whose words are not, or not always, set apart by spaces: Han, Kana, Hangul, Thai,
/// Lao, Khmer, Burmese, and the smaller ones of their neighbours (Yi, Tai, Balinese, Javanese).
#[must_use]
pub fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{19df}' | '\u{1a20}'..='\u{1aad}' | '\u{1b00}'..='\u{1b7f}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' | '\u{3100}'..='\u{318f}' | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a000}'..='\u{a4cf}' | '\u{a960}'..='\u{a9df}' | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aadf}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' | '\u{17000}'..='\u{18dff}' | '\u{1aff0}'..='\u{1b2ff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character is part of a word of any script: a letter, a digit, or a mark that stands on or joins letters. The
/// standard library knows the first two; between U+0300 and U+2000 the rest is marks but for the punctuation listed here.
#[must_use]
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric()
        || match c {
            '\u{300}'..='\u{1fff}' => !matches!(c,
                '\u{37e}' | '\u{387}' | '\u{55a}'..='\u{55f}' | '\u{589}' | '\u{58a}' | '\u{5be}' | '\u{5c0}' | '\u{5c3}'
                | '\u{5f3}' | '\u{5f4}' | '\u{609}'..='\u{60d}' | '\u{61b}'..='\u{61f}' | '\u{66a}'..='\u{66d}'
                | '\u{6d4}' | '\u{700}'..='\u{70f}' | '\u{964}' | '\u{965}' | '\u{e4f}' | '\u{e5a}' | '\u{e5b}'
                | '\u{f04}'..='\u{f14}' | '\u{f3a}'..='\u{f3d}' | '\u{104a}'..='\u{104f}' | '\u{10fb}'
                | '\u{1360}'..='\u{1368}' | '\u{1680}' | '\u{17d4}'..='\u{17da}' | '\u{1800}'..='\u{180a}'),
            _ => matches!(c,
                '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20f0}' | '\u{302a}'..='\u{302f}' | '\u{3099}' | '\u{309a}'
                | '\u{a66f}'..='\u{abff}' | '\u{fb1e}' | '\u{fe00}'..='\u{fe0e}' | '\u{fe20}'..='\u{fe2f}'
                | '\u{10000}'..='\u{1cfff}' | '\u{e0100}'..='\u{e01ef}'),
        }
}

/// Whether a word may end between these two characters and another one begin: one of them is no part of a word, or belongs
/// to a script without spaces between words. No word ends before a mark that belongs to the letter before it.
#[must_use]
pub fn is_border(before: char, after: char) -> bool {
    !is_word(before) || !is_word(after) || ((is_spaceless(before) || is_spaceless(after)) && !belongs(before, after))
}

/// Whether the second of two characters is no letter by itself: a vowel sign, a tone, or the rest of a syllable of Hangul. In
/// scripts without spaces; of other scripts all marks are parts of the word anyway.
fn belongs(before: char, after: char) -> bool {
    let stacks = matches!(before, '\u{1039}' | '\u{17d2}' | '\u{200c}' | '\u{200d}');
    stacks
        || matches!(after,
            '\u{300}'..='\u{36f}' | '\u{e31}' | '\u{e33}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb3}'..='\u{ebc}'
            | '\u{ec8}'..='\u{ece}' | '\u{102b}'..='\u{103e}' | '\u{1056}'..='\u{1059}' | '\u{105e}'..='\u{1060}'
            | '\u{1062}'..='\u{1064}' | '\u{1067}'..='\u{106d}' | '\u{1071}'..='\u{1074}' | '\u{1082}'..='\u{108d}'
            | '\u{109a}'..='\u{109d}' | '\u{1160}'..='\u{11ff}' | '\u{17b4}'..='\u{17d3}' | '\u{17dd}'
            | '\u{1a55}'..='\u{1a7f}' | '\u{1b34}'..='\u{1b44}' | '\u{200c}' | '\u{200d}' | '\u{302a}'..='\u{302f}'
            | '\u{3099}' | '\u{309a}' | '\u{a980}'..='\u{a983}' | '\u{a9b3}'..='\u{a9c0}' | '\u{d7b0}'..='\u{d7ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ff9e}' | '\u{ff9f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character is a picture or sign that people search for and that is neither a letter nor punctuation: emoji,
/// arrows, signs of currencies and of mathematics. None of ASCII.
#[must_use]
pub fn is_symbol(c: char) -> bool {
    matches!(c, '\u{a2}'..='\u{a6}' | '\u{a9}' | '\u{ac}' | '\u{ae}' | '\u{b0}' | '\u{b1}' | '\u{d7}' | '\u{f7}'
        | '\u{203c}' | '\u{2049}' | '\u{20a0}'..='\u{20cf}'
        | '\u{2100}'..='\u{2bff}' | '\u{3004}' | '\u{3012}' | '\u{3013}' | '\u{3020}' | '\u{3030}' | '\u{3036}'
        | '\u{303d}'..='\u{303f}' | '\u{3200}'..='\u{33ff}' | '\u{4dc0}'..='\u{4dff}' | '\u{1d000}'..='\u{1d3ff}'
        | '\u{1f000}'..='\u{1fbff}')
        && !is_word(c)
}

/// Place where a few signs first stand in a text. (The standard library searches long texts faster, in some kilobytes that the
/// page does without.)
#[must_use]
pub fn find(text: &str, signs: &str) -> Option<usize> {
    text.as_bytes().windows(signs.len().max(1)).position(|window| window == signs.as_bytes())
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
    fn signs_are_found_where_they_first_stand() {
        let table = [("a||b||", "||", Some(1)), ("é://", "://", Some(2)), ("a|b|", "||", None), ("", "||", None)];
        for (text, signs, place) in table {
            assert_eq!(find(text, signs), place, "{text}");
        }
        assert_eq!(find("a", ""), None);
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
    fn letters_digits_and_marks_of_any_script_are_parts_of_words_and_punctuation_is_none() {
        for c in "aZ0éßяΩאشहि्คั้가あ々語\u{301}\u{3099}\u{94d}\u{e48}\u{64e}\u{200d}".chars() {
            assert!(is_word(c), "{c:?}");
        }
        for c in " _*.,!?()\"'“”«»‘’…—–。，）」、！、،؛؟۔।॥։።፣။៕·👍→€".chars()
        {
            assert!(!is_word(c), "{c:?}");
        }
        for (c, is_one) in
            [('語', true), ('か', true), ('ค', true), ('가', true), ('a', false), ('я', false), ('ش', false)]
        {
            assert_eq!(is_spaceless(c), is_one, "{c:?}");
        }
    }

    #[test]
    fn words_end_between_letters_of_scripts_without_spaces_and_never_before_a_mark() {
        for (before, after, expected) in [
            ('a', 'b', false),
            ('a', ' ', true),
            ('-', 'b', true),
            ('李', '雷', true),
            ('m', '你', true),
            ('请', '@', true),
            ('я', 'ш', false),
            ('ש', 'א', false),
            ('क', '\u{93f}', false),
            ('e', '\u{301}', false),
            ('か', '\u{3099}', false),
            ('ก', '\u{e49}', false),
            ('\u{1100}', '\u{1161}', false),
            ('가', '나', true),
            ('佐', '々', true),
        ] {
            assert_eq!(is_border(before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn pictures_and_signs_are_symbols_and_letters_and_punctuation_are_none() {
        for c in "🎉👍❤→€©✓🏽🇩☎♠₿∑".chars() {
            assert!(is_symbol(c), "{c:?}");
        }
        for c in "aя語あ5 .,!?—“」。、·#+*\u{301}\u{fe0f}\u{200d}".chars() {
            assert!(!is_symbol(c), "{c:?}");
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
