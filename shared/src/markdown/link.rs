//! Addresses: which lead somewhere and do nothing else, where they end in a sentence, and which labels tell the truth.

use super::{Inline, steps};
use crate::text::{self, is_invisible, is_word};

/// Schemes that do nothing but lead somewhere; those of the web first.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

pub(super) fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// Whether a text begins as an address of the web does.
pub(super) fn is_web(text: &str) -> bool {
    SCHEMES[..2].iter().any(|scheme| begins(text, scheme))
}

/// Whether a text begins as an address does.
pub(super) fn has_scheme(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| begins(text, scheme))
}

/// Whether this is an address that leads somewhere, does nothing else, and looks like where it leads: there is
/// no name of a user before the host (`https://bank.example@evil.example`), and the host has no letters of alphabets that
/// look alike.
pub(super) fn leads(url: &str) -> bool {
    let Some(scheme) = SCHEMES.iter().find(|scheme| begins(url, scheme)) else { return false };
    let rest = &url[scheme.len()..];
    if scheme.starts_with('m') {
        return rest.starts_with(char::is_alphanumeric);
    }
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') && is_host(rest)
}

/// Whether what stands up to the next `/`, `?` or `#` is a host as it looks.
pub(super) fn is_host(url: &str) -> bool {
    let (mut is_ended, mut is_latin, mut is_alike) = (false, false, false);
    for c in url.chars().take_while(|c| !matches!(c, '/' | '?' | '#')) {
        steps::took(1);
        match c {
            '@' => return false,
            '.' => (is_latin, is_alike) = (false, false),
            // A sign that is no part of a host may belong to the sentence, but must not look like a part of the address.
            c if !is_word(c) && !"-_~:[]%".contains(c) => {
                if !is_ended && !c.is_ascii() {
                    return false;
                }
                is_ended = true;
            }
            _ if is_ended => {}
            'a'..='z' | 'A'..='Z' => is_latin = true,
            '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' => is_alike = true,
            _ => {}
        }
        if is_latin && is_alike {
            return false;
        }
    }
    true
}

/// No spaces, no controls, nothing that cannot be seen or turns the direction of what follows.
pub(super) fn may_be_in_url(c: char) -> bool {
    // Most of an address is ASCII.
    let is_seen = if c.is_ascii() { c.is_ascii_graphic() } else { !is_invisible(c) };
    is_seen && !matches!(c, '<' | '>' | '"' | '`' | '\\')
}

/// Whether an address in a sentence ends before this: punctuation of other scripts, quotes, brackets. Dashes, the apostrophe
/// and dots within words may be parts of it, as symbols and emoji are.
pub(super) fn ends_address(c: char) -> bool {
    let may_be_inside = c.is_ascii()
        || is_word(c)
        || may_end_address(c)
        || matches!(c,
        '\u{a2}'..='\u{aa}' | '\u{ac}'..='\u{b9}' | '\u{d7}' | '\u{f7}' | '\u{20a0}'..='\u{2bff}' | '\u{10000}'..);
    !may_be_inside
}

/// Whether this stands within an address, but not at its end.
pub(super) fn may_end_address(c: char) -> bool {
    matches!(
        c,
        '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '\u{b7}' | '\u{2010}'
            ..='\u{2013}' | '\u{2018}' | '\u{2019}' | '\u{30fb}'
    )
}

/// Whether a label tells of another place than the one it leads to, or nothing at all.
pub(super) fn deceives(label: &[Inline], url: &str) -> bool {
    let mut text = String::new();
    if !read(label, &mut text) {
        return true;
    }
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek().is_none() || words.any(|word| is_address(word) && !is_same(word, url) && !is_file(word, url))
}

