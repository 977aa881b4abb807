use super::*;
use crate::clock;

fn conversation() -> ConversationId {
    clock::id(ConversationId::v7)
}

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("in range")
}

fn cursor(number: u64) -> Cursor {
    Cursor::new(number).expect("in range")
}

fn event(conversation: ConversationId, number: u64, bytes: usize) -> Item {
    Item { frame: format!("{number:0bytes$}").into(), about: About::Event(conversation, seq(number)) }
}

fn accepted(conversation: ConversationId, number: u64) -> Item {
    Item { frame: format!("own {number}").into(), about: About::Accepted(conversation, seq(number)) }
}

fn page(numbers: impl IntoIterator<Item = u64>) -> Vec<(Seq, Utf8Bytes)> {
    numbers.into_iter().map(|number| (seq(number), format!("{number}").into())).collect()
}

fn drain(queue: &FrameQueue) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let mut frames = Vec::new();
        if queue.take(&mut frames) != Taken::Frames {
            return all;
        }
        all.extend(frames.iter().map(ToString::to_string));
    }
}

fn numbers(queue: &FrameQueue) -> Vec<u64> {
    drain(queue).iter().filter_map(|text| text.parse().ok()).collect()
}

#[test]
fn what_a_full_queue_refuses_is_read_from_the_log_once_there_is_room() {
    let queue = FrameQueue::default();
    let (one, other) = (conversation(), conversation());
    for number in 1..=(FRAMES_MAX as u64) {
        queue.push(event(one, number, 1));
    }
    assert!(queue.is_crowded() && !queue.claim());
    queue.push(event(other, 7, 1));
    queue.push(event(other, 8, 1));
    queue.push(Item::answer("accepted".into()));
    assert!(queue.claim() && !queue.claim(), "one replays");
    assert_eq!(drain(&queue).len(), FRAMES_MAX + 1);
    assert_eq!(queue.replays(), [(other, cursor(6))]);
    queue.push(event(other, 9, 1));
    queue.replay(other, cursor(6), Page::All(page([7, 8])));
    assert_eq!(numbers(&queue), [7, 8]);
    assert!(!queue.finish(), "9 came meanwhile");
    queue.replay(other, cursor(8), Page::All(page([9])));
    queue.push(event(other, 9, 1));
    queue.push(event(other, 10, 1));
    assert_eq!(numbers(&queue), [9, 10], "each once");
    assert_eq!(queue.take_stale(), [other].into());
    assert!(queue.finish());
}

#[test]
fn bytes_are_bounded_too() {
    let queue = FrameQueue::default();
    let one = conversation();
    for number in 1..=17 {
        queue.push(event(one, number, 65_535));
    }
    assert_eq!(drain(&queue).len(), 16);
    assert_eq!(queue.replays(), [(one, cursor(16))]);
}

#[test]
fn a_replay_is_one_run_with_live_events_in_it() {
    let queue = FrameQueue::default();
    let one = conversation();
    queue.push(event(one, 9, 1));
    assert_eq!(queue.begin([(one, cursor(5))]), []);
    queue.push(event(one, 10, 1));
    queue.replay(one, cursor(5), Page::Some(page([6, 7])));
    queue.replay(one, cursor(7), Page::All(page([8, 9])));
    assert_eq!(queue.replays(), [(one, cursor(9))], "10 is not there yet");
    queue.replay(one, cursor(9), Page::All(page([10])));
    queue.push(event(one, 11, 1));
    let texts = drain(&queue);
    let resumed = format!("{{\"type\":\"resumed\",\"conversation\":\"{one}\",\"seq\":10}}");
    assert_eq!(texts, ["9", "6", "7", "8", "9", "10", &resumed, "11"]);
}

#[test]
fn ones_own_answers_stand_where_their_events_would() {
    let queue = FrameQueue::default();
    let one = conversation();
    assert_eq!(queue.begin([(one, cursor(1))]), []);
    queue.push(accepted(one, 3));
    assert_eq!(drain(&queue), [""; 0], "not before 2");
    queue.replay(one, cursor(1), Page::All(page([2, 3, 4])));
    assert_eq!(drain(&queue)[..3], ["2", "own 3", "4"]);
    queue.push(accepted(one, 5));
    assert_eq!(drain(&queue), ["own 5"]);
}

