//! Code in colours: what is a comment, a text, a number or a word of the language. It knows the outside of many languages
//! and the inside of none, looks at each character once, and what it does not know stays as it is.

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Comment,
    Text,
    Number,
    Keyword,
}

/// How a language looks from outside.
#[derive(Debug)]
pub(crate) struct Language {
    names: &'static [&'static str],
    /// What a comment up to the end of its line begins with.
    line: &'static [&'static str],
    /// What a longer comment begins and ends with.
    block: Option<(&'static str, &'static str)>,
    /// What texts stand between.
    quotes: &'static [char],
    /// With spaces in between.
    keywords: &'static str,
    /// Whether keywords may be written in any case.
    is_any_case: bool,
}

const C: Language = Language {
    names: &["c", "h", "cpp", "c++", "cc", "hpp", "objc"],
    line: &["//"],
    block: Some(("/*", "*/")),
    quotes: &['"', '\''],
    keywords: "auto bool break case catch char class const constexpr continue default delete do double else \
            enum extern false float for friend goto if inline int long namespace new nullptr operator \
            private protected public return short signed sizeof static struct switch template this throw \
            true try typedef typename union unsigned using virtual void volatile while",
    is_any_case: false,
};

const LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "rs"],
        quotes: &['"'],
        keywords: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop \
            match mod move mut pub ref return self Self static struct super trait true type unsafe use \
            where while",
        ..C
    },
    Language {
        names: &["js", "javascript", "ts", "typescript", "jsx", "tsx", "mjs"],
        quotes: &['"', '\'', '`'],
        keywords: "as async await break case catch class const continue default delete do else enum export extends \
            false finally for from function if implements import in instanceof interface let new null of \
            private public readonly return static super switch this throw true try type typeof undefined \
            var void while yield",
        ..C
    },
    Language {
        names: &["python", "py"],
        line: &["#"],
        block: None,
        keywords: "and as assert async await break class continue def del elif else except False finally for from \
            global if import in is lambda None nonlocal not or pass raise return self True try while with \
            yield",
        ..C
    },
    Language {
        names: &["go", "golang"],
        quotes: &['"', '\'', '`'],
        keywords: "break case chan const continue default defer else fallthrough false for func go goto if import \
            interface map nil package range return select struct switch true type var",
        ..C
    },
    Language {
        names: &["java", "kotlin", "kt", "scala", "csharp", "cs", "swift", "dart"],
        keywords: "abstract async await boolean break case catch class const continue data default do double else \
            enum extends false final finally float for fun func guard if implements import in int interface \
            internal is let long namespace new nil null object override package private protected public \
            record return sealed static string struct super switch this throw throws true try using val var \
            void when where while",
        ..C
    },
    Language {
        names: &["ruby", "rb", "php", "perl", "pl"],
        line: &["#", "//"],
        block: Some(("/*", "*/")),
        keywords: "and begin break case class def do echo else elsif end ensure false for foreach function if in \
            module my new next nil not null or private public require rescue return self static sub then \
            true unless until use when while yield",
        ..C
    },
    Language {
        names: &["sh", "bash", "shell", "zsh", "console", "fish", "dockerfile", "makefile", "make"],
        line: &["#"],
        block: None,
        keywords: "case cd do done echo elif else esac exit export fi for function if in local return set sudo \
            then while",
        ..C
    },
    Language {
        names: &["sql", "postgres", "sqlite", "mysql"],
        line: &["--"],
        is_any_case: true,
        keywords: "add all alter and as asc begin between by case commit create cross default delete desc distinct \
            drop else end exists from group having in index inner insert into is join key left like limit \
            not null offset on or order outer primary references returning select set table then union \
            unique update values view when where with",
        ..C
    },
    Language { names: &["json", "json5"], quotes: &['"'], keywords: "true false null", ..C },
    Language {
        names: &["yaml", "yml", "toml", "ini", "conf"],
        line: &["#"],
        block: None,
        keywords: "true false null yes no",
        ..C
    },
    Language { names: &["html", "xml", "svg"], line: &[], block: Some(("<!--", "-->")), keywords: "", ..C },
    Language { names: &["css", "scss"], line: &[], keywords: "important inherit none auto var", ..C },
    C,
];

