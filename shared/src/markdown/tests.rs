use super::*;
use proptest::prelude::*;

/// Parts as they might be written down: `b(x)` is bold.
fn show(parts: &[Inline]) -> String {
    let one = |part: &Inline| match part {
        Inline::Text(text) => text.clone(),
        Inline::Code(text) => format!("c({text})"),
        Inline::Marked(mark, parts) => {
            let name = match mark {
                Mark::Bold => "b",
                Mark::Italic => "i",
                Mark::Strike => "s",
                Mark::Spoiler => "h",
            };
            format!("{name}({})", show(parts))
        }
        Inline::Link { url, label } => format!("a({url}={})", show(label)),
    };
    parts.iter().map(one).collect()
}

fn show_blocks(blocks: &[Block]) -> String {
    let one = |block: &Block| match block {
        Block::Paragraph(parts) => show(parts),
        Block::Quote(blocks) => format!("Q[{}]", show_blocks(blocks)),
        Block::List(number, items) => {
            let items: Vec<_> = items.iter().map(|item| format!("-{}", show_blocks(item))).collect();
            format!("L{}[{}]", number.map_or(String::new(), |number| number.to_string()), items.concat())
        }
        Block::Code { language, text } => format!("C{}[{text}]", language.as_deref().unwrap_or_default()),
    };
    blocks.iter().map(one).collect::<Vec<_>>().join("¶")
}

fn all(cases: &[(&str, &str)]) {
    for (written, expected) in cases {
        assert_eq!(show_blocks(&parse(written)), *expected, "{written:?}");
    }
}

#[test]
fn marks() {
    all(&[
        ("**bold** and __bold__", "b(bold) and b(bold)"),
        ("*a* _b_ ~~c~~ ||d||", "i(a) i(b) s(c) h(d)"),
        ("***both***", "b(i(both))"),
        ("**bold *and* more**", "b(bold i(and) more)"),
        ("*a **b** c*", "i(a b(b) c)"),
        ("||~~**x**~~||", "h(s(b(x)))"),
        ("这是**重点**内容", "这是b(重点)内容"),
        ("line\n**two**\nlines", "line\nb(two)\nlines"),
    ]);
}

#[test]
fn what_makes_no_sense_is_text() {
    for text in [
        "2*3*4",
        "2 * 3 * 4",
        "snake_case_name",
        "**",
        "****",
        "** a **",
        "**a",
        "a**",
        "*a",
        "~a~",
        "|a|",
        "a || b || c",
        "\\",
        "`",
        "``a`",
        "[a]",
        "[a](b)",
        "[](https)",
        "# no heading",
        "-no list",
        "1.no list",
        "- ",
        "2024. no list",
        "<b>no html</b>",
        "&lt;",
        "![a",
        "~~~",
        "***",
        "_ _",
        "http://",
        "https:// a",
        "h",
        "ftp://a.b",
        "a_b_",
        "_b_a",
    ] {
        assert_eq!(show_blocks(&parse(text)), *text, "{text:?}");
    }
}

#[test]
fn what_was_begun_within_is_text_when_the_outer_ends() {
    all(&[
        ("**a *b** c*", "b(a *b) c*"),
        ("*a **b* c**", "i(a **b) c**"),
        ("[a **b](https://c.d) e**", "a(https://c.d=a **b) e**"),
        ("**a [b** c](https://d.e)", "b(a [b) c](a(https://d.e=https://d.e))"),
    ]);
}

