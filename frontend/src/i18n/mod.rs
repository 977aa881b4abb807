//! What the page says, in the person's language.
//!
//! English is part of the page, and what the first screen says of its first load; the others are fetched when they are
//! chosen. A switch shows the page anew, so texts are plain strings and follow no signal. Numbers, plurals and dates are
//! the browser's `Intl`.

mod rest;
mod texts;

use crate::browser;
use js_sys::{Array, Intl, Number, Object};
use shared::code::{Code, Rejection};
use shared::message::SEEN_MEMBERS;
use std::cell::{Cell, RefCell};
pub(crate) use texts::Text;
use texts::{ENGLISH, FINGERPRINT};
use wasm_bindgen::JsValue;

/// A language the page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
    Spanish,
    Arabic,
    Chinese,
    Japanese,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Language; 6] =
        [Self::English, Self::German, Self::Spanish, Self::Arabic, Self::Chinese, Self::Japanese];

    /// Its tag (BCP 47), which its file is named by, too.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::Arabic => "ar",
            Self::Chinese => "zh",
            Self::Japanese => "ja",
        }
    }

    /// What it calls itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::Spanish => "Español",
            Self::Arabic => "العربية",
            Self::Chinese => "中文",
            Self::Japanese => "日本語",
        }
    }

    /// Which way it is written.
    pub(crate) fn direction(self) -> &'static str {
        if self == Self::Arabic { "rtl" } else { "ltr" }
    }

    /// The language of a tag like `de-AT`, if the page speaks it.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}

thread_local! {
    static TEXTS: Cell<&'static [&'static str]> = const { Cell::new(rest::FIRST) };
    /// As many as are there.
    static ENGLISH_TEXTS: Cell<&'static [&'static str]> = const { Cell::new(rest::FIRST) };
    static LANGUAGE: Cell<Language> = const { Cell::new(Language::English) };
    static PLURALS: RefCell<Option<(Language, Intl::PluralRules)>> = const { RefCell::new(None) };
}

/// The language the page speaks.
pub(crate) fn language() -> Language {
    LANGUAGE.get()
}

/// From now on all English texts are there: every part that is loaded later begins with this, and brings those that the
/// first load leaves out.
pub(crate) fn complete() {
    ENGLISH_TEXTS.set(ENGLISH);
    if language() == Language::English {
        TEXTS.set(ENGLISH);
    }
}

/// Speaks a language from now on. A translation that is not of this version of the page, or is not there, is left.
/// Whether it does.
pub(crate) async fn speak(language: Language) -> bool {
    let texts = match language {
        Language::English => Some(ENGLISH_TEXTS.get()),
        other => fetch(other).await,
    };
    let Some(texts) = texts else { return false };
    TEXTS.set(texts);
    LANGUAGE.set(language);
    browser::set_language(language.tag(), language.direction());
    true
}

async fn fetch(language: Language) -> Option<&'static [&'static str]> {
    // There are a handful of languages, and each stays for as long as the page: this is no leak that grows.
    thread_local!(static KNOWN: RefCell<Vec<(Language, &'static [&'static str])>> = const { RefCell::new(Vec::new()) });
    let known = KNOWN.with_borrow(|known| known.iter().find(|(other, _)| *other == language).map(|(_, texts)| *texts));
    if known.is_some() {
        return known;
    }
    let file = crate::api::text(&format!("/languages/{}.txt", language.tag())).await.ok()?;
    let texts: &'static [&'static str] = Vec::leak(parse(String::leak(file))?);
    KNOWN.with_borrow_mut(|known| known.push((language, texts)));
    Some(texts)
}

/// The texts of a translation: a line each, `Name: text`; `None` if they are not these texts in this order.
fn parse(file: &str) -> Option<Vec<&str>> {
    let mut fingerprint = FINGERPRINT_START;
    let mut texts = Vec::with_capacity(ENGLISH.len());
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, text) = line.split_once(':')?;
        let text = text.strip_prefix(' ')?;
        fingerprint = add_to_fingerprint(fingerprint, name);
        texts.push(text);
    }
    (fingerprint == FINGERPRINT && texts.len() == ENGLISH.len()).then_some(texts)
}

/// FNV-1a, 32 bits.
const FINGERPRINT_START: u32 = 0x811c_9dc5;

