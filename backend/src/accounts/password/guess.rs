//! Guessable passwords: those that lists of what people choose, names, keyboards and dates find in few guesses.

use zxcvbn::{Score, zxcvbn};

/// Characters that are looked at: the work grows faster than the text. Longer passwords are judged by their beginning.
const LOOKED_AT_CHARS_MAX: usize = 128;
/// Least score of a password: a million guesses, which the limits on wrong passwords make years of.
const SCORE_MIN: Score = Score::Two;
/// Words that everybody knows of everybody here.
const KNOWN: &str = "confab";

/// Whether others would guess it; `about` is what they know of the person, like the name.
pub(super) fn is_guessable(password: &str, about: &[String]) -> bool {
    let end = password.char_indices().nth(LOOKED_AT_CHARS_MAX).map_or(password.len(), |(at, _)| at);
    let parts = about.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([text.as_str()]));
    let about: Vec<&str> = parts.filter(|part| part.chars().count() > 2).chain([KNOWN]).collect();
    password.trim().is_empty() || zxcvbn(&password[..end], &about).score() < SCORE_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_and_the_persons_own_name_are_guessed_and_others_are_not() {
        let about = ["Ada Lovelace".to_owned(), "countess@example.org".to_owned()];
        for bad in [
            "password",
            "password12",
            "1234567890",
            "12345678901234",
            "qwertyuiop",
            "iloveyou12",
            "aaaaaaaaaa",
            "          ",
            "\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}",
            "adalovelace",
            "Lovelace12",
            "countess12",
            "confabconfab",
            "Confab2026",
            "1990-01-01",
        ] {
            assert!(is_guessable(bad, &about), "{bad}");
        }
        for good in [
            "correct horse",
            "correct horse battery",
            "battery staple",
            "marker-of-the-first-password",
            "tr0ub4dor&3x",
            "春の海ひねもすのたり",
            "vzqkwmxjpd",
        ] {
            assert!(!is_guessable(good, &about), "{good}");
        }
    }

    #[test]
    fn the_beginning_of_a_long_password_is_enough() {
        assert!(is_guessable(&"a".repeat(1_024), &[]));
        let long: String = (0_u32..256).filter_map(|n| char::from_u32(0x4e00 + n * 7_919 % 20_000)).collect();
        assert!(!is_guessable(&long, &[]));
    }
}
