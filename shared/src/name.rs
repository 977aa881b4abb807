//! Names of people, conversations and tokens, and other single lines that people give: topics and statuses.
//!
//! The server calls [`name`] and [`line`] where one comes in; clients ask for the [`skeleton`] where names stand beside each
//! other. Always holds: an accepted name can be read, stays in its line and holds no character that nobody sees, except
//! where a script or an emoji needs it. Names from before these rules go on: nothing looks at a stored name again.
//!
//! Letters of several scripts that look alike ("Ada" with a Cyrillic А) are not refused, because whole languages are written
//! with them. The page tells such people apart where one picks them.

use crate::code::{Code, Rejection};
use crate::fold::composed;
use crate::text::{is_blank, is_invisible, is_space};
use unicode_segmentation::UnicodeSegmentation;

/// Name shown for somebody who has deleted the account. Nobody else and no conversation is called like this.
pub const DELETED: &str = "Deleted account";

/// Combining marks on one letter. Three are on letters of Hebrew, polytonic Greek and Vietnamese; more of them are drawn over
/// the lines above and below.
const MARKS_MAX: usize = 3;
/// Characters of one grapheme. The longest emoji have 11, the longest syllables of India about 10.
const GRAPHEME_CHARS_MAX: usize = 16;

/// The name of a person or a conversation as it is stored: a [`line`] that does not look like [`DELETED`].
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn name(text: &str, chars_max: usize, field: &str) -> Result<String, Rejection> {
    let name = line(text, chars_max, field)?;
    if skeleton(&name) == skeleton(DELETED) {
        let message = "This name stands for people whose account is deleted. Please choose another one";
        return Err(Rejection::new(Code::Invalid, message).field(field));
    }
    Ok(name)
}

/// A text of one line as it is stored: 1 to `chars_max` characters, composed (NFC), trimmed, several spaces become one.
///
/// # Errors
/// `invalid` with the sentence to show beside the field.
pub fn line(text: &str, chars_max: usize, field: &str) -> Result<String, Rejection> {
    let refuse = |message: String| Err(Rejection::new(Code::Invalid, message).field(field));
    let composed = composed(text);
    let trimmed = composed.trim_matches(is_space);
    if is_blank(trimmed) {
        return refuse("Please give a name that can be seen".into());
    }
    let mut line = String::with_capacity(trimmed.len());
    let (mut before, mut marks) = (None, 0);
    let mut chars = trimmed.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        if is_hidden(c) && !is_part_of_a_sign(before, c, after) {
            return refuse("A name is one line of plain text, without control or invisible characters".into());
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS_MAX || (marks > 0 && before.is_none_or(is_space)) {
            return refuse(format!("A letter has at most {MARKS_MAX} marks, and a mark stands on a letter"));
        }
        if !is_space(c) {
            line.push(c);
        } else if !after.is_some_and(is_space) {
            // The wide space of Japanese names stays as it is where it stands alone.
            let is_wide = c == '\u{3000}' && !before.is_some_and(is_space);
            line.push(if is_wide { c } else { ' ' });
        }
        before = Some(c);
    }
    if line.chars().count() > chars_max {
        return refuse(format!("A name has at most {chars_max} characters"));
    }
    if line.graphemes(true).any(|grapheme| grapheme.chars().count() > GRAPHEME_CHARS_MAX) {
        return refuse("One of the letters is made of too many characters".into());
    }
    Ok(line)
}

/// Whether a character has no place in a name by itself: nobody could tell the name from the same without it, it swallows
/// the interface around the name (controls, line breaks, turns of direction), or it has no meaning that people share
/// (private use, and what Unicode keeps for no character).
///
/// Code points that a later Unicode may assign are let through where a table would be needed to know them: a table grows old,
/// and would refuse letters that people write by then.
fn is_hidden(c: char) -> bool {
    (is_invisible(c) && !is_space(c))
        || c.is_control()
        || matches!(c,
            // Line breaks; signs around numbers (general category Cf); controls of hieroglyphs; notes and objects.
            '\u{2028}' | '\u{2029}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{fff9}'..='\u{fffc}'
            // Private use, no characters, and planes without any.
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{40000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
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
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => {
            before_is(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}'))
        }
        // How a Mongolian letter looks, and the gap before the last one.
        '\u{180b}'..='\u{180d}' | '\u{180f}' => before_is(is_mongolian),
        '\u{180e}' => before_is(is_mongolian) && after.is_some_and(is_mongolian),
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

fn is_mongolian(c: char) -> bool {
    matches!(c, '\u{1820}'..='\u{18aa}')
}

/// Whether a character is drawn above, below or over the letter before it, and can be heaped.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}'
        | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ebc}'
        | '\u{ec8}'..='\u{ece}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{302a}'..='\u{302f}' | '\u{3099}'..='\u{309a}' | '\u{fe20}'..='\u{fe2f}')
}

