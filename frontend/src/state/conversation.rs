//! The list of conversations as signals: the order is one, each conversation another, so that a new
//! message touches its own line.

use crate::{api, browser};
use client::conversations::{Asking, Conversations};
use leptos::prelude::*;
use litemap::LiteMap;
use shared::account::User;
use shared::conversation::{ConversationKind, Preferences, Summary};
use shared::event::Event;
use shared::ids::{ConversationId, Cursor, UserId};
use shared::receipt::UpTo;

/// How a conversation stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) last_seq: Cursor,
    pub(crate) read_seq: Cursor,
    /// Others' messages after what is read that are not deleted.
    pub(crate) unread: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct ConversationState {
    list: StoredValue<Conversations>,
    summaries: StoredValue<LiteMap<ConversationId, ArcRwSignal<Option<Summary>>>>,
    /// Those that are pinned first, then the newest first.
    pub(crate) order: RwSignal<Vec<ConversationId>>,
    /// Those that are put away, the newest first.
    pub(crate) archived: RwSignal<Vec<ConversationId>>,
    /// All unread messages together.
    pub(crate) unread: RwSignal<u64>,
    /// Whether the server has older ones.
    pub(crate) has_more: RwSignal<bool>,
    /// Whether the server has spoken.
    is_loaded: RwSignal<bool>,
}

impl ConversationState {
    pub(crate) fn new() -> Self {
        Self {
            list: StoredValue::new(Conversations::default()),
            summaries: StoredValue::new(LiteMap::new()),
            order: RwSignal::new(Vec::new()),
            archived: RwSignal::new(Vec::new()),
            unread: RwSignal::new(0),
            has_more: RwSignal::new(false),
            is_loaded: RwSignal::new(false),
        }
    }

    /// One conversation; `None` while it is not known.
    pub(crate) fn get(self, id: ConversationId) -> ArcRwSignal<Option<Summary>> {
        self.summaries
            .try_update_value(|all| all.entry(id).or_insert_with(|| ArcRwSignal::new(None)).clone())
            .unwrap_or_else(|| ArcRwSignal::new(None))
    }

    pub(crate) fn is_loaded(self) -> bool {
        self.is_loaded.get_untracked()
    }

    /// Whether there is nothing yet but the conversation of everybody.
    pub(crate) fn is_nothing_begun(self) -> bool {
        let is_empty =
            |ids: RwSignal<Vec<ConversationId>>| ids.with(|ids| ids.iter().all(|id| Some(*id) == self.everyone()));
        self.is_loaded.get() && !self.has_more.get() && is_empty(self.order) && is_empty(self.archived)
    }

    pub(crate) fn kind(self, id: ConversationId) -> Option<ConversationKind> {
        self.list.with_value(|list| list.get(id).map(|summary| summary.kind))
    }

    /// How far it goes, how far it is read, and how much of it is not.
    pub(crate) fn standing(self, id: ConversationId) -> Option<Standing> {
        self.list.with_value(|list| {
            let Summary { last_seq, read_seq, .. } = list.get(id)?;
            Some(Standing { last_seq: *last_seq, read_seq: *read_seq, unread: list.unread_in(id) })
        })
    }

    /// What one wants of it.
    pub(crate) fn preferences(self, id: ConversationId) -> Preferences {
        self.list.with_value(|list| wants(list, id))
    }

    /// The direct conversation with somebody, if it is in the list.
    pub(crate) fn direct(self, user: UserId, me: Option<UserId>) -> Option<ConversationId> {
        let is_theirs = |summary: &&Summary| {
            summary.kind == ConversationKind::Direct
                && summary.members.iter().flatten().any(|member| member.id == user)
                && (Some(user) != me || summary.members.iter().flatten().count() == 1)
        };
        self.list.with_value(|list| list.iter().find(is_theirs).map(|summary| summary.id))
    }

    /// The name of a group with somebody, the newest that is in the list and names them.
    pub(crate) fn shared_group(self, user: UserId) -> Option<String> {
        let names = |summary: &&Summary| summary.members.iter().flatten().any(|member| member.id == user);
        self.list.with_value(|list| list.iter().filter(names).find_map(|summary| summary.name.clone()))
    }

    pub(crate) fn everyone(self) -> Option<ConversationId> {
        let is_everyone = |summary: &&Summary| summary.kind == ConversationKind::Everyone;
        self.list.with_value(|list| list.iter().find(is_everyone).map(|summary| summary.id))
    }

    /// What was read here and the server has to be told again.
    pub(crate) fn welcome(self, summaries: Vec<Summary>, has_more: bool) -> Vec<UpTo> {
        let ids: Vec<_> = summaries.iter().map(|summary| summary.id).collect();
        let lost = self.change(ids, |list| list.handle_welcome(summaries, has_more));
        self.is_loaded.set(true);
        lost
    }

