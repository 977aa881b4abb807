use super::*;
use proptest::prelude::*;

fn nfd(text: &str) -> String {
    text.nfd().collect()
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// Texts, what is typed for them, and the form of both: the browser is asked for the same ones.
const VECTORS: &str = include_str!("../../tests/fold.txt");

#[test]
fn spellings_of_one_text_have_the_form_that_the_browser_makes_too() {
    for line in VECTORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [text, typed, form] = line.split('|').map(str::trim).collect::<Vec<_>>().try_into().expect(line);
        let [text, typed] = [text, typed].map(|text: &str| text.replace("\\s", "\u{ad}").replace("\\z", "\u{200b}"));
        assert_eq!((fold(&text), fold(&typed)), (form.to_owned(), form.to_owned()), "{line}");
        assert_eq!(fold(&nfd(&text)), form, "{line}");
    }
}

#[test]
fn what_differs_for_readers_of_a_script_differs_in_its_form() {
    for (one, other) in [
        ("か", "が"),
        ("हिन्दी", "हनद"),
        ("ไกล", "ใกล้"),
        ("か", "カ"),
        ("海", "每"),
        ("и", "ы"),
        ("a-b", "ab"),
        ("가", "각"),
    ] {
        assert_ne!(fold(one), fold(other), "{one} {other}");
    }
}

#[test]
fn every_character_has_one_form_whatever_its_coding_and_folding_twice_changes_nothing() {
    // Between these planes Unicode keeps nothing but numbers.
    for c in ('\0'..='\u{3ffff}').chain('\u{e0000}'..=char::MAX) {
        let in_texts = [format!("a{c}"), format!("{c}\u{301}"), format!("か{c}나{c}")];
        // Ideographs and whole syllables do nothing to their neighbours.
        let is_neighbour = matches!(c, '\0'..='\u{33ff}' | '\u{a000}'..='\u{abff}' | '\u{d7b0}'..='\u{10fff}' | '\u{1d000}'..='\u{1ffff}');
        let in_texts = in_texts.into_iter().filter(|_| is_neighbour);
        for text in in_texts.chain([c.to_string()]) {
            let form = fold(&text);
            assert_eq!(fold(&form), form, "{:x} in {text:?}", u32::from(c));
            assert_eq!((fold(&nfc(&text)), fold(&nfd(&text))), (form.clone(), form), "{:x} in {text:?}", u32::from(c));
        }
        let upper: String = c.to_uppercase().collect();
        let lower: String = c.to_lowercase().collect();
        assert_eq!(exact(&upper).to_lowercase(), exact(&upper), "{:x}", u32::from(c));
        assert_eq!(fold(&lower), fold(&c.to_string()), "{:x}", u32::from(c));
    }
}

#[test]
fn words_are_letters_digits_and_marks_that_stand_together_in_every_script() {
    for (text, words, symbols) in [
        ("Jean-Luc O'Brien (Ops)", "jean luc o brien ops", ""),
        ("don’t **pa**nic, it is v1.20.3", "don t panic it is v 1 20 3", ""),
        ("x**2 and **bold**", "x 2 and bold", ""),
        ("snake_case https://a.example/b?c=1", "snake case https a example b c 1", ""),
        ("今天Tea很好", "今 天 tea 很 好", ""),
        ("서울에서 회의록.pdf", "서 울 에 서 회 의 록 pdf", ""),
        ("कि हिन्दी।", "कि हिन्दी", ""),
        ("กั้น", "กั้ น", ""),
        ("party 🎉 time👍🏽", "party time", "🎉 👍 🏽"),
        ("1️⃣ 🇩🇪 €5 → ©", "1\u{20e3} 5", "🇩 🇪 € → ©"),
        ("... !? ‽", "", ""),
        ("C++ #4711 10:30", "c 4711 10 30", ""),
        ("", "", ""),
    ] {
        let found = Words::of(&fold(text));
        assert_eq!((found.words.as_str(), found.symbols.as_str()), (words, symbols), "{text}");
        assert_eq!(found.is_empty(), words.is_empty() && symbols.is_empty());
    }
}

#[test]
fn names_are_found_by_the_beginning_of_any_of_their_words_in_any_spelling() {
    for (name, typed, expected) in [
        ("Zoë", "zoe", true),
        ("Jose\u{301}", "josé", true),
        ("Jean-Luc", "luc", true),
        ("Jean-Luc", "jean-l", true),
        ("O'Brien", "o’brien", true),
        ("O’Brien", "brien", true),
        ("Max (Ops)", "ops", true),
        ("İpek", "ipek", true),
        ("Işık", "isik", true),
        ("Łukasz", "luk", true),
        ("ada@work", "work", true),
        ("_ghost_", "gh", true),
        ("李雷", "雷", true),
        ("ＡＢＣ商事", "abc", true),
        ("!!!", "!!", true),
        ("Ben 🎉", "🎉", true),
        ("Ada Lovelace", "ove", false),
        ("Ada Lovelace", "lovelace ada", false),
        ("Ada", "!!", false),
        ("Ада", "ada", false),
    ] {
        assert_eq!(has_word(&name_key(&fold(name)), &name_key(&fold(typed))), expected, "{name} by {typed}");
    }
}

#[test]
fn exact_spelling_differs_with_accents_and_not_with_case_and_coding() {
    assert_eq!(exact("ZOE\u{308}"), exact("zoë"));
    assert_ne!(exact("zoe"), exact("zoë"));
    assert_ne!(exact("O'Brien"), exact("O’Brien"));
}

proptest! {
    #[test]
    fn any_text_has_one_form_in_any_coding(text in "\\PC{0,40}|[\\s\\PC\u{300}-\u{36f}]{0,40}") {
        let form = fold(&text);
        prop_assert_eq!(&fold(&nfc(&text)), &form);
        prop_assert_eq!(&fold(&nfd(&text)), &form);
        prop_assert_eq!(fold(&form), form);
    }

    #[test]
    fn words_of_any_text_are_words_and_so_are_words_of_them(text in "[\\PC*]{0,40}") {
        let words = Words::of(&fold(&text));
        prop_assert!(!words.words.contains("  ") && words.words.trim() == words.words);
        prop_assert_eq!(Words::of(&words.words), Words { words: words.words, symbols: String::new() });
    }
}
