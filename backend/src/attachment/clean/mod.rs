//! Removing metadata from files: what a camera, a telephone or a program wrote beside the picture, the film or the sound.
//!
//! [`super::upload`] calls it with each file that has come in, before anybody can ask for it. Each format is walked by its
//! structure, without decoding: pixels, checksums and missing parts do not matter. A walker keeps the parts that it knows
//! to be needed and takes away all others, so a place for metadata that nobody has thought of is taken away too. What
//! cannot be walked to its end is a [`Fault::Unclean`], and its sender decides.
//!
//! Everything happens in the file that has come in: pictures and sounds become shorter ([`tape`]), containers with
//! offsets inside (films, HEIF, Matroska) keep their length, and zeros take the place of metadata ([`medium`]).
//!
//! Bounds: 64 KiB of a file in memory at a time, 16 MiB of a film's index, a number of parts for each format. A file that
//! exceeds a bound is unclean. To add a format: a variant and a line in [`Format::of`], a file here, a sample in `samples.rs`.

mod bmff;
mod exif;
mod flac;
mod frame;
mod gif;
mod heif;
mod jpeg;
mod matroska;
mod medium;
mod moov;
mod ogg;
mod png;
mod riff;
#[cfg(test)]
mod samples;
mod tape;

use medium::{Dry, Medium};
use std::io;
use tape::Tape;

/// How a file is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ITU-T T.81.
    Jpeg,
    /// W3C PNG, third edition.
    Png,
    /// GIF89a.
    Gif,
    /// RFC 9649.
    WebP,
    /// ISO/IEC 14496-12 and what is built like it: MP4, M4A, 3GP, QuickTime, HEIF, AVIF, JPEG XL in boxes.
    Boxes,
    /// RFC 9559, WebM among it.
    Matroska,
    /// RFC 3533.
    Ogg,
    /// RFC 9639.
    Flac,
    /// MP3, and AAC in ADTS.
    Frames,
    /// RIFF WAVE.
    Wave,
    /// A picture, film or sound that has no walker.
    Unknown,
    /// Anything else: documents, archives, texts. Nothing is taken out of these.
    Other,
}

/// Width and height of a film, in pixels, as it is seen.
pub type Size = (u32, u32);

/// Why metadata was not removed.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be walked. The text says why, for the log.
    Unclean(&'static str),
    /// The disk says no.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Unclean("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

impl Format {
    /// How a file that begins with these bytes is walked.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let has = |at: usize, text: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(text));
        match head {
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', ..] => Self::Png,
            [b'G', b'I', b'F', b'8', ..] => Self::Gif,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Matroska,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'R', b'I', b'F', b'F', ..] if has(8, b"WEBP") => Self::WebP,
            [b'R', b'I', b'F', b'F', ..] if has(8, b"WAVE") => Self::Wave,
            _ if is_boxes(head) => Self::Boxes,
            _ if super::kind::is_text(head) => Self::Other,
            [b'I', b'D', b'3', ..] => Self::Frames,
            [b'B', b'M', ..] => {
                if is_bitmap(head) {
                    Self::Unknown
                } else {
                    Self::Other
                }
            }
            // TIFF, BigTIFF, and what cameras make of them (DNG, CR2, NEF, ARW, ORF, RW2, RAF, X3F, MRW).
            [b'I', b'I', b'*' | b'+' | b'U', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Self::Unknown,
            [b'I', b'I', b'R', b'O' | b'S', ..] | [b'M', b'M', b'O', b'R', ..] | [b'F', b'O', b'V', b'b', ..] => {
                Self::Unknown
            }
            [0, b'M', b'R', b'M', ..] => Self::Unknown,
            _ if has(0, b"FUJIFILMCCD-RAW") => Self::Unknown,
            // MPEG transport streams, also with times before each packet (AVCHD).
            _ if [(0, 188), (4, 192)].iter().any(|(at, step)| (0..3).all(|index| has(at + index * step, b"G"))) => {
                Self::Unknown
            }
            // A codestream of JPEG 2000 has comments.
            [0xff, 0x4f, 0xff, 0x51, ..] => Self::Unknown,
            _ => Self::guessed(head),
        }
    }

    fn guessed(head: &[u8]) -> Self {
        let Some(found) = infer::get(head) else { return Self::Other };
        match (found.mime_type(), found.matcher_type()) {
            ("audio/mpeg" | "audio/aac", _) => Self::Frames,
            // These have no place for metadata; JPEG XL in boxes is known by now.
            ("image/jxl" | "audio/midi" | "audio/amr", _) => Self::Other,
            (_, infer::MatcherType::Image | infer::MatcherType::Video | infer::MatcherType::Audio) => Self::Unknown,
            _ => Self::Other,
        }
    }
}

/// Whether boxes of ISO/IEC 14496-12 begin here: a length, and a type that comes first in such a file.
fn is_boxes(head: &[u8]) -> bool {
    match head.get(4..8) {
        Some(b"ftyp" | b"JXL ") => true,
        // QuickTime without `ftyp`. No text begins with a byte like that, and no film is as long as a text would say.
        Some(b"moov" | b"mdat" | b"wide" | b"pnot" | b"skip" | b"free") => head[0] < 9,
        _ => false,
    }
}

/// Whether this is a bitmap, and no text that begins with the same two letters.
fn is_bitmap(head: &[u8]) -> bool {
    matches!(head.get(14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)) && head.get(15..18) == Some(&[0; 3])
}

/// Removes metadata from a file of this format.
///
/// # Errors
/// [`Fault::Unclean`] if it cannot be removed: then the file is to be thrown away, for parts of it may have changed.
pub fn clean(file: std::fs::File, format: Format) -> Result<Option<Size>, Fault> {
    walk(file, format)
}

/// Whether [`clean`] would do it. Changes nothing.
///
/// # Errors
/// See [`clean`].
pub fn check(file: std::fs::File, format: Format) -> Result<(), Fault> {
    walk(Dry::new(file)?, format).map(drop)
}

fn walk<M: Medium>(mut medium: M, format: Format) -> Result<Option<Size>, Fault> {
    match format {
        Format::Jpeg => rewrite(medium, jpeg::clean),
        Format::Png => rewrite(medium, png::clean),
        Format::Gif => rewrite(medium, gif::clean),
        Format::WebP => rewrite(medium, |tape| riff::clean(tape, riff::Kind::WebP)),
        Format::Wave => rewrite(medium, |tape| riff::clean(tape, riff::Kind::Wave)),
        Format::Flac => rewrite(medium, flac::clean),
        Format::Frames => rewrite(medium, frame::clean),
        Format::Boxes => bmff::clean(&mut medium),
        Format::Matroska => matroska::clean(&mut medium),
        Format::Ogg => ogg::clean(&mut medium).map(|()| None),
        Format::Unknown => Err(Fault::Unclean("its format is not known")),
        Format::Other => Ok(None),
    }
}

/// Walks a file from its beginning to its end, and cuts it off behind what was kept.
fn rewrite<M: Medium>(medium: M, walk: impl FnOnce(&mut Tape<M>) -> Result<(), Fault>) -> Result<Option<Size>, Fault> {
    let mut tape = Tape::new(medium)?;
    walk(&mut tape)?;
    tape.finish()?;
    Ok(None)
}

/// A number in the order of the network, from at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