#[test]
fn a_second_resume_begins_anew_and_loses_nothing_of_the_first() {
    let queue = FrameQueue::default();
    let (one, other) = (conversation(), conversation());
    assert_eq!(queue.begin([(one, cursor(1)), (other, cursor(1))]), []);
    queue.replay(one, cursor(1), Page::Some(page([2, 3])));
    assert_eq!(queue.begin([(one, cursor(0))]), []);
    queue.replay(one, cursor(3), Page::All(page([4])));
    queue.replay(one, cursor(0), Page::All(page([1, 2, 3, 4])));
    queue.replay(other, cursor(1), Page::All(page([2])));
    assert_eq!(numbers(&queue), [2, 3, 1, 2, 3, 4, 2]);
}

#[test]
fn who_leaves_hears_that_and_nothing_after_it_also_during_a_replay() {
    let queue = FrameQueue::default();
    let one = conversation();
    let said = |about| Item { frame: "said".into(), about };
    assert_eq!(queue.begin([(one, cursor(1))]), []);
    queue.push(event(one, 5, 1));
    queue.push(Item { frame: "left".into(), about: About::Left(one, seq(6)) });
    queue.replay(one, cursor(1), Page::All(page([2, 3, 4, 5, 6])));
    queue.push(said(About::Conversation(one)));
    queue.push(said(About::Typing(one)));
    let resync = format!("{{\"type\":\"resync\",\"conversation\":\"{one}\"}}");
    assert_eq!(drain(&queue), [&resync, "left"]);
    queue.push(said(About::New(one)));
    queue.push(event(one, 7, 1));
    queue.push(said(About::Conversation(one)));
    assert_eq!(drain(&queue), ["said", "7", "said"], "who is back hears again");
}

#[test]
fn replays_are_bounded() {
    let queue = FrameQueue::default();
    let all: Vec<_> = (0..CURSORS_MAX + 2).map(|_| (conversation(), cursor(0))).collect();
    assert_eq!(queue.begin(all.clone()), [all[CURSORS_MAX].0, all[CURSORS_MAX + 1].0]);
}

#[test]
fn what_cannot_be_replayed_is_said_and_answers_still_leave() {
    let queue = FrameQueue::default();
    let one = conversation();
    assert_eq!(queue.begin([(one, cursor(9))]), []);
    queue.push(accepted(one, 10));
    queue.replay(one, cursor(9), Page::Unknown);
    let resync = format!("{{\"type\":\"resync\",\"conversation\":\"{one}\"}}");
    assert_eq!(drain(&queue), ["own 10", &resync]);
    assert!(queue.finish());
}

#[test]
fn what_passes_is_dropped_when_there_is_no_room_and_the_rest_is_told_later() {
    let queue = FrameQueue::default();
    let one = conversation();
    for number in 1..=(FRAMES_MAX as u64) {
        queue.push(event(one, number, 1));
    }
    queue.push(Item { frame: "typing".into(), about: About::Typing(one) });
    queue.push(Item { frame: "presence".into(), about: About::Presence });
    queue.push(Item { frame: "receipt".into(), about: About::Conversation(one) });
    assert_eq!(drain(&queue).len(), FRAMES_MAX);
    assert!(queue.claim());
    assert_eq!(queue.take_stale(), [one].into());
}

#[test]
fn too_much_missed_ends_the_socket() {
    let queue = FrameQueue::default();
    for number in 1..=(FRAMES_MAX as u64) {
        queue.push(event(conversation(), number, 1));
    }
    for _ in 0..=MISSED_MAX {
        queue.push(event(conversation(), 1, 1));
    }
    assert!(queue.is_closing());
}

#[test]
fn what_waits_is_sent_before_the_close_and_the_first_code_stays() {
    let queue = FrameQueue::default();
    queue.push(Item::answer("last words".into()));
    queue.close(1012);
    queue.close(1013);
    queue.push(Item::answer("too late".into()));
    assert_eq!(drain(&queue), ["last words"]);
    assert_eq!(queue.take(&mut Vec::new()), Taken::Close(1012));
}

#[test]
fn nothing_is_sent_to_whose_session_has_ended() {
    let queue = FrameQueue::default();
    queue.push(event(conversation(), 1, 1));
    queue.close(4401);
    assert_eq!(queue.take(&mut Vec::new()), Taken::Close(4401));
}

