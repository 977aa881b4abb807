//! Mentions: people named in a message, as `@` and their name.
//!
//! A name has no marks around it and may have spaces in it, so only who knows the names knows where one ends. Every
//! place where one could end is asked about, the longest name first: `@Ada Lovelace` names her and not Ada. Case does
//! not matter. What stands in code names nobody, nor does what follows a letter or digit, as in an address.

use crate::ids::UserId;
use crate::limits::{DISPLAY_NAME_CHARS_MAX, MENTIONS_MAX};
use crate::markdown::{self, Block, Inline};

/// How many possible names of one message are looked up; who writes more signs than that names nobody with the rest.
const LOOKUPS_MAX: usize = 400;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// What it says.
    Text(&'a str),
    /// A name, with the `@` before it.
    Name(&'a str),
}

/// The people a message names: each once, at most [`MENTIONS_MAX`]. `find` is given what may be a name, as it was
/// written, and says who has it.
///
/// # Errors
/// The first of `find`.
pub fn people<E>(content: &str, mut find: impl FnMut(&str) -> Result<Vec<UserId>, E>) -> Result<Vec<UserId>, E> {
    let mut found = Vec::new();
    let mut left = LOOKUPS_MAX;
    let mut failed = None;
    for text in if content.contains('@') { texts(content) } else { Vec::new() } {
        parts(&text, |name| {
            if left == 0 || failed.is_some() || found.len() >= MENTIONS_MAX {
                return false;
            }
            left -= 1;
            let people = find(name).unwrap_or_else(|error| {
                failed = Some(error);
                Vec::new()
            });
            let is_name = !people.is_empty();
            for user in people {
                if let Err(at) = found.binary_search(&user) {
                    found.insert(at, user);
                }
            }
            is_name
        });
    }
    found.truncate(MENTIONS_MAX);
    failed.map_or(Ok(found), Err)
}

/// A text with the names in it set apart. `is_name` is given what may be one, without the `@`.
pub fn parts<'a>(text: &'a str, mut is_name: impl FnMut(&str) -> bool) -> Vec<Part<'a>> {
    let mut found = Vec::new();
    // Where what was not given out yet begins, and where the next sign is looked for.
    let (mut begin, mut from) = (0, 0);
    while let Some(at) = text[from..].find('@').map(|at| from + at) {
        from = at + 1;
        if text[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let Some(end) = ends(&text[from..]).find(|end| is_name(&text[from..from + end])) else { continue };
        let end = from + end;
        if begin < at {
            found.push(Part::Text(&text[begin..at]));
        }
        found.push(Part::Name(&text[at..end]));
        (begin, from) = (end, end);
    }
    if begin < text.len() {
        found.push(Part::Text(&text[begin..]));
    }
    found
}

/// Where a name that begins here could end, the last first.
fn ends(rest: &str) -> impl Iterator<Item = usize> {
    let mut ends = Vec::new();
    let mut before = None;
    let signs = rest.char_indices().map(|(at, sign)| (at, Some(sign))).chain([(rest.len(), None)]);
    for (at, sign) in signs.take(DISPLAY_NAME_CHARS_MAX + 1) {
        let is_end = !sign.is_some_and(char::is_alphanumeric);
        if is_end && before.is_some_and(|before: char| !before.is_whitespace()) {
            ends.push(at);
        }
        // A name is one line, and the next one may begin here.
        if matches!(sign, Some('\n' | '@')) {
            break;
        }
        before = sign;
    }
    ends.into_iter().rev()
}

/// The texts of a message that may name somebody.
fn texts(content: &str) -> Vec<String> {
    let mut found = Vec::new();
    block_texts(markdown::parse(content), &mut found);
    found
}

