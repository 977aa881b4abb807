//! A server of one's own for each test, and people who use it.

use futures_util::{SinkExt, StreamExt};
use reqwest::header;
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, UserId};
use shared::welcome::Welcome;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Nothing that works takes this long, not even on a slow machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server with a data folder of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) origin: String,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&["--rate-limits", "off"], &[])
    }

    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments, environment)
    }

    /// With its log in a file.
    pub(crate) fn start_logging(arguments: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self::spawn(command(folder.path()), folder, arguments, &[], log.into())
    }

    fn start_in(folder: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn(command(folder.path()), folder, arguments, environment, Stdio::null())
    }

    /// `program` becomes the server: it is started with the server's own command line behind its
    /// arguments. The log is in `log`.
    pub(crate) fn start_under(program: &[&str], folder: TempDir, environment: &[(&str, &str)], log: &Path) -> Self {
        let inner = command(folder.path());
        let mut outer = Command::new(program[0]);
        outer.args(&program[1..]).arg(inner.get_program()).args(inner.get_args()).env_remove("CONFAB_FAULT");
        let log = std::fs::File::options().append(true).create(true).open(log).unwrap();
        Self::spawn(outer, folder, &["--rate-limits", "off"], environment, log.into())
    }

    fn spawn(
        mut command: Command,
        folder: TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let mut child = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let origin = line.trim().strip_prefix("listening on ").expect("the server says where it listens").to_owned();
        Self { child, origin, folder }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// As hard as it gets: no signal handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Taking the folder out of something that kills on drop.
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    pub(crate) fn restart(self, arguments: &[&str]) -> Self {
        let folder = self.kill();
        Self::start_in(folder, arguments, &[])
    }

    /// Asks it to stop, and gives its exit code, how long it took, and what it left.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Duration, TempDir) {
        let started = std::time::Instant::now();
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        (status.code(), started.elapsed(), std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()))
    }

    pub(crate) fn http(&self) -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    pub(crate) async fn sign_up(&self, name: &str) -> Person {
        self.sign_up_at(&name.to_lowercase(), name).await
    }

    /// Somebody whose address does not follow from their name.
    pub(crate) async fn sign_up_at(&self, mailbox: &str, name: &str) -> Person {
        let body = json!({
            "email": format!("{mailbox}@example.org"),
            "displayName": name,
            "password": "correct horse",
        });
        let answer = self.post("/api/accounts", None, &body).await;
        assert_eq!(answer.status(), 201);
        let cookie = cookie_of(&answer);
        let body: Value = answer.json().await.unwrap();
        Person {
            origin: self.origin.clone(),
            http: self.http(),
            id: body["user"]["id"].as_str().unwrap().parse().unwrap(),
            cookie,
        }
    }

    pub(crate) async fn post(&self, path: &str, cookie: Option<&str>, body: &Value) -> reqwest::Response {
        let mut request =
            self.http().post(format!("{}{path}", self.origin)).header(header::ORIGIN, &self.origin).json(body);
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.send().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with a data folder, on a free port.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confab"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env_remove("CONFAB_FAULT");
    command
}

pub(crate) fn cookie_of(answer: &reqwest::Response) -> String {
    let line = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    origin: String,
    http: reqwest::Client,
    pub(crate) id: UserId,
    pub(crate) cookie: String,
}

impl Person {
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.request(reqwest::Method::GET, path, None).await
    }

    pub(crate) async fn request(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.origin))
            .header(header::ORIGIN, &self.origin)
            .header(header::COOKIE, &self.cookie);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// The status and the bytes of an answer.
    pub(crate) async fn get_bytes(&self, path: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.origin)).header(header::COOKIE, &self.cookie);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Makes a group of this name with these people; its id.
    pub(crate) async fn makes_group(&self, name: &str, members: &[&Person]) -> String {
        let members: Vec<_> = members.iter().map(|person| person.id).collect();
        let body = json!({"kind": "group", "name": name, "members": members});
        let (status, body) = self.request(reqwest::Method::POST, "/api/conversations", Some(body)).await;
        assert_eq!(status, 201, "{body}");
        body["conversation"]["id"].as_str().unwrap().to_owned()
    }

    /// Writes a message over HTTP; its number.
    pub(crate) async fn posts(&self, conversation: &str, content: &str) -> u64 {
        let path = format!("/api/conversations/{conversation}/messages");
        let body = json!({"id": new_id(), "content": content});
        let (status, body) = self.request(reqwest::Method::POST, &path, Some(body)).await;
        assert_eq!(status, 201, "{body}");
        body["seq"].as_u64().unwrap()
    }

    /// All events of a conversation, page by page.
    pub(crate) async fn log(&self, conversation: ConversationId) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event["seq"].as_u64().unwrap());
            let (status, page) =
                self.get(&format!("/api/conversations/{conversation}/events?after={after}&limit=100")).await;
            assert_eq!(status, 200, "{page}");
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            if page["more"] == false {
                return events;
            }
        }
    }

    pub(crate) async fn connect(&self) -> Socket {
        let (mut socket, _) = self.connect_raw().await.unwrap();
        let ServerFrame::Welcome(welcome) = socket.next().await else { panic!("the server speaks first: welcome") };
        socket.welcome = Some(*welcome);
        socket
    }

    /// A socket of this person's that was opened in another way.
    pub(crate) fn socket(&self, stream: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Socket {
        Socket { stream, welcome: None, me: self.clone() }
    }

    /// The handshake, with whatever comes of it.
    pub(crate) async fn connect_raw(&self) -> Result<(Socket, Option<String>), Error> {
        let mut request = format!("{}/ws", self.origin.replace("http:", "ws:")).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", self.origin.parse().unwrap());
        headers.insert("cookie", self.cookie.parse().unwrap());
        headers.insert("sec-websocket-protocol", "other.v9, chat.v1".parse().unwrap());
        let (stream, response) = tokio_tungstenite::connect_async(request).await?;
        let protocol = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
        Ok((Socket { stream, welcome: None, me: self.clone() }, protocol))
    }
}

