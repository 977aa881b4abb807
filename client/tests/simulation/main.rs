//! The client in a world of chance: several devices, driven as the page drives them, links that are
//! cut, a server that crashes between the commit and its answer, pages that arrive late. Whatever
//! happens, once it calms down everybody sees what a fresh load would show, and everything written is
//! stored once.
//!
//! Each seed is a world of its own. One that fails says how to see it alone, step by step:
//! `CONFAB_SEED=… cargo test -p client --test simulation`.

mod device;
mod log;
mod random;
mod server;
mod world;

use server::Fault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// How many worlds there are.
const SEEDS: u64 = 10_000;
/// How much happens in each before it calms down.
const STEPS: usize = 120;
/// In so many worlds a broken contract has to show.
const CONTROL_SEEDS: u64 = 300;

fn run(seed: u64, fault: Fault, is_traced: bool) -> Result<(), String> {
    let world = || World::new(seed, fault, is_traced).run(STEPS);
    catch_unwind(AssertUnwindSafe(world)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    })
}

#[test]
fn whatever_happens_everybody_sees_the_same_in_the_end() {
    let alone = std::env::var("CONFAB_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = alone.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        if let Err(problem) = run(seed, Fault::None, alone.is_some()) {
            panic!("{problem}\n\nTo see it: CONFAB_SEED={seed} cargo test -p client --test simulation everybody");
        }
    }
}

/// A broken contract shows: the simulation can fail.
fn is_caught(fault: Fault) {
    let caught = (0..CONTROL_SEEDS).find(|seed| run(*seed, fault, false).is_err());
    assert!(caught.is_some(), "{fault:?} shows in none of {CONTROL_SEEDS} worlds");
}

#[test]
fn an_answer_before_the_commit_is_caught() {
    is_caught(Fault::DeliversBeforeCommit);
}

#[test]
fn a_replay_with_a_hole_is_caught() {
    is_caught(Fault::SkipsAReplayedEvent);
}

#[test]
fn an_event_to_somebody_who_left_is_caught() {
    is_caught(Fault::ForgetsMembership);
}

#[test]
fn a_message_stored_twice_is_caught() {
    is_caught(Fault::StoresTwice);
}

#[test]
fn an_event_that_is_not_delivered_is_caught() {
    is_caught(Fault::LosesALiveEvent);
}

#[test]
fn a_message_sent_again_under_another_id_is_caught() {
    is_caught(Fault::SendsAgainAsNew);
}
