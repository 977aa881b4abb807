//! Emoji: which there are, what they are called, and which this person uses. The table is fetched when it is first
//! needed.

use crate::{api, browser};
use leptos::prelude::*;
use shared::text::find;

/// Those used last, so many.
const RECENT_MAX: usize = 24;
/// Where the browser keeps those used last, and the skin tone.
const RECENT: &str = "confab-emoji-recent";
const TONE: &str = "confab-emoji-tone";
/// Where one begins who has used none.
const USUAL: [&str; 8] = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀"];

/// One emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Emoji {
    /// In the skin tone that is none.
    symbol: &'static str,
    pub(crate) name: &'static str,
    /// Its short names, with spaces in between; the first is the usual one.
    codes: &'static str,
    /// Itself in the five skin tones, with spaces in between, if it has them.
    tones: &'static str,
}

impl Emoji {
    /// Itself, in a skin tone: 0 is none, 1 to 5 from light to dark.
    pub(crate) fn symbol(self, tone: usize) -> &'static str {
        let toned = tone.checked_sub(1).and_then(|index| self.tones.split(' ').nth(index));
        toned.filter(|symbol| !symbol.is_empty()).unwrap_or(self.symbol)
    }
}

/// All emoji, in their groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Table {
    all: Vec<Emoji>,
    /// Where each group begins.
    groups: Vec<usize>,
}

impl Table {
    fn parse(file: &'static str) -> Self {
        let mut table = Self::default();
        for line in file.lines() {
            let mut parts = line.split('\t');
            let symbol = parts.next().unwrap_or_default();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(name), Some(codes), tones) => {
                    table.all.push(Emoji { symbol, name, codes, tones: tones.unwrap_or_default() });
                }
                _ => table.groups.push(table.all.len()),
            }
        }
        table
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The emoji of a group.
    pub(crate) fn group(&self, index: usize) -> &[Emoji] {
        let start = self.groups.get(index).copied().unwrap_or(self.all.len());
        let end = self.groups.get(index + 1).copied().unwrap_or(self.all.len());
        &self.all[start..end]
    }

    /// Those that are called like this, best first, at most so many: first those with a short name that begins so, then
    /// those with a word that does, then those it stands in anywhere.
    pub(crate) fn find(&self, text: &str, most: usize) -> Vec<Emoji> {
        let text = text.trim().trim_matches(':').to_ascii_lowercase();
        if text.is_empty() {
            return Vec::new();
        }
        // By how well they fit.
        let mut found: [Vec<usize>; 4] = Default::default();
        for (index, emoji) in self.all.iter().enumerate() {
            let begins = |names: &str, between: &[char]| names.split(between).any(|word| word.starts_with(&text));
            let rank = match () {
                () if emoji.codes.split(' ').any(|code| code == text) => 0,
                () if begins(emoji.codes, &[' ']) => 1,
                () if begins(&emoji.name.to_ascii_lowercase(), &[' ', '-']) || begins(emoji.codes, &[' ', '_']) => 2,
                () if text.len() > 2 && find(&emoji.name.to_ascii_lowercase(), &text).is_some() => 3,
                () => continue,
            };
            found[rank].push(index);
        }
        found.iter().flatten().take(most).map(|index| self.all[*index]).collect()
    }
}

/// The table, and what this person uses of it.
#[derive(Clone, Copy)]
pub(crate) struct EmojiState {
    pub(crate) table: RwSignal<Table>,
    /// From none to dark: 0 to 5.
    pub(crate) tone: RwSignal<usize>,
    /// Whether the table could not be fetched.
    pub(crate) has_failed: RwSignal<bool>,
    is_asked: StoredValue<bool>,
}

impl EmojiState {
    pub(crate) fn new() -> Self {
        let tone = browser::recall(TONE).and_then(|tone| tone.parse().ok()).filter(|tone| *tone <= 5);
        Self {
            table: RwSignal::new(Table::default()),
            tone: RwSignal::new(tone.unwrap_or(0)),
            has_failed: RwSignal::new(false),
            is_asked: StoredValue::new(false),
        }
    }

    /// Fetches the table, if it is not there.
    pub(crate) fn load(self) {
        if self.is_asked.get_value() {
            return;
        }
        self.is_asked.set_value(true);
        self.has_failed.set(false);
        leptos::task::spawn_local(async move {
            match api::text("/emoji.txt").await {
                // Once for the page, and for as long as it is there.
                Ok(file) => self.table.set(Table::parse(String::leak(file))),
                Err(_) => {
                    self.is_asked.set_value(false);
                    self.has_failed.set(true);
                }
            }
        });
    }

    /// Those used last, the last one first.
    pub(crate) fn recent(self) -> Vec<String> {
        let recent: Vec<_> = browser::recall(RECENT).unwrap_or_default().split(' ').map(str::to_owned).collect();
        let known = recent.iter().filter(|symbol| !symbol.is_empty()).cloned();
        let usual =
            USUAL.iter().filter(|usual| !recent.iter().any(|symbol| symbol == *usual)).map(|usual| (*usual).to_owned());
        known.chain(usual).take(RECENT_MAX).collect()
    }

    /// One was used.
    pub(crate) fn note(self, symbol: &str) {
        let others = self.recent().into_iter().filter(|other| other != symbol);
        let recent: Vec<_> = std::iter::once(symbol.to_owned()).chain(others).take(RECENT_MAX).collect();
        browser::remember(RECENT, &recent.join(" "));
    }

    pub(crate) fn set_tone(self, tone: usize) {
        self.tone.set(tone);
        browser::remember(TONE, &tone.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "SmileysAndEmotion\n😀\tgrinning face\tgrinning\t\n❤️\tred heart\theart\t\nPeopleAndBody\n👍\tthumbs up\t+1 thumbsup\t👍🏻 👍🏼 👍🏽 👍🏾 👍🏿\n🫀\tanatomical heart\tanatomical_heart\t\n";

    fn symbols(found: &[Emoji]) -> Vec<&str> {
        found.iter().map(|emoji| emoji.symbol(0)).collect()
    }

    #[test]
    fn groups_have_their_emoji_in_order() {
        let table = Table::parse(FILE);
        assert_eq!(table.groups(), 2);
        assert_eq!((symbols(table.group(0)), symbols(table.group(1))), (vec!["😀", "❤️"], vec!["👍", "🫀"]));
        assert_eq!(table.group(7), []);
    }

    #[test]
    fn the_best_name_comes_first() {
        let table = Table::parse(FILE);
        assert_eq!(symbols(&table.find("heart", 9)), ["❤️", "🫀"]);
        assert_eq!(symbols(&table.find(":heart:", 1)), ["❤️"]);
        assert_eq!(symbols(&table.find("THUMB", 9)), ["👍"]);
        assert_eq!(symbols(&table.find("+1", 9)), ["👍"]);
        assert_eq!(symbols(&table.find("face", 9)), ["😀"]);
        assert_eq!(symbols(&table.find("rinn", 9)), ["😀"], "in the middle of a word");
        for nothing in ["", " ", "::", "zzz"] {
            assert_eq!(table.find(nothing, 9), [], "{nothing}");
        }
    }

    #[test]
    fn those_with_skin_tones_have_five_and_others_stay_as_they_are() {
        let table = Table::parse(FILE);
        let (grin, thumb) = (table.group(0)[0], table.group(1)[0]);
        assert_eq!([0, 1, 5, 9].map(|tone| thumb.symbol(tone)), ["👍", "👍🏻", "👍🏿", "👍"]);
        assert_eq!([0, 3].map(|tone| grin.symbol(tone)), ["😀", "😀"]);
    }
}
