//! Passwords: Argon2id, off the async threads, a bounded number at a time.
//!
//! 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet (RFC 9106
//! describes the function). About 20 ms of one core each, which is why only [`AT_ONCE`] run together
//! and only [`WAITING_MAX`] wait: a flood of sign-ins must not take the cores from the chat.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use shared::account::Password;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hashes computed at once: 2 × 19 MiB of memory.
const AT_ONCE: usize = 2;
/// Hashes that may wait: about ten seconds of work.
const WAITING_MAX: usize = 1_024;

/// Hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many are waiting.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// Hashing failed, which it never should.
    #[error("password hashing failed: {0}")]
    Hash(String),
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("OWASP's parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, Error> {
    let hash = argon2().hash_password(password.as_bytes()).map_err(|error| Error::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

impl Passwords {
    /// The hash to store, in PHC string format, with a new salt.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        self.run(move || hash(password.reveal())).await?
    }

    /// Whether this is the password. Without a hash to compare with (no such account), it takes as
    /// long and says no, so that time does not tell who has an account.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, Error> {
        self.run(move || match stored {
            None => {
                let _ = std::hint::black_box(hash(password.reveal()));
                false
            }
            Some(stored) => PasswordHash::new(&stored)
                .is_ok_and(|stored| argon2().verify_password(password.reveal().as_bytes(), &stored).is_ok()),
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::Overloaded)?;
        let permit = self.running.clone().acquire_owned().await.map_err(|_| Error::Overloaded)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::Hash(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_every_byte_counts() {
        let passwords = Passwords::default();
        let long = "p".repeat(1_024);
        let stored = passwords.hash(password(&long)).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify(password(&long), Some(stored.clone())).await.expect("checked"));
        assert!(!passwords.verify(password(&long[1..]), Some(stored.clone())).await.expect("checked"));
        assert!(!passwords.verify(password(&format!(" {}", &long[1..])), Some(stored)).await.expect("checked"));
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        assert!(!Passwords::default().verify(password("anything"), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let passwords = Passwords::default();
        let _all = passwords.waiting.clone().acquire_many_owned(u32::try_from(WAITING_MAX).expect("small")).await;
        assert!(matches!(passwords.hash(password("x")).await, Err(Error::Overloaded)));
    }
}
