//! Names of people, asked for when first needed.

use super::State;
use crate::api;
use leptos::prelude::*;
use shared::account::User;
use shared::ids::UserId;
use std::collections::{BTreeSet, HashMap};

/// Ids asked for in one call.
const ASK_MAX: usize = 100;

#[derive(Clone, Copy)]
pub(crate) struct People {
    names: StoredValue<HashMap<UserId, ArcRwSignal<String>>>,
    wanted: StoredValue<BTreeSet<UserId>>,
}

impl People {
    pub(crate) fn new() -> Self {
        Self { names: StoredValue::new(HashMap::new()), wanted: StoredValue::new(BTreeSet::new()) }
    }

    /// Takes in what these people are called.
    pub(crate) fn learn<'a>(self, users: impl IntoIterator<Item = &'a User>) {
        for user in users {
            let name = self.name(user.id);
            if name.with_untracked(|known| *known != user.display_name) {
                name.set(user.display_name.clone());
            }
        }
    }

    /// What somebody is called; empty until it is known.
    pub(crate) fn name(self, id: UserId) -> ArcRwSignal<String> {
        self.names
            .try_update_value(|names| names.entry(id).or_insert_with(|| ArcRwSignal::new(String::new())).clone())
            .unwrap_or_else(|| ArcRwSignal::new(String::new()))
    }

    /// Makes sure that somebody's name becomes known. Those wanted at once are asked for together.
    pub(crate) fn want(self, id: UserId, state: State) {
        if !self.name(id).with_untracked(String::is_empty) {
            return;
        }
        let is_first = self.wanted.try_update_value(|wanted| wanted.insert(id) && wanted.len() == 1);
        if is_first == Some(true) {
            leptos::task::spawn_local(async move { state.people.ask().await });
        }
    }

    async fn ask(self) {
        let ids: Vec<_> = self.wanted.try_update_value(std::mem::take).unwrap_or_default().into_iter().collect();
        for ids in ids.chunks(ASK_MAX) {
            // Without an answer the next message of theirs asks again.
            if let Ok(users) = api::users(ids).await {
                self.learn(&users);
            }
        }
    }
}
