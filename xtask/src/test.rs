//! Everything the project checks, with one summary at the end. What cannot be checked has failed.
//!
//! Builds of the page and of the released server use one core much of the time, so they go on beside the lints and tests.
//! Browser tests come last and alone.

use crate::process::{command, root, run as run_command, run_for, say};
use crate::{page, setup, tidy};
use anyhow::{Result, bail};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    result: Result<()>,
    took: Duration,
}

/// What has been checked so far.
#[derive(Default)]
struct Report(Mutex<Vec<Step>>);

impl Report {
    /// Checks something, and gives what it gave if it is good.
    fn step<T>(&self, name: &'static str, check: impl FnOnce() -> Result<T>) -> Option<T> {
        say(name);
        let started = Instant::now();
        let (result, given) = match check() {
            Ok(given) => (Ok(()), Some(given)),
            Err(error) => {
                println!("✗ {name}: {error:#}");
                (Err(error), None)
            }
        };
        let step = Step { name, result, took: started.elapsed() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        given
    }
}

/// Where tests note what this machine did not allow them to test.
const NOT_RUN: &str = "target/not-run.txt";

const ALL_BUT_BROWSER_TESTS: [&str; 5] = ["test", "--workspace", "--exclude", "journeys", "--locked"];

/// How long fetching the database of advisories may take.
const ADVISORIES_TIME_MAX: Duration = Duration::from_secs(120);

/// Notes what this machine did not allow to check; the summary repeats it.
fn not_run(reason: &str) -> Result<()> {
    let file = root().join(NOT_RUN);
    std::fs::create_dir_all(root().join("target"))?;
    let mut file = std::fs::File::options().append(true).create(true).open(file)?;
    Ok(writeln!(file, "{}", reason.replace('\n', " "))?)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run_command(&mut command("cargo", arguments))
}

pub(crate) fn run() -> Result<()> {
    // What an earlier run could not test is that run's.
    let _ = std::fs::remove_file(root().join(NOT_RUN));
    let report = Report::default();
    check_sources(&report);
    // A server that is built before its page looks for it in this folder.
    std::fs::create_dir_all(root().join("dist"))?;
    let (page, released) = thread::scope(|scope| {
        let page = scope.spawn(|| build_page(&report));
        report.step("Lints", || {
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"])
        });
        report.step("Building the tests", || cargo(&[&ALL_BUT_BROWSER_TESTS, &["--no-run"][..]].concat()));
        let page = joined(page);
        let released = scope.spawn(|| build_released(&report));
        report.step("Unit, contract and black-box tests", || {
            // Most of them wait for a server most of the time.
            let threads = 2 * thread::available_parallelism()?.get();
            let mut tests = command("cargo", &ALL_BUT_BROWSER_TESTS);
            // Without the examples their test notes that it was not run.
            tests.envs(setup::for_examples().ok().map(|path| ("CONFAB_COMMONMARK", path)));
            run_command(tests.env("RUST_TEST_THREADS", threads.to_string()))
        });
        (page, joined(released))
    });
    report.step("Browser tests", || {
        let (Some(()), Some(Released { gallery, browsers })) = (page, released) else {
            bail!("there is no page, no server or no browser to test with");
        };
        let mut tests = command("cargo", &["test", "--package", "journeys", "--locked", "--", "--test-threads=1"]);
        tests.env("CONFAB_GALLERY", gallery).envs(browsers);
        run_command(tests.env("CONFAB_BIN", root().join("target/release/confab")))
    });
    summary(&report)
}

/// What one sees by reading, or by asking a list.
fn check_sources(report: &Report) {
    report.step("Format", || cargo(&["fmt", "--all", "--check"]));
    report.step("Who may know whom", tidy::run);
    report.step("Licences and sources", || {
        let deny = setup::for_licences()?;
        // These need no network.
        run_command(&mut command(&deny.to_string_lossy(), &["--offline", "check", "licenses", "bans", "sources"]))
    });
    report.step("Advisories", || {
        let deny = setup::for_licences()?.to_string_lossy().into_owned();
        // What was found unsafe since, from the network, which not every machine has.
        if let Err(error) = run_for(&mut command(&deny, &["fetch", "db"]), ADVISORIES_TIME_MAX) {
            return not_run(&format!("the advisories of crates: their database could not be fetched ({error:#})"));
        }
        run_command(&mut command(&deny, &["--offline", "check", "advisories"]))
    });
}

/// The page, as it is released.
fn build_page(report: &Report) -> Option<()> {
    report.step("The page, as it is released", || page::build(&setup::for_page()?))?;
    report.step("The page's size", page::check_size)
}

/// What browser tests need besides the page.
struct Released {
    /// The folder of the page as it is developed.
    gallery: PathBuf,
    /// Where browsers and their tools are, as environment variables.
    browsers: Vec<(String, String)>,
}

fn build_released(report: &Report) -> Option<Released> {
    let server = report
        .step("The server, as it is released", || cargo(&["build", "--release", "--locked", "--package", "backend"]));
    let gallery = report.step("The page, as it is developed", || page::gallery(&setup::for_page()?));
    let browsers = report.step("Browsers for the tests", setup::for_tests);
    report.step("Building the browser tests", || cargo(&["test", "--package", "journeys", "--locked", "--no-run"]));
    server?;
    Some(Released { gallery: gallery?, browsers: browsers? })
}

/// What a thread gives; one that has panicked has said so, and gives nothing.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, Option<T>>) -> Option<T> {
    thread.join().unwrap_or_default()
}

fn summary(report: &Report) -> Result<()> {
    let steps = report.0.lock().unwrap_or_else(PoisonError::into_inner);
    println!("\n— Summary —");
    for Step { name, result, took } in steps.iter() {
        let mark = if result.is_ok() { "✓" } else { "✗" };
        println!("{mark} {name} ({:.0} s)", took.as_secs_f64());
    }
    let not_run = std::fs::read_to_string(root().join(NOT_RUN)).unwrap_or_default();
    for reason in not_run.lines() {
        println!("– NOT RUN: {reason}");
    }
    let failed = steps.iter().filter(|step| step.result.is_err()).count();
    println!("{} passed, {failed} failed", steps.len() - failed);
    if failed > 0 {
        bail!("not everything is as it should be");
    }
    Ok(())
}
