//! `flooder`: people in pairs at a fixed pace, first alone, then beside one account that sends whatever it may and more.
//! The rate limits are those that people have. Both times are on the same server, one after the other.

use super::pairs::{self, Drive, Plan, Talk, finish, turn_for, unix_ms};
use super::{Figure, Round};
use crate::dialect::{Dialect, Incoming};
use crate::frame;
use crate::net::{Handler, Net};
use crate::schedule::Schedule;
use crate::seed;
use anyhow::{Result, ensure};
use shared::frame::ClientFrame;
use shared::ids::{CommandId, ConversationId, Timestamp};
use shared::message::{Send, Target};
use shared::typing::Typing;
use std::net::SocketAddr;
use std::time::Duration;

/// People who talk: each writes less than the three messages a second that a person may.
const PEOPLE: usize = 200;
/// Their messages a second altogether.
const PER_SECOND: u64 = 500;
/// How long each of the two times is measured.
const SECONDS: u32 = 8;
/// The account that floods; somebody silent shares a group with it.
const FLOODER: usize = PEOPLE;
/// Its address is 127.0.0.2: connections are counted for an address, too.
const SOURCE: u8 = 2;
/// Its sockets, half of them with API tokens.
const SOCKETS: usize = 16;
/// Its connections for HTTP, each with one request under way.
const CONNECTIONS: usize = 8;
/// What it does in a second: ten times the units that a person gets back.
const ACTIONS_PER_SECOND: u64 = 1_000;
/// Messages of one burst.
const BURST: usize = 16;
/// Bytes of the longest message and of the longest frame.
const CONTENT_BYTES: usize = 16_384;
const FRAME_BYTES: usize = 65_000;
/// The flooder's messages have numbers from here on: nobody else's get there.
const NUMBERS: usize = 0xffff_0000_0000;

/// Something to flood a server with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Messages of 16 KB that are dear to read as Markdown, to a group of two
    Messages,
    /// Sixteen short messages at once
    Bursts,
    /// Frames of 64 KB that are refused
    Refused,
    /// Catching up with a thousand conversations that are not there
    Resumes,
    /// Typing where everybody sees it
    Typing,
    /// Searches of many beginnings of words
    Searches,
    /// Pages of a history of long messages
    History,
    /// Changes of the account's status
    Patches,
    /// The messages of 16 KB to everybody; not done unless it is named, since all the others have to receive them
    Everyone,
}

/// What is done if nothing is named: everything that only the server has to bear.
const USUAL: [Kind; 8] = [
    Kind::Messages,
    Kind::Bursts,
    Kind::Refused,
    Kind::Resumes,
    Kind::Typing,
    Kind::Searches,
    Kind::History,
    Kind::Patches,
];

impl Kind {
    fn is_http(self) -> bool {
        matches!(self, Kind::Searches | Kind::History | Kind::Patches)
    }
}

/// The others' p99 with and without the flooder.
///
/// # Errors
/// When a message of the others is refused, lost, doubled or goes astray.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let folder = round.folder("200 people, one of them a flooder", |seed| {
        seed.people(PEOPLE + 2)?;
        seed.tokens(FLOODER, SOCKETS / 2)?;
        seed.group([FLOODER, FLOODER + 1]).map(drop)
    })?;
    let server = round.setup.start_limited(folder.path())?;
    round.say(&format!("the server's process is {}", server.pid()));
    let kinds = match &round.options.flood[..] {
        [] => USUAL.to_vec(),
        named => named.to_vec(),
    };
    let load = pairs::Load::Open(PER_SECOND);
    let (warm_up, time) = (round.options.warm_up(), round.options.time(SECONDS));
    let plan = Plan { people: PEOPLE, silent: 0, load, warm_up, time };
    let mut net = Net::new()?;
    let mut drive = Drive::enter(&mut net, Dialect::Confab, server.address, plan)?;
    let mut schedule = Some(Schedule::new(net.now(), PER_SECOND));

    turn_for(&mut net, &mut drive, &mut schedule, warm_up)?;
    let from = net.now();
    drive.measure(from, time);
    turn_for(&mut net, &mut drive, &mut schedule, time)?;
    // What is still under way belongs to it: nobody floods until all of it is there.
    finish(&mut net, &mut drive)?;
    let mut calm = drive.take_outcome();

    let flooder = Flooder::new(server.address, kinds, net.now());
    let mut beside = Beside { drive, flooder };
    let mut schedule = Some(Schedule::new(net.now(), PER_SECOND));
    let (from, before) = (net.now(), server.cpu()?);
    beside.drive.measure(from, time);
    turn_for(&mut net, &mut beside, &mut schedule, time)?;
    finish(&mut net, &mut beside)?;
    let cpu = server.cpu()?.since(&before).as_secs_f64() / Duration::from_nanos(net.now() - from).as_secs_f64();
    let Beside { mut drive, flooder } = beside;
    let mut flooded = drive.take_outcome();
    round.say(&format!(
        "beside the flooder the server computes {:.0} % of the time; {}",
        cpu * 100.0,
        flooder.account()
    ));
    ensure!(flooder.has_done(), "the flooder has sent nothing");

    let times = [
        ("p99", calm.arrival.percentile(0.99), flooded.arrival.percentile(0.99)),
        ("accepted.p99", calm.acceptance.percentile(0.99), flooded.acceptance.percentile(0.99)),
    ];
    let mut figures = Vec::new();
    for (what, without, with) in times {
        figures.push(Figure::new(format!("flooder.without.{what}"), "ms", without));
        figures.push(Figure::new(format!("flooder.{what}"), "ms", with));
        figures.push(Figure::new(format!("flooder.{what}.ratio"), "×", with / without.max(f64::MIN_POSITIVE)));
    }
    figures.push(Figure::new("flooder.max", "ms", flooded.arrival.percentile(1.0)));
    Ok(figures)
}

