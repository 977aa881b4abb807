//! Faults on purpose, in debug builds only: each shows that a test notices when a promise is broken.
//!
//! * `CONFAB_FAULT=accept_before_commit` makes the server lie about durability.
//! * `panic_when_asked`: a `ping` with the nonce `panic`, or an HTTP query `?panic`, panics.
//! * `slow_welcome`: every welcome takes three seconds.

/// Whether this fault was asked for when the process started.
#[must_use]
pub fn is_on(name: &str) -> bool {
    static FAULT: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("CONFAB_FAULT").ok());
    FAULT.as_deref() == Some(name)
}
