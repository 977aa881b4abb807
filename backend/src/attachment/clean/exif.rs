//! Exif blocks: which way up a picture is, and the smallest block that says so.

use image::metadata::Orientation;

/// Bytes of a block that are looked at: the field stands in its first directory.
pub(super) const LOOKED_AT: usize = 64 * 1024;

/// The smallest Exif block that says the same way up as this one; none if that is the usual one.
pub(super) fn way_up(block: &[u8]) -> Option<[u8; 26]> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let orientation = Orientation::from_exif_chunk(block).filter(|found| *found != Orientation::NoTransforms)?;
    // CIPA DC-008, section 4.6: one field, number 0x0112.
    let mut smallest = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0";
    smallest[18] = orientation.to_exif();
    Some(smallest)
}