#[test]
fn what_a_snapshot_has_is_not_sent_again_whenever_it_comes() {
    let queue = FrameQueue::default();
    let one = conversation();
    for number in 1..=5 {
        queue.push(event(one, number, 1));
    }
    queue.has_up_to([(one, cursor(6))].into());
    assert_eq!(numbers(&queue), [0; 0]);
    for number in 6..=8 {
        queue.push(event(one, number, 1));
    }
    assert_eq!(numbers(&queue), [7, 8]);
    assert_eq!(queue.begin([(one, cursor(6))]), []);
    assert!(queue.claim());
    queue.replay(one, cursor(6), Page::All(page([7, 8])));
    queue.forget_floors();
    queue.push(event(one, 8, 1));
    assert_eq!(numbers(&queue), [7, 8], "a replay keeps what is known until its own end");
}

#[test]
fn who_has_what_the_snapshot_has_misses_nothing_and_nothing_is_read_for_them() {
    let queue = FrameQueue::default();
    let (one, other) = (conversation(), conversation());
    queue.has_up_to([(one, cursor(6)), (other, cursor(2))].into());
    assert_eq!(queue.begin([(one, cursor(6))]), []);
    assert!(!queue.claim(), "nobody has to replay");
    assert!(drain(&queue)[0].contains("resumed"));
    queue.push(event(one, 6, 1));
    assert_eq!(numbers(&queue), [0; 0], "the snapshot has it");
    queue.push(event(one, 7, 1));
    assert_eq!(queue.begin([(one, cursor(6))]), []);
    assert!(queue.claim(), "something has come meanwhile, so the log says what is missed");
    assert_eq!(queue.begin([(other, cursor(1))]), []);
    assert_eq!(queue.replays().len(), 2, "somebody who has less is given the rest");
}

#[tokio::test]
async fn room_comes_with_writing_and_ends_with_the_socket() {
    let queue = std::sync::Arc::new(FrameQueue::default());
    let one = conversation();
    for number in 1..=(ROOM_FRAMES as u64) {
        queue.push(event(one, number, 1));
    }
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.room().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drain(&queue);
    assert!(waiting.await.expect("no panic"));
    queue.close(1012);
    assert!(!queue.room().await);
}

#[test]
fn a_replay_begun_anew_beyond_an_answer_loses_no_answer() {
    let (queue, one) = (FrameQueue::default(), conversation());
    assert!(queue.begin([(one, cursor(5))]).is_empty());
    queue.push(accepted(one, 8));
    queue.push(accepted(one, 12));
    assert!(queue.begin([(one, cursor(10))]).is_empty());
    assert_eq!(drain(&queue), ["own 8"]);
    queue.replay(one, cursor(10), Page::All(page(11..=12)));
    assert_eq!(drain(&queue)[..2], ["11", "own 12"]);
    assert_eq!(queue.lock().bytes, 0);
}

#[test]
fn people_whose_new_names_did_not_fit_are_told_of_once_there_is_room() {
    let queue = FrameQueue::default();
    let one = conversation();
    let ada = clock::id(UserId::v7);
    let person = |text: &str| Item { frame: text.into(), about: About::Person(ada) };
    for number in 1..=(FRAMES_MAX as u64) {
        queue.push(event(one, number, 1));
    }
    queue.push(person("Ada"));
    queue.push(person("Ada Lovelace"));
    assert!(queue.claim());
    assert_eq!(drain(&queue).len(), FRAMES_MAX);
    assert!(!queue.finish(), "she is to be told of");
    assert_eq!(queue.take_stale_people(), [ada].into());
    queue.push(person("Ada King"));
    assert_eq!(drain(&queue), ["Ada King"]);
    assert!(queue.finish());
}

#[test]
fn a_number_of_group_requests_that_did_not_fit_is_told_once_there_is_room() {
    let queue = FrameQueue::default();
    let one = conversation();
    let requests = |text: &str| Item { frame: text.into(), about: About::GroupRequests };
    for number in 1..=(FRAMES_MAX as u64) {
        queue.push(event(one, number, 1));
    }
    queue.push(requests("1"));
    queue.push(requests("2"));
    assert!(queue.claim());
    assert_eq!(drain(&queue).len(), FRAMES_MAX);
    assert!(!queue.finish(), "it is to be told");
    assert!(queue.take_stale_requests() && !queue.take_stale_requests(), "asked once");
    queue.push(requests("3"));
    assert_eq!(drain(&queue), ["3"]);
    assert!(queue.finish());
}
