//! The servers that are compared, and how each is started.

use crate::dialect::Dialect;
use crate::process::{self, Server};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// One of those compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Contender {
    /// Confab: every message is on the disk before anybody hears of it.
    Confab,
}

impl Contender {
    /// How it is talked to.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Contender::Confab => Dialect::Confab,
        }
    }

    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Contender::Confab => "Confab",
        }
    }
}

/// Where the programs are, and how they are run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The `confab` program.
    pub confab: PathBuf,
    /// More arguments for it.
    pub arguments: Vec<String>,
    /// Whether server and generator have a core each.
    pub is_pinned: bool,
}

impl Setup {
    /// Starts a contender; `folder` holds its data, if it has any.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self, contender: Contender, folder: &Path) -> Result<Server> {
        match contender {
            Contender::Confab => {
                let program = self.confab.canonicalize().with_context(|| {
                    format!("there is no program {}; build it, or name another with --server", self.confab.display())
                })?;
                let mut command = process::command(program.as_os_str(), self.is_pinned);
                command.args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--log", "warn", "--data"]);
                command.arg(folder).args(&self.arguments).stderr(Stdio::inherit());
                Server::start(command)
            }
        }
    }
}

/// A new folder on a disk: what only lives in memory flushes for free.
///
/// # Errors
/// When there is none.
pub fn folder() -> Result<tempfile::TempDir> {
    let builder = |parent: &Path| tempfile::Builder::new().prefix("confab-bench-").tempdir_in(parent);
    let usual = std::env::temp_dir();
    if is_in_memory(&usual) {
        return builder(Path::new(OsStr::new("."))).context("no folder can be made here");
    }
    builder(&usual).context("no folder can be made for temporary files")
}

fn is_in_memory(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip(1).map(str::to_owned);
        Some((words.next()?, words.next()?))
    };
    // The longest mount point above the path is the one it is in.
    let mounts = mounts.lines().filter_map(of).filter(|(point, _)| path.starts_with(point));
    mounts.max_by_key(|(point, _)| point.len()).is_some_and(|(_, kind)| matches!(&*kind, "tmpfs" | "ramfs"))
}
