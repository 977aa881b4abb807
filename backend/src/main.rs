//! `confab`: arguments → settings → run.

use backend::attachment::picture;
use backend::config::{Arguments, Command, Config, Serve};
use backend::{backup, server, telemetry};
use clap::Parser;
use std::process::ExitCode;

mod allocator;

fn main() -> ExitCode {
    allocator::give_back_at_once();
    // What this program writes is its owner's alone, whoever makes the file: SQLite asks for a mode that others may read.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let Arguments { command, serve } = Arguments::parse();
    let done = match command {
        Some(Command::Serve(serve)) => run(*serve),
        Some(Command::Backup(arguments)) => backup::backup(&arguments),
        Some(Command::Restore(arguments)) => backup::restore(&arguments),
        Some(Command::Picture) => picture::run(),
        None => run(serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("confab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the settings are what was asked for")]
fn run(serve: Serve) -> anyhow::Result<()> {
    let print = serve.print_config;
    let config = Config::load(serve)?;
    if print {
        print!("{}", config.to_toml()?);
        return Ok(());
    }
    telemetry::start(config.log_format, &config.log);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(server::run(config))
}
