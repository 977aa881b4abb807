//! Telling browsers of messages while the page is closed: Web Push.
//!
//! One task follows the log from where it was seen to last, so that a restart in between loses nothing; the log is its
//! queue. It waits a moment ([`GRACE`]) and then tells those whose page is not there: a page that is there has told its
//! person by itself. What is pushed is encrypted for the one browser; the push service sees when, and how much.
//!
//! Bounds: so many requests at the same time ([`TURNS`]); while all of them wait the log is not followed further, and what
//! is older than [`FRESH`] then is told to nobody.

mod message;
mod service;

use crate::app::App;
use crate::clock;
use crate::store;
use crate::store::push::{Notice, Span};
pub use message::{point, public_key, random_key};
pub use service::Services;
use service::{Client, Outcome};
use shared::ids::Timestamp;
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
/// Notices that are read at once.
const PORTION: usize = 1_000;
/// How often something is tried, and how long until it is tried again if the push service does not say.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(5);
/// And the longest that is waited.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Follows the log until the server stops.
pub async fn run(app: Arc<App>) {
    let (client, turns) = (Client::new(), Arc::new(Semaphore::new(TURNS)));
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
            match round(&app, &client, &turns).await {
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

/// Pushes all that is to be pushed by now.
async fn round(app: &Arc<App>, client: &Client, turns: &Arc<Semaphore>) -> Result<(), store::Error> {
    while let Some((signer, position)) = app.store.push_state().await? {
        let now = clock::now();
        let ago = |span: Duration| {
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(now.as_millis().saturating_sub(millis))
        };
        let span = Span { since: ago(FRESH), until: ago(GRACE), now };
        let portion = app.store.push_notices(position, span, PORTION).await?;
        for notice in portion.notices {
            if is_told_by_the_page(app, &notice) {
                continue;
            }
            let Ok(turn) = turns.clone().acquire_owned().await else { return Err(store::Error::Closed) };
            let (app, client) = (app.clone(), client.clone());
            tokio::spawn(async move {
                deliver(&app, &client, &signer, notice).await;
                drop(turn);
            });
        }
        // Not before: after a crash in between some are told twice, which shows once.
        if let Some(last) = portion.last {
            app.writer.set_push_position(last).await?;
        }
        if portion.is_early {
            app.store.look_again_to_push();
        }
        if portion.is_early || portion.last.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// A telephone's page sleeps with its connection open, and takes nothing in.
fn is_told_by_the_page(app: &App, notice: &Notice) -> bool {
    notice.is_delivered.unwrap_or_else(|| app.registry.has_browser(notice.user))
}

async fn deliver(app: &App, client: &Client, signer: &[u8; 32], notice: Notice) {
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
        match client.send(request).await {
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
