//! People coming in: many sockets, each past its handshake and its `welcome`.

use crate::dialect::{Dialect, Incoming};
use crate::frame;
use crate::net::{Handler, Net};
use anyhow::{Context, Result, bail};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::Cursor;
use shared::resume::Resume;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Handshakes under way at once; a server may allow one address no more than 64.
pub const AT_ONCE: usize = 32;
/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Arrivals {
    dialect: Dialect,
    is_in: Vec<bool>,
    count: usize,
}

impl Arrivals {
    fn note(&mut self, socket: usize) {
        if self.is_in.len() <= socket {
            self.is_in.resize(socket + 1, false);
        }
        if !std::mem::replace(&mut self.is_in[socket], true) {
            self.count += 1;
        }
    }
}

impl Handler for Arrivals {
    fn opened(&mut self, _: &mut Net, socket: usize) -> Result<()> {
        if !self.dialect.has_welcome() {
            self.note(socket);
        }
        Ok(())
    }

    fn text(&mut self, _: &mut Net, socket: usize, text: &[u8], _: u64) -> Result<()> {
        match self.dialect.read(text) {
            Incoming::Welcome => self.note(socket),
            Incoming::Refused => bail!("the server refused: {}", String::from_utf8_lossy(text)),
            _ => {}
        }
        Ok(())
    }
}

/// Opens a socket for each of these people, in order, and returns when all of them may talk.
///
/// # Errors
/// When somebody is not let in.
pub fn enter(net: &mut Net, dialect: Dialect, address: SocketAddr, people: impl Iterator<Item = usize>) -> Result<()> {
    let mut people = people.peekable();
    let mut arrivals = Arrivals { dialect, is_in: Vec::new(), count: 0 };
    let mut asked = 0;
    let mut last = net.now();
    loop {
        while asked - arrivals.count < AT_ONCE
            && let Some(person) = people.next()
        {
            net.connect(address, &dialect.handshake(address, person))?;
            asked += 1;
        }
        if asked == arrivals.count && people.peek().is_none() {
            return Ok(());
        }
        let before = arrivals.count;
        net.turn(Duration::from_millis(100), &mut arrivals)?;
        if arrivals.count > before {
            last = net.now();
        } else if net.now() - last > PATIENCE.as_nanos() as u64 {
            bail!("{} of {asked} sockets were let in, and then none for {PATIENCE:?}", arrivals.count);
        }
    }
}

/// Addresses that guests come from: 127.0.0.1 to this.
const SOURCES: usize = 100;

/// A crowd that comes, stays and goes.
#[derive(Debug)]
pub struct Guests {
    dialect: Dialect,
    address: SocketAddr,
    at_once: usize,
    /// Whether they ask for what they have missed when they come.
    is_resuming: bool,
    /// Whether they go as soon as they are in.
    is_leaving: bool,
    /// What each socket still waits for until it is in.
    waits: Vec<usize>,
    /// Those who are in.
    inside: usize,
    /// Those who were in and are gone.
    gone: usize,
}

impl Guests {
    /// Nobody yet; later at most so many are on their way in at the same time.
    #[must_use]
    pub fn new(dialect: Dialect, address: SocketAddr, at_once: usize) -> Self {
        let (is_resuming, is_leaving) = (false, false);
        Self { dialect, address, at_once, is_resuming, is_leaving, waits: Vec::new(), inside: 0, gone: 0 }
    }

    /// From now on whoever comes in asks for what was missed, and is in when all of that is there.
    pub fn resume(&mut self) {
        self.is_resuming = true;
    }

    /// Lets these people in; returns when all of them are.
    ///
    /// # Errors
    /// When somebody is not let in.
    pub fn enter(&mut self, net: &mut Net, people: Range<usize>) -> Result<()> {
        self.is_leaving = false;
        let goal = self.inside + people.len();
        self.come(net, people, |guests| guests.inside == goal)
    }

    /// Lets these people in, each of whom goes at once; returns when all are gone.
    ///
    /// # Errors
    /// When somebody is not let in.
    pub fn come_and_go(&mut self, net: &mut Net, people: Range<usize>) -> Result<()> {
        self.is_leaving = true;
        let goal = self.gone + people.len();
        self.come(net, people, |guests| guests.gone == goal)
    }

