//! What is said beside the names of people who look alike in one list.

use super::State;
use crate::browser;
use crate::i18n::{Text, with};
use client::namesake::{self, Named};
use shared::account::User;
use shared::ids::UserId;

/// A short tag for each person of a list whose name looks like another one's there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tags(Vec<(UserId, String)>);

impl Tags {
    pub(crate) fn of<'a>(users: impl Iterator<Item = &'a User>) -> Self {
        let named = |user: &User| {
            // Composed: what is written in two ways looks the same.
            let name = browser::composed(&user.display_name);
            Named { id: user.id, key: browser::lower(&name), name }
        };
        Self(namesake::tags(users.map(named).collect()))
    }

    pub(crate) fn get(&self, id: UserId) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, tag)| tag.as_str())
    }

    /// A name, with the tag where it needs one.
    pub(crate) fn called(&self, user: &User) -> String {
        match self.get(user.id) {
            Some(tag) => format!("{} {tag}", user.display_name),
            None => user.display_name.clone(),
        }
    }

    /// The tag, since when the person is here, and a group one shares with them; empty where the name tells who it is.
    pub(crate) fn detail(&self, state: State, id: UserId) -> String {
        let Some(tag) = self.get(id) else { return String::new() };
        let day = browser::long_day(namesake::since(id));
        let mut detail = format!("{tag} · {}", with(Text::HereSince, &[("day", &day)]));
        if let Some(group) = state.conversations.shared_group(id) {
            detail.push_str(" · ");
            detail.push_str(&group);
        }
        detail
    }
}
