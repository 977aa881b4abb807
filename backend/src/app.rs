//! All that lives as long as the process, built once.

use crate::accounts::SessionKind;
use crate::accounts::failure::AddressFailures;
use crate::accounts::password::Passwords;
use crate::attachment::{self, upload::Attachments};
use crate::chat::deliver::{self, Asker};
use crate::chat::flush::Flushes;
use crate::chat::person::ChangedPeople;
use crate::chat::presence::{self, Presences};
use crate::chat::session;
use crate::config::{Config, GroupInvites, Switch};
use crate::ledger::Ledger;
use crate::push::{self, Services};
use crate::rate::{self, Known, Limiter, Rate};
use crate::registry::Registry;
use crate::server::address::site;
use crate::server::descriptors::Descriptors;
use crate::server::pressure::Pressure;
use crate::store::writer::Invites;
use crate::store::{OpenError, Store, Writer};
use crate::task::{self, Part};
use shared::code::Rejection;
use shared::ids::{SessionId, UserId};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The parts of a running server.
#[derive(Debug)]
pub struct App {
    /// How it was started.
    pub config: Config,
    /// Everything that reads the database.
    pub store: Store,
    /// The one that changes it.
    pub writer: Writer<Asker>,
    /// Files.
    pub attachments: Attachments,
    /// Which push services are told.
    pub push_services: Services,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Who is there.
    pub presences: Arc<Presences>,
    /// People with a new name, picture or status that others are to be told of.
    pub changed_people: ChangedPeople,
    /// Hashes and checks passwords, a few at a time.
    pub passwords: Passwords,
    /// What there may be too much of.
    pub rates: Rates,
    /// Costs of each person and each address.
    pub ledger: Arc<Ledger>,
    /// Turns to be welcomed: so many at the same time.
    pub welcomes: Arc<Semaphore>,
    /// Those who wait until something has been delivered.
    pub flushes: Flushes,
    /// The same for those who are in no hurry.
    pub settles: Flushes,
    /// Whether memory is nearly full.
    pub pressure: Pressure,
    /// How many connections there may be.
    pub descriptors: Descriptors,
    /// Every socket's task.
    pub sockets: TaskTracker,
    /// Cancelled when the server begins to stop.
    pub stopping: CancellationToken,
}

/// What there may be too much of.
#[derive(Debug)]
pub struct Rates {
    /// Whether anything is limited at all.
    pub is_on: bool,
    /// Commands of a person, over all their browsers.
    commands: Limiter<UserId>,
    /// Commands of an API token.
    token_commands: Limiter<SessionId>,
    /// Commands of all API tokens of a person together: as many as four tokens may send.
    all_token_commands: Limiter<UserId>,
    /// Files of a person.
    pub uploads: Limiter<UserId>,
    /// Wrong passwords for an account (by its address in lower case): from each place where it was
    /// signed in to before, and from all others together. So strangers who guess do not lock out its
    /// owner.
    pub account_failures: Limiter<(String, Option<IpAddr>)>,
    /// Where accounts were used: their address in lower case, and an IPv4 address or a /48.
    known_places: Known<(String, IpAddr)>,
    /// Wrong passwords from an address.
    pub address_failures: AddressFailures,
    /// Passwords that are looked at for an account, right ones too; told apart as [`Rates::account_failures`] are.
    pub account_checks: Limiter<(String, Option<IpAddr>)>,
    /// Other addresses that a person has asked for: the answer tells whether one is taken.
    pub address_changes: Limiter<UserId>,
}

impl Rates {
    fn new(config: &Config) -> Self {
        let ten = Duration::from_secs(10);
        let quarter = Duration::from_secs(15 * 60);
        let each_quarter = |count| Rate::new(count, count, quarter);
        Self {
            is_on: config.rate_limits == Switch::On,
            commands: Limiter::new(Rate::new(config.send_burst, config.sends_in_10_s, ten)),
            token_commands: Limiter::new(Rate::new(config.token_send_burst, config.token_sends_in_10_s, ten)),
            all_token_commands: Limiter::new(Rate::new(
                config.token_send_burst.saturating_mul(TOKENS_AT_FULL_RATE),
                config.token_sends_in_10_s.saturating_mul(TOKENS_AT_FULL_RATE),
                ten,
            )),
            uploads: Limiter::new(Rate::new(UPLOADS_IN_A_MINUTE, UPLOADS_IN_A_MINUTE, Duration::from_secs(60))),
            account_failures: Limiter::new(each_quarter(config.account_failures_in_15_min)),
            known_places: Known::default(),
            address_failures: AddressFailures::new(config.address_failures_in_15_min),
            account_checks: Limiter::new(Rate::new(CHECKS_IN_A_MINUTE, CHECKS_IN_A_MINUTE, Duration::from_secs(60))),
            address_changes: Limiter::new(Rate::new(
                ADDRESS_CHANGES_IN_A_DAY,
                ADDRESS_CHANGES_IN_A_DAY,
                Duration::from_secs(24 * 60 * 60),
            )),
        }
    }

