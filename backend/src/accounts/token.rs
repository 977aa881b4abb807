//! The secret a browser keeps: 256 random bits, of which the server stores only the SHA-256. A fast
//! hash is right here: nobody guesses 256 bits, so there is nothing to slow down.

use crate::clock;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A session's secret. `Debug` does not show it.
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(clock::random())
    }

    /// The secret as it travels: 64 hexadecimal digits.
    #[must_use]
    pub fn reveal(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new()
    }
}

/// What would be stored of the secret in this text; `None` if it can be none.
#[must_use]
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut secret = [0; 32];
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(Sha256::digest(secret).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_way_to_the_browser_and_back() {
        let secret = Secret::new();
        assert_eq!(hash(&secret.reveal()), Some(secret.hash()));
        assert_ne!(Secret::new().hash(), secret.hash());
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for text in ["", "a", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
            assert_eq!(hash(text), None, "{text}");
        }
    }
}
