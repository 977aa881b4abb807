//! Matroska (RFC 9559) and WebM. Nothing moves: an element that is not known to be needed becomes `Void`.

use super::medium::Medium;
use super::{Fault, Size, number};
use std::ops::Range;

/// Elements that are walked in a file.
const ELEMENTS_MAX: usize = 1_000_000;
/// Elements that are read into memory, in bytes.
const INDEX_BYTES_MAX: u64 = 4 * 1024 * 1024;

const EBML: u64 = 0x1a45_dfa3;
const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1f43_b675;
const INFO: u64 = 0x1549_a966;
const TRACKS: u64 = 0x1654_ae6b;
const VOID: u64 = 0xec;

/// Where an element's content is.
struct Element {
    id: u64,
    content: u64,
    /// `None`: nobody knew when it was begun.
    end: Option<u64>,
}

pub(super) fn clean<M: Medium>(medium: &mut M) -> Result<Option<Size>, Fault> {
    let length = medium.length()?;
    let mut at = 0;
    let mut size = None;
    for _ in 0..ELEMENTS_MAX {
        if at >= length {
            return Ok(size);
        }
        let mut head = [0; 12];
        let read = medium.read_at(at, &mut head)?;
        let Some(element) = element(&head[..read], at) else {
            if length - at < 12 {
                // Less than an element.
                medium.zero(at, length)?;
                return Ok(size);
            }
            return Err(Fault::Unclean("no element is where one belongs"));
        };
        let Element { id, content, end } = element;
        // Content of these is walked as if it were beside them.
        if id == SEGMENT || (id == CLUSTER && end.is_none()) {
            at = content;
            continue;
        }
        let end = end.ok_or(Fault::Unclean("an element has no length"))?;
        let is_whole = end <= length;
        let end = end.min(length);
        match id {
            EBML | CLUSTER => {}
            // Tables of places; parts of a cluster that has no length.
            0x114d_9b74 | 0x1c53_bb6b | 0xe7 | 0xa3 | 0xa0 | 0xa7 | 0xab | 0x5854 | 0xaf => {}
            INFO | TRACKS if !is_whole => return Err(Fault::Unclean("its index is cut off")),
            INFO => {
                let mut index = medium.part(content, end, INDEX_BYTES_MAX)?;
                information(&mut index)?;
                medium.write_at(content, &index)?;
            }
            TRACKS => {
                let mut index = medium.part(content, end, INDEX_BYTES_MAX)?;
                size = size.or(tracks(&mut index)?);
                medium.write_at(content, &index)?;
            }
            _ => {
                let mut head = [0; 9];
                let head = void(&mut head, end - at);
                medium.write_at(at, head)?;
                medium.zero(at + head.len() as u64, end)?;
            }
        }
        at = end;
    }
    Err(Fault::Unclean("it has too many elements"))
}

/// The element whose head this is, at a place in the file.
fn element(head: &[u8], at: u64) -> Option<Element> {
    let id_bytes = head.first()?.leading_zeros() as usize + 1;
    let id = number(head.get(..id_bytes).filter(|_| id_bytes <= 4)?);
    let size = head.get(id_bytes..)?;
    let size_bytes = size.first()?.leading_zeros() as usize + 1;
    let size = number(size.get(..size_bytes).filter(|_| size_bytes <= 8)?);
    // The bit that says how long it is, is no part of it; all others set say that it is not known.
    let mask = (1_u64 << (7 * size_bytes)) - 1;
    let content = at + (id_bytes + size_bytes) as u64;
    let end = if size & mask == mask { None } else { Some(content.checked_add(size & mask)?) };
    Some(Element { id, content, end })
}

/// The head of a `Void` that has so many bytes in all.
fn void(head: &mut [u8; 9], whole: u64) -> &[u8] {
    head[0] = 0xec;
    if whole < 9 {
        #[expect(clippy::cast_possible_truncation, reason = "below nine")]
        let size = whole.saturating_sub(2) as u8;
        head[1] = 0x80 | size;
        &head[..2]
    } else {
        head[1..].copy_from_slice(&(whole - 9).to_be_bytes());
        head[1] = 1;
        &head[..]
    }
}

/// The elements in a buffer: id, and places of the whole and of its content.
fn children(buffer: &[u8], within: Range<usize>) -> Result<Vec<(u64, usize, Range<usize>)>, Fault> {
    let mut found = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let element = element(&buffer[at..within.end], at as u64);
        let place = element.as_ref().and_then(|found| Some((found.content, found.end?)));
        let (Some(Element { id, .. }), Some((content, end))) = (element, place) else {
            return Err(Fault::Unclean("no element is where one belongs"));
        };
        let place = |at: u64| usize::try_from(at).ok().filter(|at| *at <= within.end);
        let (Some(content), Some(end)) = (place(content), place(end)) else {
            return Err(Fault::Unclean("an element is longer than the one around it"));
        };
        found.push((id, at, content..end));
        at = end;
    }
    Ok(found)
}

fn blank(buffer: &mut [u8], start: usize, end: usize) {
    let mut head = [0; 9];
    let head = void(&mut head, (end - start) as u64);
    buffer[start..end].fill(0);
    buffer[start..start + head.len()].copy_from_slice(head);
}

/// Blanks what is said of the whole film, but for its length.
fn information(index: &mut [u8]) -> Result<(), Fault> {
    for (id, start, content) in children(index, 0..index.len())? {
        match id {
            0x2a_d7b1 | 0x4489 => {}
            // Which programs wrote it: these must be there.
            0x4d80 | 0x5741 => index[content].fill(0),
            _ => blank(index, start, content.end),
        }
    }
    Ok(())
}

/// Blanks the names of tracks, and gives the size of the film.
fn tracks(index: &mut [u8]) -> Result<Option<Size>, Fault> {
    let mut size = None;
    for (id, start, content) in children(index, 0..index.len())? {
        if id != 0xae {
            blank(index, start, content.end);
            continue;
        }
        for (id, start, content) in children(index, content)? {
            match id {
                // A sum that is wrong by now, a name, a codec's name, attachments.
                0xbf | 0x53_6e | 0x25_8688 | 0x7446 | VOID => blank(index, start, content.end),
                0x83 if number(last_eight(&index[content.clone()])) == 0x21 => {
                    return Err(Fault::Unclean("it has a track of metadata"));
                }
                0xe0 => size = size.or(video(index, content)?),
                _ => {}
            }
        }
    }
    Ok(size)
}

fn video(index: &[u8], within: Range<usize>) -> Result<Option<Size>, Fault> {
    let (mut width, mut height) = (None, None);
    for (id, _, content) in children(index, within)? {
        let side = u32::try_from(number(last_eight(&index[content]))).ok().filter(|side| *side > 0);
        match id {
            0xb0 => width = side,
            0xba => height = side,
            _ => {}
        }
    }
    Ok(width.zip(height))
}

fn last_eight(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(8)..]
}
