//! What people write between the lines: **bold**, lists, code. Parsed once, into nodes; never into HTML.
//!
//! The dialect is that of chats, not of documents (compare [CommonMark](https://spec.commonmark.org)): a line break
//! stays one, there are no headings, no pictures and no HTML, and what makes no sense is text as it was written.
//!
//! | written | is |
//! | --- | --- |
//! | `**bold**` `__bold__` | bold |
//! | `*italic*` `_italic_` | italic; within words of Latin letters the marks are text |
//! | `~~gone~~` | struck through |
//! | `\|\|hidden\|\|` | a spoiler |
//! | `` `code` `` | code, in as many backticks as it takes |
//! | a line of ```` ``` ```` with a language, up to the next such line or the end | a block of code |
//! | `> ` before lines | a quote |
//! | `- `, `* `, `+ `, `1. `, `1) ` before lines, deeper by two spaces | a list |
//! | `https://…`, `[label](https://…)` | a link: `http`, `https` and `mailto` alone |
//! | `\*` | the sign itself |
//!
//! Bounds: the work is linear in the text's length (a test counts its steps), quotes and lists stand [`DEPTH_MAX`] deep
//! in each other, and marks of one kind do not nest; so however a text is made, what comes of it is shallow.

mod inline;
pub mod steps;

use std::iter::Peekable;

/// How deep quotes and lists stand in each other; what is deeper is text.
pub const DEPTH_MAX: usize = 4;
/// Bytes of a link's address; what is longer is text.
pub const URL_MAX: usize = 2_048;
/// Characters of a block's language.
const LANGUAGE_MAX: usize = 24;

/// A part of a message that has lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Lines of text. Line breaks in it are to be shown.
    Paragraph(Vec<Inline>),
    /// What somebody else has said.
    Quote(Vec<Block>),
    /// Items, with the first one's number if they are numbered.
    List(Option<u32>, Vec<Vec<Block>>),
    /// Lines of code as they were written.
    Code {
        /// In lower case: letters, digits and `+#-_.`.
        language: Option<String>,
        /// Without the last line break.
        text: String,
    },
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
    /// A link. There is no other in its label.
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
        Block::List(_, items) => items.iter().flatten().for_each(|block| plain_block(block, line)),
        Block::Code { text, .. } => plain_text(text, line),
    }
    if !line.ends_with(' ') {
        line.push(' ');
    }
}

fn plain_parts(parts: &[Inline], line: &mut String) {
    for part in parts {
        match part {
            Inline::Text(text) | Inline::Code(text) => plain_text(text, line),
            Inline::Marked(Mark::Spoiler, _) => line.push_str("▒▒▒"),
            Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => plain_parts(parts, line),
        }
    }
}

fn plain_text(text: &str, line: &mut String) {
    line.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
}

fn blocks(lines: &[&str], depth: usize) -> Vec<Block> {
    let mut found = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut lines = lines.iter().copied().peekable();
    while let Some(line) = lines.next() {
        steps::took(line.len() + 1);
        let block = if let Some(language) = fence(line) {
            Some(code(language, &mut lines))
        } else if depth < DEPTH_MAX && line.starts_with('>') {
            Some(quote(line, &mut lines, depth))
        } else if depth < DEPTH_MAX
            && let Some(item) = Item::of(line)
        {
            Some(list(item, &mut lines, depth))
        } else {
            None
        };
        match block {
            Some(block) => {
                end_paragraph(&mut paragraph, &mut found);
                found.push(block);
            }
            // Space between lines is kept as it was written, and around blocks there is enough.
            None if paragraph.is_empty() && line.trim().is_empty() => {}
            None => paragraph.push(line),
        }
    }
    end_paragraph(&mut paragraph, &mut found);
    found
}

fn end_paragraph(lines: &mut Vec<&str>, found: &mut Vec<Block>) {
    while lines.pop_if(|line| line.trim().is_empty()).is_some() {}
    if !lines.is_empty() {
        found.push(Block::Paragraph(inline::parse(&lines.join("\n"))));
        lines.clear();
    }
}

/// The language behind three backticks, if the line is nothing else.
fn fence(line: &str) -> Option<Option<String>> {
    let language = line.trim_end().strip_prefix("```")?.trim_start();
    let is_language = |c: char| c.is_ascii_alphanumeric() || "+#-_.".contains(c);
    let is_good = language.len() <= LANGUAGE_MAX && language.chars().all(is_language);
    is_good.then(|| Some(language.to_ascii_lowercase()).filter(|language| !language.is_empty()))
}

fn code<'a>(language: Option<String>, lines: &mut impl Iterator<Item = &'a str>) -> Block {
    let inside: Vec<_> = lines.take_while(|line| line.trim_end() != "```").collect();
    let text = inside.join("\n");
    steps::took(text.len() + 1);
    Block::Code { language, text }
}

fn quote<'a>(first: &'a str, lines: &mut Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Block {
    let inside = |line: &'a str| {
        let rest = line.strip_prefix('>')?;
        Some(rest.strip_prefix(' ').unwrap_or(rest))
    };
    let mut quoted = vec![inside(first).unwrap_or(first)];
    while let Some(line) = lines.peek().copied().and_then(inside) {
        quoted.push(line);
        lines.next();
    }
    Block::Quote(blocks(&quoted, depth + 1))
}

/// A line that begins an item of a list.
#[derive(Clone, Copy)]
struct Item<'a> {
    number: Option<u32>,
    text: &'a str,
}

impl<'a> Item<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = match digits {
            0 => (None, line.strip_prefix(['-', '*', '+'])?),
            // A year at the end of a sentence is no list.
            1..=3 => (line[..digits].parse().ok(), line[digits..].strip_prefix(['.', ')'])?),
            _ => return None,
        };
        let text = rest.strip_prefix(' ')?.trim_start();
        (!text.is_empty()).then_some(Self { number, text })
    }
}

fn list<'a>(first: Item<'a>, lines: &mut Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Block {
    let mut items = Vec::new();
    let mut item = vec![first.text];
    while let Some(line) = lines.peek().copied() {
        if let Some(inside) = line.strip_prefix("  ") {
            item.push(inside);
        } else if let Some(next) = Item::of(line).filter(|next| next.number.is_some() == first.number.is_some()) {
            items.push(blocks(&std::mem::replace(&mut item, vec![next.text]), depth + 1));
        } else {
            break;
        }
        lines.next();
    }
    items.push(blocks(&item, depth + 1));
    Block::List(first.number, items)
}

#[cfg(test)]
mod tests;
