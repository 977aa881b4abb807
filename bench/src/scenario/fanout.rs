//! `fanout`: one person writes to a group of a thousand others, all of them there. A message is in flight until
//! everybody has it (and, with Confab, it is stored).

use super::pairs::unix_ms;
use super::{Figure, Round};
use crate::contender::folder;
use crate::crowd;
use crate::dialect::{Dialect, Incoming, Template};
use crate::net::{Handler, Net};
use crate::process::Server;
use crate::seed::Seed;
use crate::stats::Latencies;
use anyhow::{Result, bail, ensure};
use shared::message::Target;
use std::time::Duration;

/// Who writes.
const SENDER: usize = 0;
/// How long the last messages may take, and how long the server may take to calm down after everybody came.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many hear it.
    pub receivers: usize,
    /// Messages in flight.
    pub window: usize,
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
    /// Of those, how many are stored.
    pub accepted: usize,
    /// How often one of them arrived.
    pub delivered: usize,
    /// The same, while it was measured.
    pub measured: usize,
    /// What the server computed meanwhile.
    pub cpu: Duration,
    /// How long was measured.
    pub seconds: f64,
    /// From sending to the last receiver's having it, in what was measured.
    pub last_arrival: Latencies,
}

/// With 4 in flight and with 1.
///
/// # Errors
/// When something does not count up.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let receivers = round.options.people.unwrap_or(1_000);
    let dialect = round.contender.dialect();
    let mut figures = Vec::new();
    for window in round.options.window.map_or(vec![4, 1], |window| vec![window]) {
        let folder = folder()?;
        let target = match dialect {
            Dialect::Forward => Template::forward("*")?,
            Dialect::Confab => group(folder.path(), receivers)?,
        };
        let server = round.start(folder.path())?;
        let plan = Plan { receivers, window, warm_up: round.options.warm_up(), time: round.options.time(3) };
        let mut outcome = drive(&server, dialect, &target, plan)?;
        let name = |what: &str| format!("fanout.{window}.{what}");
        let per_delivery = outcome.cpu.as_secs_f64() * 1e6 / outcome.measured.max(1) as f64;
        figures.extend([
            Figure::new(name("cpu"), "µs", per_delivery),
            Figure::new(name("rate"), "/s", outcome.measured as f64 / outcome.seconds),
            Figure::new(name("p50"), "ms", outcome.last_arrival.percentile(0.5)),
            Figure::new(name("p99"), "ms", outcome.last_arrival.percentile(0.99)),
        ]);
    }
    Ok(figures)
}

/// Makes the data of a group and gives the frame that writes to it.
///
/// # Errors
/// When the folder cannot be filled.
pub fn group(folder: &std::path::Path, receivers: usize) -> Result<Template> {
    let mut seed = Seed::new(folder)?;
    seed.people(receivers + 1)?;
    let group = seed.group(0..=receivers)?;
    seed.finish()?;
    Template::send(Target::Conversation(group.id))
}

struct Message {
    sent: u64,
    /// Receivers that have not got it, and one for `accepted`.
    missing: usize,
}

struct Drive<'a> {
    dialect: Dialect,
    template: &'a Template,
    receivers: usize,
    messages: Vec<Message>,
    /// Which message is next at each socket: they come in order, each once.
    next: Vec<usize>,
    unix_ms: u64,
    is_sending: bool,
    is_measuring: bool,
    outcome: Outcome,
}

impl Drive<'_> {
    fn send(&mut self, net: &mut Net, now: u64) {
        let number = self.messages.len();
        let missing = self.receivers + usize::from(self.dialect == Dialect::Confab);
        self.messages.push(Message { sent: now, missing });
        self.template.write(net.out(SENDER), number, self.unix_ms);
        self.outcome.sent += 1;
    }

    /// One of those a message waited for.
    fn arrived(&mut self, net: &mut Net, number: usize, now: u64) {
        let message = &mut self.messages[number];
        message.missing -= 1;
        if message.missing == 0 {
            if self.is_measuring {
                self.outcome.last_arrival.add(now - message.sent);
            }
            if self.is_sending {
                self.send(net, now);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.outcome.accepted == self.outcome.sent && self.outcome.delivered == self.outcome.sent * self.receivers
    }
}

impl Handler for Drive<'_> {
    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], now: u64) -> Result<()> {
        match self.dialect.read(text) {
            Incoming::Arrived(number) => {
                let next = &mut self.next[socket];
                ensure!(socket != SENDER, "the sender heard its own message");
                ensure!(number == *next, "message {number} arrived when {next} was next");
                *next += 1;
                self.outcome.delivered += 1;
                self.outcome.measured += usize::from(self.is_measuring);
                self.arrived(net, number, now);
            }
            Incoming::Accepted(number) => {
                let next = &mut self.next[SENDER];
                ensure!(socket == SENDER && number == *next, "message {number} was accepted when {next} was next");
                *next += 1;
                self.outcome.accepted += 1;
                self.arrived(net, number, now);
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
/// When a message is refused, lost, doubled or comes out of order.
pub fn drive(server: &Server, dialect: Dialect, template: &Template, plan: Plan) -> Result<Outcome> {
    let mut net = Net::new()?;
    crowd::enter(&mut net, dialect, server.address, 0..=plan.receivers)?;
    let mut drive = Drive {
        dialect,
        template,
        receivers: plan.receivers,
        messages: Vec::new(),
        next: vec![0; plan.receivers + 1],
        unix_ms: unix_ms(),
        is_sending: true,
        is_measuring: false,
        outcome: Outcome::default(),
    };
    calm_down(&mut net, &mut drive, server)?;
    let begin = net.now();
    (0..plan.window).for_each(|_| drive.send(&mut net, begin));
    turn_for(&mut net, &mut drive, plan.warm_up)?;
    let (from, before) = (net.now(), server.cpu()?);
    drive.is_measuring = true;
    turn_for(&mut net, &mut drive, plan.time)?;
    let (to, after) = (net.now(), server.cpu()?);
    drive.is_measuring = false;
    drive.is_sending = false;
    let end = net.now() + PATIENCE.as_nanos() as u64;
    while !drive.is_done() {
        if dialect == Dialect::Forward {
            drive.outcome.accepted = drive.outcome.sent;
        }
        net.turn(Duration::from_millis(20), &mut drive)?;
        let Outcome { sent, accepted, delivered, .. } = drive.outcome;
        ensure!(net.now() < end, "{sent} messages were sent, {accepted} accepted and {delivered} delivered");
    }
    drive.outcome.seconds = Duration::from_nanos(to - from).as_secs_f64();
    drive.outcome.cpu = after.since(&before);
    Ok(drive.outcome)
}

/// Everybody hears that everybody came; that is over when the server rests.
fn calm_down(net: &mut Net, drive: &mut Drive<'_>, server: &Server) -> Result<()> {
    let step = Duration::from_millis(100);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        let before = server.cpu()?;
        turn_for(net, drive, step)?;
        if server.cpu()?.since(&before) < step / 20 {
            break;
        }
    }
    Ok(())
}

fn turn_for(net: &mut Net, drive: &mut Drive<'_>, time: Duration) -> Result<()> {
    let end = net.now() + time.as_nanos() as u64;
    while net.now() < end {
        drive.unix_ms = unix_ms();
        net.turn(Duration::from_millis(20), drive)?;
    }
    Ok(())
}
