use super::*;
use shared::ids::Seq;
use shared::message::{Delete, Send, Target};

fn id(number: u8) -> CommandId {
    CommandId::v7(Timestamp::from_millis(1), [number; 10])
}

fn person(number: u8) -> UserId {
    UserId::v7(Timestamp::from_millis(1), [number; 10])
}

fn message(id: CommandId, content: &str) -> Command {
    Command::Send(Send { id, to: Target::Everyone, content: content.into(), reply_to: None, attachments: Vec::new() })
}

fn push(outbox: &mut Outbox, number: u8) {
    let content = number.to_string();
    outbox.push(message(id(number), &content), Vec::new(), person(1), Timestamp::default()).expect("room");
}

fn kept(number: u8, by: u8, written_at: u64) -> Kept {
    let command = message(id(number), &number.to_string());
    Kept {
        command,
        files: Vec::new(),
        written_at: Timestamp::from_millis(written_at),
        by: person(by),
        failed: None,
        is_unsure: false,
    }
}

fn filled(count: u8) -> Outbox {
    let mut outbox = Outbox::default();
    for number in 0..count {
        push(&mut outbox, number);
    }
    outbox
}

fn text(command: &Command) -> &str {
    command.as_send().map_or("", |send| send.content.as_str())
}

fn texts(commands: &[Command]) -> Vec<&str> {
    commands.iter().map(text).collect()
}

#[test]
fn what_was_under_way_goes_again_under_the_same_id_after_a_cut() {
    let mut outbox = filled(3);
    let first = outbox.due(0);
    assert_eq!(texts(&first), ["0", "1", "2"]);
    assert!(outbox.due(0).is_empty());
    outbox.accepted(id(1));
    outbox.handle_cut();
    let again = outbox.due(1);
    assert_eq!(texts(&again), ["0", "2"]);
    assert_eq!(again[0].id(), first[0].id());
}

#[test]
fn a_refusal_for_now_holds_back_what_was_written_later() {
    let mut outbox = filled(2);
    outbox.due(0);
    let slow = Rejection::new(Code::RateLimited, "slow").retry_after_ms(300);
    assert_eq!(outbox.rejected(id(0), slow, 1_000), Refusal::Later);
    push(&mut outbox, 9);
    assert!(outbox.due(1_299).is_empty());
    assert_eq!(outbox.held_back_until(), Some(1_300));
    assert_eq!(texts(&outbox.due(1_300)), [""; 0], "one at a time: 1 is still under way");
    outbox.accepted(id(1));
    assert_eq!(texts(&outbox.due(1_300)), ["0"]);
    outbox.accepted(id(0));
    assert_eq!(texts(&outbox.due(1_300)), ["9"]);
}

#[test]
fn being_asked_for_patience_never_fails_a_message() {
    let mut outbox = filled(40);
    assert_eq!(outbox.due(0).len(), UNDER_WAY_MAX);
    let slow = Rejection::new(Code::RateLimited, "slow").retry_after_ms(1);
    for round in 0..100 {
        outbox.handle_cut();
        for command in outbox.due(round * 10) {
            assert_eq!(outbox.rejected(command.id(), slow.clone(), round * 10), Refusal::Later);
        }
    }
    let mut accepted = Vec::new();
    for round in 100..200 {
        for command in outbox.due(round * 10) {
            accepted.push(text(&command).to_owned());
            outbox.accepted(command.id());
        }
    }
    assert_eq!(accepted, (0..40).map(|number| number.to_string()).collect::<Vec<_>>(), "in order");
}

#[test]
fn a_refusal_for_good_waits_for_the_person_and_holds_nobody_back() {
    let mut outbox = filled(2);
    outbox.due(0);
    assert!(matches!(outbox.rejected(id(0), Rejection::not_found(), 0), Refusal::Failed(_)));
    assert_eq!(outbox.rejected(id(7), Rejection::not_found(), 0), Refusal::Unknown);
    outbox.handle_cut();
    assert_eq!(texts(&outbox.due(0)), ["1"]);
    assert!(outbox.retry(id(0)) && !outbox.retry(id(1)));
    assert_eq!(texts(&outbox.due(0)), ["0"]);
    assert!(outbox.discard(id(0)).is_some());
    assert_eq!(outbox.len(), 1);
}

#[test]
fn trying_again_by_itself_ends() {
    let mut outbox = filled(1);
    outbox.due(0);
    let refusals = (0..ATTEMPTS_MAX).map(|_| outbox.rejected(id(0), Rejection::internal(), 0)).collect::<Vec<_>>();
    assert!(matches!(refusals.last(), Some(Refusal::Failed(_))));
    assert!(outbox.is_editable(id(0)), "every try was answered");
    assert!(refusals[..refusals.len() - 1].iter().all(|refusal| *refusal == Refusal::Later));
}

