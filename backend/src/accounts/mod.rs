//! What signing in is made of: passwords and the secrets browsers keep.

pub mod failure;
pub mod password;
pub mod token;

use std::time::Duration;

/// A browser's session that was silent for so long has ended.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A browser's session ends so long after signing in, however it is used.
pub const SESSION_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Sessions and tokens are removed so long after their end: a clock that was ahead for a while has ended none.
pub const ENDED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a secret belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser somebody has signed in with.
    Browser,
    /// An API token.
    Token,
}
