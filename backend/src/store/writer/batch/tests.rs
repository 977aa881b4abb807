use super::super::job::Change;
use super::super::job::{Content, NewMessage, Recipients};
use super::super::queue::Turn;
use super::*;
use crate::clock;
use crate::store::sqlite::account;
use crate::store::sqlite::open::{self, Opened};
use crate::store::tail::ROWS_MAX;
use shared::code::Code;
use shared::conversation::ConversationKind;
use shared::event::EventKind;
use shared::ids::{CommandId, Timestamp};

fn message(id: CommandId) -> NewMessage {
    NewMessage {
        id,
        to: Recipients::Everyone,
        content: Content::new("x".into()),
        reply_to: None,
        attachments: Vec::new(),
    }
}

fn send_some(state: &mut State, user: UserId, count: usize) -> Vec<Effect> {
    let job = || Job::Send { asker: (), user, message: message(clock::id(CommandId::v7)) };
    let batch: Vec<_> = std::iter::repeat_with(job).take(count).collect();
    handle(state, batch)
}

fn handle(state: &mut State, mut batch: Vec<Job<()>>) -> Vec<Effect> {
    let mut effects = Vec::new();
    state.handle(&mut batch, |done| effects.extend(done.into_iter().map(|outcome| outcome.effect)));
    effects
}

fn start(folder: &std::path::Path) -> State {
    let Opened { connection, second, journal, .. } = open::open(folder).expect("opens");
    let parts = super::super::Parts { database: connection, second, journal, invites: Invites::default() };
    parts.start(&Gauge::default()).expect("starts").0
}

fn seqs(effects: &[Effect]) -> Vec<u64> {
    let seq = |effect: &Effect| match effect {
        Effect::Stored(stored) => stored.place.seq.get(),
        other => panic!("not stored: {other:?}"),
    };
    effects.iter().map(seq).collect()
}

