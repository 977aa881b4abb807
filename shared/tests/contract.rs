//! The contract, held against files: what they say is what the types say, both ways; and properties
//! that hold for every frame.

mod files;

use files::golden;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::code::Code;
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, Refusal, ServerFrame, decode_body};
use shared::ids::{CommandId, ConversationId, Cursor, Epoch, Seq, Timestamp, UserId};
use shared::message::{PostMessage, SeenGroup, Send, Target};
use std::collections::BTreeSet;

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn names(files: &[(String, String)]) -> BTreeSet<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_client_frame_has_a_golden_file_that_holds_both_ways() {
    let files = golden("client");
    assert_eq!(names(&files), ClientFrame::TYPES.iter().copied().collect());
    for (name, text) in &files {
        let frame = ClientFrame::decode(text).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(frame.type_name(), name);
        assert_eq!(value(&frame.encode()), value(text), "{name}");
    }
}

#[test]
fn every_server_frame_has_a_golden_file_that_holds_both_ways() {
    let files = golden("server");
    assert_eq!(names(&files), ServerFrame::TYPES.iter().copied().collect());
    for (name, text) in &files {
        let frame = ServerFrame::decode(text).expect(name).expect(name);
        assert_eq!(frame.type_name(), name);
        assert_eq!(value(&frame.encode()), value(text), "{name}");
    }
}

#[test]
fn every_event_kind_has_a_golden_file_that_holds_both_ways() {
    let files = golden("event");
    assert_eq!(names(&files), EventKind::NAMES.iter().copied().collect());
    for (name, text) in &files {
        let event: Event = serde_json::from_str(text).expect(name);
        assert_eq!(event.kind.name(), name);
        assert_eq!(serde_json::to_value(&event).expect(name), value(text), "{name}");
    }
}

#[test]
fn what_a_later_version_sends_is_ignored_or_kept_apart() {
    for (name, text) in golden("future") {
        let frame = ServerFrame::decode(&text).expect(&name);
        match (name.as_str(), frame) {
            ("frame", None) => {}
            ("event", Some(ServerFrame::Event(event))) => assert_eq!(event.kind, EventKind::Unknown),
            ("rejected", Some(ServerFrame::Rejected(rejected))) => {
                assert_eq!(rejected.rejection.code, Code::Unknown);
            }
            (name, frame) => panic!("{name} was read as {frame:?}"),
        }
    }
}

#[test]
fn unknown_fields_are_ignored_wherever_they_stand() {
    for (name, text) in golden("client") {
        let Value::Object(mut map) = value(&text) else { panic!("{name} is no object") };
        let plain = ClientFrame::decode(&text);
        map.insert("aaa".into(), json!({"deep": [1, {"type": "send"}]}));
        map.insert("zzz".into(), json!(null));
        assert_eq!(ClientFrame::decode(&Value::Object(map).to_string()), plain, "{name}");
    }
}

#[test]
fn the_type_may_stand_anywhere() {
    for (name, text) in golden("client") {
        let Value::Object(mut map) = value(&text) else { panic!("{name} is no object") };
        let kind = map.remove("type").expect("a type");
        let rest = Value::Object(map).to_string();
        let moved = format!("{},\"type\":{kind}}}", rest.strip_suffix('}').expect("an object"));
        assert_eq!(ClientFrame::decode(&moved), ClientFrame::decode(&text), "{moved}");
    }
}

const ID: &str = "0192f0c1-0000-7abc-8def-0000000000a1";

fn send(fields: Value) -> String {
    let mut frame = json!({"type": "send", "id": ID, "to": "everyone", "content": "x"});
    let (Value::Object(frame_map), Value::Object(fields)) = (&mut frame, fields) else { panic!("objects") };
    frame_map.extend(fields);
    frame.to_string()
}

fn refused(text: &str) -> (Code, Option<String>, bool) {
    match ClientFrame::decode(text) {
        Ok(frame) => panic!("{text} was read as {frame:?}"),
        Err(Refusal::Rejected(rejected)) => (rejected.rejection.code, rejected.rejection.field, true),
        Err(Refusal::Error(error)) => (error.code, error.reference, false),
    }
}

