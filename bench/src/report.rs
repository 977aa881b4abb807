//! The table: all figures of all runs, each of Confab's beside the others'.

use crate::contender::{Contender, Setup};
use crate::goals::{DETAILS, Goal, ROWS, Row};
use crate::scenario::Figure;
use crate::stats::Spread;
use std::fmt::Write;
use std::process::{Command, Stdio};

/// What one figure was in each run.
#[derive(Debug)]
struct Series {
    key: String,
    unit: &'static str,
    contender: Contender,
    runs: Vec<f64>,
}

/// Everything that was measured, and what was not.
#[derive(Debug, Default)]
pub struct Results {
    series: Vec<Series>,
    not_run: Vec<String>,
}

impl Results {
    /// One run's figures.
    pub fn add(&mut self, contender: Contender, figures: Vec<Figure>) {
        for Figure { key, unit, value } in figures {
            match self.series.iter_mut().find(|series| series.contender == contender && series.key == key) {
                Some(series) => series.runs.push(value),
                None => self.series.push(Series { key, unit, contender, runs: vec![value] }),
            }
        }
    }

    /// Something that could not be measured, and why. Said once, however often it is tried.
    pub fn not_run(&mut self, what: String) {
        if !self.not_run.contains(&what) {
            self.not_run.push(what);
        }
    }

    fn spread(&self, key: &str, contender: Contender) -> Option<Spread> {
        let series = self.series.iter().find(|series| series.contender == contender && series.key == key)?;
        Spread::of(&series.runs)
    }

    /// The Markdown table, in the order of [`ROWS`]; figures without a row come last. `missing` are the scenarios that
    /// are still to be measured: if the run ends here, they have not been.
    #[must_use]
    pub fn table(&self, missing: &[&str]) -> String {
        let mut text = String::from(
            "| figure | unit | Confab | Node `ws` | × Node | floor | × floor | must | reached | aim | reached |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        let mut keys: Vec<&str> = Vec::new();
        let is_shown = |key: &&str| !DETAILS.iter().any(|end| key.ends_with(end));
        let others = self.series.iter().map(|series| series.key.as_str()).filter(is_shown);
        for key in ROWS.iter().map(|row| row.key).chain(others) {
            if !keys.contains(&key) && self.series.iter().any(|series| series.key == key) {
                keys.push(key);
            }
        }
        for key in keys {
            let unit = self.series.iter().find(|series| series.key == key).map_or("", |series| series.unit);
            let row = ROWS.iter().find(|row| row.key == key);
            self.write_row(&mut text, key, unit, row);
        }
        if !missing.is_empty() {
            let _ = writeln!(text, "\n**NOT RUN:** {}: the run had not come to them", missing.join(", "));
        }
        for reason in &self.not_run {
            // An error may have lines of its own; they would end the paragraph.
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "\n**NOT RUN:** {reason}");
        }
        text
    }

