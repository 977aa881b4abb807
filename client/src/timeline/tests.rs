use super::*;
use proptest::prelude::*;
use shared::conversation::EventList;
use shared::event::EventKind;
use shared::message::{Deleted, Edited, Message, Target};
use shared::reaction::{Reacted, Reaction};

mod kept;
mod window;

fn at(number: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + number)
}

fn command(number: u64) -> CommandId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    CommandId::v7(at(0), random)
}

fn user(number: u8) -> UserId {
    UserId::v7(at(0), [number; 10])
}

fn ada() -> UserId {
    user(1)
}

fn conversation() -> ConversationId {
    ConversationId::v7(at(0), [2; 10])
}

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("in range")
}

fn cursor(number: u64) -> Cursor {
    Cursor::new(number).expect("in range")
}

fn noted(number: u64, kind: EventKind) -> Event {
    Event { conversation: conversation(), seq: seq(number), at: at(number), sender: ada(), kind }
}

/// Event `number` of a log in which every seventh shows as nothing.
fn event(number: u64) -> Event {
    let kind = if number.is_multiple_of(7) {
        EventKind::Unknown
    } else {
        EventKind::Message(Message::new(command(number), format!("{number}"), None))
    };
    noted(number, kind)
}

fn edited(number: u64, target: u64, content: &str) -> Event {
    noted(
        number,
        EventKind::Edited(Edited {
            target: seq(target),
            content: content.into(),
            mentions: vec![],
            mention_names: vec![],
        }),
    )
}

fn deleted(number: u64, target: u64) -> Event {
    noted(number, EventKind::Deleted(Deleted { target: seq(target) }))
}

fn reacted(number: u64, target: u64, by: u8, on: bool) -> Event {
    let kind = EventKind::Reacted(Reacted { target: seq(target), emoji: "👍".into(), on });
    Event { sender: user(by), ..noted(number, kind) }
}

fn texts(timeline: &Timeline) -> Vec<&str> {
    timeline.rows().iter().map(|row| row.content.as_str()).collect()
}

fn page(events: impl IntoIterator<Item = Event>, more: bool) -> EventList {
    EventList { events: events.into_iter().collect(), more }
}

fn give(timeline: &mut Timeline, load: Load, page: EventList) -> (Vec<Change>, Option<Missing>) {
    let loading = timeline.begin(load).expect("not being loaded");
    timeline.handle_page(loading, page)
}

fn loaded(first: u64, last: u64) -> Timeline {
    let mut timeline = Timeline::new(conversation());
    give(&mut timeline, Load::Newest, page((first..=last).map(event), first > 1));
    timeline
}

fn sending(timeline: &mut Timeline, number: u64) -> Vec<Change> {
    let to = Target::Conversation(conversation());
    let send = Send { id: command(number), to, content: format!("{number}"), reply_to: None, attachments: vec![] };
    timeline.push_pending(&send, Vec::new(), ada(), at(0))
}

#[test]
fn an_event_behind_a_gap_waits_until_the_gap_is_closed() {
    let mut timeline = loaded(1, 3);
    assert_eq!(timeline.handle_event(event(6)), (vec![], Some(Missing::After(cursor(3)))));
    timeline.handle_event(event(4));
    let (_, missing) = timeline.handle_event(event(5));
    assert_eq!((missing, texts(&timeline)), (None, vec!["1", "2", "3", "4", "5", "6"]));
}

#[test]
fn what_comes_twice_is_shown_once() {
    let mut timeline = loaded(1, 3);
    for number in [2, 3, 4, 4, 3, 5, 4] {
        timeline.handle_event(event(number));
    }
    assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5"]);
}

#[test]
fn events_that_arrive_while_the_first_page_loads_are_kept() {
    let mut timeline = Timeline::new(conversation());
    assert_eq!(timeline.handle_event(event(4)), (vec![], None));
    assert_eq!(timeline.handle_event(event(5)), (vec![], None));
    give(&mut timeline, Load::Newest, page((2..=4).map(event), true));
    assert_eq!(texts(&timeline), ["2", "3", "4", "5"]);
    assert_eq!(timeline.older(), Some(Load::Before(cursor(2))));
}