#[test]
fn what_is_no_json_object_is_bad_json() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let texts = [
        "",
        " ",
        "null",
        "[]",
        "\"x\"",
        "1",
        "{",
        "{}x",
        "not json",
        "{\"type\":\"ping\",}",
        "\u{feff}{}",
        &deep,
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"send","id":"a","id":"b"}"#,
        r#"{"nonce":1,"type":"ping","nonce":2}"#,
        r#"{"type":"send","content":"\ud800"}"#,
    ];
    for text in texts {
        let result = ClientFrame::decode(text);
        assert!(matches!(&result, Err(Refusal::Error(error)) if error.code == Code::BadJson), "{text:.60} {result:?}");
    }
}

#[test]
fn a_command_with_a_valid_id_is_rejected_and_names_the_field() {
    let table = [
        (send(json!({"content": 1})), "content"),
        (send(json!({"content": null})), "content"),
        (send(json!({"to": "nobody"})), "to"),
        (send(json!({"to": {}})), "to"),
        (send(json!({"to": {"user": "nonsense"}})), "to.user"),
        (send(json!({"to": {"user": "00000000-0000-0000-0000-000000000000"}})), "to.user"),
        (send(json!({"to": {"users": [ID, "x"]}})), "to.users[1]"),
        (send(json!({"replyTo": 0})), "replyTo"),
        (send(json!({"replyTo": 1.5})), "replyTo"),
        (send(json!({"replyTo": -1})), "replyTo"),
        (send(json!({"replyTo": "1"})), "replyTo"),
        (send(json!({"replyTo": 9_007_199_254_740_992_u64})), "replyTo"),
        (send(json!({"replyTo": u64::MAX})), "replyTo"),
        (send(json!({"attachments": "x"})), "attachments"),
        (json!({"type": "send", "id": ID, "to": "everyone"}).to_string(), "content"),
        (json!({"type": "edit", "id": ID}).to_string(), "conversation"),
    ];
    for (text, field) in table {
        assert_eq!(refused(&text), (Code::BadField, Some(field.into()), true), "{text}");
    }
    assert_eq!(refused(&json!({"type": "sing", "id": ID}).to_string()), (Code::UnknownType, None, true));
    assert_eq!(refused(&json!({"id": ID}).to_string()), (Code::BadField, Some("type".into()), true));
}

#[test]
fn anything_else_is_an_error_that_repeats_what_id_there_was() {
    let table = [
        (json!({"type": "sing"}), Code::UnknownType, None),
        (json!({"type": "sing", "id": "mine"}), Code::UnknownType, Some("mine")),
        (json!({"type": 1}), Code::BadField, None),
        (json!({}), Code::BadField, None),
        (json!({"type": "read", "conversation": ID}), Code::BadField, None),
        (json!({"type": "read", "conversation": ID, "seq": 0}), Code::BadField, None),
        (json!({"type": "send", "id": "MINE", "to": "everyone", "content": "x"}), Code::BadField, Some("MINE")),
        (json!({"type": "send", "to": "everyone", "content": "x"}), Code::BadField, None),
    ];
    for (text, code, reference) in table {
        assert_eq!(refused(&text.to_string()), (code, reference.map(str::to_owned), false), "{text}");
    }
    let (_, reference, _) = refused(&json!({"type": "send", "id": "é".repeat(5_000)}).to_string());
    assert_eq!(reference.expect("it is repeated").len(), 64);
}

