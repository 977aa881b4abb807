//! Mentions: people named in a message, as `@` and their name.
//!
//! A name has no marks around it and may have spaces in it, so only who knows the names knows where one ends. Every
//! place where one could end is asked about, the longest name first: `@Ada Lovelace` names her and not Ada. Spelling does
//! not matter, unless several people's names differ by it: then the exact one is meant. What stands in code names nobody,
//! nor does what follows a letter or digit, as in an address.
//!
//! A name is read as it was written, before marks are: `@_ghost_` is a name, and what comes of the marks may be one, too.

use crate::ids::UserId;
use crate::limits::{DISPLAY_NAME_CHARS_MAX, MENTIONS_MAX};
use crate::markdown::{self, Block, Inline, steps};
use crate::text::{is_border, is_spaceless, is_word};
use std::borrow::Cow;
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

/// A name as it is compared. Two spellings of it have one `fold`; of several people with it the exact one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// As [`fold`](crate::fold::fold) makes it.
    pub fold: String,
    /// As [`exact`](crate::fold::exact) makes it.
    pub exact: String,
}

impl Key {
    /// The key of a name, with the server's tables.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { fold: crate::fold::fold(name), exact: crate::fold::exact(name) }
    }

    /// People who are meant by this name, of some with its fold: the ones whose name is exactly this, else all.
    pub fn meant<'a>(&self, people: impl IntoIterator<Item = (&'a str, UserId)> + Clone) -> Vec<UserId> {
        let exact = people.clone().into_iter().filter(|(exact, _)| *exact == self.exact);
        let exact: Vec<_> = exact.map(|(_, user)| user).collect();
        if exact.is_empty() { people.into_iter().map(|(_, user)| user).collect() } else { exact }
    }
}

/// What may be a name in a message. Reading them out of the text needs no database, and is the work that grows with the
/// text; looking them up does not.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// Each once, at most [`LOOKUPS_MAX`].
    names: Vec<Key>,
    /// Each of them as it was first written.
    written: Vec<String>,
    /// For each place where somebody may be named: which of the names it may be, the longest first. Each such list once.
    places: Vec<Vec<u16>>,
}

impl Names {
    /// The possible names in a text: names with the same key are looked up once. `None`: there is none. A text without `@`
    /// is not parsed.
    #[must_use]
    pub fn read(content: &str) -> Option<Self> {
        let message = Message::read(content)?;
        let mut found = Self { names: Vec::new(), written: Vec::new(), places: Vec::new() };
        let (mut numbers, mut keys, mut seen) = (HashMap::new(), HashMap::new(), HashSet::new());
        for place in message.places() {
            // Repeated words name the same people.
            if seen.insert(place[0]) && !found.add(&place, &mut numbers, &mut keys) {
                break;
            }
        }
        (!found.names.is_empty()).then_some(found)
    }

    /// Adds a place. `false`: there is no room for all of its names. Each spelling is folded once, and counts.
    fn add<'a>(
        &mut self,
        names: &[&'a str],
        numbers: &mut HashMap<&'a str, u16>,
        keys: &mut HashMap<Key, u16>,
    ) -> bool {
        let mut place = Vec::with_capacity(names.len());
        for name in names {
            steps::took(name.len());
            let number = match numbers.get(name) {
                Some(number) => *number,
                None if numbers.len() >= LOOKUPS_MAX => break,
                None => {
                    let next = u16::try_from(self.names.len()).expect("it is below the bound");
                    let key = Key::of(name);
                    let number = *keys.entry(key.clone()).or_insert(next);
                    if number == next {
                        self.names.push(key);
                        self.written.push((*name).to_owned());
                    }
                    numbers.insert(name, number);
                    number
                }
            };
            place.push(number);
        }
        let is_whole = place.len() == names.len();
        self.places.push(place);
        is_whole
    }

    /// All of them, each once.
    #[must_use]
    pub fn all(&self) -> &[Key] {
        &self.names
    }

