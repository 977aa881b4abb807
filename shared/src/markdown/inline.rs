//! The parts of a line.
//!
//! One pass: marks that may begin something wait on a stack; one that may end something looks for its twin there, and
//! what was begun in between and not ended becomes text. A mark waits there once of each kind, so the stack is short.
//!
//! The work is linear in the text. A search that may fail and be made again further on, for the end of an address, of a
//! label's target or of code, is made once, and its result is kept: see [`Ahead`].

use super::link::{deceives, ends_address, has_scheme, is_host, is_web, leads, may_be_in_url, may_end_address};
use super::mark::{self, SIGNS, Sides, is_border, is_tight};
use super::{Inline, Mark, URL_MAX, link, steps};
use crate::text;

/// Signs with backslashes among them that are looked at together.
const RUN_MAX: usize = 8;

/// What waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// A mark, and the sign it is made of.
    Mark(Mark, char),
    /// A link's label.
    Label,
}

/// Something begun: how, as what it is written, and what has come since.
struct Open {
    opener: Opener,
    written: &'static str,
    /// Within a word: it ends there or nowhere.
    is_inner: bool,
    inside: Vec<Inline>,
}

pub(super) fn parse(text: &str) -> Vec<Inline> {
    let mut parser = Parser {
        text,
        at: 0,
        plain: String::new(),
        outside: Vec::new(),
        open: Vec::new(),
        inner: 0,
        ahead: Ahead::default(),
    };
    while let Some(next) = parser.rest().chars().next() {
        steps::took(1);
        parser.step(next);
    }
    parser.end_text();
    while !parser.open.is_empty() {
        parser.forget(0);
    }
    join(parser.outside)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Text that has not been put anywhere yet.
    plain: String,
    /// What stands in nothing.
    outside: Vec<Inline>,
    /// What has been begun, outermost first.
    open: Vec<Open>,
    /// How many of them end within their word.
    inner: usize,
    ahead: Ahead,
}

/// What is known of the text ahead of the parser.
#[derive(Default)]
struct Ahead {
    /// Where the run of address characters ends that the parser was in last; and the same where a `]` ends it, too.
    runs: [usize; 2],
    /// The round brackets of such a run in their order, each with its twin.
    brackets: Vec<(usize, Option<usize>)>,
    /// Up to here the brackets are known.
    brackets_end: usize,
    /// Where the last run of so many backticks begins, by their number. Empty: not looked for yet.
    backticks: Vec<usize>,
    /// Places where marks may begin and end.
    sides: Option<Sides>,
    /// End of the last label that may have a target.
    label_end: Option<usize>,
}

impl Ahead {
    /// Where the address that begins at `from` ends at the latest.
    fn run_end(&mut self, text: &str, from: usize, is_label: bool) -> usize {
        let end = &mut self.runs[usize::from(is_label)];
        // There is no end between an earlier beginning and its end.
        if from >= *end {
            let is_end = |c: char| !may_be_in_url(c) || ends_address(c) || (is_label && c == ']');
            *end = text[from..].find(is_end).map_or(text.len(), |length| from + length);
            steps::took(*end - from);
        }
        *end
    }

    /// The twin of the bracket that stands there, if nothing but an address is between them.
    fn twin(&mut self, text: &str, bracket: usize) -> Option<usize> {
        if bracket >= self.brackets_end {
            self.brackets.clear();
            self.brackets_end = text.len();
            let mut waiting = Vec::new();
            for (at, c) in text[bracket..].char_indices().map(|(at, c)| (bracket + at, c)) {
                steps::took(1);
                match c {
                    '(' => {
                        waiting.push(self.brackets.len());
                        self.brackets.push((at, None));
                    }
                    ')' => {
                        if let Some(opening) = waiting.pop() {
                            self.brackets[opening].1 = Some(at);
                        }
                    }
                    c if !may_be_in_url(c) => {
                        self.brackets_end = at;
                        break;
                    }
                    _ => {}
                }
            }
        }
        let place = self.brackets.binary_search_by_key(&bracket, |(opening, _)| *opening).ok()?;
        self.brackets[place].1
    }

