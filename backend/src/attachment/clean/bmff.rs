//! Files made of boxes (ISO/IEC 14496-12): films and sounds (MP4, M4A, 3GP, QuickTime), pictures (HEIF, AVIF, JPEG XL).
//!
//! Nothing moves, for boxes name places in the file: a box that is not known to be needed becomes `free`, with zeros in it.
//! Tracks that are neither picture nor sound go too, their samples with them: cameras write places there second by second.

use super::medium::Medium;
use super::moov::{self, Film};
use super::{Fault, Size, heif, number};
use std::ops::Range;

/// Boxes at the top of a file, and in one index of a film.
pub(super) const BOXES_MAX: usize = 100_000;
/// An index that is read into memory, in bytes.
const INDEX_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A box in memory, as places in its buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) kind: [u8; 4],
    pub(super) start: usize,
    /// Where its content begins.
    pub(super) content: usize,
    pub(super) end: usize,
}

pub(super) fn clean<M: Medium>(medium: &mut M) -> Result<Option<Size>, Fault> {
    let length = medium.length()?;
    let (mut at, mut count) = (0, 0);
    let mut data: Vec<Range<u64>> = Vec::new();
    let mut film: Option<Film> = None;
    let mut is_picture = false;
    while length - at >= 8 {
        count += 1;
        if count > BOXES_MAX {
            return Err(Fault::Unclean("it has too many boxes"));
        }
        let mut head = [0; 16];
        let read = medium.read_at(at, &mut head)?;
        let (content, end) = extent(&head[..read], at, length)?;
        let is_whole = end <= length;
        let end = end.min(length);
        let kind = [head[4], head[5], head[6], head[7]];
        match &kind {
            b"ftyp" if head[8..12] == *b"crx " => return Err(Fault::Unclean("its format is not known")),
            // Samples, and the parts of a picture.
            b"mdat" => data.push(content..end),
            b"moov" | b"meta" | b"moof" if !is_whole => return Err(Fault::Unclean("its index is cut off")),
            b"moov" if film.is_some() => return Err(Fault::Unclean("it has two indexes")),
            b"moov" => {
                let mut index = medium.part(at, end, INDEX_BYTES_MAX)?;
                film = Some(moov::clean(&mut index)?);
                medium.write_at(at, &index)?;
            }
            b"moof" => {
                let mut index = medium.part(at, end, INDEX_BYTES_MAX)?;
                moov::clean_fragment(&mut index)?;
                medium.write_at(at, &index)?;
            }
            b"meta" => {
                let mut index = medium.part(at, end, INDEX_BYTES_MAX)?;
                let items = heif::clean(&mut index)?;
                is_picture |= items.is_some();
                for item in items.unwrap_or_default() {
                    blank_item(medium, &item, length)?;
                }
                medium.write_at(at, &index)?;
            }
            b"ftyp" | b"styp" | b"pdin" | b"sidx" | b"ssix" | b"mfra" | b"JXL " | b"jxlc" | b"jxlp" | b"jxll"
            | b"jxli"
                if is_whole => {}
            _ => {
                medium.write_at(at + 4, b"free")?;
                medium.zero(content, end)?;
            }
        }
        at = end;
    }
    // Less than a box.
    medium.zero(at, length)?;
    let Some(film) = film else {
        // Without an index nobody knows what the samples are.
        return if data.is_empty() || is_picture { Ok(None) } else { Err(Fault::Unclean("it has no index")) };
    };
    blank_samples(medium, film.chunks, &data)?;
    Ok(film.size)
}

/// Where the content of the box begins whose head this is, and where it ends: behind the end of the file if it is cut off.
fn extent(head: &[u8], at: u64, length: u64) -> Result<(u64, u64), Fault> {
    let (content, size) = match number(&head[..4]) {
        0 => return Ok((at + 8, length)),
        1 if head.len() == 16 => (16, number(&head[8..])),
        size => (8, size),
    };
    if size < content {
        return Err(Fault::Unclean("a box has no length"));
    }
    Ok((at + content, at.checked_add(size).ok_or(Fault::Unclean("a box is too long"))?))
}

/// The boxes in a part of a buffer. Fewer than eight bytes behind them become zeros. `left` is how many there may be.
pub(super) fn parts(buffer: &mut [u8], within: Range<usize>, left: &mut usize) -> Result<Vec<Part>, Fault> {
    let mut found = Vec::new();
    let mut at = within.start;
    while within.end.saturating_sub(at) >= 8 {
        *left = left.checked_sub(1).ok_or(Fault::Unclean("it has too many boxes"))?;
        let head = &buffer[at..within.end.min(at + 16)];
        let kind = [head[4], head[5], head[6], head[7]];
        let (content, end) = extent(head, at as u64, within.end as u64)?;
        let place = |at: u64| usize::try_from(at).ok().filter(|at| *at <= within.end);
        let (Some(content), Some(end)) = (place(content), place(end)) else {
            return Err(Fault::Unclean("a box is longer than the one around it"));
        };
        found.push(Part { kind, start: at, content, end });
        at = end;
    }
    if let Some(rest) = buffer.get_mut(at..within.end) {
        rest.fill(0);
    }
    Ok(found)
}

/// Makes a box `free`, with zeros in it.
pub(super) fn free(buffer: &mut [u8], part: Part) {
    buffer[part.start + 4..part.start + 8].copy_from_slice(b"free");
    buffer[part.content..part.end].fill(0);
}

/// A part of a file that is metadata of a picture.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Range<u64>,
    /// Whether a reader looks for Exif here.
    pub(super) is_exif: bool,
}

/// An Exif item without fields: four bytes that say where it begins, a head, and a directory of nothing.
pub(super) const EMPTY_EXIF: &[u8; 18] = b"\0\0\0\0II*\0\x08\0\0\0\0\0\0\0\0\0";

fn blank_item<M: Medium>(medium: &mut M, item: &Item, length: u64) -> Result<(), Fault> {
    let (start, end) = (item.place.start.min(length), item.place.end.min(length));
    medium.zero(start, end)?;
    if item.is_exif && end - start >= EMPTY_EXIF.len() as u64 {
        medium.write_at(start, EMPTY_EXIF)?;
    }
    Ok(())
}

/// Puts zeros in the place of samples of tracks that went. Such a sample ends where the next one that stays begins.
fn blank_samples<M: Medium>(medium: &mut M, mut chunks: Vec<moov::Chunk>, data: &[Range<u64>]) -> Result<(), Fault> {
    if chunks.iter().all(|chunk| chunk.is_kept) {
        return Ok(());
    }
    chunks.sort_unstable_by_key(|chunk| (chunk.at, chunk.is_kept));
    for data in data {
        let first = chunks.partition_point(|chunk| chunk.at < data.start);
        let last = chunks.partition_point(|chunk| chunk.at < data.end);
        let mut begin = None;
        for chunk in &chunks[first..last] {
            match (chunk.is_kept, begin) {
                (false, None) => begin = Some(chunk.at),
                (true, Some(from)) => {
                    medium.zero(from, chunk.at)?;
                    begin = None;
                }
                _ => {}
            }
        }
        if let Some(from) = begin {
            medium.zero(from, data.end)?;
        }
    }
    Ok(())
}
