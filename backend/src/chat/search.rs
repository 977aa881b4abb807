//! What people type to find messages.
//!
//! | typed | finds |
//! | --- | --- |
//! | `word` | messages with it, in any spelling ([`shared::fold`]); the last one may go on |
//! | `"some words"` | these words together |
//! | `from:ada` `from:"Ada Lovelace"` | written by her |
//! | `in:walks` | in a conversation of that name, or with a person of that name |
//! | `before:2026-11-26` `after:2026-11-26` | before that day; on it or later (UTC) |
//! | `before:1795680000000` `after:1795680000000` | before that moment, in milliseconds since 1970; at it or later |
//! | `has:file` `has:link` | with a file, with a link |

use crate::store::search::{Has, SearchQuery, Term};
use shared::code::{Code, Rejection};
use shared::fold::{self, Words};
use shared::ids::Timestamp;
use shared::limits::SEARCH_CHARS_MAX;
use shared::search::{QueryPart, query_parts};
use std::time::UNIX_EPOCH;

/// Words and filters in one query.
const PARTS_MAX: usize = 32;

/// Digits of a moment; a shorter number is a slip of somebody who means a day. The first with so many is in March 1973.
const MOMENT_DIGITS_MIN: usize = 12;

/// Reads a query.
///
/// # Errors
/// `invalid` with the sentence to show: it is too long, asks for nothing, or has a day that is none.
pub fn parse(text: &str) -> Result<SearchQuery, Rejection> {
    if text.chars().count() > SEARCH_CHARS_MAX {
        return refuse(format!("A search has at most {SEARCH_CHARS_MAX} characters"));
    }
    let mut query = SearchQuery::default();
    for (number, part) in query_parts(text).enumerate() {
        if number >= PARTS_MAX {
            return refuse(format!("A search has at most {PARTS_MAX} words"));
        }
        match part {
            QueryPart::Words(value) => {
                let Words { words, symbols } = fold::words(value);
                let terms = [words, symbols].into_iter().filter(|text| !text.is_empty());
                query.terms.extend(terms.map(|text| Term { text, is_start: false }));
            }
            QueryPart::Filter(filter, value) => take(filter, value, &mut query)?,
        }
    }
    if query.terms.is_empty() && query.from.is_none() && query.has.is_empty() {
        return refuse("Type what to look for".into());
    }
    // Whoever types on has not ended the word.
    if let Some(last) = query.terms.last_mut()
        && text.ends_with(|end: char| !end.is_whitespace() && end != '"')
    {
        last.is_start = last.text.chars().count() > 1;
    }
    Ok(query)
}

fn refuse<T>(message: String) -> Result<T, Rejection> {
    Err(Rejection::new(Code::Invalid, message).field("query"))
}

fn take(filter: &str, value: &str, query: &mut SearchQuery) -> Result<(), Rejection> {
    match filter {
        "from" => query.from = Some(fold::search_key(value.trim_start_matches('@'))),
        "in" => query.within = Some(fold::search_key(value.trim_start_matches('#'))),
        "before" => query.before = Some(moment(value)?),
        "after" => query.after = Some(moment(value)?),
        _ => match Has::ALL.into_iter().find(|has| has.word() == value) {
            Some(has) => query.has.push(has),
            None => return refuse(format!("has:{value} is not known. There are has:file and has:link")),
        },
    }
    Ok(())
}

/// A moment in milliseconds since 1970, of which there are more digits than a year has; or the beginning of a day.
fn moment(value: &str) -> Result<Timestamp, Rejection> {
    let is_number = value.len() >= MOMENT_DIGITS_MIN && value.bytes().all(|digit| digit.is_ascii_digit());
    match value.parse::<u64>() {
        Ok(millis) if is_number && millis < 1 << 53 => Ok(Timestamp::from_millis(millis)),
        _ => day(value),
    }
}

/// The beginning of a day.
fn day(value: &str) -> Result<Timestamp, Rejection> {
    let time = humantime::parse_rfc3339(&format!("{value}T00:00:00Z")).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    match millis {
        Some(millis) => Ok(Timestamp::from_millis(millis)),
        None => refuse(format!("{value} is no day. Write it like 2026-11-26")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(text: &str) -> Vec<(String, bool)> {
        parse(text).expect("a query").terms.into_iter().map(|term| (term.text, term.is_start)).collect()
    }

    fn term(text: &str, is_start: bool) -> (String, bool) {
        (text.to_owned(), is_start)
    }

    #[test]
    fn words_and_phrases_are_read_and_the_last_word_may_go_on() {
        assert_eq!(terms("Green  tea"), [term("green", false), term("tea", true)]);
        assert_eq!(terms("green tea "), [term("green", false), term("tea", false)]);
        assert_eq!(terms("\"Green tea\" now\""), [term("green tea", false), term("now", false)]);
        assert_eq!(terms("\"not ended"), [term("not ended", true)]);
        assert_eq!(terms("a :) b"), [term("a", false), term("b", false)]);
        assert_eq!(terms("in: box"), [term("in", false), term("box", true)]);
    }

    #[test]
    fn words_are_searched_for_in_any_spelling_and_so_are_symbols() {
        assert_eq!(terms("Straße café "), [term("strasse", false), term("cafe", false)]);
        assert_eq!(terms("天气"), [term("天 气", true)]);
        assert_eq!(terms("tea🎉"), [term("tea", false), term("🎉", false)]);
        assert_eq!(terms("O’Brien"), [term("o brien", true)]);
        assert_eq!(terms("‼️ "), [term("‼", false)]);
    }

    #[test]
    fn filters_are_no_words() {
        let query = parse("from:\"Ada Lovelace\" in:#walks has:file has:link after:2026-11-26 before:2026-11-27 tea")
            .expect("a query");
        assert_eq!((query.from.as_deref(), query.within.as_deref()), (Some("ada lovelace"), Some("walks")));
        assert_eq!(query.has, [Has::File, Has::Link]);
        let day = 24 * 60 * 60 * 1_000;
        let (before, after) = (query.before.expect("a day"), query.after.expect("a day"));
        assert_eq!((after.as_millis() % day, before.as_millis() - after.as_millis()), (0, day));
        assert_eq!(query.terms.len(), 1);
    }

    #[test]
    fn a_moment_may_stand_for_a_day() {
        let query = parse("tea after:1795680000000 before:1795766400000").expect("a query");
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        assert_eq!((millis(query.after), millis(query.before)), (Some(1_795_680_000_000), Some(1_795_766_400_000)));
    }

    #[test]
    fn what_cannot_be_searched_for_is_said() {
        let long = "x".repeat(SEARCH_CHARS_MAX + 1);
        let many = "x ".repeat(PARTS_MAX + 1);
        let slips =
            ["before:yesterday", "after:2026-13-01", "after:2026", "before:+1795680000000", "after:9007199254740992"];
        for text in ["", "  ", ":) !", "in:walks", "has:wings", &long, &many].into_iter().chain(slips) {
            let refused = parse(text).expect_err(text);
            assert_eq!((refused.code, refused.field.as_deref()), (Code::Invalid, Some("query")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_typed(text in "(\\PC|from:|\"| |has:){0,60}") {
            let _ = parse(&text);
        }
    }
}
