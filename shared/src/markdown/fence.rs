//! Blocks of code between fences.
//!
//! A fence is a line of its own, as in CommonMark. In chats three backticks also stand behind text, behind code, or with text
//! behind them; they open or close a block where all runs of backticks come out even, so that inside and outside never
//! change places. (`` `x` `` and ```` ```x``` ```` on one line are code within the line.)

use super::{Block, Found, indent, is_blank, outdented, steps};
use crate::text;
use std::ops::Range;

/// Characters of a language.
const LANGUAGE_MAX: usize = 24;
/// Bytes behind a fence that are shown beside the code; what is longer is its first line.
const INFO_BYTES_MAX: usize = 80;

/// Fences behind each line, looked for at the first fence.
#[derive(Default)]
pub(super) struct Fences {
    /// Whether an odd number of runs of backticks follows, and how long the longest fence of `~` is.
    behind: Vec<(bool, usize)>,
}

impl Fences {
    fn behind(&mut self, lines: &[&str], at: usize) -> (bool, usize) {
        if self.behind.is_empty() {
            let (mut is_odd, mut tildes) = (false, 0);
            for line in lines.iter().rev() {
                self.behind.push((is_odd, tildes));
                is_odd ^= ticks(line).0 % 2 == 1;
                tildes = tildes.max(alone(line, b'~'));
            }
            self.behind.reverse();
        }
        self.behind[at]
    }
}

/// How many runs of three and more backticks stand in a line, and where the first one is.
fn ticks(line: &str) -> (usize, Range<usize>) {
    let (mut count, mut first, mut from) = (0, 0..0, 0);
    while let Some(begin) = text::find(&line[from..], "```").map(|at| from + at) {
        from = begin + run(&line[begin..], b'`');
        if count == 0 {
            first = begin..from;
        }
        count += 1;
    }
    steps::took(line.len());
    (count, first)
}

fn run(text: &str, sign: u8) -> usize {
    text.bytes().take_while(|byte| *byte == sign).count()
}

/// How often the sign stands in a line that has no other; 0: it has.
fn alone(line: &str, sign: u8) -> usize {
    let line = line.trim();
    steps::took(line.len());
    Some(run(line, sign)).filter(|count| *count == line.len()).unwrap_or(0)
}

/// Whether it is one word: letters, digits and `+#-_.`.
pub(super) fn is_language(info: &str) -> bool {
    info.len() <= LANGUAGE_MAX && info.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+#-_.".contains(&byte))
}

/// The block of code that begins on this line.
pub(super) fn read<'a>(lines: &[&'a str], at: usize, fences: &mut Fences) -> Option<Found<'a>> {
    let line = lines[at];
    let (sign, fence) = if line.as_bytes().contains(&b'`') {
        let (count, fence) = ticks(line);
        (b'`', Some(fence).filter(|_| count == 1)?)
    } else if line.trim_start().starts_with("~~~") {
        let begin = line.len() - line.trim_start().len();
        (b'~', begin..begin + run(&line[begin..], b'~'))
    } else {
        return None;
    };
    let length = fence.len();
    // A block that has no line is none.
    if length < 3 || at + 1 == lines.len() {
        return None;
    }
    let (before, info, width) = (&line[..fence.start], line[fence.end..].trim(), indent(line));
    if info.as_bytes().contains(&sign) {
        return None;
    }
    let is_language = is_language(info);
    let opens = match sign {
        b'~' => fences.behind(lines, at).1 >= length,
        _ if is_blank(before) => is_language || fences.behind(lines, at).0,
        _ => is_language && length == 3 && fences.behind(lines, at).0,
    };
    if !opens {
        return None;
    }
    let (mut code, mut after, mut next) = (Vec::new(), "", lines.len());
    let mut is_label = info.len() <= INFO_BYTES_MAX;
    for (at, line) in lines.iter().enumerate().skip(at + 1) {
        let has_sign = line.as_bytes().contains(&sign);
        if has_sign && alone(line, sign) >= length && indent(line) < width + 4 {
            next = at + 1;
            break;
        }
        if has_sign && sign == b'`' && length == 3 {
            let (count, end) = ticks(line);
            if count == 1 && end.len() == 3 && !fences.behind(lines, at).0 {
                code.extend(Some(outdented(&line[..end.start], width)).filter(|code| !is_blank(code)));
                (after, next) = (line[end.end..].trim_start(), at + 1);
                is_label &= is_language;
                break;
            }
        }
        code.push(outdented(line, width));
    }
    if !is_label {
        code.insert(0, info);
    }
    let language = Some(info).filter(|info| is_label && !info.is_empty()).map(str::to_owned);
    let text = code.join("\n");
    steps::took(text.len() + 1);
    Some(Found { before, block: Block::Code { language, text }, after, next })
}
