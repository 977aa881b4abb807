//! Everything the project checks, with one summary at the end. What cannot be checked has failed.

use crate::process::{command, root, run as run_command, say};
use crate::{page, setup, tidy};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    result: Result<()>,
    took: Duration,
}

/// Where tests note what this machine did not allow them to test.
const NOT_RUN: &str = "target/not-run.txt";

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
        // Licences, bans and sources need no network; what was found unsafe since does, and is no part of this.
        run_command(&mut command(&deny.to_string_lossy(), &["--offline", "check", "licenses", "bans", "sources"]))
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
