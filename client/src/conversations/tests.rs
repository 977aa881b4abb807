use super::*;
use shared::conversation::ConversationKind;
use shared::event::EventKind;
use shared::ids::{CommandId, Seq, Timestamp};
use shared::message::Message;

fn at() -> Timestamp {
    Timestamp::from_millis(1)
}

fn person(number: u8) -> UserId {
    UserId::v7(at(), [number; 10])
}

fn conversation(number: u8) -> ConversationId {
    ConversationId::v7(at(), [number; 10])
}

fn cursor(number: u64) -> Cursor {
    Cursor::new(number).expect("in range")
}

fn summary(number: u8, last_seq: u64, read_seq: u64) -> Summary {
    Summary {
        id: conversation(number),
        kind: ConversationKind::Group,
        name: None,
        members: None,
        member_count: None,
        last_seq: cursor(last_seq),
        read_seq: cursor(read_seq),
        unread: last_seq - read_seq,
        topic: None,
        public: false,
        avatar: None,
        preferences: shared::conversation::Preferences::default(),
        last_event: None,
    }
}

fn message(number: u8, seq: u64, sender: u8) -> Event {
    let kind = EventKind::Message(Message::new(CommandId::v7(at(), [number; 10]), "x".into(), None));
    let seq = Seq::new(seq).expect("in range");
    Event { conversation: conversation(number), seq, at: at(), sender: person(sender), kind }
}

fn list() -> Conversations {
    let mut list = Conversations::default();
    list.handle_welcome(vec![summary(1, 5, 5), summary(2, 3, 1), summary(3, 0, 0)], false);
    list
}

#[test]
fn a_message_brings_its_conversation_to_the_top_and_counts() {
    let mut list = list();
    assert!(list.handle_event(&message(2, 4, 9), person(1)));
    assert_eq!(list.order(), [conversation(2), conversation(1), conversation(3)]);
    assert_eq!(list.unread(at()), 3);
    assert!(list.handle_event(&message(2, 4, 9), person(1)), "again");
    assert_eq!(list.unread(at()), 3);
}

#[test]
fn writing_is_reading() {
    let mut list = list();
    list.handle_event(&message(2, 4, 1), person(1));
    let known = list.get(conversation(2)).expect("known");
    assert_eq!((known.unread, known.read_seq), (0, cursor(4)));
}

#[test]
fn what_a_summary_includes_is_not_counted_again() {
    let mut list = list();
    list.handle_summary(summary(1, 7, 5));
    list.handle_event(&message(1, 7, 9), person(1));
    assert_eq!(list.get(conversation(1)).map(|known| known.unread), Some(2));
}

#[test]
fn reading_elsewhere_counts_here_even_if_it_is_told_late() {
    let mut list = list();
    list.handle_event(&message(2, 4, 9), person(1));
    list.handle_summary(summary(2, 3, 3));
    assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.last_seq)), Some((1, cursor(4))));
    list.handle_summary(summary(2, 4, 4));
    assert_eq!(list.unread(at()), 0);
}

#[test]
fn what_was_read_here_stays_read_when_an_older_word_arrives() {
    let mut list = list();
    list.read_all(conversation(2));
    list.handle_summary(summary(2, 3, 2));
    assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.read_seq)), Some((0, cursor(3))));
    list.handle_summary(summary(2, 5, 2));
    assert_eq!(list.get(conversation(2)).map(|known| (known.unread, known.read_seq)), Some((2, cursor(3))));
}

#[test]
fn reading_here_is_told_once() {
    let mut list = list();
    assert_eq!(list.read_all(conversation(2)), Some(cursor(3)));
    assert_eq!(list.read_all(conversation(2)), None);
    assert_eq!(list.read_all(conversation(3)), None);
    assert_eq!(list.unread(at()), 0);
}

#[test]
fn what_was_read_and_lost_with_the_connection_is_told_again() {
    let mut list = list();
    list.read_all(conversation(2));
    let lost = list.handle_welcome(vec![summary(1, 5, 5), summary(2, 3, 1)], false);
    assert_eq!(lost, [UpTo { conversation: conversation(2), seq: Seq::new(3).expect("in range") }]);
    assert_eq!(list.unread(at()), 0);
}

#[test]
fn a_count_behind_a_gap_is_asked_for() {
    let mut list = list();
    assert!(!list.handle_event(&message(1, 8, 9), person(1)));
    let asking = list.ask(conversation(1)).expect("the first");
    assert_eq!(list.ask(conversation(1)), None, "once at a time");
    assert!(list.handle_event(&message(1, 9, 9), person(1)) || list.get(conversation(1)).is_some());
    assert!(list.handle_answer(asking, Some(summary(1, 8, 5))));
    assert_eq!(list.get(conversation(1)).map(|known| known.unread), Some(4));
}

