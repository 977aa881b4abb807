//! The servers that are compared, and how each is started.

use crate::dialect::Dialect;
use crate::process::{self, Server};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One of those compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Contender {
    /// Confab: every message is on the disk before anybody hears of it.
    Confab,
    /// The chat server that tutorials teach, on Node with `ws`: passes on what comes, stores nothing.
    Node,
    /// The bare relay: moves frames and understands nothing. The floor.
    Relay,
    /// No server: SQLite alone, set as Confab sets it. The floor of storage.
    Sqlite,
}

impl Contender {
    /// How it is talked to.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Contender::Confab => Dialect::Confab,
            Contender::Node | Contender::Relay | Contender::Sqlite => Dialect::Forward,
        }
    }

    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Contender::Confab => "Confab",
            Contender::Node => "Node `ws`",
            Contender::Relay => "bare relay",
            Contender::Sqlite => "SQLite alone",
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
    /// The `relay` program.
    pub relay: PathBuf,
    /// The folder that holds `ws`.
    pub node_modules: PathBuf,
    /// Whether server and generator have a core each.
    pub is_pinned: bool,
}

impl Setup {
    /// Why a contender cannot be measured here, if it cannot.
    #[must_use]
    pub fn missing(&self, contender: Contender) -> Option<String> {
        match contender {
            Contender::Confab if !self.confab.is_file() => {
                Some(format!("there is no program {}", self.confab.display()))
            }
            Contender::Relay if !self.relay.is_file() => Some(format!("there is no program {}", self.relay.display())),
            Contender::Node if self.node_version().is_none() => Some("there is no Node".into()),
            Contender::Node if self.ws_version().is_none() => {
                Some(format!("there is no ws in {}", self.node_modules.display()))
            }
            _ => None,
        }
    }

    /// What Node says it is.
    #[must_use]
    pub fn node_version(&self) -> Option<String> {
        let output = Command::new("node").arg("--version").stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Which `ws` is there.
    #[must_use]
    pub fn ws_version(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.node_modules.join("ws/package.json")).ok()?;
        let (_, rest) = text.split_once("\"version\": \"")?;
        Some(rest.split('"').next()?.to_owned())
    }

    /// Starts a contender; `folder` holds its data, if it has any.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self, contender: Contender, folder: &Path) -> Result<Server> {
        if let Some(reason) = self.missing(contender) {
            bail!("{reason}");
        }
        let mut command = match contender {
            Contender::Confab => self.confab(folder, "off")?,
            Contender::Node => {
                let script = folder.join("forward.cjs");
                std::fs::write(&script, FORWARD)?;
                let mut command = process::command(OsStr::new("node"), self.is_pinned);
                command.arg(script).env("NODE_PATH", self.node_modules.canonicalize()?);
                command
            }
            Contender::Relay => process::command(self.relay.canonicalize()?.as_os_str(), self.is_pinned),
            Contender::Sqlite => bail!("SQLite alone is no server"),
        };
        Server::start(command.stderr(Stdio::inherit()))
    }

    /// Starts Confab with the rate limits it has for people.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_limited(&self, folder: &Path) -> Result<Server> {
        Server::start(self.confab(folder, "on")?.stderr(Stdio::inherit()))
    }

    fn confab(&self, folder: &Path, rate_limits: &str) -> Result<Command> {
        let mut command = process::command(self.confab.canonicalize()?.as_os_str(), self.is_pinned);
        command.args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", rate_limits, "--log", "warn", "--data"]);
        command.arg(folder).args(&self.arguments);
        Ok(command)
    }
}

/// The server on Node.
const FORWARD: &str = include_str!("../baselines/forward.cjs");

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
