//! `churn`: people come in and go again.

use super::{Figure, Round};
use crate::contender::Contender;
use crate::crowd::{self, Guests};
use crate::net::Net;
use crate::process::Memory;
use anyhow::Result;
use std::time::Duration;

/// People who come and go one after the other, and how many of them at the same time.
const COMINGS: usize = 10_000;
/// See [`COMINGS`].
const AT_ONCE: usize = 16;
/// People who come all together and go all together.
const CROWD: usize = 10_000;
/// How often they do.
const ROUNDS: usize = 10;
/// How long things may settle before they are looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// What coming in and going costs in CPU, and how memory stands after a crowd has come and gone ten times. Crowds take
/// long, so those Confab is compared with have them in the first run alone.
///
/// # Errors
/// When somebody is not let in.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let is_quick = round.options.quick;
    let people = round.options.people.unwrap_or(if is_quick { 1_000 } else { COMINGS.max(CROWD) });
    let dialect = round.contender.dialect();
    let folder = round.folder(&format!("{people} people"), |seed| seed.people(people))?;
    let server = round.start(folder.path())?;
    let mut net = Net::new()?;

    let mut guests = Guests::new(dialect, server.address, AT_ONCE);
    guests.come_and_go(&mut net, 0..people.min(1_000))?;
    let cpu = server.cpu()?;
    guests.come_and_go(&mut net, 0..people)?;
    // What is still to be done about them belongs to it.
    crowd::rest(&mut net, &mut guests, SETTLE)?;
    let used = server.cpu()?.since(&cpu);
    let mut figures = vec![Figure::new("churn.cpu", "µs", used.as_secs_f64() * 1e6 / people as f64)];

    if round.run > 0 && round.contender != Contender::Confab {
        return Ok(figures);
    }
    let mut guests = Guests::new(dialect, server.address, crowd::AT_ONCE);
    let (mut full, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..if is_quick { 3 } else { ROUNDS } {
        guests.enter(&mut net, 0..people)?;
        crowd::rest(&mut net, &mut guests, SETTLE)?;
        full.push(Memory::of(server.pid())?.rss as f64 / f64::from(1 << 20));
        guests.leave(&mut net)?;
        crowd::rest(&mut net, &mut guests, SETTLE)?;
        empty.push(Memory::of(server.pid())?.rss as f64 / f64::from(1 << 20));
    }
    let (first, last) = (full.first().copied().unwrap_or_default(), full.last().copied().unwrap_or_default());
    figures.push(Figure::new("churn.first", "MiB", first));
    figures.push(Figure::new("churn.last", "MiB", last));
    figures.push(Figure::new("churn.growth", "×", last / first));
    figures.push(Figure::new("churn.left", "MiB", empty.last().copied().unwrap_or_default()));
    Ok(figures)
}