#[test]
fn while_the_tables_are_locked_messages_are_accepted_and_the_rest_is_refused_whole() {
    let (folder, mut state, user) = opened();
    state.database.busy_timeout(std::time::Duration::ZERO).expect("set");
    assert_eq!(seqs(&send_some(&mut state, user, 2)), [1, 2]);
    drop(state.tail.apply().expect("applied"));

    let other = Connection::open(folder.path().join("confab.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert_eq!(seqs(&send_some(&mut state, user, 3)), [3, 4, 5]);
    let create = || Job::Change {
        asker: (),
        user,
        change: Change::Create {
            kind: ConversationKind::Group,
            name: None,
            topic: None,
            is_public: false,
            members: vec![user],
        },
    };
    let refused = handle(&mut state, vec![create(), send(user)]);
    assert!(matches!(refused[..], [Effect::Refused(_), Effect::Refused(_)]), "{refused:?}");
    other.execute_batch("ROLLBACK").expect("released");

    let stored = handle(&mut state, vec![create(), send(user)]);
    assert!(matches!(stored[..], [Effect::Stored(_), Effect::Stored(_)]), "{stored:?}");
    assert_eq!(seqs(&stored[1..]), [6]);
    drop(state.tail.apply().expect("applied"));
    let count: i64 = other.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 7);
}

#[test]
fn what_was_accepted_before_the_process_died_is_there_at_the_next_start() {
    let (folder, mut state, ada) = opened();
    assert_eq!(seqs(&send_some(&mut state, ada, 3)), [1, 2, 3]);
    // What a killed process leaves: the journal as it was flushed, and tables that know nothing of it.
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["confab.db", "confab.db-wal", "confab.journal-0", "confab.journal-1"] {
        let _ = std::fs::copy(folder.path().join(name), copy.path().join(name));
    }
    let mut state = start(copy.path());
    let count = |state: &State| -> i64 {
        state.database.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(count(&state), 3);
    assert_eq!(seqs(&send_some(&mut state, ada, 1)), [4]);
    state.finish();
    let state = start(copy.path());
    assert_eq!(count(&state), 4, "and once");
}

#[test]
fn a_retry_is_answered_the_same_from_the_tail_and_from_the_tables() {
    let (_folder, mut state, ada) = opened();
    let id = clock::id(CommandId::v7);
    let job = || Job::Send { asker: (), user: ada, message: message(id) };
    let first = handle(&mut state, vec![job(), job()]);
    let [Effect::Stored(stored), Effect::Repeated(place)] = &first[..] else { panic!("{first:?}") };
    assert_eq!(stored.place, *place);
    let later = handle(&mut state, vec![send(ada), job()]);
    assert!(matches!(&later[..], [Effect::Stored(_), Effect::Repeated(again)] if again == place), "{later:?}");
}

#[test]
fn at_the_bound_of_the_tail_the_writer_waits_for_room_and_goes_on() {
    let (_folder, mut state, ada) = opened();
    send_some(&mut state, ada, 1);
    let tail = state.tail.clone();
    // Nobody applies anything while this is held.
    let turn = tail.apply().expect("applied");
    for _ in 0..ROWS_MAX / BATCH_MAX {
        send_some(&mut state, ada, BATCH_MAX);
    }
    let full = tail.accepted();
    let writer = std::thread::spawn(move || seqs(&send_some(&mut state, ada, 1)));
    assert!(!tail.has_room());
    assert_eq!(tail.accepted(), full, "nothing is accepted beyond the bound");
    drop(turn);
    assert!(tail.has_room(), "the tail's own thread makes room");
    assert_eq!(writer.join().expect("no panic"), [ROWS_MAX as u64 + 2]);
}

fn opened() -> (tempfile::TempDir, State, UserId) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = start(folder.path());
    let user = clock::id(UserId::v7);
    account::insert(&state.database, user, "a@b", "Ada", "x", clock::now()).expect("an account");
    (folder, state, user)
}

fn send(user: UserId) -> Job<()> {
    Job::Send { asker: (), user, message: message(clock::id(CommandId::v7)) }
}

#[test]
fn what_comes_late_from_a_deleted_account_is_refused_alone() {
    use super::super::job::Progress;
    use shared::ids::Seq;
    let (_folder, mut state, ada) = opened();
    let ben = clock::id(UserId::v7);
    account::insert(&state.database, ben, "c@d", "Ben", "x", clock::now()).expect("an account");
    let effects = send_some(&mut state, ada, 1);
    let Effect::Stored(stored) = &effects[0] else { panic!("{effects:?}") };
    let conversation = stored.place.conversation;
    account::delete(&state.database, ben, clock::now()).expect("deleted");
    let late = Job::Progress { asker: (), user: ben, conversation, seq: Seq::FIRST, progress: Progress::Read };
    let effects = handle(&mut state, vec![send(ada), late, send(ben)]);
    assert!(matches!(effects[..], [Effect::Stored(_), Effect::Refused(_), Effect::Refused(_)]), "{effects:?}");
}

#[test]
fn a_retry_after_leaving_is_answered_like_the_first_time() {
    let (_folder, mut state, ada) = opened();
    let change = |change| Job::Change { asker: (), user: ada, change };
    let made =
        Change::Create { kind: ConversationKind::Group, name: None, topic: None, is_public: false, members: vec![ada] };
    let mut one = |job| handle(&mut state, vec![job]).remove(0);
    let Effect::Stored(made) = one(change(made)) else { panic!("not made") };
    let to = Recipients::Conversation(made.place.conversation);
    let id = clock::id(CommandId::v7);
    let write = |content: &str| {
        let message = NewMessage {
            id,
            to: to.clone(),
            content: Content::new(content.into()),
            reply_to: None,
            attachments: Vec::new(),
        };
        Job::Send { asker: (), user: ada, message }
    };
    let Effect::Stored(first) = one(write("x")) else { panic!("not stored") };
    let left = one(change(Change::Remove(made.place.conversation, ada)));
    assert!(matches!(left, Effect::Stored(_)), "{left:?}");
    let again = one(write("x"));
    assert!(matches!(&again, Effect::Repeated(place) if *place == first.place), "{again:?}");
    let other = one(write("y"));
    assert!(matches!(&other, Effect::Refused(no) if no.code == shared::code::Code::Conflict), "{other:?}");
}

#[test]
fn somebody_who_signs_up_has_nothing_unread_of_the_same_moment() {
    let (_folder, mut state, ada) = opened();
    let ben = clock::id(UserId::v7);
    let (reply, _) = tokio::sync::oneshot::channel();
    let work = move |database: &Connection| account::insert(database, ben, "c@d", "Ben", "x", clock::now());
    let sign_up = Job::Call(Turn::Program, Box::new(super::super::TypedCall { work: Some(work), result: None, reply }));
    handle(&mut state, vec![send(ada), send(ada), sign_up]);
    let unread: i64 = state
        .database
        .query_row(
            "SELECT message_count - read_count FROM member JOIN conversation ON key = conversation WHERE user = ?1",
            [crate::store::sqlite::row::Sql(ben)],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(unread, 0);
}

#[test]
fn a_call_that_panics_is_undone_alone() {
    let (_folder, mut state, ada) = opened();
    let call = |work: fn(&Connection) -> Result<(), Error>| {
        let (reply, answer) = tokio::sync::oneshot::channel();
        (Job::Call(Turn::Program, Box::new(super::super::TypedCall { work: Some(work), result: None, reply })), answer)
    };
    let note = "INSERT INTO meta (name, value) VALUES ('note', 'x')";
    let (bad, bad_answer) = call(|database| {
        database.execute("UPDATE meta SET value = 'y' WHERE name = 'note'", [])?;
        panic!("on purpose")
    });
    let (good, good_answer) = call(|_| Ok(()));
    state.database.execute(note, []).expect("written");
    let effects = handle(&mut state, vec![send(ada), bad, good, send(ada)]);
    assert_eq!(seqs(&effects), [1, 2]);
    assert!(matches!(bad_answer.blocking_recv(), Ok(Err(Error::Panicked))));
    assert!(matches!(good_answer.blocking_recv(), Ok(Ok(()))));
    let value: String =
        state.database.query_row("SELECT value FROM meta WHERE name = 'note'", [], |row| row.get(0)).expect("a note");
    assert_eq!(value, "x");
}

#[test]
fn an_id_from_the_future_makes_nobody_elses_messages_dearer() {
    let (folder, mut state, ada) = opened();
    let ben = clock::id(UserId::v7);
    account::insert(&state.database, ben, "c@d", "Ben", "x", clock::now()).expect("an account");
    let create = || Job::Change {
        asker: (),
        user: ada,
        change: Change::Create {
            kind: ConversationKind::Group,
            name: None,
            topic: None,
            is_public: false,
            members: vec![ada],
        },
    };
    let soon = Timestamp::from_millis(clock::now().as_millis() + 30 * 60 * 1_000);
    let ids = [[u8::MAX; 16], *CommandId::v7(soon, [7; 10]).as_bytes(), [0xee; 16]]
        .map(|bytes| CommandId::from_bytes(bytes).expect("an id"));
    let poison = || ids.map(|id| Job::Send { asker: (), user: ben, message: message(id) });
    let first = handle(&mut state, poison().into());
    let lookups = |state: &mut State| {
        // Ids of one millisecond are in no order.
        let begun = clock::now();
        while clock::now() == begun {}
        let before = state.forgotten.lookups;
        send_some(state, ada, 100);
        state.forgotten.lookups - before
    };
    assert_eq!(lookups(&mut state), 0, "while they are in the journal");
    // A change forgets what is in the tables, and that is when the marks move.
    handle(&mut state, vec![create()]);
    assert_eq!(lookups(&mut state), 0, "when they are in the tables");
    state.finish();
    let mut state = start(folder.path());
    assert_eq!(lookups(&mut state), 0, "after a start");
    // Those ids are still known for what they are.
    let again = handle(&mut state, poison().into());
    assert_ne!(state.forgotten.lookups, 0, "or it is never looked");
    for (first, again) in first.iter().zip(&again) {
        let (Effect::Stored(first), Effect::Repeated(again)) = (first, again) else { panic!("{first:?}, {again:?}") };
        assert_eq!(first.place, *again);
    }
}

#[test]
fn a_message_names_members_however_many_others_have_their_names() {
    let (_folder, mut state, ada) = opened();
    let namesakes: Vec<_> = (0..200)
        .map(|number| {
            let user = clock::id(UserId::v7);
            let address = format!("{number}@b");
            account::insert(&state.database, user, &address, "Ben", "x", clock::now()).expect("an account");
            user
        })
        .collect();
    let mut members = vec![ada, namesakes[150]];
    members.sort_unstable();
    let mut named = |to: Recipients| {
        let message = NewMessage {
            id: clock::id(CommandId::v7),
            to,
            content: Content::new("@ben and @ADA, not @Cy".into()),
            reply_to: None,
            attachments: Vec::new(),
        };
        let effects = handle(&mut state, vec![Job::Send { asker: (), user: ada, message }]);
        let Effect::Stored(stored) = &effects[0] else { panic!("{effects:?}") };
        let EventKind::Message(message) = serde_json::from_str(&stored.kind).expect("its own JSON") else {
            panic!("{}", stored.kind)
        };
        message.mentions
    };
    let set = Recipients::Set(members.clone());
    assert_eq!(named(set.clone()), members, "a new conversation");
    assert_eq!(named(set), members, "the same again");
    let mut everyone = namesakes;
    everyone.sort_unstable();
    everyone.truncate(shared::limits::MENTIONS_MAX);
    assert_eq!(named(Recipients::Everyone), everyone, "the first of them, and no more");
}

#[tokio::test]
async fn calls_made_for_a_person_have_that_persons_turn_and_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let (outcomes, _delivered) = mpsc::channel(64);
    let (_store, writer) = crate::store::Store::open(folder.path(), 40, outcomes).expect("opens");
    let writer: &'static crate::store::Writer<()> = Box::leak(Box::new(writer));
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let busy = tokio::spawn(writer.call(Turn::Program, move |_| {
        let _ = begun.send(());
        let _ = held.recv();
        Ok(())
    }));
    is_begun.await.expect("begun");
    let (done, order) = std::sync::mpsc::channel();
    let queue = |turn, name: &'static str| {
        let done = done.clone();
        let work = move |_: &Connection| {
            done.send(name).expect("somebody listens");
            Ok(())
        };
        let mut call = Box::pin(writer.call(turn, work));
        // Asked once, it is queued.
        (futures_util::FutureExt::now_or_never(call.as_mut()).is_none(), call)
    };
    let (ada, ben) = (Turn::Person(clock::id(UserId::v7)), Turn::Person(clock::id(UserId::v7)));
    let place = |last| Turn::Address(std::net::IpAddr::from([192, 0, 2, last]));
    let flood: Vec<_> = (0..20).map(|_| queue(ada, "ada")).collect();
    let sign_ups: Vec<_> = (0..12).map(|_| queue(place(1), "sign-up")).collect();
    let queued = |calls: &[(bool, _)]| calls.iter().filter(|(is_queued, _)| *is_queued).count();
    assert_eq!((queued(&flood), queued(&sign_ups)), (10, 10), "a quarter each");
    let others = [queue(ben, "ben"), queue(place(2), "neighbour"), queue(Turn::Program, "program")];
    assert_eq!(queued(&others), 3, "others have room");
    release.send(()).expect("the writer waits");
    busy.await.expect("no panic").expect("done");
    let order: Vec<_> = order.iter().take(23).collect();
    assert_eq!(order[..5], ["ada", "sign-up", "ben", "neighbour", "program"]);
    tokio::task::spawn_blocking(|| writer.close()).await.expect("closed");
}

