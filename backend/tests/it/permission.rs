//! Who may do what: every HTTP route and every socket command, for each kind of person. A route
//! without a row fails, and what is not yours is answered, byte for byte, like what is not there.

use crate::support::{Person, Server, new_id};
use backend::server::router::ROUTES;
use reqwest::{Method, header};
use serde_json::{Value, json};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::ConversationId;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Owner,
    Member,
    Former,
    Stranger,
    Nobody,
}

const ROLES: [Role; 5] = [Role::Owner, Role::Member, Role::Former, Role::Stranger, Role::Nobody];

/// What somebody else has: a session, a token and a file that is not sent yet.
struct Foreign {
    owner: Person,
    session: String,
    token: String,
    file: String,
}

impl Foreign {
    async fn new(server: &Server) -> Self {
        let owner = server.sign_up("Else").await;
        let (_, sessions) = owner.get("/api/sessions").await;
        let body = json!({"name": "bot", "currentPassword": "correct horse"});
        let (_, token) = owner.request(Method::POST, "/api/tokens", Some(body)).await;
        let (_, file) = owner.uploads(server, "a.txt", "a file of somebody else's").await;
        let id = |found: &Value| found["id"].as_str().unwrap().to_owned();
        let (session, token, file) = (id(&sessions["sessions"][0]), id(&token), id(&file["attachment"]));
        Self { owner, session, token, file }
    }

    /// The id to ask for in a path that is about no conversation.
    fn id(&self, path: &str) -> String {
        match path.split('/').nth(2) {
            Some("sessions") => self.session.clone(),
            Some("tokens") => self.token.clone(),
            _ => self.file.clone(),
        }
    }

