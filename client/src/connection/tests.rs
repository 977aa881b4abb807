use super::*;
use proptest::prelude::*;
use shared::account::User;
use shared::event::{Event, EventKind};
use shared::ids::{Epoch, SessionId};
use shared::limits::Limits;
use shared::message::{Accepted, Delete, Send, Target};
use shared::resume::{Resumed, Resync};
use shared::welcome::{Draining, Welcome};

fn welcome() -> ServerFrame {
    welcome_to(1)
}

fn welcome_to(person: u8) -> ServerFrame {
    let at = Timestamp::from_millis(1);
    let id = UserId::v7(at, [person; 10]);
    ServerFrame::Welcome(Box::new(Welcome {
        user: User { id, display_name: "Ada".into(), avatar: None, status: None, privacy: None, email: None },
        session: SessionId::v7(at, [2; 10]),
        epoch: Epoch::new("e".into()).expect("short"),
        now: at,
        heartbeat_ms: 25_000,
        limits: Limits::default(),
        conversations: vec![],
        more: false,
        presence: vec![],
        group_requests: 0,
    }))
}

fn welcome_of(epoch: &str) -> ServerFrame {
    let ServerFrame::Welcome(mut welcome) = welcome() else { unreachable!("a welcome") };
    welcome.epoch = Epoch::new(epoch.into()).expect("short");
    ServerFrame::Welcome(welcome)
}

fn me() -> UserId {
    UserId::v7(Timestamp::from_millis(1), [1; 10])
}

fn conversation(number: u8) -> ConversationId {
    ConversationId::v7(Timestamp::from_millis(1), [number; 10])
}

fn cursor(number: u64) -> Cursor {
    Cursor::new(number).expect("in range")
}

fn write(connection: &mut Connection, id: CommandId, content: &str, now: Millis) {
    let (to, content) = (Target::Everyone, content.into());
    let send = Send { id, to, content, reply_to: None, attachments: vec![] };
    connection.write(Command::Send(send), me(), Timestamp::default(), now).expect("room");
}

/// What the connection sends, without what it writes down.
fn frames(connection: &mut Connection) -> Vec<ClientFrame> {
    let frame = |output| match output {
        Output::Transmit(frame) => Some(frame),
        _ => None,
    };
    outputs(connection).into_iter().filter_map(frame).collect()
}

fn id(number: u8) -> CommandId {
    CommandId::v7(Timestamp::from_millis(1), [number; 10])
}

fn outputs(connection: &mut Connection) -> Vec<Output> {
    std::iter::from_fn(|| connection.poll_output()).collect()
}

fn open() -> Connection {
    let mut connection = Connection::new(7);
    connection.start(0);
    connection.handle_open(10);
    connection.handle_frame(welcome(), 20);
    outputs(&mut connection);
    connection
}

fn until(connection: &Connection) -> Millis {
    match connection.status() {
        Status::Waiting { until } => *until,
        other => panic!("not waiting but {other:?}"),
    }
}

#[test]
fn it_is_open_when_the_server_has_spoken() {
    let mut connection = Connection::new(7);
    connection.start(0);
    assert_eq!(outputs(&mut connection), [Output::Open]);
    connection.handle_open(10);
    assert_eq!(*connection.status(), Status::Connecting);
    connection.handle_frame(welcome(), 20);
    assert_eq!(*connection.status(), Status::Open);
}

#[test]
fn what_was_written_before_it_was_open_goes_out_with_the_welcome() {
    let mut connection = Connection::new(7);
    connection.start(0);
    write(&mut connection, id(1), "early", 5);
    assert!(matches!(&outputs(&mut connection)[..], [Output::Open, Output::Keep(_)]));
    connection.handle_frame(welcome(), 20);
    let out = outputs(&mut connection);
    assert!(matches!(&out[..], [Output::Transmit(ClientFrame::Send(send))] if send.content == "early"));
}

#[test]
fn a_cut_line_is_tried_again_and_what_was_under_way_goes_again() {
    let mut connection = open();
    write(&mut connection, id(1), "x", 30);
    assert_eq!(frames(&mut connection).len(), 1);
    connection.handle_close(1006, 100);
    let until = until(&connection);
    assert!((600..=1_100).contains(&until), "{until}");
    assert_eq!(connection.next_timeout(), Some(until));
    connection.handle_timeout(until - 1);
    assert_eq!(outputs(&mut connection), []);
    connection.handle_timeout(until);
    assert_eq!(outputs(&mut connection), [Output::Open]);
    connection.handle_frame(welcome(), until + 5);
    assert!(matches!(&outputs(&mut connection)[..], [Output::Transmit(ClientFrame::Send(_))]));
    assert!(connection.take_accepted(id(1), until + 6).is_some());
    assert!(connection.outbox().is_empty());
}