fn block_texts(blocks: Vec<Block>, found: &mut Vec<String>) {
    for block in blocks {
        match block {
            Block::Paragraph(parts) => inline_texts(parts, found),
            // Whoever is quoted has said it before.
            Block::Quote(_) | Block::Code { .. } => {}
            Block::List(_, items) => items.into_iter().for_each(|item| block_texts(item, found)),
        }
    }
}

fn inline_texts(parts: Vec<Inline>, found: &mut Vec<String>) {
    for part in parts {
        match part {
            Inline::Text(text) => found.push(text),
            Inline::Marked(_, parts) => inline_texts(parts, found),
            Inline::Code(_) | Inline::Link { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Timestamp;
    use proptest::prelude::*;

    const NAMES: [&str; 5] = ["ada", "ada lovelace", "ben jr.", "zoë", "李雷"];

    fn user(number: usize) -> UserId {
        UserId::v7(Timestamp::default(), [u8::try_from(number).expect("few"); 10])
    }

    fn named(content: &str) -> Vec<usize> {
        let find = |name: &str| {
            let place = NAMES.iter().position(|known| *known == name.to_lowercase());
            Ok::<_, ()>(place.map(user).into_iter().collect())
        };
        let people = people(content, find).expect("nothing fails");
        people.into_iter().map(|id| (0..NAMES.len()).find(|number| user(*number) == id).expect("known")).collect()
    }

    #[test]
    fn the_longest_name_is_meant_in_any_case_and_wherever_a_word_begins() {
        for (content, expected) in [
            ("@Ada", &[0][..]),
            ("hi @ada, and (@ZOË)!", &[0, 3]),
            ("@Ada Lovelace is not @ada", &[0, 1]),
            ("@Ada  Lovelace", &[0]),
            ("@ben jr. knows", &[2]),
            ("@Ben Jr", &[]),
            ("@adam @ad @ ada", &[]),
            ("ask ada@ada.example", &[]),
            ("@李雷 你好", &[4]),
            ("**@Ada** and ~~@zoë~~", &[0, 3]),
            ("- @ada\n- @zoë", &[0, 3]),
            ("@ada\nlovelace", &[0]),
            ("@ada @ada @ada", &[0]),
        ] {
            assert_eq!(named(content), expected, "{content:?}");
        }
    }

    #[test]
    fn code_and_quotes_and_links_name_nobody() {
        for content in ["`@ada`", "```\n@ada\n```", "> @ada", "https://example.org/@ada", "[@ada](https://example.org)"]
        {
            assert_eq!(named(content), Vec::<usize>::new(), "{content:?}");
        }
    }

    #[test]
    fn a_text_is_cut_where_names_are() {
        let is_name = |name: &str| name == "ada" || name == "ben";
        let cut = parts("hi @ada and @ben, @cy", is_name);
        let expected =
            [Part::Text("hi "), Part::Name("@ada"), Part::Text(" and "), Part::Name("@ben"), Part::Text(", @cy")];
        assert_eq!(cut, expected);
    }

    #[test]
    fn the_work_for_one_message_has_an_end() {
        let mut asked = 0;
        let content = "@a b c d e f g h ".repeat(900);
        let found = people(&content, |_| {
            asked += 1;
            Ok::<_, ()>(Vec::new())
        });
        assert_eq!((found, asked), (Ok(vec![]), LOOKUPS_MAX));
        let mut next = 0;
        let many = people(&"@a ".repeat(200), |_| {
            next += 1;
            Ok::<_, ()>(vec![UserId::v7(Timestamp::from_millis(next), [0; 10])])
        });
        assert_eq!(many.map(|found| found.len()), Ok(MENTIONS_MAX));
        assert_eq!(people("@ada", |_| Err::<Vec<UserId>, _>("broken")), Err("broken"));
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_text(text in "[@ab \\né.]{0,40}", short in any::<bool>()) {
            let cut = parts(&text, |name| name.len() > 3 || short);
            let joined: String = cut.iter().map(|part| match part { Part::Text(text) | Part::Name(text) => *text }).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
