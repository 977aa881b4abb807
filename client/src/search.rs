//! Search: the query that is asked, pages of results, and the excerpt of a message with its marks.
//!
//! A day is the person's, and the server knows no place on Earth: [`with_moments`] names the moments at which days begin.
//!
//! The server ends a page between two milliseconds. Where more was said in one millisecond than a page has room for, the
//! next page begins in that millisecond and skips what was told of it already.

use shared::fold::Words;
use shared::ids::Timestamp;
use shared::limits::SEARCH_SKIP_MAX;
use shared::search::{QueryPart, SearchResult, query_parts};
use shared::text::is_border;

/// Where a page of results begins, as `GET /api/search` is asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Further {
    /// `before`: results are older than this.
    pub before: Timestamp,
    /// `skip`: so many of those are known.
    pub skip: u32,
}

/// Where the page after these results begins; `None`: there are none, so the first page is meant. Of a millisecond with more
/// than [`SEARCH_SKIP_MAX`] results the rest is passed over: the server skips no more.
#[must_use]
pub fn further(known: &[SearchResult]) -> Option<Further> {
    let last = known.last()?.event.at;
    let told = known.iter().rev().take_while(|result| result.event.at == last).count();
    Some(match u32::try_from(told) {
        Ok(skip) if skip <= SEARCH_SKIP_MAX => {
            Further { before: Timestamp::from_millis(last.as_millis().saturating_add(1)), skip }
        }
        _ => Further { before: last, skip: 0 },
    })
}

/// A query in which each `before:` and `after:` names the moment at which its day begins for the person, in milliseconds
/// since 1970, as far as `begins` knows a day by that name.
#[must_use]
pub fn with_moments(query: &str, begins: impl Fn(&str) -> Option<Timestamp>) -> String {
    let (mut text, mut copied) = (String::new(), 0);
    for part in query_parts(query) {
        if let QueryPart::Filter("before" | "after", day) = part
            && let Some(at) = begins(day)
        {
            // The day is a part of the query itself.
            let from = day.as_ptr().addr() - query.as_ptr().addr();
            text.push_str(&query[copied..from]);
            text.push_str(&at.as_millis().to_string());
            copied = from + day.len();
        }
    }
    text.push_str(&query[copied..]);
    text
}

/// Characters of a message that are shown, and of them before what was found.
const SHOWN_CHARS: usize = 240;
const BEFORE_CHARS: usize = 60;

/// The words and phrases of a query, as they were typed, without its filters.
#[must_use]
pub fn wanted(query: &str) -> Vec<String> {
    let words = |part| match part {
        QueryPart::Words(words) => Some(words.to_owned()),
        QueryPart::Filter(..) => None,
    };
    query_parts(query).filter_map(words).collect()
}

/// A part of a text that begins a little before the first thing that is wanted. `fold` is [`shared::fold::fold`].
#[must_use]
pub fn excerpt(text: &str, wanted: &[String], fold: impl Fn(&str) -> String) -> String {
    let form = fold(text);
    let first = next(&form, 0, &needles(&form, wanted, &fold)).map_or(0, |(at, _)| start(text, at, &fold));
    let skipped = text[..first].chars().count().saturating_sub(BEFORE_CHARS);
    let mut excerpt: String = text.chars().skip(skipped).take(SHOWN_CHARS).collect();
    if skipped > 0 {
        excerpt.insert(0, '…');
    }
    if text.chars().count() > skipped + SHOWN_CHARS {
        excerpt.push('…');
    }
    excerpt
}

/// A text in parts, and which of them are wanted, however they are spelled. For an [`excerpt`]: the work for each mark grows
/// with the text. `fold` is [`shared::fold::fold`].
#[must_use]
pub fn marked<'a>(text: &'a str, wanted: &[String], fold: impl Fn(&str) -> String) -> Vec<(&'a str, bool)> {
    let form = fold(text);
    let needles = needles(&form, wanted, &fold);
    let (mut parts, mut from, mut begin) = (Vec::new(), 0, 0);
    while let Some((at, length)) = next(&form, from, &needles) {
        from = at + length;
        let (hit, end) = (start(text, at, &fold).max(begin), end(text, from, &fold));
        if hit < end {
            parts.push((&text[begin..hit], false));
            parts.push((&text[hit..end], true));
            begin = end;
        }
    }
    parts.push((&text[begin..], false));
    parts.retain(|(part, _)| !part.is_empty());
    parts
}

/// Needles for a folded text: each phrase as a whole, or, where it is not there as a whole, its words.
fn needles(form: &str, wanted: &[String], fold: impl Fn(&str) -> String) -> Vec<String> {
    let mut needles = Vec::new();
    for one in wanted {
        let whole = fold(one);
        let found = Words::of(&whole);
        if found.is_empty() {
            continue;
        }
        let whole = vec![whole];
        match next(form, 0, &whole) {
            Some(_) => needles.extend(whole),
            None => needles.extend(
                [found.words, found.symbols].iter().flat_map(|words| words.split_whitespace()).map(str::to_owned),
            ),
        }
    }
    needles
}

