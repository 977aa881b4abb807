//! People in pairs, both of a pair write to the other: what `dm`, `rate`, `grow` and `flooder` have in common.
//!
//! Sent, accepted and delivered are counted message by message; one that is refused, lost, doubled or goes astray ends
//! the run.

use crate::crowd;
use crate::dialect::{Dialect, Incoming, Template, accepted_in};
use crate::net::{Handler, Net};
use crate::process::Server;
use crate::schedule::Schedule;
use crate::seed;
use crate::stats::Latencies;
use anyhow::{Result, bail, ensure};
use shared::message::Target;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When somebody writes.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Everybody has this many messages in flight: until they are stored (`accepted`), where there is such a word,
    /// else until the other has them.
    Closed(usize),
    /// This many messages a second altogether, whatever comes of them.
    Open(u64),
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many people write, an even number.
    pub people: usize,
    /// How many more are there and say nothing.
    pub silent: usize,
    /// When they write.
    pub load: Load,
    /// How long it goes before anything is measured.
    pub warm_up: Duration,
    /// How long is measured.
    pub time: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Messages sent, from the first to the last.
    pub sent: usize,
    /// Of those, how many the server said are stored.
    pub accepted: usize,
    /// Of those, how many arrived.
    pub delivered: usize,
    /// Messages that arrived while it was measured.
    pub measured: usize,
    /// How long was measured.
    pub seconds: f64,
    /// What the server computed meanwhile.
    pub cpu: Duration,
    /// From sending (in an open loop: from when it was due) to arriving, of everything sent while it was measured.
    pub arrival: Latencies,
    /// The same to `accepted`.
    pub acceptance: Latencies,
}

impl Outcome {
    /// Microseconds of the server's CPU time for each message.
    #[must_use]
    pub fn cpu_per_message(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.measured.max(1) as f64
    }
}

/// How long what is in flight at the end may take.
const DRAIN: Duration = Duration::from_secs(20);

struct Message {
    sent: u64,
    sender: usize,
    is_accepted: bool,
    is_delivered: bool,
}

/// The people at work.
pub(super) struct Drive {
    dialect: Dialect,
    templates: Vec<Template>,
    messages: Vec<Message>,
    unix_ms: u64,
    is_sending: bool,
    is_measuring: bool,
    /// What is sent from here to there is measured.
    measured: Range<u64>,
    /// Those that have not been introduced to the other yet.
    strangers: usize,
    outcome: Outcome,
}

/// Sockets 0 and 1 are a pair, 2 and 3, and so on.
fn other(socket: usize) -> usize {
    socket ^ 1
}

/// Whoever turns the sockets: the people alone, or with somebody beside them.
pub(super) trait Talk: Handler {
    /// The people.
    fn drive(&mut self) -> &mut Drive;

    /// Is called once in each turn.
    ///
    /// # Errors
    /// Ends the run.
    fn between(&mut self, _net: &mut Net, _now: u64) -> Result<()> {
        Ok(())
    }
}

impl Talk for Drive {
    fn drive(&mut self) -> &mut Drive {
        self
    }
}

impl Drive {
    /// Lets everybody in; in Confab's dialect all pairs know their conversation afterwards.
    pub(super) fn enter(net: &mut Net, dialect: Dialect, address: SocketAddr, plan: Plan) -> Result<Self> {
        crowd::enter(net, dialect, address, 0..plan.people + plan.silent)?;
        let template = |socket| match dialect {
            Dialect::Confab => Template::send(Target::User(seed::user(other(socket)))),
            Dialect::Forward => Template::forward(&seed::user(other(socket)).to_string()),
        };
        let mut drive = Drive {
            dialect,
            templates: (0..plan.people).map(template).collect::<Result<_>>()?,
            messages: Vec::with_capacity(1 << 20),
            unix_ms: unix_ms(),
            is_sending: false,
            is_measuring: false,
            measured: 0..0,
            strangers: if dialect == Dialect::Confab { plan.people } else { 0 },
            outcome: Outcome::default(),
        };
        if dialect == Dialect::Confab {
            introduce(net, &mut drive, plan.people)?;
        }
        Ok(drive)
    }

    /// What is sent in the `time` after `from` is measured.
    pub(super) fn measure(&mut self, from: u64, time: Duration) {
        self.is_measuring = true;
        self.measured = from..from + time.as_nanos() as u64;
    }

    /// What came of it up to now, when nothing is in flight; it begins anew.
    pub(super) fn take_outcome(&mut self) -> Outcome {
        (self.is_measuring, self.measured) = (false, 0..0);
        std::mem::take(&mut self.outcome)
    }

    fn send(&mut self, net: &mut Net, socket: usize, now: u64) {
        let number = self.messages.len();
        self.messages.push(Message { sent: now, sender: socket, is_accepted: false, is_delivered: false });
        self.templates[socket].write(net.out(socket), number, self.unix_ms);
        self.outcome.sent += 1;
    }

    /// A message of this socket's is no longer in flight.
    fn go_on(&mut self, net: &mut Net, socket: usize, now: u64) {
        if self.is_sending {
            self.send(net, socket, now);
        }
    }

    fn is_done(&self) -> bool {
        self.outcome.delivered == self.outcome.sent && self.outcome.accepted == self.outcome.sent
    }
}

