//! `cargo xtask mutants`: breaks each promise of docs/promises.md on purpose, and shows that the row's test notices.
//!
//! The mutants stand in `xtask/mutants/*.toml` ([`list`]). All of them are edited into one copy of the project, each
//! behind a switch that the environment turns on ([`tree`]), so that one build serves all; then the tests of each are
//! run without it and with it ([`run`]).
//!
//! A new promise asks for a mutant here: `cargo xtask tidy` fails until its row has one.

mod list;
mod page;
mod run;
mod tree;

use anyhow::{Result, bail};
use list::List;

/// The switch in the environment.
const SWITCH: &str = "CONFAB_MUTANT";

/// How many mutants are tried at a time, unless `--jobs N` says otherwise: most tests wait more than they compute.
const JOBS: usize = 2;

pub(crate) fn mutants(arguments: &[String]) -> Result<()> {
    let mut parts = Vec::new();
    let mut jobs = JOBS;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => return check(),
            "--jobs" => jobs = arguments.next().map(|number| number.parse()).transpose()?.unwrap_or(JOBS).max(1),
            part => parts.push(part),
        }
    }
    let list = List::read()?;
    list.check_names()?;
    let chosen: Vec<_> = list
        .mutants
        .iter()
        .filter(|mutant| {
            parts.is_empty() || parts.iter().any(|part| mutant.name.contains(part) || mutant.row.contains(part))
        })
        .collect();
    if chosen.is_empty() {
        bail!("no mutant and no promise has “{}” in its name", parts.join("” or “"));
    }
    tree::make(list.mutants.iter())?;
    let found = run::run(&chosen, jobs)?;

    println!("\n— Promises, broken on purpose —");
    for (mutant, outcome) in chosen.iter().zip(&found) {
        println!("| {:.70} | {} | {outcome} |", mutant.row, mutant.name);
    }
    let mut bad = found.iter().filter(|outcome| !outcome.is_good()).count();
    if parts.is_empty() {
        let (open, missing) = (&list.not_broken, list.missing());
        bad += open.len() + missing.len();
        open.iter().for_each(|row| println!("| {:.70} | – | NOT BROKEN: {} |", row.promise, row.why));
        missing.iter().for_each(|promise| println!("| {promise:.70} | – | NOT BROKEN |"));
    }
    if bad > 0 {
        bail!("{bad} of these show nothing; what their tests said is in target/mutants/log/");
    }
    Ok(())
}

/// Whether every row has a mutant and every mutant still fits the code, without building anything.
pub(crate) fn check() -> Result<()> {
    let list = List::read()?;
    list.check_names()?;
    tree::check(list.mutants.iter())?;
    let missing = list.missing();
    if !missing.is_empty() {
        bail!("nothing in xtask/mutants/ breaks these promises:\n{}", missing.join("\n"));
    }
    Ok(())
}
