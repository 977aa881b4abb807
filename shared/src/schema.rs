//! The contract as JSON Schema (draft 2020-12), made from the types.
//!
//! It says what a schema can say: which fields there are, of what type, and the limits that count
//! characters or entries. What it cannot say (bytes after trimming, that something can be seen, one
//! grapheme, that ids exist) stands in the descriptions.

use crate::frame::{ClientFrame, ServerFrame};
use crate::ids::INTEGER_END;
pub use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// The dialect all schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What travels on the socket: `client` and `server` refer to the frames of either side, `$defs` has
/// all they are made of.
#[must_use]
pub fn socket() -> Value {
    let mut definitions = Definitions::at("/$defs");
    let (client, server) = (definitions.read::<ClientFrame>(), definitions.written::<ServerFrame>());
    json!({
        "$schema": DIALECT,
        "title": "Confab's socket",
        "description": "Every text frame is one JSON object. What a client sends is a #/$defs/ClientFrame, what the \
                        server sends a #/$defs/ServerFrame. Fields and types that are not named here may be added \
                        and are to be ignored.",
        "client": client,
        "server": server,
        "$defs": definitions.finish(),
    })
}

/// Schemas that share their definitions.
///
/// What the server reads and what it writes differ: a field that may be left out may be `null` when it
/// is read, and never is when it is written.
#[derive(Debug)]
pub struct Definitions {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Definitions {
    /// Definitions that will stand at this JSON pointer of their document, like `/$defs`.
    #[must_use]
    pub fn at(path: &'static str) -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| settings.definitions_path = path.into())
                .with_transform(RecursiveTransform(plain_words as fn(&mut Schema)))
        };
        let never_null = RecursiveTransform(never_null as fn(&mut Schema));
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().with_transform(never_null).into_generator(),
        }
    }

    /// The schema of something the server reads.
    pub fn read<T: JsonSchema>(&mut self) -> Value {
        self.read.subschema_for::<T>().to_value()
    }

    /// The schema of something the server writes.
    pub fn written<T: JsonSchema>(&mut self) -> Value {
        self.written.subschema_for::<T>().to_value()
    }

    /// Everything that the schemas given so far refer to. What is both read and written is the same
    /// either way, or it would need two names.
    #[must_use]
    pub fn finish(mut self) -> Map<String, Value> {
        let mut all = self.read.take_definitions(true);
        for (name, written) in self.written.take_definitions(true) {
            debug_assert!(all.get(&name).is_none_or(|read| *read == written), "{name} differs");
            all.insert(name, written);
        }
        all
    }
}

/// Rustdoc's links and line breaks are plain words elsewhere.
fn plain_words(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        *text = paragraphs.collect::<Vec<_>>().join("\n\n").replace("[`", "`").replace("`]", "`");
    }
}

/// What may be left out is left out, and not `null`.
fn never_null(schema: &mut Schema) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !is_required(name)) {
        let Value::Object(property) = property else { continue };
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|one| one != "null");
            if let [one] = &types[..] {
                let one = one.clone();
                property.insert("type".into(), one);
            }
        }
        let null = json!({"type": "null"});
        if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
            choices.retain(|one| *one != null);
            if let [Value::Object(one)] = &choices[..] {
                let one = one.clone();
                property.remove("anyOf");
                property.extend(one);
            }
        }
    }
}

pub(crate) fn id(doc: &str) -> Schema {
    json_schema!({
        "description": doc.trim(),
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "not": {"const": "00000000-0000-0000-0000-000000000000"},
    })
}

pub(crate) fn integer(doc: &str, first: u64) -> Schema {
    json_schema!({
        "description": doc.trim(),
        "type": "integer",
        "minimum": first,
        "maximum": INTEGER_END - 1,
    })
}

/// One of these strings.
pub(crate) fn names(doc: &str, names: &[(&str, &str)]) -> Schema {
    let choices: Vec<_> = names.iter().map(|(name, doc)| json!({"const": name, "description": doc.trim()})).collect();
    json_schema!({"description": doc, "type": "string", "oneOf": choices})
}

/// An object with exactly one of these keys.
pub(crate) fn one_key(doc: &str, keys: &[(&str, &str, Schema)]) -> Schema {
    let choices: Vec<_> = keys
        .iter()
        .map(|(name, doc, value)| {
            json!({
                "description": doc.trim(),
                "type": "object",
                "properties": {*name: value},
                "required": [name],
                "additionalProperties": false,
            })
        })
        .collect();
    json_schema!({"description": doc, "oneOf": choices})
}

/// An object told apart by its `"type"`.
pub(crate) fn frames(doc: &str, types: &[(&str, &str, Schema)]) -> Schema {
    let choices: Vec<_> = types
        .iter()
        .map(|(name, doc, payload)| {
            let mut frame = payload.clone();
            let members = json!({
                "title": name,
                "description": doc.trim(),
                "type": "object",
                "properties": {"type": {"const": name}},
                "required": ["type"],
            });
            if let Value::Object(members) = members {
                frame.ensure_object().extend(members);
            }
            frame
        })
        .collect();
    json_schema!({"description": doc.trim(), "oneOf": choices})
}