#[test]
fn one_that_was_left_is_gone_until_one_is_back() {
    let mut list = list();
    let asking = list.ask(conversation(1)).expect("the first");
    let kind = EventKind::Left(shared::conversation::Membership { user: person(1) });
    assert!(list.handle_event(&Event { kind, ..message(1, 6, 9) }, person(1)));
    list.handle_answer(asking, Some(summary(1, 5, 5)));
    assert_eq!(list.get(conversation(1)), None, "the answer is from before");
    list.handle_summary(summary(1, 7, 5));
    assert!(list.get(conversation(1)).is_some());
}

#[test]
fn an_answer_that_events_have_overtaken_is_asked_for_again() {
    let mut list = list();
    assert!(!list.handle_event(&message(9, 3, 9), person(1)));
    let asking = list.ask(conversation(9)).expect("the first");
    assert!(!list.handle_event(&message(9, 4, 9), person(1)));
    assert!(!list.handle_answer(asking, Some(summary(9, 3, 1))));
    let asking = list.ask(conversation(9)).expect("again");
    assert!(list.handle_answer(asking, Some(summary(9, 4, 1))));
    assert_eq!(list.get(conversation(9)).map(|known| known.unread), Some(3));
}

#[test]
fn an_answer_from_before_a_welcome_does_not_count() {
    let mut list = list();
    let asking = list.ask(conversation(1)).expect("the first");
    list.handle_welcome(vec![summary(2, 3, 1)], false);
    list.handle_answer(asking, Some(summary(1, 5, 5)));
    assert_eq!(list.get(conversation(1)), None);
}

#[test]
fn an_unknown_conversation_is_asked_for_and_a_new_one_comes_first() {
    let mut list = list();
    assert!(!list.handle_event(&message(9, 1, 9), person(1)));
    list.handle_summary(summary(9, 0, 0));
    assert_eq!(list.order()[0], conversation(9));
    list.handle_older(vec![summary(9, 0, 0), summary(8, 2, 0)], false);
    assert_eq!(list.order().last(), Some(&conversation(8)));
    assert_eq!(list.order().len(), 5);
}

fn named(number: u8) -> shared::account::User {
    let display_name = format!("Person {number}");
    shared::account::User { id: person(number), display_name, avatar: None, status: None, privacy: None, email: None }
}

/// A group with so many members, of whom the first are named.
fn group(members: u8, last_seq: u64) -> Summary {
    let shown = (1..=members.min(8)).map(named).collect();
    Summary { members: Some(shown), member_count: Some(members.into()), ..summary(1, last_seq, last_seq) }
}

fn changed(seq: u64, kind: EventKind) -> Event {
    Event { kind, ..message(1, seq, 9) }
}

fn joined(seq: u64, user: u8) -> Event {
    changed(seq, EventKind::Joined(shared::conversation::Membership { user: person(user) }))
}

fn left(seq: u64, user: u8) -> Event {
    changed(seq, EventKind::Left(shared::conversation::Membership { user: person(user) }))
}

fn renamed(seq: u64, name: &str) -> Event {
    changed(seq, EventKind::Renamed(shared::conversation::Renamed { name: name.into() }))
}

fn list_of(summary: Summary) -> Conversations {
    let mut list = Conversations::default();
    list.handle_welcome(vec![summary], false);
    list
}

/// Its name, how many are in it, and how many of them are named.
fn face(list: &Conversations) -> (Option<&str>, Option<u64>, usize) {
    let summary = list.get(conversation(1)).expect("known");
    (summary.name.as_deref(), summary.member_count, summary.members.iter().flatten().count())
}

#[test]
fn events_alone_change_the_name_and_the_number_of_members_of_a_large_group() {
    let mut list = list_of(group(100, 5));
    for event in [renamed(6, "Walks"), joined(7, 101), joined(8, 102), left(9, 3)] {
        assert!(list.handle_event(&event, person(1)), "nothing is asked for");
    }
    assert_eq!(face(&list), (Some("Walks"), Some(101), 7));
    let described = shared::conversation::Described { topic: Some("Hills".into()), public: true, avatar: None };
    assert!(list.handle_event(&changed(10, EventKind::Described(described)), person(1)));
    assert_eq!(
        list.get(conversation(1)).map(|known| (known.topic.as_deref(), known.public)),
        Some((Some("Hills"), true))
    );
}