/// What is left of a name when everything is taken away that a reader may not notice: invisible characters, spaces, the case
/// of Latin letters, and which of several letters of one look it is (after Unicode UTS 39, for what looks like Latin
/// letters and digits). Two names with one skeleton look alike. For comparing only.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let mut skeleton = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !is_invisible(*c)) {
        match look(plain(c)) {
            'm' => skeleton.push_str("rn"),
            'w' => skeleton.push_str("vv"),
            c => skeleton.push(c),
        }
    }
    skeleton
}

/// The ASCII character of which another one is a wide, bold, slanted or otherwise drawn form.
fn plain(c: char) -> char {
    let ascii = |from: u8, index: u32| u8::try_from(index).map_or(c, |index| char::from(from + index));
    match c {
        '\u{ff01}'..='\u{ff5e}' => ascii(b'!', u32::from(c) - 0xff01),
        // Thirteen alphabets of 52 letters, five rows of ten digits.
        '\u{1d400}'..='\u{1d6a3}' => match (u32::from(c) - 0x1d400) % 52 {
            index @ 0..26 => ascii(b'A', index),
            index => ascii(b'a', index - 26),
        },
        '\u{1d7ce}'..='\u{1d7ff}' => ascii(b'0', (u32::from(c) - 0x1d7ce) % 10),
        c => c,
    }
}

