//! `dm`: direct messages in a closed loop, as fast as they go.

use super::pairs::{Load, Outcome, Plan, drive};
use super::{Figure, Round};
use anyhow::Result;

/// People who write, if nothing else is said.
pub const PEOPLE: usize = 200;

/// With 16 in flight each and with 1.
///
/// # Errors
/// When something does not count up.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for window in round.options.window.map_or(vec![16, 1], |window| vec![window]) {
        let mut outcome = once(round, Load::Closed(window))?;
        let name = |what: &str| format!("dm.{window}.{what}");
        figures.push(Figure::new(name("cpu"), "µs", outcome.cpu_per_message()));
        figures.push(Figure::new(name("rate"), "/s", outcome.measured as f64 / outcome.seconds));
        figures.extend(latencies(&name, &mut outcome));
    }
    Ok(figures)
}

/// A new server with people in it, and what they do.
pub(super) fn once(round: &Round<'_>, load: Load) -> Result<Outcome> {
    let people = round.options.people.unwrap_or(PEOPLE);
    let folder = round.folder(&format!("{people} people"), |seed| seed.people(people))?;
    let server = round.start(folder.path())?;
    let plan = Plan { people, silent: 0, load, warm_up: round.options.warm_up(), time: round.options.time(3) };
    drive(&server, round.contender.dialect(), plan)
}

/// How long messages took.
pub(super) fn latencies(name: &impl Fn(&str) -> String, outcome: &mut Outcome) -> Vec<Figure> {
    let mut figures = vec![
        Figure::new(name("p50"), "ms", outcome.arrival.percentile(0.5)),
        Figure::new(name("p99"), "ms", outcome.arrival.percentile(0.99)),
        Figure::new(name("max"), "ms", outcome.arrival.percentile(1.0)),
    ];
    if outcome.acceptance.count() > 0 {
        figures.push(Figure::new(name("accepted.p50"), "ms", outcome.acceptance.percentile(0.5)));
        figures.push(Figure::new(name("accepted.p99"), "ms", outcome.acceptance.percentile(0.99)));
    }
    figures
}
