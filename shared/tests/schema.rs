//! The schema says what the types say: examples are valid, damaged ones are not, and wherever the
//! schema accepts, so does the code.

mod files;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use shared::code::Code;
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, ServerFrame};
use shared::schema;

/// The golden files of a folder: name, content.
fn golden(folder: &str) -> Vec<(String, Value)> {
    let read = |(name, text): (String, String)| (name, serde_json::from_str(&text).expect("JSON"));
    files::golden(folder).into_iter().map(read).collect()
}

/// Checks values against one of the socket's definitions.
fn validator(definition: &str) -> Validator {
    let document = schema::socket();
    let schema = json!({
        "$schema": document["$schema"],
        "$ref": format!("#/$defs/{definition}"),
        "$defs": document["$defs"],
    });
    jsonschema::draft202012::new(&schema).expect("a schema")
}

/// What is wrong with a value, as one text.
fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

fn is_client_frame(value: &Value) -> bool {
    ClientFrame::decode(&value.to_string()).is_ok()
}

fn is_server_frame(value: &Value) -> bool {
    // A server writes the type first, and so it is read.
    let Value::Object(mut map) = value.clone() else { return false };
    let Some(kind) = map.remove("type") else { return false };
    let rest = Value::Object(map).to_string();
    let separator = if rest == "{}" { "" } else { "," };
    matches!(ServerFrame::decode(&format!("{{\"type\":{kind}{separator}{}", &rest[1..])), Ok(Some(_)))
}

fn is_event(value: &Value) -> bool {
    serde_json::from_value::<Event>(value.clone()).is_ok()
}

type Reader = fn(&Value) -> bool;

/// Folder, definition, and the code that reads it.
const ALL: [(&str, &str, Reader); 3] = [
    ("client", "ClientFrame", is_client_frame),
    ("server", "ServerFrame", is_server_frame),
    ("event", "Event", is_event),
];

/// The paths of all values inside a value, itself left out.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (key, value) in inner {
            let path = format!("{path}/{key}");
            walk(value, &path, found);
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// A copy without the field at this path; `None` if it is no field of an object.
fn without(value: &Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    let mut copy = value.clone();
    copy.pointer_mut(parent)?.as_object_mut()?.remove(key)?;
    Some(copy)
}

/// A copy with something else at this path.
fn with(value: &Value, path: &str, other: &Value) -> Value {
    let mut copy = value.clone();
    *copy.pointer_mut(path).expect("it is there") = other.clone();
    copy
}

#[test]
fn the_document_is_a_schema_and_names_both_sides() {
    let document = schema::socket();
    assert_eq!(document["client"], json!({"$ref": "#/$defs/ClientFrame"}));
    assert_eq!(document["server"], json!({"$ref": "#/$defs/ServerFrame"}));
    for (name, definition) in document["$defs"].as_object().expect("definitions") {
        assert!(jsonschema::meta::is_valid(definition), "{name}");
        assert!(definition["description"].is_string(), "{name} says what it is");
        validator(name);
    }
}

#[test]
fn every_example_is_valid() {
    for (folder, definition, _) in ALL {
        let validator = validator(definition);
        for (name, value) in golden(folder) {
            assert_eq!(faults(&validator, &value), [""; 0], "{folder}/{name}");
        }
    }
}

#[test]
fn a_required_field_is_missed_and_an_optional_one_is_not() {
    let mut refused = 0;
    for (folder, definition, reads) in ALL {
        let validator = validator(definition);
        for (name, value) in golden(folder) {
            for path in places(&value) {
                let Some(damaged) = without(&value, &path) else { continue };
                let is_read = reads(&damaged);
                assert_eq!(validator.is_valid(&damaged), is_read, "{folder}/{name} without {path}");
                refused += usize::from(!is_read);
            }
        }
    }
    assert!(refused > 150, "only {refused} of the fields are required");
}

#[test]
fn a_value_of_a_wrong_type_is_refused() {
    let others = [json!(true), json!(-1), json!(1.5), json!("wrong"), json!([]), json!({})];
    let mut refused = 0;
    for (folder, definition, reads) in ALL {
        let validator = validator(definition);
        for (name, value) in golden(folder) {
            for path in places(&value) {
                for other in &others {
                    let damaged = with(&value, &path, other);
                    let (is_valid, is_read) = (validator.is_valid(&damaged), reads(&damaged));
                    // What the code reads and the schema does not: what a later version may send, and
                    // lists and texts that the server refuses only once it looks at them.
                    let is_stricter = path.ends_with("/code")
                        || ["/to/users", "/conversations", "/users"].iter().any(|end| path.ends_with(end));
                    if is_stricter && is_read {
                        continue;
                    }
                    assert_eq!(is_valid, is_read, "{folder}/{name} with {other} at {path}");
                    refused += usize::from(!is_read);
                }
            }
        }
    }
    assert!(refused > 1_000, "only {refused} of the values were refused");
}