#[test]
fn older_rows_go_in_front_and_only_where_they_belong() {
    let mut timeline = loaded(5, 6);
    assert_eq!(give(&mut timeline, Load::Before(cursor(3)), page((1..=2).map(event), true)).0, vec![]);
    give(&mut timeline, Load::Before(cursor(5)), page((3..=4).map(event), true));
    give(&mut timeline, Load::Before(cursor(3)), page((1..=2).map(event), false));
    assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(timeline.older(), None);
}

#[test]
fn a_page_asked_for_before_a_reset_does_not_count() {
    let mut timeline = Timeline::new(conversation());
    let old = timeline.begin(Load::Newest).expect("the first");
    assert_eq!(timeline.begin(Load::Newest), None, "once at a time");
    timeline.reset();
    let new = timeline.begin(Load::Newest).expect("the old one is void");
    timeline.handle_page(old, page((1..=9).map(event), false));
    assert!(!timeline.is_loaded());
    timeline.handle_page(new, page((1..=2).map(event), false));
    assert_eq!(texts(&timeline), ["1", "2"]);
}

#[test]
fn a_page_that_was_overtaken_takes_nothing_away() {
    let mut timeline = loaded(1, 2);
    let loading = timeline.begin(Load::Newest).expect("the first");
    timeline.handle_event(event(3));
    timeline.handle_page(loading, page((1..=2).map(event), false));
    assert_eq!(texts(&timeline), ["1", "2", "3"]);
}

#[test]
fn ones_own_message_is_one_row_from_the_keypress_on() {
    let mut timeline = loaded(1, 2);
    sending(&mut timeline, 3);
    assert_eq!(timeline.rows()[2].state, RowState::Pending);
    let (changes, _) = timeline.handle_accepted(event(3));
    assert!(matches!(&changes[..], [Change::Update(2, row)] if row.key == command(3) && row.content == "3"));
    assert_eq!(timeline.handle_event(event(3)), (vec![], None));
}

#[test]
fn somebody_elses_message_in_between_takes_its_place() {
    let mut timeline = loaded(1, 2);
    sending(&mut timeline, 4);
    timeline.handle_event(event(3));
    assert_eq!(texts(&timeline), ["1", "2", "3", "4"]);
    timeline.handle_accepted(event(4));
    assert_eq!(texts(&timeline), ["1", "2", "3", "4"]);
}

#[test]
fn accepted_behind_a_gap_is_accepted_and_stands_right_once_the_gap_is_closed() {
    let mut timeline = loaded(1, 2);
    sending(&mut timeline, 5);
    let (_, missing) = timeline.handle_accepted(event(5));
    assert_eq!(missing, Some(Missing::After(cursor(2))));
    assert!(matches!(timeline.rows()[2].state, RowState::Accepted(_)));
    timeline.handle_event(event(3));
    timeline.handle_event(event(4));
    timeline.check_invariants();
    assert_eq!(texts(&timeline), ["1", "2", "3", "4", "5"]);
}

#[test]
fn accepted_far_back_is_not_left_at_the_end() {
    let mut timeline = loaded(10, 12);
    sending(&mut timeline, 5);
    timeline.handle_accepted(event(5));
    assert_eq!(texts(&timeline), ["10", "11", "12"]);
    sending(&mut timeline, 15);
    timeline.handle_accepted(event(15));
    give(&mut timeline, Load::Newest, page((20..=22).map(event), true));
    timeline.check_invariants();
    assert_eq!(texts(&timeline), ["20", "", "22"].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>());
}

#[test]
fn a_message_loaded_before_its_answer_is_one_row() {
    let mut timeline = Timeline::new(conversation());
    sending(&mut timeline, 3);
    give(&mut timeline, Load::Newest, page((1..=3).map(event), false));
    timeline.check_invariants();
    timeline.handle_accepted(event(3));
    assert_eq!(texts(&timeline), ["1", "2", "3"]);
}

