use super::rest::{FIRST, LATER, TRANSLATED};
use super::texts::NAMES;
use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TRANSLATIONS: [(&str, &str); 5] = [
    ("de", include_str!("../../languages/de.txt")),
    ("es", include_str!("../../languages/es.txt")),
    ("ar", include_str!("../../languages/ar.txt")),
    ("zh", include_str!("../../languages/zh.txt")),
    ("ja", include_str!("../../languages/ja.txt")),
];

/// The plural categories of whole numbers in each language (CLDR).
const CATEGORIES: [(&str, &[&str]); 6] = [
    ("en", &["one", "other"]),
    ("de", &["one", "other"]),
    ("es", &["one", "many", "other"]),
    ("ar", &["zero", "one", "two", "few", "many", "other"]),
    ("zh", &["other"]),
    ("ja", &["other"]),
];

/// What is to be filled in.
fn gaps(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

fn is_plural(english: &str) -> bool {
    english.starts_with("one:")
}

#[test]
fn every_language_has_every_text_in_the_same_order() {
    for (tag, file) in TRANSLATIONS {
        let names: Vec<_> = file
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{tag}: {line}")).0)
            .collect();
        for (name, expected) in names.iter().zip(NAMES) {
            assert_eq!(name, expected, "{tag}: a text is missing or out of order");
        }
        assert_eq!(names.len(), NAMES.len(), "{tag}: how many texts there are");
        let texts = parse(file).unwrap_or_else(|| panic!("{tag} is not of this version"));
        for ((text, english), name) in texts.iter().zip(ENGLISH).zip(NAMES) {
            assert!(!text.trim().is_empty(), "{tag}: {name} is empty");
            assert_eq!(gaps(text), gaps(english), "{tag}: {name} has other gaps");
            assert_eq!(text.contains('|') || text.starts_with("other:"), is_plural(english), "{tag}: {name}");
        }
    }
}

#[test]
fn plurals_have_a_form_for_each_category_of_their_language() {
    for (tag, categories) in CATEGORIES {
        let translation = TRANSLATIONS.iter().find(|(other, _)| *other == tag).and_then(|(_, file)| parse(file));
        let texts = translation.unwrap_or_else(|| ENGLISH.to_vec());
        for ((text, english), name) in texts.iter().zip(ENGLISH).zip(NAMES) {
            if is_plural(english) {
                let forms: Vec<_> = text.split('|').filter_map(|form| form.split_once(':')).collect();
                let named: Vec<_> = forms.iter().map(|(category, _)| *category).collect();
                assert!(named.iter().all(|category| categories.contains(category)), "{tag}: {name}: {named:?}");
                // What has none takes the last, which is every language's own.
                assert_eq!(named.last(), Some(&"other"), "{tag}: {name}");
            }
        }
    }
}

#[test]
fn a_translation_of_another_version_is_left() {
    let german = TRANSLATIONS[0].1;
    assert!(parse(german).is_some());
    let first = german.lines().find(|line| !line.starts_with('#')).expect("there are texts");
    assert_eq!(parse(&german.replacen(first, "", 1)), None, "one is missing");
    assert_eq!(parse(&german.replacen(first, &format!("{first}\n{first}"), 1)), None, "one too many");
    assert_eq!(parse("<!doctype html>"), None);
}

#[test]
fn gaps_are_filled_and_forms_are_chosen() {
    assert_eq!(fill("{name} and {other}, {name}", &[("name", "Ada"), ("other", "{x}")]), "Ada and {x}, Ada");
    assert_eq!(fill("nothing", &[]), "nothing");
    assert_eq!(fill("{unknown}!", &[]), "!");
    assert_eq!(fill("half {of", &[("of", "it")]), "half it");
    let text = "one:a day|few:{n} some days|other:{n} days";
    assert_eq!(
        ["one", "few", "many", "other"].map(|category| form(text, category)),
        ["a day", "{n} some days", "{n} days", "{n} days"]
    );
    assert_eq!(form("plain", "one"), "plain");
}

#[test]
fn a_tag_is_of_a_language_by_its_first_part() {
    let table = [
        ("de-AT", Some(Language::German)),
        ("EN", Some(Language::English)),
        ("zh-Hant-TW", Some(Language::Chinese)),
        ("fr", None),
        ("", None),
        ("deutsch", None),
    ];
    for (tag, language) in table {
        assert_eq!(Language::of(tag), language, "{tag}");
    }
}

/// Files of the parts that are loaded later (`later.rs`), all but signing in.
const PARTS: [&str; 16] = [
    "components/about.rs",
    "components/alerts.rs",
    "components/attachment.rs",
    "components/date.rs",
    "components/first_steps.rs",
    "components/group_request.rs",
    "components/notifying.rs",
    "components/portrait.rs",
    "components/privacy.rs",
    "components/readers.rs",
    "components/tray.rs",
    "components/trouble.rs",
    "pages/channel.rs",
    "pages/new.rs",
    "pages/search.rs",
    "pages/setting.rs",
];

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether a source names a text.
fn is_in(source: &str, text: Text) -> bool {
    let name = format!("Text::{text:?}");
    let mut rests = source.match_indices(&name).map(|(at, _)| &source[at + name.len()..]);
    rests.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn a_text_that_the_first_load_leaves_out_is_shown_by_later_parts_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let own = ["i18n/rest.rs", "i18n/tests.rs"].map(|name| folder.join(name));
    for file in files(&folder).into_iter().filter(|file| !own.contains(file)) {
        let name = file.strip_prefix(&folder).expect("inside").to_string_lossy().replace('\\', "/");
        let source = fs::read_to_string(&file).expect("a source");
        for text in LATER.iter().filter(|_| !PARTS.contains(&name.as_str()) && !name.starts_with("gallery/")) {
            assert!(!is_in(&source, *text), "{name} shows {text:?}: take it out of i18n/rest.rs");
        }
        for text in TRANSLATED.iter().filter(|_| name != "i18n/mod.rs") {
            assert!(!is_in(&source, *text), "{name} shows {text:?} in English, too: take it out of i18n/rest.rs");
        }
    }
    assert!(is_in("tr(Text::Members)", Text::Members) && !is_in("tr(Text::MembersOf)", Text::Members));
}

#[test]
fn a_part_that_is_loaded_later_brings_the_texts_that_the_first_load_leaves_out() {
    assert_eq!((tr(Text::Send), tr(Text::Members)), ("Send", ""));
    complete();
    assert_eq!((tr(Text::Send), tr(Text::Members)), ("Send", "Members"));
    let is_left = |index: usize| LATER.iter().chain(TRANSLATED).any(|text| *text as usize == index);
    for (index, (first, english)) in FIRST.iter().zip(ENGLISH).enumerate() {
        assert_eq!(*first, if is_left(index) { "" } else { *english });
    }
}