/// Takes the links out of a label, and leaves what they show.
pub(super) fn unlink(label: &mut [Inline]) {
    for part in label {
        steps::took(1);
        match part {
            Inline::Link { label, .. } => {
                // (A link that shows its own address has one text.)
                if let Some(text) = label.pop() {
                    *part = text;
                }
            }
            Inline::Marked(_, parts) => unlink(parts),
            Inline::Text(_) | Inline::Code(_) => {}
        }
    }
}

/// Adds a label's text as a person reads it. `false`: it holds signs that turn its direction.
fn read(label: &[Inline], text: &mut String) -> bool {
    label.iter().all(|part| {
        steps::took(1);
        match part {
            Inline::Text(part) | Inline::Code(part) => {
                steps::took(part.len());
                text.extend(part.chars().filter_map(seen));
                !part.contains(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
            }
            Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => read(parts, text),
        }
    })
}

/// The ASCII character that this looks like, in lower case. `None`: nobody sees it, or it is narrower than a space.
fn seen(c: char) -> Option<char> {
    match c {
        ' ' | '\n' | '\t' | '\u{3000}' => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).map(|c| c.to_ascii_lowercase()),
        '\u{2024}' | '\u{3002}' | '\u{ff61}' | '\u{701}' | '\u{702}' | '\u{660}' | '\u{6f0}' | '\u{a4f8}'
        | '\u{a60e}' => Some('.'),
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => Some('/'),
        c => Some(c.to_ascii_lowercase()).filter(|c| !is_invisible(*c)),
    }
}

/// Whether a word looks like an address: `https://…`, `bank.example` with letters behind the dot, or `192.0.2.1`.
fn is_address(word: &str) -> bool {
    let is_dot = |(at, _): (usize, &str)| {
        let mut behind = word[at + 1..].chars();
        let mut is_letter = || behind.next().is_some_and(char::is_alphabetic);
        word[..at].ends_with(char::is_alphanumeric) && is_letter() && is_letter()
    };
    let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    text::find(word, "://").is_some()
        || word.match_indices('.').any(is_dot)
        || word.split('.').filter(is_number).count() > 3
}

/// Endings of names of files and of things made of them (`Node.js`, `report.pdf`) that no host has: the root zone has
/// none of these.
const FILES: [&str; 36] = [
    "js", "mjs", "ts", "jsx", "tsx", "css", "html", "htm", "json", "xml", "yml", "yaml", "toml", "txt", "log", "csv",
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "png", "jpg", "jpeg", "gif", "svg", "webp",
    "mp3", "mp4", "php", "cpp", "exe",
];
/// Endings of names of files that some hosts have, too.
const FILES_OR_HOSTS: [&str; 6] = ["md", "rs", "py", "sh", "pl", "zip"];

/// Whether a word names a file and no host. One that could be a host is a file if the address leads to a file of this name.
fn is_file(word: &str, url: &str) -> bool {
    let name = word.trim_matches(|c: char| c.is_ascii_punctuation());
    let is_plain = !name.contains(|c: char| c.is_ascii_punctuation() && !".-_+".contains(c));
    let end = name.rsplit('.').next().unwrap_or_default();
    let leads_to_it = || {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        steps::took(url.len());
        path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name))
    };
    is_plain && (FILES.contains(&end) || FILES_OR_HOSTS.contains(&end) && leads_to_it())
}

/// Whether a word is the host of an address, or the whole of it.
fn is_same(word: &str, url: &str) -> bool {
    let url: String = url.chars().filter_map(seen).collect();
    steps::took(url.len());
    let word = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '[');
    let bare = |text: &str| text.strip_prefix("www.").unwrap_or(text).trim_end_matches('/').to_owned();
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let rest = bare(rest.trim_start_matches('/'));
    let word = bare(match text::find(word, "://") {
        Some(end) if word[..end] == *scheme => &word[end + "://".len()..],
        Some(_) => return false,
        None => word,
    });
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let alone = host.split(':').next().unwrap_or_default();
    word == rest || word == host || word == alone || host.split_once('@').is_some_and(|(_, host)| host == word)
}
