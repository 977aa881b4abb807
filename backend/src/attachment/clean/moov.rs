//! The index of a film (ISO/IEC 14496-12, section 8; QuickTime File Format): its tracks, without what is written about them.

use super::bmff::{BOXES_MAX, Part, free, parts};
use super::{Fault, Size, number};
use std::ops::Range;

/// Facts that an index gives.
#[derive(Debug, Default)]
pub(super) struct Film {
    /// Of its first picture.
    pub(super) size: Option<Size>,
    /// Samples of all tracks. An index of 16 MiB has no more than four million.
    pub(super) chunks: Vec<Chunk>,
}

/// Samples of a track that are one behind the other.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) at: u64,
    /// Whether the track stays.
    pub(super) is_kept: bool,
}

/// An index in memory, and how many boxes may still be looked at.
struct Index<'a> {
    bytes: &'a mut [u8],
    left: usize,
}

impl Index<'_> {
    /// The boxes in this part, of which only those of these kinds stay.
    fn only(&mut self, within: Range<usize>, kept: &[&[u8; 4]]) -> Result<Vec<Part>, Fault> {
        let found = parts(self.bytes, within, &mut self.left)?;
        let (found, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|part| kept.contains(&&part.kind));
        others.into_iter().for_each(|part| free(self.bytes, part));
        Ok(found)
    }

    fn content(&self, part: Part) -> &[u8] {
        &self.bytes[part.content..part.end]
    }

    /// Puts zeros in a part of a box's content, as far as it has one.
    fn zero(&mut self, part: Part, from: usize, to: usize) {
        let to = (part.content + to).min(part.end);
        if let Some(bytes) = self.bytes.get_mut(part.content + from..to) {
            bytes.fill(0);
        }
    }

    /// Takes away when something was made and changed, which stands first in the heads of films, tracks and media.
    fn forget_times(&mut self, part: Part) {
        let is_long = self.content(part).first() == Some(&1);
        self.zero(part, 4, if is_long { 20 } else { 12 });
    }
}

/// Cleans the box `moov`, which is all of `bytes`.
pub(super) fn clean(bytes: &mut [u8]) -> Result<Film, Fault> {
    let mut index = Index { left: BOXES_MAX, bytes };
    let mut film = Film::default();
    let mut has_lost_tracks = false;
    let mut has_fragments = false;
    for outer in index.only(0..index.bytes.len(), &[b"moov"])? {
        let kept: [&[u8; 4]; 6] = [b"mvhd", b"trak", b"mvex", b"iods", b"pssh", b"cmov"];
        for part in index.only(outer.content..outer.end, &kept)? {
            match &part.kind {
                b"cmov" => return Err(Fault::Unclean("its index is compressed")),
                b"mvhd" => index.forget_times(part),
                b"trak" => {
                    let is_kept = track(&mut index, part, &mut film)?;
                    if !is_kept {
                        free(index.bytes, part);
                        has_lost_tracks = true;
                    }
                }
                b"mvex" => has_fragments = true,
                _ => {}
            }
        }
    }
    if has_fragments && has_lost_tracks {
        return Err(Fault::Unclean("its fragments have tracks that are no picture and no sound"));
    }
    Ok(film)
}

/// Cleans the box `moof`, which is all of `bytes`.
pub(super) fn clean_fragment(bytes: &mut [u8]) -> Result<(), Fault> {
    let mut index = Index { left: BOXES_MAX, bytes };
    for outer in index.only(0..index.bytes.len(), &[b"moof"])? {
        for part in index.only(outer.content..outer.end, &[b"mfhd", b"traf", b"pssh"])? {
            if &part.kind == b"traf" {
                let kept: [&[u8; 4]; 9] =
                    [b"tfhd", b"tfdt", b"trun", b"sdtp", b"sbgp", b"sgpd", b"senc", b"saiz", b"saio"];
                index.only(part.content..part.end, &kept)?;
            }
        }
    }
    Ok(())
}

/// Cleans a track, and says whether it is a picture or a sound.
fn track(index: &mut Index<'_>, track: Part, film: &mut Film) -> Result<bool, Fault> {
    let (mut size, mut is_kept, mut is_picture) = (None, false, false);
    for part in index.only(track.content..track.end, &[b"tkhd", b"edts", b"mdia", b"tapt", b"load", b"matt"])? {
        match &part.kind {
            b"tkhd" => {
                size = seen(index.content(part));
                index.forget_times(part);
            }
            b"mdia" => {
                let kind = media(index, part, &mut film.chunks)?;
                is_picture = &kind == b"vide";
                is_kept = matches!(&kind, b"vide" | b"soun" | b"auxv" | b"pict");
            }
            _ => {}
        }
    }
    film.size = film.size.or(size.filter(|_| is_picture));
    Ok(is_kept)
}

