//! Taking away files that nobody may have any more: those of deleted messages, those that no message came to name, and
//! what a crash has left on the disk without a row.
//!
//! Beside that it looks up how large the small forms are of which an earlier version did not note it.
//!
//! A row is marked first, then the bytes go, then the row: whatever is cut short is found again.

use crate::app::App;
use crate::behind;
use crate::clock;
use crate::store;
use shared::ids::{AttachmentId, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked for files that no message names, or names no more.
const LOOK: Duration = Duration::from_secs(60);
/// How many are taken away in one go.
const BATCH: u32 = 500;
/// How often it is looked for files without a row.
const STRAY_LOOK: Duration = Duration::from_secs(6 * 60 * 60);
/// A file without a row may be one whose row is on its way.
const STRAY_AGE: Duration = Duration::from_secs(60 * 60);

/// Sweeps at the start, after something was removed, and from time to time.
pub async fn run(app: Arc<App>) {
    let mut strays_at = Instant::now();
    let look = LOOK.min(Duration::from_secs(app.config.unsent_attachment_seconds));
    while !app.stopping.is_cancelled() {
        if Instant::now() >= strays_at {
            strays_at = Instant::now() + STRAY_LOOK;
            if let Err(error) = sweep_strays(&app).await {
                tracing::warn!(%error, "attachment.sweep_failed");
            }
            if let Err(error) = measure(&app).await {
                tracing::warn!(%error, "attachment.measure_failed");
            }
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "attachment.sweep_failed");
        }
        tokio::select! {
            () = app.attachments.removed.notified() => {}
            () = tokio::time::sleep(look) => {}
            () = app.stopping.cancelled() => return,
        }
    }
}

async fn sweep(app: &App) -> Result<(), store::Error> {
    let unsent = Duration::from_secs(app.config.unsent_attachment_seconds);
    if app.store.has_unsent_attachments(ago(unsent)).await? {
        app.writer.remove_unsent_attachments(ago(unsent)).await?;
    }
    loop {
        let removed = app.store.removed_attachments(BATCH).await?;
        if removed.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::with_capacity(removed.len());
        for id in removed {
            match app.attachments.folder.remove(id).await {
                Ok(()) => gone.push(id),
                Err(error) => tracing::warn!(%error, %id, "attachment.remove_failed"),
            }
        }
        // What could not be removed is tried again the next time.
        if gone.is_empty() {
            return Ok(());
        }
        app.writer.forget_attachments(gone).await?;
    }
}

/// Removes files that have no row: the server stopped between the two.
async fn sweep_strays(app: &App) -> Result<(), store::Error> {
    let folder = app.attachments.folder.clone();
    let mut shelves = folder.shelves();
    loop {
        let next = behind::spawn(move || (shelves.next(), shelves)).await;
        let Ok((Some(ids), rest)) = next else { return Ok(()) };
        shelves = rest;
        for id in app.store.unknown_attachments(ids).await? {
            if made_at(id) < ago(STRAY_AGE) && folder.remove(id).await.is_ok() {
                tracing::info!(%id, "attachment.stray_removed");
            }
        }
    }
}

/// Notes the sizes of small forms that came before they were counted, [`BATCH`] at a time. One that cannot be looked up
/// now is left to the next time.
async fn measure(app: &App) -> Result<(), store::Error> {
    let mut after = None;
    loop {
        let ids = app.store.unmeasured_attachments(after, BATCH).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(*last);
        let folder = app.attachments.folder.clone();
        let size = move |id| Some((id, folder.small_bytes(id).ok()?));
        let looked = behind::spawn(move || ids.into_iter().filter_map(size).collect());
        app.writer.note_small_sizes(looked.await.unwrap_or_default()).await?;
    }
}

fn ago(span: Duration) -> Timestamp {
    clock::before(clock::now(), span)
}

/// The moment an id was made (RFC 9562 section 5.7).
fn made_at(id: AttachmentId) -> Timestamp {
    let millis = id.as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte));
    Timestamp::from_millis(millis)
}
