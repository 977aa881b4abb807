//! The parts of a line.
//!
//! One pass: marks that may begin something wait on a stack; one that may end something looks for its twin there, and
//! what was begun in between and not ended becomes text. A mark waits there once of each kind, so the stack is short.
//!
//! The work is linear in the text. A search that may fail and be made again further on, for the end of an address, of a
//! label's target or of code, is made once, and its result is kept: see [`Ahead`].

use super::{Inline, Mark, URL_MAX, steps};

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
    inside: Vec<Inline>,
}

pub(super) fn parse(text: &str) -> Vec<Inline> {
    let mut parser =
        Parser { text, at: 0, plain: String::new(), outside: Vec::new(), open: Vec::new(), ahead: Ahead::default() };
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
}

impl Ahead {
    /// Where the address that begins at `from` ends at the latest.
    fn run_end(&mut self, text: &str, from: usize, is_label: bool) -> usize {
        let end = &mut self.runs[usize::from(is_label)];
        // There is no end between an earlier beginning and its end.
        if from >= *end {
            let is_end = |c: char| !may_be_in_url(c) || (is_label && c == ']');
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
            'h' | 'H' if !self.before().is_some_and(char::is_alphanumeric) => self.bare(),
            _ => self.text(next.len_utf8()),
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
        let Open { written, inside, .. } = self.open.remove(place);
        steps::took(1 + inside.len());
        let around = place.checked_sub(1).map_or(&mut self.outside, |place| &mut self.open[place].inside);
        around.push(Inline::Text(written.to_owned()));
        around.extend(inside);
    }

    fn begin(&mut self, opener: Opener, written: &'static str) {
        self.end_text();
        self.open.push(Open { opener, written, inside: Vec::new() });
        self.at += written.len();
    }

    /// Ends what stands at this place of the stack, and gives what is in it.
    fn end(&mut self, place: usize) -> Vec<Inline> {
        self.end_text();
        while self.open.len() > place + 1 {
            self.forget(place + 1);
        }
        self.open.pop().map_or_else(Vec::new, |open| join(open.inside))
    }

    fn place(&self, opener: Opener) -> Option<usize> {
        self.open.iter().rposition(|open| open.opener == opener)
    }

    /// A sign that means nothing but itself.
    fn escape(&mut self) {
        match self.rest()[1..].chars().next() {
            Some(sign) if sign.is_ascii_punctuation() => {
                self.at += 1;
                self.text(1);
            }
            _ => self.text(1),
        }
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
        let before = self.before();
        let after = rest[count..].chars().next();
        let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        // Within a word of Latin letters one sign is a part of it, and `_` always is.
        let is_loose = |neighbour| !is_word(neighbour) || (sign != '_' && count > 1);
        let (may_begin, may_end) = (!is_space(after) && is_loose(before), !is_space(before) && is_loose(after));
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
            if inside.is_empty() {
                self.put(Inline::Text(format!("{written}{written}")));
            } else {
                self.put(Inline::Marked(mark, inside));
            }
            self.at += written.len();
            left -= written.len();
        }
        while may_begin && left > 0 {
            let is_new = |(mark, written): &(Mark, &'static str)| {
                written.len() <= left && self.place(Opener::Mark(*mark, sign)).is_none()
            };
            let Some((mark, written)) = Some(double).filter(is_new).or(single.filter(is_new)) else { break };
            self.begin(Opener::Mark(mark, sign), written);
            left -= written.len();
        }
        self.text(left);
    }

    fn begin_label(&mut self) {
        // The last bracket counts.
        if let Some(place) = self.place(Opener::Label) {
            self.forget(place);
        }
        self.begin(Opener::Label, "[");
    }

    fn end_label(&mut self) {
        let Some(place) = self.place(Opener::Label) else { return self.text(1) };
        let Some(url) = self.target() else {
            self.forget(place);
            return self.text(1);
        };
        let label = self.end(place);
        // A label that is an address itself would tell another one than it leads to.
        if label.is_empty() || label.iter().any(has_address) {
            self.put(Inline::Text("[".into()));
            label.into_iter().for_each(|part| self.put(part));
            return self.text(1);
        }
        self.put(Inline::Link { url: url.to_owned(), label });
        self.at += "](".len() + url.len() + ")".len();
    }

