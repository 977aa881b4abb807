//! Measures the released server beside what it is compared with, and writes the table.

use crate::process::{command, output, root, run, say};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The WebSocket library of the server on Node.
const WS: &str = "8.23.0";
/// Runs of each, unless they are short.
const RUNS: &str = "3";

/// `cargo xtask bench [--quick] [--full] [scenario…]`.
///
/// A run of everything writes `bench/RESULTS.md`; a part of it, or a short run, `target/bench/RESULTS.md`.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let (flags, scenarios): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| !["--quick", "--full"].contains(&flag.as_str())) {
        bail!("there is no {unknown}; bench knows --quick, --full and names of scenarios");
    }
    let is_quick = flags.iter().any(|flag| *flag == "--quick");
    let work = root().join("target/bench");
    std::fs::create_dir_all(&work)?;
    for (tool, needed) in [("taskset", "util-linux"), ("npm", "Node with npm")] {
        if output(tool, &["--version"]).is_none() {
            say(&format!("There is no {tool}: please install {needed}"));
        }
    }
    if let Err(error) = ws(&work) {
        // The table says so too.
        say(&format!("NOT RUN: the server on Node ({error:#})"));
    }
    say("Building the server and the load generator as they are released");
    let page = root().join("dist/index.html");
    if !page.exists() {
        say("There is no page in dist/, so it is not measured; cargo xtask page builds it");
    }
    run(&mut command("cargo", &["build", "--release", "--locked", "--package", "backend", "--package", "bench"]))?;

    let report = match is_quick || !scenarios.is_empty() {
        true => work.join("RESULTS.md"),
        false => root().join("bench/RESULTS.md"),
    };
    let shown: Vec<&str> =
        ["cargo", "xtask", "bench"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let runs = if is_quick { "1" } else { RUNS };
    let release = root().join("target/release");
    let mut bench =
        command(&release.join("bench").to_string_lossy(), &["--runs", runs, "--shown-as", &shown.join(" ")]);
    bench.arg("--server").arg(release.join("confab"));
    bench.arg("--node-modules").arg(work.join("node_modules"));
    bench.arg("--report").arg(&report).args(arguments);
    say("Measuring: please leave the machine alone meanwhile");
    run(&mut bench)?;
    say(&format!("The table is in {}", report.display()));
    Ok(())
}

/// Makes sure that `ws` is there, in the version the table is about.
fn ws(folder: &Path) -> Result<()> {
    let package = folder.join("node_modules/ws/package.json");
    let has = std::fs::read_to_string(&package).unwrap_or_default();
    if has.contains(&format!("\"version\": \"{WS}\"")) {
        return Ok(());
    }
    say(&format!("Installing ws {WS} with npm, for the server it is compared with"));
    let mut npm = command("npm", &["install", "--no-package-lock", "--no-save", "--ignore-scripts", "--no-audit"]);
    npm.args(["--no-fund", "--prefix"]).arg(folder).arg(format!("ws@{WS}"));
    run(&mut npm).context("ws could not be installed")
}
