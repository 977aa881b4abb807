//! What is measured. A new scenario is a file here and one line in [`ALL`].

pub mod churn;
pub mod dm;
pub mod durable;
pub mod fanout;
pub mod flooder;
pub mod grow;
pub mod idle;
pub mod pairs;
pub mod rate;
pub mod search;
pub mod storm;

use crate::contender::{self, Contender, Setup};
use crate::dialect::Dialect;
use crate::prepared::Prepared;
use crate::process::Server;
use crate::seed::Seed;
use anyhow::Result;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Those that speak to each other.
const CHAT: &[Contender] = &[Contender::Confab, Contender::Node, Contender::Relay];

/// What concerns Confab alone.
const CONFAB: &[Contender] = &[Contender::Confab];
/// What concerns the disk alone.
const SQLITE: &[Contender] = &[Contender::Sqlite];

/// Nobody.
const NOBODY: &[Contender] = &[];
/// Those that show where Confab's figures stand.
const BASELINES: &[Contender] = &[Contender::Node, Contender::Relay];

/// Every scenario.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "dm",
        about: "200 people in pairs, as fast as it goes",
        contenders: CHAT,
        once: NOBODY,
        run: dm::run,
    },
    Scenario {
        name: "rate",
        about: "200 people in pairs, at a fixed pace",
        contenders: CHAT,
        once: NOBODY,
        run: rate::run,
    },
    Scenario { name: "fanout", about: "one person writes to 1,000", contenders: CHAT, once: NOBODY, run: fanout::run },
    Scenario {
        name: "idle",
        about: "sockets that say nothing: what they cost",
        contenders: CHAT,
        once: BASELINES,
        run: idle::run,
    },
    Scenario {
        name: "churn",
        about: "people come and go: CPU, and whether memory comes back",
        contenders: CHAT,
        once: NOBODY,
        run: churn::run,
    },
    Scenario {
        name: "storm",
        about: "the server is killed, and everybody comes back",
        contenders: CHAT,
        once: BASELINES,
        run: storm::run,
    },
    Scenario {
        name: "grow",
        about: "the same work beside more and more",
        contenders: CONFAB,
        once: NOBODY,
        run: grow::run,
    },
    Scenario {
        name: "durable",
        about: "SQLite alone, each transaction on disk",
        contenders: SQLITE,
        once: NOBODY,
        run: durable::run,
    },
    Scenario {
        name: "search",
        about: "searching among a million messages",
        contenders: CONFAB,
        once: NOBODY,
        run: search::run,
    },
    Scenario {
        name: "flooder",
        about: "people in pairs beside an account that floods",
        contenders: CONFAB,
        once: NOBODY,
        run: flooder::run,
    },
    Scenario { name: "page", about: "the page in a browser", contenders: CONFAB, once: NOBODY, run: crate::page::run },
];

/// Something that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// Whom it is measured with, in turn.
    pub contenders: &'static [Contender],
    /// Whom it is measured with in the first run alone: where no goal depends on them, and it takes long.
    pub once: &'static [Contender],
    /// Does it once with one of them.
    pub run: fn(&Round<'_>) -> Result<Vec<Figure>>,
}

/// One run with one contender.
#[derive(Debug)]
pub struct Round<'a> {
    /// Whom.
    pub contender: Contender,
    /// The programs.
    pub setup: &'a Setup,
    /// What was asked for.
    pub options: &'a Options,
    /// Which of the runs, from 0 on.
    pub run: usize,
    /// The data folders that were filled before.
    pub prepared: &'a Prepared,
}

impl Round<'_> {
    /// A new data folder with what `fill` puts into it, if the server has data at all. The same `name` is the same
    /// in every run.
    ///
    /// # Errors
    /// When it cannot be filled.
    pub fn folder(&self, name: &str, fill: impl FnOnce(&mut Seed) -> Result<()>) -> Result<TempDir> {
        match self.contender.dialect() {
            Dialect::Confab => self.prepared.folder(name, fill),
            Dialect::Forward => contender::folder(),
        }
    }

    /// Starts the server on this data folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self, folder: &Path) -> Result<Server> {
        let server = self.setup.start(self.contender, folder)?;
        self.say(&format!("the server's process is {}", server.pid()));
        Ok(server)
    }

    /// Tells whoever watches what goes on.
    pub fn say(&self, text: &str) {
        eprintln!("  {}: {text}", self.contender.name());
    }
}

/// What may be asked for; what is not is the scenario's to choose.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Messages each sender has in flight
    #[arg(long, value_name = "N")]
    pub window: Option<usize>,
    /// Messages a second, at a fixed pace
    #[arg(long, value_name = "N")]
    pub per_second: Option<u64>,
    /// People, where a scenario lets one choose
    #[arg(long, value_name = "N")]
    pub people: Option<usize>,
    /// How long is measured
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// How long it goes before anything is measured
    #[arg(long, value_name = "SECONDS")]
    pub warm_up_seconds: Option<f64>,
    /// What the flooder does; everything if nothing is named
    #[arg(long, value_enum)]
    pub flood: Vec<flooder::Kind>,
    /// Less of everything: about two minutes for all
    #[arg(long)]
    pub quick: bool,
    /// Also what takes minutes to prepare
    #[arg(long)]
    pub full: bool,
}

impl Options {
    /// How long it goes before anything is measured.
    #[must_use]
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up_seconds.unwrap_or(if self.quick { 0.3 } else { 1.0 }))
    }

    /// How long is measured, `usual` seconds if nothing is said.
    #[must_use]
    pub fn time(&self, usual: u32) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { f64::from(usual) }))
    }
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Which, like `dm.16.cpu`.
    pub key: String,
    /// Of what.
    pub unit: &'static str,
    /// How many.
    pub value: f64,
}

impl Figure {
    /// A number with its name.
    #[must_use]
    pub fn new(key: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { key: key.into(), unit, value }
    }
}
