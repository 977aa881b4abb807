//! What signing in is made of: passwords and the secrets browsers keep.

pub mod password;
pub mod token;
