//! Who gets a message to a set of people: a walk of chance over writing to sets, offline and on several devices, while
//! people come, go, are sent away and delete their accounts.
//!
//! For every message that is stored, those who were in its conversation then are the people it was written to, as the
//! logs tell; for every other one its writer is told that it was not sent. A client with a fault on purpose, which writes to the
//! conversation it remembers of a set, does not pass.

use super::World;
use super::person::Person;
use super::walk::Dice;
use backend::clock;
use client::outbox::State;
use rusqlite::{Connection, OpenFlags};
use shared::ids::{ConversationId, UserId};
use shared::message::Target;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many worlds there are, and how much happens in each.
const SEEDS: u64 = 4;
const STEPS: usize = 60;
/// People of a world, each at two devices.
const PEOPLE: usize = 5;
/// Accounts that are deleted in a world.
const DELETED_MAX: usize = 2;
/// In so many worlds the fault has to show.
const CONTROL_SEEDS: u64 = 10;

/// How a client addresses a message to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addressing {
    /// To the people, each time.
    Set,
    /// To the conversation that their first message went to: a fault on purpose.
    Remembered,
}

/// A message to people.
struct Sent {
    /// Everybody who is to get it, the sender among them.
    chosen: BTreeSet<UserId>,
    device: Person,
    text: String,
}

struct Walk<'a> {
    world: World,
    dice: Dice,
    addressing: Addressing,
    /// Everybody whose account is there, at each of their devices.
    devices: Vec<Person>,
    gone: Vec<UserId>,
    sent: Vec<Sent>,
    /// The texts that may be stored although somebody named in them has no account any more: they were before.
    excused: BTreeSet<String>,
    remembered: BTreeMap<(UserId, BTreeSet<UserId>), ConversationId>,
    plan: &'a RefCell<Vec<String>>,
}

/// A message as it is stored: where, and who was in the conversation then.
#[derive(Debug)]
struct Stored {
    conversation: ConversationId,
    receivers: BTreeSet<UserId>,
}

impl Walk<'_> {
    fn note(&self, what: String) {
        self.plan.borrow_mut().push(what);
    }

    fn anybody(&mut self) -> Person {
        self.dice.pick(&self.devices).expect("somebody is there").clone()
    }

    async fn act(&mut self) {
        let person = self.anybody();
        match self.dice.below(20) {
            0..=7 => self.write(&person),
            8..=13 => self.change_members(&person).await,
            14..=15 => {
                self.note(format!("{} goes away", person.name()));
                person.goes_away();
            }
            16 => {
                self.note(format!("{} is cut off", person.name()));
                person.is_cut_off();
            }
            17..=18 => {
                self.note(format!("{} reloads", person.name()));
                person.reloads();
            }
            _ => self.delete_account(&person).await,
        }
        if self.dice.below(3) == 0 {
            let back = self.anybody();
            self.note(format!("{} comes back", back.name()));
            back.comes_back();
        }
    }

    fn write(&mut self, person: &Person) {
        let mut known: BTreeSet<_> = self.devices.iter().map(Person::id).collect();
        known.extend(self.gone.iter().filter(|_| self.dice.below(6) == 0));
        let mut chosen: BTreeSet<_> = known.into_iter().filter(|_| self.dice.below(2) == 0).collect();
        let others: Vec<_> = chosen.iter().copied().filter(|user| *user != person.id()).collect();
        if others.is_empty() {
            return;
        }
        chosen.insert(person.id());
        let target = match &others[..] {
            [other] => Target::User(*other),
            others => Target::Users(others.to_vec()),
        };
        let remembered = self.remembered.get(&(person.id(), chosen.clone())).copied();
        let target = match (self.addressing, remembered) {
            (Addressing::Remembered, Some(id)) => Target::Conversation(id),
            _ => target,
        };
        let text = format!("text {}", self.sent.len());
        self.note(format!("{} writes {text:?} to {target:?}", person.name()));
        person.sends(target, &text);
        self.sent.push(Sent { chosen, device: person.clone(), text });
    }

    /// Somebody is brought in, sent away or leaves, where there is something to come into. Whether they may does not matter.
    async fn change_members(&mut self, person: &Person) {
        let known = person.here().list.order().to_vec();
        let Some(group) = self.dice.pick(&known).copied() else { return };
        let other = self.anybody();
        let what = self.dice.below(4);
        let result = match what {
            0 | 1 => person.brings_in(group, &other).await,
            2 => person.sends_away(group, &other).await,
            _ => person.leaves(group).await,
        };
        self.note(format!("{} changes {group} ({what}, {}): {result:?}", person.name(), other.name()));
    }

    async fn delete_account(&mut self, person: &Person) {
        if self.gone.len() == DELETED_MAX {
            return;
        }
        // Who is away stays away: what they have written is stored later, and must not be.
        self.world.rests().await;
        let stored = self.stored().await.into_keys();
        self.excused.extend(stored);
        self.note(format!("{} deletes the account", person.name()));
        person.deletes_the_account().await;
        self.gone.push(person.id());
        self.devices.retain(|device| device.id() != person.id());
    }

    /// Every message of the walk that is stored.
    async fn stored(&self) -> BTreeMap<String, Stored> {
        // Whoever reads waits for what is in the journal alone.
        let (nobody, nowhere) = (clock::id(UserId::v7), clock::id(ConversationId::v7));
        assert!(self.world.app.store.summary(nobody, nowhere).await.expect("read").is_none());
        let path = self.world.data.path().join(backend::store::FILE);
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database opens");
        let id = |bytes: [u8; 16]| UserId::from_bytes(bytes).expect("an id");
        let mut conversations =
            database.prepare("SELECT key, id FROM conversation WHERE kind IN ('direct', 'group')").expect("SQL");
        let conversations: Vec<(i64, [u8; 16])> = conversations
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("asked")
            .map(Result::unwrap)
            .collect();
        let mut stored = BTreeMap::new();
        for (key, conversation) in conversations {
            let conversation = ConversationId::from_bytes(conversation).expect("an id");
            let mut members = database.prepare("SELECT user FROM member WHERE conversation = ?1").expect("SQL");
            let members = members.query_map([key], |row| row.get(0).map(id)).expect("asked");
            let mut members: BTreeSet<UserId> = members.map(Result::unwrap).collect();
            // From the end of the log back: who was there before.
            let mut events =
                database.prepare("SELECT kind FROM event WHERE conversation = ?1 ORDER BY seq DESC").expect("SQL");
            let events = events.query_map([key], |row| row.get::<_, String>(0)).expect("asked");
            for kind in events.map(Result::unwrap) {
                let kind: serde_json::Value = serde_json::from_str(&kind).expect("JSON");
                let user = |name: &str| kind[name]["user"].as_str().map(|user| user.parse::<UserId>().expect("an id"));
                if let Some(content) = kind["message"]["content"].as_str() {
                    let before = stored.insert(content.to_owned(), Stored { conversation, receivers: members.clone() });
                    assert!(before.is_none(), "{content:?} is stored twice");
                } else if let Some(user) = user("left") {
                    members.insert(user);
                } else if let Some(user) = user("joined") {
                    members.remove(&user);
                }
            }
        }
        stored
    }

    /// The first thing that is wrong.
    async fn check(&mut self) -> Result<(), String> {
        let stored = self.stored().await;
        for Sent { chosen, device, text } in &self.sent {
            if let Some(Stored { conversation, receivers }) = stored.get(text) {
                if receivers != chosen {
                    return Err(format!("{text:?} is for {chosen:?} and reached {receivers:?}"));
                }
                if !self.excused.contains(text)
                    && let Some(gone) = self.gone.iter().find(|gone| chosen.contains(gone))
                {
                    return Err(format!("{text:?} is stored, though {gone} had no account"));
                }
                self.remembered.entry((device.id(), chosen.clone())).or_insert(*conversation);
            }
        }
        Ok(())
    }

    /// Everybody is connected, and nothing is on its way: a message is stored, or its writer knows that it is not.
    async fn check_outboxes(&self) -> Result<(), String> {
        let stored = self.stored().await;
        for Sent { chosen, device, text } in &self.sent {
            let device_here = device.here();
            let entries = device_here.connection.outbox().entries();
            let mut own = entries.filter(|entry| entry.command.as_send().is_some_and(|send| send.content == *text));
            let entry = own.next().map(|entry| entry.state.clone());
            match (stored.contains_key(text), entry) {
                _ if self.gone.contains(&device.id()) => {}
                (true, None) => {}
                (false, Some(State::Failed(_))) if chosen.iter().any(|user| self.gone.contains(user)) => {}
                (is_stored, entry) => return Err(format!("{text:?} is stored: {is_stored}, and shown as {entry:?}")),
            }
        }
        Ok(())
    }
}