/// The people who talk, and the one beside them.
struct Beside {
    drive: Drive,
    flooder: Flooder,
}

impl Handler for Beside {
    fn opened(&mut self, _: &mut Net, _: usize) -> Result<()> {
        Ok(())
    }

    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], now: u64) -> Result<()> {
        if socket >= PEOPLE {
            self.flooder.heard(socket, text);
            return Ok(());
        }
        match Dialect::Confab.read(text) {
            Incoming::Arrived(number) if number >= NUMBERS => Ok(()),
            _ => self.drive.text(net, socket, text, now),
        }
    }

    fn closed(&mut self, _: &mut Net, socket: usize, why: &str) -> Result<()> {
        ensure!(socket >= PEOPLE, "the socket of person {socket} was closed: {why}");
        self.flooder.lost(socket);
        Ok(())
    }
}

impl Talk for Beside {
    fn drive(&mut self) -> &mut Drive {
        &mut self.drive
    }

    fn between(&mut self, net: &mut Net, now: u64) -> Result<()> {
        self.flooder.act(net, now)
    }
}

/// One of the flooder's sockets or connections.
struct Line {
    is_http: bool,
    /// Opens it, if it is a socket.
    handshake: Vec<u8>,
    socket: Option<usize>,
    /// Whether it may be written to: past `welcome`, or past the last answer.
    is_ready: bool,
}

/// What the account did, and what came of it.
#[derive(Debug, Default)]
struct Account {
    actions: usize,
    /// Times when none of its lines could be written to: so much was held back by the server.
    held_back: usize,
    opened: usize,
    closed: usize,
    accepted: usize,
    refused: usize,
    answered: usize,
    limited: usize,
}

struct Flooder {
    address: SocketAddr,
    kinds: Vec<Kind>,
    schedule: Schedule,
    lines: Vec<Line>,
    next_line: usize,
    next_kind: usize,
    messages: usize,
    contents: [String; 4],
    refused: [Vec<u8>; 2],
    resume: Vec<u8>,
    typing: Vec<u8>,
    account: Account,
}

impl Flooder {
    fn new(address: SocketAddr, kinds: Vec<Kind>, now: u64) -> Self {
        let line = |is_http, handshake| Line { is_http, handshake, socket: None, is_ready: false };
        let sockets = (0..SOCKETS).map(|number| {
            let bearer = || by_token(address, &seed::token(FLOODER, number / 2));
            let handshake = if number % 2 == 0 { Dialect::Confab.handshake(address, FLOODER) } else { bearer() };
            line(false, handshake)
        });
        let connections = (0..CONNECTIONS).map(|_| line(true, Vec::new()));
        let lines = sockets.chain(connections).collect();
        let repeated = |piece: &str| piece.repeat(CONTENT_BYTES / piece.len());
        let contents = ["[a](https://a", "@https://", "**a *b ~~c ||d `", "> - > - > - @a "].map(repeated);
        let keys: Vec<_> = (0..6_000).map(|key| format!("\"{key}\":{{}}")).collect();
        let arrays = vec!["[]"; FRAME_BYTES / 3 - 20].join(",");
        let refused =
            [format!("{{\"type\":\"zzz\",\"a\":[{arrays}]}}"), format!("{{\"type\":\"send\",{}}}", keys.join(","))];
        let cursors: Vec<_> = (0..1_000).map(|number| format!("\"{}\":1", seed::conversation(number + 1))).collect();
        let epoch = seed::conversation(1);
        let resume = format!("{{\"type\":\"resume\",\"epoch\":\"{epoch}\",\"cursors\":{{{}}}}}", cursors.join(","));
        Self {
            address,
            kinds,
            schedule: Schedule::new(now, ACTIONS_PER_SECOND),
            lines,
            next_line: 0,
            next_kind: 0,
            messages: 0,
            contents,
            refused: refused.map(|text| framed(&text)),
            resume: framed(&resume),
            typing: framed(&ClientFrame::Typing(Typing { conversation: group() }).encode()),
            account: Account::default(),
        }
    }

