//! What is kept of the rows, and that what was let go comes back as it is.

use super::*;

/// So many rows are kept, in these tests.
const MOST: usize = 8;
/// So many events make a page.
const PAGE: usize = 4;

/// A log of messages alone.
fn message(number: u64) -> Event {
    noted(number, EventKind::Message(Message::new(command(number), format!("{number}"), None)))
}

fn windowed() -> Timeline {
    Timeline::new(conversation()).windowed(MOST)
}

/// At the end of a log of so many messages.
fn at_end(last: u64) -> Timeline {
    let mut timeline = windowed();
    let page = page((last.saturating_sub(PAGE as u64) + 1..=last).map(message), last > PAGE as u64);
    give(&mut timeline, Load::Newest, page);
    timeline
}

/// The server's answer to what is asked, from a log that has come to its end.
fn answer(load: Load, log: &[Event]) -> EventList {
    let index = |cursor: Cursor| usize::try_from(cursor.get()).expect("small");
    let (start, end) = match load {
        Load::Newest => (log.len().saturating_sub(PAGE), log.len()),
        Load::Before(before) => ((index(before) - 1).saturating_sub(PAGE), index(before) - 1),
        Load::After(after) => (index(after).min(log.len()), (index(after) + PAGE).min(log.len())),
        Load::Around(seq) => {
            let at = usize::try_from(seq.get()).expect("small") - 1;
            (at.saturating_sub(PAGE / 2).min(log.len()), (at + PAGE / 2).min(log.len()))
        }
    };
    let more = if matches!(load, Load::After(_)) { end < log.len() } else { start > 0 };
    page((start..end).map(|index| folded(log, index)), more)
}

fn numbers(timeline: &Timeline) -> Vec<u64> {
    timeline.committed().iter().map(|row| row.seq().expect("committed").get()).collect()
}

/// Reads up until `MOST` rows are there and the newest were let go.
fn reading(log: &[Event]) -> Timeline {
    let mut timeline = windowed();
    give(&mut timeline, Load::Newest, answer(Load::Newest, log));
    timeline.set_reading(true);
    while timeline.is_at_newest() {
        let load = timeline.older().expect("there is more");
        give(&mut timeline, load, answer(load, log));
    }
    timeline
}

#[test]
fn at_the_end_the_oldest_rows_are_let_go_however_many_come() {
    let mut timeline = at_end(4);
    for number in 5..=1_000 {
        timeline.handle_event(message(number));
        timeline.check_invariants();
        assert!(timeline.rows().len() <= MOST);
        assert_eq!(numbers(&timeline).last(), Some(&number));
    }
    assert!(timeline.is_at_newest());
    let first = numbers(&timeline)[0];
    assert_eq!(timeline.older(), Some(Load::Before(cursor(first))), "they come back when they are wanted");
}

