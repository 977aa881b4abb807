//! Keys that do something, whatever the keyboard writes with them: every shortcut of the page asks here.
//!
//! A shortcut is named by a Latin letter or a sign. Caps Lock does not change it, and on a keyboard that writes other
//! letters the key in the same place counts.

use web_sys::KeyboardEvent;

/// The key that was pressed, as shortcuts name it: a small Latin letter, a sign, or a name such as `Enter`.
pub(crate) fn pressed(event: &KeyboardEvent) -> String {
    name(&event.key(), &event.code())
}

/// Whether no Ctrl, Alt or Meta is held.
pub(crate) fn is_plain(event: &KeyboardEvent) -> bool {
    !(event.ctrl_key() || event.meta_key() || event.alt_key())
}

/// Whether the key writes something visible. (Ctrl and Alt together are AltGr.)
pub(crate) fn is_text(event: &KeyboardEvent) -> bool {
    let key = event.key();
    !event.meta_key() && (!event.ctrl_key() || event.alt_key()) && is_visible(&key)
}

/// Names of keys are ASCII and longer than one character; what a key writes may be several in other scripts, or not be known
/// yet.
fn is_visible(key: &str) -> bool {
    key != " " && (key.len() == 1 || !key.is_ascii() || is_unfinished(key))
}

/// Whether an accent or an input method waits for more.
fn is_unfinished(key: &str) -> bool {
    matches!(key, "Dead" | "Process")
}

fn name(key: &str, code: &str) -> String {
    // The dot stands there on Russian and Hebrew keyboards, which have no key for the slash alone.
    let is_slash = code == "Slash" && (key == "." || !key.is_ascii());
    let has_other_letters = !key.is_ascii() || is_unfinished(key);
    match code.strip_prefix("Key") {
        _ if is_slash => "/".into(),
        Some(letter) if has_other_letters => letter.to_ascii_lowercase(),
        _ if key.len() == 1 => key.to_ascii_lowercase(),
        _ => key.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_visible, name};

    #[test]
    fn a_shortcut_is_the_same_key_on_every_layout_and_with_caps_lock() {
        for (key, code, expected) in [
            ("k", "KeyK", "k"),
            ("K", "KeyK", "k"),
            ("л", "KeyK", "k"),
            ("Л", "KeyK", "k"),
            ("к", "KeyR", "r"),
            ("κ", "KeyK", "k"),
            ("ل", "KeyG", "g"),
            ("لا", "KeyB", "b"),
            ("ㅏ", "KeyK", "k"),
            ("Process", "KeyK", "k"),
            ("Dead", "KeyE", "e"),
            // Latin letters in other places count by what they write.
            ("k", "KeyV", "k"),
            ("e", "KeyD", "e"),
            (".", "KeyE", "."),
            ("/", "Slash", "/"),
            ("/", "Digit7", "/"),
            ("/", "NumpadDivide", "/"),
            (".", "Slash", "/"),
            ("ظ", "Slash", "/"),
            // Ctrl and this make the page smaller.
            ("-", "Slash", "-"),
            ("+", "Equal", "+"),
            ("+", "NumpadAdd", "+"),
            ("Delete", "Delete", "Delete"),
            ("ArrowUp", "Numpad8", "ArrowUp"),
            ("Enter", "NumpadEnter", "Enter"),
            ("é", "Digit2", "é"),
            ("", "", ""),
        ] {
            assert_eq!(name(key, code), expected, "{key} {code}");
        }
    }

    #[test]
    fn a_key_that_writes_is_told_from_one_that_has_a_name() {
        for key in ["h", "H", "+", "@", "ж", "é", "لا", "字", "Dead", "Process"] {
            assert!(is_visible(key), "{key}");
        }
        for key in [" ", "", "Backspace", "Delete", "Enter", "Tab", "Escape", "ArrowUp", "F5", "Shift"] {
            assert!(!is_visible(key), "{key}");
        }
    }
}
