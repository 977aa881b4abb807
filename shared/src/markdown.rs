//! What people write between the lines: **bold**, lists, code. Parsed once, into nodes; never into HTML.
//!
//! The dialect is [CommonMark](https://spec.commonmark.org)'s as chats use it: a line break stays one, there are no
//! headings, no pictures and no HTML, and what makes no sense is text as it was written. No letter, digit or sign of a text
//! is lost but the marks themselves. docs/formatting.md says each rule with its reason, and
//! `shared/tests/commonmark/differences.txt` each difference from CommonMark.
//!
//! | written | is |
//! | --- | --- |
//! | `**bold**` `__bold__` | bold |
//! | `*italic*` `_italic_` | italic; within words the marks are text |
//! | `~~gone~~` | struck through |
//! | `\|\|hidden\|\|`, also around lines | a spoiler |
//! | `` `code` `` | code, in as many backticks as it takes |
//! | ```` ``` ```` or `~~~` with a language, up to the next one | a block of code |
//! | `> ` before lines | a quote |
//! | `- `, `* `, `+ `, `1. `, `1) ` before lines, deeper by two spaces or a tab | a list, its numbers as written |
//! | `https://…`, `www.…`, `[label](https://…)` | a link: `http`, `https` and `mailto` alone |
//! | `\*` | the sign itself, where it would be a mark |
//!
//! Bounds: the work is linear in the text's length (a test counts its steps), quotes, lists and spoilers stand
//! [`DEPTH_MAX`] deep in each other, and marks of one kind do not nest; so however a text is made, what comes of it is
//! shallow.

mod fence;
mod inline;
mod link;
mod list;
mod mark;
pub mod steps;

use crate::text;

/// How deep quotes, lists and spoilers stand in each other; what is deeper is text.
pub const DEPTH_MAX: usize = 4;
/// Bytes of a link's address; what is longer is text.
pub const URL_MAX: usize = 2_048;

/// A part of a message that has lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Lines of text. Line breaks in it are to be shown.
    Paragraph(Vec<Inline>),
    /// What somebody else has said.
    Quote(Vec<Block>),
    /// Items, and what stands before them.
    List(Marker, Vec<Vec<Block>>),
    /// Lines of code as they were written.
    Code {
        /// The rest of the line of the first fence: a language, and perhaps more, as it was written. To be shown.
        language: Option<String>,
        /// Without the last line break.
        text: String,
    },
    /// Hidden until one wants to see it: several lines. (One line is [`Mark::Spoiler`].)
    Spoiler(Vec<Block>),
}

/// The sign before the items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// `-`, `*` or `+`.
    Bullet(char),
    /// A number for each item, as it was written, and the sign behind it: `.` or `)`.
    Numbers(char, Vec<u16>),
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Text as it is to be shown.
    Text(String),
    /// Code as it is to be shown.
    Code(String),
    /// More of it, marked.
    Marked(Mark, Vec<Inline>),
    /// A link. There is no other in its label, and no address but its own.
    Link {
        /// An address of a scheme that does nothing but lead somewhere, without spaces and invisible characters.
        url: String,
        /// What is to be shown.
        label: Vec<Inline>,
    },
}

/// How a part of a line is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Strong.
    Bold,
    /// Stressed.
    Italic,
    /// Not valid any more.
    Strike,
    /// Hidden until one wants to see it.
    Spoiler,
}

/// Parses a message's text. Nothing fails: what cannot be understood is text.
#[must_use]
pub fn parse(text: &str) -> Vec<Block> {
    blocks(&text.lines().collect::<Vec<_>>(), 0)
}

/// What a message says, on one line and without marks, for where there is room for a line. What is hidden stays so.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut line = String::new();
    parse(text).iter().for_each(|block| plain_block(block, &mut line));
    line.truncate(line.trim_end().len());
    line
}

fn plain_block(block: &Block, line: &mut String) {
    match block {
        Block::Paragraph(parts) => plain_parts(parts, line),
        Block::Quote(blocks) => blocks.iter().for_each(|block| plain_block(block, line)),
        Block::List(marker, items) => {
            for (place, item) in items.iter().enumerate() {
                if let Marker::Numbers(sign, numbers) = marker {
                    line.push_str(&numbers[place].to_string());
                    line.push(*sign);
                    line.push(' ');
                }
                item.iter().for_each(|block| plain_block(block, line));
            }
        }
        Block::Code { language, text } => {
            // A language is known by what follows; more than that was meant to be read.
            if let Some(said) = language.as_deref().filter(|said| !fence::is_language(said)) {
                plain_text(said, line);
                line.push(' ');
            }
            plain_text(text, line);
        }
        Block::Spoiler(_) => line.push_str(HIDDEN),
    }
    if !line.ends_with(' ') {
        line.push(' ');
    }
}

/// Stands for what is hidden.
const HIDDEN: &str = "▒▒▒";

fn plain_parts(parts: &[Inline], line: &mut String) {
    for part in parts {
        match part {
            Inline::Text(text) | Inline::Code(text) => plain_text(text, line),
            Inline::Marked(Mark::Spoiler, _) => line.push_str(HIDDEN),
            Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => plain_parts(parts, line),
        }
    }
}

fn plain_text(text: &str, line: &mut String) {
    line.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
}

/// Lines of a block that stands among others.
struct Found<'a> {
    /// Text that stands before it on its first line.
    before: &'a str,
    block: Block,
    /// Text that stands behind it on its last line.
    after: &'a str,
    /// The first line behind it.
    next: usize,
}

