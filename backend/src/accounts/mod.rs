//! What signing in is made of: passwords and the secrets browsers keep.

pub mod password;
pub mod token;

/// What a secret belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser somebody has signed in with.
    Browser,
    /// An API token.
    Token,
}
