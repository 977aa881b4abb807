//! How the page looks and speaks here. It belongs to the browser and not to the person: a phone is not a desk.

use crate::browser;
use crate::i18n::{self, Language};
use leptos::prelude::*;

/// The settings that are one of a few words: each is an attribute of the document, which style sheets follow. `boot.js`
/// sets them, too, before the page is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Theme,
    Density,
    Size,
}

impl Choice {
    pub(crate) const ALL: [Choice; 3] = [Self::Theme, Self::Density, Self::Size];

    /// The attribute, and what it is kept under.
    fn name(self) -> &'static str {
        match self {
            Self::Theme => "theme",
            Self::Density => "density",
            Self::Size => "size",
        }
    }

    /// What it may be; the first is what it is if nothing was chosen.
    pub(crate) fn values(self) -> &'static [&'static str] {
        match self {
            Self::Theme => &["system", "light", "dark", "contrast"],
            Self::Density => &["comfortable", "compact"],
            Self::Size => &["normal", "small", "large", "huge"],
        }
    }

    fn kept(self) -> String {
        format!("confab-{}", self.name())
    }

    fn recall(self) -> &'static str {
        let kept = browser::recall(&self.kept());
        let known = self.values().iter().find(|value| kept.as_deref() == Some(value));
        known.copied().unwrap_or(self.values()[0])
    }
}

/// Where the language is kept, if one was chosen.
const LANGUAGE: &str = "confab-language";

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    choices: [RwSignal<&'static str>; 3],
    /// The language the page is in. All of it is shown anew when it changes.
    pub(crate) language: RwSignal<Language>,
}

impl Settings {
    pub(crate) fn new() -> Self {
        let choices = Choice::ALL.map(|choice| RwSignal::new(choice.recall()));
        let settings = Self { choices, language: RwSignal::new(i18n::language()) };
        Choice::ALL.into_iter().for_each(|choice| settings.show(choice));
        settings
    }

    /// What was chosen.
    pub(crate) fn get(self, choice: Choice) -> &'static str {
        self.choices[choice as usize].get()
    }

    pub(crate) fn set(self, choice: Choice, value: &'static str) {
        self.choices[choice as usize].set(value);
        browser::remember(&choice.kept(), value);
        self.show(choice);
    }

    fn show(self, choice: Choice) {
        browser::set_root(&format!("data-{}", choice.name()), self.choices[choice as usize].get_untracked());
    }

    /// Speaks another language from now on. Without the server's translation it stays as it is.
    pub(crate) fn speak(self, language: Language) {
        leptos::task::spawn_local(async move {
            if i18n::speak(language).await {
                browser::remember(LANGUAGE, language.tag());
                self.language.set(language);
            }
        });
    }
}

/// The language the page begins in: the one that was chosen, or the first of the person's that it speaks.
pub(crate) fn first_language() -> Language {
    let chosen = browser::recall(LANGUAGE).and_then(|tag| Language::of(&tag));
    let own = || browser::languages().iter().find_map(|tag| Language::of(tag));
    chosen.or_else(own).unwrap_or(Language::English)
}