fn blocks(lines: &[&str], depth: usize) -> Vec<Block> {
    let mut found = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut fences = fence::Fences::default();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        steps::took(line.len() + 1);
        match nested(lines, at, depth).or_else(|| fence::read(lines, at, &mut fences)) {
            Some(Found { before, block, after, next }) => {
                paragraph.extend(Some(before).filter(|before| !is_blank(before)));
                end_paragraph(&mut paragraph, &mut found);
                found.push(block);
                paragraph.extend(Some(after).filter(|after| !is_blank(after)));
                at = next;
                continue;
            }
            // Space between lines is kept as it was written, and around blocks there is enough.
            None if paragraph.is_empty() && is_blank(line) => {}
            None => paragraph.push(line),
        }
        at += 1;
    }
    end_paragraph(&mut paragraph, &mut found);
    found
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// A block that holds others, if one begins on this line.
fn nested<'a>(lines: &[&'a str], at: usize, depth: usize) -> Option<Found<'a>> {
    // Most lines begin with a letter.
    let first = *lines[at].trim_start().as_bytes().first()?;
    if depth >= DEPTH_MAX {
        return None;
    }
    let (block, next) = match first {
        b'>' => quote(lines, at, depth),
        b'|' => spoiler(lines, at, depth),
        b'-' | b'*' | b'+' | b'0'..=b'9' => list::read(lines, at, depth),
        _ => None,
    }?;
    Some(Found { before: "", block, after: "", next })
}

fn end_paragraph(lines: &mut Vec<&str>, found: &mut Vec<Block>) {
    while lines.pop_if(|line| is_blank(line)).is_some() {}
    if lines.is_empty() {
        return;
    }
    let parts = match &lines[..] {
        [line] => inline::parse(line),
        lines if !lines.iter().any(|line| is_blank(line)) => inline::parse(&lines.join("\n")),
        // No mark reaches over a blank line.
        lines => {
            let mut parts = Vec::new();
            for chunk in lines.chunk_by(|one, other| is_blank(one) == is_blank(other)) {
                if !parts.is_empty() {
                    parts.push(Inline::Text("\n".into()));
                }
                parts.append(&mut inline::parse(&chunk.join("\n")));
            }
            inline::join(parts)
        }
    };
    found.push(Block::Paragraph(parts));
    lines.clear();
}

/// Lines behind `> `, or behind `>` alone: `>:(` is none, and nor is `>50 %`.
fn quote(lines: &[&str], at: usize, depth: usize) -> Option<(Block, usize)> {
    let inside = |line: &&str| -> Option<usize> {
        let rest = line.trim_start();
        let behind = rest.strip_prefix('>')?;
        let is_quote = behind.trim_start_matches('>').chars().next().is_none_or(char::is_whitespace);
        steps::took(line.len());
        is_quote.then(|| line.len() - behind.strip_prefix(' ').unwrap_or(behind).len())
    };
    let quoted: Vec<_> = lines[at..].iter().map_while(|line| inside(line).map(|from| &line[from..])).collect();
    let next = at + quoted.len();
    let block = if quoted.is_empty() {
        return None;
    } else if quoted.iter().all(|line| line.trim_matches(['>', ' ', '\t']).is_empty()) {
        // Nothing is quoted: the signs are the text.
        Block::Paragraph(vec![Inline::Text(lines[at..next].join("\n"))])
    } else {
        Block::Quote(blocks(&quoted, depth + 1))
    };
    Some((block, next))
}

/// Lines between a line that begins with `||` and one that ends so, or one such line with spaces inside of it.
fn spoiler(lines: &[&str], at: usize, depth: usize) -> Option<(Block, usize)> {
    let first = lines[at].trim().strip_prefix("||")?;
    let has_marks = |line: &str| {
        steps::took(line.len());
        text::find(line, "||").is_some()
    };
    let (inside, next) = if let Some(line) = first.strip_suffix("||") {
        // Without spaces it is a mark within its line.
        let is_own = line.starts_with(' ') || line.ends_with(' ');
        (Some(vec![line]).filter(|_| is_own && !has_marks(line))?, at + 1)
    } else {
        let end = (at + 1..lines.len()).find(|line| has_marks(lines[*line])).filter(|_| !has_marks(first))?;
        let last = lines[end].trim_end().strip_suffix("||").filter(|last| !has_marks(last))?;
        let mut inside = vec![first];
        inside.extend(&lines[at + 1..end]);
        inside.push(last);
        (inside, end + 1)
    };
    let mut blocks = blocks(&inside, depth + 1);
    let block = match &mut blocks[..] {
        [] => return None,
        [Block::Paragraph(parts)] => Block::Paragraph(vec![Inline::Marked(Mark::Spoiler, std::mem::take(parts))]),
        _ => Block::Spoiler(blocks),
    };
    Some((block, next))
}

/// How wide the white space at a line's beginning is. A tab reaches to the next multiple of four.
fn indent(line: &str) -> usize {
    line.bytes()
        .map_while(|byte| Some((byte == b' ', byte == b'\t')).filter(|(space, tab)| *space || *tab))
        .fold(0, |width, (_, is_tab)| if is_tab { width / 4 * 4 + 4 } else { width + 1 })
}

/// A line without so much white space at its beginning.
fn outdented(line: &str, width: usize) -> &str {
    let mut at = 0;
    let is_inside = |byte: &u8| {
        let is_inside = at < width;
        match byte {
            b' ' => at += 1,
            b'\t' => at = at / 4 * 4 + 4,
            _ => return false,
        }
        is_inside
    };
    let cut = line.bytes().take_while(is_inside).count();
    &line[cut..]
}

#[cfg(test)]
mod tests;
