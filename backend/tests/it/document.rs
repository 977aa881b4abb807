//! The documents for machines: every route is in them, and what the server really says is what they
//! say.

use crate::support::{Person, Server, Socket, new_id};
use backend::server::router::ROUTES;
use base64::Engine;
use jsonschema::Validator;
use reqwest::{Method, header};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

async fn document(server: &Server, path: &str) -> Value {
    let answer = server.http().get(format!("{}{path}", server.origin)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    answer.json().await.unwrap()
}

/// All `$ref`s inside a value.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").map(|reference| reference.as_str().unwrap().to_owned()));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Method, path and operation of each call in the document.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |path: &String, methods: &'_ Value| -> Vec<(String, String)> {
        methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect()
    };
    paths
        .iter()
        .flat_map(|(path, methods)| of(path, methods))
        .map(|(method, path)| {
            let operation = &document["paths"][&path][method.to_lowercase()];
            (method, path, operation)
        })
        .collect()
}

#[tokio::test]
async fn every_route_has_an_operation_and_nothing_else_has() {
    let server = Server::start();
    let document = document(&server, "/api/openapi.json").await;
    let found: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(found, routes);
}

#[tokio::test]
async fn the_document_holds_together() {
    let server = Server::start();
    let document = document(&server, "/api/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["jsonSchemaDialect"], DIALECT);
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in &found {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody needs {name}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }

    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{at}: its name is taken");
        assert!(operation["summary"].is_string(), "{at}");
        assert!(operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag.to_string())), "{at}");
        for scheme in operation["security"].as_array().unwrap() {
            for name in scheme.as_object().unwrap().keys() {
                assert!(document["components"]["securitySchemes"][name].is_object(), "{at}: {name}");
            }
        }
        let mut in_path = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(parameter["schema"].is_object() && parameter["description"].is_string(), "{at}: {name}");
            match parameter["in"].as_str().unwrap() {
                "path" => assert!(parameter["required"] == true && in_path.insert(name), "{at}: {name}"),
                place => assert_eq!(place, "query", "{at}: {name}"),
            }
        }
        let expected: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, expected, "{at}");
        let has_body = matches!(method.as_str(), "POST" | "PATCH")
            || ["DELETE /api/account", "PUT /api/push"].contains(&at.as_str());
        assert_eq!(operation.get("requestBody").is_some(), has_body, "{at}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!((100..600).contains(&status.parse::<u16>().unwrap()), "{at}");
            assert!(resolved(&document, response)["description"].is_string(), "{at}: {status}");
        }
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// What is wrong with a value, by a schema of this document.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = json!({"$schema": DIALECT, "allOf": [schema], "components": document["components"]});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

/// Calls that are held against the document, and what has been seen of it.
struct Walk {
    server: Server,
    document: Value,
    cookie: String,
    seen: BTreeMap<String, BTreeSet<u16>>,
}

impl Walk {
    async fn new() -> Self {
        let server = Server::start();
        let document = document(&server, "/api/openapi.json").await;
        Self { server, document, cookie: String::new(), seen: BTreeMap::new() }
    }

    /// Asks with a JSON body, as whoever is signed in, from the server's own page.
    async fn asks(&mut self, call: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (method, template) = call.split_once(' ').unwrap();
        let url = format!("{}{path}", self.server.origin);
        let mut request = self.server.http().request(method.parse().unwrap(), url);
        request = request.header(header::ORIGIN, &self.server.origin).header(header::COOKIE, &self.cookie);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let (status, answer) = self.check(method, template, request).await;
        let schema = &self.document["paths"][template][method.to_lowercase()]["requestBody"]["content"]["application/json"]
            ["schema"];
        if let (Some(body), 200..300) = (&body, status) {
            assert_eq!(faults(&self.document, schema, body), [""; 0], "{call}: {body} was taken");
        }
        (status, answer)
    }

