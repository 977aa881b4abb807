//! The index of a picture in boxes (HEIF, ISO/IEC 23008-12; AVIF): which parts of the file are the picture, and which are
//! written about it.

use super::bmff::{BOXES_MAX, EMPTY_EXIF, Item, Part, free, parts};
use super::{Fault, number};
use std::collections::HashMap;
use std::ops::Range;

/// Types of items that are pictures, or made of them.
const PICTURES: [&[u8; 4]; 14] = [
    b"av01", b"hvc1", b"lhv1", b"hvt1", b"avc1", b"vvc1", b"evc1", b"jpeg", b"j2k1", b"unci", b"grid", b"iovl",
    b"iden", b"tmap",
];
/// Parts of metadata in one picture.
const EXTENTS_MAX: usize = 10_000;

/// Cleans the box `meta`, which is all of `bytes`, and says which parts of the file are metadata. `None`: it is
/// about no picture, and all of it went.
pub(super) fn clean(bytes: &mut [u8]) -> Result<Option<Vec<Item>>, Fault> {
    let mut left = BOXES_MAX;
    let Some(outer) = parts(bytes, 0..bytes.len(), &mut left)?.first().copied() else { return Ok(None) };
    // QuickTime has no version here.
    let begin = outer.content + 4;
    let is_picture = bytes.get(begin + 4..begin + 8) == Some(b"hdlr")
        && bytes.get(begin + 16..begin + 20) == Some(b"pict")
        && begin <= outer.end;
    if !is_picture {
        free(bytes, outer);
        return Ok(None);
    }
    let mut kinds = HashMap::new();
    let mut data = None;
    let inner = parts(bytes, begin..outer.end, &mut left)?;
    for part in &inner {
        match &part.kind {
            b"iinf" => kinds = items(bytes, *part, &mut left)?,
            b"idat" => data = Some(part.content..part.end),
            b"iprp" => properties(bytes, *part, &mut left)?,
            // Its name.
            b"hdlr" => {
                let name = (part.content + 24).min(part.end);
                bytes[name..part.end].fill(0);
            }
            b"pitm" | b"iloc" | b"iref" | b"dinf" | b"grpl" => {}
            _ => free(bytes, *part),
        }
    }
    let places = inner.iter().filter(|part| &part.kind == b"iloc");
    let mut found = Vec::new();
    for part in places {
        locate(&bytes[part.content..part.end], &kinds, &mut found)?;
    }
    let mut outside = Vec::new();
    for (item, is_inside) in found {
        if !is_inside {
            outside.push(item);
            continue;
        }
        let data = data.clone().ok_or(Fault::Unclean("an item is in a box that is not there"))?;
        let place =
            |at: u64| usize::try_from(at).ok().and_then(|at| data.start.checked_add(at)).filter(|at| *at <= data.end);
        let (Some(from), Some(to)) = (place(item.place.start), place(item.place.end)) else {
            return Err(Fault::Unclean("an item is outside of its box"));
        };
        bytes[from..to].fill(0);
        if item.is_exif && to - from >= EMPTY_EXIF.len() {
            bytes[from..from + EMPTY_EXIF.len()].copy_from_slice(EMPTY_EXIF);
        }
    }
    Ok(Some(outside))
}

/// The type of each item, whose name goes (ISO/IEC 14496-12, section 8.11.6).
fn items(bytes: &mut [u8], part: Part, left: &mut usize) -> Result<HashMap<u64, [u8; 4]>, Fault> {
    let count_bytes = if bytes.get(part.content) == Some(&0) { 2 } else { 4 };
    let begin = (part.content + 4 + count_bytes).min(part.end);
    let mut kinds = HashMap::new();
    for entry in parts(bytes, begin..part.end, left)? {
        let version = bytes[entry.content..entry.end].first().copied();
        let id_bytes = match version {
            Some(2) => 2,
            Some(3) => 4,
            _ => return Err(Fault::Unclean("an item has no type")),
        };
        let id = entry.content + 4;
        let kind = id + id_bytes + 2;
        if entry.end < kind + 4 {
            return Err(Fault::Unclean("an item is cut off"));
        }
        let found = [bytes[kind], bytes[kind + 1], bytes[kind + 2], bytes[kind + 3]];
        kinds.insert(number(&bytes[id..id + id_bytes]), found);
        bytes[kind + 4..entry.end].fill(0);
    }
    Ok(kinds)
}

/// Properties that are written by people and clocks.
fn properties(bytes: &mut [u8], part: Part, left: &mut usize) -> Result<(), Fault> {
    for container in parts(bytes, part.content..part.end, left)? {
        if &container.kind != b"ipco" {
            continue;
        }
        for property in parts(bytes, container.content..container.end, left)? {
            if matches!(&property.kind, b"udes" | b"uuid" | b"crtt" | b"mdft" | b"altt" | b"free" | b"skip") {
                free(bytes, property);
            }
        }
    }
    Ok(())
}

/// The places of items that are no pictures, and whether each is in the box `idat` (section 8.11.3).
fn locate(content: &[u8], kinds: &HashMap<u64, [u8; 4]>, found: &mut Vec<(Item, bool)>) -> Result<(), Fault> {
    let mut reader = Reader(content);
    let version = reader.take(1)?;
    reader.take(3)?;
    let sizes = reader.take(2)?;
    let [offset_bytes, length_bytes, base_bytes, index_bytes] =
        [sizes >> 12 & 15, sizes >> 8 & 15, sizes >> 4 & 15, if version == 0 { 0 } else { sizes & 15 }];
    let id_bytes = if version < 2 { 2 } else { 4 };
    for _ in 0..reader.take(id_bytes)? {
        let id = reader.take(id_bytes)?;
        let method = if version == 0 { 0 } else { reader.take(2)? & 15 };
        let is_elsewhere = reader.take(2)? != 0;
        let base = reader.take(base_bytes)?;
        let kind = kinds.get(&id);
        let is_metadata = kind.is_none_or(|kind| !PICTURES.contains(&kind));
        for _ in 0..reader.take(2)? {
            reader.take(index_bytes)?;
            let (offset, length) = (reader.take(offset_bytes)?, reader.take(length_bytes)?);
            if !is_metadata {
                continue;
            }
            let place =
                place(base, offset, length).filter(|_| method <= 1 && !is_elsewhere && found.len() < EXTENTS_MAX);
            let place = place.ok_or(Fault::Unclean("an item is where it cannot be removed"))?;
            found.push((Item { place, is_exif: kind == Some(b"Exif") }, method == 1));
        }
    }
    Ok(())
}

/// `None`: it has no length, which means up to the end of something.
fn place(base: u64, offset: u64, length: u64) -> Option<Range<u64>> {
    let from = base.checked_add(offset)?;
    (length > 0).then_some(from..from.checked_add(length)?)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A number of so many bytes, at most eight.
    fn take(&mut self, bytes: u64) -> Result<u64, Fault> {
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= 8);
        let taken = bytes.and_then(|bytes| self.0.split_at_checked(bytes));
        let (taken, rest) = taken.ok_or(Fault::Unclean("the places of its items are cut off"))?;
        self.0 = rest;
        Ok(number(taken))
    }
}