#[test]
fn null_is_read_where_a_field_may_be_left_out_and_never_written() {
    for (folder, definition, reads) in ALL {
        let validator = validator(definition);
        for (name, value) in golden(folder) {
            for path in places(&value).iter().filter(|path| !path.contains("/nonce")) {
                let damaged = with(&value, path, &Value::Null);
                let expected = folder == "client" && reads(&damaged);
                assert_eq!(validator.is_valid(&damaged), expected, "{folder}/{name} with null at {path}");
            }
        }
    }
}

#[test]
fn what_the_code_refuses_the_schema_refuses() {
    const ID: &str = "0192f0c1-0000-7abc-8def-0000000000a1";
    let send = |fields: Value| {
        let mut frame = json!({"type": "send", "id": ID, "to": "everyone", "content": "x"});
        let (Value::Object(map), Value::Object(fields)) = (&mut frame, fields) else { panic!("objects") };
        map.extend(fields);
        frame
    };
    let table = [
        (send(json!({})), true),
        (send(json!({"later": {"type": "send"}})), true),
        (send(json!({"replyTo": 9_007_199_254_740_991_u64})), true),
        (send(json!({"replyTo": null})), true),
        (send(json!({"to": {"user": ID}})), true),
        (send(json!({"replyTo": 0})), false),
        (send(json!({"replyTo": 9_007_199_254_740_992_u64})), false),
        (send(json!({"replyTo": "1"})), false),
        (send(json!({"to": "nobody"})), false),
        (send(json!({"to": {}})), false),
        (send(json!({"to": {"user": ID, "conversation": ID}})), false),
        (send(json!({"to": {"user": "00000000-0000-0000-0000-000000000000"}})), false),
        (send(json!({"to": {"user": ID.to_uppercase()}})), false),
        (send(json!({"to": {"user": ID.replace('-', "")}})), false),
        (send(json!({"to": {"users": [ID, "x"]}})), false),
        (send(json!({"type": "sing"})), false),
        (send(json!({"type": "event"})), false),
        (send(json!({"content": null})), false),
        (json!({"type": "ping"}), true),
        (json!({"type": "resume", "epoch": "e".repeat(64), "cursors": {ID: 0}}), true),
        (json!({"type": "resume", "epoch": "e".repeat(65), "cursors": {}}), false),
        (json!({"type": "resume", "epoch": "e", "cursors": {"x": 0}}), false),
        (json!({"type": "resume", "epoch": "e", "cursors": {ID: -1}}), false),
        (json!({"type": "resume", "epoch": "e", "cursors": [0]}), false),
        (json!({"id": ID}), false),
        (json!([]), false),
    ];
    let validator = validator("ClientFrame");
    for (value, expected) in table {
        assert_eq!(validator.is_valid(&value), expected, "the schema: {value}");
        assert_eq!(is_client_frame(&value), expected, "the code: {value}");
    }
}

#[test]
fn limits_that_a_schema_can_say_are_said() {
    let validator = validator("ClientFrame");
    let id = "0192f0c1-0000-7abc-8def-0000000000a1";
    let react =
        |emoji: &str| json!({"type": "react", "id": id, "conversation": id, "target": 1, "emoji": emoji, "on": true});
    let send = |to: Value, content: &str| json!({"type": "send", "id": id, "to": to, "content": content});
    assert!(validator.is_valid(&react("x")));
    assert!(!validator.is_valid(&react("")));
    assert!(!validator.is_valid(&react(&"x".repeat(65))));
    assert!(!validator.is_valid(&send(json!("everyone"), "")));
    assert!(!validator.is_valid(&send(json!({"users": []}), "x")));
}

#[test]
fn every_code_and_every_kind_has_its_place() {
    let document = schema::socket();
    let codes: Vec<_> = document["$defs"]["Code"]["oneOf"].as_array().expect("codes").iter().collect();
    let expected: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.iter().map(|code| code["const"].as_str().expect("a name")).collect::<Vec<_>>(), expected);
    let kinds = document["$defs"]["EventKind"]["oneOf"].as_array().expect("kinds");
    let kinds: Vec<_> = kinds.iter().map(|kind| kind["required"][0].as_str().expect("a name")).collect();
    let expected: Vec<_> = EventKind::NAMES.iter().copied().chain(["unknown"]).collect();
    assert_eq!(kinds, expected);
}

#[test]
fn a_kind_that_cannot_be_read_travels_as_an_object_and_is_read_as_one() {
    let (_, mut event) = golden("event").pop().expect("an event");
    event["kind"] = json!({"unknown": Map::new()});
    let read: Event = serde_json::from_value(event.clone()).expect("an event");
    assert_eq!(read.kind, EventKind::Unknown);
    assert_eq!(serde_json::to_value(&read).expect("JSON"), event);
    assert!(validator("Event").is_valid(&event));
}