    /// Sends a request and holds its answer against the document.
    async fn check(&mut self, method: &str, template: &str, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let cookie = answer.headers().get(header::SET_COOKIE).map(|line| line.to_str().unwrap().to_owned());
        let media_type = answer.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        let at = format!("{method} {template}: {status} {text:.300}");

        let operation = &self.document["paths"][template][method.to_lowercase()];
        let response = resolved(&self.document, &operation["responses"][status.to_string()]);
        assert!(response.is_object(), "{at} is not in the document");
        let value = match (&response["content"], media_type.as_deref()) {
            (Value::Null, None) => {
                assert_eq!(text, "", "{at}");
                Value::Null
            }
            (content, Some("application/json")) => {
                let value = serde_json::from_str(&text).unwrap();
                let schema = &content["application/json"]["schema"];
                assert_eq!(faults(&self.document, schema, &value), [""; 0], "{at}");
                value
            }
            (content, Some(media_type)) => {
                let media_type = media_type.split(';').next().unwrap();
                assert!(content[media_type].is_object(), "{at}: {media_type}");
                Value::String(text)
            }
            (content, None) => panic!("{at}: an answer without a type, and {content}"),
        };
        if let Some(line) = cookie {
            assert!(response["headers"]["Set-Cookie"].is_object(), "{at}");
            self.cookie = line.split(';').next().unwrap().to_owned();
        }
        self.seen.entry(operation["operationId"].as_str().unwrap().to_owned()).or_default().insert(status);
        (status, value)
    }

    async fn expect(&mut self, expected: u16, call: &str, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.asks(call, path, body).await;
        assert_eq!(status, expected, "{call}: {value}");
        value
    }

    async fn get(&mut self, expected: u16, template: &str, path: &str) -> Value {
        self.expect(expected, &format!("GET {template}"), path, None).await
    }
}

#[tokio::test]
async fn the_server_answers_as_the_document_says() {
    let mut walk = Walk::new().await;
    let error = json!({"$ref": "#/components/schemas/ErrorBody"});
    assert_ne!(faults(&walk.document, &error, &json!({"error": {"code": "not_found"}})), [""; 0], "a fault is seen");
    let ben = walk.server.sign_up("Ben").await;
    account(&mut walk).await;
    tokens(&mut walk).await;
    conversations(&mut walk, &ben).await;
    files(&mut walk).await;
    walk.get(200, "/api/openapi.json", "/api/openapi.json").await;
    walk.get(200, "/api/socket.json", "/api/socket.json").await;
    walk.get(200, "/healthz", "/healthz").await;
    walk.get(200, "/readyz", "/readyz").await;
    walk.get(400, "/ws", "/ws").await;
    farewell(&mut walk).await;
    group_requests(&mut walk).await;

    for (method, path, operation) in operations(&walk.document) {
        let seen = walk.seen.remove(operation["operationId"].as_str().unwrap()).unwrap_or_default();
        let successes = operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
        for status in successes {
            assert!(seen.contains(&status.parse().unwrap()), "{method} {path} never answered {status}");
        }
    }
}