/// Width and height by the head of a track, turned as its matrix says (section 8.3.2).
fn seen(head: &[u8]) -> Option<Size> {
    let matrix = if head.first() == Some(&1) { 52 } else { 40 };
    let at = |at: usize| head.get(at..at + 4).map(number);
    let is_turned = at(matrix)? == 0 && at(matrix + 4)? != 0;
    // Numbers with 16 bits behind the point.
    let side = |at: u64| u32::try_from(at >> 16).ok().filter(|side| *side > 0);
    let (width, height) = (side(at(matrix + 36)?)?, side(at(matrix + 40)?)?);
    Some(if is_turned { (height, width) } else { (width, height) })
}

/// Cleans the media of a track, notes where its samples are, and says of what kind it is.
fn media(index: &mut Index<'_>, media: Part, chunks: &mut Vec<Chunk>) -> Result<[u8; 4], Fault> {
    let mut kind = [0; 4];
    let first = chunks.len();
    for part in index.only(media.content..media.end, &[b"mdhd", b"hdlr", b"minf", b"elng"])? {
        match &part.kind {
            b"mdhd" => index.forget_times(part),
            b"hdlr" => {
                if let Some(found) = index.content(part).get(8..12) {
                    kind.copy_from_slice(found);
                }
                // Its name, in which cameras are named.
                index.zero(part, 24, usize::MAX - part.content);
            }
            b"minf" => information(index, part, chunks)?,
            _ => {}
        }
    }
    let is_kept = matches!(&kind, b"vide" | b"soun" | b"auxv" | b"pict");
    chunks[first..].iter_mut().for_each(|chunk| chunk.is_kept = is_kept);
    Ok(kind)
}

fn information(index: &mut Index<'_>, information: Part, chunks: &mut Vec<Chunk>) -> Result<(), Fault> {
    let kept: [&[u8; 4]; 9] = [b"vmhd", b"smhd", b"hmhd", b"nmhd", b"sthd", b"gmhd", b"dinf", b"stbl", b"hdlr"];
    for part in index.only(information.content..information.end, &kept)? {
        match &part.kind {
            b"hdlr" => index.zero(part, 24, usize::MAX - part.content),
            b"dinf" => {
                for references in index.only(part.content..part.end, &[b"dref"])? {
                    let begin = (references.content + 8).min(references.end);
                    for reference in parts(index.bytes, begin..references.end, &mut index.left)? {
                        // In this file, or else in one of which the name says where it was.
                        index.zero(reference, 4, usize::MAX - reference.content);
                    }
                }
            }
            b"stbl" => table(index, part, chunks)?,
            _ => {}
        }
    }
    Ok(())
}

fn table(index: &mut Index<'_>, table: Part, chunks: &mut Vec<Chunk>) -> Result<(), Fault> {
    let kept: [&[u8; 4]; 19] = [
        b"stsd", b"stts", b"ctts", b"cslg", b"stss", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"sdtp", b"sbgp",
        b"sgpd", b"subs", b"saiz", b"saio", b"stps", b"stsh", b"padb",
    ];
    for part in index.only(table.content..table.end, &kept)? {
        match &part.kind {
            b"stsd" => {
                let begin = (part.content + 8).min(part.end);
                for sample in parts(index.bytes, begin..part.end, &mut index.left)? {
                    // The name of what wrote a picture; other samples are shorter than that, or sounds.
                    if sample.end - sample.content >= 78
                        && matches!(
                            &sample.kind,
                            b"avc1"
                                | b"avc3"
                                | b"hvc1"
                                | b"hev1"
                                | b"av01"
                                | b"vp08"
                                | b"vp09"
                                | b"mp4v"
                                | b"jpeg"
                                | b"mjpa"
                                | b"apcn"
                                | b"apch"
                                | b"dvh1"
                                | b"dvhe"
                                | b"s263"
                        )
                    {
                        index.zero(sample, 42, 74);
                    }
                }
            }
            b"stco" | b"co64" => {
                let bytes = if &part.kind == b"stco" { 4 } else { 8 };
                let entries = index.content(part).get(8..).unwrap_or_default().chunks_exact(bytes);
                chunks.extend(entries.map(|entry| Chunk { at: number(entry), is_kept: false }));
            }
            _ => {}
        }
    }
    Ok(())
}
