//! GIF (GIF89a, sections 18 to 27): the pictures, how long each is seen, and how often all of them are repeated.

use super::Fault;
use super::medium::Medium;
use super::tape::Tape;

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    let Some(head) = tape.exactly::<13>()? else {
        tape.keep(13)?;
        return Ok(());
    };
    if !matches!(&head[..6], b"GIF87a" | b"GIF89a") {
        return Err(Fault::Unclean("its signature is damaged"));
    }
    tape.keep(13 + colours(head[10]))?;
    loop {
        match *tape.ahead(2)? {
            [] | [0x21] => return Ok(()),
            // Some programs write zeros between blocks.
            [0, ..] => tape.skip(1),
            [0x2c, ..] => {
                let Some(image) = tape.exactly::<10>()? else { return Ok(()) };
                // The size of codes comes behind the colours.
                if !tape.keep(11 + colours(image[9]))? || !keep_blocks(tape)? {
                    return Ok(());
                }
            }
            [0x21, 0xf9] => {
                let Some(control) = tape.exactly::<7>()? else { return Ok(()) };
                tape.skip(2);
                skip_blocks(tape)?;
                if control[2] == 4 {
                    tape.put(&control)?;
                    tape.put(&[0])?;
                }
            }
            [0x21, 0xff] => {
                let application = tape.exactly::<18>()?;
                tape.skip(2);
                skip_blocks(tape)?;
                if let Some(repeat) = application.filter(is_repeat) {
                    tape.put(&repeat)?;
                    tape.put(&[0])?;
                }
            }
            [0x21, _] => {
                tape.skip(2);
                skip_blocks(tape)?;
            }
            [0x3b, ..] => {
                tape.keep(1)?;
                return Ok(());
            }
            _ => return Err(Fault::Unclean("no block is where one belongs")),
        }
    }
}

/// How many bytes a table of colours has, by the flags before it.
fn colours(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Whether an application's block says how often the pictures are repeated.
fn is_repeat(block: &[u8; 18]) -> bool {
    matches!(&block[2..14], b"\x0bNETSCAPE2.0" | b"\x0bANIMEXTS1.0") && block[14..16] == [3, 1]
}

/// Keeps blocks up to the empty one, and says whether all of them were there.
fn keep_blocks<M: Medium>(tape: &mut Tape<M>) -> Result<bool, Fault> {
    loop {
        match tape.ahead(1)?.first() {
            Some(0) => return Ok(tape.keep(1)?),
            Some(length) => {
                let length = u64::from(*length);
                if !tape.keep(1 + length)? {
                    return Ok(false);
                }
            }
            None => return Ok(false),
        }
    }
}

fn skip_blocks<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    while let Some(length) = tape.ahead(1)?.first().copied() {
        tape.skip(1 + u64::from(length));
        if length == 0 {
            break;
        }
    }
    Ok(())
}
