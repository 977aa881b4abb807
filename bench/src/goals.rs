//! The rows of the table: what each figure is, what it must be and what it should be.
//!
//! A figure without a row here is shown by its key, so a new scenario is seen at once; a row is one line.

use crate::stats::Spread;

/// What a figure is measured against.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// No more than so many times what Node takes in the same run.
    TimesNode(f64),
    /// No more than a fifth above another figure: the cost of the same work beside less.
    Near(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// Which figure.
    pub key: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What it must be.
    pub must: Option<Goal>,
    /// What it should be.
    pub aim: Option<Goal>,
}

impl Goal {
    /// The goal in words.
    #[must_use]
    pub fn words(self, show: impl Fn(f64) -> String) -> String {
        match self {
            Goal::AtMost(most) => format!("≤ {}", show(most)),
            Goal::AtLeast(least) => format!("≥ {}", show(least)),
            Goal::TimesNode(1.0) => "≤ Node".into(),
            Goal::TimesNode(factor) => format!("≤ {factor} × Node"),
            Goal::Near(_) => "within 20 % of the least".into(),
        }
    }

    /// Whether `value` reaches it; `None` if what it is compared with was not measured. `other` gives the medians of
    /// Confab's other figures.
    pub fn is_reached(self, value: f64, node: Option<Spread>, other: impl Fn(&str) -> Option<f64>) -> Option<bool> {
        match self {
            Goal::AtMost(most) => Some(value <= most),
            Goal::AtLeast(least) => Some(value >= least),
            Goal::TimesNode(factor) => node.map(|node| value <= factor * node.median),
            Goal::Near(key) => other(key).map(|base| value <= 1.2 * base),
        }
    }
}

const fn row(key: &'static str, title: &'static str, must: Option<Goal>, aim: Option<Goal>) -> Row {
    Row { key, title, must, aim }
}

use Goal::{AtLeast, AtMost, Near, TimesNode};