#[test]
fn codes_decide_whether_it_comes_back() {
    for code in [1002, 1003, 1007, 1009, 4400, 4403, 4409] {
        let mut connection = open();
        connection.handle_close(code, 100);
        assert_eq!(*connection.status(), Status::Ended(Ended::Refused(code)));
        assert_eq!(connection.next_timeout(), None);
        connection.start(200);
        assert_eq!(outputs(&mut connection), [Output::Open], "the person may ask");
    }
    let mut connection = open();
    connection.handle_close(4401, 100);
    assert_eq!(*connection.status(), Status::Ended(Ended::SignedOut));
    for code in [1013, 4429] {
        let mut connection = open();
        connection.handle_close(code, 100);
        assert!(until(&connection) >= 30_100);
    }
}

#[test]
fn a_server_that_drains_says_when_to_come_back() {
    let mut connection = open();
    connection.handle_frame(ServerFrame::Draining(Draining { retry_after_ms: 5_000 }), 50);
    connection.handle_close(1012, 100);
    assert!((5_100..=5_200).contains(&until(&connection)));
}

#[test]
fn a_failed_handshake_asks_for_the_session() {
    let mut connection = Connection::new(7);
    connection.start(0);
    outputs(&mut connection);
    connection.handle_close(1006, 100);
    assert_eq!(outputs(&mut connection), [Output::CheckSession]);
    connection.handle_session_over();
    assert_eq!(*connection.status(), Status::Ended(Ended::SignedOut));
}

#[test]
fn what_one_person_wrote_is_never_sent_as_another() {
    let mut connection = open();
    connection.handle_close(1006, 100);
    write(&mut connection, id(1), "mine", 110);
    connection.handle_online(200);
    outputs(&mut connection);
    connection.handle_frame(welcome_to(2), 300);
    assert_eq!(outputs(&mut connection), [Output::OtherPerson]);
    assert!(connection.outbox().is_empty());
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut connection = open();
    assert_eq!(connection.next_timeout(), Some(25_020));
    connection.handle_timeout(25_020);
    assert!(matches!(&outputs(&mut connection)[..], [Output::Transmit(ClientFrame::Ping(_))]));
    assert_eq!(connection.next_timeout(), Some(35_020));
    connection.handle_frame(ServerFrame::Pong(Ping::default()), 26_000);
    assert_eq!(connection.next_timeout(), Some(51_000));
    connection.handle_timeout(51_000);
    outputs(&mut connection);
    connection.handle_timeout(61_000);
    assert_eq!(outputs(&mut connection), [Output::Close]);
    assert!(matches!(connection.status(), Status::Waiting { .. }));
}

#[test]
fn the_network_going_and_coming_is_followed_at_once() {
    let mut connection = open();
    connection.handle_offline();
    assert_eq!(outputs(&mut connection), [Output::Close]);
    assert_eq!(*connection.status(), Status::Offline);
    connection.handle_close(1006, 70);
    assert_eq!(*connection.status(), Status::Offline);
    connection.handle_online(80);
    assert_eq!(outputs(&mut connection), [Output::Open]);
    let mut waiting = open();
    waiting.handle_close(1006, 100);
    waiting.handle_visible(101);
    assert_eq!(outputs(&mut waiting), [Output::Open]);
    let mut probing = open();
    probing.handle_visible(5_000);
    assert!(matches!(&outputs(&mut probing)[..], [Output::Transmit(ClientFrame::Ping(_))]));
    assert_eq!(probing.next_timeout(), Some(15_000));
}

#[test]
fn a_server_that_asked_for_patience_is_not_asked_sooner_but_by_the_person() {
    for code in [1013, 4429] {
        let mut connection = open();
        connection.handle_close(code, 100);
        connection.handle_visible(200);
        connection.handle_online(300);
        assert_eq!((until(&connection), outputs(&mut connection)), (30_100, vec![]));
        connection.handle_offline();
        outputs(&mut connection);
        connection.handle_online(400);
        assert_eq!((until(&connection), outputs(&mut connection)), (30_100, vec![]));
        connection.start(500);
        assert_eq!(outputs(&mut connection), [Output::Open]);
    }
}

