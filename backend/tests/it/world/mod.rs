//! People who talk, in one process: the real chat code, store and registry, and on each of their
//! devices the real client. Nothing travels over a network, so a test says only who does what and who
//! sees what, and a few hundred of such steps take a second.
//!
//! After every step ([`World::settles`]) the registry must be sound, and each device that was fed
//! events must show what a device shows that has just loaded everything: the same conversations with
//! the same unread counts, the same rows.
//!
//! A walk that fails says how to take it again: `CONFAB_SEED=… cargo test -p backend --test it walk`.

#![expect(clippy::await_holding_refcell_ref, reason = "one task has all the devices, and no other asks for one")]

mod audience;
mod away;
mod device;
mod groups;
mod lookup;
mod messages;
mod people;
mod person;
mod reading;
mod walk;

use backend::app::App;
use backend::chat::deliver::Asker;
use backend::clock;
use backend::config::{Arguments, Config};
use backend::store::account::NewSession;
use clap::Parser;
use client::timeline::{Row, RowState};
use device::{Device, Session};
use person::Person;
use shared::account::User;
use shared::conversation::Summary;
use shared::ids::{ConversationId, SessionId, UserId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Time between two looks at what is due, in milliseconds.
const TICK: u64 = 1_100;
/// After so many ticks a world that is still busy is busy for ever.
const TICKS_MAX: usize = 300;

struct World {
    app: Arc<App>,
    people: Vec<Person>,
    now: u64,
    /// Tasks that run for as long as the server does.
    tasks: usize,
    data: TempDir,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let arguments = Arguments::parse_from(["confab", "--data", folder, "--rate-limits", "off"]);
        let app = App::start(Config::load(arguments.serve).unwrap()).unwrap();
        let tasks = Handle::current().metrics().num_alive_tasks();
        Self { app, people: Vec::new(), now: 0, tasks, data }
    }

    /// People with an account and one device each.
    async fn people<const N: usize>(&mut self, names: [&str; N]) -> [Person; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.person(name).await);
        }
        self.settles().await;
        people.try_into().unwrap_or_else(|_| unreachable!("as many as there are names"))
    }

    async fn person(&mut self, name: &str) -> Person {
        let id = clock::id(UserId::v7);
        let email = format!("{id}@example.org");
        let user =
            User { id, display_name: name.to_owned(), avatar: None, status: None, privacy: None, email: Some(email) };
        let (session, new) = session();
        // Signing in is not what is tested here, and a real hash takes its time.
        let is_new = self
            .app
            .writer
            .create_account(std::net::Ipv4Addr::LOCALHOST.into(), user.clone(), "a hash".into(), new)
            .await
            .unwrap();
        assert!(is_new);
        let device = Device::new(self.app.clone(), id, session, self.now);
        let person = Person::new(self.app.clone(), user, device);
        self.people.push(person.clone());
        person
    }

    /// Another device of somebody, signed in by a session of its own.
    async fn signs_in(&self, person: &Person) -> Person {
        let (session, new) = session();
        self.app.writer.create_session(person.id(), "a hash".into(), new).await.unwrap();
        person.add(Device::new(self.app.clone(), person.id(), session, self.now))
    }

    /// Lets everything that is on its way arrive, and checks what must hold then.
    async fn settles(&mut self) {
        for _ in 0..TICKS_MAX {
            self.rests().await;
            if !self.passes_time() {
                return self.check().await;
            }
        }
        panic!("it does not come to rest");
    }

    /// Nothing is on its way any more, as long as no time passes.
    async fn rests(&self) {
        let mut is_quiet = false;
        loop {
            let mut has_moved = false;
            for device in self.people.iter().flat_map(Person::all) {
                let moved = device.borrow_mut().work().await;
                has_moved |= moved;
            }
            if is_quiet && !has_moved {
                return;
            }
            let nobody = clock::id(UserId::v7);
            self.app.writer.flushed(|| Asker::Nobody, nobody).await;
            is_quiet = !has_moved && Handle::current().metrics().num_alive_tasks() <= self.tasks;
            if !is_quiet {
                // Its turn comes after the reads that wait for theirs.
                self.app.store.ping().await.unwrap();
            }
        }
    }

    /// `true`: it made something happen, or will soon.
    fn passes_time(&mut self) -> bool {
        let devices: Vec<_> = self.people.iter().flat_map(Person::all).collect();
        let back = devices.iter().filter_map(|device| device.borrow().comes_back_at()).min();
        self.now = (self.now + TICK).max(back.unwrap_or_default());
        let mut is_busy = false;
        for device in devices {
            let mut device = device.borrow_mut();
            device.handle_timeout(self.now);
            is_busy |= device.is_waiting() || device.has_moved();
        }
        is_busy
    }

    async fn check(&self) {
        self.app.registry.check_invariants();
        for person in &self.people {
            let mut fresh = None;
            for device in person.all() {
                let device = device.borrow();
                device.check();
                if !device.is_open() || !device.is_reading {
                    continue;
                }
                if fresh.is_none() {
                    let loaded = device.fresh().await;
                    fresh = Some(loaded);
                }
                compare(&person.name(), &device, fresh.as_ref().unwrap());
            }
        }
        self.app.registry.check_invariants();
    }
}

/// Old state plus events equals a fresh load.
fn compare(name: &str, device: &Device, fresh: &Device) {
    let list = |device: &Device| -> BTreeMap<ConversationId, Summary> {
        device.list.iter().map(|summary| (summary.id, summary.clone())).collect()
    };
    let (shown, loaded) = (list(device), list(fresh));
    assert_eq!(shown, loaded, "{name}'s list of conversations is not what a fresh load shows");
    for (id, timeline) in &device.timelines {
        let loaded = fresh.timelines.get(id).map(|timeline| timeline.committed()).unwrap_or_default();
        let shown = timeline.committed();
        let is_stray = |row: &Row| matches!(row.state, RowState::Accepted(_));
        assert!(!timeline.rows()[shown.len()..].iter().any(is_stray), "{name} shows a message out of its place");
        let is_end = loaded.ends_with(shown) && (timeline.has_older() || loaded.len() == shown.len());
        assert!(is_end, "{name} shows\n{shown:#?}\nand a fresh load\n{loaded:#?}");
    }
}

fn session() -> (Session, NewSession) {
    let (id, token_hash) = (clock::id(SessionId::v7), clock::random());
    let expires_at = backend::clock::after(backend::clock::now(), backend::accounts::SESSION_MAX);
    (Session { id, token_hash }, NewSession { id, token_hash, user_agent: String::new(), expires_at })
}
