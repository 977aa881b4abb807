//! What is asked for, and pages of what was found: where the next one begins.
//!
//! A day is the person's, and the server knows no place on Earth: [`with_moments`] names the moments at which days begin.
//!
//! The server ends a page between two milliseconds. Where more was said in one millisecond than a page has room for, the
//! next page begins in that millisecond and skips what was told of it already.

use shared::ids::Timestamp;
use shared::limits::SEARCH_SKIP_MAX;
use shared::search::SearchResult;

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
/// since 1970, as far as `begins` knows a day by that name. It is read as the server reads it, so what stands in quotes or
/// behind another filter stays.
#[must_use]
pub fn with_moments(query: &str, begins: impl Fn(&str) -> Option<Timestamp>) -> String {
    let (mut text, mut rest) = (String::new(), query);
    while let Some(first) = rest.chars().next() {
        let (part, filter) = if first.is_whitespace() {
            (rest.split_at(first.len_utf8()), "")
        } else {
            let filter = FILTERS.into_iter().find(|filter| rest.starts_with(filter)).unwrap_or_default();
            let value = &rest[filter.len()..];
            let length = match value.strip_prefix('"') {
                Some(quoted) => quoted.find('"').map_or(value.len(), |end| end + 2),
                None => value.find(char::is_whitespace).unwrap_or(value.len()),
            };
            (value.split_at(length), filter)
        };
        text.push_str(filter);
        let is_day = matches!(filter, "before:" | "after:");
        match Some(part.0.trim_matches('"')).filter(|_| is_day).and_then(&begins) {
            Some(at) => text.push_str(&at.as_millis().to_string()),
            None => text.push_str(part.0),
        }
        rest = part.1;
    }
    text
}

/// What stands before a filter's value.
const FILTERS: [&str; 5] = ["from:", "in:", "before:", "after:", "has:"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::event::{Event, EventKind};
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

    #[test]
    fn days_of_a_query_are_the_person_s() {
        let begins = |day: &str| day.starts_with("2026-").then(|| Timestamp::from_millis(1_795_680_000_000));
        let table = [
            ("tea after:2026-11-27 before:\"2026-11-28\" ", "tea after:1795680000000 before:1795680000000 "),
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
        fn pages_together_are_all_results_each_once(mut times in prop::collection::vec(0_u64..8, 0..120), limit in 1_usize..30) {
            times.sort_unstable_by(|one, other| other.cmp(one));
            let all: Vec<_> = times.iter().enumerate().map(|(number, at)| result(number, *at)).collect();
            prop_assert_eq!(all_pages(&all, limit), all);
        }
    }
}
