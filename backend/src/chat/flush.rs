//! Waiting until everything committed so far has been delivered, many together: one marker in the writer's queue does
//! for all who wait.

use super::deliver::Asker;
use crate::app::App;
use crate::clock;
use crate::task::{self, Part};
use shared::ids::UserId;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Those who wait for the same.
#[derive(Default)]
pub struct Flushes(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<Box<dyn FnOnce() + Send>>,
    is_running: bool,
}

impl std::fmt::Debug for Flushes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flushes")
    }
}

/// Waits until what is committed by now has been delivered.
pub async fn flushed(app: &Arc<App>) {
    let (done, waiting) = oneshot::channel();
    when_flushed(app, Duration::ZERO, move || {
        // Whoever waited may have gone.
        let _ = done.send(());
    });
    // The sender is dropped only with the runtime.
    let _ = waiting.await;
}

/// Does something when what is committed by now has been delivered, or up to `pause` later.
pub fn when_flushed(app: &Arc<App>, pause: Duration, then: impl FnOnce() + Send + 'static) {
    let flushes = if pause.is_zero() { &app.flushes } else { &app.settles };
    let mut state = flushes.0.lock().unwrap_or_else(PoisonError::into_inner);
    state.waiting.push(Box::new(then));
    if std::mem::replace(&mut state.is_running, true) {
        return;
    }
    drop(state);
    task::spawn(&app.store, Part::Barrier, run(app.clone(), pause));
}

async fn run(app: Arc<App>, pause: Duration) {
    let flushes = if pause.is_zero() { &app.flushes } else { &app.settles };
    loop {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let waiting = {
            let mut state = flushes.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = std::mem::take(&mut state.waiting);
            state.is_running = !waiting.is_empty();
            waiting
        };
        if waiting.is_empty() {
            return;
        }
        app.writer.flushed(|| Asker::Nobody, clock::id(UserId::v7)).await;
        waiting.into_iter().for_each(|then| then());
    }
}
