//! What a message's steps through the server cost, each alone: may its sender read there, its commit with others, its
//! way into the queues of those it is for.

#![allow(missing_docs, reason = "criterion's macros make functions without any")]

use backend::accounts::SessionKind;
use backend::clock;
use backend::registry::Registry;
use backend::socket::queue::{About, Item};
use backend::store::account::NewSession;
use backend::store::writer::{Content, Effect, NewMessage, Outcome, QUEUE_MAX, Recipients};
use backend::store::{Store, Writer};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shared::account::User;
use shared::ids::{CommandId, ConversationId, Seq, SessionId, UserId};
use std::hint::black_box;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};

/// A store on the disk, and two people in it who have a conversation.
struct Place {
    runtime: Runtime,
    store: Store,
    writer: Writer<()>,
    outcomes: Receiver<Vec<Outcome<()>>>,
    people: Vec<UserId>,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (sender, outcomes) = mpsc::channel(64);
        let (store, writer) = Store::open(folder.path(), QUEUE_MAX, sender).expect("a store");
        let mut people: Vec<UserId> = (0..2).map(|_| clock::id(UserId::v7)).collect();
        people.sort_unstable();
        for (number, id) in people.iter().enumerate() {
            let email = Some(format!("{number}@example.org"));
            let user = User { id: *id, display_name: "Ada".into(), avatar: None, status: None, privacy: None, email };
            let session = NewSession {
                id: clock::id(SessionId::v7),
                token_hash: clock::random(),
                user_agent: "bench".into(),
                expires_at: clock::after(clock::now(), backend::accounts::SESSION_MAX),
            };
            let made = runtime
                .block_on(writer.create_account(std::net::Ipv4Addr::LOCALHOST.into(), user, String::new(), session))
                .expect("written");
            assert!(made);
        }
        Self { runtime, store, writer, outcomes, people, _folder: folder }
    }

    /// Sends these, waits until all are on the disk, and gives where the last went.
    fn commit(&mut self, messages: Vec<NewMessage>) -> ConversationId {
        let mut missing = messages.len();
        for message in messages {
            self.writer.send((), self.people[0], message).expect("there is room");
        }
        let mut place = None;
        while missing > 0 {
            for outcome in self.outcomes.blocking_recv().expect("the writer runs") {
                let Effect::Stored(stored) = outcome.effect else { panic!("a message was not stored") };
                place = Some(stored.place.conversation);
                missing -= 1;
            }
        }
        place.expect("messages")
    }
}

fn message(to: &Recipients) -> NewMessage {
    NewMessage {
        id: clock::id(CommandId::v7),
        to: to.clone(),
        content: Content::new("x".repeat(100)),
        reply_to: None,
        attachments: Vec::new(),
    }
}

fn store(criterion: &mut Criterion) {
    let mut place = Place::new();
    let everybody = Recipients::Set(place.people.clone());
    let conversation = place.commit(vec![message(&everybody)]);
    criterion.bench_function("permission: is somebody a member", |bencher| {
        let (store, user) = (&place.store, place.people[0]);
        bencher.to_async(&place.runtime).iter(|| async {
            assert!(store.member(user, conversation).await.expect("reads").is_some());
        });
    });

    let to = Recipients::Conversation(conversation);
    let mut group = criterion.benchmark_group("commit together");
    for count in [1, 100, 1_000] {
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, count| {
            let messages = || (0..*count).map(|_| message(&to)).collect();
            bencher.iter_batched(messages, |messages| place.commit(messages), BatchSize::PerIteration);
        });
    }
    group.finish();
    place.writer.close();
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("into queues");
    for count in [1_usize, 1_000] {
        let registry = Registry::new(1);
        let users: Vec<UserId> = (0..count).map(|_| clock::id(UserId::v7)).collect();
        let sockets: Vec<_> =
            users.iter().map(|user| registry.register(*user, clock::id(SessionId::v7), SessionKind::Browser)).collect();
        let about = About::Event(clock::id(ConversationId::v7), Seq::FIRST);
        let item = Item { frame: "x".repeat(300).into(), about };
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, _| {
            let mut frames = Vec::new();
            bencher.iter(|| {
                registry.push_each(&users, black_box(&item), None);
                // Taken again, as each socket's task does, so that nothing fills up.
                for registration in &sockets {
                    registration.socket.queue.take(&mut frames);
                    frames.clear();
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, store, fan_out);
criterion_main!(benches);
