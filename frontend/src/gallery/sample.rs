//! People and conversations to look at.

use crate::state::State;
use crate::state::changing::Changing;
use crate::state::upload::{Stage, Upload};
use client::timeline::{Load, RowState};
use leptos::prelude::*;
use serde_json::{Value, json};
use shared::conversation::EventList;
use shared::event::Event;
use shared::frame::ServerFrame;
use shared::group_request::GroupRequest;
use shared::ids::{CommandId, ConversationId, Seq, Timestamp, UserId};
use shared::message::{Send, Target};
use shared::typing::UserTyping;
use shared::welcome::Welcome;

/// 27 November 2026, about noon everywhere in Europe.
const NOON: u64 = 1_795_777_200_000;

fn at(minutes: u64) -> u64 {
    NOON + minutes * 60_000
}

fn user(number: u8) -> UserId {
    UserId::v7(Timestamp::from_millis(1), [number; 10])
}

fn conversation(number: u8) -> ConversationId {
    ConversationId::v7(Timestamp::from_millis(1), [number; 10])
}

fn command(number: u64) -> CommandId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    CommandId::v7(Timestamp::from_millis(1), random)
}

/// The conversation that is shown.
#[expect(non_snake_case, reason = "a constant, but for the making of ids")]
pub(super) fn GROUP() -> ConversationId {
    conversation(2)
}

fn person(number: u8, name: &str) -> Value {
    json!({"id": user(number), "displayName": name})
}

fn message(seq: u64, sender: u8, minutes: u64, content: &str, more: Value) -> Value {
    let mut message = json!({"id": command(seq), "content": content});
    if let (Some(message), Value::Object(more)) = (message.as_object_mut(), more) {
        message.extend(more);
    }
    json!({"conversation": GROUP(), "seq": seq, "at": at(minutes), "sender": user(sender), "kind": {"message": message}})
}

fn summary(number: u8, kind: &str, name: Option<&str>, unread: u64, preferences: Value) -> Value {
    let mut last = message(200, 2, 0, "See you at the old mill, as always", json!({}));
    last["conversation"] = json!(conversation(number));
    let mut summary = json!({
        "id": conversation(number), "kind": kind, "lastSeq": 200, "readSeq": 200 - unread, "unread": unread,
        "lastEvent": last, "preferences": preferences,
    });
    if let Some(name) = name {
        summary["name"] = name.into();
    }
    if kind == "direct" || kind == "group" {
        summary["members"] = json!([person(1, "Ada Lovelace"), person(2, "Ben Okafor")]);
    }
    summary
}

/// Somebody is signed in and has conversations.
pub(super) fn welcome(state: State) {
    let welcome = json!({
        "user": {"id": user(1), "displayName": "Ada Lovelace", "email": "ada@example.org",
            "status": "Out for a walk", "privacy": {"hidesTyping": true}},
        "session": command(1), "epoch": "gallery", "now": at(0), "heartbeatMs": 25_000,
        "limits": shared::limits::Limits::default(), "more": true, "presence": [
            {"user": user(2), "state": "online"}],
        "conversations": [
            summary(1, "direct", None, 3, json!({})),
            summary(2, "group", Some("Weekend walks"), 0, json!({"pinned": true, "notify": "nothing"})),
            summary(3, "channel", Some("A channel with a name that is longer than its line is wide"), 128, json!({"notify": "mentions"})),
            summary(4, "channel", Some("قناة"), 0, json!({"markedUnread": true})),
            summary(5, "group", None, 0, json!({"archived": true})),
            summary(6, "everyone", None, 0, json!({})),
        ],
    });
    if let Some(welcome) = read::<Welcome>(welcome) {
        state.apply(ServerFrame::Welcome(Box::new(welcome)));
    }
}

/// Requests of groups with a name, with a long one, and with none.
pub(super) fn group_requests() -> Vec<GroupRequest> {
    let request = |(number, asker, name): (u8, &str, Option<&str>)| {
        read(json!({
            "conversation": conversation(number), "kind": "group", "name": name, "memberCount": number,
            "asker": person(number, asker), "at": at(0),
        }))
    };
    let long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenträgerverein";
    let all = [(2, "Ben Okafor", Some("Weekend walks")), (31, "أمينة خان", Some(long)), (7, "李 雷", None)];
    all.into_iter().filter_map(request).collect()
}

/// What is no sample is told to whoever looks.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value)
        .map_err(|error| crate::browser::log_error(&format!("the sample is none: {error}")))
        .ok()
}

/// Shows these events.
fn shows(state: State, events: impl IntoIterator<Item = Value>) {
    let events: Vec<Event> = events.into_iter().filter_map(read).collect();
    if let Some(loading) = state.timelines.begin(GROUP(), Load::Newest) {
        state.timelines.finish(GROUP(), loading, EventList { events, more: false });
    }
}

pub(super) fn nothing(state: State) {
    shows(state, []);
}

