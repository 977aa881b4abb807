//! JPEG (ITU-T T.81, annex B): segments up to the end of the picture. Everything behind that goes: telephones put films
//! and second pictures there.

use super::medium::Medium;
use super::tape::Tape;
use super::{Fault, exif};

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    tape.keep(2)?;
    let mut has_way_up = false;
    loop {
        let (marker, length) = match *tape.ahead(4)? {
            [] | [0xff] => return Ok(()),
            // Fill bytes may come before a marker.
            [0xff, 0xff, ..] => {
                tape.skip(1);
                continue;
            }
            [0xff, 0xd9, ..] => {
                tape.keep(2)?;
                return Ok(());
            }
            // Markers without a length, which mean nothing here.
            [0xff, 0x01 | 0xd0..=0xd7, ..] => {
                tape.skip(2);
                continue;
            }
            [0xff, 0x00 | 0xd8, ..] => return Err(Fault::Unclean("a marker is where none belongs")),
            [0xff, marker, high, low] => (marker, u64::from(u16::from_be_bytes([high, low]))),
            [0xff, ..] => return Ok(()),
            _ => return Err(Fault::Unclean("no marker is where one belongs")),
        };
        if length < 2 {
            return Err(Fault::Unclean("a segment has no length"));
        }
        match marker {
            // Frames, tables and scans.
            0xc0..=0xc7 | 0xc9..=0xcf | 0xda..=0xdf => {
                if !tape.keep(2 + length)? {
                    return Ok(());
                }
                if marker == 0xda {
                    scan(tape)?;
                }
            }
            _ => {
                if tape.left() < 2 + length {
                    // A segment that was cut off is the last one.
                    return Ok(());
                }
                application(tape, marker, length, &mut has_way_up)?;
            }
        }
    }
}

/// A segment of a program's own, which is whole: what says how the picture looks stays.
fn application<M: Medium>(tape: &mut Tape<M>, marker: u8, length: u64, has_way_up: &mut bool) -> Result<(), Fault> {
    #[expect(clippy::cast_possible_truncation, reason = "made of 16 bits")]
    let content = &tape.ahead(2 + length as usize)?[4..];
    match marker {
        // JFIF without its thumbnail.
        0xe0 if content.starts_with(b"JFIF\0") && content.len() >= 14 => {
            let mut segment = [0xff, 0xe0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            segment[4..16].copy_from_slice(&content[..12]);
            tape.skip(2 + length);
            tape.put(&segment)
        }
        0xe1 if content.starts_with(b"Exif\0\0") && !*has_way_up => {
            let way_up = exif::way_up(content);
            tape.skip(2 + length);
            if let Some(block) = way_up {
                *has_way_up = true;
                tape.put(b"\xff\xe1\0\x22Exif\0\0")?;
                tape.put(&block)?;
            }
            Ok(())
        }
        0xe2 if content.starts_with(b"ICC_PROFILE\0") => {
            tape.keep(2 + length)?;
            Ok(())
        }
        // Adobe's segment, which says in which order the colours are.
        0xee if content.starts_with(b"Adobe") && content.len() >= 12 => {
            let mut segment = [0xff, 0xee, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            segment[4..].copy_from_slice(&content[..12]);
            tape.skip(2 + length);
            tape.put(&segment)
        }
        _ => {
            tape.skip(2 + length);
            Ok(())
        }
    }
}

/// The data of a scan, in which `FF` is followed by zero or by a restart; any other marker ends it.
fn scan<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    loop {
        let data = tape.some()?;
        if data.is_empty() {
            return Ok(());
        }
        let mark = data.iter().position(|byte| *byte == 0xff);
        let plain = mark.unwrap_or(data.len()) as u64;
        tape.keep(plain)?;
        if mark.is_some() {
            match *tape.ahead(2)? {
                [_, 0x00 | 0xd0..=0xd7] => {
                    tape.keep(2)?;
                }
                _ => return Ok(()),
            }
        }
    }
}
