//! `idle`: many sockets that are signed in and say nothing.

use super::{Figure, Round};
use crate::crowd::{self, Guests};
use crate::net::Net;
use crate::process::Memory;
use anyhow::Result;
use std::time::Duration;

/// Sockets; a process may have 20,000 descriptors on many systems.
const SIZES: &[usize] = &[10_000, 19_000];
/// Sockets that come and go before anything is measured, so that what is made once is there.
const FIRST: usize = 500;
/// How long things may settle before they are looked at.
const SETTLE: Duration = Duration::from_secs(2);

/// What 10,000 and 19,000 of them cost in memory, and in CPU while nothing happens. One server has the first, and then
/// as many more as are missing.
///
/// # Errors
/// When somebody is not let in, or falls out.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let sizes = match round.options.people {
        Some(people) => vec![people],
        None if round.options.quick => vec![2_000],
        None => SIZES.to_vec(),
    };
    let most = sizes.last().copied().unwrap_or_default();
    let folder = round.folder(&format!("{most} people"), |seed| seed.people(most))?;
    let server = round.start(folder.path())?;
    let mut net = Net::new()?;
    let mut guests = Guests::new(round.contender.dialect(), server.address, crowd::AT_ONCE);
    guests.enter(&mut net, 0..FIRST.min(most))?;
    guests.leave(&mut net)?;
    crowd::rest(&mut net, &mut guests, SETTLE)?;
    let before = Memory::of(server.pid())?;
    let mut figures = Vec::new();
    let mut inside = 0;
    for size in sizes {
        guests.enter(&mut net, inside..size)?;
        inside = size;
        crowd::rest(&mut net, &mut guests, SETTLE)?;
        let cpu = server.cpu()?;
        let time = round.options.time(3);
        crowd::rest(&mut net, &mut guests, time)?;
        let used = server.cpu()?.since(&cpu);
        let after = Memory::of(server.pid())?;
        let each = |before: u64, after: u64| (after as f64 - before as f64) / size as f64;
        figures.push(Figure::new(format!("idle.{size}.bytes"), "B", each(before.rss, after.rss)));
        figures.push(Figure::new(format!("idle.{size}.pss"), "B", each(before.pss, after.pss)));
        let share = 100.0 * used.as_secs_f64() / time.as_secs_f64();
        figures.push(Figure::new(format!("idle.{size}.cpu"), "%", share));
    }
    Ok(figures)
}