    fn come(&mut self, net: &mut Net, people: Range<usize>, is_done: impl Fn(&Self) -> bool) -> Result<()> {
        let mut people = people;
        let (mut asked, before) = (0, self.inside + self.gone);
        let (mut last, mut seen) = (net.now(), 0);
        while !is_done(self) {
            while asked - (self.inside + self.gone - before) < self.at_once
                && let Some(person) = people.next()
            {
                let source = u8::try_from(person % SOURCES + 1)?;
                let socket = net.connect_from(source, self.address, &self.dialect.handshake(self.address, person))?;
                if self.waits.len() <= socket {
                    self.waits.resize(socket + 1, 0);
                }
                // The first frame, or the end of the handshake.
                self.waits[socket] = 1;
                asked += 1;
            }
            net.turn(Duration::from_millis(100), self)?;
            let now = self.inside + self.gone;
            if now > seen {
                (seen, last) = (now, net.now());
            } else if net.now() - last > PATIENCE.as_nanos() as u64 {
                bail!("{} of {asked} came in, and then nobody for {PATIENCE:?}", now - before);
            }
        }
        Ok(())
    }

    /// Everybody says good-bye; returns when all are gone.
    ///
    /// # Errors
    /// When somebody is not answered.
    pub fn leave(&mut self, net: &mut Net) -> Result<()> {
        self.is_leaving = true;
        for socket in 0..self.waits.len() {
            if net.has(socket) {
                frame::write_client(net.out(socket), frame::CLOSE, &1000_u16.to_be_bytes());
            }
        }
        let started = net.now();
        while self.inside > 0 {
            net.turn(Duration::from_millis(100), self)?;
            if net.now() - started > PATIENCE.as_nanos() as u64 {
                bail!("{} are still there after {PATIENCE:?}", self.inside);
            }
        }
        Ok(())
    }

    /// One of the things a socket waits for is there.
    fn note(&mut self, net: &mut Net, socket: usize) {
        self.waits[socket] -= 1;
        if self.waits[socket] == 0 {
            self.inside += 1;
            if self.is_leaving {
                frame::write_client(net.out(socket), frame::CLOSE, &1000_u16.to_be_bytes());
            }
        }
    }

    /// Asks for what was missed, as if the last message of each conversation of two had not come.
    fn ask(&mut self, net: &mut Net, socket: usize, welcome: &[u8]) -> Result<()> {
        let Ok(Some(ServerFrame::Welcome(welcome))) = ServerFrame::decode(std::str::from_utf8(welcome)?) else {
            bail!("that is no welcome");
        };
        let cursors = welcome.conversations.iter().map(|summary| {
            let last = summary.last_seq.get();
            Cursor::new(last.saturating_sub(1)).map(|cursor| (summary.id, cursor)).context("a cursor")
        });
        let cursors = cursors.collect::<Result<_>>()?;
        self.waits[socket] += welcome.conversations.len();
        let resume = ClientFrame::Resume(Resume { epoch: welcome.epoch, cursors }).encode();
        frame::write_client(net.out(socket), frame::TEXT, resume.as_bytes());
        Ok(())
    }
}

impl Handler for Guests {
    fn opened(&mut self, net: &mut Net, socket: usize) -> Result<()> {
        if !self.dialect.has_welcome() {
            self.note(net, socket);
        }
        Ok(())
    }

    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], _: u64) -> Result<()> {
        match self.dialect.read(text) {
            Incoming::Welcome => {
                if self.is_resuming {
                    self.ask(net, socket, text)?;
                }
                self.note(net, socket);
            }
            Incoming::Refused => bail!("the server refused: {}", String::from_utf8_lossy(text)),
            _ if text.starts_with(b"{\"type\":\"resumed\"") => self.note(net, socket),
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, _: &mut Net, socket: usize, why: &str) -> Result<()> {
        if !self.is_leaving || self.waits[socket] > 0 {
            bail!("socket {socket} was closed: {why}");
        }
        self.inside -= 1;
        self.gone += 1;
        Ok(())
    }
}

/// Stays for so long: pings are answered, and nothing else is done.
///
/// # Errors
/// When somebody falls out.
pub fn rest(net: &mut Net, handler: &mut impl Handler, time: Duration) -> Result<()> {
    let until = net.now() + u64::try_from(time.as_nanos())?;
    while net.now() < until {
        net.turn(Duration::from_nanos(until.saturating_sub(net.now())), handler)?;
    }
    Ok(())
}
