//! The examples of CommonMark's specification, read by our reader: each is shown as the specification says, or stands in
//! `commonmark/differences.txt` with the reason. `cargo xtask test` fetches the specification and names its file in
//! `CONFAB_COMMONMARK`; without it nothing is tested, and that is said.

use shared::markdown::{self, Block, Inline, Mark, Marker};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Notes what this machine did not allow to test; `cargo xtask test` repeats it.
fn not_run(reason: &str) {
    writeln!(std::io::stderr(), "NOT RUN: {reason}").expect("an open stderr");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target").join("not-run.txt");
    let mut file = std::fs::File::options().append(true).create(true).open(file).expect("a file to note it in");
    writeln!(file, "{reason}").expect("room for a note");
}

/// The shown text, in a form that two writers of HTML share: a line for each paragraph, item or quote.
#[derive(Default)]
struct Shown {
    lines: Vec<String>,
    line: String,
}

impl Shown {
    fn text(&mut self, text: &str) {
        self.line.push_str(text);
    }

    /// A tag within a line.
    fn tag(&mut self, tag: &str) {
        self.line.push_str(&format!("⟨{tag}⟩"));
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line).split_whitespace().collect::<Vec<_>>().join(" ");
        self.lines.extend(Some(line).filter(|line| !line.is_empty()));
    }

    /// A tag around lines.
    fn block(&mut self, tag: &str) {
        self.end_line();
        self.lines.push(format!("⟨{tag}⟩"));
    }

    fn code(&mut self, language: &str, code: &str) {
        self.block(&format!("pre {language}"));
        self.lines.push(code.trim_end_matches('\n').to_owned());
    }

    fn finish(mut self) -> String {
        self.end_line();
        self.lines.join("\n")
    }
}

fn ours(blocks: &[Block], shown: &mut Shown) {
    for block in blocks {
        match block {
            Block::Paragraph(parts) => {
                shown.end_line();
                our_parts(parts, shown);
                shown.end_line();
            }
            Block::Quote(blocks) => {
                shown.block("blockquote");
                ours(blocks, shown);
                shown.block("/blockquote");
            }
            Block::List(marker, items) => {
                let (tag, begin) = match marker {
                    Marker::Bullet(_) => ("ul", "ul".to_owned()),
                    Marker::Numbers(_, numbers) => {
                        let follow = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
                        ("ol", format!("ol {}{}", numbers[0], if follow { "" } else { " and others" }))
                    }
                };
                shown.block(&begin);
                for item in items {
                    shown.block("li");
                    ours(item, shown);
                    shown.block("/li");
                }
                shown.block(&format!("/{tag}"));
            }
            Block::Code { language, text } => {
                let language = language.as_deref().and_then(|said| said.split_whitespace().next());
                shown.code(language.unwrap_or_default(), text);
            }
            Block::Spoiler(_) => shown.block("spoiler"),
        }
    }
}

