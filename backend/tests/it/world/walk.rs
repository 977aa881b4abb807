//! A walk of chance over all that people do. Each seed is a world of its own; one that fails says what
//! was done, and how to do it again.

use super::World;
use super::person::{Person, number};
use shared::ids::ConversationId;
use shared::message::Target;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many worlds there are.
const SEEDS: u64 = 20;
/// How often it is looked whether all is well in each.
const STEPS: usize = 60;
/// How many are walked at the same time.
const WALKERS: usize = 3;

/// splitmix64: enough for choosing what happens next.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }
}

struct Walk<'a> {
    world: World,
    dice: Dice,
    /// Everybody, at each of their devices.
    devices: Vec<Person>,
    groups: Vec<ConversationId>,
    plan: &'a RefCell<Vec<String>>,
    written: usize,
}

impl Walk<'_> {
    fn note(&self, what: String) {
        self.plan.borrow_mut().push(what);
    }

    fn text(&mut self) -> String {
        self.written += 1;
        format!("text {}", self.written)
    }

    fn anybody(&mut self) -> Person {
        self.dice.pick(&self.devices).unwrap().clone()
    }

    /// One thing that somebody does.
    async fn act(&mut self) {
        let index = self.dice.below(self.devices.len());
        let (person, other) = (self.devices[index].clone(), self.anybody());
        let group = self.dice.pick(&self.groups).copied();
        let name = format!("{} ({index})", person.name());
        match self.dice.below(24) {
            0..=6 => {
                let (target, text) = (self.target(&other, group), self.text());
                self.note(format!("{name} sends {text:?} to {target:?}"));
                person.sends(target, &text);
            }
            7..=11 => self.amend(&person, &name),
            12..=13 => {
                let known = person.here().list.order().to_vec();
                if let Some(id) = self.dice.pick(&known) {
                    self.note(format!("{name} reads {id}"));
                    person.reads(*id);
                }
            }
            14 => {
                let known = person.here().list.order().to_vec();
                if let Some(id) = self.dice.pick(&known) {
                    self.note(format!("{name} types and scrolls back in {id}"));
                    person.types_in(*id);
                    person.scrolls_back(*id);
                }
            }
            15..=16 => {
                self.note(format!("{name} goes away"));
                person.goes_away();
            }
            17..=18 => {
                self.note(format!("{name} is cut off"));
                person.is_cut_off();
            }
            19 => {
                self.note(format!("{name} takes nothing, or again"));
                let is_reading = person.here().is_reading;
                person.here().is_reading = !is_reading;
            }
            20 => {
                self.note(format!("{name} is called otherwise"));
                let text = self.text();
                person.is_now_called(&text).await;
            }
            _ => self.manage(&person, &name, &other, group).await,
        }
        if self.dice.below(3) == 0 {
            let back = self.anybody();
            self.note(format!("{} comes back", back.name()));
            back.comes_back();
        }
    }

    fn target(&mut self, other: &Person, group: Option<ConversationId>) -> Target {
        match (self.dice.below(4), group) {
            (0, _) => Target::Everyone,
            (1, _) => Target::Users(self.devices.iter().map(Person::id).collect()),
            (2, Some(group)) => Target::Conversation(group),
            _ => Target::User(other.id()),
        }
    }

    /// Something happens to a message that is shown.
    fn amend(&mut self, person: &Person, name: &str) {
        let rows: Vec<_> = {
            let device = person.here();
            let rows = device.timelines.values().flat_map(|timeline| timeline.rows());
            rows.filter(|row| number(row).is_some() && !row.content.is_empty()).map(|row| row.content.clone()).collect()
        };
        let Some(text) = self.dice.pick(&rows).cloned() else { return };
        match self.dice.below(5) {
            0 => {
                self.note(format!("{name} deletes {text:?}"));
                person.deletes(&text);
            }
            1 => {
                let after = self.text();
                self.note(format!("{name} edits {text:?} to {after:?}"));
                person.edits(&text, &after);
            }
            _ => {
                let (emoji, on) = (["👍", "🎉"][self.dice.below(2)], self.dice.below(3) > 0);
                self.note(format!("{name} reacts to {text:?} with {emoji} {on}"));
                person.reacts(&text, emoji, on);
            }
        }
    }

    /// Something happens to a group. What one may not do is refused, and that is as good.
    async fn manage(&mut self, person: &Person, name: &str, other: &Person, group: Option<ConversationId>) {
        match (self.dice.below(4), group) {
            (0, _) | (_, None) => {
                let text = self.text();
                let id = person.makes(&text, &[other]).await;
                self.note(format!("{name} makes {id} with {}", other.name()));
                self.groups.push(id);
            }
            (1, Some(group)) => {
                let text = self.text();
                let result = person.renames(group, &text).await;
                self.note(format!("{name} renames {group}: {result:?}"));
            }
            (2, Some(group)) => {
                let result = person.brings_in(group, other).await;
                self.note(format!("{name} brings {} into {group}: {result:?}", other.name()));
            }
            (_, Some(group)) => {
                let result = person.sends_away(group, other).await;
                self.note(format!("{name} sends {} away from {group}: {result:?}", other.name()));
            }
        }
    }
}

async fn walk(seed: u64, plan: &RefCell<Vec<String>>) {
    let mut world = World::new().await;
    let people = world.people(["Ada", "Ben", "Cy"]).await;
    let mut devices = people.to_vec();
    for person in &people {
        devices.push(world.signs_in(person).await);
    }
    let mut walk = Walk { world, dice: Dice(seed), devices, groups: Vec::new(), plan, written: 0 };
    for _ in 0..STEPS {
        for _ in 0..=walk.dice.below(3) {
            walk.act().await;
        }
        walk.note("it settles".into());
        walk.world.settles().await;
    }
    walk.note("everybody comes back".into());
    for device in &walk.devices {
        device.takes_again();
        device.comes_back();
    }
    walk.world.settles().await;
    for device in &walk.devices {
        assert!(
            device.here().is_open()
                && device
                    .here()
                    .connection
                    .outbox()
                    .entries()
                    .all(|entry| matches!(entry.state, client::outbox::State::Failed(_)))
        );
    }
}

fn attempt(seed: u64) {
    let plan = RefCell::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(walk(seed, &plan))));
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        let plan = plan.borrow().join("\n");
        panic!("{plan}\n\n{text}\n\nTo see it again: CONFAB_SEED={seed} cargo test -p backend --test it walk");
    }
}

#[test]
fn whatever_people_do_every_device_shows_what_a_fresh_load_shows() {
    if let Some(seed) = std::env::var("CONFAB_SEED").ok().map(|seed| seed.parse().unwrap()) {
        return attempt(seed);
    }
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WALKERS {
            scope.spawn(|| {
                while let seed @ 0..SEEDS = next.fetch_add(1, Ordering::Relaxed) {
                    attempt(seed);
                }
            });
        }
    });
}
