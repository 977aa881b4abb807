//! PNG (W3C PNG, third edition), APNG among it: chunks up to `IEND`.

use super::medium::Medium;
use super::tape::Tape;
use super::{Fault, exif};

/// Chunks that say how the picture looks (section 11).
const KEPT: [&[u8; 4]; 18] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs",
    b"acTL", b"fcTL", b"fdAT", b"cICP", b"mDCV", b"cLLI",
];

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    if !b"\x89PNG\r\n\x1a\n".starts_with(tape.ahead(8)?) {
        return Err(Fault::Unclean("its signature is damaged"));
    }
    tape.keep(8)?;
    let mut has_way_up = false;
    while let Some([a, b, c, d, kind @ ..]) = tape.exactly::<8>()? {
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Fault::Unclean("a chunk has no name"));
        }
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        let whole = length + 12;
        let is_picture = matches!(&kind, b"IDAT" | b"fdAT");
        if tape.left() < whole && !is_picture {
            // Cut off, and no part of the picture.
            return Ok(());
        }
        if &kind == b"eXIf" && !has_way_up {
            let looked_at = exif::LOOKED_AT.min(usize::try_from(length).unwrap_or(usize::MAX));
            let way_up = tape.ahead(8 + looked_at)?.get(8..).and_then(exif::way_up);
            tape.skip(whole);
            if let Some(block) = way_up {
                has_way_up = true;
                let mut chunk = Vec::from(*b"\0\0\0\x1aeXIf");
                chunk.extend_from_slice(&block);
                chunk.extend_from_slice(&crc32fast::hash(&chunk[4..]).to_be_bytes());
                tape.put(&chunk)?;
            }
        } else if KEPT.contains(&&kind) {
            if !tape.keep(whole)? || &kind == b"IEND" {
                return Ok(());
            }
        } else {
            tape.skip(whole);
        }
    }
    Ok(())
}
