//! Building the copy once, and running the tests without and with each mutant.

use super::list::{Mutant, Tests};
use super::{SWITCH, page, tree};
use crate::process::{root, say};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long tests may take without any mutant. A busy machine needs a multiple of what a quiet one does.
const BASELINE_SECONDS: u64 = 1_800;

/// With a mutant, they may take so many times as long as without it, if that is more than the list gives them.
const LONGER: u64 = 3;

/// What came of one mutant.
#[derive(Clone)]
pub(super) enum Outcome {
    /// Every test noticed.
    Red(Duration),
    /// They did not end. A person who waits notices, too.
    TimedOut(u64),
    /// The built-in control noticed.
    Control,
    /// This many of the tests noticed nothing.
    Green(usize),
    /// The tests fail without any mutant, so they show nothing.
    Baseline(String),
    /// This machine does not allow it.
    NotRun,
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Red(_) | Self::TimedOut(_) | Self::Control)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Red(took) => write!(out, "red ({:.0} s)", took.as_secs_f64()),
            Self::TimedOut(seconds) => write!(out, "red: timed out after {seconds} s"),
            Self::Control => write!(out, "red, by its control"),
            Self::Green(count) => write!(out, "GREEN: {count} noticed nothing"),
            Self::Baseline(why) => write!(out, "NO BASELINE: {why}"),
            Self::NotRun => write!(out, "NOT RUN: this machine does not allow it"),
        }
    }
}

/// Tests that were run together.
enum Ran {
    Counted { passed: usize, failed: usize, took: Duration },
    Died(String),
    TimedOut,
    NotRun,
}

/// A program of tests: the package, and its target.
type Program = (String, String);

