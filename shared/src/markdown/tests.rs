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
        Block::List(marker, items) => {
            let sign = |place: usize| match marker {
                Marker::Bullet(sign) => sign.to_string(),
                Marker::Numbers(sign, numbers) => format!("{}{sign}", numbers[place]),
            };
            let items = items.iter().enumerate().map(|(place, item)| format!("{}{}", sign(place), show_blocks(item)));
            format!("L[{}]", items.collect::<String>())
        }
        Block::Spoiler(blocks) => format!("H[{}]", show_blocks(blocks)),
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
    all(&[(r"\*a\* \[b](https://c.d) \`c` \a \\", r"*a* [b](a(https://c.d=https://c.d)) `c` \a \\")]);
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
        ("``` C++\nx\n```", "CC++[x]"),
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
fn underscores_within_words_names_and_paths_of_any_script_are_text() {
    for text in [
        "отчёт_за_май_2026.xlsx",
        "résumé_à_été.pdf",
        "αρχείο_του_έτους",
        "קובץ_של_מאי_2026",
        "ملف_شهر_مايو.pdf",
        "फ़ाइल_मई_की_२०२६",
        "文件_五月_2026.xlsx",
        "ファイル_五月_版",
        "파일_오월_2026",
        "ไฟล์_ของ_เดือน",
        "e\u{301}_e\u{301}_x",
        "snake_case_names",
        "2026_11_28",
        "src/_foo_/bar",
        "self.__dict__ and self.__class__",
        "__init__.py",
        "__init__(self)",
        "@_ghost_ hi",
        "$_x_",
    ] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    all(&[("«_да_», _нет_.", "«i(да)», i(нет)."), ("(_是_)", "(i(是))"), ("_é_!", "i(é)!"), ("__init__", "b(init)")]);
}

#[test]
fn stars_within_words_sums_and_paths_are_text() {
    for text in [
        "x**2 + y**2",
        "2**3**4",
        "f***ing h**l",
        "f**k this s**t",
        "х*й и бл*дь",
        "п*зд*ц",
        "2*3*4",
        "f(*args, **kwargs), y**2",
        "del *.* and *_*",
        "src/**/*.rs and tests/**/*.rs",
        "/*foo*/ bar",
        "*.rs and *.toml",
        "a * b * c",
        ":-* and :-*",
    ] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    all(&[
        ("un**believ**able", "unb(believ)able"),
        ("**bold**text", "b(bold)text"),
        ("**강조 문구**를", "b(강조 문구)를"),
        ("这是**重点 内容**吧", "这是b(重点 内容)吧"),
        ("*강조*는", "i(강조)는"),
        ("**注意（重要）**です", "b(注意（重要）)です"),
        ("**5** and **2026**年", "b(5) and b(2026)年"),
    ]);
}

#[test]
fn faces_are_text() {
    for text in [
        "^_^ and ^_^",
        "-_- ... -_-",
        ">_< no >_<",
        "._. ._.",
        ";_; ;_;",
        "T_T T_T",
        "o_o",
        ">:( >:)",
        "<3 <3",
        "-> =>",
        "*_*",
        r"¯\_(ツ)_/¯",
        r"ok ¯\_(ツ)_/¯ ok ¯\_(ツ)_/¯",
        r"¯\(ツ)/¯",
    ] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
}

#[test]
fn backslashes_are_text_where_nothing_is_escaped() {
    for text in [
        r"\\server\share\_Docs",
        r"\d+\.\d+",
        r"C:\dir\_x and D:\_y",
        r"^\s*\*$",
        r"\( x^2 \) and \[ y \]",
        r"a\|b",
        r"snake\_case",
        r"\frac{1}{2}",
        "a \\\nb",
        r"\\",
        r"\",
        r"\!\#\$\%\&\,\:\;\=\?\@\^\{\}",
    ] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    all(&[
        (r"\*a\* \_b\_ \~~c\~~ \||d\||", "*a* _b_ ~~c~~ ||d||"),
        (r"\*\*a\*\* \~\~c\~\~", "**a** ~~c~~"),
        (r"\> a", "> a"),
        ("a\n\\- b\n1\\. c\n\\+ d\n\\* e", "a\n- b\n1. c\n+ d\n* e"),
        (r"\<https://a.b>", "<a(https://a.b=https://a.b)>"),
        (r"\\*a*", r"\i(a)"),
        (r"\`a\`", "`a`"),
    ]);
}

