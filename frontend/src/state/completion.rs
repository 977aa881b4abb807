//! What is being typed and could be completed: `@na` names somebody, `:sm` an emoji.

use super::State;
use super::emoji::Emoji;
use crate::dynamic::memo;
use crate::later::{self, later};
use crate::{api, browser};
use leptos::prelude::*;
use shared::account::User;
use shared::conversation::Summary;
use shared::fold::{has_word, name_key};
use shared::ids::ConversationId;
use shared::text::{is_spaceless, is_word};
use std::time::Duration;

/// Choices that are shown.
const SHOWN_MAX: usize = 8;
/// Bytes of what is completed.
const TYPED_MAX: usize = 48;
/// How long typing may pause before the server is asked for people.
const PAUSE: Duration = Duration::from_millis(80);

/// What is being typed, without its sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// In lower case, and as it was typed.
    Name(String, String),
    Emoji(String),
}

impl Typed {
    /// What stands before the caret, if it could be completed.
    pub(crate) fn before(text: &str) -> Option<Self> {
        let is_in_word = |sign: char| is_word(sign) && !is_spaceless(sign);
        // A name may have an `@` inside.
        let begins_name = |at: usize| !text[..at].chars().next_back().is_some_and(is_in_word);
        let mut signs = text.rmatch_indices(['@', ':']);
        let (at, _) = signs.find(|(at, sign)| *sign == ":" || begins_name(*at))?;
        let (before, typed) = (&text[..at], &text[at + 1..]);
        if typed.len() > TYPED_MAX || typed.contains('\n') {
            return None;
        }
        if text[at..].starts_with('@') {
            // A name may have spaces in it, but does not begin or go on with one.
            let is_name = !typed.starts_with(char::is_whitespace) && typed.matches(' ').count() < 3;
            return is_name.then(|| Self::Name(browser::lower(typed), typed.to_owned()));
        }
        let is_code = |sign: char| sign.is_ascii_alphanumeric() || "_+-".contains(sign);
        let is_short_name = typed.len() > 1 && typed.chars().all(is_code);
        let begins_word = before.chars().next_back().is_none_or(char::is_whitespace);
        (is_short_name && begins_word).then(|| Self::Emoji(typed.to_owned()))
    }

    /// How long it is, with its sign, as the browser counts.
    pub(crate) fn length(&self) -> usize {
        let (Self::Name(_, typed) | Self::Emoji(typed)) = self;
        typed.encode_utf16().count() + 1
    }
}

/// One way to complete it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// What is put in its place.
    pub(crate) text: String,
    /// What is shown: a sign or nothing, and a name.
    pub(crate) symbol: String,
    pub(crate) label: String,
}

/// What is completed where a message is written. `Copy`: it lives as long as that.
#[derive(Clone, Copy)]
pub(crate) struct Completion {
    conversation: Option<ConversationId>,
    typed: RwSignal<Option<Typed>>,
    /// People the server knows of.
    found: RwSignal<Vec<User>>,
    pub(crate) choices: Memo<Vec<Choice>>,
    /// The choice that was gone to with the arrow keys.
    pointed: RwSignal<Option<usize>>,
    /// The choice that Enter takes. Where what was typed may be meant as it is (somebody's whole name, `@` alone, or `:ok`),
    /// there is none until one is gone to: Enter sends it.
    pub(crate) at: Memo<Option<usize>>,
}

impl Completion {
    pub(crate) fn new(state: State, conversation: Option<ConversationId>) -> Self {
        let (typed, found) = (RwSignal::new(None), RwSignal::new(Vec::new()));
        let choices = memo(move || match typed.get() {
            None => Vec::new(),
            Some(Typed::Name(name, _)) => names(state, conversation, &name, &found.get()),
            Some(Typed::Emoji(name)) => emoji(state, &name),
        });
        let pointed = RwSignal::new(None);
        let at = memo(move || {
            let stands_alone = || match typed.get() {
                Some(Typed::Name(name, _)) => name.is_empty() || is_whole(state, conversation, &name, &found.get()),
                Some(Typed::Emoji(_)) | None => true,
            };
            pointed.get().or_else(|| (!stands_alone()).then_some(0))
        });
        Self { conversation, typed, found, choices, pointed, at }
    }

    /// This stands before the caret now.
    pub(crate) fn input(self, state: State, text: &str) {
        let typed =
            Typed::before(text).filter(|typed| self.conversation.is_some() || !matches!(typed, Typed::Name(..)));
        if self.typed.with_untracked(|known| *known == typed) {
            return;
        }
        self.pointed.set(None);
        match &typed {
            Some(Typed::Name(name, _)) => self.look(state, name.clone()),
            Some(Typed::Emoji(_)) => state.emoji.load(),
            None => {}
        }
        self.typed.set(typed);
    }

    /// Nothing is completed any more. (Where it was typed loses the focus when it goes, too.)
    pub(crate) fn end(self) {
        if self.typed.try_with_untracked(Option::is_some) == Some(true) {
            self.typed.set(None);
        }
    }

    pub(crate) fn is_on(self) -> bool {
        self.typed.with_untracked(Option::is_some) && self.choices.with_untracked(|choices| !choices.is_empty())
    }

    /// Another choice, so many further.
    pub(crate) fn step(self, by: isize) {
        let count = self.choices.with_untracked(Vec::len).max(1).cast_signed();
        // Up from none is the last one.
        let at = self.at.get_untracked().map_or(if by > 0 { -1 } else { 0 }, usize::cast_signed);
        self.pointed.set(Some((at + by).rem_euclid(count).cast_unsigned()));
    }

