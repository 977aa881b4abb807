//! What people do with Confab, done in a real browser: see `tests/`. There is nothing else here.

#![forbid(unsafe_code)]
