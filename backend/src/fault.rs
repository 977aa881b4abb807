//! Faults on purpose, in debug builds only: each shows that a test notices when a promise is broken.
//!
//! `CONFAB_FAULT` names one of them: `accept_before_commit` makes the server lie about durability,
//! `no_flush` leaves flushing to the operating system, `trust_log` believes a log that a killed process
//! left, `retry_writes` goes on writing to a disk that has failed, `hide_full` calls a full disk ready,
//! `restore_epoch` restores a backup as if nothing had happened since, `read_tables_alone` does not wait for
//! what is in the journal only. `temporary_files` keeps SQLite's temporary data in files. `panic_when_asked` panics at a
//! `ping` with the nonce `panic` and at an HTTP query `?panic`; `slow_welcome` takes three seconds for
//! every welcome.
//!
//! The clock can be moved as well: `CONFAB_CLOCK_FILE` names a file with the milliseconds to add. And what
//! comes late in a server's life can come sooner or later: `CONFAB_FOLD_PAGES` are the pages after which
//! SQLite's log is folded, `CONFAB_JOURNAL_BYTES` the size of a file of the journal at which the other one's turn
//! comes, `CONFAB_TAIL_DELAY_MS` how long what was accepted stays in the journal alone.

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

/// The number in a variable of the environment.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
