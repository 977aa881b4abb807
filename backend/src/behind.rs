//! Work on threads of its own that yields to delivery: reading pages of history, searching, hashing passwords, files.
//!
//! Each piece of it takes milliseconds. With as many pieces as there are cores, a message on its way would wait until the
//! scheduler interrupts one of them; a thread of lower priority is interrupted at once. While a core is idle, the lower
//! priority costs nothing.
//!
//! All such work starts here; `cargo xtask tidy` refuses another place.

use std::cell::Cell;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How many steps of priority below delivery (setpriority(2)): a third of its share of a core that both want. Not more: other
/// programs of the machine come before this work, too, and somebody waits for it.
const STEPS: i32 = 5;

/// Runs `work` on a thread for work that blocks, behind delivery.
///
/// # Panics
/// Outside a runtime.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_on(&Handle::current(), work)
}

/// Runs `work` like [`spawn`], on this runtime.
pub fn spawn_on<T: Send + 'static>(runtime: &Handle, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    runtime.spawn_blocking(|| {
        lower();
        work()
    })
}

/// Lowers this thread's priority for the rest of its life. The runtime lends such threads to nothing but [`spawn`].
fn lower() {
    thread_local! {
        static IS_LOWERED: Cell<bool> = const { Cell::new(false) };
    }
    if !IS_LOWERED.replace(true) {
        // Linux knows a priority for each thread; elsewhere it would be the whole process's.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, STEPS) {
            tracing::debug!(%error, "priority.kept");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn priority() -> i32 {
        rustix::process::getpriority_process(None).expect("Linux tells it")
    }

    #[tokio::test]
    async fn work_that_blocks_yields_and_who_waits_for_it_does_not() {
        let before = priority();

        let behind = spawn(priority).await.expect("it ends");

        assert_eq!((behind, priority()), (before + STEPS, before));
    }
}
