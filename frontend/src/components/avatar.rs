//! A person's or conversation's picture: the one they have chosen, or the first letters on a colour that stays its own.

use crate::browser;
use crate::dynamic::{part, text};
use crate::state::State;
use leptos::prelude::*;

/// The first letters of the first and last word, and `#` for a name without any.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let letters: String = first.into_iter().chain(words.next_back()).collect();
    let letters = browser::upper(&letters);
    if letters.is_empty() { "#".into() } else { letters }
}

/// One of the eight colours, by the last byte of an id.
fn hue(id: &[u8; 16]) -> u8 {
    id[15] % 8
}

#[component]
pub(crate) fn Avatar(
    /// Decides the colour.
    #[prop(into)]
    id: Signal<[u8; 16]>,
    /// Decides the letters.
    #[prop(into)]
    name: Signal<String>,
    #[prop(optional)] is_small: bool,
) -> impl IntoView {
    let people = expect_context::<State>().people;
    let picture = move || {
        let picture = id.with(|id| people.picture(id)).get();
        match picture.is_empty() {
            true => ().into_any(),
            false => view! { <img class="avatar__picture" src=picture alt="" /> }.into_any(),
        }
    };
    let class = if is_small { "avatar avatar--small" } else { "avatar" };
    view! {
        <span class=class data-hue=text(move || id.with(hue).to_string()) aria-hidden="true">
            {text(move || name.with(|name| initials(name)))}
            {part(picture)}
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_the_first_letters_of_the_first_and_last_word() {
        let table = [
            ("Ada Lovelace", "AL"),
            ("ada", "A"),
            ("Jean  de la Fontaine", "JF"),
            ("أمينة خان", "أخ"),
            ("李 雷", "李雷"),
            ("(x) y", "XY"),
            ("!!", "#"),
            ("ß s", "SSS"),
        ];
        for (name, expected) in table {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
