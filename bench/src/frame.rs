//! Frames of RFC 6455, as cheap as they can be: written and read in place, with no state. The client's mask is zero,
//! which the standard allows and which costs nothing; what fragments its messages is refused, since nothing here does.

use anyhow::{Result, bail};

/// A text.
pub const TEXT: u8 = 1;
/// The end.
pub const CLOSE: u8 = 8;
/// A question whether the other side is there.
pub const PING: u8 = 9;
/// Its answer.
pub const PONG: u8 = 10;

/// One frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub opcode: u8,
    /// Where its payload begins.
    pub begin: usize,
    /// Where it ends, and the next frame begins.
    pub end: usize,
    /// What the payload is masked with; zero is no mask.
    pub mask: [u8; 4],
}

/// The frame at `from`, if all of it is there.
///
/// # Errors
/// When it is none, or a part of one.
pub fn read(bytes: &[u8], from: usize) -> Result<Option<Frame>> {
    let Some([first, second]) = bytes.get(from..from + 2) else { return Ok(None) };
    if first & 0xf0 != 0x80 {
        bail!("a whole frame without extensions was expected, not one that begins with {first:#04x}");
    }
    let mut begin = from + 2;
    let length = match second & 0x7f {
        126 => {
            let Some(length) = bytes.get(begin..begin + 2) else { return Ok(None) };
            begin += 2;
            usize::from(u16::from_be_bytes([length[0], length[1]]))
        }
        127 => {
            let Some(length) = bytes.get(begin..begin + 8) else { return Ok(None) };
            begin += 8;
            usize::try_from(u64::from_be_bytes(length.try_into()?))?
        }
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        let Some(bytes) = bytes.get(begin..begin + 4) else { return Ok(None) };
        mask.copy_from_slice(bytes);
        begin += 4;
    }
    let end = begin + length;
    Ok((end <= bytes.len()).then_some(Frame { opcode: first & 0x0f, begin, end, mask }))
}

/// Takes the mask off a payload.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    if mask != [0; 4] {
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
}

/// Appends a client's frame.
pub fn write_client(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_head(out, opcode, 0x80, payload.len());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Appends a server's frame.
pub fn write_server(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_head(out, opcode, 0, payload.len());
    out.extend_from_slice(payload);
}

fn write_head(out: &mut Vec<u8>, opcode: u8, masked: u8, length: usize) {
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 6455 section 5.7.
        let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        let frame = read(&plain, 0).expect("good").expect("whole");
        assert_eq!((frame.opcode, &plain[frame.begin..frame.end]), (TEXT, b"Hello".as_slice()));
        let mut masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let frame = read(&masked, 0).expect("good").expect("whole");
        unmask(&mut masked[frame.begin..frame.end], frame.mask);
        assert_eq!(&masked[frame.begin..frame.end], b"Hello");
        assert!(read(&[0x01, 0x03, 0x48, 0x65, 0x6c], 0).is_err(), "a fragment");
    }

    #[test]
    fn every_length_survives_the_way_and_no_part_is_taken_for_the_whole() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            for write in [write_client, write_server] {
                let mut out = b"before".to_vec();
                write(&mut out, TEXT, &payload);
                let frame = read(&out, 6).expect("good").expect("whole");
                assert_eq!((frame.opcode, frame.end, &out[frame.begin..frame.end]), (TEXT, out.len(), &payload[..]));
                for cut in (6..frame.begin).chain([out.len() - 1]) {
                    assert_eq!(read(&out[..cut], 6).expect("good"), None, "{length} cut at {cut}");
                }
            }
        }
    }
}