    /// `false`: it has to be asked for.
    pub(crate) fn summary(self, summary: Summary) -> bool {
        self.change(vec![summary.id], |list| list.handle_summary(summary))
    }

    /// Somebody has another name, picture or status.
    pub(crate) fn person(self, user: &User) {
        let touched = self.list.try_update_value(|list| list.handle_person(user));
        self.change(touched.unwrap_or_default(), |_| ());
    }

    /// Those whose unread count is not certain.
    pub(crate) fn uncertain(self) -> Vec<ConversationId> {
        self.list.with_value(Conversations::uncertain)
    }

    /// `None`: it is being asked for already.
    pub(crate) fn ask(self, id: ConversationId) -> Option<Asking> {
        self.list.try_update_value(|list| list.ask(id))?
    }

    /// `false`: it has to be asked for again.
    pub(crate) fn answer(self, asking: Asking, summary: Option<Summary>) -> bool {
        self.change(vec![asking.conversation], |list| list.handle_answer(asking, summary))
    }

    /// A question was not answered.
    pub(crate) fn fail(self, asking: Asking) {
        self.list.update_value(|list| _ = list.handle_failed(asking));
    }

    /// `false`: the conversation is not known.
    pub(crate) fn event(self, event: &Event, me: UserId) -> bool {
        self.change(vec![event.conversation], |list| list.handle_event(event, me))
    }

    pub(crate) fn read_all(self, id: ConversationId) -> Option<Cursor> {
        let needed = self.list.with_value(|list| list.get(id).is_some_and(|known| known.read_seq < known.last_seq));
        if needed { self.change(vec![id], |list| list.read_all(id)) } else { None }
    }

    /// Counts anew: time has passed, and a silence may be over.
    pub(crate) fn recount(self) {
        self.change(Vec::new(), |_| ());
    }

    /// How many conversations tell nothing just now.
    pub(crate) fn muted(self) -> usize {
        self.list.with_value(|list| list.muted(browser::now()))
    }

    /// Loads the next page of the list.
    pub(crate) async fn load_more(self) {
        let last = self.list.with_value(|list| list.order().last().copied());
        if let Some(last) = last
            && let Ok(page) = api::conversations(last).await
        {
            let ids: Vec<_> = page.conversations.iter().map(|summary| summary.id).collect();
            self.change(ids, |list| list.handle_older(page.conversations, page.more));
        }
    }

    /// The newest of the list, so many at most, and whether there are others; to be written down.
    pub(crate) fn kept(self, most: usize) -> (Vec<Summary>, bool) {
        self.list.with_value(|list| {
            let newest: Vec<_> = list.iter().take(most).cloned().collect();
            let has_more = list.has_more() || list.order().len() > newest.len();
            (newest, has_more)
        })
    }

    pub(crate) fn forget(self) {
        let known = self.summaries.with_value(|all| all.keys().copied().collect());
        self.change(known, |list| *list = Conversations::default());
        self.is_loaded.set(false);
    }

    /// Changes the list and then the signals of what it touched.
    fn change<T>(self, touched: Vec<ConversationId>, act: impl FnOnce(&mut Conversations) -> T) -> T {
        let result = self.list.try_update_value(act).expect("the list lives as long as the page");
        for id in touched {
            let summary = self.list.with_value(|list| list.shown(id));
            let signal = self.get(id);
            if signal.with_untracked(|known| *known != summary) {
                signal.set(summary);
            }
        }
        let (order, archived, unread, has_more) = self.list.with_value(|list| {
            let (mut order, mut others, mut archived) = (Vec::new(), Vec::new(), Vec::new());
            for id in list.order() {
                let wants = wants(list, *id);
                let kind = if wants.archived {
                    &mut archived
                } else if wants.pinned {
                    &mut order
                } else {
                    &mut others
                };
                kind.push(*id);
            }
            order.append(&mut others);
            (order, archived, list.unread(browser::now()), list.has_more())
        });
        for (signal, now) in [(self.order, order), (self.archived, archived)] {
            if signal.with_untracked(|known| *known != now) {
                signal.set(now);
            }
        }
        if self.unread.get_untracked() != unread {
            self.unread.set(unread);
        }
        if self.has_more.get_untracked() != has_more {
            self.has_more.set(has_more);
        }
        result
    }
}

fn wants(list: &Conversations, id: ConversationId) -> Preferences {
    list.get(id).map(|summary| summary.preferences).unwrap_or_default()
}

/// How many are in a conversation, as far as that is known.
pub(crate) fn member_count(summary: &Summary) -> u64 {
    summary.member_count.unwrap_or(summary.members.as_ref().map_or(0, Vec::len) as u64)
}

/// Those who are in a conversation beside oneself, where that is told: in direct ones and groups, the first of them.
pub(crate) fn others(summary: &Summary, me: Option<UserId>) -> impl Iterator<Item = &User> {
    summary.members.iter().flatten().filter(move |user| Some(user.id) != me)
}
