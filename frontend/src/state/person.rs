//! Names of people, asked for when first needed.

use super::State;
use crate::{api, browser};
use leptos::prelude::*;
use litemap::LiteMap;
use shared::account::User;
use shared::conversation::Summary;
use shared::event::{Event, EventKind};
use shared::ids::{AttachmentId, UserId};
use shared::mention::{self, Key};
use std::time::Duration;

/// Ids asked for in one call.
const ASK_MAX: usize = 100;

/// How long typing may pause before people are searched.
const PAUSE: Duration = Duration::from_millis(120);

/// A text for each person, by the bytes of their id; empty: there is none, or it is not known.
type Known = StoredValue<LiteMap<[u8; 16], ArcRwSignal<String>>>;

fn of(known: Known, id: &[u8; 16]) -> ArcRwSignal<String> {
    known
        .try_update_value(|known| known.entry(*id).or_insert_with(|| ArcRwSignal::new(String::new())).clone())
        .unwrap_or_else(|| ArcRwSignal::new(String::new()))
}

fn set(known: &ArcRwSignal<String>, text: &str) {
    if known.with_untracked(|known| known != text) {
        known.set(text.to_owned());
    }
}

#[derive(Clone, Copy)]
pub(crate) struct People {
    names: Known,
    /// Where their pictures are, and those of conversations.
    pictures: Known,
    /// What they say of themselves.
    statuses: Known,
    wanted: StoredValue<Vec<UserId>>,
    /// Those of whom it is not known whether they are still called and look like this.
    doubted: StoredValue<Vec<UserId>>,
}

impl People {
    pub(crate) fn new() -> Self {
        let known = || StoredValue::new(LiteMap::new());
        Self {
            names: known(),
            pictures: known(),
            statuses: known(),
            wanted: StoredValue::new(Vec::new()),
            doubted: StoredValue::new(Vec::new()),
        }
    }

    /// Takes in what these people are called.
    pub(crate) fn learn<'a>(self, users: impl IntoIterator<Item = &'a User>) {
        for user in users {
            self.doubted.update_value(|doubted| doubted.retain(|id| *id != user.id));
            set(&self.name(user.id), &user.display_name);
            self.set_picture(user.id.as_bytes(), user.avatar);
            set(&self.status(user.id), user.status.as_deref().unwrap_or_default());
        }
    }

    /// Takes in who is in a conversation, and its picture.
    pub(crate) fn learn_of(self, summary: &Summary) {
        self.learn(summary.members.iter().flatten());
        self.set_picture(summary.id.as_bytes(), summary.avatar);
    }

    fn set_picture(self, id: &[u8; 16], picture: Option<AttachmentId>) {
        let path = picture.map(|picture| format!("/api/attachments/{picture}/thumbnail"));
        set(&self.picture(id), path.as_deref().unwrap_or_default());
    }

    /// What is known of these people was written down earlier: they are asked for again when they are seen.
    pub(crate) fn doubt(self, users: &[User]) {
        self.doubted.set_value(users.iter().map(|user| user.id).collect());
    }

    /// What somebody is called; empty until it is known.
    pub(crate) fn name(self, id: UserId) -> ArcRwSignal<String> {
        of(self.names, id.as_bytes())
    }

    /// Where the picture of somebody, or of a conversation, is; empty if there is none.
    pub(crate) fn picture(self, id: &[u8; 16]) -> ArcRwSignal<String> {
        of(self.pictures, id)
    }

    /// What somebody says of themselves; empty if that is nothing.
    pub(crate) fn status(self, id: UserId) -> ArcRwSignal<String> {
        of(self.statuses, id.as_bytes())
    }

    /// People by name, so many at most; to be written down.
    pub(crate) fn kept(self, most: usize) -> Vec<User> {
        let named = |(id, name): (&[u8; 16], &ArcRwSignal<String>)| {
            let id = UserId::from_bytes(*id)?;
            let status = self.status(id).get_untracked();
            let display_name = name.get_untracked();
            let status = Some(status).filter(|status| !status.is_empty());
            let user = User { id, display_name, avatar: None, status, privacy: None, email: None };
            Some(user).filter(|user| !user.display_name.is_empty())
        };
        let mut people: Vec<_> = self.names.with_value(|names| names.iter().filter_map(named).take(most).collect());
        people.sort_by_key(|user: &User| user.id);
        people
    }

    /// The names of these people, as they are compared, as far as they are known.
    fn keys(self, is_there: impl Fn(UserId) -> bool) -> Vec<(Key, UserId)> {
        let key = |(id, name): (&[u8; 16], &ArcRwSignal<String>)| {
            let id = UserId::from_bytes(*id).filter(|id| is_there(*id))?;
            name.with_untracked(|name| (!name.is_empty()).then(|| (browser::name_key(name), id)))
        };
        self.names.with_value(|names| names.iter().filter_map(key).collect())
    }

    /// Makes sure that somebody's name becomes known. Those wanted at once are asked for together.
    pub(crate) fn want(self, id: UserId, state: State) {
        let is_doubted = self.doubted.with_value(|doubted| doubted.contains(&id)) && state.link.is_open();
        if !is_doubted && !self.name(id).with_untracked(String::is_empty) {
            return;
        }
        let is_first = self.wanted.try_update_value(|wanted| {
            let is_first = wanted.is_empty();
            if !wanted.contains(&id) {
                wanted.push(id);
            }
            is_first
        });
        if is_first == Some(true) {
            leptos::task::spawn_local(async move { state.people.ask().await });
        }
    }

    async fn ask(self) {
        let ids = self.wanted.try_update_value(std::mem::take).unwrap_or_default();
        for ids in ids.chunks(ASK_MAX) {
            // Without an answer the next message of theirs asks again.
            if let Ok(users) = api::users(ids).await {
                self.learn(&users);
            }
        }
    }
}