    /// Whether so many backticks, and no more, stand together somewhere behind `from`.
    fn has_backticks(&mut self, text: &str, from: usize, count: usize) -> bool {
        if self.backticks.is_empty() {
            let mut at = from;
            while let Some(begin) = text[at..].find('`').map(|found| at + found) {
                let length = run(&text[begin..], '`');
                steps::took(begin + length - at);
                if self.backticks.len() <= length {
                    self.backticks.resize(length + 1, 0);
                }
                self.backticks[length] = begin;
                at = begin + length;
            }
            steps::took(text.len() - at);
            // Not empty any more.
            self.backticks.push(0);
        }
        self.backticks.get(count).is_some_and(|last| *last >= from)
    }
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn before(&self) -> Option<char> {
        self.text[..self.at].chars().next_back()
    }

    fn step(&mut self, next: char) {
        match next {
            '\\' => self.escape(),
            '`' => self.code(),
            '*' | '_' | '~' | '|' => self.mark(next),
            '[' => self.begin_label(),
            ']' => self.end_label(),
            '<' => self.bracketed(),
            'h' | 'H' if is_web(self.rest()) && is_border(self.before()) => self.bare(""),
            'w' | 'W' if link::begins(self.rest(), "www.") && self.begins_name() => self.bare("https://"),
            _ if self.inner > 0 => {
                if next.is_whitespace() {
                    self.end_word();
                }
                self.text(next.len_utf8());
            }
            // Most of a text is letters.
            _ => {
                let is_text = |byte: &u8| {
                    !matches!(
                        byte,
                        b'\\' | b'`' | b'*' | b'_' | b'~' | b'|' | b'[' | b']' | b'<' | b'h' | b'H' | b'w' | b'W'
                    )
                };
                let more = self.rest().bytes().skip(next.len_utf8()).take_while(is_text).count();
                self.text(next.len_utf8() + more);
            }
        }
    }

    /// The next bytes are text.
    fn text(&mut self, bytes: usize) {
        steps::took(bytes);
        self.plain.push_str(&self.rest()[..bytes]);
        self.at += bytes;
    }

    fn end_text(&mut self) {
        if !self.plain.is_empty() {
            let text = Inline::Text(std::mem::take(&mut self.plain));
            self.put(text);
        }
    }

    /// Puts a part where it stands. Text that came before it goes first.
    fn put(&mut self, part: Inline) {
        self.open.last_mut().map_or(&mut self.outside, |open| &mut open.inside).push(part);
    }

    /// What was begun there is text after all. What was begun within may still end.
    fn forget(&mut self, place: usize) {
        self.end_text();
        let Open { written, inside, is_inner, .. } = self.open.remove(place);
        self.inner -= usize::from(is_inner);
        steps::took(1 + inside.len());
        let around = place.checked_sub(1).map_or(&mut self.outside, |place| &mut self.open[place].inside);
        around.push(Inline::Text(written.to_owned()));
        around.extend(inside);
    }

    fn begin(&mut self, opener: Opener, written: &'static str, is_inner: bool) {
        self.end_text();
        self.inner += usize::from(is_inner);
        self.open.push(Open { opener, written, is_inner, inside: Vec::new() });
        self.at += written.len();
    }

    /// Makes text of marks that were begun within a word that ends here.
    fn end_word(&mut self) {
        while let Some(place) = self.open.iter().position(|open| open.is_inner) {
            self.forget(place);
        }
    }

    /// Ends what stands at this place of the stack, and gives what is in it.
    fn end(&mut self, place: usize) -> Vec<Inline> {
        self.end_text();
        while self.open.len() > place + 1 {
            self.forget(place + 1);
        }
        self.open.pop().map_or_else(Vec::new, |open| {
            self.inner -= usize::from(open.is_inner);
            join(open.inside)
        })
    }

    fn place(&self, opener: Opener) -> Option<usize> {
        self.open.iter().rposition(|open| open.opener == opener)
    }