    fn write_row(&self, text: &mut String, key: &str, unit: &str, row: Option<&Row>) {
        let confab = self.spread(key, Contender::Confab);
        let node = self.spread(key, Contender::Node);
        let relay = self.spread(key, Contender::Relay);
        let floor = relay.or_else(|| self.spread(key, Contender::Sqlite));
        let ratio = |other: Option<Spread>| match (confab, other) {
            (Some(confab), Some(other)) if other.median > 0.0 => number(confab.median / other.median),
            _ => "–".into(),
        };
        let goal = |goal: Option<Goal>| {
            let words = goal.map_or_else(|| "–".into(), |goal| goal.words(number));
            let reached = goal.zip(confab).map(|(goal, confab)| {
                let other = |key: &str| self.spread(key, Contender::Confab).map(|spread| spread.median);
                match goal.is_reached(confab.median, node, other) {
                    Some(true) => "yes",
                    Some(false) => "**no**",
                    None => "unknown",
                }
            });
            (words, reached.unwrap_or("–"))
        };
        let title = row.map_or(key, |row| row.title);
        let (must, must_reached) = goal(row.and_then(|row| row.must));
        let (aim, aim_reached) = goal(row.and_then(|row| row.aim));
        let cells = [
            title.to_owned(),
            unit.to_owned(),
            cell(confab),
            cell(node),
            ratio(node),
            cell(floor),
            ratio(floor),
            must,
            must_reached.to_owned(),
            aim,
            aim_reached.to_owned(),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

/// The median, and the least and the most where they differ.
fn cell(spread: Option<Spread>) -> String {
    match spread {
        None => "–".into(),
        Some(Spread { median, min, max }) if min < max => {
            format!("{} ({}–{})", number(median), number(min), number(max))
        }
        Some(Spread { median, .. }) => number(median),
    }
}

/// Three digits that mean something, thousands apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.map(|fraction| fraction.trim_end_matches('0')) {
        Some(fraction) if !fraction.is_empty() => format!("{grouped}.{fraction}"),
        _ => grouped,
    }
}

/// What stands above the table: the machine, the versions, the command, the date.
#[must_use]
pub fn header(setup: &Setup, command: &str, runs: usize, is_quick: bool) -> String {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = file("/proc/cpuinfo");
    let model = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    // Not those this process may use: it has been moved to one.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = file("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let load = file("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let cpus = if setup.is_pinned { "server and load generator on a core each" } else { "NOT PINNED" };
    let how = match (runs, is_quick) {
        (1, true) => "One short run of each: good for a look and not for quoting".into(),
        (1, false) => "One run of each".into(),
        _ => format!(
            "Medians of {runs} interleaved runs (least–most); what has no range was measured once, or was the same"
        ),
    };
    let none = || "none".to_owned();
    format!(
        "# What was measured\n\n\
         * Machine: {}, {cores} cores, {} GiB, Linux {}; {cpus}; load before the first run {load}\n\
         * Versions: Confab {} ({}), Node {}, ws {}, SQLite {}\n\
         * Command: `{command}`, {}\n\
         * {how}; CPU is user and system time of the whole server \
         process. What each row means: [README.md](README.md)\n\n",
        model.unwrap_or("unknown processor"),
        (kib as f64 / f64::from(1 << 20)).round(),
        file("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
        output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(none),
        setup.node_version().unwrap_or_else(none),
        setup.ws_version().unwrap_or_else(none),
        rusqlite::version(),
        output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(none),
    )
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let table =
            [(0.0, "0"), (0.414, "0.41"), (6.0, "6"), (14.25, "14.2"), (120e3, "120,000"), (1_234_567.0, "1,234,567")];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn each_of_confabs_figures_stands_beside_the_others() {
        let mut results = Results::default();
        for value in [12.0, 10.0, 11.0] {
            results.add(Contender::Confab, vec![Figure::new("dm.16.cpu", "µs", value)]);
        }
        results.add(Contender::Node, vec![Figure::new("dm.16.cpu", "µs", 22.0)]);
        results.add(Contender::Relay, vec![Figure::new("dm.16.cpu", "µs", 0.5)]);
        results.add(Contender::Confab, vec![Figure::new("new.figure", "ms", 1.0)]);
        results.not_run("there is no Node".into());
        results.not_run("there is no Node".into());
        let table = results.table(&["grow", "page"]);
        let row = "| µs | 11 (10–12) | 22 | 0.5 | 0.5 | 22 | ≤ Node | yes | ≤ 6 | **no** |";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("| new.figure | ms | 1 | – | – | – | – | – | – | – | – |"), "{table}");
        assert_eq!(table.matches("**NOT RUN:** there is no Node").count(), 1, "{table}");
        assert!(table.contains("**NOT RUN:** grow, page: the run had not come to them"), "{table}");
        assert!(!results.table(&[]).contains("had not come"), "everything was measured");
    }
}
