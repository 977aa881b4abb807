//! Starting the server: for using it, and for developing it.

use crate::process::{command, root, run as run_command, say};
use crate::{page, setup};
use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;

/// Installs, builds and starts; from there on this process is the server.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let tools = setup::for_page()?;
    page::build(&tools)?;
    say("Building the server (the first time about 4 minutes on two cores)");
    run_command(&mut command("cargo", &["build", "--release", "--locked", "--package", "backend"]))?;
    say("Starting Confab. Stop it with Ctrl+C");
    let binary = root().join("target/release/confab");
    let mut server = command(&binary.to_string_lossy(), &["serve"]);
    let error = server.args(arguments).exec();
    Err(error).with_context(|| format!("{} could not be started", binary.display()))
}

/// The backend, and the page with live reload in front of it. Ctrl+C ends both.
pub(crate) fn dev() -> Result<()> {
    let tools = setup::for_page()?;
    page::assets()?;
    say("Building the backend");
    run_command(&mut command("cargo", &["build", "--locked", "--package", "backend"]))?;
    let binary = root().join("target/debug/confab");
    let mut backend =
        command(&binary.to_string_lossy(), &["serve", "--listen", "127.0.0.1:8080"]).spawn().context("the backend")?;
    say("Building the page: it is at http://127.0.0.1:8000 as soon as that is done, and follows your changes");
    let page = tools.trunk(&["serve"])?.spawn();
    let Ok(mut page) = page else {
        backend.kill()?;
        bail!("trunk could not be started");
    };
    // Whichever ends first takes the other with it.
    let (who, status) = loop {
        if let Some(status) = backend.try_wait()? {
            page.kill()?;
            break ("the backend", status);
        }
        if let Some(status) = page.try_wait()? {
            backend.kill()?;
            break ("trunk", status);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    page.wait()?;
    backend.wait()?;
    if status.success() {
        return Ok(());
    }
    bail!("{who} ended ({status})")
}