    /// Remembers that an account was used from this address.
    pub fn note_place(&self, email: &str, address: IpAddr) {
        self.known_places.insert((email.to_lowercase(), site(address)));
    }

    /// The place, if the account (in lower case) was used from this address or its /48 before.
    #[must_use]
    pub fn known_place(&self, account: &str, address: IpAddr) -> Option<IpAddr> {
        let site = site(address);
        self.known_places.contains(&(account.to_owned(), site)).then_some(site)
    }

    /// Takes one from what somebody may send, whatever kind of command it is.
    ///
    /// # Errors
    /// `rate_limited`, with when to try again.
    pub fn take_command(&self, user: UserId, session: SessionId, kind: SessionKind) -> Result<(), Rejection> {
        let now = Instant::now();
        let taken = match kind {
            _ if !self.is_on => return Ok(()),
            SessionKind::Browser => self.commands.take(user, now),
            SessionKind::Token => self.token_commands.take(session, now).and_then(|()| {
                self.all_token_commands.take(user, now).inspect_err(|_| self.token_commands.give_back(&session))
            }),
        };
        // A millisecond more: part of one is not told.
        let refuse =
            |wait| rate::refusal("You are sending very fast. Please wait a moment", wait + Duration::from_millis(1));
        taken.map_err(refuse)
    }
}

/// Number of API tokens of a person that may send as fast as a token may, at the same time.
const TOKENS_AT_FULL_RATE: u32 = 4;
/// Files a person may send in a minute.
const UPLOADS_IN_A_MINUTE: u32 = 100;
/// Passwords looked at for one account in a minute. Above it: `rate_limited`.
const CHECKS_IN_A_MINUTE: u32 = 20;
/// Other addresses that one account may ask for in a day. Above it: `rate_limited`.
const ADDRESS_CHANGES_IN_A_DAY: u32 = 5;
/// Batches of outcomes between the writer and delivery: when delivery is that far behind, the writer
/// waits, its queue fills, and senders are told that the server is overloaded.
const OUTCOME_BATCHES_MAX: usize = 64;

impl App {
    /// Opens the data folder and starts what runs behind the network.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn start(config: Config) -> Result<Arc<Self>, OpenError> {
        let (outcomes, delivery) = mpsc::channel(OUTCOME_BATCHES_MAX);
        let (store, writer) = Store::open_with(&config.data, config.write_queue, invites(&config), outcomes)?;
        let attachments = Attachments::open(&config.data, config.disk_reserve_mib)
            .map_err(|source| OpenError::Folder { path: config.data.clone(), source })?;
        let registry = Registry::new(config.sockets_per_user);
        task::spawn(&store, Part::Delivery, deliver::run(delivery, store.clone(), registry.clone()));
        let app = Arc::new(Self {
            rates: Rates::new(&config),
            ledger: Ledger::new(&config),
            store,
            writer,
            attachments,
            push_services: Services::new(config.push_service.clone()),
            registry,
            presences: Arc::default(),
            changed_people: ChangedPeople::default(),
            passwords: Passwords::new(config.rate_limits == Switch::On),
            welcomes: Arc::new(Semaphore::new(config.welcomes_at_once)),
            flushes: Flushes::default(),
            settles: Flushes::default(),
            pressure: Pressure::default(),
            descriptors: Descriptors::of_process(),
            sockets: TaskTracker::new(),
            stopping: CancellationToken::new(),
            config,
        });
        task::spawn(&app.store, Part::Presence, presence::run(app.clone()));
        task::spawn(&app.store, Part::Sessions, session::watch(app.clone()));
        task::spawn(&app.store, Part::Sweep, attachment::sweep::run(app.clone()));
        task::spawn(&app.store, Part::Push, push::run(app.clone()));
        let (store, stopping) = (app.store.clone(), app.stopping.clone());
        task::spawn(&app.store, Part::Index, async move { store.follow_log(stopping).await });
        Ok(app)
    }
}

/// Rules and rates of putting people into groups and channels, as the settings say.
fn invites(config: &Config) -> Invites {
    let rate = || Rate::new(config.group_invite_burst, config.group_invites_in_an_hour, Duration::from_secs(60 * 60));
    Invites {
        is_known_only: config.group_invites == GroupInvites::Known,
        rate: (config.rate_limits == Switch::On).then(|| (config.group_invite_burst, Limiter::new(rate()))),
    }
}