async fn account(walk: &mut Walk) {
    const ACCOUNTS: &str = "POST /api/accounts";
    const ACCOUNT: &str = "PATCH /api/account";
    let sign_up = json!({"email": "ada@example.org", "displayName": "Ada", "password": "correct horse"});
    walk.get(401, "/api/session", "/api/session").await;
    walk.expect(422, ACCOUNTS, "/api/accounts", Some(json!({"email": "ada@example.org"}))).await;
    walk.expect(201, ACCOUNTS, "/api/accounts", Some(sign_up.clone())).await;
    walk.expect(409, ACCOUNTS, "/api/accounts", Some(sign_up.clone())).await;

    let url = format!("{}/api/accounts", walk.server.origin);
    let (http, origin) = (walk.server.http(), walk.server.origin.clone());
    let post = || http.post(&url).header(header::ORIGIN, &origin);
    let bodies = [
        (http.post(&url).json(&sign_up), 403),
        (post().body("{}"), 415),
        (post().header(header::CONTENT_TYPE, "application/json").body("{"), 400),
        (post().json(&"x".repeat(200_000)), 413),
    ];
    for (request, expected) in bodies {
        let (status, body) = walk.check("POST", "/api/accounts", request).await;
        assert_eq!(status, expected, "{body}");
    }

    walk.get(200, "/api/session", "/api/session").await;
    walk.expect(200, ACCOUNT, "/api/account", Some(json!({"displayName": "Ada Lovelace"}))).await;
    walk.expect(422, ACCOUNT, "/api/account", Some(json!({"password": "battery staple"}))).await;
    let wrong = json!({"password": "battery staple", "currentPassword": "wrong horse"});
    walk.expect(403, ACCOUNT, "/api/account", Some(wrong)).await;
    let right = json!({"password": "battery staple", "currentPassword": "correct horse"});
    walk.expect(200, ACCOUNT, "/api/account", Some(right)).await;

    let mine = walk.cookie.clone();
    walk.cookie.clear();
    let sign_in = |password: &str| Some(json!({"email": "ada@example.org", "password": password}));
    walk.expect(401, "POST /api/session", "/api/session", sign_in("wrong horse")).await;
    walk.expect(200, "POST /api/session", "/api/session", sign_in("battery staple")).await;
    walk.cookie = mine;
    let list = walk.get(200, "/api/sessions", "/api/sessions").await;
    let other = list["sessions"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/sessions/{}", other["id"].as_str().unwrap());
    walk.expect(204, "DELETE /api/sessions/{id}", &path, None).await;
    walk.expect(404, "DELETE /api/sessions/{id}", &path, None).await;
}

async fn tokens(walk: &mut Walk) {
    let made = walk
        .expect(
            201,
            "POST /api/tokens",
            "/api/tokens",
            Some(json!({"name": "bot", "currentPassword": "battery staple"})),
        )
        .await;
    walk.expect(422, "POST /api/tokens", "/api/tokens", Some(json!({"name": ""}))).await;
    let url = format!("{}/api/tokens", walk.server.origin);
    let by_token = walk.server.http().post(url).bearer_auth(made["token"].as_str().unwrap());
    let (status, _) = walk.check("POST", "/api/tokens", by_token.json(&json!({"name": "another"}))).await;
    assert_eq!(status, 403);
    let list = walk.get(200, "/api/tokens", "/api/tokens").await;
    assert_eq!(list["tokens"][0]["id"], made["id"]);
    let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    walk.expect(204, "DELETE /api/tokens/{id}", &path, None).await;
    walk.expect(404, "DELETE /api/tokens/{id}", &path, None).await;
}

async fn conversations(walk: &mut Walk, ben: &Person) {
    const CONVERSATION: &str = "/api/conversations/{id}";
    const MESSAGES: &str = "POST /api/conversations/{id}/messages";
    const EVENTS: &str = "/api/conversations/{id}/events";
    const MEMBER: &str = "/api/conversations/{id}/members/{user}";

    let found = walk.get(200, "/api/users", "/api/users?search=b&limit=5").await;
    assert_eq!(found["users"][0]["id"], json!(ben.id));
    walk.get(200, "/api/users", &format!("/api/users?ids={},{}", ben.id, new_id())).await;
    walk.get(422, "/api/users", "/api/users?ids=x").await;

    let make = |kind: &str| Some(json!({"kind": kind, "name": "Walks", "members": [ben.id]}));
    let made = walk.expect(201, "POST /api/conversations", "/api/conversations", make("group")).await;
    walk.expect(201, "POST /api/conversations", "/api/conversations", make("channel")).await;
    walk.expect(422, "POST /api/conversations", "/api/conversations", make("direct")).await;
    let open = json!({"kind": "channel", "name": "Open", "topic": "All of it", "public": true, "members": []});
    walk.expect(201, "POST /api/conversations", "/api/conversations", Some(open)).await;
    let channels = walk.get(200, "/api/channels", "/api/channels?search=op&skip=0&limit=5").await;
    assert_eq!(channels["channels"][0]["topic"], "All of it");
    walk.get(422, "/api/channels", "/api/channels?skip=x").await;
    walk.get(200, "/api/push", "/api/push").await;
    walk.expect(204, "PUT /api/push", "/api/push", Some(subscription())).await;
    walk.expect(422, "PUT /api/push", "/api/push", Some(json!({"endpoint": "", "p256dh": "", "auth": ""}))).await;
    walk.expect(204, "DELETE /api/push", "/api/push", None).await;
    let list = walk.get(200, "/api/conversations", "/api/conversations?limit=10").await;
    walk.get(422, "/api/conversations", "/api/conversations?before=x").await;

    let path = format!("/api/conversations/{}", made["conversation"]["id"].as_str().unwrap());
    let everyone = list["conversations"].as_array().unwrap().iter().find(|one| one["kind"] == "everyone").unwrap();
    let everyone = format!("/api/conversations/{}", everyone["id"].as_str().unwrap());
    let name = || Some(json!({"name": "Long walks"}));
    walk.get(200, CONVERSATION, &path).await;
    walk.get(404, CONVERSATION, &format!("/api/conversations/{}", new_id())).await;
    walk.expect(200, "PATCH /api/conversations/{id}", &path, name()).await;
    walk.expect(409, "PATCH /api/conversations/{id}", &everyone, name()).await;

    let messages = format!("{path}/messages");
    let message = json!({"id": new_id(), "content": "Hello 👋", "replyTo": null});
    walk.expect(201, MESSAGES, &messages, Some(message.clone())).await;
    let accepted = walk.expect(200, MESSAGES, &messages, Some(message.clone())).await;
    let mut other = message;
    other["content"] = json!("Something else");
    walk.expect(409, MESSAGES, &messages, Some(other)).await;
    walk.expect(422, MESSAGES, &messages, Some(json!({"id": new_id(), "content": " "}))).await;

    let mut socket = ben.connect().await;
    let react = json!({
        "type": "react", "conversation": accepted["conversation"], "target": accepted["seq"], "emoji": "👍", "on": true,
    });
    socket.asks(react).await.unwrap();
    let member = format!("{path}/members/{}", ben.id);
    walk.expect(204, &format!("DELETE {MEMBER}"), &member, None).await;
    walk.expect(404, &format!("DELETE {MEMBER}"), &member, None).await;
    walk.expect(204, &format!("PUT {MEMBER}"), &member, None).await;
    ben.posts(path.rsplit('/').next().unwrap(), "I am back").await;
    walk.expect(409, &format!("PUT {MEMBER}"), &format!("{everyone}/members/{}", ben.id), None).await;
    let role = || Some(json!({"role": "moderator"}));
    walk.expect(204, &format!("PATCH {MEMBER}"), &member, role()).await;
    walk.expect(409, &format!("PATCH {MEMBER}"), &format!("{everyone}/members/{}", ben.id), role()).await;
    const MEMBERS: &str = "/api/conversations/{id}/members";
    walk.get(200, MEMBERS, &format!("{path}/members?search=b&skip=0&limit=5")).await;
    walk.get(422, MEMBERS, &format!("{path}/members?skip=x")).await;
    let receipts = walk.get(200, "/api/conversations/{id}/receipts", &format!("{path}/receipts")).await;
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 1);
    let wanted = Some(json!({"pinned": true, "archived": true, "markedUnread": true, "notify": "nothing"}));
    const PREFERENCES: &str = "PATCH /api/conversations/{id}/preferences";
    walk.expect(200, PREFERENCES, &format!("{path}/preferences"), wanted).await;
    walk.expect(422, PREFERENCES, &format!("{path}/preferences"), Some(json!({"pinned": 1}))).await;
    let found = walk.get(200, "/api/search", "/api/search?query=hello&limit=5").await;
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    walk.get(422, "/api/search", "/api/search?query=").await;

    let log = walk.get(200, EVENTS, &format!("{path}/events")).await;
    let kinds: Vec<_> =
        log["events"].as_array().unwrap().iter().flat_map(|event| event["kind"].as_object().unwrap().keys()).collect();
    assert_eq!(kinds, ["created", "renamed", "message", "reacted", "left", "joined", "message"]);
    for query in ["before=3", "after=0&limit=1", "around=3"] {
        walk.get(200, EVENTS, &format!("{path}/events?{query}")).await;
    }
    walk.get(422, EVENTS, &format!("{path}/events?before=1&after=1")).await;
}