async fn walk(seed: u64, addressing: Addressing, plan: &RefCell<Vec<String>>) -> Result<(), String> {
    let mut world = World::new().await;
    let people: [Person; PEOPLE] = world.people(["Ada", "Ben", "Cy", "Dee", "Eve"]).await;
    let mut devices = people.to_vec();
    for person in &people {
        devices.push(world.signs_in(person).await);
    }
    let (gone, sent, excused) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut walk =
        Walk { world, dice: Dice(seed), addressing, devices, gone, sent, excused, remembered: BTreeMap::new(), plan };
    for _ in 0..STEPS {
        for _ in 0..=walk.dice.below(4) {
            walk.act().await;
        }
        walk.note("it settles".into());
        walk.world.settles().await;
        walk.check().await?;
    }
    walk.note("everybody comes back".into());
    for device in &walk.devices {
        device.comes_back();
    }
    walk.world.settles().await;
    walk.check().await?;
    assert!(walk.stored().await.len() > STEPS / 4, "the walk has tried something");
    match addressing {
        Addressing::Set => walk.check_outboxes().await,
        Addressing::Remembered => Ok(()),
    }
}

fn attempt(seed: u64, addressing: Addressing) -> Result<(), String> {
    let plan = RefCell::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let walked = AssertUnwindSafe(|| runtime.block_on(walk(seed, addressing, &plan)));
    let result = catch_unwind(walked).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    });
    result.map_err(|problem| format!("{}\n\n{problem}", plan.borrow().join("\n")))
}

#[test]
fn a_message_to_a_set_is_for_the_people_chosen_on_every_device_whoever_comes_and_goes() {
    let alone = std::env::var("CONFAB_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in alone.map_or(0..SEEDS, |seed| seed..seed + 1) {
        if let Err(problem) = attempt(seed, Addressing::Set) {
            panic!("{problem}\n\nTo see it again: CONFAB_SEED={seed} cargo test -p backend --test it world::audience");
        }
    }
}

#[test]
fn a_client_that_writes_to_the_conversation_it_remembers_of_a_set_is_caught() {
    let caught = (0..CONTROL_SEEDS).find_map(|seed| attempt(seed, Addressing::Remembered).err());
    let problem = caught.expect("the fault shows in one of the worlds");
    assert!(problem.contains(" and reached ") || problem.contains("had no account"), "{problem}");
}
