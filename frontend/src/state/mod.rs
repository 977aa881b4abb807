//! What the page knows, as signals. Frames are applied here, by one `match`; components read signals
//! and call the verbs below. Nothing here touches the DOM.

pub(crate) mod conversation;
pub(crate) mod person;
pub(crate) mod presence;
pub(crate) mod session;
pub(crate) mod timeline;

use crate::connection::Link;
use crate::{api, browser};
use client::command::Command;
use client::outbox::Kept;
use client::timeline::{Load, Missing, RowState};
use conversation::ConversationState;
use leptos::prelude::*;
use person::People;
use presence::PresenceState;
use session::SessionState;
use shared::code::Rejection;
use shared::conversation::{ConversationKind, Summary};
use shared::event::{Event, EventKind};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, Cursor, Seq, UserId};
use shared::limits::Limits;
use shared::message::{Accepted, Send, Target};
use shared::reaction::React;
use shared::welcome::Welcome;
use timeline::Timelines;

/// How long until a part of a conversation that could not be loaded is asked for again.
const LOAD_AGAIN: std::time::Duration = std::time::Duration::from_secs(3);

/// Everything the page knows. `Copy`: what is behind it lives as long as the page.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// Who is signed in.
    pub(crate) session: SessionState,
    /// The connection.
    pub(crate) link: Link,
    /// The list of conversations.
    pub(crate) conversations: ConversationState,
    /// The rows of those that were opened.
    pub(crate) timelines: Timelines,
    /// Names.
    pub(crate) people: People,
    /// Who is there, and who is writing.
    pub(crate) presence: PresenceState,
    /// What the server takes.
    pub(crate) limits: RwSignal<Limits>,
    /// Messages to people whose conversation is not known yet, and what became of them.
    pub(crate) first_messages: RwSignal<Vec<FirstMessage>>,
    /// The conversation that is on the screen, and whether its end is, or is about to be.
    open: StoredValue<Option<(ConversationId, bool)>>,
    /// The conversation whose end is shown as soon as it is loaded.
    going: StoredValue<Option<ConversationId>>,
}

