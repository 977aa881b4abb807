//! What was written down goes on where it ended.

use super::*;

fn written(timeline: &Timeline, most: usize) -> KeptTimeline {
    let kept = timeline.kept(most).expect("it is at the end");
    serde_json::from_str(&serde_json::to_string(&kept).expect("JSON")).expect("the same")
}

fn restored(kept: &KeptTimeline) -> Timeline {
    let mut timeline = Timeline::new(conversation());
    assert_eq!(timeline.restore(kept), [Change::Reset]);
    timeline
}

#[test]
fn what_was_written_down_is_shown_and_taken_up_from_there() {
    let mut timeline = loaded(1, 6);
    for event in [reacted(7, 6, 2, true), edited(8, 5, "five"), deleted(9, 4)] {
        timeline.handle_event(event);
    }
    let mut again = restored(&written(&timeline, 3));
    again.check_invariants();
    assert_eq!(again.rows(), &timeline.rows()[3..]);
    assert_eq!((again.last(), again.older()), (Some(cursor(9)), Some(Load::Before(cursor(4)))));
    assert_eq!(again.handle_welcome(Some(cursor(12))), Some(Missing::After(cursor(9))));
    assert_eq!(again.handle_welcome(Some(cursor(12 + GAP_MAX))), Some(Missing::Page));
}

#[test]
fn older_rows_come_as_the_server_has_folded_them() {
    let mut timeline = loaded(1, 6);
    timeline.handle_event(edited(7, 2, "two"));
    let mut again = restored(&written(&timeline, 2));
    let two = Message { edited_at: Some(at(7)), ..Message::new(command(2), "two".into(), None) };
    let older = [event(1), noted(2, EventKind::Message(two)), event(3), event(4)];
    give(&mut again, Load::Before(cursor(5)), page(older, false));
    assert_eq!(texts(&again), ["1", "two", "3", "4", "5", "6"]);
}

#[test]
fn what_is_on_its_way_stays_behind_and_what_arrived_stands_once() {
    let mut timeline = loaded(1, 3);
    timeline.handle_event(event(4));
    let kept = written(&timeline, 10);
    let mut again = Timeline::new(conversation());
    sending(&mut again, 4);
    sending(&mut again, 9);
    again.restore(&kept);
    again.check_invariants();
    assert_eq!(texts(&again), ["1", "2", "3", "4", "9"]);
}

#[test]
fn what_is_loaded_already_or_not_sound_is_left() {
    let kept = written(&loaded(1, 3), 10);
    let mut timeline = loaded(1, 5);
    assert_eq!(timeline.restore(&kept), []);
    let json = serde_json::to_value(&kept).expect("JSON");
    let broken = |change: fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        change(&mut json);
        serde_json::from_value::<KeptTimeline>(json).expect("of the right shape")
    };
    let table = [
        broken(|kept| kept["last"] = 2.into()),
        broken(|kept| kept["first"] = 2.into()),
        broken(|kept| kept["events"][1]["seq"] = 1.into()),
        broken(|kept| {
            kept["events"][0]["conversation"] = serde_json::to_value(ConversationId::v7(at(0), [9; 10])).expect("JSON")
        }),
    ];
    for kept in table {
        let mut timeline = Timeline::new(conversation());
        assert_eq!(timeline.restore(&kept), [], "{kept:?}");
        assert!(!timeline.is_loaded());
    }
}

#[test]
fn a_timeline_that_is_not_at_the_end_is_not_written_down() {
    assert_eq!(Timeline::new(conversation()).kept(10), None);
}

proptest! {
    #[test]
    fn whatever_happens_before_and_after_the_rows_are_the_same(
        ops in proptest::collection::vec((0u8..6, 1u64..40, 0u8..4), 1..60),
        cut in 0usize..60,
        most in 1usize..20,
    ) {
        let log: Vec<_> = ops.iter().zip(1..).map(|(&(what, target, by), number)| match what {
            0..=2 => event(number),
            3 => edited(number, target, &format!("{number} again")),
            4 => deleted(number, target),
            _ => reacted(number, target, by, by != 3),
        }).collect();
        let (before, after) = log.split_at(cut.min(log.len()));
        let mut whole = Timeline::new(conversation());
        give(&mut whole, Load::Newest, page([], false));
        for event in before {
            whole.handle_event(event.clone());
        }
        let mut again = restored(&written(&whole, most));
        for event in after {
            whole.handle_event(event.clone());
            again.handle_event(event.clone());
        }
        again.check_invariants();
        let from = whole.rows().len() - again.rows().len();
        prop_assert_eq!(again.rows(), &whole.rows()[from..]);
    }
}