#[test]
fn what_is_not_accepted_is_written_down_until_it_is() {
    let mut connection = open();
    write(&mut connection, id(1), "x", 30);
    let out = outputs(&mut connection);
    assert!(
        matches!(&out[..], [Output::Keep(kept), Output::Transmit(_)] if kept.command.id() == id(1) && kept.by == me())
    );
    connection.take_accepted(id(1), 40);
    assert_eq!(outputs(&mut connection), [Output::Forget(id(1))]);
    write(&mut connection, id(2), "y", 50);
    outputs(&mut connection);
    let rejection = Rejection::not_found();
    connection.handle_frame(ServerFrame::Rejected(Rejected { id: id(2), rejection: rejection.clone() }), 60);
    let out = outputs(&mut connection);
    assert!(matches!(&out[..], [Output::Keep(kept), Output::Failed(..)] if kept.failed == Some(rejection)));
    assert!(connection.edit(id(2), id(3), "z".into(), 70));
    let out = outputs(&mut connection);
    assert!(matches!(&out[..], [Output::Forget(old), Output::Keep(kept), Output::Transmit(_)]
        if *old == id(2) && kept.command.id() == id(3) && kept.failed.is_none()));
    connection.discard(id(3), 80);
    assert_eq!(outputs(&mut connection), [Output::Forget(id(3))]);
}

#[test]
fn what_was_written_down_goes_out_with_the_welcome_of_its_writer() {
    let mut before = open();
    write(&mut before, id(1), "x", 30);
    let kept: Vec<_> = before.outbox().entries().map(crate::outbox::Entry::kept).collect();
    let mut connection = Connection::new(7);
    connection.restore(kept.clone(), me(), 0);
    connection.start(0);
    connection.handle_frame(welcome(), 20);
    assert!(matches!(&frames(&mut connection)[..], [ClientFrame::Send(send)] if send.id == id(1)));
    let mut other = Connection::new(7);
    other.restore(kept, me(), 0);
    other.start(0);
    other.handle_frame(welcome_to(2), 20);
    assert_eq!(outputs(&mut other), [Output::Open, Output::OtherPerson], "and it stays written down");
}

#[test]
fn another_history_is_told_and_what_was_written_is_kept() {
    let mut connection = open();
    connection.handle_close(1006, 100);
    write(&mut connection, id(1), "x", 110);
    let delete = Command::Delete(Delete { id: id(2), conversation: conversation(1), target: Seq::FIRST });
    connection.write(delete.clone(), me(), Timestamp::default(), 120).expect("room");
    connection.start(200);
    outputs(&mut connection);
    connection.handle_frame(welcome_of("other"), 300);
    let out = outputs(&mut connection);
    assert!(
        matches!(&out[..], [Output::OtherHistory, Output::Forget(gone), Output::Failed(command, _), Output::Transmit(_)]
        if *gone == id(2) && *command == delete)
    );
}

#[test]
fn what_is_missing_is_asked_for_once_and_carried_along() {
    let mut connection = open();
    let resume = |connection: &mut Connection| match &frames(connection)[..] {
        [] => vec![],
        [ClientFrame::Resume(resume)] => resume.cursors.iter().map(|(id, cursor)| (*id, cursor.get())).collect(),
        other => panic!("{other:?}"),
    };
    connection.resume([(conversation(1), cursor(4)), (conversation(2), cursor(9))], 30);
    assert_eq!(resume(&mut connection), [(conversation(1), 4), (conversation(2), 9)]);
    connection.resume([(conversation(1), cursor(4))], 40);
    assert_eq!(resume(&mut connection), []);
    let (seq, at) = (Seq::new(5).expect("in range"), Timestamp::default());
    let event = Event { conversation: conversation(1), seq, at, sender: me(), kind: EventKind::Unknown };
    connection.handle_frame(ServerFrame::Event(event), 50);
    connection.handle_frame(ServerFrame::Resync(Resync { conversation: conversation(2) }), 50);
    connection.resume([(conversation(3), cursor(1))], 60);
    assert_eq!(resume(&mut connection), [(conversation(1), 5), (conversation(3), 1)]);
    connection.handle_frame(ServerFrame::Resumed(Resumed { conversation: conversation(1), seq: cursor(5) }), 70);
    connection.handle_close(1006, 80);
    connection.resume([(conversation(1), cursor(5))], 90);
    assert_eq!(resume(&mut connection), [], "the next welcome tells what is missing");
}

#[test]
fn what_arrived_is_told_together() {
    let mut connection = open();
    let seq = |number| Seq::new(number).expect("in range");
    for number in 1..5 {
        connection.note_delivered(conversation(1), seq(number), 30);
    }
    assert_eq!(frames(&mut connection).len(), 1);
    assert_eq!(connection.next_timeout(), Some(1_030));
    connection.handle_timeout(1_030);
    let told = UpTo { conversation: conversation(1), seq: seq(4) };
    assert_eq!(frames(&mut connection), [ClientFrame::Delivered(told)]);
}