pub(super) fn run(mutants: &[&Mutant], jobs: usize) -> Result<Vec<Outcome>> {
    let target = root().join("target/mutants/target");
    let programs = build(mutants, &target)?;
    let in_browsers = mutants.iter().any(|mutant| mutant.tests.package == page::PACKAGE);
    let told = if in_browsers { page::build(&target)? } else { Vec::new() };
    say("The tests, without and with each mutant");
    let next = Mutex::new(0..mutants.len());
    let found = Mutex::new(vec![Outcome::NotRun; mutants.len()]);
    let worker = || -> Result<()> {
        loop {
            let Some(index) = next.lock().expect("no worker panics").next() else { return Ok(()) };
            let mutant = mutants[index];
            let outcome = try_one(mutant, &programs, &told)?;
            println!("{}: {outcome}", mutant.name);
            found.lock().expect("no worker panics")[index] = outcome;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(found.into_inner().expect("no worker panics"))
}

fn try_one(mutant: &Mutant, programs: &HashMap<Program, PathBuf>, told: &[(String, String)]) -> Result<Outcome> {
    let Tests { package, target, names } = &mutant.tests;
    let program = programs
        .get(&(package.clone(), target.clone()))
        .with_context(|| format!("{}: {package} has no target {target} with tests", mutant.name))?;
    let tests = |name: Option<&str>, seconds: u64| {
        let log = format!("{}{}", mutant.name, if name.is_some() { "" } else { ".baseline" });
        run_tests(program, &mutant.tests, told, name, seconds, &log)
    };
    let seconds = match tests(None, BASELINE_SECONDS)? {
        Ran::Counted { passed, failed: 0, took } if passed == names.len() => {
            mutant.seconds.max(took.as_secs().saturating_mul(LONGER))
        }
        Ran::Counted { passed, failed: 0, .. } => {
            return Ok(Outcome::Baseline(format!("{passed} of {} tests are there", names.len())));
        }
        Ran::Counted { failed, .. } => return Ok(Outcome::Baseline(format!("{failed} fail without it"))),
        Ran::Died(how) => return Ok(Outcome::Baseline(how)),
        Ran::TimedOut => return Ok(Outcome::Baseline(format!("no end after {BASELINE_SECONDS} s"))),
        Ran::NotRun => return Ok(Outcome::NotRun),
    };
    if mutant.is_control() {
        return Ok(Outcome::Control);
    }
    let started = Instant::now();
    Ok(match tests(Some(&mutant.name), seconds)? {
        Ran::Counted { failed, took, .. } if failed == names.len() => Outcome::Red(took),
        Ran::Counted { passed, .. } => Outcome::Green(passed),
        Ran::Died(_) => Outcome::Red(started.elapsed()),
        Ran::TimedOut => Outcome::TimedOut(seconds),
        Ran::NotRun => Outcome::NotRun,
    })
}

/// Runs these tests, in a group of processes that ends with them, whatever they started.
fn run_tests(
    program: &Path,
    Tests { package, names, .. }: &Tests,
    told: &[(String, String)],
    mutant: Option<&str>,
    seconds: u64,
    log: &str,
) -> Result<Ran> {
    let log = root().join("target/mutants/log").join(log);
    fs::create_dir_all(log.parent().unwrap_or(&log))?;
    let output = File::create(&log)?;
    let mut command = Command::new(program);
    command.current_dir(tree::folder().join(package)).arg("--exact").args(names).env_remove(SWITCH);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
    command.envs(told.iter().cloned()).envs(mutant.map(|name| (SWITCH, name)));
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{} could not be started", program.display()))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > Duration::from_secs(seconds) {
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    // Servers that a killed test has left, too. That nobody is left is no failure.
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).stderr(Stdio::null()).status();
    let Some(status) = status else {
        child.wait()?;
        return Ok(Ran::TimedOut);
    };
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if said.contains("NOT RUN:") {
        return Ok(Ran::NotRun);
    }
    let Some(result) = said.lines().rev().find(|line| line.starts_with("test result: ")) else {
        return Ok(Ran::Died(format!("it ended without a result ({status})")));
    };
    let number = |what: &str| -> usize {
        let words: Vec<_> = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        let place = words.iter().position(|word| *word == what).unwrap_or_default();
        place.checked_sub(1).and_then(|place| words[place].parse().ok()).unwrap_or_default()
    };
    Ok(Ran::Counted { passed: number("passed"), failed: number("failed"), took: started.elapsed() })
}

/// Builds the programs that have these tests, in a folder of their own.
fn build(mutants: &[&Mutant], folder: &Path) -> Result<HashMap<Program, PathBuf>> {
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for mutant in mutants {
        wanted.entry(&mutant.tests.package).or_default().insert(&mutant.tests.target);
    }
    let mut programs = HashMap::new();
    for (package, targets) in wanted {
        say(&format!("The tests of {package}, with all mutants in them"));
        let mut cargo = Command::new("cargo");
        cargo.current_dir(tree::folder()).env("CARGO_TARGET_DIR", folder);
        cargo.args(["test", "--no-run", "--locked", "--message-format=json-render-diagnostics", "--package", package]);
        for target in targets {
            match target {
                "lib" => cargo.arg("--lib"),
                test if is_test(package, test) => cargo.args(["--test", test]),
                program => cargo.args(["--bin", program]),
            };
        }
        cargo.stderr(Stdio::inherit());
        let output = cargo.output().context("cargo could not be started")?;
        if !output.status.success() {
            bail!("the tests of {package} cannot be built with the mutants in them");
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            let (Some(program), true) = (message["executable"].as_str(), message["profile"]["test"] == true) else {
                continue;
            };
            let is_lib =
                message["target"]["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"));
            let name = if is_lib { "lib" } else { message["target"]["name"].as_str().unwrap_or_default() };
            programs.insert((package.to_owned(), name.to_owned()), program.into());
        }
    }
    Ok(programs)
}

fn is_test(package: &str, name: &str) -> bool {
    let tests = tree::folder().join(package).join("tests");
    let places = [format!("{name}.rs"), format!("{name}/main.rs"), "main.rs".to_owned()];
    places.iter().any(|place| tests.join(place).exists())
}
