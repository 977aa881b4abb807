//! Bytes on a TCP connection, without any library between: what a broken or hostile client sends.

use crate::support::{PATIENCE, Person, Server, Socket, new_id};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// First bytes of frames: the last fragment, and its opcode (RFC 6455 section 5.2).
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const CLOSE: u8 = 0x88;
/// A first fragment of text, one in the middle, the last one.
pub(crate) const BEGIN: u8 = 0x01;
pub(crate) const MIDDLE: u8 = 0x00;
pub(crate) const END: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = match payload.len() {
        length @ 0..126 => head(first, length as u8, &[]),
        length @ 126..65_536 => head(first, 126, &(length as u16).to_be_bytes()),
        length => head(first, 127, &(length as u64).to_be_bytes()),
    };
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ MASK[index % 4]));
    bytes
}

/// The head of a masked frame, with whatever length.
pub(crate) fn head(first: u8, short: u8, long: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | short], long, &MASK].concat()
}

/// A close frame with this code and reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, [&code.to_be_bytes(), reason].concat())
}

/// How a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// What a head alone says.
    pub(crate) fn of_head(head: String) -> Self {
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: String::new() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{self:?}: {error}"));
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.origin.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// The lines of a log that was started as JSON, with this message.
    pub(crate) fn logged(log: &PathBuf, message: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// What the process has in memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
    }

    /// The processor time used so far, in ticks of the system.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id())).unwrap();
        // The name in brackets may hold anything; the numbers follow it (proc(5): utime and stime are 14 and 15).
        let (_, numbers) = stat.rsplit_once(") ").unwrap();
        numbers.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Its open connections, and what it listens on.
    pub(crate) fn connections(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.process_id())).unwrap().flatten();
        // One may be closed while it is looked at.
        let links = open.filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    }
}

impl Raw {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self { stream: TcpStream::connect(server.address()).await.unwrap() }
    }

    /// With as little room for unread bytes as the system allows.
    pub(crate) async fn connect_narrow(server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Self { stream: socket.connect(server.address()).await.unwrap() }
    }

    /// From another address of this machine.
    pub(crate) async fn connect_from(server: &Server, source: [u8; 4]) -> std::io::Result<Self> {
        Self::connect_to(server.address(), source).await
    }

    pub(crate) async fn connect_to(address: SocketAddr, source: [u8; 4]) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((source, 0)))?;
        Ok(Self { stream: socket.connect(address).await? })
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends as much as is taken: the server may have hung up already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads one HTTP answer; None if the line ends before there is one.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        let bytes = timeout(PATIENCE, self.read_head()).await.expect("an answer in time").ok()?;
        let mut answer = Answer::of_head(String::from_utf8(bytes).unwrap());
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        timeout(PATIENCE, self.stream.read_exact(&mut body)).await.expect("a body in time").ok()?;
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// What comes up to the empty line, and nothing behind it.
    async fn read_head(&mut self) -> std::io::Result<Vec<u8>> {
        const END: &[u8] = b"\r\n\r\n";
        let mut head = Vec::new();
        loop {
            let mut some = [0; 4_096];
            let count = self.stream.peek(&mut some).await?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let known = head.len();
            head.extend_from_slice(&some[..count]);
            let end = head.windows(END.len()).position(|window| window == END).map(|place| place + END.len());
            head.truncate(end.unwrap_or(head.len()));
            self.stream.read_exact(&mut head[known..]).await?;
            if end.is_some() {
                return Ok(head);
            }
        }
    }

    /// The status of an answer, of which nothing behind the head is read.
    pub(crate) async fn status(&mut self) -> u16 {
        let head = timeout(PATIENCE, self.read_head()).await.expect("an answer in time").unwrap();
        Answer::of_head(String::from_utf8(head).unwrap()).status
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer")
    }

    /// The handshake of somebody's browser, and its `welcome`.
    pub(crate) async fn socket(server: &Server, person: &Person) -> Self {
        Self::connect(server).await.upgraded(server, person).await
    }

    pub(crate) async fn upgraded(mut self, server: &Server, person: &Person) -> Self {
        self.send(handshake(server, &person.cookie, "")).await;
        assert_eq!(self.answer().await.status, 101);
        let (first, welcome) = self.next_frame().await.expect("a welcome");
        assert!(first == TEXT && welcome.starts_with(b"{\"type\":\"welcome\""));
        self
    }

    /// The next frame of the server's; None when the connection has ended.
    pub(crate) async fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE * 3, self.read_frame()).await.expect("a frame in time").ok()
    }

    async fn read_frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await?;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short @ 0..126 => u64::from(short),
            masked => panic!("a server must not mask: {masked}"),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok((first, payload))
    }

    /// The one close code of this connection, after which there is nothing more; None if it just ended.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let code = loop {
            match self.next_frame().await? {
                (CLOSE, payload) => break payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)),
                (TEXT | PING | PONG, _) => {}
                other => panic!("a close frame was expected, not {other:?}"),
            }
        };
        assert_eq!(self.next_frame().await, None, "something came after the close frame");
        Some(code)
    }

    /// Whether the socket still answers.
    pub(crate) async fn is_served(&mut self) -> bool {
        let nonce = new_id().to_string();
        self.send(frame(TEXT, json!({"type": "ping", "nonce": nonce}).to_string())).await;
        while let Some((first, payload)) = self.next_frame().await {
            if first == TEXT && String::from_utf8(payload).unwrap().contains(&nonce) {
                return true;
            }
        }
        false
    }
}

/// A handshake with these further header lines, each with its end.
pub(crate) fn handshake(server: &Server, cookie: &str, more: &str) -> String {
    let (host, origin) = (server.address(), &server.origin);
    format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Two people who talk while others do what they should not.
pub(crate) struct Bystanders {
    pub(crate) from: Socket,
    pub(crate) to: Socket,
}

impl Bystanders {
    pub(crate) async fn of(server: &Server) -> Self {
        let (cleo, dora) = (server.sign_up("Cleo").await, server.sign_up("Dora").await);
        Self { from: cleo.connect().await, to: dora.connect().await }
    }

    /// A message of one reaches the other.
    pub(crate) async fn are_served(&mut self) {
        let text = new_id().to_string();
        let id = self.from.says(json!({"user": self.to.me.id}), &text).await;
        self.from.accepted(id).await;
        assert!(self.to.sees_messages().await.contains(&text));
    }
}

/// Waits for something that must come, however long a busy machine takes.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = timeout(PATIENCE * 3, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(patience.await.is_ok(), "{what}");
}
