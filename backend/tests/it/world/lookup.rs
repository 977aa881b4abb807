//! Finding things: what is read over HTTP, and the conversation of certain people.

use backend::app::App;
use backend::store::Range;
use client::conversations::Conversations;
use client::timeline::Load;
use shared::conversation::{ConversationKind, EventList, Summary};
use shared::ids::{ConversationId, UserId};
use shared::message::Target;
use std::collections::BTreeSet;

/// `GET /api/conversations/{id}/events`
pub(super) async fn events(app: &App, user: UserId, id: ConversationId, load: Load, limit: u32) -> Option<EventList> {
    let member = app.store.member(user, id).await.unwrap()?;
    let range = match load {
        Load::Newest => Range::Newest,
        Load::Before(before) => Range::Before(before),
        Load::After(after) => Range::After(after),
        Load::Around(seq) => Range::Around(seq.into()),
    };
    let (events, more) = app.store.events(&member, range, limit).await.unwrap();
    Some(EventList { events, more })
}

/// The conversation a message of somebody to this target goes to, if it is in their list.
pub(super) fn conversation(list: &Conversations, me: UserId, target: &Target) -> Option<ConversationId> {
    let people: BTreeSet<_> = match target {
        Target::Conversation(id) => return Some(*id),
        Target::Group(group) => return Some(group.conversation),
        Target::Everyone => {
            return list.iter().find(|summary| summary.kind == ConversationKind::Everyone).map(|summary| summary.id);
        }
        Target::User(user) => [*user, me].into(),
        Target::Users(users) => users.iter().copied().chain([me]).collect(),
    };
    let is_theirs = |summary: &&Summary| {
        let members: BTreeSet<_> = summary.members.iter().flatten().map(|member| member.id).collect();
        summary.name.is_none() && members == people
    };
    list.iter().find(is_theirs).map(|summary| summary.id)
}