    /// The people named, each once and with the text that names them, at most [`MENTIONS_MAX`], in the order of their ids.
    /// `find` is given a name and says who is meant by it; it is asked for each name once at most, and not any more once
    /// enough people are found.
    ///
    /// # Errors
    /// The first of `find`.
    pub fn people<E>(&self, mut find: impl FnMut(&Key) -> Result<Vec<UserId>, E>) -> Result<Vec<(UserId, &str)>, E> {
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
                        note(&mut found, &people, self.written[number].as_str());
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

/// Adds people in the order of their ids, each once.
fn note<N: Clone>(found: &mut Vec<(UserId, N)>, people: &[UserId], name: N) {
    for user in people {
        if let Err(at) = found.binary_search_by_key(user, |(user, _)| *user) {
            found.insert(at, (*user, name.clone()));
        }
    }
}

/// The people a message names, for a reader who has the names in memory: each once and with the text that names them, at
/// most [`MENTIONS_MAX`], in the order of their ids. `find` is given what may be a name, as it was written, and says who
/// has it; it is asked [`LOOKUPS_MAX`] times at most. (The page's way: [`Names`] finds the same people with fewer look-ups,
/// and is more to load.)
pub fn people(content: &str, mut find: impl FnMut(&str) -> Vec<UserId>) -> Vec<(UserId, String)> {
    let mut found = Vec::new();
    let mut left = LOOKUPS_MAX;
    let Some(message) = Message::read(content) else { return found };
    'places: for place in message.places() {
        for name in place {
            if left == 0 || found.len() >= MENTIONS_MAX {
                break 'places;
            }
            left -= 1;
            let people = find(name);
            if !people.is_empty() {
                note(&mut found, &people, name.to_owned());
                break;
            }
        }
    }
    found.truncate(MENTIONS_MAX);
    found
}

/// A message in which the signs of names stand for themselves: no mark is read out of `@_ghost_`. [`shown`] gives the signs
/// back. `is_name` is given what may be a name, without the `@`.
#[must_use]
pub fn covered<'a>(content: &'a str, mut is_name: impl FnMut(&str) -> bool) -> Cow<'a, str> {
    let Some(message) = Message::read(content) else { return Cow::Borrowed(content) };
    let mut text = String::new();
    let mut begin = 0;
    for at in message.signs() {
        let Some(name) = written(content, at).into_iter().find(|name| is_name(name)) else { continue };
        text.push_str(&content[begin..=at]);
        text.extend(name.chars().map(|c| if c.is_ascii_punctuation() { cover(c) } else { c }));
        begin = at + 1 + name.len();
    }
    if begin == 0 {
        return Cow::Borrowed(content);
    }
    text.push_str(&content[begin..]);
    Cow::Owned(text)
}

/// A name as it was before [`covered`].
#[must_use]
pub fn shown(name: &str) -> Cow<'_, str> {
    let uncover = |c: char| {
        let sign = u32::from(c).checked_sub(COVER).and_then(|sign| u8::try_from(sign).ok());
        sign.filter(u8::is_ascii_punctuation).map_or(c, char::from)
    };
    if name.is_ascii() { Cow::Borrowed(name) } else { Cow::Owned(name.chars().map(uncover).collect()) }
}

/// First of the private-use characters that stand for signs of ASCII in names. Outside of names they stay what they are.
const COVER: u32 = 0xe000;

fn cover(sign: char) -> char {
    char::from_u32(COVER + u32::from(sign)).unwrap_or(sign)
}

/// A text with the names in it set apart. `is_name` is given what may be one, without the `@`.
pub fn parts<'a>(text: &'a str, mut is_name: impl FnMut(&str) -> bool) -> Vec<Part<'a>> {
    let mut found = Vec::new();
    // Where what was not given out yet begins.
    let mut begin = 0;
    for (at, _) in text.match_indices('@') {
        if at < begin {
            continue;
        }
        let Some(name) = written(text, at).into_iter().find(|name| is_name(name)) else { continue };
        if begin < at {
            found.push(Part::Text(&text[begin..at]));
        }
        begin = at + 1 + name.len();
        found.push(Part::Name(&text[at..begin]));
    }
    if begin < text.len() {
        found.push(Part::Text(&text[begin..]));
    }
    found
}

/// Possible names behind the `@` at this place of a text, the longest first; none if no word begins there.
fn written(text: &str, at: usize) -> Vec<&str> {
    let before = text[..at].chars().next_back();
    if before.is_some_and(|before| is_word(before) && !is_spaceless(before)) {
        return Vec::new();
    }
    let rest = &text[at + 1..];
    ends(rest).into_iter().rev().map(|end| &rest[..end]).collect()
}