/// One socket of somebody's.
pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) me: Person,
}

impl Socket {
    pub(crate) async fn send_text(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    /// The server may have hung up already.
    pub(crate) async fn try_send_text(&mut self, text: String) -> Result<(), Error> {
        self.stream.send(Message::text(text)).await
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(frame.to_string()).await;
    }

    /// Writes a message and gives its id.
    pub(crate) async fn says(&mut self, to: Value, content: &str) -> CommandId {
        let id = new_id();
        self.send(json!({"type": "send", "id": id, "to": to, "content": content})).await;
        id
    }

    pub(crate) async fn next(&mut self) -> ServerFrame {
        let text = self.next_text().await;
        ServerFrame::decode(&text).unwrap_or_else(|error| panic!("{text}: {error}")).expect("a known frame")
    }

    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a frame was expected, not {other:?}"),
            }
        }
    }

    /// The code the server closes with, and what it said before.
    pub(crate) async fn closed(&mut self) -> (u16, Vec<ServerFrame>) {
        let mut before = Vec::new();
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("an end in time") {
                Some(Ok(Message::Text(text))) => before.extend(ServerFrame::decode(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), before),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a close frame was expected, not {other:?}"),
            }
        }
    }

    /// Waits for the frame that `pick` finds, whatever comes before it.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await) {
                return found;
            }
        }
    }

    /// Sends a command and gives what it is answered with.
    pub(crate) async fn asks(&mut self, mut command: Value) -> Result<(ConversationId, u64), String> {
        let id = new_id();
        command["id"] = json!(id);
        self.send(command).await;
        self.until(|frame| match frame {
            ServerFrame::Accepted(accepted) if accepted.id == id => {
                Some(Ok((accepted.conversation, accepted.seq.get())))
            }
            ServerFrame::Rejected(rejected) if rejected.id == id => Some(Err(rejected.rejection.code.to_string())),
            _ => None,
        })
        .await
    }

    /// Everything that has been sent to this socket up to now: what is there when the answer to a
    /// `ping` sent now has arrived.
    pub(crate) async fn sees(&mut self) -> Vec<ServerFrame> {
        let nonce = new_id().to_string();
        self.send(json!({"type": "ping", "nonce": nonce})).await;
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                ServerFrame::Pong(pong) if pong.nonce == Some(json!(nonce)) => return seen,
                frame => seen.push(frame),
            }
        }
    }

    /// The texts of the messages among [`Socket::sees`].
    pub(crate) async fn sees_messages(&mut self) -> Vec<String> {
        self.sees().await.iter().filter_map(content).collect()
    }

    /// The conversation and seq a command got.
    pub(crate) async fn accepted(&mut self, id: CommandId) -> (ConversationId, u64) {
        loop {
            match self.next().await {
                ServerFrame::Accepted(accepted) if accepted.id == id => {
                    return (accepted.conversation, accepted.seq.get());
                }
                ServerFrame::Rejected(rejected) if rejected.id == id => panic!("rejected: {rejected:?}"),
                _ => {}
            }
        }
    }

    /// The code a command was refused with.
    pub(crate) async fn rejected(&mut self, id: CommandId) -> String {
        loop {
            match self.next().await {
                ServerFrame::Rejected(rejected) if rejected.id == id => return rejected.rejection.code.to_string(),
                ServerFrame::Accepted(accepted) if accepted.id == id => panic!("accepted: {accepted:?}"),
                _ => {}
            }
        }
    }
}

pub(crate) fn content(frame: &ServerFrame) -> Option<String> {
    match frame {
        ServerFrame::Event(event) => event.kind.as_message().map(|message| message.content.clone()),
        _ => None,
    }
}

pub(crate) fn new_id() -> CommandId {
    backend::clock::id(CommandId::v7)
}

impl Server {
    /// A server on a folder that another one has left.
    pub(crate) fn start_on(folder: TempDir, arguments: &[&str]) -> Self {
        Self::start_in(folder, arguments, &[])
    }

    pub(crate) fn start_on_with(folder: TempDir, environment: &[(&str, &str)]) -> Self {
        Self::start_in(folder, &["--rate-limits", "off"], environment)
    }
}

impl Person {
    /// The server is at another address now; the session is the same.
    pub(crate) fn moved_to(&mut self, origin: &str) {
        origin.clone_into(&mut self.origin);
    }
}
