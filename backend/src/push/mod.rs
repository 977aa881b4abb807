//! Telling browsers of messages while the page is closed: Web Push.
//!
//! One task follows the log from where it was seen to last, so that a restart in between loses nothing; the log is its
//! queue. It waits a moment ([`GRACE`]) and then tells those whose page is not there: a page that is there has told its
//! person by itself. What is pushed is encrypted for the one browser; the push service sees when, and how much.
//!
//! Notices wait in a fair queue (`queue.rs`), where every person has a bounded share. What is older than [`FRESH`] by the
//! time it is looked at is told to nobody. A place that its service knows no more or refuses, or that has not answered for
//! hours (`place.rs`), is forgotten; the browser's page asks for it anew when it is opened.

mod message;
mod place;
mod queue;
mod service;

use crate::accounts::SESSION_IDLE_MAX;
use crate::app::App;
use crate::clock;
use crate::log_rate::Repeated;
use crate::store;
use crate::store::push::{Notice, Span};
use http::StatusCode;
pub use message::{point, public_key, random_key};
use queue::{Job, Outgoing};
pub use service::Services;
use service::{Client, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a page has to show that it is there.
const GRACE: Duration = Duration::from_secs(3);
/// What was said longer ago is no news.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Notices that are read at once.
const PORTION: usize = 1_000;
/// How often something is tried, and how long until it is tried again if the push service does not say.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(5);
/// And the longest that is waited.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often it is looked for a notice whose time to be tried again has come, while there is one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

static FAILED: Repeated = Repeated::new();
static DROPPED: Repeated = Repeated::new();
static CANNOT_BE_MADE: Repeated = Repeated::new();
static FORGOTTEN: Repeated = Repeated::new();
static FORGET_FAILED: Repeated = Repeated::new();
static REFUSED: Repeated = Repeated::new();
static GIVEN_UP: Repeated = Repeated::new();

/// Logs an event that people can repeat as often as they like, with how often it has happened since it was last logged.
macro_rules! log {
    ($level:ident, $event:expr, $($line:tt)+) => {
        if let Some(times) = $event.count(Instant::now()) {
            tracing::$level!(times, $($line)+);
        }
    };
}

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

/// Follows the log and sends what waits, until the server stops.
pub async fn run(app: Arc<App>) {
    let outgoing = Outgoing::new();
    tokio::join!(send(app.clone(), outgoing.clone()), follow(app, outgoing));
}

async fn follow(app: Arc<App>, outgoing: Arc<Outgoing>) {
    let mut follower = Follower { outgoing, position: 0 };
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
                    log!(warn, FAILED, %error, "push.failed");
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
    outgoing: Arc<Outgoing>,
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
                if !self.outgoing.add(Job::new(notice, signer, TRIES - 1)) {
                    log!(warn, DROPPED, "push.dropped");
                }
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

/// Sends what waits, until the server stops.
async fn send(app: Arc<App>, outgoing: Arc<Outgoing>) {
    let client = Client::new();
    loop {
        while let Some((turn, job)) = outgoing.next(Instant::now()) {
            let (app, client, outgoing) = (app.clone(), client.clone(), outgoing.clone());
            tokio::spawn(async move {
                let again = deliver(&app, &client, &outgoing, job).await;
                drop(turn);
                if let Some((job, after)) = again {
                    outgoing.add_again(job, after);
                }
            });
        }
        tokio::select! {
            () = outgoing.changed(LOOK_AGAIN) => {}
            () = app.stopping.cancelled() => return,
        }
    }
}

/// Tries to deliver a notice. Gives it back if it is to be tried again, and when.
async fn deliver(app: &App, client: &Client, outgoing: &Outgoing, job: Job) -> Option<(Job, Duration)> {
    let url = &job.notice.endpoint.url;
    // What is allowed may have changed since.
    if !app.push_services.allow(url) {
        return None;
    }
    let contact = app.config.push_contact.as_deref().or(app.config.public_url.as_deref());
    let request = match message::request(&job.notice, &job.signer, contact, clock::now()) {
        Ok(request) => request,
        Err(error) => {
            log!(warn, CANNOT_BE_MADE, %error, "push.cannot_be_made");
            return None;
        }
    };
    match client.send(request).await {
        Outcome::Done => {
            outgoing.note(url, true);
        }
        Outcome::Gone => forget(app, outgoing, &job, "gone").await,
        Outcome::Refused(StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) => {
            forget(app, outgoing, &job, "refused").await;
        }
        Outcome::Refused(status) => log!(warn, REFUSED, %status, "push.refused"),
        Outcome::Later(after) if job.again > 0 => return Some((job, after.unwrap_or(RETRY).min(RETRY_MAX))),
        Outcome::Later(_) => {
            log!(warn, GIVEN_UP, "push.given_up");
            if outgoing.note(url, false) {
                forget(app, outgoing, &job, "silent").await;
            }
        }
    }
    None
}

/// Takes a browser's place away; its page asks for another one.
async fn forget(app: &App, outgoing: &Outgoing, job: &Job, why: &str) {
    let url = &job.notice.endpoint.url;
    outgoing.note(url, true);
    log!(info, FORGOTTEN, user = %job.notice.user, why, "push.forgotten");
    if let Err(error) = app.writer.push_forget(url.clone()).await {
        log!(warn, FORGET_FAILED, %error, "push.forget_failed");
    }
}
