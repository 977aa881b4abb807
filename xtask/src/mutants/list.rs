//! The list of mutants, and that it fits docs/promises.md.
//!
//! ```toml
//! [[mutant]]
//! name = "accept_before_commit"              # of its own
//! promise = "What was accepted is there"     # how its row in docs/promises.md begins, and no other does
//! file = "backend/src/store/writer.rs"
//! find = '''…'''                             # stands once in the file
//! replace = '''…'''                          # asks `crate::mutant::is_on("accept_before_commit")`
//! test = { package = "backend", target = "it", names = ["faults::kill::every_…"] }  # tests of the row, each must fail
//! ```
//!
//! * `edits = [{ file, find, replace }, …]` instead of the three when one place is not enough.
//! * `target` is `lib`, or the name of a test or a program of the package. `seconds` is how long the tests may
//!   take with the mutant, where three times as long as without it is less.
//! * A row whose tests have a control, a server with a fault built in, names that instead of an edit and a test:
//!   `control = { package, target, names }`; each of them must pass.
//! * `[[not_broken]]` with `promise` and `why` lists a row that nothing breaks yet.

use crate::process::root;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::HashSet;
use std::fs;

/// How long the tests of one mutant may take with it, unless it says otherwise or they take long without it.
const SECONDS: u64 = 240;

/// The lists, and the folders of the tests whose rows each has to cover.
const LISTS: &[(&str, &[&str])] = &[
    ("xtask/mutants/server.toml", &["`backend/", "`shared/", "`client/"]),
    ("xtask/mutants/page.toml", &["`frontend/", "`journeys/"]),
];

pub(super) struct List {
    pub(super) mutants: Vec<Mutant>,
    pub(super) not_broken: Vec<NotBroken>,
    rows: Vec<Row>,
}

pub(super) struct Mutant {
    pub(super) name: String,
    /// The promise, as its row says it.
    pub(super) row: String,
    pub(super) how: How,
    pub(super) tests: Tests,
    pub(super) seconds: u64,
}

impl Mutant {
    pub(super) fn is_control(&self) -> bool {
        matches!(self.how, How::Control)
    }
}

pub(super) enum How {
    /// The tests must fail with these.
    Edits(Vec<Edit>),
    /// The tests break the promise themselves, and must pass.
    Control,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    pub(super) file: String,
    pub(super) find: String,
    pub(super) replace: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tests {
    pub(super) package: String,
    pub(super) target: String,
    pub(super) names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotBroken {
    pub(super) promise: String,
    pub(super) why: String,
}

/// A row of docs/promises.md.
struct Row {
    promise: String,
    shown_by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    mutant: Vec<Written>,
    #[serde(default)]
    not_broken: Vec<NotBroken>,
}

/// A mutant as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    promise: String,
    file: Option<String>,
    find: Option<String>,
    replace: Option<String>,
    #[serde(default)]
    edits: Vec<Edit>,
    test: Option<Tests>,
    control: Option<Tests>,
    seconds: Option<u64>,
}

impl List {
    pub(super) fn read() -> Result<Self> {
        let rows = rows()?;
        let mut list = Self { mutants: Vec::new(), not_broken: Vec::new(), rows };
        for (path, _) in LISTS {
            let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
            let file: File = toml::from_str(&text).with_context(|| (*path).to_owned())?;
            for written in file.mutant {
                let name = written.name.clone();
                list.mutants.push(list.understand(written).with_context(|| format!("{path}: {name}"))?);
            }
            for mut open in file.not_broken {
                open.promise = list.row(&open.promise).with_context(|| (*path).to_owned())?.promise.clone();
                list.not_broken.push(open);
            }
        }
        Ok(list)
    }

    fn understand(&self, written: Written) -> Result<Mutant> {
        let Written { name, promise, file, find, replace, mut edits, test, control, seconds } = written;
        if let (Some(file), Some(find), Some(replace)) = (file, find, replace) {
            edits.push(Edit { file, find, replace });
        }
        let (how, tests) = match (test, control) {
            (Some(tests), None) if !edits.is_empty() => (How::Edits(edits), tests),
            (None, Some(tests)) if edits.is_empty() => (How::Control, tests),
            _ => bail!("it has either file, find, replace and test, or a control"),
        };
        if let How::Edits(edits) = &how {
            let switch = format!("is_on(\"{name}\")");
            ensure!(edits.iter().any(|edit| edit.replace.contains(&switch)), "nothing in it asks {switch}");
        }
        let row = self.row(&promise)?;
        ensure!(!tests.names.is_empty(), "it names no test");
        for test in &tests.names {
            let function = test.rsplit("::").next().unwrap_or(test);
            ensure!(row.shown_by.contains(&format!("`{function}`")), "{function} is no test of its row");
        }
        Ok(Mutant { name, row: row.promise.clone(), how, tests, seconds: seconds.unwrap_or(SECONDS) })
    }

    /// The one row that begins so.
    fn row(&self, beginning: &str) -> Result<&Row> {
        let mut found = self.rows.iter().filter(|row| row.promise.starts_with(beginning));
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => bail!("no row of docs/promises.md begins with “{beginning}”"),
            (Some(_), Some(_)) => bail!("several rows of docs/promises.md begin with “{beginning}”"),
        }
    }

    /// Whether names are given once.
    pub(super) fn check_names(&self) -> Result<()> {
        let mut names = HashSet::new();
        match self.mutants.iter().find(|mutant| !names.insert(&mutant.name)) {
            Some(twin) => bail!("two mutants are called {}", twin.name),
            None => Ok(()),
        }
    }

    /// The rows that have neither a mutant nor a control nor a reason, among those that a list has to cover.
    pub(super) fn missing(&self) -> Vec<&str> {
        let open = self.not_broken.iter().map(|open| &open.promise);
        let said: HashSet<_> = self.mutants.iter().map(|mutant| &mutant.row).chain(open).collect();
        let lists = LISTS.iter().filter(|(path, _)| root().join(path).exists());
        let folders: Vec<_> = lists.flat_map(|(_, folders)| folders.iter()).collect();
        let is_asked = |row: &&Row| folders.iter().any(|folder| row.shown_by.contains(**folder));
        let missing = self.rows.iter().filter(is_asked).filter(|row| !said.contains(&row.promise));
        missing.map(|row| row.promise.as_str()).collect()
    }
}

fn rows() -> Result<Vec<Row>> {
    let text = fs::read_to_string(root().join("docs/promises.md"))?;
    let rows = text.lines().filter(|line| line.contains(".rs`")).filter_map(|line| {
        let (promise, shown_by) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some(Row { promise: promise.to_owned(), shown_by: shown_by.to_owned() })
    });
    Ok(rows.collect())
}