/// On a server where people put only those they know into groups.
async fn group_requests(walk: &mut Walk) {
    const MEMBER: &str = "/api/conversations/{id}/members/{user}";
    const REQUEST: &str = "/api/group-requests/{id}";
    walk.server = Server::start_with(&["--rate-limits", "off", "--group-invites", "known"], &[]);
    let (ada, ben) = (walk.server.sign_up("Ada").await, walk.server.sign_up("Ben").await);
    walk.cookie.clone_from(&ada.cookie);
    let make = |members: Value| Some(json!({"kind": "group", "name": "Walks", "members": members}));
    let made = walk.expect(201, "POST /api/conversations", "/api/conversations", make(json!([ben.id]))).await;
    assert_eq!(made["asked"], json!([ben.id]));
    let id = made["conversation"]["id"].as_str().unwrap();
    let path = format!("/api/conversations/{id}");
    walk.expect(202, &format!("PUT {MEMBER}"), &format!("{path}/members/{}", ben.id), None).await;
    walk.cookie.clone_from(&ben.cookie);
    walk.get(200, "/api/group-requests", "/api/group-requests").await;
    walk.expect(204, &format!("DELETE {REQUEST}"), &format!("/api/group-requests/{id}"), None).await;
    walk.expect(404, &format!("DELETE {REQUEST}"), &format!("/api/group-requests/{id}"), None).await;
    walk.cookie.clone_from(&ada.cookie);
    walk.expect(409, &format!("PUT {MEMBER}"), &format!("{path}/members/{}", ben.id), None).await;
    walk.expect(409, "POST /api/conversations", "/api/conversations", make(json!([ben.id]))).await;
    const DEPARTURE: &str = "/api/conversations/{id}/departure";
    walk.get(404, DEPARTURE, &format!("{path}/departure")).await;
    walk.expect(204, &format!("DELETE {MEMBER}"), &format!("{path}/members/{}", ada.id), None).await;
    walk.get(200, DEPARTURE, &format!("{path}/departure")).await;
}