/// All rows, in the table's order.
pub const ROWS: &[Row] = &[
    row("dm.16.cpu", "direct message, 16 in flight each: CPU", Some(TimesNode(1.0)), Some(AtMost(6.0))),
    row("dm.1.cpu", "direct message, 1 in flight each: CPU", Some(TimesNode(1.1)), Some(AtMost(14.0))),
    row("dm.16.rate", "direct messages a second, 16 in flight each", Some(AtLeast(80e3)), Some(AtLeast(120e3))),
    row("dm.1.rate", "direct messages a second, 1 in flight each", None, None),
    row("dm.16.p50", "direct message, 16 in flight each: until the other has it, median", None, None),
    row("dm.16.p99", "direct message, 16 in flight each: until the other has it, p99", None, None),
    row(
        "dm.16.accepted.p99",
        "direct message, 16 in flight each: until the sender knows it is stored, p99",
        None,
        None,
    ),
    row("dm.1.p50", "direct message, 1 in flight each: until the other has it, median", None, None),
    row("dm.1.p99", "direct message, 1 in flight each: until the other has it, p99", None, None),
    row("dm.1.accepted.p99", "direct message, 1 in flight each: until the sender knows it is stored, p99", None, None),
    row("rate.1000.cpu", "1,000 messages a second: CPU", None, None),
    row("rate.1000.p50", "1,000 messages a second: from when it was due, median", None, None),
    row("rate.1000.p99", "1,000 messages a second: from when it was due, p99", None, None),
    row("rate.5000.cpu", "5,000 messages a second: CPU", None, None),
    row("rate.5000.p50", "5,000 messages a second: from when it was due, median", None, None),
    row("rate.5000.p99", "5,000 messages a second: from when it was due, p99", Some(AtMost(5.0)), Some(AtMost(2.5))),
    row("rate.5000.max", "5,000 messages a second: from when it was due, longest", None, None),
    row("fanout.4.cpu", "to 1,000 people, 4 in flight: CPU per delivery", Some(TimesNode(0.3)), Some(AtMost(2.0))),
    row("fanout.1.cpu", "to 1,000 people, 1 in flight: CPU per delivery", Some(TimesNode(1.0)), Some(AtMost(8.5))),
    row("fanout.4.rate", "to 1,000 people, 4 in flight: deliveries a second", None, None),
    row("fanout.1.rate", "to 1,000 people, 1 in flight: deliveries a second", None, None),
    row("fanout.4.p99", "to 1,000 people, 4 in flight: until the last has it, p99", None, None),
    row("fanout.1.p99", "to 1,000 people, 1 in flight: until the last has it, p99", None, None),
    row("idle.10000.bytes", "memory for a silent socket, 10,000 of them", Some(AtMost(6_144.0)), Some(AtMost(2_048.0))),
    row("idle.19000.bytes", "memory for a silent socket, 19,000 of them", Some(AtMost(6_144.0)), Some(AtMost(2_048.0))),
    row("churn.growth", "memory after ten crowds of 10,000 by that after the first", Some(AtMost(1.1)), None),
    row("churn.cpu", "coming in with a session and going: CPU", Some(TimesNode(0.5)), Some(AtMost(70.0))),
    row("storm.seconds", "10,000 sockets back after a restart", Some(AtMost(3.0)), Some(AtMost(1.0))),
    row("grow.sockets.10.cpu", "direct message beside 10 sockets: CPU", None, None),
    row("grow.sockets.1000.cpu", "… beside 1,000 sockets", Some(Near("grow.sockets.10.cpu")), None),
    row("grow.sockets.10000.cpu", "… beside 10,000 sockets", Some(Near("grow.sockets.10.cpu")), None),
    row("grow.stored.1000.cpu", "direct message after 1,000 stored ones: CPU", None, None),
    row("grow.stored.100000.cpu", "… after 100,000", Some(Near("grow.stored.1000.cpu")), None),
    row("grow.stored.10000000.cpu", "… after 10,000,000", Some(Near("grow.stored.1000.cpu")), None),
    row("grow.conversations.10.cpu", "direct message of somebody with 10 conversations: CPU", None, None),
    row("grow.conversations.1000.cpu", "… with 1,000", Some(Near("grow.conversations.10.cpu")), None),
    row("grow.conversations.100000.cpu", "… with 100,000", Some(Near("grow.conversations.10.cpu")), None),
    row("grow.conversations.10.connect", "coming in with 10 conversations: CPU", None, None),
    row("grow.conversations.1000.connect", "… with 1,000", None, None),
    row("grow.conversations.100000.connect", "… with 100,000", None, None),
    row("page.wasm", "the page's WebAssembly at first", None, None),
    row("page.wasm.brotli", "… as it travels, with brotli", Some(AtMost(300e3)), Some(AtMost(200e3))),
    row("page.paint", "a conversation of 100,000 messages: until its newest are painted", Some(AtMost(1_000.0)), None),
    row("page.frame.p50", "scrolling it: between frames, median", None, None),
    row("page.frame.p95", "scrolling it: between frames, 95th of a hundred", None, None),
    row("page.frame.slow", "scrolling it: frames above 50 ms", None, None),
    row("page.receive", "messages a second that it takes in and shows, 500 at a time", None, None),
    row("page.heap.before", "JavaScript's memory before 10,000 messages came", None, None),
    row("page.heap.after", "… and after", Some(Near("page.heap.before")), None),
    row("page.memory.before", "the WebAssembly's memory before", None, None),
    row("page.memory.after", "… and after", Some(Near("page.memory.before")), None),
    row("page.nodes.before", "DOM nodes before", None, None),
    row("page.nodes.after", "… and after", Some(Near("page.nodes.before")), None),
    row("durable.1.cpu", "storage alone, a row in a transaction: CPU per row", None, None),
    row("durable.10.cpu", "storage alone, 10 rows in a transaction: CPU per row", None, None),
    row("durable.100.cpu", "storage alone, 100 rows in a transaction: CPU per row", None, None),
    row("durable.1000.cpu", "storage alone, 1,000 rows in a transaction: CPU per row", None, None),
    row(
        "search.common.p50",
        "search among 1,000,000 messages, a word everybody says: median",
        Some(AtMost(100.0)),
        None,
    ),
    row("search.rare.p50", "search among 1,000,000 messages, a rare word: median", Some(AtMost(100.0)), None),
    row(
        "search.start.p50",
        "search among 1,000,000 messages, the beginning of a hundred words: median",
        Some(AtMost(100.0)),
        None,
    ),
    row(
        "search.short.p50",
        "search among 1,000,000 messages, the beginning of most words: median",
        Some(AtMost(100.0)),
        None,
    ),
    row("search.several.p50", "search among 1,000,000 messages, three words: median", Some(AtMost(100.0)), None),
    row(
        "search.phrase.p50",
        "search among 1,000,000 messages, words that stand together: median",
        Some(AtMost(100.0)),
        None,
    ),
    row("search.person.p50", "search among 1,000,000 messages, a person's: median", Some(AtMost(100.0)), None),
    row("search.member.p50", "a name being typed, among 10,000 people: median", Some(AtMost(16.0)), None),
    row("search.older.p50", "search among 1,000,000 messages, what is older: median", Some(AtMost(100.0)), None),
    row("flooder.without.p99", "500 messages a second with rate limits: until the other has it, p99", None, None),
    row("flooder.p99", "… beside an account that floods", None, None),
    row("flooder.p99.ratio", "… by that without it", Some(AtMost(2.0)), None),
    row(
        "flooder.without.accepted.p99",
        "500 messages a second with rate limits: until the sender knows it is stored, p99",
        None,
        None,
    ),
    row("flooder.accepted.p99", "… beside an account that floods", None, None),
    row("flooder.accepted.p99.ratio", "… by that without it", Some(AtMost(2.0)), None),
    row("durable.1.rate", "storage alone, a row in a transaction: rows a second", None, None),
    row("durable.10.rate", "storage alone, 10 rows in a transaction: rows a second", None, None),
    row("durable.100.rate", "storage alone, 100 rows in a transaction: rows a second", None, None),
    row("durable.1000.rate", "storage alone, 1,000 rows in a transaction: rows a second", None, None),
];

/// Figures that are printed while it runs and are no rows of the table: ends of their keys.
pub const DETAILS: &[&str] = &[".max", ".accepted.p50", ".accepted.p99", ".p50"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_at_its_limit_and_unknown_without_its_measure() {
        let node = Some(Spread { median: 10.0, min: 9.0, max: 30.0 });
        let other = |key: &str| (key == "base").then_some(10.0);
        let table = [
            (AtMost(5.0), 5.0, Some(true)),
            (AtMost(5.0), 5.1, Some(false)),
            (AtLeast(5.0), 5.0, Some(true)),
            (AtLeast(5.0), 4.9, Some(false)),
            (TimesNode(1.1), 11.0, Some(true)),
            (TimesNode(1.1), 11.1, Some(false)),
            (Near("base"), 12.0, Some(true)),
            (Near("base"), 12.1, Some(false)),
            (Near("nothing"), 1.0, None),
        ];
        for (goal, value, expected) in table {
            assert_eq!(goal.is_reached(value, node, other), expected, "{goal:?} {value}");
        }
        assert_eq!(TimesNode(1.0).is_reached(1.0, None, other), None);
    }

    #[test]
    fn no_figure_has_two_rows() {
        let mut keys: Vec<_> = ROWS.iter().map(|row| row.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ROWS.len());
    }
}
