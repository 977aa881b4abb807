//! Ogg (RFC 3533): Vorbis, Opus (RFC 7845), FLAC, Speex and Theora. The second packet of a stream holds its comments, which
//! are emptied; pages keep their lengths and get another sum.

use super::Fault;
use super::medium::Medium;
use std::collections::HashMap;

/// Pages that are walked, and streams at once.
const PAGES_MAX: usize = 1_000_000;
const STREAMS_MAX: usize = 64;

/// Where a stream is.
#[derive(Default)]
struct Stream {
    is_flac: bool,
    /// Packets that have ended, and how much of the next one was there.
    packets: u64,
    /// In FLAC, packets of metadata may come behind the comments.
    has_sound: bool,
    within: usize,
    /// Part of the packet with comments that stays.
    kept: Vec<u8>,
}

pub(super) fn clean<M: Medium>(medium: &mut M) -> Result<(), Fault> {
    let length = medium.length()?;
    let mut streams: HashMap<[u8; 4], Stream> = HashMap::new();
    let mut at = 0;
    for _ in 0..PAGES_MAX {
        if length - at < 27 {
            // Less than a page.
            medium.zero(at, length)?;
            return Ok(());
        }
        let mut head = [0; 27];
        medium.read_at(at, &mut head)?;
        if &head[..4] != b"OggS" {
            return Err(Fault::Unclean("no page is where one belongs"));
        }
        let body = at + 27 + u64::from(head[26]);
        if body > length {
            medium.zero(at + 27, length)?;
            return Ok(());
        }
        let table = medium.part(at + 27, body, 255)?;
        let end = body + table.iter().map(|bytes| u64::from(*bytes)).sum::<u64>();
        let is_whole = end <= length;
        let end = end.min(length);
        let serial = [head[14], head[15], head[16], head[17]];
        if head[5] & 2 != 0 {
            streams.insert(serial, Stream::default());
        }
        if streams.len() > STREAMS_MAX {
            return Err(Fault::Unclean("it has too many streams"));
        }
        let stream = streams.get_mut(&serial).ok_or(Fault::Unclean("a stream has no beginning"))?;
        if !stream.has_sound {
            let mut page = medium.part(at, end, 27 + 255 * 256)?;
            if stream.walk(&mut page[27 + table.len()..], &table) {
                if is_whole {
                    page[22..26].fill(0);
                    let sum = sum(&page);
                    page[22..26].copy_from_slice(&sum.to_le_bytes());
                }
                medium.write_at(at, &page)?;
            }
        }
        at = end;
    }
    Err(Fault::Unclean("it has too many pages"))
}

impl Stream {
    /// Empties comments in the body of a page, and says whether there are any.
    fn walk(&mut self, body: &mut [u8], table: &[u8]) -> bool {
        let mut is_changed = false;
        let mut at = 0;
        for length in table {
            let segment = at..(at + usize::from(*length)).min(body.len());
            at = segment.end;
            let segment = &mut body[segment];
            if self.packets == 0 && self.within == 0 {
                self.is_flac = segment.starts_with(b"\x7fFLAC");
            }
            if self.within == 0 && self.packets > 0 {
                self.begin(segment);
            }
            if self.packets > 0 && !self.has_sound {
                for (index, byte) in segment.iter_mut().enumerate() {
                    *byte = self.kept.get(self.within + index).copied().unwrap_or(0);
                }
                is_changed = true;
            }
            self.within += segment.len();
            if *length < 255 {
                self.packets += 1;
                self.within = 0;
            }
        }
        is_changed
    }

    /// Decides what stays of a packet behind the first: of comments, their name and the number none.
    fn begin(&mut self, packet: &[u8]) {
        self.kept.clear();
        if self.is_flac {
            // The type of a block of metadata, and its length; a frame begins with FF.
            self.has_sound = packet.first() == Some(&0xff);
            self.kept.extend_from_slice(&packet[..packet.len().min(4)]);
            // A comment stays one without content, a picture or anything else becomes padding.
            if let Some(kind) = self.kept.first_mut().filter(|kind| **kind & 0x7f != 4) {
                *kind = *kind & 0x80 | 1;
            }
            return;
        }
        self.has_sound = self.packets > 1;
        let name = [&b"OpusTags"[..], b"\x03vorbis", b"\x81theora"].into_iter().find(|name| packet.starts_with(name));
        let Some(name) = name else { return };
        self.kept.extend_from_slice(name);
        if name == b"\x03vorbis" {
            // No name of a program, no comments, and a bit that says that they end.
            self.kept.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1]);
        }
    }
}

/// The sum of a page (RFC 3533, section 6).
fn sum(page: &[u8]) -> u32 {
    let shift = |sum: u32, _| if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 };
    page.iter().fold(0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte) << 24, shift))
}
