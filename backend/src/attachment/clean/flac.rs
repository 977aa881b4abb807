//! FLAC (RFC 9639, section 8): the sound, its description and its table of places.

use super::Fault;
use super::medium::Medium;
use super::tape::Tape;

/// Blocks of metadata that are walked; more make it unclean.
const BLOCKS_MAX: usize = 1_000;

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    tape.keep(4)?;
    // Where the newest block is that stays, and its first byte.
    let mut newest = None;
    for _ in 0..BLOCKS_MAX {
        let Some([first, a, b, c]) = tape.exactly::<4>()? else { return Ok(()) };
        let whole = 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
        let (kind, is_last) = (first & 0x7f, first & 0x80 != 0);
        if kind == 0x7f {
            return Err(Fault::Unclean("a block has no type"));
        }
        // STREAMINFO (0) and SEEKTABLE (3): decoding and seeking need them.
        if matches!(kind, 0 | 3) && tape.left() >= whole {
            newest = Some((tape.kept(), kind));
            let Some([_, rest @ ..]) = tape.exactly::<4>()? else { return Ok(()) };
            tape.skip(4);
            tape.put(&[kind])?;
            tape.put(&rest)?;
            tape.keep(whole - 4)?;
        } else {
            tape.skip(whole);
        }
        if is_last {
            let Some((at, kind)) = newest else { return Err(Fault::Unclean("it does not say what it is like")) };
            tape.patch(at, &[kind | 0x80])?;
            return sound(tape);
        }
    }
    Err(Fault::Unclean("it has too many blocks"))
}

/// Keeps frames, and not what programs that write MP3 add behind them.
fn sound<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    if tape.left() > 0 && !matches!(tape.ahead(2)?, [0xff] | [0xff, 0xf8..=0xf9]) {
        return Err(Fault::Unclean("no frame is where one belongs"));
    }
    tape.keep(tape.left())?;
    Ok(())
}