#[test]
fn it_is_bounded() {
    let mut outbox = Outbox::default();
    for number in 0..ENTRIES_MAX {
        let id = CommandId::v7(Timestamp::from_millis(number as u64), [1; 10]);
        assert_eq!(outbox.push(message(id, "x"), Vec::new(), person(1), Timestamp::default()), Ok(()));
    }
    assert_eq!(outbox.push(message(id(0), "x"), Vec::new(), person(1), Timestamp::default()), Err(Full));
    outbox.restore(vec![kept(7, 1, 0)], person(1));
    assert_eq!(outbox.len(), ENTRIES_MAX);
}

#[test]
fn a_text_is_changed_only_while_it_is_certain_that_it_is_not_stored() {
    let mut outbox = filled(2);
    assert!(outbox.edit(id(0), id(10), "never transmitted".into()));
    outbox.due(0);
    assert!(!outbox.edit(id(10), id(11), "under way".into()));
    outbox.handle_cut();
    assert!(!outbox.edit(id(10), id(11), "it may have arrived".into()));
    outbox.due(0);
    outbox.rejected(id(10), Rejection::not_found(), 0);
    assert!(!outbox.edit(id(10), id(11), "it may still be on its way".into()));
    push(&mut outbox, 2);
    push(&mut outbox, 3);
    outbox.due(0);
    outbox.rejected(id(2), Rejection::not_found(), 0);
    assert!(!outbox.edit(id(2), id(1), "the id is taken".into()));
    assert!(outbox.edit(id(2), id(12), "refused".into()));
    assert_eq!(texts(&outbox.due(0)), ["refused"]);
    let ids: Vec<_> = outbox.entries().map(|entry| entry.command.id()).collect();
    assert_eq!(ids, [id(10), id(1), id(12), id(3)], "in its place");
}

#[test]
fn what_was_written_down_comes_back_once_in_order_and_to_its_writer_only() {
    let mut outbox = filled(1);
    outbox.restore(vec![kept(3, 1, 30), kept(2, 1, 20), kept(9, 2, 10), kept(2, 1, 20), kept(0, 1, 5)], person(1));
    assert_eq!(texts(&outbox.due(0)), ["2", "3", "0"]);
    assert!(!outbox.is_editable(id(2)), "it may have been transmitted before");
}

#[test]
fn an_entry_survives_being_written_down() {
    let mut outbox = filled(1);
    outbox.due(0);
    outbox.rejected(id(0), Rejection::not_found(), 0);
    let kept = outbox.get(id(0)).expect("there").kept();
    let text = serde_json::to_string(&kept).expect("it can be written");
    assert_eq!(serde_json::from_str::<Kept>(&text).expect("its own text"), kept);
    let mut again = Outbox::default();
    again.restore(vec![kept], person(1));
    assert!(again.due(0).is_empty() && again.is_editable(id(0)), "refused stays refused");
}

#[test]
fn what_has_no_text_is_dropped_when_it_is_refused() {
    let mut outbox = Outbox::default();
    let conversation = shared::ids::ConversationId::v7(Timestamp::default(), [1; 10]);
    let delete = Command::Delete(Delete { id: id(1), conversation, target: Seq::FIRST });
    outbox.push(delete.clone(), Vec::new(), person(1), Timestamp::default()).expect("room");
    outbox.due(0);
    assert_eq!(outbox.rejected(id(1), Rejection::not_found(), 0), Refusal::Dropped(delete));
    assert!(outbox.is_empty());
}

#[test]
fn what_was_refused_because_others_are_there_goes_to_them_once_the_person_says_so() {
    let conversation = shared::ids::ConversationId::v7(Timestamp::from_millis(1), [9; 10]);
    let to = Target::Group(shared::message::SeenGroup { conversation, members: vec![person(1), person(2)] });
    let send = Send { id: id(1), to: to.clone(), content: "hi".into(), reply_to: None, attachments: Vec::new() };
    let target = |outbox: &Outbox| outbox.get(id(1)).and_then(|entry| Some(entry.command.as_send()?.to.clone()));
    let mut outbox = Outbox::default();
    outbox.push(Command::Send(send), Vec::new(), person(1), Timestamp::default()).expect("room");
    outbox.due(0);
    outbox.rejected(id(1), Rejection::new(Code::Forbidden, "no").field("to"), 0);
    assert!(outbox.retry(id(1)));
    assert_eq!(target(&outbox), Some(to), "after any other refusal it is for the same people");
    outbox.due(0);
    outbox.rejected(id(1), Rejection::new(Code::Conflict, "others").field(SEEN_MEMBERS), 0);
    assert!(outbox.retry(id(1)));
    assert_eq!(target(&outbox), Some(Target::Conversation(conversation)));
}
