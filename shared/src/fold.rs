//! Spellings of one text: the form in which names and words are compared, so that each is found however it was typed.
//!
//! The server folds what it stores and what it is asked for; a client folds both sides of a comparison that it makes by
//! itself. [`fold`] needs tables of Unicode, which a browser has: the page takes its NFKD in lower case and calls
//! [`folded`], which makes the rest of the way without tables. Always holds: folding twice changes nothing, and two
//! spellings that Unicode calls equivalent have one form.
//!
//! | spelling | form |
//! | --- | --- |
//! | case, width, ligatures, presentation forms | NFKD in lower case, `ς` as `σ` |
//! | accents, vowel points of Hebrew and Arabic, nuktas, tatweel | left out; vowel signs of other scripts are letters and stay |
//! | letters with strokes and ligatures of the alphabet: `ł ø đ ß æ þ ı` | the letters people type for them |
//! | forms of one letter in Arabic, Persian and Urdu | the Arabic one |
//! | decimal digits | `0` to `9` |
//! | apostrophes, hyphens and dashes, white space | `'`, `-`, one space each |
//! | invisible characters and controls | left out |

use crate::text::{is_invisible, is_space, is_symbol, is_word};
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The form in which spellings of one text are the same. For comparing only.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return folded(&text.to_ascii_lowercase());
    }
    folded(&text.nfkd().collect::<String>().to_lowercase())
}

/// The form of a text that differs with accents and the kind of an apostrophe, and not with case and coding: NFC in lower
/// case. Of several names with one [`fold`] it tells which is meant.
#[must_use]
pub fn exact(text: &str) -> String {
    composed(text).to_lowercase()
}

/// A text with each letter in one coding (NFC). Nearly all texts come in it.
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// The words of a text as it was written.
#[must_use]
pub fn words(text: &str) -> Words {
    let mut found = Words::of(&fold(text));
    // Emoji that NFKD makes punctuation of.
    for c in text.chars().filter(|c| matches!(c, '\u{203c}' | '\u{2049}')) {
        space(&mut found.symbols);
        found.symbols.push(c);
    }
    found
}

/// The key by which a name, or the typed beginning of a name, is searched.
#[must_use]
pub fn search_key(name: &str) -> String {
    name_key(&fold(name))
}

/// The rest of [`fold`]: the form of a text that is in NFKD and in lower case.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' | ' ' => form.push(c),
            '`' => form.push('\''),
            c if is_space(c) => form.push(' '),
            c if c.is_ascii() && !c.is_control() => form.push(c),
            // Signs like an acute accent that stands alone, which people type for an apostrophe.
            '\u{300}' | '\u{301}' if form.ends_with(' ') => {
                form.pop();
                form.push('\'');
            }
            c if is_accent(c) || c == '\u{640}' || is_invisible(c) => {}
            c => push(&mut form, c),
        }
    }
    form
}

fn push(form: &mut String, c: char) {
    if let Some(whole) = form.chars().next_back().and_then(|before| joined(before, c)) {
        form.pop();
        return form.push(whole);
    }
    match letters(c) {
        Some(letters) => form.push_str(letters),
        None => form.push(digit(c).unwrap_or(c)),
    }
}

/// The letters that people type for one that their keyboard lacks, where Unicode does not take it apart.
fn letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ⱥ' => "a",
        'ƀ' | 'ɓ' => "b",
        'ƈ' | 'ȼ' => "c",
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d",
        'ə' | 'ǝ' | 'ɇ' | 'ɛ' => "e",
        'ƒ' => "f",
        'ǥ' | 'ɠ' => "g",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ȷ' | 'ɉ' => "j",
        'ƙ' | 'ĸ' => "k",
        'ł' | 'ƚ' | 'ɫ' => "l",
        'ŋ' | 'ɲ' => "n",
        'ø' | 'ɵ' | 'ɔ' => "o",
        'ƥ' => "p",
        'ɍ' => "r",
        'ŧ' | 'ⱦ' | 'ƭ' => "t",
        'ʉ' => "u",
        'ʋ' => "v",
        'ƴ' | 'ɏ' => "y",
        'ƶ' => "z",
        'ς' => "σ",
        'ґ' => "г",
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ک' => "ك",
        'ة' | 'ە' | 'ہ' | 'ۃ' => "ه",
        '\u{2b9}'
        | '\u{2bb}'..='\u{2bd}'
        | '\u{2c8}'
        | '\u{55a}'
        | '\u{5f3}'
        | '\u{2018}'
        | '\u{2019}'
        | '\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{a78c}' => "'",
        '\u{2d7}' | '\u{58a}' | '\u{5be}' | '\u{1806}' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' => "-",
        _ => return None,
    })
}

/// The European digit for a decimal digit of another script.
fn digit(c: char) -> Option<char> {
    /// The zeros of scripts whose digits are typed with a keyboard of that script.
    const ZEROS: [u32; 17] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
        0x1040, 0x17e0,
    ];
    let value = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// The one character that two make, where the parts are no letters by themselves: syllables of Hangul (Unicode section