pub(super) fn messages(state: State) {
    let reactions = json!([{"emoji": "👍", "users": [user(1), user(2)]}, {"emoji": "🎉", "users": [user(2)]}]);
    let reacted = |seq: u64, emoji: &str, by: u8| {
        json!({"conversation": GROUP(), "seq": seq, "at": at(2_900), "sender": user(by),
            "kind": {"reacted": {"target": 3, "emoji": emoji, "on": true}}})
    };
    shows(
        state,
        [
            message(1, 2, 0, "Shall we go on Saturday?", json!({})),
            message(2, 2, 1, "The forecast is good", json!({"editedAt": at(2)})),
            message(3, 1, 3, "Yes! I bring cake", json!({"replyTo": 1, "reactions": reactions})),
            message(4, 2, 2_880, "@Ada Lovelace thank you", json!({"mentions": [user(1)]})),
            message(5, 2, 2_881, "", json!({"deletedAt": at(2_882)})),
            message(6, 2, 2_890, &"A long text that goes over several lines. ".repeat(6), json!({})),
            reacted(7, "👍", 1),
            reacted(8, "👍", 2),
            reacted(9, "🎉", 2),
        ],
    );
    state.active.set(Some(command(4)));
}

pub(super) fn own(state: State) {
    shows(state, [message(1, 1, 0, "In the log", json!({}))]);
    for (number, content) in [(11, "On its way"), (12, "Refused")] {
        let to = Target::Conversation(GROUP());
        let send = Send { id: command(number), to, content: content.into(), reply_to: None, attachments: Vec::new() };
        state.timelines.pending(GROUP(), &send, Vec::new(), user(1));
    }
    state.timelines.state(GROUP(), command(12), RowState::Failed("This group does not exist any more".into()));
}

pub(super) fn markup(state: State) {
    shows(
        state,
        [
            message(
                1,
                2,
                0,
                "*bold* _italic_ ~gone~ `code` ||a secret|| https://example.org/a/rather/long/address/that/has/to/be/broken",
                json!({}),
            ),
            message(2, 2, 1, "> a quote\n> of two lines\n\n- one\n- two\n\n1. first\n2. second", json!({})),
            message(
                3,
                2,
                2,
                "```rust\nfn main() {\n    // Says hello.\n    let text = \"hello\";\n    println!(\"{text} {}\", 42);\n}\n```",
                json!({}),
            ),
            message(4, 2, 3, "👋🎉", json!({})),
        ],
    );
}

fn file(number: u8, name: &str, media_type: &str, size: Option<(u32, u32)>) -> Value {
    let id = shared::ids::AttachmentId::v7(Timestamp::from_millis(1), [number; 10]);
    let mut file = json!({"id": id, "name": name, "mediaType": media_type, "size": 1_234_567});
    if let Some((width, height)) = size {
        (file["width"], file["height"]) = (width.into(), height.into());
    }
    file
}

pub(super) fn files(state: State) {
    let mut moving = file(5, "wave.gif", "image/gif", Some((480, 320)));
    moving["animated"] = true.into();
    let papers = [
        file(1, "minutes.pdf", "application/pdf", None),
        file(2, &format!("{}.txt", "long-name-".repeat(9)), "text/plain", None),
    ];
    shows(
        state,
        [
            message(1, 2, 0, "The papers", json!({"attachments": papers})),
            message(2, 2, 1, "", json!({"attachments": [file(3, "tune.ogg", "audio/ogg", None)]})),
            message(3, 1, 2, "", json!({"attachments": [file(4, "mill.png", "image/png", Some((1_200, 800)))]})),
            message(4, 1, 3, "", json!({"attachments": [moving]})),
        ],
    );
}

pub(super) fn changes(state: State) {
    shows(state, (1..=4).map(|seq| message(seq, 1, seq, "As it was", json!({}))));
    let seq = |number| Seq::new(number).unwrap_or(Seq::FIRST);
    let refused = |text: Option<&str>| Changing::Refused {
        command: command(50),
        reason: "It was deleted meanwhile".into(),
        text: text.map(str::to_owned),
    };
    state.changes.all.update(|all| {
        all.extend([
            ((GROUP(), seq(1)), Changing::Deleting(1)),
            ((GROUP(), seq(2)), Changing::Edited("As it is to be".into())),
            ((GROUP(), seq(3)), refused(Some("As it was to be"))),
            ((GROUP(), seq(4)), refused(None)),
        ]);
    });
}

pub(super) fn arabic(state: State) {
    shows(
        state,
        [
            message(1, 2, 0, "هل نلتقي يوم السبت عند الطاحونة القديمة؟", json!({})),
            message(2, 1, 1, "نعم، وسأحضر الكعك معي", json!({"replyTo": 1})),
            message(3, 2, 2, "Ja, gern – and `code` inside", json!({})),
        ],
    );
}

pub(super) fn typing(state: State) {
    state.apply(ServerFrame::Typing(UserTyping { conversation: GROUP(), user: user(2) }));
}

pub(super) fn upload(state: State) {
    let stages = [Stage::Waiting, Stage::Sending(40), Stage::Failed("This file is larger than 25 MB".into())];
    let upload = |(key, stage): (u32, Stage)| Upload {
        key: 1_000_000 + key,
        name: format!("file-{key}.pdf"),
        size: 4_321_000,
        file: None,
        request: ArcStoredValue::new(None),
        is_kept: ArcStoredValue::new(false),
        stage: ArcRwSignal::new(stage),
    };
    let all: Vec<_> = (0..).zip(stages).map(upload).collect();
    state.draft().files.all.set(all);
}