#[test]
fn a_refused_message_stays_until_it_is_dropped() {
    let mut timeline = loaded(1, 1);
    sending(&mut timeline, 2);
    timeline.set_pending(command(2), RowState::Failed("too long".into()));
    timeline.handle_event(event(3));
    assert!(matches!(timeline.rows()[1].state, RowState::Failed(_)));
    assert_eq!(timeline.remove_pending(command(2)), vec![Change::Remove(1)]);
}

#[test]
fn after_a_reconnect_small_gaps_are_closed_and_large_ones_skipped() {
    let table = [
        (Some(10), None),
        (Some(9), None),
        (Some(11), Some(Missing::After(cursor(10)))),
        (Some(511), Some(Missing::Page)),
        (None, Some(Missing::After(cursor(10)))),
    ];
    for (last_seq, missing) in table {
        assert_eq!(loaded(1, 10).handle_welcome(last_seq.map(cursor)), missing, "{last_seq:?}");
    }
    assert_eq!(Timeline::new(conversation()).handle_welcome(Some(cursor(5))), Some(Missing::Page));
}

#[test]
fn a_page_older_than_what_the_server_has_come_to_is_not_all_there_is() {
    let mut timeline = Timeline::new(conversation());
    let before = timeline.begin(Load::Newest).expect("the first");
    timeline.handle_welcome(Some(cursor(5)));
    timeline.handle_page(before, page((1..=3).map(event), false));
    assert!(!timeline.is_loaded(), "it may be older than the welcome");
    let (_, missing) = give(&mut timeline, Load::Newest, page((1..=4).map(event), false));
    assert_eq!(missing, Some(Missing::After(cursor(4))));
}

#[test]
fn an_empty_conversation_grows_from_its_first_event() {
    let mut timeline = Timeline::new(conversation());
    give(&mut timeline, Load::Newest, page([], false));
    timeline.handle_event(event(1));
    timeline.handle_event(event(2));
    assert_eq!((texts(&timeline), timeline.older()), (vec!["1", "2"], None));
}

#[test]
fn a_row_shows_what_happened_to_it() {
    let mut timeline = loaded(1, 2);
    timeline.handle_event(edited(3, 1, "new"));
    timeline.handle_event(reacted(4, 1, 2, true));
    timeline.handle_event(reacted(5, 1, 3, true));
    timeline.handle_event(reacted(6, 1, 2, false));
    let row = timeline.get(seq(1)).expect("loaded");
    assert_eq!((row.content.as_str(), row.edited_at), ("new", Some(at(3))));
    assert_eq!(row.reactions, [Reaction { emoji: "👍".into(), users: vec![user(3)], more: 0 }]);
    timeline.handle_event(deleted(7, 1));
    let row = timeline.get(seq(1)).expect("loaded");
    assert_eq!((row.content.as_str(), row.deleted_at, row.reactions.len()), ("", Some(at(7)), 0));
    let (changes, _) = timeline.handle_event(edited(8, 1, "too late"));
    assert_eq!(changes, vec![]);
}

#[test]
fn what_happened_to_an_older_message_waits_for_its_page() {
    let mut timeline = loaded(5, 6);
    timeline.handle_event(edited(7, 2, "new"));
    timeline.handle_event(reacted(8, 2, 2, true));
    give(&mut timeline, Load::Before(cursor(5)), page([event(1), event(2), reacted(3, 2, 3, true), event(4)], false));
    let row = timeline.get(seq(2)).expect("loaded");
    assert_eq!((row.content.as_str(), row.edited_at), ("new", Some(at(7))));
    assert_eq!(row.reactions, [Reaction { emoji: "👍".into(), users: vec![user(3), user(2)], more: 0 }]);
}

#[test]
fn a_text_never_goes_back_to_an_older_one() {
    let mut timeline = loaded(5, 6);
    let mut message = Message::new(command(4), "third".into(), None);
    message.edited_at = Some(at(9));
    give(&mut timeline, Load::Before(cursor(5)), page([noted(4, EventKind::Message(message))], true));
    for (event, shown) in [
        (edited(7, 4, "first"), "third"),
        (edited(8, 4, "second"), "third"),
        (edited(9, 4, "third"), "third"),
        (edited(10, 4, "fourth"), "fourth"),
    ] {
        timeline.handle_event(event);
        assert_eq!(timeline.get(seq(4)).map(|row| row.content.as_str()), Some(shown));
    }
}