/// A text without the backslashes before signs: `@\_ghost\_` names whoever is called `_ghost_`, although the page shows a
/// backslash where the sign behind it would be no mark.
fn unescaped(text: String) -> String {
    let is_escape = |at: usize| text[at + 1..].starts_with(|sign: char| sign.is_ascii_punctuation());
    match text.contains('\\') {
        true => text.char_indices().filter(|(at, c)| *c != '\\' || !is_escape(*at)).map(|(_, c)| c).collect(),
        false => text,
    }
}

/// Possible ends of a name that begins here.
fn ends(rest: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut before = None;
    let mut signs = rest.char_indices().peekable();
    for _ in 0..=DISPLAY_NAME_CHARS_MAX {
        steps::took(1);
        let next = signs.next();
        let after = signs.peek().map(|(_, after)| *after);
        let is_end = |before: char| match next {
            _ if before.is_whitespace() => false,
            Some((_, sign)) => is_border(before, sign) && !is_joiner(before, sign, after),
            None => true,
        };
        if before.is_some_and(is_end) {
            ends.push(next.map_or(rest.len(), |(at, _)| at));
        }
        let Some((_, sign)) = next else { break };
        // A name is one line, and the next one may begin here.
        if sign == '\n' || (sign == '@' && !before.is_some_and(|before| is_word(before) && !is_spaceless(before))) {
            break;
        }
        before = Some(sign);
    }
    ends
}

/// Whether a sign makes one word of what is before and behind it: `@sam-test` names nobody who is called Sam.
fn is_joiner(before: char, sign: char, after: Option<char>) -> bool {
    let is_joined = |c: char| is_word(c) && !is_spaceless(c);
    matches!(sign, '-' | '_' | '.' | '@' | '+' | '\u{2010}' | '\u{2011}')
        && is_joined(before)
        && after.is_some_and(is_joined)
}

/// A message as it is read for names: its source, and what comes of its marks.
struct Message<'a> {
    content: &'a str,
    /// The texts that may name somebody.
    texts: Vec<String>,
    /// The `@` of the message in their order: in which of the texts and where it stands. `None`: in code, a quote or a link.
    signs: Vec<Option<(usize, usize)>>,
}

impl<'a> Message<'a> {
    /// `None`: nobody is named.
    fn read(content: &'a str) -> Option<Self> {
        if !content.contains('@') {
            return None;
        }
        let mut message = Self { content, texts: Vec::new(), signs: Vec::new() };
        message.add_blocks(markdown::parse(content), true);
        steps::took(content.len());
        Some(message)
    }

    /// Possible names, for each place where somebody may be named: as it was written, and as it is shown. No such list
    /// is empty.
    fn places(&self) -> impl Iterator<Item = Vec<&str>> {
        let source = self.source();
        let place = move |(number, sign): (usize, &Option<(usize, usize)>)| {
            let (text, at) = (*sign)?;
            let mut names = source.as_ref().map_or_else(Vec::new, |source| written(self.content, source[number]));
            for name in written(&self.texts[text], at) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Some(names).filter(|names| !names.is_empty())
        };
        self.signs.iter().enumerate().filter_map(place)
    }

    /// Places in the source of each `@` that may name somebody.
    fn signs(&self) -> impl Iterator<Item = usize> {
        let source = self.source().unwrap_or_default();
        self.signs.iter().zip(source).filter(|(sign, _)| sign.is_some()).map(|(_, at)| at)
    }

    /// Places in the source of each `@`; `None` if reading the marks has made more or fewer of them, so that it is not known
    /// which is which.
    fn source(&self) -> Option<Vec<usize>> {
        let source: Vec<_> = self.content.match_indices('@').map(|(at, _)| at).collect();
        (source.len() == self.signs.len()).then_some(source)
    }

    fn add_blocks(&mut self, blocks: Vec<Block>, counts: bool) {
        for block in blocks {
            match block {
                Block::Paragraph(parts) => self.add_parts(parts, counts),
                // Quoted text was said before.
                Block::Quote(blocks) => self.add_blocks(blocks, false),
                Block::Code { text, .. } => self.add_silent(&text),
                Block::List(_, items) => items.into_iter().for_each(|item| self.add_blocks(item, counts)),
                Block::Spoiler(blocks) => self.add_blocks(blocks, counts),
            }
        }
    }