#[derive(Debug, Clone)]
enum Step {
    Send(u8),
    Open,
    Welcome,
    Close(u16),
    Accept,
    Offline,
    Online,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Send),
        Just(Step::Open),
        Just(Step::Welcome),
        prop_oneof![Just(1006u16), Just(1012), Just(1013), Just(4410)].prop_map(Step::Close),
        Just(Step::Accept),
        Just(Step::Offline),
        Just(Step::Online),
        any::<u16>().prop_map(Step::Wait),
    ]
}

#[test]
fn what_was_written_down_is_void_for_another_person_and_with_another_history() {
    let ServerFrame::Welcome(greeting) = welcome() else { panic!("a welcome") };
    let (me, epoch) = (greeting.user.id, greeting.epoch.clone());
    let other = UserId::v7(Timestamp::default(), [99; 10]);
    let other_epoch: Epoch = serde_json::from_str("\"other\"").expect("an epoch");
    for (user, history, expected) in
        [(me, &epoch, None), (other, &epoch, Some(Output::OtherPerson)), (me, &other_epoch, Some(Output::OtherHistory))]
    {
        let mut connection = Connection::new(1);
        connection.remember(user, history);
        connection.start(0);
        connection.handle_open(0);
        connection.handle_frame(welcome(), 0);
        let outputs: Vec<_> = std::iter::from_fn(|| connection.poll_output()).collect();
        let told = outputs.into_iter().find(|output| matches!(output, Output::OtherPerson | Output::OtherHistory));
        assert_eq!(told, expected);
    }
}

proptest! {
    /// A toy server that accepts what arrives: whatever happens to the line, every message written is
    /// stored once the line holds, and none twice under different ids.
    #[test]
    fn whatever_happens_everything_written_arrives_once(steps in prop::collection::vec(step(), 0..80)) {
        let mut connection = Connection::new(3);
        let mut now = 0;
        let mut written = std::collections::BTreeSet::new();
        let mut stored = std::collections::BTreeSet::new();
        let mut arrived = VecDeque::new();
        connection.start(now);
        let mut drive = |connection: &mut Connection, step: Option<Step>, now: &mut Millis| {
            match step {
                Some(Step::Send(number)) if written.insert(id(number)) => {
                    write(connection, id(number), "x", *now);
                }
                Some(Step::Open) => connection.handle_open(*now),
                Some(Step::Welcome) if *connection.status() == Status::Connecting => {
                    connection.handle_frame(welcome(), *now);
                }
                Some(Step::Close(code)) => connection.handle_close(code, *now),
                Some(Step::Accept) => {
                    if let (Status::Open, Some(id)) = (connection.status().clone(), arrived.pop_front()) {
                        let accepted = Accepted { id, conversation: conversation(9), seq: Seq::FIRST, at: Timestamp::default() };
                        connection.handle_frame(ServerFrame::Accepted(accepted), *now);
                        connection.take_accepted(id, *now);
                    }
                }
                Some(Step::Offline) => connection.handle_offline(),
                Some(Step::Online) => connection.handle_online(*now),
                Some(Step::Wait(millis)) => {
                    *now += u64::from(millis);
                    connection.handle_timeout(*now);
                }
                _ => {}
            }
            while let Some(output) = connection.poll_output() {
                match output {
                    Output::Transmit(ClientFrame::Send(send)) => {
                        stored.insert(send.id);
                        arrived.push_back(send.id);
                    }
                    Output::Close | Output::Open => arrived.clear(),
                    _ => {}
                }
            }
            (written.clone(), stored.clone(), arrived.len())
        };
        for step in steps {
            drive(&mut connection, Some(step), &mut now);
        }
        // The line holds from here on.
        for _ in 0..20 {
            drive(&mut connection, Some(Step::Wait(60_000)), &mut now);
            drive(&mut connection, Some(Step::Online), &mut now);
            drive(&mut connection, Some(Step::Welcome), &mut now);
            loop {
                let (_, _, waiting) = drive(&mut connection, Some(Step::Accept), &mut now);
                if waiting == 0 { break }
            }
            connection.handle_frame(ServerFrame::Pong(Ping::default()), now);
        }
        let (written, stored, _) = drive(&mut connection, None, &mut now);
        prop_assert_eq!(written, stored);
        prop_assert!(connection.outbox().is_empty());
    }
}