/// A message to people, before it is known which conversation that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstMessage {
    pub(crate) id: CommandId,
    pub(crate) content: String,
    pub(crate) state: FirstState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstState {
    Pending,
    Failed(String),
    /// It is in this conversation.
    Accepted(ConversationId),
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            session: SessionState::new(),
            link: Link::new(),
            conversations: ConversationState::new(),
            timelines: Timelines::new(),
            people: People::new(),
            presence: PresenceState::new(),
            limits: RwSignal::new(Limits::default()),
            first_messages: RwSignal::new(Vec::new()),
            open: StoredValue::new(None),
            going: StoredValue::new(None),
        }
    }

    /// Takes in what the server says.
    pub(crate) fn apply(self, frame: ServerFrame) {
        match frame {
            ServerFrame::Welcome(welcome) => self.welcome(*welcome),
            ServerFrame::Event(event) => self.event(event),
            ServerFrame::Accepted(accepted) => self.accepted(accepted),
            ServerFrame::Conversation(changed) => self.learn(changed.summary),
            ServerFrame::Resync(resync) => {
                self.timelines.reset(resync.conversation);
                self.ask_for(resync.conversation);
                self.load(resync.conversation, Load::Newest);
            }
            ServerFrame::Resumed(resumed) => self.look_after(resumed.conversation, resumed.seq),
            ServerFrame::Error(error) => browser::log_error(&format!("{}: {}", error.code, error.message)),
            ServerFrame::Typing(typing) => {
                self.people.want(typing.user, self);
                self.presence.typing(typing);
            }
            ServerFrame::Presence(presence) => self.presence.presence(presence),
            // Handled by the connection, or shown by a later version of the page.
            ServerFrame::Rejected(_) | ServerFrame::Receipt(_) | ServerFrame::Pong(_) | ServerFrame::Draining(_) => {}
        }
    }

    fn welcome(self, welcome: Welcome) {
        let Welcome { user, limits, conversations, more, presence, .. } = welcome;
        let me = user.id;
        self.session.set_in(user);
        self.presence.welcome(&presence);
        self.limits.set(limits);
        for summary in &conversations {
            self.people.learn(summary.members.iter().flatten());
        }
        let newest: Vec<_> = conversations.iter().map(|summary| (summary.id, summary.last_seq)).collect();
        for lost in self.conversations.welcome(conversations, more) {
            self.link.drive(self, |machine| machine.read(lost.conversation, lost.seq));
        }
        for id in self.conversations.uncertain() {
            self.ask_for(id);
        }
        let mut gaps = Vec::new();
        for id in self.timelines.opened() {
            let last_seq = newest.iter().find(|(other, _)| *other == id).map(|(_, last_seq)| *last_seq);
            match self.timelines.welcome(id, last_seq) {
                Some(Missing::Page) => self.load(id, Load::Newest),
                Some(Missing::After(cursor)) => gaps.push((id, cursor)),
                None => {}
            }
        }
        self.link.drive(self, |machine| machine.resume(gaps, browser::monotonic()));
        if let Some((open, is_at_end)) = self.open.get_value() {
            if self.conversations.kind(open).is_none() {
                self.ask_for(open);
            }
            if is_at_end {
                self.to_end(open);
            }
        }
        self.read_what_is_open();
        self.link.outbox.take_over(self, me);
    }

    /// What was written before this page began, or in a tab that is gone, is on its way again.
    pub(crate) fn restore(self, left: Vec<Kept>, me: UserId) {
        // Finding it took a while; it is nobody else's.
        if self.session.me() != Some(me) {
            return;
        }
        for kept in &left {
            let Some(send) = kept.command.as_send() else { continue };
            let failed = kept.failed.as_ref().map(|rejection| rejection.message.clone());
            match self.conversation_of(&send.to) {
                Some(conversation) => {
                    self.timelines.pending(conversation, send, me);
                    if let Some(reason) = failed {
                        self.timelines.state(conversation, send.id, RowState::Failed(reason));
                    }
                }
                None => {
                    let state = failed.map_or(FirstState::Pending, FirstState::Failed);
                    let first = FirstMessage { id: send.id, content: send.content.clone(), state };
                    self.first_messages.update(|all| {
                        if all.iter().all(|other| other.id != first.id) {
                            all.push(first);
                        }
                    });
                }
            }
        }
        self.link.drive(self, |machine| machine.restore(left, me, browser::monotonic()));
    }

    fn event(self, event: Event) {
        let Some(me) = self.session.me() else { return };
        self.people.want(event.sender, self);
        if !self.conversations.event(&event, me) {
            self.ask_for(event.conversation);
        }
        self.presence.event(&event);
        let conversation = event.conversation;
        if self.conversations.kind(conversation).is_some_and(|kind| kind != ConversationKind::Everyone) {
            self.link.drive(self, |machine| machine.note_delivered(conversation, event.seq, browser::monotonic()));
        }
        let is_leaving = matches!(&event.kind, EventKind::Left(left) if left.user == me);
        if is_leaving && self.conversations.kind(conversation).is_none() {
            self.timelines.reset(conversation);
        } else {
            let missing = self.timelines.event(event);
            self.fetch(conversation, missing);
        }
        self.read_what_is_open();
    }

    /// Gets what a timeline is missing.
    fn fetch(self, id: ConversationId, missing: Option<Missing>) {
        match missing {
            Some(Missing::Page) => self.load(id, Load::Newest),
            Some(Missing::After(cursor)) => {
                self.link.drive(self, |machine| machine.resume([(id, cursor)], browser::monotonic()));
            }
            None => {}
        }
    }

    /// The server's newest number of a conversation is this: gets what is missing.
    fn look_after(self, id: ConversationId, last_seq: Cursor) {
        let missing = self.timelines.last_seq(id, last_seq);
        self.fetch(id, missing);
    }

    /// The server's history is another one: nothing of what is shown counts any more. The welcome that
    /// follows loads it again.
    pub(crate) fn begin_anew(self) {
        self.conversations.forget();
        for id in self.timelines.opened() {
            self.timelines.reset(id);
        }
    }

    fn accepted(self, accepted: Accepted) {
        let Some(me) = self.session.me() else { return };
        let command = self.link.drive(self, |machine| machine.take_accepted(accepted.id, browser::monotonic()));
        let Some(event) = command.and_then(|command| command.into_event(accepted, me)) else {
            // It was discarded, or changed nothing new.
            return self.look_after(accepted.conversation, accepted.seq.into());
        };
        if !self.conversations.event(&event, me) {
            self.ask_for(accepted.conversation);
        }
        let missing = self.timelines.accepted(event);
        self.fetch(accepted.conversation, missing);
        self.set_first(accepted.id, FirstState::Accepted(accepted.conversation));
    }

    /// Takes in how a conversation stands now.
    fn learn(self, summary: Summary) {
        self.people.learn(summary.members.iter().flatten());
        let (id, last_seq) = (summary.id, summary.last_seq);
        if !self.conversations.summary(summary) {
            self.ask_for(id);
        }
        self.look_after(id, last_seq);
        self.read_what_is_open();
    }

    /// Asks for a conversation that is not in the list.
    pub(crate) fn ask_for(self, id: ConversationId) {
        let Some(asking) = self.conversations.ask(id) else { return };
        if let Some(seq) = asking.read {
            self.link.drive(self, |machine| machine.read(id, seq));
        }
        leptos::task::spawn_local(async move {
            let summary = match api::conversation(id).await {
                Ok(summary) => Some(summary),
                Err(error) if error.is(shared::code::Code::NotFound) => None,
                Err(_) => return self.conversations.fail(asking),
            };
            let last_seq = summary.as_ref().map(|summary| summary.last_seq);
            self.people.learn(summary.iter().flat_map(|summary| summary.members.iter().flatten()));
            let is_certain = self.conversations.answer(asking, summary);
            if let Some(last_seq) = last_seq {
                self.look_after(id, last_seq);
                self.read_what_is_open();
            }
            if !is_certain && self.link.is_open() {
                set_timeout(move || self.ask_for(id), LOAD_AGAIN);
            }
        });
    }

    /// Sends a message to a conversation. `false`: too many are waiting; the text is kept.
    pub(crate) fn send(self, id: ConversationId, content: String) -> bool {
        let Some(me) = self.session.me() else { return false };
        let to = match self.conversations.kind(id) {
            Some(ConversationKind::Everyone) => Target::Everyone,
            _ => Target::Conversation(id),
        };
        let send = Send { id: browser::new_command_id(), to, content, reply_to: None, attachments: Vec::new() };
        self.timelines.pending(id, &send, me);
        let is_taken = self.queue(&send);
        if is_taken {
            // What one writes, one sees.
            self.to_end(id);
        } else {
            self.timelines.discard(id, send.id);
        }
        is_taken
    }

    /// Sends a message to people. Where it goes is known once it is accepted.
    pub(crate) fn send_to(self, users: &[UserId], content: String) -> Option<CommandId> {
        let to = match users {
            [user] => Target::User(*user),
            users => Target::Users(users.to_vec()),
        };
        let send = Send { id: browser::new_command_id(), to, content, reply_to: None, attachments: Vec::new() };
        let first = FirstMessage { id: send.id, content: send.content.clone(), state: FirstState::Pending };
        self.first_messages.update(|all| all.push(first));
        let is_taken = self.queue(&send);
        if !is_taken {
            self.first_messages.update(|all| all.retain(|first| first.id != send.id));
        }
        is_taken.then_some(send.id)
    }

    fn queue(self, send: &Send) -> bool {
        let Some(me) = self.session.me() else { return false };
        let command = Command::Send(send.clone());
        let write = |machine: &mut client::connection::Connection| {
            machine.write(command, me, browser::now(), browser::monotonic())
        };
        self.link.drive(self, write).is_ok()
    }

    /// The server refused a message for good.
    pub(crate) fn fail(self, command: &Command, rejection: &Rejection) {
        let Command::Send(Send { id, to, .. }) = command else { return };
        let id = *id;
        if let Some(conversation) = self.conversation_of(to) {
            self.timelines.state(conversation, id, RowState::Failed(rejection.message.clone()));
        }
        self.set_first(id, FirstState::Failed(rejection.message.clone()));
    }

    /// The person wants a failed message tried again.
    pub(crate) fn retry(self, conversation: Option<ConversationId>, id: CommandId) {
        if let Some(conversation) = conversation {
            self.timelines.state(conversation, id, RowState::Pending);
        }
        self.set_first(id, FirstState::Pending);
        self.link.drive(self, |machine| machine.retry(id, browser::monotonic()));
    }

    /// The person does not want a failed message any more.
    pub(crate) fn discard(self, conversation: Option<ConversationId>, id: CommandId) {
        self.link.drive(self, |machine| machine.discard(id, browser::monotonic()));
        if let Some(conversation) = conversation {
            self.timelines.discard(conversation, id);
        }
        self.first_messages.update(|all| all.retain(|first| first.id != id));
    }

    /// The person does not want it as it is: its text goes back to where it is written.
    pub(crate) fn take_back(self, conversation: ConversationId, id: CommandId) {
        let text = self.link.drive(self, |machine| {
            let content = machine.discard(id, browser::monotonic())?.as_send()?.content.clone();
            Some(content)
        });
        self.timelines.discard(conversation, id);
        if let Some(text) = text {
            self.timelines.draft(conversation).update(|draft| {
                let separator = if draft.is_empty() { "" } else { "\n" };
                *draft = format!("{text}{separator}{draft}");
            });
        }
    }

    /// Something is being written in a conversation: the others are told, now and then.
    pub(crate) fn typing(self, conversation: ConversationId) {
        if self.link.is_open()
            && let Some(frame) = self.presence.input(conversation)
        {
            self.link.drive(self, |machine| machine.transmit(frame));
        }
    }

    /// Sets one's own reaction on a message, or takes it back.
    pub(crate) fn react(self, conversation: ConversationId, target: Seq, emoji: String, on: bool) {
        let id = browser::new_command_id();
        let Some(me) = self.session.me() else { return };
        let command = Command::React(React { id, conversation, target, emoji, on });
        let write = |machine: &mut client::connection::Connection| {
            machine.write(command, me, browser::now(), browser::monotonic())
        };
        // A full outbox says so where messages are written.
        let _ = self.link.drive(self, write);
    }

    /// A conversation comes on the screen.
    pub(crate) fn open(self, id: ConversationId) {
        self.open.set_value(Some((id, true)));
        if self.conversations.kind(id).is_none() && self.conversations.is_loaded() {
            self.ask_for(id);
        }
        if self.timelines.open(id) {
            self.load(id, Load::Newest);
        }
        self.read_what_is_open();
    }

    /// It leaves the screen.
    pub(crate) fn close(self, id: ConversationId) {
        if self.open.with_value(|open| open.is_some_and(|(open, _)| open == id)) {
            self.open.set_value(None);
        }
        self.timelines.rest(id);
    }

    /// Whether the newest row is on the screen.
    pub(crate) fn set_at_end(self, id: ConversationId, is_at_end: bool) {
        let before = self.open.get_value();
        if before == Some((id, !is_at_end)) {
            self.open.set_value(Some((id, is_at_end)));
            self.timelines.set_reading(id, !is_at_end);
            self.read_what_is_open();
        }
    }

    /// Shows the newest rows, wherever one has read.
    pub(crate) fn to_end(self, id: ConversationId) {
        self.set_at_end(id, true);
        self.timelines.to_end(id);
        if !self.timelines.is_at_newest(id) {
            self.going.set_value(Some(id));
            self.load(id, Load::Newest);
        }
    }

    /// What is on the screen, down to its end, is read.
    pub(crate) fn read_what_is_open(self) {
        let Some((id, true)) = self.open.get_value() else { return };
        if !browser::is_visible() || !self.timelines.is_at_newest(id) {
            return;
        }
        if let Some(seq) = self.conversations.read_all(id).and_then(|cursor| Seq::new(cursor.get())) {
            self.link.drive(self, |machine| machine.read(id, seq));
        }
    }

    /// Loads a part of a conversation, once at a time.
    pub(crate) fn load(self, id: ConversationId, load: Load) {
        let Some(loading) = self.timelines.begin(id, load) else { return };
        leptos::task::spawn_local(async move {
            match api::events(id, load).await {
                Ok(page) => {
                    for event in &page.events {
                        self.people.want(event.sender, self);
                    }
                    let missing = self.timelines.finish(id, loading, page);
                    self.fetch(id, missing);
                    if load == Load::Newest && self.going.get_value() == Some(id) {
                        // A scrolling that was going on may have gone on.
                        self.going.set_value(None);
                        self.set_at_end(id, true);
                        self.timelines.to_end(id);
                    }
                    self.read_what_is_open();
                }
                Err(error) => {
                    let is_wanted = self.timelines.fail(id, loading, &error);
                    let is_there = !error.is(shared::code::Code::NotFound);
                    // One may have left and be back since.
                    if is_wanted && !is_there && self.conversations.kind(id).is_some() {
                        self.ask_for(id);
                    }
                    // A gap is not left open. Without a connection the next welcome asks again.
                    if is_wanted && is_there && load == Load::Newest && self.link.is_open() {
                        set_timeout(move || self.load(id, load), LOAD_AGAIN);
                    }
                }
            }
        });
    }

    /// Forgets everything of the person who has signed out.
    pub(crate) fn forget(self) {
        self.link.drive(self, client::connection::Connection::stop);
        self.link.outbox.leave();
        self.conversations.forget();
        self.timelines.forget();
        self.first_messages.set(Vec::new());
    }

    fn conversation_of(self, target: &Target) -> Option<ConversationId> {
        match target {
            Target::Conversation(id) => Some(*id),
            Target::Everyone => self.conversations.everyone(),
            Target::User(_) | Target::Users(_) => None,
        }
    }

    fn set_first(self, id: CommandId, state: FirstState) {
        if self.first_messages.with_untracked(|all| all.iter().any(|first| first.id == id)) {
            self.first_messages.update(|all| {
                for first in all.iter_mut().filter(|first| first.id == id) {
                    first.state = state.clone();
                }
            });
        }
    }
}