    /// The address behind a label that ends here.
    fn target(&mut self) -> Option<&'a str> {
        let (text, bracket) = (self.text, self.at + 1);
        // Looked at first, so that not every bracket is a reason to look for its twin.
        let url = text[bracket..].strip_prefix('(').filter(|url| leads(url))?;
        let length = self.ahead.twin(text, bracket)? - (bracket + 1);
        (length <= URL_MAX).then(|| &url[..length])
    }

    /// `<https://…>`
    fn bracketed(&mut self) {
        let url = self.rest()[1..].split(|c: char| c == '>' || !may_be_in_url(c)).next().unwrap_or_default();
        steps::took(url.len());
        if url.len() <= URL_MAX && leads(url) && self.rest()[1 + url.len()..].starts_with('>') {
            self.link(url, 1);
            self.at += 1;
        } else {
            self.text(1);
        }
    }

    /// An address as it stands there, without what more likely belongs to the sentence.
    fn bare(&mut self) {
        let rest = self.rest();
        // Looked at first, so that not every letter is a reason to look for an end.
        if !SCHEMES[..2].iter().any(|scheme| begins(rest, scheme)) || !leads(rest) {
            return self.text(1);
        }
        // Within a label its end is not part of the address.
        let is_label = self.place(Opener::Label).is_some();
        let end = self.ahead.run_end(self.text, self.at, is_label) - self.at;
        if end > URL_MAX {
            return self.text(1);
        }
        let mut url = &rest[..end];
        steps::took(end);
        let count = |sign: char| url.matches(sign).count();
        let (mut round, mut square) = ((count('('), count(')')), (count('['), count(']')));
        while let Some(last) = url.chars().next_back() {
            let is_outside = match last {
                ')' => take_alone(&mut round),
                ']' => take_alone(&mut square),
                _ => ".,:;!?'*_~|".contains(last),
            };
            if !is_outside {
                break;
            }
            url = &url[..url.len() - last.len_utf8()];
        }
        self.link(url, 0);
    }

    /// A link that shows where it leads to.
    fn link(&mut self, url: &str, skip: usize) {
        self.end_text();
        steps::took(url.len());
        self.put(Inline::Link { url: url.to_owned(), label: vec![Inline::Text(url.to_owned())] });
        self.at += skip + url.len();
    }
}

/// Takes away a closing bracket that has no twin, if there is one more of them.
fn take_alone((opening, closing): &mut (usize, usize)) -> bool {
    let is_alone = closing > opening;
    *closing -= usize::from(is_alone);
    is_alone
}

/// How often the sign stands at the beginning.
fn run(text: &str, sign: char) -> usize {
    let count = text.bytes().take_while(|byte| char::from(*byte) == sign).count();
    steps::took(count);
    count
}

/// Schemes that do nothing but lead somewhere; those of the web first.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

fn begins(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
}

/// Whether a text begins as an address does that leads somewhere, and does nothing else.
fn leads(text: &str) -> bool {
    let rest = SCHEMES.iter().find(|scheme| begins(text, scheme)).map(|scheme| &text[scheme.len()..]);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

/// No spaces, no controls, nothing that cannot be seen or turns the direction of what follows.
fn may_be_in_url(c: char) -> bool {
    !(crate::text::is_invisible(c) || matches!(c, '<' | '>' | '"' | '`' | '\\'))
}

/// Whether a reader may take this for an address.
fn has_address(part: &Inline) -> bool {
    steps::took(1);
    match part {
        Inline::Text(text) | Inline::Code(text) => {
            steps::took(text.len());
            text.contains("://")
        }
        Inline::Marked(_, parts) => parts.iter().any(has_address),
        Inline::Link { .. } => true,
    }
}

/// Makes one text of those that stand beside each other.
fn join(parts: Vec<Inline>) -> Vec<Inline> {
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
