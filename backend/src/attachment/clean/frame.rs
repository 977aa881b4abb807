//! Sounds that are frames one after the other: MP3 (ISO/IEC 11172-3, 13818-3) and AAC in ADTS (13818-7). Frames stay;
//! whatever is before, between and behind them goes: ID3, APE, Lyrics3.

use super::Fault;
use super::medium::Medium;
use super::tape::Tape;

/// Bytes that are looked at to know a frame.
const HEAD: usize = 6;

pub(super) fn clean<M: Medium>(tape: &mut Tape<M>) -> Result<(), Fault> {
    // Bits that all frames of a sound share.
    let mut common = None;
    loop {
        let head = tape.ahead(10)?;
        if head.is_empty() {
            break;
        }
        if let [b'I', b'D', b'3', _, _, flags, size @ ..] = head
            && size.len() == 4
        {
            let size = size.iter().fold(0, |size, byte| size << 7 | u64::from(*byte & 0x7f));
            let foot = if flags & 0x10 == 0 { 0 } else { 10 };
            tape.skip(10 + size + foot);
            if tape.ahead(4)? == b"fLaC" {
                return Err(Fault::Unclean("it is another sound behind its metadata"));
            }
            continue;
        }
        let begun = head.get(1..3).map(|bytes| (bytes[0] & 0xfe, bytes[1] & 0x0c));
        let length = frame_length(head).filter(|_| common.is_none() || common == begun);
        let Some(length) = length else {
            // Up to the next byte that may begin a frame or ID3.
            let next = tape.some()?.iter().skip(1).position(|byte| matches!(byte, 0xff | b'I'));
            let some = tape.some()?.len() as u64;
            tape.skip(next.map_or(some, |at| at as u64 + 1));
            continue;
        };
        // A frame has another frame, or the end of the file, behind it.
        let follows = tape.ahead(length + HEAD)?.get(length..).unwrap_or_default();
        let is_frame = follows.len() < HEAD || frame_length(follows).is_some() || is_metadata(follows);
        if is_frame {
            common = begun;
            tape.keep(length as u64)?;
        } else {
            tape.skip(1);
        }
    }
    if common.is_some() { Ok(()) } else { Err(Fault::Unclean("it has no frame that is known")) }
}

/// Whether what programs add behind the sound begins here.
fn is_metadata(bytes: &[u8]) -> bool {
    [&b"TAG"[..], b"ID3", b"APETAG", b"LYRICS"].iter().any(|name| bytes.starts_with(name))
}

/// How long the frame is that begins here, in bytes.
fn frame_length(head: &[u8]) -> Option<usize> {
    let &[0xff, b, c, d, e, f, ..] = head else { return None };
    if b & 0xf6 == 0xf0 {
        // ADTS: 13 bits say how long it is, its head of seven bytes included.
        let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f) >> 5;
        return (length > 7).then_some(length);
    }
    if b & 0xe0 != 0xe0 {
        return None;
    }
    let (version, layer) = (b >> 3 & 3, b >> 1 & 3);
    let is_first = version == 3;
    let rates: [usize; 15] = match (is_first, layer) {
        (true, 3) => [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        (true, 2) => [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        (true, 1) => [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        (false, 3) => [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        (false, 1 | 2) => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        _ => return None,
    };
    // A rate that is free has no length.
    let rate = *rates.get(usize::from(c >> 4)).filter(|rate| **rate > 0)? * 1_000;
    let samples = *[44_100, 48_000, 32_000].get(usize::from(c >> 2 & 3))?;
    let samples = match version {
        3 => samples,
        2 => samples / 2,
        0 => samples / 4,
        _ => return None,
    };
    let padding = usize::from(c >> 1 & 1);
    Some(match layer {
        3 => (12 * rate / samples + padding) * 4,
        1 if !is_first => 72 * rate / samples + padding,
        _ => 144 * rate / samples + padding,
    })
}
