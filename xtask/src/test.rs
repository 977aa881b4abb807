//! Everything the project checks, with one summary at the end. What cannot be checked has failed.

use crate::process::{command, root, run as run_command, run_for, say};
use crate::{page, setup, tidy};
use anyhow::{Result, bail};
use std::io::Write;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    result: Result<()>,
    took: Duration,
}

/// Where tests note what this machine did not allow them to test.
const NOT_RUN: &str = "target/not-run.txt";

/// How long fetching the database of advisories may take.
const ADVISORIES_TIME_MAX: Duration = Duration::from_secs(120);

/// Notes what this machine did not allow to check; the summary repeats it.
fn not_run(reason: &str) -> Result<()> {
    let file = root().join(NOT_RUN);
    std::fs::create_dir_all(root().join("target"))?;
    let mut file = std::fs::File::options().append(true).create(true).open(file)?;
    Ok(writeln!(file, "{}", reason.replace('\n', " "))?)
}

pub(crate) fn run() -> Result<()> {
    // What an earlier run could not test is that run's.
    let _ = std::fs::remove_file(root().join(NOT_RUN));
    let mut steps = Vec::new();
    let mut step = |name: &'static str, check: &dyn Fn() -> Result<()>| {
        say(name);
        let started = Instant::now();
        let result = check();
        if let Err(error) = &result {
            println!("✗ {name}: {error:#}");
        }
        let is_good = result.is_ok();
        steps.push(Step { name, result, took: started.elapsed() });
        is_good
    };
    let cargo = |arguments: &[&str]| run_command(&mut command("cargo", arguments));

    step("Format", &|| cargo(&["fmt", "--all", "--check"]));
    step("Who may know whom", &tidy::run);
    step("Licences and sources", &|| {
        let deny = setup::for_licences()?;
        // These need no network.
        run_command(&mut command(&deny.to_string_lossy(), &["--offline", "check", "licenses", "bans", "sources"]))
    });
    step("Advisories", &|| {
        let deny = setup::for_licences()?.to_string_lossy().into_owned();
        // What was found unsafe since, from the network, which not every machine has.
        if let Err(error) = run_for(&mut command(&deny, &["fetch", "db"]), ADVISORIES_TIME_MAX) {
            return not_run(&format!("the advisories of crates: their database could not be fetched ({error:#})"));
        }
        run_command(&mut command(&deny, &["--offline", "check", "advisories"]))
    });
    let has_page = step("The page, as it is released", &|| page::build(&setup::for_page()?));
    step("The page's size", &page::check_size);
    step("Lints", &|| {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"])
    });
    step("Unit, contract and black-box tests", &|| {
        cargo(&["test", "--workspace", "--exclude", "journeys", "--locked"])
    });
    let has_server =
        step("The server, as it is released", &|| cargo(&["build", "--release", "--locked", "--package", "backend"]));
    let gallery = std::cell::OnceCell::new();
    let has_gallery = step("The page, as it is developed", &|| {
        page::gallery(&setup::for_page()?).map(|folder| _ = gallery.set(folder))
    });
    let told = std::cell::OnceCell::new();
    let has_browser = step("Browsers for the tests", &|| setup::for_tests().map(|all| _ = told.set(all)));
    step("Browser tests", &|| {
        if !(has_page && has_server && has_gallery && has_browser) {
            bail!("there is no page, no server or no browser to test with");
        }
        let binary = root().join("target/release/confab");
        let mut tests = command("cargo", &["test", "--package", "journeys", "--locked", "--", "--test-threads=1"]);
        tests.env("CONFAB_GALLERY", gallery.get().cloned().unwrap_or_default());
        run_command(tests.env("CONFAB_BIN", binary).envs(told.get().into_iter().flatten().cloned()))
    });

    println!("\n— Summary —");
    for Step { name, result, took } in &steps {
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
