//! The parts of a line.
//!
//! One pass: marks that may begin something wait on a stack; one that may end something looks for its twin there, and
//! what was begun in between and not ended becomes text. A mark waits there once of each kind, so the stack is short.

use super::{Inline, Mark, URL_MAX};

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
        Parser { text, at: 0, plain: String::new(), outside: Vec::new(), open: Vec::new(), endless: Vec::new() };
    while let Some(next) = parser.rest().chars().next() {
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
    /// So many backticks begin no code, because none end it. (Few: each number needs as many of them.)
    endless: Vec<usize>,
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
        // What had no end before has none now: there is less left.
        if self.endless.contains(&count) {
            return self.text(count);
        }
        loop {
            let Some(next) = rest[from..].find('`').map(|at| from + at) else {
                self.endless.push(count);
                return self.text(count);
            };
            let found = run(&rest[next..], '`');
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
        let target = self.rest()[1..].strip_prefix('(').and_then(target);
        let Some(url) = target.filter(|url| is_good(url)) else {
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

    /// `<https://…>`
    fn bracketed(&mut self) {
        let url = self.rest()[1..].split(|c: char| c == '>' || !may_be_in_url(c)).next().unwrap_or_default();
        if url.len() <= URL_MAX && is_good(url) && self.rest()[1 + url.len()..].starts_with('>') {
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
        if !SCHEMES[..2].iter().any(|scheme| begins(rest, scheme)) {
            return self.text(1);
        }
        // Within a label its end is not part of the address.
        let is_label = self.place(Opener::Label).is_some();
        let is_end = |(at, c): &(usize, char)| *at > URL_MAX || !may_be_in_url(*c) || (is_label && *c == ']');
        let end = rest.char_indices().find(is_end).map_or(rest.len(), |(at, _)| at);
        let mut url = &rest[..end];
        // First, so that what is no address is not looked at to its end again and again.
        if !is_good(url) {
            return self.text(1);
        }
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
        if url.len() <= URL_MAX && is_good(url) {
            self.link(url, 0);
        } else {
            self.text(1);
        }
    }

    /// A link that shows where it leads to.
    fn link(&mut self, url: &str, skip: usize) {
        self.end_text();
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
    text.bytes().take_while(|byte| char::from(*byte) == sign).count()
}

/// The address up to the bracket that ends it.
fn target(text: &str) -> Option<&str> {
    // Looked at first, so that not every bracket is a reason to look for an end.
    SCHEMES.iter().find(|scheme| begins(text, scheme))?;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().take_while(|(at, c)| *at <= URL_MAX && may_be_in_url(*c)) {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(&text[..at]),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Schemes that do nothing but lead somewhere; those of the web first.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

fn begins(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
}

/// Whether an address leads somewhere, and does nothing else.
fn is_good(url: &str) -> bool {
    let rest = SCHEMES.iter().find(|scheme| begins(url, scheme)).map(|scheme| &url[scheme.len()..]);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        && url.chars().all(may_be_in_url)
}

/// No spaces, no controls, nothing that cannot be seen or turns the direction of what follows.
fn may_be_in_url(c: char) -> bool {
    !(crate::text::is_invisible(c) || matches!(c, '<' | '>' | '"' | '`' | '\\'))
}

/// Whether a reader may take this for an address.
fn has_address(part: &Inline) -> bool {
    match part {
        Inline::Text(text) | Inline::Code(text) => text.contains("://"),
        Inline::Marked(_, parts) => parts.iter().any(has_address),
        Inline::Link { .. } => true,
    }
}

/// Makes one text of those that stand beside each other.
fn join(parts: Vec<Inline>) -> Vec<Inline> {
    let mut joined: Vec<Inline> = Vec::with_capacity(parts.len());
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Inline::Text(text)), Inline::Text(more)) => text.push_str(&more),
            (_, part) => joined.push(part),
        }
    }
    joined
}