#[test]
fn people_of_a_transaction_that_failed_do_not_count_as_brought_in() {
    let (folder, mut state, user) = opened();
    let rate = crate::rate::Rate::new(3, 1, std::time::Duration::from_secs(60 * 60));
    state.invites.rate = Some((3, crate::rate::Limiter::new(rate)));
    let mut members = vec![user];
    for _ in 0..3 {
        let other = clock::id(UserId::v7);
        account::insert(&state.database, other, &format!("{other}@x"), "Other", "x", clock::now()).expect("an account");
        members.push(other);
    }
    members.sort_unstable();
    let create = || {
        let (name, topic, is_public, members) = (None, None, false, members.clone());
        let change = Change::Create { kind: ConversationKind::Group, name, topic, is_public, members };
        vec![Job::Change { asker: (), user, change }]
    };
    // The writer may write until it stores what it has remembered: then the disk is full.
    let full = "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'full'); END";
    state.database.execute_batch(full).expect("set");
    for _ in 0..2 {
        let failed = handle(&mut state, create());
        assert!(matches!(&failed[..], [Effect::Refused(refused)] if refused.code != Code::RateLimited), "{failed:?}");
    }
    state.database.execute_batch("DROP TRIGGER full").expect("set");
    let made = handle(&mut state, create());
    assert!(matches!(made[..], [Effect::Stored(_)]), "{made:?}");
    let again = handle(&mut state, create());
    assert!(matches!(&again[..], [Effect::Refused(refused)] if refused.code == Code::RateLimited), "{again:?}");
    drop(folder);
}