    /// Nobody has taken anything away.
    async fn is_untouched(&self, server: &Server) {
        assert_eq!(self.owner.get("/api/session").await.0, 200);
        assert_eq!(self.owner.get("/api/tokens").await.1["tokens"][0]["id"], self.token);
        let file = format!("{}/api/attachments/{}", server.origin, self.file);
        let answer = server.http().get(file).header(header::COOKIE, &self.owner.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

/// People of each kind; they are made once, groups anew for each cell.
struct World {
    server: Server,
    owner: Person,
    member: Person,
    former: Person,
    stranger: Person,
}

impl World {
    async fn new() -> Self {
        let server = Server::start();
        let (owner, member) = (server.sign_up("Owner").await, server.sign_up("Member").await);
        let (former, stranger) = (server.sign_up("Former").await, server.sign_up("Stranger").await);
        Self { server, owner, member, former, stranger }
    }

    fn person(&self, role: Role) -> Person {
        match role {
            Role::Owner => self.owner.clone(),
            Role::Member => self.member.clone(),
            Role::Former => self.former.clone(),
            Role::Stranger => self.stranger.clone(),
            Role::Nobody => {
                let mut nobody = self.stranger.clone();
                nobody.cookie = String::new();
                nobody
            }
        }
    }

    /// A group of the owner and the member, which the former member has left; message 4 is the
    /// owner's, 5 the member's.
    async fn group(&self) -> ConversationId {
        let members = json!([self.member.id, self.former.id]);
        let body = json!({"kind": "group", "name": "Group", "members": members});
        let (status, body) = self.owner.request(Method::POST, "/api/conversations", Some(body)).await;
        assert_eq!(status, 201, "{body}");
        let id: ConversationId = body["conversation"]["id"].as_str().unwrap().parse().unwrap();
        let path = format!("/api/conversations/{id}/messages");
        for person in [&self.former, &self.owner] {
            let body = json!({"id": new_id(), "content": "a text"});
            assert_eq!(person.request(Method::POST, &path, Some(body)).await.0, 201);
        }
        let leave = format!("/api/conversations/{id}/members/{}", self.former.id);
        assert_eq!(self.former.request(Method::DELETE, &leave, None).await.0, 204);
        let body = json!({"id": new_id(), "content": "another text"});
        assert_eq!(self.member.request(Method::POST, &path, Some(body)).await.0, 201);
        id
    }
}

/// method, path, and the status for owner, member, former member, stranger, nobody. In a path, `{id}`
/// is the group (or a session, a token or a file of somebody else's) and `{user}` the one named behind `@`.
const ROWS: &[(&str, &str, [u16; 5])] = &[
    ("POST", "/api/accounts", [422, 422, 422, 422, 422]),
    ("PATCH", "/api/account", [200, 200, 200, 200, 401]),
    ("DELETE", "/api/account", [422, 422, 422, 422, 401]),
    ("POST", "/api/session", [401, 401, 401, 401, 401]),
    ("GET", "/api/session", [200, 200, 200, 200, 401]),
    ("GET", "/api/sessions", [200, 200, 200, 200, 401]),
    ("DELETE", "/api/sessions/{id}", [404, 404, 404, 404, 401]),
    ("POST", "/api/tokens", [201, 201, 201, 201, 401]),
    ("GET", "/api/tokens", [200, 200, 200, 200, 401]),
    ("DELETE", "/api/tokens/{id}", [404, 404, 404, 404, 401]),
    ("GET", "/api/users", [200, 200, 200, 200, 401]),
    ("GET", "/api/conversations", [200, 200, 200, 200, 401]),
    ("POST", "/api/conversations", [201, 201, 201, 201, 401]),
    ("GET", "/api/conversations/{id}", [200, 200, 404, 404, 401]),
    ("PATCH", "/api/conversations/{id}", [200, 200, 404, 404, 401]),
    ("PATCH", "/api/conversations/{id}/preferences", [200, 200, 404, 404, 401]),
    ("GET", "/api/conversations/{id}/members", [200, 200, 404, 404, 401]),
    ("PUT", "/api/conversations/{id}/members/{user}@stranger", [204, 204, 404, 404, 401]),
    ("PATCH", "/api/conversations/{id}/members/{user}@member", [204, 403, 404, 404, 401]),
    ("PATCH", "/api/conversations/{id}/members/{user}@owner", [409, 403, 404, 404, 401]),
    ("DELETE", "/api/conversations/{id}/members/{user}@member", [204, 204, 404, 404, 401]),
    ("DELETE", "/api/conversations/{id}/members/{user}@owner", [204, 403, 404, 404, 401]),
    ("GET", "/api/conversations/{id}/receipts", [200, 200, 404, 404, 401]),
    ("GET", "/api/conversations/{id}/departure", [404, 404, 200, 404, 401]),
    ("GET", "/api/conversations/{id}/events", [200, 200, 404, 404, 401]),
    ("POST", "/api/conversations/{id}/messages", [201, 201, 404, 404, 401]),
    ("GET", "/api/group-requests", [200, 200, 200, 200, 401]),
    ("DELETE", "/api/group-requests/{id}", [404, 404, 404, 404, 401]),
    ("GET", "/api/channels", [200, 200, 200, 200, 401]),
    ("POST", "/api/attachments", [201, 201, 201, 201, 401]),
    ("GET", "/api/attachments/{id}", [404, 404, 404, 404, 401]),
    ("DELETE", "/api/attachments/{id}", [404, 404, 404, 404, 401]),
    ("GET", "/api/attachments/{id}/thumbnail", [404, 404, 404, 404, 401]),
    ("GET", "/api/push", [200, 200, 200, 200, 401]),
    ("PUT", "/api/push", [422, 422, 422, 422, 401]),
    ("DELETE", "/api/push", [204, 204, 204, 204, 401]),
    ("GET", "/api/search", [422, 422, 422, 422, 401]),
    ("GET", "/api/openapi.json", [200, 200, 200, 200, 200]),
    ("GET", "/api/socket.json", [200, 200, 200, 200, 200]),
    ("GET", "/ws", [400, 400, 400, 400, 401]),
    ("GET", "/healthz", [200, 200, 200, 200, 200]),
    ("GET", "/readyz", [200, 200, 200, 200, 200]),
    // Last: it ends the sessions of those who ask.
    ("DELETE", "/api/session", [204, 204, 204, 204, 401]),
];

fn body(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("POST", "/api/session") => Some(json!({"email": "nobody@example.org", "password": "not a password"})),
        ("PATCH", "/api/account") => Some(json!({})),
        ("POST", "/api/tokens") => Some(json!({"name": "bot", "currentPassword": "correct horse"})),
        ("POST", "/api/conversations") => Some(json!({"kind": "group", "members": []})),
        ("PATCH", "/api/conversations/{id}") => Some(json!({"name": new_id().to_string()})),
        ("PATCH", "/api/conversations/{id}/preferences") => Some(json!({"pinned": true})),
        ("PATCH", "/api/conversations/{id}/members/{user}") => Some(json!({"role": "moderator"})),
        ("POST", "/api/conversations/{id}/messages") => Some(json!({"id": new_id(), "content": "x"})),
        ("PUT", "/api/push") => Some(json!({"endpoint": "https://example.org/", "p256dh": "", "auth": ""})),
        ("POST" | "DELETE", "/api/accounts" | "/api/account") => Some(json!({})),
        _ => None,
    }
}

/// Everything of an answer that somebody could compare: status, headers but the date, body.
async fn answer(world: &World, role: Role, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
    let method: Method = method.parse().unwrap();
    let mut request = world
        .server
        .http()
        .request(method, format!("{}{path}", world.server.origin))
        .header(header::ORIGIN, &world.server.origin)
        .header(header::COOKIE, world.person(role).cookie);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let headers: Vec<_> = answer.headers().iter().filter(|(name, _)| *name != header::DATE).collect();
    let head = format!("{headers:?}");
    (status, head + &answer.text().await.unwrap())
}

#[tokio::test]
async fn every_route_answers_each_kind_of_person_as_the_table_says() {
    let routes: BTreeSet<_> = ROUTES.iter().copied().collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|(method, path, _)| (*method, path.split('@').next().unwrap())).collect();
    assert_eq!(rows, routes, "every route has a row");

    let world = World::new().await;
    let foreign = Foreign::new(&world.server).await;
    for (method, row, expected) in ROWS {
        let (path, user) = row.split_once('@').unwrap_or((row, ""));
        let user = match user {
            "owner" => world.owner.id,
            "member" => world.member.id,
            _ => world.stranger.id,
        };
        for (role, expected) in ROLES.into_iter().zip(expected) {
            let id =
                if path.contains("/conversations/{id}") { world.group().await.to_string() } else { foreign.id(path) };
            let fill = |id: &str| path.replace("{id}", id).replace("{user}", &user.to_string());
            let found = answer(&world, role, method, &fill(&id), body(method, path)).await;
            assert_eq!(found.0, *expected, "{method} {row} as {role:?}: {}", found.1);
            if found.0 == 404 {
                let absent = answer(&world, role, method, &fill(&new_id().to_string()), body(method, path)).await;
                assert_eq!(found, absent, "{method} {row} as {role:?}: not yours is not there");
            }
        }
    }
    foreign.is_untouched(&world.server).await;
}

/// What a socket is told after a command: `accepted`, a code, or nothing.
async fn outcome(person: &Person, mut command: Value, expected: &str) -> (String, String) {
    let mut socket = person.connect().await;
    let id = new_id();
    let is_command = command.get("id").is_some();
    if is_command {
        command["id"] = json!(id);
    }
    socket.send(command).await;
    let mut said = String::new();
    if is_command {
        let text = socket
            .until(|frame| match frame {
                ServerFrame::Accepted(_) => Some("accepted".to_owned()),
                ServerFrame::Rejected(rejected) => {
                    said = rejected.rejection.to_string();
                    Some(rejected.rejection.code.to_string())
                }
                _ => None,
            })
            .await;
        return (text, said);
    }
    // A message to oneself goes through the same writer: when it is answered, so is what came before. What does not go
    // through it may be answered later: an answer that is expected is waited for.
    let notes = socket.says(json!({"user": person.id}), "done").await;
    let mut found = "nothing".to_owned();
    loop {
        match socket.next().await {
            ServerFrame::Error(error) => {
                said = error.message;
                found = error.code.to_string();
                break;
            }
            ServerFrame::Resync(_) => found = "resync".into(),
            ServerFrame::Resumed(_) => found = "resumed".into(),
            ServerFrame::Accepted(accepted) if accepted.id == notes && expected == "nothing" => break,
            _ => {}
        }
        if found.starts_with("res") {
            break;
        }
    }
    (found, said)
}

#[tokio::test]
async fn every_command_is_answered_to_each_kind_of_person_as_the_table_says() {
    let not_found = "not_found";
    let rows: Vec<(&str, Value, [&str; 4])> = vec![
        (
            "send",
            json!({"id": 0, "to": {"conversation": 0}, "content": "x"}),
            ["accepted", "accepted", not_found, not_found],
        ),
        (
            "edit",
            json!({"id": 0, "conversation": 0, "target": 3, "content": "x"}),
            ["accepted", "forbidden", not_found, not_found],
        ),
        (
            "edit",
            json!({"id": 0, "conversation": 0, "target": 5, "content": "x"}),
            ["forbidden", "accepted", not_found, not_found],
        ),
        ("delete", json!({"id": 0, "conversation": 0, "target": 3}), ["accepted", "forbidden", not_found, not_found]),
        ("delete", json!({"id": 0, "conversation": 0, "target": 5}), ["accepted", "accepted", not_found, not_found]),
        (
            "react",
            json!({"id": 0, "conversation": 0, "target": 3, "emoji": "x", "on": true}),
            ["accepted", "accepted", not_found, not_found],
        ),
        ("delivered", json!({"conversation": 0, "seq": 3}), ["nothing", "nothing", not_found, not_found]),
        ("read", json!({"conversation": 0, "seq": 3}), ["nothing", "nothing", not_found, not_found]),
        ("typing", json!({"conversation": 0}), ["nothing", "nothing", not_found, not_found]),
        ("resume", json!({"cursors": 0}), ["resumed", "resumed", "resync", "resync"]),
    ];
    let covered: BTreeSet<_> = rows.iter().map(|(kind, ..)| *kind).chain(["ping"]).collect();
    assert_eq!(covered, ClientFrame::TYPES.iter().copied().collect(), "every command has a row");

    let world = World::new().await;
    let epoch = world.owner.connect().await.welcome.unwrap().epoch;
    for (kind, fields, expected) in rows {
        for (role, expected) in ROLES.into_iter().zip(expected) {
            let fill = |id: ConversationId| {
                let mut command = fields.clone();
                command["type"] = json!(kind);
                match kind {
                    "send" => command["to"]["conversation"] = json!(id),
                    "resume" => {
                        command["epoch"] = json!(epoch);
                        command["cursors"] = json!({ id.to_string(): 2 });
                    }
                    _ => command["conversation"] = json!(id),
                }
                command
            };
            let person = world.person(role);
            let found = outcome(&person, fill(world.group().await), expected).await;
            assert_eq!(found.0, expected, "{kind} as {role:?}");
            if expected == not_found {
                let absent = outcome(&person, fill(new_id().to_string().parse().unwrap()), expected).await;
                assert_eq!(found, absent, "{kind} as {role:?}: not yours is not there");
            }
        }
    }
}

#[tokio::test]
async fn a_new_address_is_told_of_no_conversation_but_its_own() {
    let world = World::new().await;
    let id = world.group().await;
    for role in [Role::Former, Role::Stranger] {
        let person = world.person(role);
        let welcome = person.connect().await.welcome.unwrap();
        assert!(welcome.conversations.iter().all(|summary| summary.id != id));
        let (_, list) = person.get("/api/conversations?limit=100").await;
        assert!(!list.to_string().contains(&id.to_string()));
        let before = format!("/api/conversations?before={id}");
        assert_eq!(person.get(&before).await, person.get(&format!("/api/conversations?before={}", new_id())).await);
    }
}