async fn files(walk: &mut Walk) {
    const FILE: &str = "/api/attachments/{id}";
    let (http, origin, cookie) = (walk.server.http(), walk.server.origin.clone(), walk.cookie.clone());
    let ask = |method: Method, path: &str| {
        http.request(method, format!("{origin}{path}")).header(header::ORIGIN, &origin).header(header::COOKIE, &cookie)
    };
    let upload = ask(Method::POST, "/api/attachments?name=dot.png").body(crate::attachment::picture());
    let (status, made) = walk.check("POST", "/api/attachments", upload).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/attachments/{}", made["attachment"]["id"].as_str().unwrap());
    for (range, expected) in [("", 200), ("bytes=0-", 206), ("bytes=5-9", 206), ("bytes=99999-", 416)] {
        let part = ask(Method::GET, &path);
        let part = if range.is_empty() { part } else { part.header(header::RANGE, range) };
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), expected, "{range}");
        walk.seen.entry("showAttachment".into()).or_default().insert(expected);
    }
    walk.get(404, FILE, &format!("/api/attachments/{}", new_id())).await;
    let small = ask(Method::GET, &format!("{path}/thumbnail")).send().await.unwrap();
    assert_eq!(small.status(), 200);
    walk.seen.entry("showThumbnail".into()).or_default().insert(200);
    walk.expect(204, &format!("DELETE {FILE}"), &path, None).await;
    walk.expect(404, &format!("DELETE {FILE}"), &path, None).await;
}

async fn farewell(walk: &mut Walk) {
    const ACCOUNT: &str = "DELETE /api/account";
    let other = walk.cookie.clone();
    let sign_in = json!({"email": "ada@example.org", "password": "battery staple"});
    walk.cookie.clear();
    walk.expect(200, "POST /api/session", "/api/session", Some(sign_in)).await;
    walk.expect(204, "DELETE /api/session", "/api/session", None).await;
    walk.cookie = other;
    walk.expect(422, ACCOUNT, "/api/account", Some(json!({}))).await;
    walk.expect(403, ACCOUNT, "/api/account", Some(json!({"currentPassword": "wrong"}))).await;
    walk.expect(204, ACCOUNT, "/api/account", Some(json!({"currentPassword": "battery staple"}))).await;
}

/// The schemas of both sides of the socket, and the types of frames that were held against them.
struct Schemas {
    client: Validator,
    server: Validator,
    seen: BTreeSet<String>,
}

impl Schemas {
    async fn of(server: &Server) -> Self {
        let document = document(server, "/api/socket.json").await;
        let side = |side: &str| {
            let reference = &document[side]["$ref"];
            let schema = json!({"$schema": document["$schema"], "$ref": reference, "$defs": document["$defs"]});
            jsonschema::draft202012::new(&schema).unwrap()
        };
        Self { client: side("client"), server: side("server"), seen: BTreeSet::new() }
    }

    /// Sends a frame that the schema knows.
    async fn send(&self, socket: &mut Socket, frame: Value) {
        assert!(self.client.is_valid(&frame), "{frame}");
        socket.send(frame).await;
    }

    /// Reads on until frames of all these types have come, whatever comes between them.
    async fn until(&mut self, socket: &mut Socket, wanted: &[&str]) -> Vec<Value> {
        let mut wanted: BTreeSet<_> = wanted.iter().copied().collect();
        let mut frames = Vec::new();
        while !wanted.is_empty() {
            let frame: Value = serde_json::from_str(&socket.next_text().await).unwrap();
            let faults: Vec<_> = self.server.iter_errors(&frame).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{frame}: {faults:?}");
            let kind = frame["type"].as_str().unwrap();
            wanted.remove(kind);
            self.seen.insert(kind.to_owned());
            frames.push(frame);
        }
        frames
    }
}

