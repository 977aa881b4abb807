//! Attachments: files uploaded before the message that carries them.

use crate::ids::AttachmentId;
use crate::limits::FILE_NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Which file.
    pub id: AttachmentId,
    /// The name it was uploaded with, as [`file_name`] leaves it.
    pub name: String,
    /// What it is, as the server sees it.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// In pixels, for pictures (those that have a small form at `/thumbnail`) and films that say how large they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels, beside `width`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether it is a picture of several frames, of which the small form shows the first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub animated: bool,
}

impl Attachment {
    /// How it is shown.
    #[must_use]
    pub fn shown(&self) -> Shown {
        match Shown::of(&self.media_type) {
            // The server could not read it.
            Shown::Picture if self.width.is_none() || self.height.is_none() => Shown::Name,
            shown => shown,
        }
    }
}

/// How a file is shown. Only what browsers show without running anything is more than a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As a picture.
    Picture,
    /// As something to hear.
    Audio,
    /// As something to watch.
    Video,
    /// By its name alone, to be downloaded.
    Name,
}

impl Shown {
    /// How a file of this media type may be shown at most.
    #[must_use]
    pub fn of(media_type: &str) -> Self {
        match media_type {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Self::Picture,
            "audio/mpeg" | "audio/mp4" | "audio/ogg" | "audio/wav" | "audio/flac" | "audio/aac" => Self::Audio,
            "video/mp4" | "video/webm" | "video/quicktime" => Self::Video,
            _ => Self::Name,
        }
    }
}

/// A file's name as it is kept: the last part of a path, on one line, without signs that nobody sees (so that its end is
/// where it seems to be), at most [`FILE_NAME_BYTES_MAX`] long with its ending kept.
#[must_use]
pub fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean = String::with_capacity(last.len());
    let mut signs = last.chars().filter(|sign| !sign.is_control() && !is_unseen(*sign)).peekable();
    while let Some(sign) = signs.next() {
        // Joiners and variants are part of some scripts and emoji, and nothing elsewhere.
        let mut is_between = || {
            clean.chars().next_back().is_some_and(|before| !before.is_ascii() && !is_joiner(before))
                && (is_variant(sign) || signs.peek().is_some_and(|behind| !behind.is_ascii() && !is_joiner(*behind)))
        };
        if !(is_joiner(sign) || is_variant(sign)) || is_between() {
            clean.push(sign);
        }
    }
    let clean = clean.trim_start().trim_end_matches(|c: char| c.is_whitespace() || c == '.');
    if clean.is_empty() {
        return "file".to_owned();
    }
    if clean.len() <= FILE_NAME_BYTES_MAX {
        return clean.to_owned();
    }
    let end = ending(clean);
    let start = &clean[..clean.floor_char_boundary(FILE_NAME_BYTES_MAX - end.len())];
    format!("{}{end}", start.trim_end())
}

/// The ending of a name that is worth keeping: a short one, with the one of an archive before it.
fn ending(name: &str) -> &str {
    let at = name.rfind('.').unwrap_or(name.len());
    let at = name[..at].strip_suffix(".tar").map_or(at, str::len);
    Some(&name[at..]).filter(|end| end.len() <= 16).unwrap_or_default()
}

/// Signs that take no place, turn the direction of letters or end a line (Unicode, `Default_Ignorable_Code_Point`), but
/// for joiners and variants.
fn is_unseen(sign: char) -> bool {
    matches!(sign,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_joiner(sign: char) -> bool {
    matches!(sign, '\u{200c}' | '\u{200d}')
}

fn is_variant(sign: char) -> bool {
    matches!(sign, '\u{fe00}'..='\u{fe0f}')
}

/// The answer of `POST /api/attachments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttachmentBody {
    /// What was stored.
    pub attachment: Attachment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_a_path_and_reads_as_it_is() {
        for (given, kept) in [
            ("holiday.jpg", "holiday.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
            ("a\0.png", "a.png"),
            ("x.png.exe", "x.png.exe"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("a\r\nSet-Cookie: b.txt", "aSet-Cookie: b.txt"),
            ("\"quoted\".txt", "\"quoted\".txt"),
            ("图片 1.png", "图片 1.png"),
            (".gitignore", ".gitignore"),
            ("..", "file"),
            (" . . ", "file"),
            ("notes.txt. .", "notes.txt"),
            ("report.pdf\u{200b}", "report.pdf"),
            ("a\u{ad}b\u{2060}c\u{200d}.txt\u{e0041}", "abc.txt"),
            ("می\u{200c}روم.pdf", "می\u{200c}روم.pdf"),
            ("❤\u{fe0f}\u{200d}🔥.png", "❤\u{fe0f}\u{200d}🔥.png"),
            ("é\u{200c}\u{200c}\u{200c}.png", "é.png"),
            ("", "file"),
            (" / ", "file"),
        ] {
            assert_eq!(file_name(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let long = file_name(&format!("{}.jpeg", "ü".repeat(300)));
        assert!(long.len() <= FILE_NAME_BYTES_MAX && long.ends_with("ü.jpeg"), "{long}");
        assert_eq!(file_name(&"x".repeat(300)).len(), FILE_NAME_BYTES_MAX);
        for end in [".tar.gz", ".tar.zst"] {
            let long = file_name(&format!("{}{end}", "x".repeat(200)));
            assert!(long.len() == FILE_NAME_BYTES_MAX && long.ends_with(&format!("x{end}")), "{long}");
        }
    }

    #[test]
    fn only_what_runs_nothing_is_shown() {
        for media_type in ["image/svg+xml", "text/html", "application/pdf", "text/plain", "application/xhtml+xml", ""] {
            assert_eq!(Shown::of(media_type), Shown::Name, "{media_type}");
        }
        let id = AttachmentId::v7(crate::ids::Timestamp::from_millis(1), [0; 10]);
        let (name, media_type) = ("a.png".into(), "image/png".into());
        let unread = Attachment { id, name, media_type, size: 9, width: None, height: None, animated: false };
        assert_eq!(unread.shown(), Shown::Name);
        assert_eq!(Attachment { width: Some(1), height: Some(1), ..unread }.shown(), Shown::Picture);
    }
}
