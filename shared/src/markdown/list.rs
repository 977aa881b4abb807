//! Lists, with each item's number as it was written.

use super::{Block, Marker, blocks, indent, is_blank, outdented, steps};

/// A line that begins an item.
struct Item<'a> {
    /// Column of the sign.
    indent: usize,
    /// Column of the text.
    offset: usize,
    /// `-`, `*`, `+`, or the sign behind a number.
    sign: char,
    number: u16,
    text: &'a str,
}

impl<'a> Item<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let rest = line.trim_start_matches([' ', '\t']);
        let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let is_sign = match digits {
            0 => |c| matches!(c, '-' | '*' | '+'),
            // A year at the end of a sentence is no list, and 007 is no number.
            1..=3 if digits == 1 || !number.starts_with('0') => |c| matches!(c, '.' | ')'),
            _ => return None,
        };
        let sign = behind.chars().next().filter(|sign| is_sign(*sign))?;
        let behind = &behind[1..];
        let text = behind.trim_start_matches([' ', '\t']);
        // (`***` and `- - -` are lines across the page elsewhere.)
        let is_rule = || {
            steps::took(rest.len());
            let signs = || rest.chars().filter(|c| !c.is_whitespace());
            text.starts_with(sign) && signs().all(|other| other == sign) && signs().count() > 2
        };
        if (text.len() == behind.len() && !text.is_empty()) || is_rule() {
            return None;
        }
        let indent = indent(line);
        let space = Some(behind.len() - text.len()).filter(|space| (1..=4).contains(space)).unwrap_or(1);
        Some(Self { indent, offset: indent + digits + 1 + space, sign, number: number.parse().unwrap_or(0), text })
    }
}

/// The list that begins on this line, and the first line behind it. (A sign without a text begins none.)
pub(super) fn read(lines: &[&str], at: usize, depth: usize) -> Option<(Block, usize)> {
    let mut item = Item::of(lines[at]).filter(|item| !item.text.is_empty())?;
    let (sign, mut width) = (item.sign, item.offset);
    let (mut items, mut numbers) = (Vec::new(), vec![item.number]);
    let mut inside = vec![item.text];
    let mut next = at + 1;
    while let Some(beyond) = (next..lines.len()).find(|line| !is_blank(lines[*line])) {
        let line = lines[beyond];
        steps::took(line.len() + beyond - next);
        if indent(line) >= item.indent + 2 {
            inside.extend(&lines[next..beyond]);
            // As deep as the first of them is, if that is less than the text.
            width = width.min(indent(line));
            inside.push(outdented(line, width));
        } else if let Some(sibling) = Item::of(line).filter(|sibling| sibling.sign == sign) {
            item = sibling;
            width = item.offset;
            numbers.push(item.number);
            items.push(blocks(&std::mem::replace(&mut inside, vec![item.text]), depth + 1));
        } else {
            break;
        }
        next = beyond + 1;
    }
    items.push(blocks(&inside, depth + 1));
    let marker = match sign {
        '.' | ')' => Marker::Numbers(sign, numbers),
        _ => Marker::Bullet(sign),
    };
    Some((Block::List(marker, items), next))
}