/// The character that stands for all of one look.
fn look(c: char) -> char {
    match c {
        // As they look in capitals and small letters: each of these lines has Latin, Cyrillic, Greek and further scripts.
        'А' | 'а' | 'Α' | 'α' | 'ɑ' | 'Ꭺ' | 'ꓮ' => 'a',
        'В' | 'Β' | 'Ᏼ' | 'ꓐ' => 'b',
        'С' | 'с' | 'Ϲ' | 'ϲ' | 'Ꮯ' | 'ꓚ' | 'Ⅽ' | 'ⅽ' => 'c',
        'ԁ' | 'Ꭰ' | 'ꓓ' | 'Ⅾ' | 'ⅾ' => 'd',
        'Е' | 'е' | 'Ε' | 'ε' | 'Ꭼ' | 'ꓰ' => 'e',
        'ꓝ' => 'f',
        'ɡ' | 'ց' | 'Ꮐ' | 'ꓖ' => 'g',
        'Н' | 'һ' | 'Η' | 'հ' | 'Ꮋ' | 'ꓧ' => 'h',
        'і' | 'ι' | 'ı' | 'Ꭵ' | 'ⅰ' => 'i',
        'Ј' | 'ј' | 'ϳ' | 'Ꭻ' | 'ꓙ' => 'j',
        'К' | 'к' | 'Κ' | 'κ' | 'Ꮶ' | 'ꓗ' => 'k',
        'I' | '1' | '|' | 'І' | 'Ӏ' | 'ӏ' | 'Ι' | 'Ꮮ' | 'ꓡ' | 'ꓲ' | 'Ⅰ' | 'Ⅼ' | 'ⅼ' | 'ℓ' | 'ǀ' => {
            'l'
        }
        'М' | 'Μ' | 'Ꮇ' | 'ꓟ' | 'Ⅿ' | 'ⅿ' => 'm',
        'Ν' | 'η' | 'ո' | 'ꓠ' => 'n',
        '0' | 'О' | 'о' | 'Ο' | 'ο' | 'օ' | 'ꓳ' => 'o',
        'Р' | 'р' | 'Ρ' | 'ρ' | 'Ꮲ' | 'ꓑ' => 'p',
        'ԛ' | 'զ' => 'q',
        'Ꭱ' | 'Ꮢ' | 'ꓣ' => 'r',
        'Ѕ' | 'ѕ' | 'Տ' | 'Ꮪ' | 'ꓢ' => 's',
        'Т' | 'Τ' | 'Ꭲ' | 'ꓔ' => 't',
        'υ' | 'ս' | 'ꓴ' => 'u',
        'Ѵ' | 'ѵ' | 'ν' | 'ꓦ' | 'Ⅴ' | 'ⅴ' => 'v',
        'Ԝ' | 'ԝ' | 'Ꮃ' | 'ꓪ' => 'w',
        'Х' | 'х' | 'Χ' | 'χ' | 'ꓫ' | 'Ⅹ' | 'ⅹ' => 'x',
        'У' | 'у' | 'Ү' | 'ү' | 'Υ' | 'γ' | 'Ꭹ' | 'ꓬ' => 'y',
        'Ζ' | 'Ꮓ' | 'ꓜ' => 'z',
        'З' | 'з' => '3',
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checked(text: &str) -> Option<String> {
        name(text, 64, "displayName").ok()
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(checked("  Ada Lovelace ").as_deref(), Some("Ada Lovelace"));
        assert_eq!(checked(&"x".repeat(64)).map(|name| name.len()), Some(64));
        for bad in
            ["", "  ", "\u{200b}", &"x".repeat(65), "a\nb", "a\u{202e}b", "a\u{2066}b", "a\0b", "x\u{2028}x", "a\tb"]
        {
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
            "A\u{115f}da",
            "A\u{ffa0}da",
            "Ada\u{2800}",
            "A\u{34f}da",
            "A\u{61c}da",
            "😀\u{200d}",
            "😀\u{200d}a",
            "\u{fe0f}Ada",
            "🏳\u{e0041}",
            "Ada\u{e0100}",
            "Ada\u{180b}",
            "م\u{200c}",
            "م\u{200c}\u{200c}ن",
            "❤\u{fe0f}\u{fe0f}",
            "A\u{600}da",
            "A\u{fffb}da",
            "Ada\u{fffc}",
            "Ada\u{e000}",
            "Ada\u{f8ff}",
            "Ada\u{f0000}",
            "Ada\u{10fffd}",
            "Ada\u{fdd0}",
            "Ada\u{ffff}",
            "Ada\u{1fffe}",
            "Ada\u{50000}",
            "Ada\u{85}x",
        ] {
            assert!(checked(bad).is_none(), "{bad:?}");
        }
        for good in [
            "Ada Lovelace",
            "山田　太郎",
            "葛\u{e0100}城",
            "神\u{fe00}",
            "علی\u{200c}رضا",
            "ක්\u{200d}ෂ",
            "ᠮᠣᠩᠭᠣᠯ\u{180b}",
            "👩\u{200d}👩\u{200d}👧",
            "🏳\u{fe0f}\u{200d}🌈",
            "❤\u{fe0f}",
            "👩🏽\u{200d}💻",
            "👩🏻\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "José",
            "Jose\u{301}",
            "Nguye\u{302}\u{303}n",
            "שָׁלוֹם",
            "เมื่อวันนี้",
            "O’Neill",
            "Аda",
            "क्षत्रिय",
        ] {
            assert_eq!(checked(good).as_deref(), Some(&*composed(good)));
        }
    }

    #[test]
    fn several_spaces_become_one() {
        assert_eq!(checked("Sam  ").as_deref(), Some("Sam"));
        for same in ["Sam  Hill", "Sam\u{a0}Hill", " Sam \u{2003} Hill", "Sam\u{3000} Hill", "Sam\u{202f}Hill"] {
            assert_eq!(checked(same).as_deref(), Some("Sam Hill"), "{same:?}");
        }
    }

    #[test]
    fn spellings_of_one_name_are_stored_as_one() {
        for (one, other) in
            [("Zo\u{eb}", "Zoe\u{308}"), ("서울", "\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}"), ("Å", "\u{212b}")]
        {
            assert_eq!((checked(one), checked(one)), (checked(other), Some(one.to_owned())));
        }
    }

    #[test]
    fn heaped_marks_are_refused() {
        for bad in ["Z\u{300}\u{301}\u{302}\u{303}", "\u{301}Ada", "Ada \u{301}", "ก\u{e49}\u{e49}\u{e49}\u{e49}"] {
            assert!(checked(bad).is_none(), "{bad:?}");
        }
        let heap = format!("a{}", "\u{93f}".repeat(GRAPHEME_CHARS_MAX));
        assert!(checked(&heap).is_none(), "other marks are bounded by the grapheme");
        assert!(checked("Z\u{300}\u{301}\u{302}").is_some());
    }

    #[test]
    fn nobody_is_called_like_a_deleted_account() {
        for bad in [
            "Deleted account",
            "deleted  ACCOUNT",
            "Deleted\u{a0}account",
            "DeIeted account",
            "De1eted acc0unt",
            "Dеlеtеd ассоunt",
            "Ｄｅｌｅｔｅｄ ａｃｃｏｕｎｔ",
            "𝐃𝐞𝐥𝐞𝐭𝐞𝐝 𝐚𝐜𝐜𝐨𝐮𝐧𝐭",
        ] {
            assert!(checked(bad).is_none(), "{bad:?}");
        }
        assert!(line("Deleted account", 64, "status").is_ok(), "what stands beside a name may say so");
        assert!(checked("Deleted accounts").is_some());
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        for (one, other) in [
            ("Ada", "Аda"),
            ("Sam", "sam"),
            ("Alice", "AIice"),
            ("Bernd", "Bemd"),
            ("paypal", "раураl"),
            ("علی\u{200c}رضا", "علیرضا"),
            ("O'Neill", "O’Neill"),
            ("Bob", "B0b"),
            ("Jean-Luc", "Jean‐Luc"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [("Ada", "Ida"), ("Sam", "Sám"), ("Ben", "Ken"), ("Иван", "Ivan"), ("山田", "山本")]
        {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_stable_once_accepted(text in "\\PC{0,40}|[\\s\\PC]{0,40}|[A-Za-z \u{3000}\u{a0}\u{301}\u{200d}]{0,40}") {
            if let Ok(first) = name(&text, 64, "name") {
                prop_assert_eq!(name(&first, 64, "name"), Ok(first.clone()));
                prop_assert!(!is_blank(&first) && !first.contains("  "));
            }
        }
    }
}