/// The language of this name, in any case.
pub(crate) fn language(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// The pieces of a code, in order; together they are the code.
pub(crate) fn pieces<'a>(language: &Language, code: &'a str) -> Vec<(Kind, &'a str)> {
    let mut pieces: Vec<(Kind, usize)> = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let (kind, length) = next(language, &code[at..]);
        at += length;
        match pieces.last_mut() {
            Some((last, end)) if *last == kind => *end = at,
            _ => pieces.push((kind, at)),
        }
    }
    let starts = std::iter::once(0).chain(pieces.iter().map(|(_, end)| *end));
    starts.zip(&pieces).map(|(start, (kind, end))| (*kind, &code[start..*end])).collect()
}

/// What a code begins with, and how long that is: at least one character.
fn next(language: &Language, code: &str) -> (Kind, usize) {
    let first = code.chars().next().map_or(1, char::len_utf8);
    if language.line.iter().any(|line| code.starts_with(line)) {
        return (Kind::Comment, code.find('\n').unwrap_or(code.len()));
    }
    if let Some((open, close)) = language.block
        && let Some(rest) = code.strip_prefix(open)
    {
        return (Kind::Comment, rest.find(close).map_or(code.len(), |end| open.len() + end + close.len()));
    }
    match code.chars().next() {
        Some(quote) if language.quotes.contains(&quote) => (Kind::Text, text(code, quote)),
        Some(c) if c.is_ascii_digit() => {
            (Kind::Number, run(code, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')))
        }
        Some(c) if is_word(c) => {
            let length = run(code, is_word);
            let word = &code[..length];
            let is = |known: &str| known == word || language.is_any_case && known.eq_ignore_ascii_case(word);
            (if language.keywords.split(' ').any(is) { Kind::Keyword } else { Kind::Plain }, length)
        }
        _ => (Kind::Plain, first),
    }
}

/// A text up to its second quote, the end of its line if it has none.
fn text(code: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, c) in code.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\n' if quote != '`' => return index,
            c if c == quote => return index + quote.len_utf8(),
            _ => {}
        }
    }
    code.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn run(code: &str, is: impl Fn(char) -> bool) -> usize {
    code.find(|c| !is(c)).unwrap_or(code.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, code: &str) -> Vec<(Kind, String)> {
        let language = language(name).expect("known");
        pieces(language, code)
            .into_iter()
            .filter(|(kind, _)| *kind != Kind::Plain)
            .map(|(kind, text)| (kind, text.to_owned()))
            .collect()
    }

    #[test]
    fn comments_texts_numbers_and_words_of_the_language_are_found() {
        use Kind::{Comment, Keyword, Number, Text};
        let pieces =
            |list: &[(Kind, &str)]| list.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(
            of("rust", "let x = 0x1f_u8; // \"no text\"\nletter = \"// no comment \\\" still\";"),
            pieces(&[
                (Keyword, "let"),
                (Number, "0x1f_u8"),
                (Comment, "// \"no text\""),
                (Text, "\"// no comment \\\" still\"")
            ])
        );
        assert_eq!(
            of("Python", "def f(): # x\n  return 'a'"),
            pieces(&[(Keyword, "def"), (Comment, "# x"), (Keyword, "return"), (Text, "'a'")])
        );
        assert_eq!(of("sql", "SELECT 1 -- one"), pieces(&[(Keyword, "SELECT"), (Number, "1"), (Comment, "-- one")]));
        assert_eq!(
            of("js", "`a\nb` /* c\nd */ new"),
            pieces(&[(Text, "`a\nb`"), (Comment, "/* c\nd */"), (Keyword, "new")])
        );
        assert_eq!(of("c", "\"no end\nint"), pieces(&[(Text, "\"no end"), (Keyword, "int")]));
        assert_eq!(of("html", "<!-- no end"), pieces(&[(Comment, "<!-- no end")]));
        assert!(language("brainfuck").is_none());
    }

    #[test]
    fn the_pieces_are_the_code_whatever_it_is() {
        let alphabet =
            ["\"", "'", "`", "/*", "*/", "//", "#", "--", "<!--", "\\", "\n", "é", "😀", "fn", "1", " ", "_x"];
        let mut seed = 7_u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for _ in 0..3_000 {
            let length = random() % 40;
            let code: String = (0..length).map(|_| alphabet[random() % alphabet.len()]).collect();
            let language = &LANGUAGES[random() % LANGUAGES.len()];
            let pieces = pieces(language, &code);
            assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), code);
            assert!(pieces.windows(2).all(|pair| pair[0].0 != pair[1].0), "neighbours differ");
        }
    }
}