#[test]
fn fences_open_and_close_where_people_mean_them_to() {
    all(&[
        ("see ```\nlet a\n``` ok", "see ¶C[let a]¶ok"),
        ("```\nlet a = 1;```\nthanks *all*", "C[let a = 1;]¶thanks i(all)"),
        ("```shell session\n$ ls\n```\nthanks **all**", "Cshell session[$ ls]¶thanks b(all)"),
        ("  ```\n  a\n    b\n  ```\nthanks **all**", "C[a\n  b]¶thanks b(all)"),
        ("see ```\na\n```\nthanks", "see ¶C[a]¶thanks"),
        ("```let a = 1;\nlet b```", "C[let a = 1;\nlet b]"),
        ("```\na```\nand\n```\nb\n```", "C[a]¶and¶C[b]"),
        ("```\na\n``` and\n```\nb\n``` end", "C[a]¶and¶C[b]¶end"),
        ("~~~\na\n~~~\nb", "C[a]¶b"),
        ("~~~ a b\n```\nx\n~~~~\nb", "Ca b[```\nx]¶b"),
        ("````\n```\na\n```\n````\nb", "C[```\na\n```]¶b"),
        ("```\na\n`````\nb", "C[a]¶b"),
        ("```\n``` aaa\n```", "C[``` aaa]"),
        ("- a\n  ```rust\n  b\n  ```\n  c", "L[-a¶Crust[b]¶c]"),
        ("- ```\n  b\n  ```", "L[-C[b]]"),
        ("> ```\n> b\n> ```\n> c", "Q[C[b]¶c]"),
        ("\t```\n\ta\n\t```\nb", "C[a]¶b"),
        ("```", "```"),
        ("``` ok", "``` ok"),
        ("``` is what one types", "``` is what one types"),
        ("``` is what one types\n```\na\n```\nb", "``` is what one types¶C[a]¶b"),
        ("```a```\nb", "c(a)\nb"),
        ("~~~wow~~~ yes\nb", "~~~wow~~~ yes\nb"),
        ("~~~\na", "~~~\na"),
    ]);
}

#[test]
fn a_quote_needs_a_space() {
    for text in [">:(", ">50% of people", ">_>", ">>=", ">", ">>", ">\n>"] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    all(&[
        ("> a\n>:(", "Q[a]¶>:("),
        (">> a\n> b", "Q[Q[a]¶b]"),
        ("> > a", "Q[Q[a]]"),
        (">>> a", "Q[Q[Q[a]]]"),
        ("> a\nb", "Q[a]¶b"),
        ("> - a\n> - b", "Q[L[-a-b]]"),
    ]);
}