    /// Does what is due, one thing at a time: what arrives meanwhile for the others does not wait for more.
    fn act(&mut self, net: &mut Net, now: u64) -> Result<()> {
        if self.schedule.due(now).is_none() {
            return Ok(());
        }
        let kind = self.kinds[self.next_kind % self.kinds.len()];
        self.next_kind += 1;
        let fits = |line: &Line| line.is_http == kind.is_http();
        let order = (0..self.lines.len()).map(|place| (self.next_line + place) % self.lines.len());
        let free = |line: &Line| line.socket.is_none_or(|socket| line.is_ready && net.has_written_all(socket));
        let found = order.into_iter().find(|place| fits(&self.lines[*place]) && free(&self.lines[*place]));
        let Some(place) = found else {
            self.account.held_back += 1;
            return Ok(());
        };
        self.next_line = place + 1;
        let line = &mut self.lines[place];
        let Some(socket) = line.socket else {
            self.account.opened += 1;
            line.is_ready = line.is_http;
            line.socket = Some(match line.is_http {
                true => net.connect_http_from(SOURCE, self.address)?,
                false => net.connect_from(SOURCE, self.address, &line.handshake)?,
            });
            return Ok(());
        };
        line.is_ready = !line.is_http;
        self.account.actions += 1;
        self.write(kind, net.out(socket));
        Ok(())
    }

    fn write(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let number = self.account.actions;
        match kind {
            Kind::Messages => self.say(Target::Conversation(group()), self.contents[number % 4].clone(), out),
            Kind::Everyone => self.say(Target::Everyone, self.contents[number % 4].clone(), out),
            Kind::Bursts => {
                (0..BURST).for_each(|_| self.say(Target::Conversation(group()), "hello".to_owned(), out));
            }
            Kind::Refused => out.extend_from_slice(&self.refused[number % 2]),
            Kind::Resumes => out.extend_from_slice(&self.resume),
            Kind::Typing => out.extend_from_slice(&self.typing),
            Kind::Searches => self.ask("GET", "/api/search?query=a%20be%20ga%20de%20ep%20h%20%22a%20b%22", "", out),
            Kind::History => self.ask("GET", &format!("/api/conversations/{}/events?limit=100", group()), "", out),
            Kind::Patches => self.ask("PATCH", "/api/account", &format!("{{\"status\":\"busy {number}\"}}"), out),
        }
    }

    fn say(&mut self, to: Target, content: String, out: &mut Vec<u8>) {
        let number = (NUMBERS + self.messages).to_be_bytes();
        self.messages += 1;
        let mut chance = [0xff; 10];
        chance[4..].copy_from_slice(&number[2..]);
        let id = CommandId::v7(Timestamp::from_millis(unix_ms()), chance);
        let send = Send { id, to, content, reply_to: None, attachments: Vec::new() };
        frame::write_client(out, frame::TEXT, ClientFrame::Send(send).encode().as_bytes());
    }

    fn ask(&self, method: &str, path: &str, body: &str, out: &mut Vec<u8>) {
        let (address, cookie, length) = (self.address, seed::cookie(FLOODER), body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        out.extend_from_slice(request.as_bytes());
    }

    fn heard(&mut self, socket: usize, text: &[u8]) {
        let Some(line) = self.lines.iter_mut().find(|line| line.socket == Some(socket)) else { return };
        if line.is_http {
            line.is_ready = true;
            let counter = match text.starts_with(b"HTTP/1.1 429") {
                true => &mut self.account.limited,
                false => &mut self.account.answered,
            };
            *counter += 1;
            return;
        }
        match Dialect::Confab.read(text) {
            Incoming::Welcome => line.is_ready = true,
            Incoming::Accepted(_) => self.account.accepted += 1,
            Incoming::Refused => self.account.refused += 1,
            Incoming::Arrived(_) | Incoming::Other => {}
        }
    }

    fn lost(&mut self, socket: usize) {
        let Some(line) = self.lines.iter_mut().find(|line| line.socket == Some(socket)) else { return };
        (line.socket, line.is_ready) = (None, false);
        self.account.closed += 1;
    }

    fn has_done(&self) -> bool {
        self.account.actions > 0
    }

    fn account(&self) -> String {
        let Account { actions, held_back, opened, closed, accepted, refused, answered, limited } = self.account;
        format!(
            "it acted {actions} times and was held back {held_back} times: {accepted} commands accepted, {refused} frames \
             refused, {answered} requests answered, {limited} with 429, {opened} lines opened, {closed} closed"
        )
    }
}

/// Where the flooder writes: the first conversation of the data folder.
fn group() -> ConversationId {
    seed::conversation(0)
}

fn framed(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write_client(&mut out, frame::TEXT, text.as_bytes());
    out
}

/// The request that opens a socket with an API token.
fn by_token(address: SocketAddr, token: &str) -> Vec<u8> {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat.v1\r\n\r\n"
    )
    .into_bytes()
}