/// Finds people by what is typed, once typing pauses; nothing typed finds nobody.
pub(crate) fn find_later(typed: RwSignal<String>, found: RwSignal<Vec<User>>) -> impl FnMut(()) {
    leptos::leptos_dom::helpers::debounce(PAUSE, move |()| {
        let asked = typed.get_untracked();
        if asked.trim().is_empty() {
            return found.set(Vec::new());
        }
        leptos::task::spawn_local(async move {
            if let Ok(users) = api::search_users(&asked).await
                // An answer to an older question is not shown over a newer one's.
                && typed.try_get_untracked().as_ref() == Some(&asked)
            {
                found.try_set(users);
            }
        });
    })
}

impl State {
    /// A message of one's own, or a change of one, with those it names. The server finds them by itself and tells
    /// everybody else; here those count whom the page knows.
    pub(super) fn naming(self, mut event: Event) -> Event {
        let (content, mentions, mention_names) = match &mut event.kind {
            EventKind::Message(message) => (&message.content, &mut message.mentions, &mut message.mention_names),
            EventKind::Edited(edited) => (&edited.content, &mut edited.mentions, &mut edited.mention_names),
            _ => return event,
        };
        let members = self.conversations.get(event.conversation);
        let is_there = |user: UserId| {
            members.with_untracked(|summary| {
                let members = summary.as_ref().and_then(Summary::all_members);
                members.is_none_or(|members| members.iter().any(|member| member.id == user))
            })
        };
        let mut known = None;
        let find = |name: &str| {
            let known = known.get_or_insert_with(|| self.people.keys(is_there));
            let key = browser::name_key(name);
            let alike = known.iter().filter(|(known, _)| known.fold == key.fold);
            key.meant(alike.map(|(known, user)| (known.exact.as_str(), *user)))
        };
        (*mentions, *mention_names) = mention::people(content, find).into_iter().unzip();
        event
    }
}