#[test]
fn a_sign_after_a_backslash_is_itself() {
    all(&[(r"\*a\* \[b](https://c.d) \`c` \a \\", r"*a* [b](a(https://c.d=https://c.d)) `c` \a \")]);
}

#[test]
fn code() {
    all(&[
        ("`a **b** c`", "c(a **b** c)"),
        ("`` a`b ``", "c(a`b)"),
        ("` `", "c( )"),
        ("**`a`**", "b(c(a))"),
        ("`https://a.b`", "c(https://a.b)"),
        ("```rust\nfn a() {}\n\n  *b*\n```\nafter", "Crust[fn a() {}\n\n  *b*]¶after"),
        ("before\n```\nnever ended", "before¶C[never ended]"),
        ("``` C++\nx\n```", "Cc++[x]"),
        ("```not a language\nx", "```not a language\nx"),
    ]);
}

#[test]
fn links() {
    all(&[
        ("see https://a.b/c?d=e&f#g, or", "see a(https://a.b/c?d=e&f#g=https://a.b/c?d=e&f#g), or"),
        ("(https://a.b/c_(d))", "(a(https://a.b/c_(d)=https://a.b/c_(d)))"),
        ("https://a.b.", "a(https://a.b=https://a.b)."),
        ("**https://a.b**", "b(a(https://a.b=https://a.b))"),
        ("HTTPS://A.B", "a(HTTPS://A.B=HTTPS://A.B)"),
        ("<https://a.b/c*d>", "a(https://a.b/c*d=https://a.b/c*d)"),
        ("<mailto:a@b.c>", "a(mailto:a@b.c=mailto:a@b.c)"),
        ("[**a** b](https://c.d/(e))", "a(https://c.d/(e)=b(a) b)"),
        ("[[a](https://b.c)", "[a(https://b.c=a)"),
        ("xhttps://a.b", "xhttps://a.b"),
    ]);
}

#[test]
fn a_label_that_is_an_address_is_no_label() {
    all(&[(
        "[https://bank.example](https://evil.example)",
        "[a(https://bank.example=https://bank.example)](a(https://evil.example=https://evil.example))",
    )]);
}

#[test]
fn a_label_that_looks_like_an_address_is_no_label() {
    for label in ["`https://bank.example`", r"https\://bank.example", "**http**s://bank.example"] {
        let blocks = parse(&format!("[{label}](https://evil.example)"));
        let [Block::Paragraph(parts)] = &blocks[..] else { panic!("{blocks:?}") };
        let deceives = |part: &Inline| match part {
            Inline::Link { url, label } => texts(label) != *url,
            _ => false,
        };
        assert!(!parts.iter().any(deceives), "{parts:?}");
    }
}

#[test]
fn addresses_that_do_something_are_text() {
    for url in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://a.b",
        "//a.b",
        "/a",
        "a.b",
        "https:a.b",
        "https:///a",
        "mailto:",
        "https://a b",
        "https://a\u{202e}b",
        "https://a\u{200b}b",
        "https://\u{2066}",
        "https://a\"onclick=b",
        "about:blank",
    ] {
        for text in [format!("[a]({url})"), format!("<{url}>")] {
            let leads = |part: &Inline| matches!(part, Inline::Link { url: found, .. } if found == url);
            let blocks = parse(&text);
            let [Block::Paragraph(parts)] = &blocks[..] else { panic!("{blocks:?}") };
            assert!(!parts.iter().any(leads), "{text:?}: {parts:?}");
        }
    }
}

#[test]
fn quotes_and_lists() {
    all(&[
        ("> a\n> b\nc", "Q[a\nb]¶c"),
        (">a\n> > b\n>\n> c", "Q[a¶Q[b]¶c]"),
        ("to do:\n- a\n- **b**\n  more\n- c", "to do:¶L[-a-b(b)\nmore-c]"),
        ("3. a\n4) b\n- c", "L3[-a-b]¶L[-c]"),
        ("- a\n  - b\n    - c\n- d", "L[-a¶L[-b¶L[-c]]-d]"),
        ("> - a\n>   ```\n>   x\n>   ```", "Q[L[-a¶C[x]]]"),
        ("a\n\n\n  b\n\n- c\n\nd", "a\n\n\n  b¶L[-c]¶d"),
        ("", ""),
    ]);
}

fn depth(blocks: &[Block]) -> usize {
    let one = |block: &Block| match block {
        Block::Paragraph(_) | Block::Code { .. } => 0,
        Block::Quote(blocks) => 1 + depth(blocks),
        Block::List(_, items) => 1 + items.iter().map(|item| depth(item)).max().unwrap_or_default(),
    };
    blocks.iter().map(one).max().unwrap_or_default()
}

fn depth_of_parts(parts: &[Inline]) -> usize {
    let one = |part: &Inline| match part {
        Inline::Text(_) | Inline::Code(_) => 0,
        Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => 1 + depth_of_parts(parts),
    };
    parts.iter().map(one).max().unwrap_or_default()
}

/// Every part of every line, with how deep it is.
fn lines(blocks: &[Block], see: &mut impl FnMut(&[Inline])) {
    for block in blocks {
        match block {
            Block::Paragraph(parts) => see(parts),
            Block::Quote(blocks) => lines(blocks, see),
            Block::List(_, items) => items.iter().for_each(|item| lines(item, see)),
            Block::Code { .. } => {}
        }
    }
}

/// As long as a message may be.
const LONG: usize = 16_384;

/// Each, repeated, is a text that makes a careless parser deep or slow.
const HOSTILE: &[&str] = &[
    "\\``",
    ">",
    "> ",
    "- ",
    "  - a\n",
    "[",
    "]",
    "[]",
    "[](",
    "](",
    "[a](b",
    "[a](https://a",
    "[a](https://a)",
    "[](https://a(",
    "[a](https://a()",
    "](https://a(",
    "[x](mailto:a",
    "*a ",
    "**a ",
    "*a **b ",
    "_a __b ~~c ||d ",
    "`a",
    "``a`",
    "h.",
    "https://",
    "http://.",
    "http://a",
    "-https://a",
    "https://a(",
    "https://a)",
    "https://a.",
    "[https://a",
    "[https://a]",
    "<h",
    "<https://",
    "<https://a",
    "\\",
    "[*[_[~~[||[",
    "*_",
    "a**b",
    "**a*b_c**",
    "[**a](b)*c",
    "```\n",
    "```a\n",
    "1. a\n",
    "> - > - > - > - a\n",
    "> > > > > a\n",
    "\n",
    "||",
    "~~ ~~",
    "(",
    ")))))",
    "@",
    "@a ",
    "@a b c d e f g h ",
    "@https://a",
    "- @a [b](https://c\n",
    "é*语_",
];

/// Hostile texts that are more than a repetition.
fn long_ones() -> Vec<String> {
    // As many different numbers of backticks as there is room for, and one pair of each.
    let backticks: String = (1..170).map(|count| format!("{} ", "`".repeat(count))).collect();
    vec![
        format!("{}{} ", "https://-".repeat(76), ")".repeat(1_360)).repeat(8),
        format!("{}{}", "[](https://a".repeat(1_200), ")".repeat(1_200)),
        format!("{}{}", "[a](https://a(".repeat(600), "))".repeat(600)),
        format!("https://a{}", ".".repeat(LONG - 9)),
        format!("{} {}", "https://a".repeat(220), "!".repeat(LONG - 2_000)),
        backticks,
    ]
}

fn hostile() -> impl Iterator<Item = String> {
    HOSTILE.iter().map(|piece| piece.repeat(LONG / piece.len())).chain(long_ones())
}

/// Steps for each byte, of showing a text and of looking for names in it, whichever is more.
fn steps_per_byte(text: &str) -> usize {
    let shown = steps::count(|| drop(parse(text)));
    let named = steps::count(|| drop(crate::mention::Names::read(text)));
    shown.max(named) / text.len().max(1)
}

#[test]
fn however_it_is_made_it_is_shallow_and_the_work_is_linear() {
    for text in hostile() {
        let blocks = parse(&text);
        let begin: String = text.chars().take(30).collect();
        assert!(depth(&blocks) <= DEPTH_MAX, "{begin:?}");
        lines(&blocks, &mut |parts| assert!(depth_of_parts(parts) <= 8, "{begin:?}"));
        let steps = steps_per_byte(&text);
        assert!(steps <= steps::PER_BYTE, "{steps} steps for each byte of {begin:?}…");
    }
}

#[test]
fn the_count_of_steps_finds_a_walk_that_is_not_linear() {
    let text = "https://".repeat(LONG / 8);
    // What looking for the end of each address anew takes.
    let steps = steps::count(|| {
        for (at, _) in text.match_indices('h') {
            steps::took(text.len() - at);
        }
    });
    assert!(steps > text.len() * steps::PER_BYTE);
}

#[test]
fn a_line_says_what_a_message_says_without_marks() {
    for (text, line) in
        [("**a**\n> b\n- c `d`\n```\ne\n```", "a b c d e"), ("[label](https://a.b) ||secret||", "label ▒▒▒"), ("", "")]
    {
        assert_eq!(plain(text), line, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_lost_and_nothing_is_made_up(text in "([a-c \n*_~|`>\\[\\]()<\\-1.é语]|https://a|\\\\){0,60}") {
        let blocks = parse(&text);
        prop_assert!(depth(&blocks) <= DEPTH_MAX);
        // What is shown is what was written, in order, without some signs.
        let mut written = text.chars();
        let mut shown = String::new();
        let mut see = |parts: &[Inline]| shown.push_str(&texts(parts));
        lines(&blocks, &mut see);
        // (Code has lines of its own, which `lines` does not see.)
        for c in shown.chars().filter(|c| !c.is_whitespace()) {
            prop_assert!(written.any(|other| other == c), "{:?} of {:?}", c, text);
        }
    }

    #[test]
    fn any_mixture_of_signs_takes_linear_work(
        pieces in proptest::collection::vec("[*_~|`>\\[\\]()<\\-1. @\na]{1,4}|https://|\\]\\(https://a|@a b c |\\\\|```\n|> - ", 1..40),
        times in 1_usize..400,
    ) {
        let mut text = pieces.concat().repeat(times);
        text.truncate(text.floor_char_boundary(LONG));
        // Short texts have costs of their own that do not grow.
        prop_assert!(steps_per_byte(&text) <= steps::PER_BYTE, "{:?} × {}", pieces, times);
    }

    #[test]
    fn letters_are_never_lost(text in "[a-c*_~| ]{0,40}") {
        let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).collect::<String>();
        let mut shown = String::new();
        lines(&parse(&text), &mut |parts| shown.push_str(&texts(parts)));
        prop_assert_eq!(letters(&shown), letters(&text));
    }

    #[test]
    fn text_without_signs_is_one_text(text in "[a-gi-z ,.!?äß语👍]{1,80}") {
        prop_assume!(!text.trim().is_empty());
        prop_assert_eq!(parse(&text), [Block::Paragraph(vec![Inline::Text(text)])]);
    }

    #[test]
    fn anything_can_be_parsed(text in "\\PC{0,200}|[\\s\\PC]{0,200}") {
        prop_assert!(depth(&parse(&text)) <= DEPTH_MAX);
        prop_assert!(!plain(&text).contains('\n'));
    }
}

fn texts(parts: &[Inline]) -> String {
    let one = |part: &Inline| match part {
        Inline::Text(text) | Inline::Code(text) => text.clone(),
        Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => texts(parts),
    };
    parts.iter().map(one).collect()
}
