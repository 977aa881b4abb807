//! One call of the OpenAPI document: what it takes, what it answers, what it is refused with.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody has to be signed in.
    Anybody,
    /// A session or a token.
    SignedIn,
    /// A browser's session; a token is refused.
    Browser,
}

/// What a refusal with this status means.
pub(super) const REFUSALS: &[(u16, &str)] = &[
    (
        400,
        "`bad_json`: the body is not JSON that names each key once. `invalid`: the request is no WebSocket handshake.",
    ),
    (401, "`unauthenticated`: nobody is signed in."),
    (403, "`bad_origin`: the request comes from another site's page. `forbidden`: signed in, but not allowed."),
    (404, "`not_found`: it is not there, or not yours; the answer does not tell which."),
    (408, "`bad_json`: the body did not arrive in time."),
    (409, "`conflict`: it contradicts what is already there."),
    (413, "`too_large`: the body is too large."),
    (415, "`unsupported_media_type`: the body is not application/json."),
    (416, "There is no such part of the file."),
    (422, "`invalid`: something cannot be accepted; `field` names it."),
    (426, "`invalid`: this address speaks WebSocket."),
    (429, "`rate_limited`: too much in too short a time."),
    (500, "`internal`: a fault of the server's."),
    (503, "`overloaded`: the server has more to do than it can queue, or is stopping."),
    (
        507,
        "`storage_full`: the server's disk is full. Field `reserve`: it takes no files, but messages. Field `quota`: one's own files have too much.",
    ),
];

/// A refusal for all calls to refer to.
pub(super) fn refusal(status: u16, text: &str, error: &Value) -> Value {
    let mut refusal = json!({"description": text, "content": {"application/json": {"schema": error}}});
    if matches!(status, 429 | 503) {
        refusal["headers"] = json!({
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
        });
    }
    refusal
}

/// A method of a path.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    value: Value,
    responses: BTreeMap<u16, Value>,
}

impl Operation {
    /// A call that nothing is known of yet but its name and what it is good for.
    pub(super) fn new(
        tag: &str,
        who: Who,
        (method, path): (&'static str, &'static str),
        id: &str,
        summary: &str,
    ) -> Self {
        let security = match who {
            Who::Anybody => json!([]),
            Who::SignedIn => json!([{"session": []}, {"token": []}]),
            Who::Browser => json!([{"session": []}]),
        };
        let value = json!({"tags": [tag], "operationId": id, "summary": summary, "security": security});
        let operation = Self { method, path, value, responses: BTreeMap::new() };
        let operation = if who == Who::Anybody { operation } else { operation.refused(&[401, 500, 503]) };
        if method == "GET" { operation } else { operation.refused(&[403, 500, 503, 507]) }
    }

    /// More than the summary says.
    pub(super) fn about(mut self, text: &str) -> Self {
        self.value["description"] = json!(text);
        self
    }

    /// A part of the path.
    pub(super) fn path(self, name: &str, text: &str, schema: Value) -> Self {
        let parameter = json!({"name": name, "in": "path", "required": true, "description": text, "schema": schema});
        self.parameter(parameter).refused(&[404])
    }

    /// A part of the query; all of them may be left out.
    pub(super) fn query(self, name: &str, text: &str, schema: Value) -> Self {
        let is_list = schema["type"] == "array";
        let mut parameter = json!({"name": name, "in": "query", "description": text, "schema": schema});
        if is_list {
            parameter["style"] = json!("form");
            parameter["explode"] = json!(false);
        }
        self.parameter(parameter).refused(&[422])
    }

    fn parameter(mut self, parameter: Value) -> Self {
        match &mut self.value["parameters"] {
            Value::Array(parameters) => parameters.push(parameter),
            none => *none = json!([parameter]),
        }
        self
    }

    /// The body.
    pub(super) fn reads(mut self, schema: Value) -> Self {
        self.value["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        self.refused(&[400, 408, 413, 415, 422])
    }

    /// The body is a file.
    pub(super) fn reads_bytes(mut self) -> Self {
        self.value["requestBody"] = json!({"required": true, "content": {"application/octet-stream": {}}});
        self.refused(&[400, 408, 413])
    }

    /// An answer that is a file, or a part of one.
    pub(super) fn answers_bytes(self, status: u16, text: &str) -> Self {
        self.response(status, json!({"description": text, "content": {"*/*": {}}}))
    }

    /// An answer with a JSON body.
    pub(super) fn answers(self, status: u16, text: &str, schema: Value) -> Self {
        self.response(status, json!({"description": text, "content": {"application/json": {"schema": schema}}}))
    }

    /// An answer that is text for people.
    pub(super) fn answers_text(self, text: &str) -> Self {
        let schema = json!({"type": "string"});
        self.response(200, json!({"description": text, "content": {"text/plain": {"schema": schema}}}))
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(self, status: u16, text: &str) -> Self {
        self.response(status, json!({"description": text}))
    }

    /// All answers so far may carry a new session cookie, or take it away.
    pub(super) fn sets_cookie(mut self) -> Self {
        for response in self.responses.values_mut().filter(|response| response.get("$ref").is_none()) {
            response["headers"] = json!({
                "Set-Cookie": {"description": "The session's cookie.", "schema": {"type": "string"}},
            });
        }
        self
    }

    /// What else it is refused with.
    pub(super) fn refused(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.responses.insert(*status, json!({"$ref": format!("#/components/responses/{status}")}));
        }
        self
    }

    fn response(mut self, status: u16, response: Value) -> Self {
        self.responses.insert(status, response);
        self
    }

    /// The Operation Object (OpenAPI 3.1.1 section 4.8.10).
    pub(super) fn into_value(self) -> Value {
        let Self { mut value, responses, .. } = self;
        value["responses"] = responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
        value
    }
}
