//! What a file is, by its first bytes.

use super::clean::Format;
use image::ImageFormat;

/// How many of the first bytes are looked at.
pub const HEAD_BYTES: usize = 8 * 1024;
/// What nothing is known of.
pub const UNKNOWN: &str = "application/octet-stream";

/// The media type of what begins with these bytes. Only types that are worth a name of their own get one; whatever a
/// browser might run is text or unknown.
#[must_use]
pub fn of(head: &[u8]) -> &'static str {
    match infer::get(head).map(|found| found.mime_type()) {
        Some("image/png") => "image/png",
        Some("image/jpeg") => "image/jpeg",
        Some("image/gif") if head.starts_with(b"GIF8") => "image/gif",
        Some("image/webp") => "image/webp",
        Some("audio/mpeg") => "audio/mpeg",
        Some("audio/m4a") => "audio/mp4",
        Some("audio/ogg" | "audio/opus") if !has_pictures(head) => "audio/ogg",
        Some("audio/x-wav") => "audio/wav",
        Some("audio/x-flac") => "audio/flac",
        Some("audio/aac") => "audio/aac",
        Some("video/mp4" | "video/x-m4v") => "video/mp4",
        Some("video/quicktime") if Format::of(head) == Format::Boxes => "video/quicktime",
        // The library takes all of Matroska for it.
        Some("video/webm") if is_webm(head) => "video/webm",
        Some("application/pdf") => "application/pdf",
        Some("application/zip") => "application/zip",
        Some("application/gzip") => "application/gzip",
        Some("text/html" | "text/xml" | "text/x-shellscript" | "image/gif") | None if is_text(head) => "text/plain",
        _ => UNKNOWN,
    }
}

/// The format of a picture that is looked into, of a type that [`of`] gives.
#[must_use]
pub fn picture(media_type: &str) -> Option<ImageFormat> {
    ImageFormat::from_mime_type(media_type)
}

/// Whether a stream of an Ogg is Theora: all streams begin before any goes on (RFC 3533, section 4).
fn has_pictures(head: &[u8]) -> bool {
    head.windows(7).any(|window| window == b"\x80theora")
}

/// Whether a Matroska says that it is a WebM: its DocType (RFC 8794, section 11.2.4).
fn is_webm(head: &[u8]) -> bool {
    head.windows(7).any(|window| window == b"\x42\x82\x84webm")
}

/// Whether bytes are text; their end may be in the middle of a character.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_it_is() {
        let webp = b"RIFF\x24\0\0\0WEBPVP8 ";
        let table: &[(&[u8], &str)] = &[
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (webp, "image/webp"),
            (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg"),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01vorbis", "audio/ogg"),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead", "audio/ogg"),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x2a\x80theora", UNKNOWN),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", "video/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", "video/quicktime"),
            (b"\0\0\0\x08wide\0\0\0\x10mdat", "video/quicktime"),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87\x81\x04", "video/webm"),
            (b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska\x42\x87\x81\x04", UNKNOWN),
            (b"GIF is how it is written", "text/plain"),
            (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
            (b"PK\x03\x04\x14\0\0\0", "application/zip"),
            ("naïve\ttext\r\n".as_bytes(), "text/plain"),
            (b"", UNKNOWN),
            (b"\0\x01\x02", UNKNOWN),
            (b"\x7fELF\x02\x01\x01", UNKNOWN),
        ];
        for (head, media_type) in table {
            assert_eq!(of(head), *media_type, "{head:?}");
        }
    }

    #[test]
    fn what_is_no_picture_has_no_format() {
        for media_type in ["image/png", "image/jpeg", "image/gif", "image/webp"] {
            assert!(picture(media_type).is_some(), "{media_type}");
        }
        for media_type in ["audio/mpeg", "video/mp4", "application/pdf", "text/plain", UNKNOWN] {
            assert!(picture(media_type).is_none(), "{media_type}");
        }
    }

    #[test]
    fn what_a_browser_might_run_is_text_or_nothing() {
        for text in [
            "<!DOCTYPE html><script>alert(1)</script>",
            "<html><body onload=alert(1)>",
            "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
            "<svg onload=alert(1)>",
            "#!/bin/sh\nrm -rf /",
        ] {
            assert_eq!(of(text.as_bytes()), "text/plain", "{text}");
        }
    }

    #[test]
    fn text_may_be_cut_anywhere() {
        let text = "äöü€😀".repeat(9);
        assert!((1..text.len()).all(|cut| cut < 2 || is_text(&text.as_bytes()[..cut])));
        assert!(!is_text(b"abc\xff\xfe") && !is_text(b"a\0b"));
    }
}
