//! Confab's chores. `cargo xtask` alone lists them.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line program talks on its standard output")]

mod bench;
mod mutants;
mod page;
mod process;
mod serve;
mod setup;
mod split;
mod test;
mod tidy;
mod worker;

use anyhow::{Result, bail};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask run [-- ARGUMENTS]   install what is missing, build the page and the server, and start it
cargo xtask test                 check everything: format, lints, tests, browser tests, the page's size
cargo xtask dev                  develop: the page with live reload at http://127.0.0.1:8000
cargo xtask setup                install what is missing, and nothing else
cargo xtask page                 build the page into dist/
cargo xtask gallery              build the page as it is developed, with its gallery, into target/gallery/
cargo xtask assets               make what stands beside the page (trunk calls this)
cargo xtask bench                measure the server beside others (about 15 minutes; --quick 2; names of scenarios)
cargo xtask mutants              break each promise on purpose and show that its test notices (parts of names; --check)
cargo xtask tidy                 check who may know whom";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let rest = arguments.iter().skip(1).filter(|argument| *argument != "--").cloned().collect::<Vec<_>>();
    match arguments.first().map(String::as_str) {
        Some("run") => serve::run(&rest),
        Some("dev") => serve::dev(),
        Some("test") => test::run(),
        Some("setup") => {
            setup::for_page().and_then(|_| setup::for_tests()).and_then(|_| setup::for_licences()).map(drop)
        }
        Some("page") => setup::for_page().and_then(|tools| page::build(&tools)),
        Some("gallery") => setup::for_page().and_then(|tools| page::gallery(&tools)).map(drop),
        Some("assets") => page::assets(),
        Some("bench") => bench::bench(&rest),
        Some("mutants") => mutants::mutants(&rest),
        Some("tidy") => tidy::run(),
        None | Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => bail!("there is no chore called {other}. These are:\n{HELP}"),
    }
}