    /// Backslashes. They are escapes where the sign behind them would be a mark, and text elsewhere: in paths, in regular
    /// expressions, in faces.
    fn escape(&mut self) {
        let rest = self.rest();
        let count = run(rest, '\\');
        let Some(sign) = rest[count..].chars().next().filter(char::is_ascii_punctuation) else {
            return self.text(count);
        };
        let before = self.before();
        let (signs, length) = mark::escaped_run(&rest[count..], sign, RUN_MAX);
        steps::took(length);
        let behind = &rest[count + 1..];
        let is_mark = match sign {
            '`' => true,
            '[' => {
                let text = self.text;
                let last = || {
                    steps::took(text.len());
                    text.as_bytes().windows(2).rposition(|pair| pair == b"](").unwrap_or(0)
                };
                *self.ahead.label_end.get_or_insert_with(last) > self.at
            }
            ']' => behind.starts_with('('),
            '(' => before == Some(']') && has_scheme(behind),
            '<' => has_scheme(behind),
            '>' | '-' | '+' | '.' | ')' => {
                self.begins_block(sign) && behind.chars().next().is_none_or(char::is_whitespace)
            }
            _ => match SIGNS.iter().find(|(other, _)| *other == sign) {
                None => false,
                Some((_, least)) => {
                    let sides = mark::sides(sign, signs, before, &rest[count + length..]);
                    let text = self.text;
                    let is_run = |byte: &u8| char::from(*byte) == sign || *byte == b'\\';
                    let all = self.ahead.sides.get_or_insert_with(|| Sides::of(text));
                    // (Where the run began that the backslashes stand in.)
                    let begin = self.at - text[..self.at].bytes().rev().take(RUN_MAX).take_while(is_run).count();
                    (signs >= *least && all.has_twin(sign, begin, self.at, sides))
                        || (sign == '*' && self.begins_block(sign) && behind.starts_with(' '))
                        || (sign == '~' && signs > 2 && self.begins_block(sign))
                }
            },
        };
        if !is_mark {
            // A sign that would be no mark here is none without the backslash.
            let is_sign = SIGNS.iter().any(|(other, _)| *other == sign);
            return self.text(if is_sign { count + length } else { count });
        }
        self.plain.push_str(&rest[..count / 2]);
        self.at += count;
        if count % 2 == 1 {
            self.text(1);
        }
        // The others of the run, each with its own.
        while count % 2 == 1 && self.rest().starts_with('\\') && self.rest()[1..].starts_with(sign) {
            self.at += 1;
            self.text(1);
        }
    }

