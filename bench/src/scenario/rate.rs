//! `rate`: direct messages in an open loop, so many a second whether the server keeps up or not. How long each took
//! is counted from when it was due.

use super::dm::{latencies, once};
use super::pairs::Load;
use super::{Figure, Round};
use anyhow::Result;

/// 1,000 and 5,000 messages a second.
///
/// # Errors
/// When something does not count up.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for per_second in round.options.per_second.map_or(vec![1_000, 5_000], |per_second| vec![per_second]) {
        let mut outcome = once(round, Load::Open(per_second))?;
        let name = |what: &str| format!("rate.{per_second}.{what}");
        figures.push(Figure::new(name("cpu"), "µs", outcome.cpu_per_message()));
        figures.extend(latencies(&name, &mut outcome));
    }
    Ok(figures)
}