impl Handler for Drive {
    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], now: u64) -> Result<()> {
        match self.dialect.read(text) {
            Incoming::Accepted(number) => {
                let Some(message) = self.messages.get_mut(number) else { bail!("message {number} was never sent") };
                ensure!(message.sender == socket, "somebody else's message was accepted");
                ensure!(!std::mem::replace(&mut message.is_accepted, true), "message {number} was accepted twice");
                self.outcome.accepted += 1;
                if self.measured.contains(&message.sent) {
                    self.outcome.acceptance.add(now.saturating_sub(message.sent));
                }
                if self.strangers > 0 {
                    // From now on they know the conversation, as a page does.
                    let Some(conversation) = accepted_in(text) else { bail!("accepted names no conversation") };
                    self.templates[socket] = Template::send(Target::Conversation(conversation))?;
                    self.strangers -= 1;
                }
                self.go_on(net, socket, now);
            }
            Incoming::Arrived(number) => {
                let Some(message) = self.messages.get_mut(number) else { bail!("message {number} was never sent") };
                let sender = message.sender;
                ensure!(sender == other(socket), "message {number} arrived at a stranger's");
                ensure!(!std::mem::replace(&mut message.is_delivered, true), "message {number} arrived twice");
                self.outcome.delivered += 1;
                if self.is_measuring {
                    self.outcome.measured += 1;
                }
                if self.measured.contains(&message.sent) {
                    self.outcome.arrival.add(now.saturating_sub(message.sent));
                }
                if self.dialect == Dialect::Forward {
                    self.outcome.accepted += 1;
                    self.go_on(net, sender, now);
                }
            }
            Incoming::Refused => bail!("the server refused: {}", String::from_utf8_lossy(text)),
            Incoming::Welcome | Incoming::Other => {}
        }
        Ok(())
    }
}

/// Runs the plan against a server.
///
/// # Errors
/// When a message is refused, lost, doubled or goes astray.
pub fn drive(server: &Server, dialect: Dialect, plan: Plan) -> Result<Outcome> {
    let mut net = Net::new()?;
    let mut drive = Drive::enter(&mut net, dialect, server.address, plan)?;
    let begin = net.now();
    let mut schedule = match plan.load {
        Load::Open(per_second) => Some(Schedule::new(begin, per_second)),
        Load::Closed(window) => {
            drive.is_sending = true;
            for _ in 0..window {
                (0..plan.people).for_each(|socket| drive.send(&mut net, socket, begin));
            }
            None
        }
    };
    turn_for(&mut net, &mut drive, &mut schedule, plan.warm_up)?;
    let (from, before) = (net.now(), server.cpu()?);
    drive.measure(from, plan.time);
    turn_for(&mut net, &mut drive, &mut schedule, plan.time)?;
    let (to, after) = (net.now(), server.cpu()?);
    drive.is_measuring = false;
    drive.is_sending = false;
    finish(&mut net, &mut drive)?;
    drive.outcome.seconds = Duration::from_nanos(to - from).as_secs_f64();
    drive.outcome.cpu = after.since(&before);
    Ok(drive.outcome)
}

/// Everybody writes one message to the other's name, and learns the conversation.
fn introduce(net: &mut Net, drive: &mut Drive, people: usize) -> Result<()> {
    let now = net.now();
    for socket in 0..people {
        drive.send(net, socket, now);
    }
    finish(net, drive)
}

/// Turns the sockets for so long.
pub(super) fn turn_for(
    net: &mut Net,
    talk: &mut impl Talk,
    schedule: &mut Option<Schedule>,
    time: Duration,
) -> Result<()> {
    let end = net.now() + time.as_nanos() as u64;
    // epoll sleeps whole milliseconds, which is too long for a schedule: there is a core for asking again and again.
    let most = if schedule.is_some() { Duration::ZERO } else { Duration::from_millis(20) };
    loop {
        let now = net.now();
        if now >= end {
            return Ok(());
        }
        let drive = talk.drive();
        drive.unix_ms = unix_ms();
        while let Some(moment) = schedule.as_mut().and_then(|schedule| schedule.due(now)) {
            let socket = drive.outcome.sent % drive.templates.len();
            drive.send(net, socket, moment);
        }
        talk.between(net, now)?;
        net.turn(most, talk)?;
    }
}

/// Turns them until nothing is in flight.
pub(super) fn finish(net: &mut Net, talk: &mut impl Talk) -> Result<()> {
    let end = net.now() + DRAIN.as_nanos() as u64;
    while !talk.drive().is_done() {
        let now = net.now();
        talk.between(net, now)?;
        net.turn(Duration::from_millis(20), talk)?;
        let Outcome { sent, accepted, delivered, .. } = talk.drive().outcome;
        ensure!(net.now() < end, "{sent} messages were sent, {accepted} accepted and {delivered} delivered");
    }
    Ok(())
}

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> Vec<u8> {
        format!("{{\"senderId\":\"x\",\"content\":\"{number:012x}\"}}").into_bytes()
    }

    #[test]
    fn what_is_doubled_astray_or_made_up_ends_the_run() {
        let mut net = Net::new().expect("epoll");
        let mut drive = Drive {
            dialect: Dialect::Forward,
            templates: Vec::new(),
            messages: vec![Message { sent: 0, sender: 0, is_accepted: false, is_delivered: false }],
            unix_ms: 0,
            is_sending: false,
            is_measuring: false,
            measured: 0..0,
            strangers: 0,
            outcome: Outcome::default(),
        };
        assert!(drive.text(&mut net, 1, &event(1), 0).is_err(), "nobody sent it");
        assert!(drive.text(&mut net, 2, &event(0), 0).is_err(), "it was for another");
        assert!(drive.text(&mut net, 1, &event(0), 0).is_ok());
        assert!(drive.text(&mut net, 1, &event(0), 0).is_err(), "it has arrived already");
        assert_eq!(drive.outcome.delivered, 1);
    }
}