    /// Whether a sign here would begin a quote, an item or a block of code: it stands first on its line, or behind a number.
    fn begins_block(&self, sign: char) -> bool {
        let mut before = &self.text.as_bytes()[..self.at];
        if matches!(sign, '.' | ')') {
            let digits = before.iter().rev().take(4).take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=3).contains(&digits) {
                return false;
            }
            before = &before[..before.len() - digits];
        }
        let spaces = before.iter().rev().take(4).take_while(|byte| **byte == b' ').count();
        before[..before.len() - spaces].last().is_none_or(|byte| *byte == b'\n')
    }

    /// Whether an address without a scheme may begin here.
    fn begins_name(&self) -> bool {
        let before = self.before();
        is_border(before) && !before.is_some_and(|c| "/.@:-=&#".contains(c))
    }

    fn code(&mut self) {
        let rest = self.rest();
        let count = run(rest, '`');
        let (mut from, inside) = (count, &rest[count..]);
        if !self.ahead.has_backticks(self.text, self.at + count, count) {
            return self.text(count);
        }
        loop {
            let Some(next) = rest[from..].find('`').map(|at| from + at) else { return self.text(count) };
            let found = run(&rest[next..], '`');
            steps::took(next + found - from);
            if found == count {
                let code = &inside[..next - count];
                // One space on each side lets it begin or end with a backtick.
                let bare = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
                let code = bare.filter(|code| !code.trim().is_empty()).unwrap_or(code);
                self.end_text();
                self.put(Inline::Code(code.to_owned()));
                self.at += next + count;
                return;
            }
            from = next + found;
        }
    }

    fn mark(&mut self, sign: char) {
        let rest = self.rest();
        let count = run(rest, sign);
        let (single, double) = match sign {
            '*' => (Some((Mark::Italic, "*")), (Mark::Bold, "**")),
            '_' => (Some((Mark::Italic, "_")), (Mark::Bold, "__")),
            '~' => (None, (Mark::Strike, "~~")),
            _ => (None, (Mark::Spoiler, "||")),
        };
        if count > if single.is_some() { 3 } else { 2 } {
            return self.text(count);
        }
        let (before, rest) = (self.before(), &rest[count..]);
        let (may_begin, may_end) = mark::sides(sign, count, before, rest);
        let mut left = count;
        while may_end && left > 0 {
            let ends = |(mark, written): (Mark, &'static str)| {
                let place = self.place(Opener::Mark(mark, sign)).filter(|_| written.len() <= left)?;
                Some((place, mark, written))
            };
            let found = match (single.and_then(ends), ends(double)) {
                // Of three, the innermost first; two belong together.
                (Some(one), Some(two)) => Some(if left > 2 && one.0 > two.0 { one } else { two }),
                (one, two) => one.or(two),
            };
            let Some((place, mark, written)) = found else { break };
            let inside = self.end(place);
            // `**`, `*.*` and `*_*` mark nothing.
            let is_bare =
                |text: &str| matches!(sign, '*' | '_') && text.bytes().all(|byte| byte.is_ascii_punctuation());
            if inside.is_empty() {
                self.put(Inline::Text(format!("{written}{written}")));
            } else if let [Inline::Text(text)] = &inside[..]
                && is_bare(text)
            {
                steps::took(text.len());
                self.put(Inline::Text(format!("{written}{text}{written}")));
            } else {
                self.put(Inline::Marked(mark, inside));
            }
            self.at += written.len();
            left -= written.len();
        }
        let is_tight = |c: Option<char>| c.is_some_and(is_tight);
        let is_inner = sign != '|' && is_tight(before) && is_tight(rest.chars().next());
        while may_begin && left > 0 {
            let is_new = |(mark, written): &(Mark, &'static str)| {
                written.len() <= left && self.place(Opener::Mark(*mark, sign)).is_none()
            };
            let Some((mark, written)) = Some(double).filter(is_new).or(single.filter(is_new)) else { break };
            self.begin(Opener::Mark(mark, sign), written, is_inner);
            left -= written.len();
        }
        self.text(left);
    }

    fn begin_label(&mut self) {
        // The last bracket counts.
        if let Some(place) = self.place(Opener::Label) {
            self.forget(place);
        }
        self.begin(Opener::Label, "[", false);
    }

    fn end_label(&mut self) {
        let Some(place) = self.place(Opener::Label) else { return self.text(1) };
        let Some((url, length)) = self.target() else {
            self.forget(place);
            return self.text(1);
        };
        let mut label = self.end(place);
        // A label that tells another address than it leads to is text, and its address is a link of its own.
        if label.is_empty() || deceives(&label, url) {
            self.put(Inline::Text("[".into()));
            label.into_iter().for_each(|part| self.put(part));
            return self.text(1);
        }
        link::unlink(&mut label);
        self.put(Inline::Link { url: url.to_owned(), label });
        self.at += "](".len() + length + ")".len();
    }

    /// The address behind a label that ends here, and how long it is with the signs around it.
    fn target(&mut self) -> Option<(&'a str, usize)> {
        let (text, bracket) = (self.text, self.at + 1);
        let inside = text[bracket..].strip_prefix('(')?;
        if let Some(inside) = inside.strip_prefix('<') {
            let url = angle(inside)?;
            return inside[url.len() + 1..].starts_with(')').then_some((url, url.len() + 2));
        }
        // Looked at first, so that not every bracket is a reason to look for its twin.
        if !has_scheme(inside) {
            return None;
        }
        let length = self.ahead.twin(text, bracket)? - (bracket + 1);
        (length <= URL_MAX && leads(&inside[..length])).then(|| (&inside[..length], length))
    }

    /// `<https://…>`
    fn bracketed(&mut self) {
        match angle(&self.rest()[1..]) {
            Some(url) => {
                self.link("", url, 1);
                self.at += 1;
            }
            None => self.text(1),
        }
    }

    /// An address as it stands there, without what more likely belongs to the sentence. `scheme` is the one it lacks.
    fn bare(&mut self, scheme: &str) {
        let rest = self.rest();
        // Within a label its end is not part of the address.
        let is_label = self.place(Opener::Label).is_some();
        let end = self.ahead.run_end(self.text, self.at, is_label) - self.at;
        if end > URL_MAX {
            return self.text(1);
        }
        let mut url = &rest[..end];
        if !(if scheme.is_empty() { leads(url) } else { is_name(url) }) {
            return self.text(1);
        }
        steps::took(end);
        // Marks that wait for their end have it in the address, or behind it.
        for open in &self.open {
            if matches!(open.written, "**" | "~~" | "||") {
                steps::took(url.len());
                url = text::find(url, open.written).map_or(url, |end| &url[..end]);
            }
        }
        let count = |sign: char| url.matches(sign).count();
        let mut brackets = [(')', '('), (']', '['), ('}', '{')].map(|(end, begin)| (end, count(begin), count(end)));
        let mut marks = SIGNS.map(|(sign, _)| {
            let is_it = |open: &&Open| open.written.starts_with(sign);
            (sign, self.open.iter().filter(is_it).map(|open| open.written.len()).sum::<usize>())
        });
        while let Some(last) = url.chars().next_back() {
            let is_outside = may_end_address(last)
                || brackets.iter_mut().any(|(end, opening, closing)| {
                    let is_alone = *end == last && closing > opening;
                    *closing -= usize::from(is_alone);
                    is_alone
                })
                || marks.iter_mut().any(|(sign, waiting)| {
                    let is_end = *sign == last && *waiting > 0;
                    *waiting -= usize::from(is_end);
                    is_end
                });
            if !is_outside {
                break;
            }
            url = &url[..url.len() - last.len_utf8()];
        }
        self.link(scheme, url, 0);
    }

    /// A link that shows where it leads to.
    fn link(&mut self, scheme: &str, url: &str, skip: usize) {
        self.end_text();
        steps::took(url.len());
        self.put(Inline::Link { url: format!("{scheme}{url}"), label: vec![Inline::Text(url.to_owned())] });
        self.at += skip + url.len();
    }
}