#[test]
fn large_frames_are_read_or_refused_like_small_ones_without_naming_the_field() {
    let fill = |length: usize| (0..length / 8).map(|n| format!(",\"{n:03}\":{{}}")).collect::<String>();
    let (fill, deep) = (fill(8_000), format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)));
    let good = ClientFrame::decode(r#"{"type":"ping","nonce":1}"#);
    for text in
        [format!("{{\"nonce\":1{fill},\"type\":\"ping\"}}"), format!(" {{\"type\":\"ping\",\"nonce\":1{fill}}}")]
    {
        assert_eq!(ClientFrame::decode(&text), good, "{text:.40}");
    }
    let dot = || Some(".".to_owned());
    let table = [
        (format!("{{\"type\":\"send\",\"id\":\"{ID}\"{fill}}}"), Code::BadField, dot(), true),
        (format!("{{\"id\":\"{ID}\"{fill},\"type\":\"send\"}}"), Code::BadField, dot(), true),
        (format!("{{\"type\":\"sing\",\"id\":\"{ID}\"{fill}}}"), Code::UnknownType, None, true),
        (format!("{{\"type\":\"sing\",\"id\":\"mine\"{fill}}}"), Code::UnknownType, Some("mine".into()), false),
        (format!("{{\"type\":1{fill}}}"), Code::BadField, None, false),
        (format!("{{\"nonce\":1{fill}}}"), Code::BadField, None, false),
        (format!("{{\"type\":\"ping\"{fill}"), Code::BadJson, None, false),
        (format!("[\"ping\",null,\"{fill}\"]").replace("\":{}", ""), Code::BadJson, None, false),
        // What is only looked through may nest as deep as it likes.
        (format!("{{\"type\":\"sing\",\"x\":{deep}}}"), Code::UnknownType, None, false),
    ];
    for (text, code, name, is_command) in table {
        assert!(text.len() > 4_096);
        assert_eq!(refused(&text), (code, name, is_command), "{text:.60}");
    }
}

#[test]
fn bodies_are_refused_with_the_field_at_fault() {
    let code = |text: &str| decode_body::<PostMessage>(text).map_err(|rejection| (rejection.code, rejection.field));
    assert!(code(&json!({"id": ID, "content": "x", "extra": 1}).to_string()).is_ok());
    assert_eq!(code("{"), Err((Code::BadJson, None)));
    assert_eq!(code(&json!([]).to_string()), Err((Code::Invalid, Some(".".into()))));
    assert_eq!(code(&json!({"id": ID}).to_string()), Err((Code::Invalid, Some("content".into()))));
    assert_eq!(code(&json!({"id": "x", "content": ""}).to_string()), Err((Code::Invalid, Some("id".into()))));
}

fn any_seq() -> impl Strategy<Value = Seq> {
    (1..shared::ids::INTEGER_END).prop_filter_map("in range", Seq::new)
}

fn any_user() -> impl Strategy<Value = UserId> {
    any::<[u8; 10]>().prop_map(|random| UserId::v7(Timestamp::from_millis(1), random))
}

fn any_conversation() -> impl Strategy<Value = ConversationId> {
    any::<[u8; 10]>().prop_map(|random| ConversationId::v7(Timestamp::from_millis(1), random))
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        any_user().prop_map(Target::User),
        prop::collection::vec(any_user(), 0..5).prop_map(Target::Users),
        any_conversation().prop_map(Target::Conversation),
        (any_conversation(), prop::collection::vec(any_user(), 0..5))
            .prop_map(|(conversation, members)| Target::Group(SeenGroup { conversation, members })),
        Just(Target::Everyone),
    ]
}

fn any_frame() -> impl Strategy<Value = ClientFrame> {
    let send = (any::<[u8; 10]>(), any_target(), any::<String>(), prop::option::of(any_seq())).prop_map(
        |(random, to, content, reply_to)| {
            let id = CommandId::v7(Timestamp::from_millis(1), random);
            ClientFrame::Send(Send { id, to, content, reply_to, attachments: vec![] })
        },
    );
    let read = (any_conversation(), any_seq())
        .prop_map(|(conversation, seq)| ClientFrame::Read(shared::receipt::UpTo { conversation, seq }));
    let resume =
        prop::collection::btree_map(any_conversation(), 0..shared::ids::INTEGER_END, 0..5).prop_map(|cursors| {
            let cursors = cursors.into_iter().filter_map(|(id, cursor)| Some((id, Cursor::new(cursor)?))).collect();
            let epoch = Epoch::new("e".into()).expect("short");
            ClientFrame::Resume(shared::resume::Resume { epoch, cursors })
        });
    prop_oneof![4 => send, 1 => read, 1 => resume]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_frame_survives_its_way(frame in any_frame()) {
        prop_assert_eq!(ClientFrame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = ClientFrame::decode(&text);
        let _ = ServerFrame::decode(&text);
    }

    #[test]
    fn a_damaged_frame_is_refused_or_read_but_never_a_panic(
        frame in any_frame(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = frame.encode().into_bytes();
        let index = place.index(bytes.len());
        bytes[index] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = ClientFrame::decode(&text);
        }
    }
}
