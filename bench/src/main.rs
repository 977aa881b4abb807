//! `bench`: measures one scenario or all of them. `bench --help` says how.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line program talks on its standard output")]

use anyhow::{Context, Result, bail};
use bench::contender::{Contender, Setup};
use bench::prepared::Prepared;
use bench::process;
use bench::report::{self, Results};
use bench::scenario::{self, Options, Round, Scenario};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Measures Confab and what it is compared with.
///
/// `bench dm --window 16 --seconds 5 --server target/release/confab`
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Which scenarios; all of them if none is named
    scenarios: Vec<String>,
    /// Whom to measure; everybody a scenario knows if nobody is named
    #[arg(long, value_enum)]
    on: Vec<Contender>,
    /// How often
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// The `confab` program
    #[arg(long, value_name = "FILE", default_value = "target/release/confab")]
    server: PathBuf,
    /// The `relay` program; the one beside this program if nothing is said
    #[arg(long, value_name = "FILE")]
    relay: Option<PathBuf>,
    /// The folder that holds `ws` for Node
    #[arg(long, value_name = "DIR", default_value = "target/bench/node_modules")]
    node_modules: PathBuf,
    /// One more argument for the `confab` program; may be given several times
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    server_argument: Vec<String>,
    /// Writes the table to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The command the table names
    #[arg(long, value_name = "TEXT", hide = true)]
    shown_as: Option<String>,
    /// Lets server and generator run on any core
    #[arg(long)]
    unpinned: bool,
    /// What a scenario may be told.
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    for name in &arguments.scenarios {
        if !scenario::ALL.iter().any(|scenario| scenario.name == name) {
            let list: Vec<_> =
                scenario::ALL.iter().map(|scenario| format!("{}: {}", scenario.name, scenario.about)).collect();
            bail!("there is no scenario {name}. These are:\n{}", list.join("\n"));
        }
    }
    let is_pinned = !arguments.unpinned && process::can_pin();
    if is_pinned {
        process::pin_generator()?;
    }
    let beside = std::env::current_exe()?.with_file_name("relay");
    let setup = Setup {
        confab: arguments.server.clone(),
        arguments: arguments.server_argument.clone(),
        relay: arguments.relay.clone().unwrap_or(beside),
        node_modules: arguments.node_modules.clone(),
        is_pinned,
    };
    let is_wanted =
        |name: &str| arguments.scenarios.is_empty() || arguments.scenarios.iter().any(|given| given == name);
    let Options { quick, .. } = arguments.options;
    let command = arguments.shown_as.clone().unwrap_or_else(|| std::env::args().collect::<Vec<_>>().join(" "));
    let header = report::header(&setup, &command, arguments.runs, quick);
    let prepared = Prepared::default();
    let mut results = Results::default();
    let mut missing: Vec<_> =
        scenario::ALL.iter().map(|scenario| scenario.name).filter(|name| is_wanted(name)).collect();
    let write = |results: &Results, missing: &[&str]| {
        let Some(file) = &arguments.report else { return Ok(()) };
        let text = format!("{header}{}", results.table(missing));
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
    };
    let mut has_failed = false;
    let begun = Instant::now();
    for scenario in scenario::ALL.iter().filter(|scenario| is_wanted(scenario.name)) {
        has_failed |= !measure(scenario, arguments, &setup, &prepared, &mut results);
        missing.retain(|name| *name != scenario.name);
        // A run that is ended leaves what it has measured.
        write(&results, &missing)?;
    }
    println!("all of it took {} s", begun.elapsed().as_secs());
    if let Some(file) = &arguments.report {
        println!("\n{}", std::fs::read_to_string(file)?);
    }
    if has_failed {
        bail!("not everything could be measured");
    }
    Ok(())
}

/// All runs of a scenario with all whom it is about, in turn. Says whether everything that is here could be measured.
fn measure(
    scenario: &Scenario,
    arguments: &Arguments,
    setup: &Setup,
    prepared: &Prepared,
    results: &mut Results,
) -> bool {
    let mut is_whole = true;
    let begun = Instant::now();
    for run in 0..arguments.runs {
        for contender in scenario.contenders {
            if !arguments.on.is_empty() && !arguments.on.contains(contender) {
                continue;
            }
            if run > 0 && scenario.once.contains(contender) {
                continue;
            }
            let what = format!("{} · {}", scenario.name, contender.name());
            if let Some(reason) = setup.missing(*contender) {
                println!("{what}: NOT RUN: {reason}");
                results.not_run(format!("{}: {reason}", contender.name()));
                continue;
            }
            println!("{what} · run {} of {}", run + 1, arguments.runs);
            let round = Round { contender: *contender, setup, options: &arguments.options, run, prepared };
            let begun = Instant::now();
            match (scenario.run)(&round) {
                Ok(figures) => {
                    for figure in &figures {
                        println!("  {:<34} {:>14.3} {}", figure.key, figure.value, figure.unit);
                    }
                    results.add(*contender, figures);
                }
                // What else there is to measure is not lost with it.
                Err(error) => {
                    is_whole = false;
                    println!("{what}: FAILED: {error:#}");
                    results.not_run(format!("{what}, run {} of {}: {error:#}", run + 1, arguments.runs));
                }
            }
            println!("  {what} took {:.1} s", begun.elapsed().as_secs_f64());
        }
    }
    println!("{} took {} s\n", scenario.name, begun.elapsed().as_secs());
    is_whole
}
