//! RIFF: WebP (RFC 9649) and WAVE (Multimedia Programming Interface 1.0). Both are chunks, up to the length at the
//! beginning.

use super::medium::Medium;
use super::tape::Tape;
use super::{Fault, exif};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    WebP,
    Wave,
}

/// The flags of a WebP that say that it has XMP and Exif (section 2.7.1).
const HAS_XMP: u8 = 4;
const HAS_EXIF: u8 = 8;

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>, kind: Kind) -> Result<(), Fault> {
    let Some([_, _, _, _, a, b, c, d, ..]) = tape.exactly::<12>()? else { return Ok(()) };
    let end = u64::from(u32::from_le_bytes([a, b, c, d])) + 8;
    tape.keep(12)?;
    let mut walked: u64 = 12;
    // Where the flags of a WebP are, and what they are.
    let mut flags = None;
    let mut has_way_up = false;
    // A sound that is played while it is written has no length yet.
    while walked < end || (kind == Kind::Wave && end == 8) {
        let Some([name @ .., a, b, c, d]) = tape.exactly::<8>()? else { break };
        if !name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            return Err(Fault::Unclean("a chunk has no name"));
        }
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        let whole = 8 + length + length % 2;
        walked += whole;
        let is_whole = tape.left() >= 8 + length;
        match (kind, &name) {
            (Kind::WebP, b"VP8 " | b"VP8L") | (Kind::Wave, b"data") => drop(tape.keep(whole)?),
            (Kind::WebP, b"ANMF") => frame(tape, length)?,
            _ if !is_whole => break,
            (Kind::WebP, b"VP8X") if length >= 10 => {
                let Some(mut extended) = tape.exactly::<18>()? else { break };
                tape.skip(whole);
                extended[4..8].copy_from_slice(&10_u32.to_le_bytes());
                extended[8] &= !(HAS_XMP | HAS_EXIF);
                flags = Some((tape.kept() + 8, extended[8]));
                tape.put(&extended)?;
            }
            (Kind::WebP, b"EXIF") if flags.is_some() && !has_way_up => {
                let looked_at = exif::LOOKED_AT.min(usize::try_from(length).unwrap_or(usize::MAX));
                let way_up = tape.ahead(8 + looked_at)?.get(8..).and_then(exif::way_up);
                tape.skip(whole);
                if let Some(block) = way_up {
                    has_way_up = true;
                    tape.put(b"EXIF\x1a\0\0\0")?;
                    tape.put(&block)?;
                }
            }
            (Kind::WebP, b"ICCP" | b"ANIM" | b"ALPH") | (Kind::Wave, b"fmt " | b"fact") => drop(tape.keep(whole)?),
            _ => tape.skip(whole),
        }
    }
    let length = u32::try_from(tape.kept().saturating_sub(8)).map_err(|_| Fault::Unclean("it is too long"))?;
    if let Some((at, flags)) = flags.filter(|_| has_way_up) {
        tape.patch(at, &[flags | HAS_EXIF])?;
    }
    tape.patch(4, &length.to_le_bytes())?;
    Ok(())
}

/// A picture of an animation, whose own chunks may be any; it keeps its length.
fn frame<M: Medium>(tape: &mut Tape<M>, length: u64) -> Result<(), Fault> {
    tape.keep(8 + length.min(16))?;
    let mut left = length.saturating_sub(16);
    while left >= 8 {
        let Some([name @ .., a, b, c, d]) = tape.exactly::<8>()? else { break };
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        let whole = (8 + length + length % 2).min(left);
        left -= whole;
        if matches!(&name, b"ALPH" | b"VP8 " | b"VP8L") {
            tape.keep(whole)?;
        } else {
            blank(tape, whole, &[b'J', b'U', b'N', b'K', a, b, c, d])?;
        }
    }
    let padding = length % 2;
    blank(tape, left + padding, &[])
}

/// Puts these bytes, and zeros, in the place of so many bytes.
fn blank<M: Medium>(tape: &mut Tape<M>, count: u64, begin: &[u8]) -> Result<(), Fault> {
    let mut count = count.min(tape.left());
    let mut begin = begin;
    while count > 0 {
        let part = count.min(4096);
        let mut bytes = vec![0; part as usize];
        let known = begin.len().min(bytes.len());
        bytes[..known].copy_from_slice(&begin[..known]);
        begin = &[];
        tape.skip(part);
        tape.put(&bytes)?;
        count -= part;
    }
    Ok(())
}
