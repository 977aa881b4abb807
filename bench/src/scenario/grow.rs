//! `grow`: the same work beside more and more that does not concern it: sockets that say nothing, messages stored
//! before, conversations of the same person. What the work costs should stay what it is.

use super::pairs::{Load, Outcome, Plan, drive};
use super::{Figure, Round};
use crate::crowd;
use crate::dialect::Dialect;
use crate::net::Net;
use crate::process::Server;
use anyhow::Result;
use std::time::Duration;

/// Sockets that are there.
const SOCKETS: [usize; 3] = [10, 1_000, 10_000];
/// Who of them writes.
const WRITERS: usize = 10;
/// Messages stored before.
const STORED: [u64; 3] = [1_000, 100_000, 10_000_000];
/// Conversations of one person.
const CONVERSATIONS: [usize; 3] = [10, 1_000, 100_000];
/// People who write where it is not about them.
const PEOPLE: usize = 200;
/// In flight for each who writes.
const WINDOW: usize = 16;
/// How often somebody comes in and goes.
const VISITS: usize = 200;

/// Everything; each step on a server of its own.
///
/// # Errors
/// When something does not count up.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    sockets(round, &mut figures)?;
    stored(round, &mut figures)?;
    conversations(round, &mut figures)?;
    Ok(figures)
}

fn sockets(round: &Round<'_>, figures: &mut Vec<Figure>) -> Result<()> {
    for sockets in SOCKETS.into_iter().filter(|sockets| *sockets < 10_000 || !round.options.quick) {
        let folder = round.folder(&format!("{sockets} people"), |seed| seed.people(sockets))?;
        let server = round.start(folder.path())?;
        let outcome = write(round, &server, WRITERS, sockets - WRITERS)?;
        figures.push(Figure::new(format!("grow.sockets.{sockets}.cpu"), "µs", outcome.cpu_per_message()));
    }
    Ok(())
}

fn stored(round: &Round<'_>, figures: &mut Vec<Figure>) -> Result<()> {
    for stored in STORED {
        let name = format!("grow.stored.{stored}.cpu");
        if stored > 100_000 && !round.options.full {
            round.say("10,000,000 stored messages take minutes to make; --full does");
            continue;
        }
        if stored > 1_000 && round.options.quick {
            continue;
        }
        let folder = round.folder(&format!("{stored} messages"), |seed| {
            seed.people(PEOPLE)?;
            let mut pairs = seed.directs((0..PEOPLE / 2).map(|pair| (2 * pair, 2 * pair + 1)))?;
            seed.messages(&mut pairs, stored)
        })?;
        let server = round.start(folder.path())?;
        let outcome = write(round, &server, PEOPLE, 0)?;
        figures.push(Figure::new(name, "µs", outcome.cpu_per_message()));
    }
    Ok(())
}

fn conversations(round: &Round<'_>, figures: &mut Vec<Figure>) -> Result<()> {
    for count in CONVERSATIONS.into_iter().filter(|count| *count < 100_000 || !round.options.quick) {
        let folder = round.folder(&format!("{count} conversations"), |seed| {
            seed.people(count + 1)?;
            let mut all = seed.directs((1..=count).map(|other| (0, other)))?;
            seed.messages(&mut all, count as u64)
        })?;
        let server = round.start(folder.path())?;
        let visits = if count > 1_000 { VISITS / 10 } else { VISITS };
        let visit = visit(&server, round.contender.dialect(), visits)?;
        figures.push(Figure::new(format!("grow.conversations.{count}.connect"), "µs", visit.as_secs_f64() * 1e6));
        let outcome = write(round, &server, 2, 0)?;
        figures.push(Figure::new(format!("grow.conversations.{count}.cpu"), "µs", outcome.cpu_per_message()));
    }
    Ok(())
}

fn write(round: &Round<'_>, server: &Server, people: usize, silent: usize) -> Result<Outcome> {
    let (warm_up, time) = (round.options.warm_up(), round.options.time(2));
    drive(server, round.contender.dialect(), Plan { people, silent, load: Load::Closed(WINDOW), warm_up, time })
}

/// What the server computes for one coming in (handshake, `welcome`) and going of person 0.
fn visit(server: &Server, dialect: Dialect, visits: usize) -> Result<Duration> {
    let once = || -> Result<()> {
        let mut net = Net::new()?;
        crowd::enter(&mut net, dialect, server.address, std::iter::once(0))
    };
    once()?;
    let before = server.cpu()?;
    for _ in 0..visits {
        once()?;
    }
    Ok(server.cpu()?.since(&before) / u32::try_from(visits)?)
}