    fn add_parts(&mut self, parts: Vec<Inline>, counts: bool) {
        for part in parts {
            match part {
                Inline::Text(text) if counts => {
                    let text = unescaped(text);
                    self.signs.extend(text.match_indices('@').map(|(at, _)| Some((self.texts.len(), at))));
                    self.texts.push(text);
                }
                Inline::Text(text) | Inline::Code(text) => self.add_silent(&text),
                Inline::Marked(_, parts) => self.add_parts(parts, counts),
                Inline::Link { url, label } => {
                    // An address that stands alone is its own label.
                    let is_bare = matches!(&label[..], [Inline::Text(label)] if *label == url);
                    self.add_parts(label, false);
                    if !is_bare {
                        self.add_silent(&url);
                    }
                }
            }
        }
    }

    fn add_silent(&mut self, text: &str) {
        self.signs.extend(text.matches('@').map(|_| None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::ids::Timestamp;
    use proptest::prelude::*;

    const NAMES: [&str; 14] = [
        "Ada",
        "Ada Lovelace",
        "Ben Jr.",
        "Zoë",
        "李雷",
        "太郎",
        "_ghost_",
        "eve@work",
        "sam",
        "sam.hill",
        "sam-test",
        "O'Brien",
        "Zoe",
        "สมชาย",
    ];

    fn user(number: usize) -> UserId {
        UserId::v7(Timestamp::default(), [u8::try_from(number).expect("few"); 10])
    }

    fn find(name: &Key) -> Vec<UserId> {
        let known: Vec<_> = NAMES.iter().map(|name| Key::of(name)).enumerate().collect();
        let alike = known.iter().filter(|(_, key)| key.fold == name.fold);
        name.meant(alike.map(|(number, key)| (key.exact.as_str(), user(*number))))
    }

    fn named(content: &str) -> Vec<usize> {
        let people = people(content, |name| find(&Key::of(name)));
        let people: Vec<_> = people.into_iter().map(|(user, name)| (user, fold(&name))).collect();
        let names = Names::read(content);
        let looked_up = names.as_ref().map_or(Ok(Vec::new()), |names| names.people(|name| Ok::<_, ()>(find(name))));
        let looked_up = looked_up.map(|people| people.into_iter().map(|(user, name)| (user, fold(name))).collect());
        assert_eq!(looked_up.as_ref(), Ok(&people), "the page and the server mean the same people by {content:?}");
        people.into_iter().map(|(id, _)| (0..NAMES.len()).find(|number| user(*number) == id).expect("known")).collect()
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
    fn names_are_found_beside_letters_of_any_script_with_signs_in_them_and_in_any_spelling() {
        for (content, expected) in [
            ("@李雷你好", &[4][..]),
            ("请@李雷 看一下", &[4]),
            ("@太郎さん、@李雷@太郎", &[4, 5]),
            ("ขอถาม@สมชายครับ", &[13]),
            ("@Ada你好 and @สม", &[0]),
            ("@_ghost_ boo", &[6]),
            ("*@_ghost_* and **@ada**", &[0, 6]),
            ("@\\_ghost\\_ boo", &[6]),
            ("@ghost boo", &[]),
            ("@eve@work hi", &[7]),
            ("@eve hi, @eve@worker", &[]),
            ("@sam, @Sam. @sam! @Sam's", &[8]),
            ("@sam.hill and @sam-test.", &[9, 10]),
            ("@Sam-testing @Sam_x @sam.hilton @sam@example.org @Sam+1", &[]),
            ("@Sam – @Sam: (@sam)", &[8]),
            ("@O’Brien and @OʼBRIEN", &[11]),
            ("@Zoe\u{308}", &[3]),
            ("@ZOE", &[12]),
            ("@Zöë", &[3, 12]),
            ("@ＳＡＭ", &[8]),
            ("см.@ada, д@ada", &[0]),
        ] {
            assert_eq!(named(content), expected, "{content:?}");
        }
    }

    #[test]
    fn a_name_ends_where_a_word_does_in_every_script() {
        let samples = "aяαאبաआকਅઅଅஅఅಅഅඅကაአᠠあ가漢กກកꀀᬅꦄ";
        for letter in samples.chars() {
            let name = format!("{letter}{letter}");
            let is = |text: &str| people(text, |found| if found == name { vec![user(1)] } else { vec![] }).len() == 1;
            assert!(
                is(&format!("@{name} x")) && is(&format!("@{name}, x")) && is(&format!("({letter} @{name})")),
                "{letter}"
            );
            let is_spaceless = is_spaceless(letter);
            assert_eq!(is(&format!("@{name}{letter}")), is_spaceless, "{letter}");
            assert_eq!(is(&format!("{letter}@{name}")), is_spaceless, "{letter}");
            assert_eq!(is(&format!("@{name}-{letter}")), is_spaceless, "{letter}");
        }
    }

    #[test]
    fn signs_of_names_are_covered_from_marks_and_shown_again() {
        let is_name = |name: &str| ["_ghost_", "ben jr."].contains(&&*shown(name).to_lowercase());
        let text = "@_ghost_ **and** @Ben Jr. say `@_ghost_` _@you_ > @_ghost_";
        let covered_text = covered(text, is_name);
        assert_eq!(shown(&covered_text), text);
        assert!(matches!(covered("no @name", is_name), Cow::Borrowed(_)));
        let [Block::Paragraph(inside)] = &markdown::parse(&covered_text)[..] else { panic!("one paragraph") };
        let Inline::Text(first) = &inside[0] else { panic!("a text") };
        let [Part::Name(name), Part::Text(" ")] = parts(first, is_name)[..] else { panic!("{first}") };
        assert_eq!(shown(name), "@_ghost_");
        assert!(inside.contains(&Inline::Code("@_ghost_".into())), "code stays as it was");
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
        let looked_up = |content: &str| Names::read(content).expect("names");
        let names = looked_up(&content);
        let found = names.people(|name| {
            asked.push(name.fold.clone());
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
        let found = looked_up(&many).people(|name| Ok::<_, ()>(somebody(&name.fold))).map(|found| found.len());
        assert_eq!((found, next), (Ok(MENTIONS_MAX), 2 * MENTIONS_MAX as u64));
        assert_eq!(looked_up("@ada").people(|_| Err("broken")), Err("broken"));
        // Spellings of one name count, too: each is folded.
        let spelled: String = (0..900_u32)
            .map(|bits| {
                let letter = |bit: u32| if bits >> bit & 1 == 1 { 'A' } else { 'a' };
                format!("@{} ", (0..10).map(letter).collect::<String>())
            })
            .collect();
        assert_eq!(looked_up(&spelled).all().len(), 1);
    }

    #[test]
    fn a_name_is_looked_up_once_however_often_it_is_written() {
        let names = Names::read("@Ada, @ada @ADA and @Ben; @ada").expect("names");
        let mut asked = Vec::new();
        let people = names.people(|name| {
            asked.push(name.fold.clone());
            Ok::<_, ()>(find(name))
        });
        assert_eq!(people, Ok(vec![(user(0), "Ada")]));
        asked.sort();
        let each_once = asked.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(each_once, "{asked:?}");
        assert_eq!(Names::read("nobody here"), None);
        assert_eq!(Names::read("a@b and `@ada`"), None);
    }

    proptest! {
        #[test]
        fn the_page_and_the_server_find_the_same_people(text in "([@_*~` .\\-\\\\>\n]|ada|eve@work|_ghost_|李雷|zoe\u{308}|sam|ada lovelace|https://x/@ada|[\\[\\]()]){0,20}") {
            named(&text);
        }

        #[test]
        fn covered_signs_are_shown_again(text in "[@_*ab \né.]{0,40}", short in any::<bool>()) {
            let covered = covered(&text, |name| name.len() > 3 || short);
            prop_assert_eq!(&*shown(&covered), &*text);
        }

        #[test]
        fn parts_are_the_whole_text(text in "[@ab \\né.]{0,40}", short in any::<bool>()) {
            let cut = parts(&text, |name| name.len() > 3 || short);
            let joined: String = cut.iter().map(|part| match part { Part::Text(text) | Part::Name(text) => *text }).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