/// The address up to the next `>`.
fn angle(text: &str) -> Option<&str> {
    let url = text.split(|c: char| !may_be_in_url(c)).next().unwrap_or_default();
    steps::took(url.len());
    (url.len() <= URL_MAX && leads(url) && text[url.len()..].starts_with('>')).then_some(url)
}

/// Whether this is an address but for its scheme: `www.`, a name, a dot, a name.
fn is_name(url: &str) -> bool {
    let host = url.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host.get(4..).unwrap_or_default();
    name.starts_with(char::is_alphanumeric)
        && name.split_once('.').is_some_and(|(_, end)| end.starts_with(char::is_alphanumeric))
        && is_host(host)
}

/// How often the sign stands at the beginning.
fn run(text: &str, sign: char) -> usize {
    let count = text.bytes().take_while(|byte| char::from(*byte) == sign).count();
    steps::took(count);
    count
}

/// Makes one text of those that stand beside each other.
pub(super) fn join(parts: Vec<Inline>) -> Vec<Inline> {
    steps::took(parts.len());
    if !parts.windows(2).any(|pair| matches!(pair, [Inline::Text(_), Inline::Text(_)])) {
        return parts;
    }
    let mut joined: Vec<Inline> = Vec::with_capacity(parts.len());
    for part in parts {
        steps::took(1);
        match (joined.last_mut(), part) {
            (Some(Inline::Text(text)), Inline::Text(more)) => {
                steps::took(more.len());
                text.push_str(&more);
            }
            (_, part) => joined.push(part),
        }
    }
    joined
}
