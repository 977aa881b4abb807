//! Telling browsers of messages while the page is closed: Web Push.
//!
//! One task follows the log from where it was seen to last, so that a restart in between loses nothing; the log is its
//! queue. It waits a moment ([`GRACE`]) and then tells those whose page is not there: a page that is there has told its
//! person by itself. What is pushed is encrypted for the one browser; the push service sees when, and how much.
//!
//! Bounds: so many requests at the same time ([`TURNS`]), and so many that are made or wait to be tried again
//! ([`UNDER_WAY`]); what is more than that, and what is older than [`FRESH`] by the time it is looked at, is told to nobody.

mod message;
mod service;

use crate::accounts::SESSION_IDLE_MAX;
use crate::app::App;
use crate::clock;
use crate::store;
use crate::store::push::{Notice, Span};
pub use message::{point, public_key, random_key};
pub use service::Services;
use service::{Client, Outcome};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// How long a page has to show that it is there.
const GRACE: Duration = Duration::from_secs(3);
/// What was said longer ago is no news.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Requests at the same time.
const TURNS: usize = 64;
/// Notices that are sent or wait to be tried again; one push service that is ill holds up none of another.
const UNDER_WAY: usize = 2_048;
/// Notices that are read at once.
const PORTION: usize = 1_000;
/// How often something is tried, and how long until it is tried again if the push service does not say.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(5);
/// And the longest that is waited.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the server signs with, made when it is first needed.
///
/// # Errors
/// When the database fails or is overloaded.
pub async fn signer(app: &App) -> Result<[u8; 32], store::Error> {
    match app.store.push_signer().await? {
        Some(signer) => Ok(signer),
        None => app.writer.push_signer(message::random_key()).await,
    }
}

/// Follows the log until the server stops.
pub async fn run(app: Arc<App>) {
    let mut follower = Follower {
        client: Client::new(),
        turns: Arc::new(Semaphore::new(TURNS)),
        under_way: Arc::new(Semaphore::new(UNDER_WAY)),
        position: 0,
    };
    loop {
        let waiting = async {
            app.store.grown_to_push().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            () = waiting => {}
            () = app.stopping.cancelled() => return,
        }
        let round = async {
            match follower.round(&app).await {
                Ok(()) | Err(store::Error::Closed) => {}
                Err(error) => {
                    tracing::warn!(%error, "push.failed");
                    sleep(RETRY).await;
                    app.store.look_again_to_push();
                }
            }
        };
        tokio::select! {
            () = round => {}
            () = app.stopping.cancelled() => return,
        }
    }
}

/// How far the log was followed, and what is under way.
struct Follower {
    client: Client,
    turns: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
    /// What was seen to by this process: it counts also where it could not be written down.
    position: i64,
}

impl Follower {
    /// Pushes all that is to be pushed by now.
    async fn round(&mut self, app: &Arc<App>) -> Result<(), store::Error> {
        while let Some((signer, position)) = app.store.push_state().await? {
            self.position = self.position.max(position);
            let now = clock::now();
            let not_before = clock::before(now, SESSION_IDLE_MAX);
            let span = Span { since: clock::before(now, FRESH), until: clock::before(now, GRACE), now, not_before };
            let portion = app.store.push_notices(self.position, span, PORTION).await?;
            for notice in portion.notices {
                if is_told_by_the_page(app, &notice) {
                    continue;
                }
                let Ok(place) = self.under_way.clone().try_acquire_owned() else {
                    tracing::warn!("push.too_many_under_way");
                    continue;
                };
                let (app, client, turns) = (app.clone(), self.client.clone(), self.turns.clone());
                tokio::spawn(async move {
                    deliver(&app, &client, &turns, &signer, notice).await;
                    drop(place);
                });
            }
            if portion.is_early {
                app.store.look_again_to_push();
            }
            let Some(last) = portion.last else { return Ok(()) };
            self.position = last;
            // Not before: after a crash in between some are told twice, which shows once.
            app.writer.set_push_position(last).await?;
            if portion.is_early {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A telephone's page sleeps with its connection open, and takes nothing in.
fn is_told_by_the_page(app: &App, notice: &Notice) -> bool {
    notice.is_delivered.unwrap_or_else(|| app.registry.has_browser(notice.user))
}

async fn deliver(app: &App, client: &Client, turns: &Semaphore, signer: &[u8; 32], notice: Notice) {
    let url = &notice.endpoint.url;
    // What is allowed may have changed since.
    if !app.push_services.allow(url) {
        return;
    }
    let contact = app.config.push_contact.as_deref().or(app.config.public_url.as_deref());
    for again in (0..TRIES).rev() {
        let request = match message::request(&notice, signer, contact, clock::now()) {
            Ok(request) => request,
            Err(error) => return tracing::warn!(%error, "push.cannot_be_made"),
        };
        let Ok(turn) = turns.acquire().await else { return };
        let outcome = client.send(request).await;
        drop(turn);
        match outcome {
            Outcome::Done => return,
            Outcome::Gone => {
                tracing::info!(user = %notice.user, "push.gone");
                if let Err(error) = app.writer.push_forget(url.clone()).await {
                    tracing::warn!(%error, "push.forget_failed");
                }
                return;
            }
            Outcome::Refused(status) => return tracing::warn!(%status, "push.refused"),
            Outcome::Later(after) if again > 0 => sleep(after.unwrap_or(RETRY).min(RETRY_MAX)).await,
            Outcome::Later(_) => tracing::warn!("push.given_up"),
        }
    }
}
