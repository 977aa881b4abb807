//! No text is slow to read: the steps are linear in its length, for showing it and for finding names in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::markdown::{self, steps};
use shared::mention::Names;

/// Bytes of a message.
const LONG: usize = 16_384;

fuzz_target!(|bytes: &[u8]| {
    let piece = String::from_utf8_lossy(bytes);
    if piece.is_empty() {
        return;
    }
    // Repeated: what is more than linear shows in long texts.
    let mut text = piece.repeat(LONG.div_ceil(piece.len()));
    text.truncate(text.floor_char_boundary(LONG));
    let shown = steps::count(|| drop(markdown::parse(&text)));
    let named = steps::count(|| drop(Names::read(&text)));
    assert!(shown.max(named) <= text.len() * steps::PER_BYTE, "{shown} and {named} steps: {piece:?}");
});