#[test]
fn while_history_is_read_no_row_moves_however_many_come() {
    let mut timeline = at_end(4);
    timeline.set_reading(true);
    for number in 5..=1_000 {
        let (changes, missing) = timeline.handle_event(message(number));
        assert!(!changes.iter().any(|change| matches!(change, Change::Remove(_) | Change::Reset)));
        assert_eq!(missing, None);
        timeline.check_invariants();
    }
    assert_eq!(numbers(&timeline), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((timeline.newer(), timeline.last()), (Some(Load::After(cursor(8))), Some(cursor(1_000))));
}

#[test]
fn reading_up_lets_the_newest_go_and_reading_down_brings_them_back() {
    let log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    while let Some(load) = timeline.older() {
        give(&mut timeline, load, answer(load, &log));
        timeline.check_invariants();
        assert!(timeline.rows().len() <= MOST);
    }
    assert_eq!(numbers(&timeline), [1, 2, 3, 4, 5, 6, 7, 8]);
    while let Some(load) = timeline.newer() {
        give(&mut timeline, load, answer(load, &log));
        timeline.check_invariants();
        assert!(timeline.rows().len() <= MOST);
    }
    assert_eq!(numbers(&timeline), [33, 34, 35, 36, 37, 38, 39, 40]);
    timeline.handle_event(message(41));
    assert_eq!(timeline.last(), Some(cursor(41)));
}

#[test]
fn what_happens_to_a_row_shows_while_newer_ones_are_not_kept() {
    let log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    let row = numbers(&timeline)[0];
    timeline.handle_event(edited(41, row, "new"));
    timeline.handle_event(reacted(42, row, 2, true));
    let shown = timeline.get(seq(row)).expect("kept");
    assert_eq!((shown.content.as_str(), shown.reactions.len()), ("new", 1));
}

#[test]
fn rows_that_come_back_have_what_happened_to_them_meanwhile() {
    let mut log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    log.extend([edited(41, 39, "new"), reacted(42, 39, 2, true), deleted(43, 40)]);
    log[40..].iter().for_each(|event| drop(timeline.handle_event(event.clone())));
    while let Some(load) = timeline.newer() {
        give(&mut timeline, load, answer(load, &log));
    }
    assert_eq!(timeline.committed(), &fresh(&log)[40 - timeline.committed().len()..]);
}

#[test]
fn what_happens_while_its_page_is_on_its_way_is_not_lost() {
    for is_up in [true, false] {
        let mut log: Vec<_> = (1..=40).map(message).collect();
        let mut timeline = reading(&log);
        let load = if is_up { timeline.older() } else { timeline.newer() }.expect("there is more");
        let loading = timeline.begin(load).expect("not being loaded");
        let stale = answer(load, &log);
        let target = stale.events[1].seq.get();
        let event = reacted(log.len() as u64 + 1, target, 2, true);
        timeline.handle_event(event.clone());
        log.push(event);
        timeline.handle_page(loading, stale);
        assert_eq!(timeline.get(seq(target)).expect("loaded").reactions.len(), 1, "{load:?}");
    }
}

#[test]
fn ones_own_messages_stay_in_view_wherever_one_reads() {
    let log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    sending(&mut timeline, 41);
    sending(&mut timeline, 90);
    timeline.set_pending(command(90), RowState::Failed("too long".into()));
    timeline.handle_accepted(message(41));
    timeline.check_invariants();
    let own: Vec<_> = timeline.rows()[timeline.committed().len()..].iter().map(|row| row.state.clone()).collect();
    assert_eq!(own, [RowState::Accepted(seq(41)), RowState::Failed("too long".into())]);
    let log: Vec<_> = (1..=41).map(message).collect();
    while let Some(load) = timeline.newer() {
        give(&mut timeline, load, answer(load, &log));
        timeline.check_invariants();
    }
    assert_eq!(numbers(&timeline).last(), Some(&41));
    assert_eq!(timeline.rows().len(), timeline.committed().len() + 1, "what was refused is still there");
}

#[test]
fn the_way_back_to_the_end_is_one_page() {
    let log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    timeline.set_reading(false);
    let (changes, _) = give(&mut timeline, Load::Newest, answer(Load::Newest, &log));
    assert_eq!((changes, timeline.is_at_newest()), (vec![Change::Reset], true));
    assert_eq!(numbers(&timeline), [37, 38, 39, 40]);
}

#[test]
fn the_way_back_is_found_where_messages_come_faster_than_pages() {
    let mut log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = reading(&log);
    timeline.set_reading(false);
    let loading = timeline.begin(Load::Newest).expect("not being loaded");
    let stale = answer(Load::Newest, &log);
    log.extend((41..=43).map(message));
    log[40..].iter().for_each(|event| drop(timeline.handle_event(event.clone())));
    timeline.handle_page(loading, stale);
    assert_eq!(numbers(&timeline), [37, 38, 39, 40]);
    let load = timeline.newer().expect("three are missing");
    give(&mut timeline, load, answer(load, &log));
    assert_eq!((timeline.is_at_newest(), numbers(&timeline).last()), (true, Some(&43)));
}

#[test]
fn a_conversation_that_is_left_keeps_its_end_or_is_loaded_again() {
    let mut timeline = at_end(4);
    (5..=8).for_each(|number| drop(timeline.handle_event(message(number))));
    timeline.rest(3);
    assert_eq!((numbers(&timeline), timeline.is_loaded()), (vec![6, 7, 8], true));
    let mut timeline = reading(&(1..=40).map(message).collect::<Vec<_>>());
    sending(&mut timeline, 90);
    timeline.rest(3);
    assert_eq!((timeline.is_loaded(), timeline.rows().len()), (false, 1));
}

#[test]
fn a_message_anywhere_is_one_page_away_and_from_there_it_goes_both_ways() {
    let log: Vec<_> = (1..=40).map(message).collect();
    for is_first in [true, false] {
        let mut timeline = if is_first { windowed() } else { at_end(40) };
        timeline.set_reading(true);
        assert_eq!(timeline.handle_last_seq(cursor(40)).is_some(), is_first);
        let load = Load::Around(seq(20));
        let (changes, missing) = give(&mut timeline, load, answer(load, &log));
        timeline.check_invariants();
        assert_eq!((changes, missing), (vec![Change::Reset], None));
        assert_eq!(numbers(&timeline), [18, 19, 20, 21]);
        assert_eq!(timeline.older(), Some(Load::Before(cursor(18))));
        assert_eq!(timeline.newer(), Some(Load::After(cursor(21))));
        assert_eq!(timeline.handle_event(message(41)).1, None, "nothing is missing");
    }
}

#[test]
fn around_the_beginning_and_the_end_there_is_nothing_more_on_that_side() {
    let log: Vec<_> = (1..=40).map(message).collect();
    let mut timeline = at_end(40);
    timeline.set_reading(true);
    let load = Load::Around(seq(1));
    give(&mut timeline, load, answer(load, &log));
    assert_eq!((numbers(&timeline), timeline.older()), (vec![1, 2], None));
    let load = Load::Around(seq(40));
    give(&mut timeline, load, answer(load, &log));
    assert_eq!((numbers(&timeline), timeline.newer()), (vec![38, 39, 40], None));
    assert!(timeline.is_at_newest());
}

#[test]
fn around_a_place_of_a_log_of_which_nothing_is_known_there_is_nothing() {
    let mut timeline = windowed();
    let load = Load::Around(seq(3));
    let (changes, missing) = give(&mut timeline, load, answer(load, &(1..=9).map(message).collect::<Vec<_>>()));
    assert_eq!((changes, missing, timeline.is_loaded()), (vec![], None, false));
}

/// Who reacted, whatever the order.
fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for reaction in rows.iter_mut().flat_map(|row| &mut row.reactions) {
        reaction.users.sort();
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// A log grows while somebody walks up and down in it, answers come late, and things happen to
    /// messages in and out of sight. What is kept is bounded, and once all has come it is the log's.
    #[test]
    fn wherever_one_reads_the_rows_are_those_of_the_log(
        plan in prop::collection::vec((0u8..10, any::<u64>(), any::<u8>()), 20..80),
        steps in prop::collection::vec((any::<usize>(), 0u8..10), 0..160),
    ) {
        let log = log(&plan);
        let (mut grown, mut heard) = (0, 0);
        let mut timeline = windowed();
        let mut copy = Vec::new();
        let mut asked: Vec<(Loading, Option<EventList>)> = Vec::new();
        for (number, what) in steps {
            let changes = match what {
                0..3 => {
                    grown = (grown + 1 + number % 3).min(log.len());
                    vec![]
                }
                3 | 4 if heard < grown => {
                    heard += 1;
                    // What the newest page has brought already comes again and changes nothing.
                    timeline.handle_event(log[heard - 1].clone()).0
                }
                5 => {
                    let load = match number % 4 {
                        0 if number % 3 == 0 && grown > 0 => Seq::new(1 + (number as u64 / 7) % grown as u64).map(Load::Around),
                        _ if !timeline.is_loaded() => Some(Load::Newest),
                        0 => timeline.newer(),
                        1 if !timeline.is_at_newest() => Some(Load::Newest),
                        _ => timeline.older(),
                    };
                    asked.extend(load.and_then(|load| timeline.begin(load)).map(|loading| (loading, None)));
                    vec![]
                }
                6 if !asked.is_empty() => {
                    let index = number % asked.len();
                    let (loading, page) = &mut asked[index];
                    page.get_or_insert_with(|| answer(loading.load, &log[..grown]));
                    vec![]
                }
                7 if !asked.is_empty() => {
                    let (loading, page) = asked.swap_remove(number % asked.len());
                    let page = page.unwrap_or_else(|| answer(loading.load, &log[..grown]));
                    timeline.handle_page(loading, page).0
                }
                8 => {
                    timeline.set_reading(number % 3 > 0);
                    vec![]
                }
                9 if number % 8 == 0 => timeline.rest(3),
                9 => {
                    timeline.handle_last_seq(cursor(grown as u64));
                    vec![]
                }
                _ => vec![],
            };
            mirror(&mut copy, &timeline, changes);
        }
        for (loading, page) in asked {
            let page = page.unwrap_or_else(|| answer(loading.load, &log[..grown]));
            let (changes, _) = timeline.handle_page(loading, page);
            mirror(&mut copy, &timeline, changes);
        }
        if !timeline.is_loaded() {
            let loading = timeline.begin(Load::Newest).expect("not being loaded");
            let (changes, _) = timeline.handle_page(loading, answer(Load::Newest, &log[..grown]));
            mirror(&mut copy, &timeline, changes);
        }
        for event in &log[heard..] {
            let (changes, _) = timeline.handle_event(event.clone());
            mirror(&mut copy, &timeline, changes);
        }
        let all = sorted(&fresh(&log));
        let is_part = |timeline: &Timeline| {
            let rows = sorted(timeline.committed());
            rows.is_empty() || all.windows(rows.len()).any(|part| part == rows)
        };
        prop_assert!(is_part(&timeline), "{:#?}", timeline.rows());
        timeline.set_reading(true);
        for up in [true, false, true] {
            while let Some(load) = if up { timeline.older() } else { timeline.newer() } {
                let loading = timeline.begin(load).expect("not being loaded");
                let (changes, _) = timeline.handle_page(loading, answer(load, &log));
                mirror(&mut copy, &timeline, changes);
                prop_assert!(is_part(&timeline), "{:#?}", timeline.rows());
                prop_assert!(timeline.committed().len() <= MOST);
            }
            let rows = sorted(timeline.committed());
            let is_all_the_way = if up { all.starts_with(&rows) } else { all.ends_with(&rows) };
            prop_assert!(is_all_the_way);
        }
        prop_assert!(timeline.ahead_texts.len() <= MOST);
    }
}