/// The next place at which one of these stands where a word begins, and its length; the longest of several.
fn next(form: &str, from: usize, needles: &[String]) -> Option<(usize, usize)> {
    let of = |needle: &String| {
        let mut places = form[from..].match_indices(needle.as_str()).map(|(at, _)| from + at);
        places.find(|at| begins_word(form, *at)).map(|at| (at, needle.len()))
    };
    needles.iter().filter_map(of).min_by_key(|(at, length)| (*at, usize::MAX - length))
}

fn begins_word(form: &str, at: usize) -> bool {
    let (Some(before), Some(first)) = (form[..at].chars().next_back(), form[at..].chars().next()) else { return true };
    is_border(before, first) || (first.is_ascii_digit() && before.is_alphabetic())
}

/// Beginning, in a text, of what stands at a place of its folded form.
fn start(text: &str, at: usize, fold: impl Fn(&str) -> String) -> usize {
    let places = places(text);
    let later = places.partition_point(|place| fold(&text[..*place]).len() <= at);
    places[later.saturating_sub(1)]
}

/// End, in a text, of what ends at a place of its folded form, with marks and invisible characters behind it.
fn end(text: &str, at: usize, fold: impl Fn(&str) -> String) -> usize {
    let places = places(text);
    let whole = |place: &usize| fold(&text[..*place]).len();
    let reached = places.partition_point(|place| whole(place) < at);
    let reached = places.get(reached).map_or(at, whole);
    let later = places.partition_point(|place| whole(place) <= reached);
    places[later.saturating_sub(1)]
}