/// 3.12) and voiced kana.
fn joined(before: char, c: char) -> Option<char> {
    let (first, second) = (u32::from(before), u32::from(c));
    let whole = match (first, second) {
        (0x1100..=0x1112, 0x1161..=0x1175) => 0xac00 + ((first - 0x1100) * 21 + second - 0x1161) * 28,
        (0xac00..=0xd7a3, 0x11a8..=0x11c2) if (first - 0xac00).is_multiple_of(28) => first + second - 0x11a7,
        (0x3046 | 0x30a6, 0x3099) => first + 0x4e,
        (0x304b..=0x3061 | 0x30ab..=0x30c1, 0x3099) if first % 2 == 1 => first + 1,
        (0x3064 | 0x3066 | 0x3068 | 0x30c4 | 0x30c6 | 0x30c8 | 0x309d | 0x30fd, 0x3099) => first + 1,
        (0x306f..=0x307b | 0x30cf..=0x30db, 0x3099 | 0x309a) if first.is_multiple_of(3) => first + second - 0x3098,
        (0x30ef..=0x30f2, 0x3099) => first + 8,
        _ => return None,
    };
    char::from_u32(whole)
}

/// Whether a mark may be left out in writing: accents, points of Hebrew and Arabic, tones of N'Ko, nuktas.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{711}'
        | '\u{730}'..='\u{74a}' | '\u{7eb}'..='\u{7f3}' | '\u{7fd}' | '\u{897}'..='\u{89f}' | '\u{8ca}'..='\u{8e1}'
        | '\u{8e3}'..='\u{8ff}' | '\u{93c}' | '\u{951}'..='\u{954}' | '\u{9bc}' | '\u{a3c}' | '\u{abc}' | '\u{b3c}'
        | '\u{c3c}' | '\u{cbc}' | '\u{f35}' | '\u{f37}' | '\u{f39}' | '\u{135d}'..='\u{135f}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1cd0}'..='\u{1cd2}' | '\u{1cd4}'..='\u{1ce8}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20dc}'
        | '\u{20e1}' | '\u{20e5}'..='\u{20f0}' | '\u{2cef}'..='\u{2cf1}' | '\u{2de0}'..='\u{2dff}'
        | '\u{302a}'..='\u{302d}' | '\u{a66f}'..='\u{a672}' | '\u{a674}'..='\u{a67d}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{110ba}' | '\u{11173}' | '\u{1e944}'..='\u{1e94a}')
}

/// A [`fold`]ed text as words to search in and for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The words, with one space between two: letters, marks and digits that stand together. In scripts without spaces
    /// between words each letter is a word, and so is a number behind letters.
    pub words: String,
    /// Emoji and other symbols in their order, with one space between two. Apart from the words, so that words around a
    /// symbol stand together.
    pub symbols: String,
}

impl Words {
    /// The words of a folded text.
    #[must_use]
    pub fn of(folded: &str) -> Self {
        let mut found = Self { words: String::with_capacity(folded.len()), symbols: String::new() };
        let mut before = None;
        let mut chars = folded.char_indices();
        while let Some((at, c)) = chars.next() {
            if c.is_ascii_lowercase() && before.is_some_and(|before: char| before.is_ascii_lowercase()) {
                found.words.push(c);
            } else if is_word(c) {
                if before.is_none_or(|before| is_word_end(before, c)) {
                    space(&mut found.words);
                }
                found.words.push(c);
            } else if c == '*' && is_inside(&folded[at..], before) {
                // The marks of bold letters inside a word.
                chars.next();
                continue;
            } else if is_symbol(c) {
                space(&mut found.symbols);
                found.symbols.push(c);
            }
            before = Some(c);
        }
        found
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.symbols.is_empty()
    }
}

/// Whether a word ends between two characters, the second of which is part of a word.
fn is_word_end(before: char, c: char) -> bool {
    !is_word(before) || crate::text::is_border(before, c) || (c.is_ascii_digit() && before.is_alphabetic())
}

/// Whether two asterisks begin here, with a letter on both sides.
fn is_inside(rest: &str, before: Option<char>) -> bool {
    let after = rest.strip_prefix("**").and_then(|rest| rest.chars().next());
    before.is_some_and(char::is_alphabetic) && after.is_some_and(char::is_alphabetic)
}

fn space(text: &mut String) {
    if !text.is_empty() {
        text.push(' ');
    }
}

/// The key of a folded name, and of a folded beginning of a name: its words and symbols, with one space
/// between two. A name without either is searched by itself.
#[must_use]
pub fn name_key(folded: &str) -> String {
    let Words { mut words, symbols } = Words::of(folded);
    if !symbols.is_empty() {
        space(&mut words);
        words.push_str(&symbols);
    }
    if words.is_empty() { folded.trim().to_owned() } else { words }
}

/// Whether a word of a name begins like this; both are [`name_key`]s.
#[must_use]
pub fn has_word(name_key: &str, begin: &str) -> bool {
    let begins = |at: usize| at == 0 || name_key[..at].ends_with(' ');
    name_key.match_indices(begin).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests;