#[test]
fn a_newcomer_of_a_small_group_is_asked_for_and_a_large_one_keeps_names_for_its_title() {
    let mut list = list_of(group(2, 5));
    assert!(!list.handle_event(&joined(6, 3), person(1)));
    let asking = list.ask(conversation(1)).expect("the first");
    assert!(!list.handle_event(&joined(7, 4), person(1)), "still");
    assert!(!list.handle_answer(asking, Some(group(3, 6))), "the answer names too few by now");
    assert_eq!(face(&list), (None, Some(4), 3));
    let asking = list.ask(conversation(1)).expect("again");
    assert!(list.handle_answer(asking, Some(group(4, 7))));
    let mut list = list_of(group(100, 5));
    for (seq, user) in (6..).zip(1..=4) {
        assert!(list.handle_event(&left(seq, user), person(50)), "enough are named");
    }
    assert!(!list.handle_event(&left(10, 5), person(50)));
    assert_eq!(list.uncertain(), [conversation(1)]);
}

#[test]
fn an_older_word_takes_back_no_name_and_no_newcomer() {
    let mut list = list_of(group(100, 5));
    for event in [joined(6, 101), renamed(7, "Walks")] {
        list.handle_event(&event, person(1));
    }
    list.handle_summary(group(100, 5));
    assert_eq!(face(&list), (Some("Walks"), Some(101), 8));
    list.handle_summary(Summary { name: Some("Hills".into()), ..group(90, 8) });
    assert_eq!(face(&list), (Some("Hills"), Some(90), 8));
    list.handle_event(&renamed(7, "Walks"), person(1));
    assert_eq!(face(&list), (Some("Hills"), Some(90), 8), "that was before");
}

#[test]
fn a_new_name_of_a_person_shows_wherever_they_are_named() {
    let mut list = list_of(group(3, 5));
    list.handle_summary(summary(2, 1, 1));
    let ada = shared::account::User { display_name: "Ada".into(), ..named(2) };
    assert_eq!(list.handle_person(&ada), [conversation(1)]);
    let members = list.get(conversation(1)).and_then(|known| known.members.clone()).expect("a group");
    assert_eq!(members, [named(1), ada, named(3)]);
    assert_eq!(list.handle_person(&named(9)), []);
}

fn deletion(number: u8, seq: u64, target: u64) -> Event {
    let target = Seq::new(target).expect("in range");
    Event { kind: EventKind::Deleted(shared::message::Deleted { target }), ..message(number, seq, 9) }
}

#[test]
fn a_message_deleted_before_it_is_read_does_not_wait_to_be_read() {
    let mut list = list();
    list.handle_event(&message(1, 6, 9), person(1));
    list.handle_event(&message(1, 7, 9), person(1));
    assert_eq!((list.unread_in(conversation(1)), list.unread(at())), (2, 4));
    for _ in 0..2 {
        list.handle_event(&deletion(1, 8, 6), person(1));
        assert_eq!((list.unread_in(conversation(1)), list.unread(at())), (1, 3), "once");
    }
    assert_eq!(list.shown(conversation(1)).map(|shown| shown.unread), Some(1));
    assert_eq!(list.get(conversation(1)).map(|known| known.unread), Some(2), "as the server counts");
    // Reading takes messages off both counts, and off what comes after.
    list.read_all(conversation(1));
    list.handle_event(&deletion(1, 9, 7), person(1));
    list.handle_event(&message(1, 10, 9), person(1));
    assert_eq!(list.unread_in(conversation(1)), 1);
    list.handle_event(&message(1, 11, 1), person(1));
    assert_eq!(list.unread_in(conversation(1)), 0);
}

#[test]
fn the_newest_event_of_a_summary_tells_what_it_deleted() {
    let told = Summary { unread: 2, last_event: Some(deletion(4, 7, 6)), ..summary(4, 7, 4) };
    let mut list = Conversations::default();
    list.handle_welcome(vec![told.clone()], false);
    assert_eq!(list.unread_in(conversation(4)), 1);
    list.handle_summary(Summary { unread: 0, read_seq: cursor(7), ..told });
    assert_eq!(list.unread_in(conversation(4)), 0);
}

#[test]
fn a_silenced_conversation_counts_again_once_that_is_over() {
    let mut list = Conversations::default();
    let muted_until = Some(Timestamp::from_millis(1_000));
    let preferences = shared::conversation::Preferences { muted_until, ..Default::default() };
    list.handle_welcome(vec![Summary { preferences, ..summary(1, 5, 2) }, summary(2, 3, 1)], false);
    assert_eq!((list.unread(Timestamp::from_millis(999)), list.muted(Timestamp::from_millis(999))), (2, 1));
    assert_eq!((list.unread(Timestamp::from_millis(1_000)), list.muted(Timestamp::from_millis(1_000))), (5, 0));
}
