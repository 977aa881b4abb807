//! Each scenario for about a second against a server built for tests: whatever was sent was accepted and delivered,
//! each once. How fast is no part of it.

use bench::contender::{Contender, Setup, folder};
use bench::dialect::{Dialect, Template};
use bench::scenario::pairs::{self, Load};
use bench::scenario::{durable, fanout};
use bench::seed::Seed;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const PEOPLE: usize = 20;
const WARM_UP: Duration = Duration::from_millis(200);
const TIME: Duration = Duration::from_millis(800);

/// The server, built like these tests and beside them; cargo builds only a package's own programs for its tests.
fn confab() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let programs = Path::new(env!("CARGO_BIN_EXE_bench")).parent().expect("a folder of programs");
        let target = programs.parent().expect("the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "backend", "--bin", "confab", "--target-dir"]);
        cargo.arg(target);
        if programs.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "the server can be built");
        programs.join("confab")
    };
    BUILT.get_or_init(build).clone()
}

fn setup() -> Setup {
    Setup {
        confab: confab(),
        arguments: Vec::new(),
        relay: env!("CARGO_BIN_EXE_relay").into(),
        node_modules: "nowhere".into(),
        is_pinned: false,
    }
}

fn people_write(contender: Contender, load: Load, silent: usize) {
    let folder = folder().expect("a folder");
    if contender.dialect() == Dialect::Confab {
        let mut seed = Seed::new(folder.path()).expect("a new folder");
        seed.people(PEOPLE + silent).expect("people");
        seed.finish().expect("written");
    }
    let server = setup().start(contender, folder.path()).expect("it starts");
    let plan = pairs::Plan { people: PEOPLE, silent, load, warm_up: WARM_UP, time: TIME };
    let mut outcome = pairs::drive(&server, contender.dialect(), plan).expect("every message is where it should be");
    assert!(outcome.measured > 0 && outcome.measured <= outcome.sent);
    assert_eq!((outcome.accepted, outcome.delivered), (outcome.sent, outcome.sent));
    assert!(outcome.arrival.percentile(0.5) <= outcome.arrival.percentile(0.99));
    assert!(!outcome.cpu.is_zero());
}

#[test]
fn as_fast_as_it_goes_every_message_is_accepted_and_delivered_once() {
    people_write(Contender::Confab, Load::Closed(1), 0);
    people_write(Contender::Confab, Load::Closed(16), 10);
    people_write(Contender::Relay, Load::Closed(16), 0);
}

#[test]
fn at_a_fixed_pace_every_message_is_accepted_and_delivered_once() {
    people_write(Contender::Confab, Load::Open(500), 0);
    people_write(Contender::Relay, Load::Open(500), 0);
}

#[test]
fn everybody_in_a_group_gets_every_message_once_and_in_order() {
    for contender in [Contender::Confab, Contender::Relay] {
        let folder = folder().expect("a folder");
        let template = match contender.dialect() {
            Dialect::Confab => fanout::group(folder.path(), 50),
            Dialect::Forward => Template::forward("*"),
        };
        let template = template.expect("a frame");
        let server = setup().start(contender, folder.path()).expect("it starts");
        let plan = fanout::Plan { receivers: 50, window: 4, warm_up: WARM_UP, time: TIME };
        let outcome = fanout::drive(&server, contender.dialect(), &template, plan).expect("every message arrives");
        assert!(outcome.measured > 0);
        assert_eq!((outcome.accepted, outcome.delivered), (outcome.sent, outcome.sent * 50));
    }
}

#[test]
fn rows_are_written_in_whole_transactions() {
    let (rows, _, _) = durable::write(10, Duration::from_millis(100)).expect("SQLite writes");
    assert!(rows >= 10 && rows % 10 == 0);
}
