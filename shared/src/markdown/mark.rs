//! Whether a sign is a mark, by the characters on its two sides.

use super::steps;
use crate::text::{is_spaceless, is_word};

/// The signs that marks are made of, each with how many it takes at least.
pub(super) const SIGNS: [(char, usize); 4] = [('*', 1), ('_', 1), ('~', 2), ('|', 2)];

/// Whether words of a letter's script are written as one, so that a mark within is more likely a sign of its own (`2*3`,
/// `f**k`): Latin, Greek, Cyrillic, Armenian and digits. Elsewhere prefixes and particles stand right beside a marked word.
pub(super) fn is_tight(c: char) -> bool {
    matches!(c, '\0'..='\u{58f}' | '\u{1e00}'..='\u{1fff}') && is_word(c)
}

/// Whether signs that stand together may begin something, and whether they may end it. `rest` follows them.
pub(super) fn sides(sign: char, count: usize, before: Option<char>, rest: &str) -> (bool, bool) {
    let mut behind = rest.chars();
    let (after, second) = (behind.next(), behind.next());
    let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let (begins, ends) = (!is_space(after), !is_space(before));
    // White space stands for the ends of the text.
    let (before, after) = (before.unwrap_or(' '), after.unwrap_or(' '));
    let is_digit = |c: char| c.is_ascii_digit();
    // Faces: `^_^`, `-_-`, `>_<`.
    if count == 1 && ((before == after && before.is_ascii_punctuation()) || (before, after) == ('>', '<')) {
        return (false, false);
    }
    let (may_begin, may_end) = match sign {
        // Part of a word, a name or a path.
        '_' => {
            let is_part = |c: char| is_word(c) || "/\\@$#=&".contains(c);
            let is_named = after == '.' && second.is_some_and(char::is_alphanumeric);
            (!is_part(before) && before != '.', !is_part(after) && after != '(' && !is_named)
        }
        // In code it says "or".
        '|' => (!is_tight(before) && !")]}".contains(before), !is_tight(after) && !"([{".contains(after)),
        '*' if count == 1 => (!is_tight(before), !is_tight(after)),
        // Two stars between digits are a power.
        _ => {
            let is_within = is_tight(before) && is_tight(after);
            (!is_within || !(is_digit(before) || is_digit(after)), !is_within || !is_digit(after))
        }
    };
    // A star beside a slash is one of a path or a comment.
    let is_path = |c: char| sign == '*' && c == '/';
    (begins && may_begin && !is_path(before) && !is_path(after), ends && may_end && !is_path(before))
}

/// Whether an address may stand right behind this character.
pub(super) fn is_border(before: Option<char>) -> bool {
    before.is_none_or(|c| !is_word(c) || is_spaceless(c))
}

/// For each of the [`SIGNS`]: where the first that may begin something stands, and the last that may end it, whether there
/// are backslashes before them or not.
pub(super) struct Sides([(usize, usize); 4]);

impl Sides {
    pub(super) fn of(text: &str) -> Self {
        let mut found = [(usize::MAX, 0); 4];
        let mut at = 0;
        while let Some(begin) = text[at..].find(|c| SIGNS.iter().any(|(sign, _)| *sign == c)).map(|next| at + next) {
            let place = SIGNS.iter().position(|(sign, _)| text[begin..].starts_with(*sign)).unwrap_or(0);
            let (sign, least) = SIGNS[place];
            let before = text[..begin].trim_end_matches('\\');
            let (count, length) = escaped_run(&text[begin..], sign, usize::MAX);
            let (begins, ends) = sides(sign, count, before.chars().next_back(), &text[begin + length..]);
            // Backslashes stand before the sign.
            let place = &mut found[place];
            if begins && count >= least {
                place.0 = place.0.min(begin);
            }
            if ends && count >= least {
                place.1 = begin;
            }
            steps::took(length + 2 * (begin - before.len()) + begin - at);
            at = begin + length;
        }
        Self(found)
    }

    /// Whether signs that stand there, in a run that began there, have a twin.
    pub(super) fn has_twin(&self, sign: char, begin: usize, at: usize, (begins, ends): (bool, bool)) -> bool {
        let place = SIGNS.iter().position(|(other, _)| *other == sign).unwrap_or(0);
        let (first, last) = self.0[place];
        (begins && last > at + 1) || (ends && first < begin)
    }
}

/// How often a sign stands at the beginning, with a backslash before each or without, and how many bytes that takes.
pub(super) fn escaped_run(text: &str, sign: char, count_max: usize) -> (usize, usize) {
    let (mut count, mut length) = (0, 0);
    loop {
        let rest = &text[length..];
        let bare = rest.strip_prefix('\\').unwrap_or(rest);
        if count == count_max || !bare.starts_with(sign) {
            return (count, length);
        }
        count += 1;
        length += rest.len() - bare.len() + 1;
    }
}