#[test]
fn numbers_and_signs_of_lists_stay_as_they_were_written() {
    all(&[
        ("2. yes\n5. no", "L[2.yes5.no]"),
        ("1. a\n1. b", "L[1.a1.b]"),
        ("0. a", "L[0.a]"),
        ("3) a\n4) b", "L[3)a4)b]"),
        ("+ a\n+ b", "L[+a+b]"),
        ("- a\n* b", "L[-a]¶L[*b]"),
        ("1. a\n\n2. b\n\n   c", "L[1.a2.b\n\nc]"),
        ("- a\n-\n- b", "L[-a--b]"),
        ("- a\n\nb", "L[-a]¶b"),
    ]);
    for text in ["007. Bond", "2026. A year", "1.", "-", "- ", "+1 from me", "-20 °C", "1.5 l", "***", "- - -", "* * *"]
    {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    assert_eq!(plain("2. yes\n5. no"), "2. yes 5. no");
}

#[test]
fn items_are_deeper_by_two_spaces_or_more_or_a_tab() {
    let nested = "L[-a¶L[-b¶L[-c]]-d]";
    for space in ["  ", "   ", "    ", "\t"] {
        let text = format!("- a\n{space}- b\n{space}{space}- c\n- d");
        assert_eq!(show_blocks(&parse(&text)), nested, "{space:?}");
        let text = format!("1. a\n{space}- b\n{space}  more\n2. c");
        assert_eq!(show_blocks(&parse(&text)), "L[1.a¶L[-b\nmore]2.c]", "{space:?}");
    }
    all(&[("- a\n - b\n  - c", "L[-a-b-c]"), ("  - a\n- b", "L[-a-b]"), ("10. a\n    b", "L[10.a\nb]")]);
}

#[test]
fn an_address_ends_where_the_sentence_goes_on_in_any_script() {
    let url = "https://example.com/a?b=1";
    for (before, after) in [
        ("见 ", "，谢谢"),
        ("（", "）です。"),
        ("「", "」を見て"),
        ("『", "』"),
        ("【", "】"),
        ("《", "》"),
        ("", "。"),
        ("", "、と"),
        ("", "！"),
        ("“", "”"),
        ("“", "”—and"),
        ("‘", "’"),
        ("„", "“"),
        ("«", "»"),
        ("‹", "›"),
        ("", "…"),
        ("", "؟"),
        ("", "،"),
        ("", "۔"),
        ("", "।"),
        ("", "։"),
        ("", "።"),
        ("", "៕"),
        ("", "။"),
        ("", "—then"),
        ("(", ")."),
        ("[", "]!"),
        ("{", "}"),
        ("'", "',"),
        ("", "\u{3000}x"),
        ("请看", " 谢谢"),
        ("ดู", " นะ"),
        ("보세요", " 네"),
        ("見て", "」"),
    ] {
        let text = format!("{before}{url}{after}");
        assert_eq!(show_blocks(&parse(&text)), format!("{before}a({url}={url}){after}"), "{text:?}");
    }
}

#[test]
fn what_belongs_to_an_address_stays_in_it() {
    for url in [
        "https://example.com/p/vhIPYQjX8_",
        "https://example.com/~",
        "https://example.com/*",
        "https://example.com/Un_-_Delete_all_in_a_DM_(Bulk_deletion)",
        "https://example.com/p'tits-jeux/(fractured)-x/",
        "https://гном.срб/Изашао-је/",
        "https://example.com/wiki/Mason–Dixon_line",
        "https://example.com/l’article",
        "https://ja.example.org/wiki/東京・大阪",
        "https://example.com/🍕",
        "https://example.com:8080/x?y[]=1&z={a}#b",
        "https://[::1]:8000/",
        "https://example.com/a__b**c~d|e",
        "http://localhost:3000",
    ] {
        assert_eq!(show_blocks(&parse(url)), format!("a({url}={url})"));
    }
    all(&[
        ("_https://a.b/foo_", "i(a(https://a.b/foo=https://a.b/foo))"),
        ("**https://a.b/c_**", "b(a(https://a.b/c_=https://a.b/c_))"),
        ("||https://a.b|| text", "h(a(https://a.b=https://a.b)) text"),
        ("~~https://a.b/~c~~", "s(a(https://a.b/~c=https://a.b/~c))"),
        ("www.example.org, or", "a(https://www.example.org=www.example.org), or"),
        ("(www.example.org/a_b)", "(a(https://www.example.org/a_b=www.example.org/a_b))"),
        ("[a](<https://a.b/c>)", "a(https://a.b/c=a)"),
        ("![a](https://b.c)", "!a(https://b.c=a)"),
    ]);
    for text in ["www.", "www.a", "www..b", "awww.b.c", "team@field.example", "x@www.a.b", "ftp://www.a.b"] {
        assert_eq!(show_blocks(&parse(text)), text);
    }
}

#[test]
fn an_address_that_looks_like_another_is_text() {
    for url in [
        "https://bank.example@evil.example/x",
        "https://user:pass@host.example/",
        "https://bank.example&a=b@evil.example",
        "https://www.bank.example@evil.example/",
        "https://b\u{430}nk.example/",
        "https://\u{3b1}pple.example/",
    ] {
        assert_eq!(show_blocks(&parse(url)), url);
        assert_eq!(show_blocks(&parse(&format!("<{url}>"))), format!("<{url}>"));
        assert_eq!(show_blocks(&parse(&format!("[a]({url})"))), format!("[a]({url})"));
    }
    let slash = "[a](https://bank.example\u{2044}x.evil.example/)";
    assert!(!is_labelled(slash), "{slash:?}");
}

/// Whether a text becomes a link with a label of its own.
fn is_labelled(text: &str) -> bool {
    let mut found = false;
    lines(&parse(text), &mut |parts| {
        found |= parts.iter().any(|part| matches!(part, Inline::Link { url, label } if texts(label) != *url));
    });
    found
}

#[test]
fn a_label_tells_no_other_host_than_the_links() {
    for label in [
        "bank.example",
        "BANK.example",
        "www.bank.example",
        "Log in at bank.example now",
        "(bank.example)",
        "bank.example/login",
        "https:\u{2060}//bank.example",
        "bank\u{200b}.example",
        "bank.\u{ad}example",
        "bank\u{ff0e}example",
        "bank\u{3002}example",
        "bank\u{ff61}example",
        "bank\u{2024}example",
        "bank\u{200a}.example",
        "\u{ff42}ank.example",
        "**bank**.example",
        "`bank.example`",
        "bank.**ex**ample",
        "\u{202e}elpmaxe.knab",
        "\u{202e}knab",
        "банк.рф",
        "銀行.example",
        "support@bank.example",
        "192.0.2.1",
        "https://evil.example.bank.example",
        "http://evil.example/",
        "evil.example.bank.example",
        "bank.example/x.js",
        "README.md",
        "update.zip",
        "\u{2060}",
    ] {
        let shown = show_blocks(&parse(&format!("[{label}](https://evil.example/a)")));
        assert!(shown.contains("(https://evil.example/a=https://evil.example/a)"), "{label:?}: {shown}");
    }
    assert!(!is_labelled("[bank.example](https://evil.example/bank.example)"), "a host is no file");
    for (label, url) in [
        ("here", "https://a.example/"),
        ("a.example", "https://a.example/x?y"),
        ("www.a.example", "https://a.example/x"),
        ("a.example", "https://www.a.example:8080/x"),
        ("a.example/x", "https://a.example/x"),
        ("read e.g. 3.5 of v1.20, i.e. all...", "https://a.example/"),
        ("me@a.example", "mailto:me@a.example"),
        ("write to me", "mailto:me@a.example"),
        ("例え", "https://a.example/"),
        ("Node.js", "https://nodejs.org/"),
        ("D3.js, Vue.js and index.html", "https://a.example/"),
        ("the report.pdf of 2026", "https://a.example/download?id=7"),
        ("README.md", "https://git.example/team/app/blob/main/README.md"),
        ("setup.py", "https://git.example/raw/setup.py?plain=1#L3"),
    ] {
        let text = format!("[{label}]({url})");
        let shown = show_blocks(&parse(&text));
        assert_eq!(shown, format!("a({url}={label})"), "{text:?}");
    }
    all(&[("[https://a.b/c](https://a.b/c)", "a(https://a.b/c=https://a.b/c)")]);
}

#[test]
fn spoilers_hide_lines_and_lists_and_are_no_or_of_code() {
    all(&[
        ("|| the killer is X ||", "h( the killer is X )"),
        ("||\n- one\n- two\n||", "H[L[-one-two]]"),
        ("||a\nb||", "h(a\nb)"),
        ("||a\n\n> b\n||\nc", "H[a¶Q[b]]¶c"),
        ("这是||秘密||吧", "这是h(秘密)吧"),
        ("(||a||), ||b||!", "(h(a)), h(b)!"),
        ("- ||\n  - a\n  ||", "L[-H[L[-a]]]"),
    ]);
    for text in
        ["if(a||b||c)", "a || b || c", "(a)||(b)||(c)", "!a||!b||!c", "|| || ||", "||", "||\n||", "|| a || b ||"]
    {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
    assert_eq!(plain("a\n||\n- b\n||\nc"), "a ▒▒▒ c");
}

#[test]
fn a_mark_does_not_reach_over_a_blank_line() {
    all(&[("*a\n\nb*", "*a\n\nb*"), ("`a\n \nb`", "`a\n \nb`"), ("**a\nb**\n\n*c*", "b(a\nb)\n\ni(c)")]);
}

#[test]
fn what_is_no_mark_of_ours_is_shown_as_it_was_written() {
    for text in [
        "&amp; &#65; &copy;",
        "<b>a</b> <!-- b -->",
        "#channel and # heading",
        "a\n===\nb\n---",
        "| a | b |\n|---|---|",
        "[a]: /url",
        "[ ] todo [x]",
        "    indented",
        "a  \nb",
    ] {
        assert_eq!(show_blocks(&parse(text)), text, "{text:?}");
    }
}

#[test]
fn quotes_and_lists() {
    all(&[
        ("> a\n> b\nc", "Q[a\nb]¶c"),
        ("> a\n> > b\n>\n> c", "Q[a¶Q[b]¶c]"),
        ("to do:\n- a\n- **b**\n  more\n- c", "to do:¶L[-a-b(b)\nmore-c]"),
        ("3. a\n4) b\n- c", "L[3.a]¶L[4)b]¶L[-c]"),
        ("- a\n  - b\n    - c\n- d", "L[-a¶L[-b¶L[-c]]-d]"),
        ("> - a\n>   ```\n>   x\n>   ```", "Q[L[-a¶C[x]]]"),
        ("a\n\n\n  b\n\n- c\n\nd", "a\n\n\n  b¶L[-c]¶d"),
        ("", ""),
    ]);
}

fn depth(blocks: &[Block]) -> usize {
    let one = |block: &Block| match block {
        Block::Paragraph(_) | Block::Code { .. } => 0,
        Block::Quote(blocks) | Block::Spoiler(blocks) => 1 + depth(blocks),
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
            Block::Quote(blocks) | Block::Spoiler(blocks) => lines(blocks, see),
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
    fn every_letter_and_digit_of_any_script_is_told_in_its_place(
        text in "([*_~|`>\\[\\]()<\\-+1.) \n\t#@]{1,3}|[0-9a-h]{1,3}|\\PC{1,4}|https://a\\.b/|www\\.c\\.d|\\]\\(https://e\\.f|```|~~~|\\|\\||\\\\|007\\. |\n){0,40}",
    ) {
        let blocks = parse(&text);
        let mut told = String::new();
        tell(&blocks, &mut told);
        let mut letters = told.chars();
        for c in text.chars().filter(|c| c.is_alphanumeric()) {
            prop_assert!(letters.any(|other| other == c), "{:?} of {:?} is lost in {:?}", c, text, told);
        }
    }

    #[test]
    fn a_label_with_a_hosts_letters_leads_to_that_host(
        pieces in proptest::collection::vec("[\u{ad}\u{200b}-\u{200f}\u{2060}-\u{2064}\u{feff}\u{200a}]{0,2}", 12),
        dot in "[.\u{2024}\u{3002}\u{ff0e}\u{ff61}]",
        around in "(see |\\(|'|\")?",
    ) {
        let signs = ["b", "a", "n", "k", &dot, "e", "x", "a", "m", "p", "l", "e"];
        let label: String = signs.iter().zip(&pieces).flat_map(|(sign, piece)| [*sign, piece.as_str()]).collect();
        prop_assert!(!is_labelled(&format!("[{around}{label}](https://evil.example)")), "{:?}", label);
        prop_assert!(is_labelled(&format!("[{label}](https://bank.example/x)")), "{:?}", label);
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

/// Everything that is shown, with the addresses of links behind labels of their own.
fn tell(blocks: &[Block], told: &mut String) {
    for block in blocks {
        match block {
            Block::Paragraph(parts) => tell_parts(parts, told),
            Block::Quote(blocks) | Block::Spoiler(blocks) => tell(blocks, told),
            Block::List(marker, items) => {
                for (place, item) in items.iter().enumerate() {
                    if let Marker::Numbers(sign, numbers) = marker {
                        told.push_str(&format!("{}{sign} ", numbers[place]));
                    }
                    tell(item, told);
                }
            }
            Block::Code { language, text } => {
                told.push_str(language.as_deref().unwrap_or_default());
                told.push_str(text);
            }
        }
    }
}

fn tell_parts(parts: &[Inline], told: &mut String) {
    for part in parts {
        match part {
            Inline::Text(text) | Inline::Code(text) => told.push_str(text),
            Inline::Marked(_, parts) => tell_parts(parts, told),
            Inline::Link { url, label } => {
                tell_parts(label, told);
                if !url.ends_with(&texts(label)) {
                    told.push_str(url);
                }
            }
        }
    }
}

fn texts(parts: &[Inline]) -> String {
    let one = |part: &Inline| match part {
        Inline::Text(text) | Inline::Code(text) => text.clone(),
        Inline::Marked(_, parts) | Inline::Link { label: parts, .. } => texts(parts),
    };
    parts.iter().map(one).collect()
}