#[tokio::test]
async fn the_socket_speaks_as_its_schema_says() {
    let server = Server::start_with(&["--rate-limits", "off", "--group-invites", "known"], &[]);
    let mut schemas = Schemas::of(&server).await;
    let (ada, ben, cy) = (server.sign_up("Ada").await, server.sign_up("Ben").await, server.sign_up("Cy").await);
    let (mut a, _) = ada.connect_raw().await.unwrap();
    let (mut b, _) = ben.connect_raw().await.unwrap();
    let welcome = schemas.until(&mut a, &["welcome"]).await.remove(0);
    schemas.until(&mut b, &["welcome"]).await;

    let send = json!({"type": "send", "id": new_id(), "to": {"user": ben.id}, "content": "Hello"});
    schemas.send(&mut a, send).await;
    let frames = schemas.until(&mut a, &["conversation", "accepted"]).await;
    let place = frames.iter().find(|frame| frame["type"] == "accepted").unwrap()["conversation"].clone();
    schemas.until(&mut b, &["conversation", "event"]).await;

    ben.posts(place.as_str().unwrap(), "Hello!").await;
    schemas.until(&mut a, &["event"]).await;
    ada.posts(place.as_str().unwrap(), "How are you?").await;
    schemas.until(&mut b, &["event"]).await;
    schemas.send(&mut b, json!({"type": "read", "conversation": place, "seq": 3})).await;
    schemas.until(&mut a, &["receipt"]).await;
    schemas.send(&mut b, json!({"type": "typing", "conversation": place})).await;
    schemas.until(&mut a, &["typing"]).await;
    assert_eq!(ada.request(Method::PATCH, "/api/account", Some(json!({"status": "At lunch"}))).await.0, 200);
    schemas.until(&mut b, &["person"]).await;
    let about = |kind: &str, more: Value| {
        let mut frame = json!({"type": kind, "id": new_id(), "conversation": place, "target": 1});
        let (Value::Object(frame_map), Value::Object(more)) = (&mut frame, more) else { panic!("objects") };
        frame_map.extend(more);
        frame
    };
    schemas.send(&mut b, about("react", json!({"emoji": "👍", "on": true}))).await;
    schemas.until(&mut a, &["event"]).await;
    for (kind, more) in [("edit", json!({"content": "Hello!"})), ("delete", json!({}))] {
        schemas.send(&mut a, about(kind, more)).await;
        schemas.until(&mut b, &["event"]).await;
    }

    let cursors = json!({place.as_str().unwrap(): 0, new_id().to_string(): 3});
    schemas.send(&mut a, json!({"type": "resume", "epoch": welcome["epoch"], "cursors": cursors})).await;
    schemas.until(&mut a, &["event", "resumed", "resync"]).await;
    schemas.send(&mut a, json!({"type": "ping", "nonce": {"any": 1}})).await;
    schemas.until(&mut a, &["pong"]).await;
    schemas.send(&mut a, about("edit", json!({"content": "It is gone"}))).await;
    schemas.until(&mut a, &["rejected"]).await;
    let bad = json!({"type": "read"});
    assert!(!schemas.client.is_valid(&bad));
    a.send(bad).await;
    schemas.until(&mut a, &["error"]).await;

    let dan = server.sign_up("Dan").await;
    let (mut d, _) = dan.connect_raw().await.unwrap();
    let body = json!({"kind": "group", "name": "Walks", "members": [dan.id]});
    assert_eq!(ada.request(Method::POST, "/api/conversations", Some(body)).await.0, 201);
    schemas.until(&mut d, &["groupRequests"]).await;
    let body = json!({"kind": "channel", "name": "News", "members": [cy.id]});
    let (status, made) = ada.request(Method::POST, "/api/conversations", Some(body)).await;
    assert_eq!(status, 201);
    let own = format!("/api/conversations/{}/members/{}", made["conversation"]["id"].as_str().unwrap(), cy.id);
    assert_eq!(cy.request(Method::PUT, &own, None).await.0, 204);
    for person in [&ada, &cy] {
        person.posts(made["conversation"]["id"].as_str().unwrap(), "Is anybody here?").await;
    }
    let (mut c, _) = cy.connect_raw().await.unwrap();
    schemas.until(&mut c, &["welcome"]).await;
    schemas.until(&mut a, &["presence"]).await;
    server.terminate();
    schemas.until(&mut a, &["draining"]).await;

    let all: BTreeSet<_> = shared::frame::ServerFrame::TYPES.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(schemas.seen, all, "every frame has been seen");
}

/// A browser's, at a push service that is known.
fn subscription() -> Value {
    let key = backend::push::public_key(&backend::push::random_key()).unwrap();
    let text = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    json!({"endpoint": "https://fcm.googleapis.com/fcm/send/x", "p256dh": text(&key), "auth": text(&[1; 16])})
}
