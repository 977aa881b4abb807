//! All that lives as long as the process, built once.

use crate::accounts::password::Passwords;
use crate::chat::deliver::{self, Asker};
use crate::config::Config;
use crate::rate::{Limiter, Rate};
use crate::registry::Registry;
use crate::server::pressure::Pressure;
use crate::store::{OpenError, Store, Writer};
use shared::ids::UserId;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
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
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Hashes and checks passwords, a few at a time.
    pub passwords: Passwords,
    /// What there may be too much of.
    pub rates: Rates,
    /// Turns to be welcomed: so many at the same time.
    pub welcomes: Arc<Semaphore>,
    /// Whether memory is nearly full.
    pub pressure: Pressure,
    /// Every socket's task.
    pub sockets: TaskTracker,
    /// Cancelled when the server begins to stop.
    pub stopping: CancellationToken,
}

/// What there may be too much of.
#[derive(Debug)]
pub struct Rates {
    /// Messages of a user.
    pub sends: Limiter<UserId>,
    /// Wrong passwords for an account (by its address in lower case).
    pub account_failures: Limiter<String>,
    /// Wrong passwords from an address, and sign-ups from it.
    pub address_failures: Limiter<IpAddr>,
}

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
        let (store, writer) = Store::open(&config.data, outcomes)?;
        let registry = Registry::new(config.sockets_per_user);
        tokio::spawn(deliver::run(delivery, store.clone(), registry.clone()));
        let quarter = Duration::from_secs(15 * 60);
        Ok(Arc::new(Self {
            rates: Rates {
                sends: Limiter::new(Rate::new(config.send_burst, config.sends_in_10_s, Duration::from_secs(10))),
                account_failures: Limiter::new(Rate::new(10, 10, quarter)),
                address_failures: Limiter::new(Rate::new(100, 100, quarter)),
            },
            store,
            writer,
            registry,
            passwords: Passwords::default(),
            welcomes: Arc::new(Semaphore::new(config.welcomes_at_once)),
            pressure: Pressure::default(),
            sockets: TaskTracker::new(),
            stopping: CancellationToken::new(),
            config,
        }))
    }
}
