//! What a message costs as text: reading a `send`, writing its `event`.

#![allow(missing_docs, reason = "criterion's macros make functions without any")]

use criterion::{Criterion, criterion_group, criterion_main};
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Seq, Timestamp, UserId};
use shared::message::{Message, Send, Target};
use std::hint::black_box;

fn frames(criterion: &mut Criterion) {
    let at = Timestamp::from_millis(1_790_000_000_000);
    let (id, conversation) = (CommandId::v7(at, [1; 10]), ConversationId::v7(at, [2; 10]));
    let content = "x".repeat(100);
    let to = Target::Conversation(conversation);
    let send =
        ClientFrame::Send(Send { id, to, content: content.clone(), reply_to: None, attachments: Vec::new() }).encode();
    criterion.bench_function("decode a send of 100 bytes", |bencher| {
        bencher.iter(|| ClientFrame::decode(black_box(&send)).expect("a good frame"));
    });

    let kind = EventKind::Message(Message::new(id, content, None));
    let event = Event { conversation, seq: Seq::FIRST, at, sender: UserId::v7(at, [3; 10]), kind };
    let event = ServerFrame::Event(event);
    criterion.bench_function("encode an event of 100 bytes", |bencher| {
        bencher.iter(|| black_box(&event).encode());
    });
}

criterion_group!(benches, frames);
criterion_main!(benches);
