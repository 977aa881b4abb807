//! A server under strace: what it asks of the system is written down, or fails on purpose.

use super::not_run;
use crate::support::Server;
use std::path::{Path, PathBuf};
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

/// The files of the database.
pub(super) const TABLES: &[&str] = &["confab.db", "confab.db-wal"];
/// The files of the journal.
pub(super) const JOURNAL: &[&str] = &["confab.journal-0", "confab.journal-1"];
/// All of them.
pub(super) const ALL: &[&str] = &["confab.db", "confab.db-wal", "confab.journal-0", "confab.journal-1"];

/// A server where one call out of many fails: `what` as in `inject=`, on these files of its folder only. What
/// is written to them and flushed stands in [`calls`].
pub(super) fn start_injecting(
    what: &str,
    files: &[&str],
    folder: TempDir,
    environment: &[(&str, &str)],
    log: &Path,
) -> Server {
    let inject = format!("inject={what}");
    let paths: Vec<_> = files.iter().map(|name| folder.path().join(name).to_str().unwrap().to_owned()).collect();
    let calls = calls(log);
    let mut options = vec!["-y", "-o", calls.to_str().unwrap()];
    options.extend(["-e", "trace=pwrite64,fsync,fdatasync", "-e", &inject]);
    options.extend(paths.iter().flat_map(|path| ["-P", path]));
    start(&options, folder, environment, log)
}

/// Lets a server go on without strace: a call that is being delayed returns.
pub(super) fn lets_go(server: &Server) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let strace = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap().trim();
    assert_ne!(strace, "0", "nobody watches it");
    // Asked to end it would wait for the delay itself.
    assert!(Command::new("kill").args(["-9", strace]).status().unwrap().success());
}

/// Where [`start_injecting`] notes the calls of the server whose log is `log`.
pub(super) fn calls(log: &Path) -> PathBuf {
    log.with_extension("calls")
}