#[test]
fn when_too_much_happened_to_what_is_not_loaded_the_newest_page_is_loaded_again() {
    let mut timeline = Timeline::with_bounds(conversation(), Bounds { waiting: 3, ..Bounds::default() });
    give(&mut timeline, Load::Newest, page((10..=11).map(event), true));
    let loading = timeline.begin(Load::Before(cursor(10))).expect("the first");
    for number in 12..=16 {
        timeline.handle_event(reacted(number, number - 10, 2, true));
        timeline.check_invariants();
    }
    timeline.handle_page(loading, page((8..=9).map(event), true));
    assert_eq!(texts(&timeline), ["10", "11"], "what happened to it is not known any more");
    assert_eq!(timeline.older(), Some(Load::Newest));
}

/// Applies changes to a copy, as a page does.
fn mirror(rows: &mut Vec<Row>, timeline: &Timeline, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Reset => *rows = timeline.rows().to_vec(),
            Change::Insert(index, row) => rows.insert(index, row),
            Change::Update(index, row) => {
                assert_eq!(rows[index].key, row.key);
                rows[index] = row;
            }
            Change::Remove(index) => drop(rows.remove(index)),
        }
    }
    timeline.check_invariants();
    assert_eq!(timeline.rows(), &rows[..]);
}

/// A log of messages and of what happens to them, as drawn.
fn log(plan: &[(u8, u64, u8)]) -> Vec<Event> {
    let mut log: Vec<Event> = Vec::new();
    for (index, (what, pick, by)) in plan.iter().enumerate() {
        let number = index as u64 + 1;
        let targets: Vec<_> = log.iter().filter(|event| event.kind.as_message().is_some()).collect();
        let target = (!targets.is_empty()).then(|| targets[*pick as usize % targets.len()].seq.get());
        log.push(match (what, target) {
            (0, _) => noted(number, EventKind::Unknown),
            (1 | 2, Some(target)) => edited(number, target, &format!("{target} as of {number}")),
            (3, Some(target)) => deleted(number, target),
            (4 | 5, Some(target)) => reacted(number, target, by % 3, by % 2 == 0),
            _ => noted(number, EventKind::Message(Message::new(command(number), format!("{number}"), None))),
        });
    }
    log
}

/// The rows of a log, computed without a timeline: message by message, from the end of the log back.
fn fresh(log: &[Event]) -> Vec<Row> {
    let row = |event: &Event| {
        let message = event.kind.as_message()?;
        let of_it = || log.iter().filter_map(|other| Happened::of(other).map(|(target, _)| (target, other)));
        let happened: Vec<_> = of_it().filter(|(target, _)| *target == event.seq).map(|(_, other)| other).collect();
        let edit = happened.iter().rev().find_map(|other| match &other.kind {
            EventKind::Edited(edited) => Some((other.at, edited.content.clone())),
            _ => None,
        });
        let deleted_at =
            happened.iter().find(|other| matches!(other.kind, EventKind::Deleted(_))).map(|other| other.at);
        let mut users: Vec<UserId> = Vec::new();
        for other in &happened {
            if let EventKind::Reacted(reacted) = &other.kind {
                match users.iter().position(|user| *user == other.sender) {
                    Some(index) if !reacted.on => drop(users.remove(index)),
                    None if reacted.on => users.push(other.sender),
                    _ => {}
                }
            }
        }
        let is_there = deleted_at.is_none();
        Some(Row {
            attachments: Vec::new(),
            key: message.id,
            sender: event.sender,
            at: event.at,
            content: if is_there {
                edit.clone().map_or(message.content.clone(), |(_, text)| text)
            } else {
                String::new()
            },
            mentions: Vec::new(),
            mention_names: Vec::new(),
            reply_to: None,
            edited_at: edit.map(|(at, _)| at).filter(|_| is_there),
            deleted_at,
            reactions: if is_there && !users.is_empty() {
                vec![Reaction { emoji: "👍".into(), users, more: 0 }]
            } else {
                vec![]
            },
            state: RowState::Accepted(event.seq),
        })
    };
    log.iter().filter_map(row).collect()
}