/// Adds a name, and that it ends here.
const fn add_to_fingerprint(mut fingerprint: u32, name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index <= bytes.len() {
        let byte = if index < bytes.len() { bytes[index] } else { b'\n' };
        fingerprint = (fingerprint ^ byte as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    fingerprint
}

/// A text.
pub(crate) fn tr(text: Text) -> &'static str {
    TEXTS.get()[text as usize]
}

/// A text with something filled in.
pub(crate) fn with(text: Text, values: &[(&str, &str)]) -> String {
    fill(tr(text), values)
}

/// A text for a number, which stands in it as `{n}`.
#[expect(clippy::cast_precision_loss, reason = "counts of things on a screen")]
pub(crate) fn count(text: Text, number: u64, values: &[(&str, &str)]) -> String {
    let value = number as f64;
    let category = PLURALS.with_borrow_mut(|plurals| {
        let language = language();
        if plurals.as_ref().is_none_or(|(known, _)| *known != language) {
            *plurals = Some((language, Intl::PluralRules::new(&locales(), &Object::new())));
        }
        plurals.as_ref().and_then(|(_, rules)| rules.select(value).as_string()).unwrap_or_default()
    });
    let shown = String::from(Number::from(value).to_locale_string(language().tag()));
    let mut all = vec![("n", shown.as_str())];
    all.extend_from_slice(values);
    fill(form(tr(text), &category), &all)
}

/// What `Intl` is asked for: the person's own form of the language, if they have one.
pub(crate) fn locales() -> Array {
    let language = language();
    let own = browser::languages().into_iter().find(|tag| Language::of(tag) == Some(language));
    Array::of1(&own.map_or_else(|| JsValue::from(language.tag()), JsValue::from))
}

/// The form for a category, or the last one: every language has `other`.
fn form<'a>(text: &'a str, category: &str) -> &'a str {
    let forms = || text.split('|').filter_map(|form| form.split_once(':'));
    let fitting = forms().find(|(name, _)| *name == category).or_else(|| forms().next_back());
    fitting.map_or(text, |(_, form)| form)
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        filled.push_str(value.unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What the server refused, in words. In English the server says it best; in other languages its code says most.
pub(crate) fn refusal(rejection: &Rejection) -> String {
    if language() == Language::English {
        return rejection.message.clone();
    }
    let text = match (rejection.code, rejection.field.as_deref()) {
        (Code::Unauthenticated, Some(_)) => Text::RefusedSignIn,
        (Code::Unauthenticated, None) => Text::RefusedUnauthenticated,
        (Code::Forbidden, Some("to.users")) => Text::RefusedInvitation,
        (Code::Forbidden, Some("to")) => Text::RefusedGone,
        (Code::Forbidden | Code::BadOrigin, _) => Text::RefusedForbidden,
        (Code::NotFound, _) => Text::RefusedNotFound,
        (Code::Conflict, Some("email")) => Text::RefusedAddressTaken,
        (Code::Conflict, Some(SEEN_MEMBERS)) => Text::RefusedMembers,
        (Code::Conflict, Some("members")) => Text::RefusedInvitation,
        (Code::Conflict, _) => Text::RefusedConflict,
        (Code::TooLarge, _) => Text::RefusedTooLarge,
        (Code::UncleanFile, _) => Text::RefusedUnclean,
        (Code::RateLimited, _) => {
            let seconds = rejection.retry_after_ms.unwrap_or(1_000).div_ceil(1_000);
            return count(Text::RefusedRateLimited, seconds, &[]);
        }
        (Code::Overloaded, _) => Text::RefusedOverloaded,
        (Code::StorageFull, Some("quota")) => Text::RefusedQuota,
        (Code::StorageFull, Some("reserve")) => Text::RefusedReserve,
        (Code::StorageFull, _) => Text::RefusedStorageFull,
        (Code::Internal, _) => Text::RefusedInternal,
        (Code::Empty, _) => Text::RefusedEmpty,
        (Code::TooLong, _) => Text::RefusedTooLong,
        (Code::BadReference, _) => Text::RefusedReference,
        (Code::Invalid, Some("email")) => Text::RefusedEmail,
        (Code::Invalid, Some("displayName")) => Text::RefusedName,
        (Code::Invalid, Some("password")) => Text::RefusedPassword,
        (code, _) => return with(Text::RefusedOther, &[("code", code.as_str())]),
    };
    tr(text).to_owned()
}

#[cfg(test)]
mod tests;