    /// The choice that is taken, and how much of what stands before the caret it replaces. Nothing, if the caret is
    /// somewhere else by now.
    pub(crate) fn take(self, index: usize, before: &str) -> Option<(String, usize)> {
        let choice = self.choices.with_untracked(|choices| choices.get(index).or(choices.last()).cloned());
        let typed = self.typed.get_untracked();
        self.end();
        let length = typed.as_ref().map(Typed::length)?;
        (typed == Typed::before(before)).then_some((choice?.text, length))
    }

    /// Whether this name is still what is typed.
    fn is_asked(self, name: &str) -> bool {
        let is_it = |typed: &Option<Typed>| matches!(typed, Some(Typed::Name(known, _)) if known == name);
        self.typed.try_with_untracked(is_it) == Some(true)
    }

    /// Asks the server where the page does not know who is there.
    fn look(self, state: State, name: String) {
        let Some(id) = self.conversation else { return };
        let knows_all = state
            .conversations
            .get(id)
            .with_untracked(|summary| summary.as_ref().is_some_and(|summary| summary.all_members().is_some()));
        if knows_all {
            return;
        }
        set_timeout(
            move || {
                if !self.is_asked(&name) {
                    return;
                }
                later::quietly(ask(self, state, id, name));
            },
            PAUSE,
        );
    }
}

later!(soon, ask(completion: Completion, state: State, id: ConversationId, name: String) => {
    leptos::task::spawn_local(async move {
        let members = api::members(id, &name, 0, SHOWN_MAX as u32).await.map(|list| list.members);
        let users: Vec<_> = members.unwrap_or_default().into_iter().map(|member| member.user).collect();
        state.people.learn(&users);
        if completion.is_asked(&name) {
            completion.found.try_set(users);
        }
    });
    ().into_any()
});

/// Members with a word in their name that begins like this.
fn names(state: State, conversation: Option<ConversationId>, typed: &str, found: &[User]) -> Vec<Choice> {
    let Some(id) = conversation else { return Vec::new() };
    let me = state.session.me();
    let wanted = name_key(&browser::fold(typed));
    let choice = |user: &User| {
        let name = browser::lower(&user.display_name);
        let fits = has_word(&name_key(&browser::fold(&user.display_name)), &wanted);
        (fits && Some(user.id) != me && name != typed).then(|| Choice {
            text: format!("@{} ", user.display_name),
            symbol: String::new(),
            label: user.display_name.clone(),
        })
    };
    state.conversations.get(id).with(|summary| {
        let known = summary.as_ref().and_then(Summary::all_members).unwrap_or(found);
        known.iter().filter_map(choice).take(SHOWN_MAX).collect()
    })
}

/// Whether this begins with the name of somebody there, and so names them as it is.
fn is_whole(state: State, conversation: Option<ConversationId>, typed: &str, found: &[User]) -> bool {
    let is_named = |user: &User| begins_with_name(typed, &browser::lower(&user.display_name));
    conversation.is_some_and(|id| {
        state
            .conversations
            .get(id)
            .with(|summary| summary.as_ref().and_then(Summary::all_members).unwrap_or(found).iter().any(is_named))
    })
}

/// Whether a text is this name, alone or with more behind it.
fn begins_with_name(typed: &str, name: &str) -> bool {
    typed.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// Emoji with a name like this.
fn emoji(state: State, typed: &str) -> Vec<Choice> {
    let tone = state.emoji.tone.get();
    let choice = |emoji: Emoji| Choice {
        text: format!("{} ", emoji.symbol(tone)),
        symbol: emoji.symbol(tone).to_owned(),
        label: emoji.name.to_owned(),
    };
    state.emoji.table.with(|table| table.find(typed, SHOWN_MAX).into_iter().map(choice).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_s_whole_name_is_one_whatever_follows_it() {
        for (typed, name, expected) in [
            ("sam", "sam", true),
            ("sam ", "sam", true),
            ("sam h", "sam", true),
            ("sam,", "sam", true),
            ("sam hill", "sam hill", true),
            ("samu", "sam", false),
            ("sa", "sam", false),
            ("sam", "sam hill", false),
            ("", "sam", false),
            ("李雷", "李雷", true),
        ] {
            assert_eq!(begins_with_name(typed, name), expected, "{typed:?} and {name:?}");
        }
    }

    #[test]
    fn what_stands_before_the_caret_is_completed_where_a_word_begins() {
        let name = |typed: &str| Some(Typed::Name(typed.to_lowercase(), typed.into()));
        let emoji = |typed: &str| Some(Typed::Emoji(typed.into()));
        for (text, expected) in [
            ("@", name("")),
            ("hi @Ad", name("Ad")),
            ("(@ada love", name("ada love")),
            ("请@李", name("李")),
            ("@ada@wo", name("ada@wo")),
            ("д@ada", None),
            ("ada@example", None),
            ("@ada ", name("ada ")),
            ("@ ada", None),
            ("@a b c d", None),
            ("@ada\n", None),
            (":smi", emoji("smi")),
            ("so :+1", emoji("+1")),
            (":s", None),
            ("10:30", None),
            ("http://x", None),
            (":smile: ", None),
            ("", None),
        ] {
            assert_eq!(Typed::before(text), expected, "{text:?}");
        }
        assert_eq!(Typed::before(&format!("@{}", "x".repeat(TYPED_MAX + 1))), None);
        assert_eq!(name("zoë").map(|typed| typed.length()), Some(4));
    }
}
