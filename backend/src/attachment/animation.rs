//! Whether a picture is animated: it has several frames, of which the small form shows the first. Read from the blocks of the
//! file, without decoding a frame, in steps that are linear in its length. Called by the process that looks into pictures
//! ([`super::picture`]).

use image::ImageFormat;

/// Whether a whole file of this format has more than one frame. A damaged one has as many as are found.
pub(super) fn is_animated(bytes: &[u8], format: ImageFormat) -> bool {
    let found = match format {
        ImageFormat::Gif => gif(bytes),
        ImageFormat::Png => png(bytes),
        ImageFormat::WebP => webp(bytes),
        _ => None,
    };
    found == Some(true)
}

/// GIF89a, sections 18 to 27: a second image descriptor.
fn gif(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.get(13 + colours(*bytes.get(10)?)..)?;
    let mut frames = 0;
    loop {
        rest = match rest {
            [0x2c, ..] => {
                frames += 1;
                if frames == 2 {
                    return Some(true);
                }
                // The size of codes comes behind the colours.
                behind_blocks(rest.get(11 + colours(*rest.get(9)?)..)?)?
            }
            [0x21, _, blocks @ ..] => behind_blocks(blocks)?,
            [0, rest @ ..] => rest,
            _ => return Some(false),
        };
    }
}

/// How many bytes a table of colours has, by the flags before it.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// The bytes behind a run of blocks and the empty block at its end.
fn behind_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(*rest.first()?);
        rest = rest.get(1 + length..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}

/// PNG, third edition, section 11.3.6.1: `acTL` before the picture says how many frames there are.
fn png(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (kind, data) = behind.split_first_chunk::<4>()?;
        match kind {
            b"acTL" => return Some(u32::from_be_bytes(*data.first_chunk()?) > 1),
            b"IDAT" => return Some(false),
            _ => rest = data.get(usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(4)?..)?,
        }
    }
}

/// RFC 9649, section 2.7.1: a flag of the first chunk.
fn webp(bytes: &[u8]) -> Option<bool> {
    Some(bytes.get(12..16)? == b"VP8X" && bytes.get(20)? & 2 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::gif::GifEncoder;
    use image::{DynamicImage, Frame, Rgba, RgbaImage};
    use std::io::Cursor;

    /// A GIF of so many frames.
    fn gif_of(frames: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for shade in 0..frames {
            let frame = Frame::new(RgbaImage::from_pixel(8, 8, Rgba([shade * 40, 9, 9, 255])));
            encoder.encode_frame(frame).expect("encoded");
        }
        drop(encoder);
        bytes
    }

    fn still(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(8, 8).write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    /// A PNG with a chunk that says how many frames there are.
    fn png_of(frames: u32) -> Vec<u8> {
        let mut chunk = Vec::from(*b"acTL");
        chunk.extend([frames, 0].iter().flat_map(|number| number.to_be_bytes()));
        let sum = crc32fast::hash(&chunk);
        let mut bytes = still(ImageFormat::Png);
        let chunk = [&8_u32.to_be_bytes()[..], &chunk, &sum.to_be_bytes()].concat();
        bytes.splice(33..33, chunk);
        bytes
    }

    /// The first chunk of a WebP, with these flags.
    fn webp_with(flags: u8) -> Vec<u8> {
        [&b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0"[..], &[flags, 0, 0, 0, 7, 0, 0, 7, 0, 0]].concat()
    }

    #[test]
    fn picture_is_animated_if_it_has_several_frames() {
        for (bytes, format, expected) in [
            (gif_of(1), ImageFormat::Gif, false),
            (gif_of(2), ImageFormat::Gif, true),
            (gif_of(5), ImageFormat::Gif, true),
            (still(ImageFormat::Png), ImageFormat::Png, false),
            (png_of(1), ImageFormat::Png, false),
            (png_of(2), ImageFormat::Png, true),
            (still(ImageFormat::WebP), ImageFormat::WebP, false),
            (webp_with(0x10), ImageFormat::WebP, false),
            (webp_with(0x12), ImageFormat::WebP, true),
            (still(ImageFormat::Jpeg), ImageFormat::Jpeg, false),
        ] {
            assert_eq!(is_animated(&bytes, format), expected, "{format:?} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn damaged_picture_is_read_to_an_end() {
        for (bytes, format) in
            [(gif_of(2), ImageFormat::Gif), (png_of(2), ImageFormat::Png), (webp_with(2), ImageFormat::WebP)]
        {
            for at in 0..bytes.len() {
                let _ = is_animated(&bytes[..at], format);
                for byte in [0, 0x21, 0x2c, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] = byte;
                    let _ = is_animated(&damaged, format);
                }
            }
        }
    }
}
