//! `storm`: the server is killed and started again, and everybody comes back at once.
//!
//! On Confab everybody also asks for what they have missed (`resume`): nothing in the conversation of everyone, one
//! message in the one they share with somebody.

use super::{Figure, Round};
use crate::crowd::Guests;
use crate::dialect::Dialect;
use crate::net::Net;
use anyhow::Result;

/// People.
const PEOPLE: usize = 10_000;
/// Handshakes under way at once. They come from many addresses, each of which has 64 places.
const AT_ONCE: usize = 512;
/// Messages each two of them have exchanged.
const MESSAGES_EACH: u64 = 10;

/// From the new server's being ready to the last `resumed`, or to the last handshake where there is no such thing.
///
/// # Errors
/// When somebody does not come back.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let people = round.options.people.unwrap_or(if round.options.quick { 1_000 } else { PEOPLE }) & !1;
    let dialect = round.contender.dialect();
    let folder = round.folder(&format!("storm, {people} people"), |seed| {
        seed.people(people)?;
        let mut pairs = seed.directs((0..people / 2).map(|number| (2 * number, 2 * number + 1)))?;
        seed.messages(&mut pairs, people as u64 / 2 * MESSAGES_EACH)
    })?;
    let server = round.start(folder.path())?;
    let mut net = Net::new()?;
    let mut guests = Guests::new(dialect, server.address, AT_ONCE);
    guests.enter(&mut net, 0..people)?;
    server.kill()?;
    drop(net);

    let server = round.start(folder.path())?;
    let before = server.cpu()?;
    let mut net = Net::new()?;
    let started = net.now();
    let mut guests = Guests::new(dialect, server.address, AT_ONCE);
    if dialect == Dialect::Confab {
        guests.resume();
    }
    guests.enter(&mut net, 0..people)?;
    let seconds = (net.now() - started) as f64 / 1e9;
    let used = server.cpu()?.since(&before);
    Ok(vec![
        Figure::new("storm.seconds", "s", seconds),
        Figure::new("storm.cpu", "µs", used.as_secs_f64() * 1e6 / people as f64),
    ])
}
