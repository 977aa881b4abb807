//! Faults on purpose, in debug builds only: each shows that a test notices when a promise is broken.
//!
//! `CONFAB_FAULT` names one of them: `accept_before_commit` makes the server lie about durability,
//! `no_flush` leaves flushing to the operating system, `trust_log` believes a log that a killed process
//! left, `retry_writes` goes on writing to a disk that has failed, `hide_full` calls a full disk ready,
//! `restore_epoch` restores a backup as if nothing had happened since, `read_tables_alone` does not wait for
//! what is in the journal only, `keep_set` lets a set of people find a group whose members have changed,
//! `search_everywhere` looks for messages in all conversations and drops afterwards those that the reader may not read.
//! `temporary_files` keeps SQLite's temporary data in files. `picture_attempts` makes the process that reads pictures try
//! what it must not be able to do instead, `picture_attempts_unconfined` makes it try that without giving anything up.
//! `allocate_announced` reserves what the head of a frame announces. `panic_when_asked` panics at a
//! `ping` with the nonce `panic` and at an HTTP query `?panic`; `slow_welcome` takes three seconds for
//! every welcome. `no_disk_reserve` leaves files all of the disk.
//!
//! With it, a message that begins with [`PANIC`] makes the writer panic at that job. `CONFAB_PANIC_FILE` names a file; the
//! part of the server whose name is in it panics ([`crate::task::Part`]).
//!
//! The clock can be moved as well: `CONFAB_CLOCK_FILE` names a file with the milliseconds to add. While the file named by
//! `CONFAB_MEMORY_FULL_FILE` is there, memory counts as nearly full. And what
//! comes late in a server's life can come sooner or later: `CONFAB_FOLD_PAGES` are the pages after which
//! SQLite's log is folded, `CONFAB_JOURNAL_BYTES` the size of a file of the journal at which the other one's turn
//! comes, `CONFAB_TAIL_DELAY_MS` how long what was accepted stays in the journal alone.

use crate::task::Part;

/// Whether this fault was asked for when the process started.
#[must_use]
pub fn is_on(name: &str) -> bool {
    static FAULT: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("CONFAB_FAULT").ok());
    FAULT.as_deref() == Some(name)
}

/// What the file named by `CONFAB_CLOCK_FILE` adds to the time of day, in milliseconds.
#[must_use]
pub fn clock_offset_ms() -> i64 {
    static FILE: std::sync::LazyLock<Option<std::path::PathBuf>> =
        std::sync::LazyLock::new(|| std::env::var_os("CONFAB_CLOCK_FILE").map(Into::into));
    let text = FILE.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// See above.
pub const PANIC: &str = "PANIC-IN-THE-WRITER";

/// Panics if this text asks for it.
pub fn panic_at(text: &str) {
    assert!(!(text.starts_with(PANIC) && is_on("panic_when_asked")), "a fault on purpose, in a job of the writer");
}

fn panic_file() -> Option<&'static std::path::Path> {
    static FILE: std::sync::LazyLock<Option<std::path::PathBuf>> =
        std::sync::LazyLock::new(|| std::env::var_os("CONFAB_PANIC_FILE").map(Into::into));
    FILE.as_deref()
}

/// Panics if the file named by `CONFAB_PANIC_FILE` names this part.
pub fn panic_if_asked(part: Part) {
    let asked = panic_file().and_then(|file| std::fs::read_to_string(file).ok());
    assert!(asked.is_none_or(|name| name.trim() != part.name()), "a fault on purpose, in the {part}");
}

/// A task that panics as soon as the file names its part.
pub async fn panicking_when_asked(part: Part, task: impl Future<Output = ()>) {
    let asked = async {
        if panic_file().is_none() {
            std::future::pending::<()>().await;
        }
        loop {
            panic_if_asked(part);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        biased;
        () = asked => {}
        () = task => {}
    }
}

/// Whether the file named by `CONFAB_MEMORY_FULL_FILE` is there: then memory counts as nearly full.
#[must_use]
pub fn is_memory_full() -> bool {
    std::env::var_os("CONFAB_MEMORY_FULL_FILE").is_some_and(|file| std::path::Path::new(&file).exists())
}

/// The number in a variable of the environment.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
