//! Mentions: people named in a message, as `@` and their name.
//!
//! A name has no marks around it and may have spaces in it, so only who knows the names knows where one ends. Every
//! place where one could end is asked about, the longest name first: `@Ada Lovelace` names her and not Ada. Case does
//! not matter. What stands in code names nobody, nor does what follows a letter or digit, as in an address.

use crate::ids::UserId;
use crate::limits::{DISPLAY_NAME_CHARS_MAX, MENTIONS_MAX};
use crate::markdown::{self, Block, Inline, steps};
use std::collections::{HashMap, HashSet};

/// Different possible names of one message that are looked up. The first ones count: a text with more of them names nobody
/// with the rest.
pub const LOOKUPS_MAX: usize = 400;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// What it says.
    Text(&'a str),
    /// A name, with the `@` before it.
    Name(&'a str),
}

/// What may be a name in a message. Reading them out of the text needs no database, and is the work that grows with the
/// text; looking them up does not.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// Each once, at most [`LOOKUPS_MAX`].
    names: Vec<String>,
    /// For each place where somebody may be named: which of the names it may be, the longest first. Each such list once.
    places: Vec<Vec<u16>>,
}

impl Names {
    /// The possible names in a text, each as `key` makes it: names with the same key are looked up once. `None`: there is
    /// none. A text without `@` is not parsed.
    pub fn read(content: &str, key: impl Fn(&str) -> String) -> Option<Self> {
        if !content.contains('@') {
            return None;
        }
        let mut found = Self { names: Vec::new(), places: Vec::new() };
        let texts = texts(content);
        let (mut numbers, mut seen) = (HashMap::new(), HashSet::new());
        for text in &texts {
            for (from, ends) in places(text) {
                let longest = ends.first().map(|end| &text[from..*end]);
                // The same words again name the same people.
                if longest.is_some_and(|longest| seen.insert(longest))
                    && !found.add(text, from, &ends, &key, &mut numbers)
                {
                    return Some(found);
                }
            }
        }
        (!found.names.is_empty()).then_some(found)
    }

    /// Adds a place. `false`: there is no room for all of its names.
    fn add(
        &mut self,
        text: &str,
        from: usize,
        ends: &[usize],
        key: impl Fn(&str) -> String,
        numbers: &mut HashMap<String, u16>,
    ) -> bool {
        let mut place = Vec::with_capacity(ends.len());
        for end in ends {
            steps::took(end - from);
            let name = key(&text[from..*end]);
            let number = match numbers.get(&name) {
                Some(number) => *number,
                None if self.names.len() >= LOOKUPS_MAX => break,
                None => {
                    let number = u16::try_from(self.names.len()).expect("it is below the bound");
                    self.names.push(name.clone());
                    numbers.insert(name, number);
                    number
                }
            };
            place.push(number);
        }
        let is_whole = place.len() == ends.len();
        self.places.push(place);
        is_whole
    }

    /// All of them, each once.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.names
    }

    /// The people named: each once, at most [`MENTIONS_MAX`], in the order of their ids. `find` is given a name and says
    /// who has it; it is asked for each name once at most, and not any more once enough people are found.
    ///
    /// # Errors
    /// The first of `find`.
    pub fn people<E>(&self, mut find: impl FnMut(&str) -> Result<Vec<UserId>, E>) -> Result<Vec<UserId>, E> {
        let mut known: Vec<Option<bool>> = vec![None; self.names.len()];
        let mut found = Vec::new();
        for place in &self.places {
            for number in place {
                let number = usize::from(*number);
                if found.len() >= MENTIONS_MAX {
                    found.truncate(MENTIONS_MAX);
                    return Ok(found);
                }
                let is_name = match known[number] {
                    Some(is_name) => is_name,
                    None => {
                        let people = find(&self.names[number])?;
                        known[number] = Some(!people.is_empty());
                        for user in &people {
                            if let Err(at) = found.binary_search(user) {
                                found.insert(at, *user);
                            }
                        }
                        !people.is_empty()
                    }
                };
                if is_name {
                    break;
                }
            }
        }
        found.truncate(MENTIONS_MAX);
        Ok(found)
    }
}