fn our_parts(parts: &[Inline], shown: &mut Shown) {
    for part in parts {
        match part {
            Inline::Text(text) => {
                for (number, line) in text.split('\n').enumerate() {
                    if number > 0 {
                        shown.text("\n");
                    }
                    // A blank line ends a paragraph.
                    if shown.line.ends_with("\n\n") {
                        shown.end_line();
                    }
                    shown.text(if line.trim().is_empty() { "" } else { line });
                }
            }
            Inline::Code(text) => {
                shown.tag("code");
                shown.text(text);
                shown.tag("/code");
            }
            Inline::Marked(mark, parts) => {
                let tag = match mark {
                    Mark::Bold => "strong",
                    Mark::Italic => "em",
                    Mark::Strike => "del",
                    Mark::Spoiler => "spoiler",
                };
                shown.tag(tag);
                our_parts(parts, shown);
                shown.tag(&format!("/{tag}"));
            }
            Inline::Link { url, label } => {
                shown.tag(&format!("a {url}"));
                our_parts(label, shown);
                shown.tag("/a");
            }
        }
    }
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The specification's HTML. (It has no `>` within a tag.)
fn theirs(html: &str) -> String {
    let mut shown = Shown::default();
    let mut rest = html;
    while let Some((text, tail)) = rest.split_once('<') {
        shown.text(&decoded(text));
        let Some((tag, tail)) = tail.split_once('>') else { break };
        rest = tail;
        let (name, attribute) = tag.split_once(' ').unwrap_or((tag, ""));
        let value = attribute.split('"').nth(1).map(decoded).unwrap_or_default();
        match name {
            "p" | "/p" => shown.end_line(),
            "br" => shown.text("\n"),
            "ul" | "/ul" | "li" | "/li" | "blockquote" | "/blockquote" | "/ol" => shown.block(name),
            "ol" => shown.block(&format!("ol {}", if value.is_empty() { "1" } else { &value })),
            "pre" if rest.starts_with("<code") => {
                let (code, tail) = rest.split_once("</code></pre>").expect("the end of a block of code");
                let (tag, code) = code.split_once('>').expect("the begin of a block of code");
                let language = tag.split('"').nth(1).and_then(|class| class.strip_prefix("language-"));
                shown.code(&decoded(language.unwrap_or_default()), &decoded(code));
                rest = tail;
            }
            "a" => shown.tag(&format!("a {value}{}", if attribute.contains(" title=") { " with title" } else { "" })),
            _ => shown.tag(name),
        }
    }
    shown.text(&decoded(rest));
    shown.finish()
}

/// The examples: text, HTML.
fn examples(specification: &str) -> Vec<(String, String)> {
    let fence = "`".repeat(32);
    let begin = format!("\n{fence} example\n");
    let pieces = specification.split(&begin).skip(1);
    let one = |piece: &str| {
        let (example, _) = piece.split_once(&format!("\n{fence}\n")).expect("the end of an example");
        let example = format!("\n{}\n", example.replace('→', "\t"));
        let (text, html) = example.split_once("\n.\n").expect("a text and its HTML");
        (text.strip_prefix('\n').unwrap_or(text).to_owned(), html.to_owned())
    };
    pieces.map(one).collect()
}

/// The examples that are shown in another way, each with its construct.
fn differences() -> BTreeMap<usize, &'static str> {
    let mut found = BTreeMap::new();
    let mut construct = "";
    for line in include_str!("commonmark/differences.txt").lines() {
        if let Some(name) = line.strip_prefix("## ") {
            construct = name;
        } else if let Some(numbers) = line.strip_prefix("examples: ") {
            for number in numbers.split(' ') {
                let number = number.parse().expect("the number of an example");
                assert!(!construct.is_empty(), "example {number} has no construct");
                assert_eq!(found.insert(number, construct), None, "example {number} is there twice");
            }
        }
    }
    found
}

#[test]
fn examples_of_the_specification_are_shown_as_it_says_but_for_the_listed_differences() {
    let Some(path) = std::env::var_os("CONFAB_COMMONMARK") else {
        return not_run("the examples of CommonMark: its specification is not there (cargo xtask test fetches it)");
    };
    let specification = std::fs::read_to_string(path).expect("CONFAB_COMMONMARK names the specification");
    let examples = examples(&specification);
    assert_eq!(examples.len(), 652, "the examples of CommonMark 0.31.2");
    let known = differences();
    let mut wrong = Vec::new();
    for (number, (text, html)) in (1..).zip(&examples) {
        let mut shown = Shown::default();
        ours(&markdown::parse(text), &mut shown);
        let (ours, theirs) = (shown.finish(), theirs(html));
        match (ours == theirs, known.get(&number)) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(construct)) => {
                wrong.push(format!("{number} is as specified now, and listed under {construct}"))
            }
            (false, None) => wrong.push(format!("{number}: {text:?}\n  specified {theirs:?}\n  shown     {ours:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} examples changed:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
}

#[test]
fn control_another_reading_is_noticed() {
    let mut shown = Shown::default();
    ours(&markdown::parse("a *b*\n\n- c"), &mut shown);
    let shown = shown.finish();
    assert_eq!(shown, theirs("<p>a <em>b</em></p>\n<ul>\n<li>c</li>\n</ul>"));
    for html in ["<p>a b</p>\n<ul>\n<li>c</li>\n</ul>", "<p>a <em>b</em></p>\n<ol>\n<li>c</li>\n</ol>"] {
        assert_ne!(shown, theirs(html));
    }
}