/// An event as a page or a replay gives it when the log has come to `all`.
fn folded(all: &[Event], index: usize) -> Event {
    let mut event = all[index].clone();
    if let EventKind::Message(message) = &mut event.kind {
        let row = fresh(all).into_iter().find(|row| row.key == message.id).expect("it is in the log");
        (message.content, message.edited_at) = (row.content, row.edited_at);
        (message.deleted_at, message.reactions) = (row.deleted_at, row.reactions);
    }
    event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// A log grows; its events reach the reader late, out of order, twice or by a replay, mixed with own
    /// messages and with pages that are folded further than the events have come. What is shown is
    /// always a run of the log, and in the end all of it, with all that happened to it.
    #[test]
    fn whatever_order_things_come_in_the_rows_are_those_of_a_fresh_load(
        plan in prop::collection::vec((0u8..10, any::<u64>(), any::<u8>()), 1..40),
        steps in prop::collection::vec((any::<u64>(), 0u8..9), 0..100),
    ) {
        let log = log(&plan);
        let mut grown = 0;
        let mut timeline = Timeline::new(conversation());
        let mut copy = Vec::new();
        let mut pages: Vec<Loading> = Vec::new();
        let serve = |timeline: &mut Timeline, copy: &mut Vec<Row>, loading: Loading, grown: usize| {
            let end = match loading.load {
                Load::Newest => grown,
                Load::Before(before) => usize::try_from(before.get()).expect("small") - 1,
                Load::After(_) | Load::Around(_) => unreachable!("this timeline keeps all rows"),
            };
            let start = end.saturating_sub(4);
            let events = (start..end).map(|index| folded(&log[..grown], index));
            let (changes, _) = timeline.handle_page(loading, page(events, start > 0));
            mirror(copy, timeline, changes);
        };
        for (number, what) in steps {
            let index = usize::try_from(number).unwrap_or(usize::MAX) % log.len();
            let (changes, _) = match what {
                0 | 1 => {
                    grown = (grown + 1 + index % 3).min(log.len());
                    (vec![], None)
                }
                2 | 3 if index < grown => timeline.handle_event(log[index].clone()),
                4 if index < grown => timeline.handle_event(folded(&log[..grown], index)),
                5 if timeline.last().is_some_and(|last| last.get() < grown as u64) => {
                    let next = timeline.last().map_or(0, Cursor::get);
                    timeline.handle_event(folded(&log[..grown], usize::try_from(next).expect("small")))
                }
                6 if log[index].kind.as_message().is_some() && index >= grown => {
                    (sending(&mut timeline, index as u64 + 1), None)
                }
                7 => {
                    let load = if timeline.is_loaded() { timeline.older() } else { Some(Load::Newest) };
                    pages.extend(load.and_then(|load| timeline.begin(load)));
                    (vec![], None)
                }
                8 if !pages.is_empty() => {
                    let loading = pages.swap_remove(index % pages.len());
                    serve(&mut timeline, &mut copy, loading, grown);
                    (vec![], None)
                }
                _ => (vec![], None),
            };
            mirror(&mut copy, &timeline, changes);
        }
        for loading in pages {
            serve(&mut timeline, &mut copy, loading, grown);
        }
        if !timeline.is_loaded() {
            let loading = timeline.begin(Load::Newest).expect("not being loaded");
            serve(&mut timeline, &mut copy, loading, log.len());
        }
        for index in 0..log.len() {
            let (changes, _) = timeline.handle_event(folded(&log, index));
            mirror(&mut copy, &timeline, changes);
        }
        while let Some(load) = timeline.older() {
            let loading = timeline.begin(load).expect("not being loaded");
            serve(&mut timeline, &mut copy, loading, log.len());
        }
        prop_assert_eq!(timeline.committed(), &fresh(&log)[..]);
        prop_assert!(timeline.ahead_texts.is_empty());
    }
}