/// The people a message names, for a reader who has the names in memory: each once, at most [`MENTIONS_MAX`], in the order of
/// their ids. `find` is given what may be a name, as it was written, and says who has it; it is asked [`LOOKUPS_MAX`] times
/// at most. (The page's way: [`Names`] finds the same people with fewer look-ups, and is more to load.)
pub fn people(content: &str, mut find: impl FnMut(&str) -> Vec<UserId>) -> Vec<UserId> {
    let mut found = Vec::new();
    let mut left = LOOKUPS_MAX;
    for text in if content.contains('@') { texts(content) } else { Vec::new() } {
        parts(&text, |name| {
            if left == 0 || found.len() >= MENTIONS_MAX {
                return false;
            }
            left -= 1;
            let people = find(name);
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
    found
}

/// A text with the names in it set apart. `is_name` is given what may be one, without the `@`.
pub fn parts<'a>(text: &'a str, mut is_name: impl FnMut(&str) -> bool) -> Vec<Part<'a>> {
    let mut found = Vec::new();
    // Where what was not given out yet begins.
    let mut begin = 0;
    for (from, ends) in places(text) {
        let Some(end) = ends.into_iter().find(|end| is_name(&text[from..*end])) else { continue };
        let at = from - 1;
        if begin < at {
            found.push(Part::Text(&text[begin..at]));
        }
        found.push(Part::Name(&text[at..end]));
        begin = end;
    }
    if begin < text.len() {
        found.push(Part::Text(&text[begin..]));
    }
    found
}

/// The places of a text where a name may begin, and where each could end, the last first. No name has an `@` in it, so
/// none reaches into the next place.
fn places(text: &str) -> impl Iterator<Item = (usize, Vec<usize>)> {
    let begins_word = |at: usize| !text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    steps::took(text.len());
    let signs = text.match_indices('@').filter(move |(at, _)| begins_word(*at));
    signs.map(|(at, sign)| at + sign.len()).map(|from| (from, ends(&text[from..], from)))
}

/// Where a name that begins here could end, the last first. `from`: where `rest` begins.
fn ends(rest: &str, from: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut before = None;
    let signs = rest.char_indices().map(|(at, sign)| (at, Some(sign))).chain([(rest.len(), None)]);
    for (at, sign) in signs.take(DISPLAY_NAME_CHARS_MAX + 1) {
        steps::took(1);
        let is_end = !sign.is_some_and(char::is_alphanumeric);
        if is_end && before.is_some_and(|before: char| !before.is_whitespace()) {
            ends.push(from + at);
        }
        // A name is one line, and the next one may begin here.
        if matches!(sign, Some('\n' | '@')) {
            break;
        }
        before = sign;
    }
    ends.reverse();
    ends
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
            place.map(user).into_iter().collect::<Vec<_>>()
        };
        let people = people(content, find);
        let names = Names::read(content, str::to_lowercase);
        let looked_up = names.map_or(Ok(Vec::new()), |names| names.people(|name| Ok::<_, ()>(find(name))));
        assert_eq!(looked_up.as_ref(), Ok(&people), "the page and the server mean the same people by {content:?}");
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
        let mut asked = Vec::new();
        let content: String = (0..900).map(|number| format!("@a{number} b c d e f g ")).collect();
        let looked_up = |content: &str| Names::read(content, str::to_owned).expect("names");
        let found = looked_up(&content).people(|name| {
            asked.push(name.to_owned());
            Ok::<_, ()>(Vec::new())
        });
        assert_eq!((found, asked.len()), (Ok(vec![]), LOOKUPS_MAX));
        assert_eq!(asked[..2], ["a0 b c d e f g", "a0 b c d e f"], "the first ones count, the longest first");
        let mut known = 0;
        let found = people(&content, |_| {
            known += 1;
            Vec::new()
        });
        assert_eq!((found, known), (vec![], LOOKUPS_MAX));
        let mut next = 0;
        let many: String = (0..200).map(|number| format!("@a{number} ")).collect();
        let mut somebody = |_: &str| {
            next += 1;
            vec![UserId::v7(Timestamp::from_millis(next), [0; 10])]
        };
        assert_eq!(people(&many, &mut somebody).len(), MENTIONS_MAX);
        let found = looked_up(&many).people(|name| Ok::<_, ()>(somebody(name)));
        assert_eq!((found.map(|found| found.len()), next), (Ok(MENTIONS_MAX), 2 * MENTIONS_MAX as u64));
        assert_eq!(looked_up("@ada").people(|_| Err("broken")), Err("broken"));
    }

    #[test]
    fn a_name_is_looked_up_once_however_often_it_is_written() {
        let names = Names::read("@Ada, @ada @ADA and @Ben; @ada", str::to_lowercase).expect("names");
        let mut asked = Vec::new();
        let people = names.people(|name| {
            asked.push(name.to_owned());
            Ok::<_, ()>(NAMES.iter().position(|known| *known == name).map(user).into_iter().collect())
        });
        assert_eq!(people, Ok(vec![user(0)]));
        asked.sort();
        let each_once = asked.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(each_once, "{asked:?}");
        assert_eq!(Names::read("nobody here", str::to_owned), None);
        assert_eq!(Names::read("a@b and `@ada`", str::to_owned), None);
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