#[tokio::test]
async fn one_persons_flood_holds_up_anothers_message_by_one_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let (outcomes, mut delivered) = mpsc::channel(64);
    let (_store, writer) = crate::store::Store::open(folder.path(), 4_096, outcomes).expect("opens");
    let writer = std::sync::Arc::new(writer);
    let (ada, ben) = (clock::id(UserId::v7), clock::id(UserId::v7));
    // Everything is queued while the writer is busy.
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let busy = writer.clone();
    let busy = tokio::spawn(async move {
        busy.call(Turn::Program, move |database| {
            account::insert(database, ada, "a@b", "Ada", "x", clock::now())?;
            account::insert(database, ben, "c@d", "Ben", "x", clock::now())?;
            let _ = begun.send(());
            let _ = held.recv();
            Ok(())
        })
        .await
    });
    is_begun.await.expect("begun");
    for _ in 0..1_000 {
        writer.send((), ada, message(clock::id(CommandId::v7))).expect("room");
    }
    writer.send((), ben, message(clock::id(CommandId::v7))).expect("room");
    release.send(()).expect("the writer waits");
    busy.await.expect("no panic").expect("done");
    let mut order = Vec::new();
    while order.len() < 1_001 {
        let batch = delivered.recv().await.expect("the writer goes on");
        order.extend(batch.iter().map(|outcome| {
            assert!(matches!(outcome.effect, Effect::Stored(_)), "{outcome:?}");
            outcome.user
        }));
    }
    assert_eq!(order.iter().position(|user| *user == ben), Some(16), "as many short messages as one turn has");
    tokio::task::spawn_blocking(move || writer.close()).await.expect("closed");
}
