//! A server under strace: what it asks of the system is written down, or fails on purpose.

use super::not_run;
use crate::support::Server;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Whether programs can be watched here. If not, says so.
pub(super) fn is_there(promise: &str) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=none", "true"]).stderr(Stdio::null());
    let is_there = strace.status().is_ok_and(|status| status.success());
    if !is_there {
        not_run(&format!("{promise}: strace is not installed or may not watch programs"));
    }
    is_there
}

/// A server whose calls go through strace with these options. The process that is started is the
/// server itself, so killing it leaves strace to finish its log.
pub(super) fn start(options: &[&str], folder: TempDir, environment: &[(&str, &str)], log: &Path) -> Server {
    let mut program = vec!["strace", "-D", "-f", "-qq"];
    program.extend(options);
    Server::start_under(&program, folder, environment, log)
}

/// A server where one call out of many fails: `what` as in `inject=`, on the files of the database
/// only.
pub(super) fn start_injecting(what: &str, folder: TempDir, environment: &[(&str, &str)], log: &Path) -> Server {
    let inject = format!("inject={what}");
    let database = folder.path().join("confab.db");
    let wal = folder.path().join("confab.db-wal");
    let calls = log.with_extension("calls");
    let paths = [database, wal, calls].map(|path| path.to_str().unwrap().to_owned());
    let calls = format!("trace={}", what.split(':').next().unwrap());
    start(&["-o", &paths[2], "-P", &paths[0], "-P", &paths[1], "-e", &calls, "-e", &inject], folder, environment, log)
}