/// The borders between the characters of a text, its beginning and its end among them.
fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::event::{Event, EventKind};
    use shared::fold::fold;
    use shared::ids::{CommandId, ConversationId, Seq, UserId};
    use shared::message::Message;

    fn result(number: usize, at: u64) -> SearchResult {
        let (conversation, sender) =
            (ConversationId::v7(Timestamp::default(), [1; 10]), UserId::v7(Timestamp::default(), [1; 10]));
        let message = Message::new(CommandId::v7(Timestamp::default(), [1; 10]), "tea".into(), None);
        let seq = Seq::new(number as u64 + 1).expect("from 1");
        let kind = EventKind::Message(message);
        SearchResult { conversation, event: Event { conversation, seq, at: Timestamp::from_millis(at), sender, kind } }
    }

    /// A page as the server gives it, of all results, the newest first; and whether there are more.
    fn page(all: &[SearchResult], from: Option<Further>, limit: usize) -> (Vec<SearchResult>, bool) {
        let before = from.map_or(u64::MAX, |from| from.before.as_millis());
        let skip = from.map_or(0, |from| from.skip);
        assert!(skip <= SEARCH_SKIP_MAX, "the server refuses more");
        let older = all.iter().filter(|result| result.event.at.as_millis() < before);
        let mut rest = older.skip(skip as usize).cloned();
        let mut page: Vec<_> = rest.by_ref().take(limit).collect();
        let Some(next) = rest.next() else { return (page, false) };
        // A page ends between two milliseconds, unless it has one alone.
        let end = page.iter().rposition(|result| result.event.at != next.event.at).map_or(page.len(), |at| at + 1);
        page.truncate(end);
        (page, true)
    }

    fn all_pages(all: &[SearchResult], limit: usize) -> Vec<SearchResult> {
        let mut known = Vec::new();
        loop {
            let (found, has_more) = page(all, further(&known), limit);
            known.extend(found);
            if !has_more {
                return known;
            }
        }
    }

    /// A text with what is marked in it in brackets.
    fn marks(text: &str, query: &str) -> String {
        let parts = marked(text, &wanted(query), fold);
        let whole: String = parts.iter().map(|(part, _)| *part).collect();
        assert_eq!(whole, text);
        parts.into_iter().map(|(part, is_hit)| if is_hit { format!("[{part}]") } else { part.to_owned() }).collect()
    }

    #[test]
    fn what_was_looked_for_is_marked_however_it_is_spelled_and_filters_are_not() {
        for (text, query, expected) in [
            ("Green TEA is here", "Tea \"is ready\" from:ada", "Green [TEA] [is] here"),
            ("adaXYZ ada Lovelace", "from:\"Ada Lovelace\" adaXYZ", "[adaXYZ] ada Lovelace"),
            ("Crème brûlée", "creme brulee", "[Crème] [brûlée]"),
            ("Cre\u{300}me bru\u{302}le\u{301}e!", "\"creme brulee\"", "[Cre\u{300}me bru\u{302}le\u{301}e]!"),
            ("İstanbul Işık", "istanbul isik", "[İstanbul] [Işık]"),
            ("in der Straße", "strasse", "in der [Straße]"),
            ("in der Straße", "stras", "in der [Straß]e"),
            ("ＡＢＣ商事 １０時", "abc 10時", "[ＡＢＣ]商事 [１０時]"),
            ("서울에서", "울에", "서[울에]서"),
            ("Donau\u{ad}dampfschiff", "donaudampf", "[Donau\u{ad}dampf]schiff"),
            ("steak and tea", "tea", "steak and [tea]"),
            ("it is v1.20.3 now", "1.20.3", "it is v[1.20.3] now"),
            ("don’t ask Jean-Luc", "don't \"jean luc\"", "[don’t] ask [Jean]-[Luc]"),
            ("party 🎉 time", "🎉 time", "party [🎉] [time]"),
            ("مُحَمَّد هنا", "محمد", "[مُحَمَّد] هنا"),
            ("nothing", "else in:here", "nothing"),
            ("nothing", "()", "nothing"),
        ] {
            assert_eq!(marks(text, query), expected, "{query}");
        }
    }

    #[test]
    fn an_excerpt_begins_a_little_before_the_first_thing_that_is_wanted() {
        let text = format!("{}Crème brûlée {}", "hay ".repeat(200), "hay ".repeat(100));
        let shown = excerpt(&text, &wanted("creme brulee"), fold);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("Crème brûlée"), "{shown}");
        assert_eq!(shown.chars().count(), SHOWN_CHARS + 2);
        assert_eq!(shown.find("Crème").map(|at| shown[..at].chars().count()), Some(BEFORE_CHARS + 1));
        assert_eq!(excerpt("short", &wanted("short"), fold), "short");
        assert_eq!(excerpt("", &wanted("short"), fold), "");
    }

    #[test]
    fn days_of_a_query_are_the_person_s() {
        let begins = |day: &str| day.starts_with("2026-").then(|| Timestamp::from_millis(1_795_680_000_000));
        let table = [
            ("tea after:2026-11-27 before:\"2026-11-28\" ", "tea after:1795680000000 before:\"1795680000000\" "),
            ("\"before:2026-11-27\" ok", "\"before:2026-11-27\" ok"),
            ("from:\"Ada before:2026-11-27", "from:\"Ada before:2026-11-27"),
            ("in: before:x after: 2026-11-27", "in: before:x after: 2026-11-27"),
            ("xbefore:2026-11-27  \"a\"after:2026-11-27", "xbefore:2026-11-27  \"a\"after:1795680000000"),
            ("", ""),
        ];
        for (typed, asked) in table {
            assert_eq!(with_moments(typed, begins), asked);
        }
    }

    #[test]
    fn messages_of_one_millisecond_are_all_found_however_many_they_are() {
        let all: Vec<_> = (0..65).map(|number| result(number, 7)).collect();
        assert_eq!(all_pages(&all, 20), all);
        assert_eq!(further(&[]), None);
    }

    #[test]
    fn a_millisecond_with_more_than_the_server_skips_is_left_for_the_one_before() {
        let crowd: Vec<_> = (0..=SEARCH_SKIP_MAX as usize).map(|number| result(number, 7)).collect();
        let further_of = |count: usize| further(&crowd[..count]).expect("there are some");
        let last = Timestamp::from_millis(7);
        assert_eq!(
            further_of(crowd.len() - 1),
            Further { before: Timestamp::from_millis(8), skip: SEARCH_SKIP_MAX },
            "as many as the server skips"
        );
        assert_eq!(further_of(crowd.len()), Further { before: last, skip: 0 });
    }

    proptest! {
        #[test]
        fn a_query_without_days_stays_as_it_was_typed(text in "(\\PC|from:|before:|\"| |has:){0,60}") {
            prop_assert_eq!(with_moments(&text, |_| None), text);
        }

        #[test]
        fn marks_are_the_whole_text(text in "([a-c ]|ß|é|e\u{301}|İ|가|か\u{3099}|\u{ad}|🎉|1|\\PC){0,30}", query in "([a-c ]|ss|e|i|가|が|🎉|1|\\PC){0,8}") {
            marks(&text, &query);
            let _ = excerpt(&text, &wanted(&query), fold);
        }

        #[test]
        fn pages_together_are_all_results_each_once(mut times in prop::collection::vec(0_u64..8, 0..120), limit in 1_usize..30) {
            times.sort_unstable_by(|one, other| other.cmp(one));
            let all: Vec<_> = times.iter().enumerate().map(|(number, at)| result(number, *at)).collect();
            prop_assert_eq!(all_pages(&all, limit), all);
        }
    }
}
