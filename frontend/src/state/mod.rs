//! What the page knows, as signals. Frames are applied here, by one `match`; components read signals
//! and call the verbs below. Nothing here touches the DOM.

pub(crate) mod alert;
pub(crate) mod changing;
pub(crate) mod completion;
pub(crate) mod conversation;
pub(crate) mod draft;
pub(crate) mod emoji;
pub(crate) mod last;
pub(crate) mod namesake;
pub(crate) mod person;
pub(crate) mod presence;
pub(crate) mod quote;
mod reading;
pub(crate) mod receipt;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod timeline;
pub(crate) mod upload;
mod writing;

use crate::connection::Link;
use crate::later::later;
use crate::{api, browser};
use alert::Alerts;
use changing::Changes;
use client::command::Command;
use client::conversations::Asking;
use client::timeline::{Load, Missing};
use conversation::ConversationState;
use draft::Drafts;
use emoji::EmojiState;
use leptos::prelude::*;
use person::People;
use presence::PresenceState;
use quote::Quotes;
use reading::Wanted;
use receipt::ReceiptState;
use session::SessionState;
use setting::Settings;
use shared::account::User;
use shared::attachment::Attachment;
use shared::conversation::{ChangePreferences, ConversationKind, Summary};
use shared::event::{Event, EventKind};
use shared::frame::ServerFrame;
use shared::ids::{CommandId, ConversationId, Cursor, Seq};
use shared::limits::Limits;
use shared::message::Accepted;
use shared::welcome::Welcome;
use timeline::Timelines;
pub(crate) use writing::{FirstMessage, FirstState};

/// How long until a part of a conversation that could not be loaded is asked for again.
const LOAD_AGAIN: std::time::Duration = std::time::Duration::from_secs(3);

later!(soon, ask(state: State, asking: Asking) => {
    leptos::task::spawn_local(state.ask(asking));
    ().into_any()
});

/// What is over the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlay {
    Switcher,
    Shortcuts,
    /// Who is in a conversation, and what can be changed about it.
    About(ConversationId),
    /// A picture as large as the window: of [`State::viewing`].
    Picture,
    /// Which day of a conversation to go to.
    Date(ConversationId),
    /// Who has read a message.
    Readers(ConversationId, Seq),
    /// A text that the page may not copy by itself: [`State::copying`].
    Copying,
}

/// Everything the page knows. `Copy`: what is behind it lives as long as the page.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// How the page looks and speaks.
    pub(crate) settings: Settings,
    /// Who is signed in.
    pub(crate) session: SessionState,
    /// The connection.
    pub(crate) link: Link,
    /// The list of conversations.
    pub(crate) conversations: ConversationState,
    /// The rows of those that were opened.
    pub(crate) timelines: Timelines,
    /// What is being written.
    pub(crate) drafts: Drafts,
    /// What is being done to messages.
    pub(crate) changes: Changes,
    /// Messages that are answered.
    quotes: Quotes,
    /// Telling of messages outside the page.
    pub(crate) alerts: Alerts,
    /// Names.
    pub(crate) people: People,
    /// Who is there, and who is writing.
    pub(crate) presence: PresenceState,
    /// How far others are.
    pub(crate) receipts: ReceiptState,
    /// What the server takes.
    pub(crate) limits: RwSignal<Limits>,
    /// What is over the page.
    pub(crate) overlay: RwSignal<Option<Overlay>>,
    /// What is searched for, and where.
    pub(crate) searching: RwSignal<(String, Option<ConversationId>)>,
    /// The files of the message whose picture is looked at, and which of them.
    pub(crate) viewing: StoredValue<(Vec<Attachment>, usize)>,
    /// The text to be copied by hand.
    pub(crate) copying: StoredValue<String>,
    /// The people whom the message being written is for.
    pub(crate) beginning: RwSignal<Vec<User>>,
    /// Grows with what comes from the server.
    pub(crate) heard: StoredValue<u32>,
    /// Another build of the page is ready.
    pub(crate) is_renewed: RwSignal<bool>,
    /// Emoji.
    pub(crate) emoji: EmojiState,
    /// The row that is pointed at, or has the focus.
    pub(crate) active: RwSignal<Option<CommandId>>,
    /// Who waits for an emoji.
    pub(crate) picking: RwSignal<Option<Callback<String>>>,
    /// Messages to people whose conversation is not known yet, and what became of them.
    pub(crate) first_messages: RwSignal<Vec<FirstMessage>>,
    /// How many group requests wait for an answer; set anew with each that comes or goes.
    pub(crate) group_requests: RwSignal<u64>,
    /// The conversation that one has left last, as far as that is known, and may come back to.
    pub(crate) left: RwSignal<Option<ConversationId>>,
    /// The conversation that is on the screen, and whether its end is, or is about to be.
    open: StoredValue<Option<(ConversationId, bool)>>,
    /// The conversation that was opened before it was known what is new in it.
    opened_early: StoredValue<Option<ConversationId>>,
    /// The conversation whose end is shown as soon as it is loaded.
    going: StoredValue<Option<ConversationId>>,
    /// The message that is shown as soon as it is loaded.
    wanted: StoredValue<Option<Wanted>>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::new(),
            session: SessionState::new(),
            link: Link::new(),
            conversations: ConversationState::new(),
            timelines: Timelines::new(),
            drafts: Drafts::new(),
            changes: Changes::new(),
            quotes: Quotes::new(),
            alerts: Alerts::new(),
            people: People::new(),
            presence: PresenceState::new(),
            receipts: ReceiptState::new(),
            limits: RwSignal::new(Limits::default()),
            overlay: RwSignal::new(None),
            searching: RwSignal::new((String::new(), None)),
            viewing: StoredValue::new((Vec::new(), 0)),
            copying: StoredValue::new(String::new()),
            beginning: RwSignal::new(Vec::new()),
            heard: StoredValue::new(0),
            is_renewed: RwSignal::new(false),
            emoji: EmojiState::new(),
            active: RwSignal::new(None),
            picking: RwSignal::new(None),
            first_messages: RwSignal::new(Vec::new()),
            group_requests: RwSignal::new(0),
            left: RwSignal::new(None),
            open: StoredValue::new(None),
            opened_early: StoredValue::new(None),
            going: StoredValue::new(None),
            wanted: StoredValue::new(None),
        }
    }

    /// Takes in what the server says.
    pub(crate) fn apply(self, frame: ServerFrame) {
        self.note_heard();
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
            ServerFrame::Person(changed) => {
                self.people.learn([&changed.user]);
                self.conversations.person(&changed.user);
            }
            ServerFrame::Receipt(receipt) => self.receipt(receipt),
            ServerFrame::GroupRequests(changed) => self.group_requests.set(changed.count),
            // Handled by the connection.
            ServerFrame::Rejected(_) | ServerFrame::Pong(_) | ServerFrame::Draining(_) => {}
        }
    }

    /// Something has come from the server.
    fn note_heard(self) {
        self.heard.update_value(|count| *count = count.wrapping_add(1));
    }

    fn welcome(self, welcome: Welcome) {
        browser::set_clock(welcome.now);
        self.timelines.set_kept(Vec::new());
        let Welcome { user, limits, conversations, more, presence, group_requests, .. } = welcome;
        let me = user.id;
        self.people.learn([&user]);
        self.session.set_in(user);
        self.drafts.restore(me);
        self.presence.welcome(&presence);
        self.limits.set(limits);
        self.group_requests.set(group_requests);
        for summary in &conversations {
            self.people.learn_of(summary);
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
            self.ask_for_receipts(open);
            if self.begin_late(open) {
                return self.link.outbox.take_over(self, me);
            }
            self.ask_for_wanted(open);
            if is_at_end {
                self.to_end(open);
            }
        }
        self.read_what_is_open();
        self.link.outbox.take_over(self, me);
    }

    fn event(self, event: Event) {
        let Some(me) = self.session.me() else { return };
        self.people.want(event.sender, self);
        if !self.conversations.event(&event, me) {
            self.ask_for(event.conversation);
        }
        if matches!(event.kind, EventKind::Described(_)) {
            let summary = self.conversations.get(event.conversation);
            summary.with_untracked(|summary| summary.iter().for_each(|summary| self.people.learn_of(summary)));
        }
        self.presence.event(&event);
        if event.sender != me || matches!(event.kind, EventKind::Left(_)) {
            self.receipt_of(&event);
        }
        self.quotes.event(&event);
        self.alerts.heard(&event);
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
        self.quotes.forget();
        self.receipts.forget();
        for id in self.timelines.opened() {
            self.timelines.reset(id);
        }
    }

    fn accepted(self, accepted: Accepted) {
        let Some(me) = self.session.me() else { return };
        let (files, command) = self.link.drive(self, |machine| {
            let files = machine.outbox().get(accepted.id).map(|entry| entry.files.clone()).unwrap_or_default();
            (files, machine.take_accepted(accepted.id, browser::monotonic()))
        });
        let changed = command.as_ref().and_then(Command::changes);
        let Some(event) =
            command.and_then(|command| command.into_event(accepted, me)).map(|event| self.complete(event, files))
        else {
            if let Some(target) = changed {
                self.settle((accepted.conversation, target));
            }
            // It was discarded, or changed nothing new.
            return self.look_after(accepted.conversation, accepted.seq.into());
        };
        if !self.conversations.event(&event, me) {
            self.ask_for(accepted.conversation);
        }
        self.quotes.event(&event);
        let missing = self.timelines.accepted(event);
        if let Some(target) = changed {
            self.settle((accepted.conversation, target));
        }
        self.fetch(accepted.conversation, missing);
        self.set_first(accepted.id, FirstState::Accepted(accepted.conversation));
    }

    /// One's own message or change of one as others are sent it: with its files, and those it names.
    fn complete(self, mut event: Event, files: Vec<Attachment>) -> Event {
        if let EventKind::Message(message) = &mut event.kind {
            message.attachments = files;
        }
        self.naming(event)
    }

    /// So many files go with a message.
    pub(crate) fn files_max(self) -> usize {
        self.limits.with_untracked(|limits| limits.attachments as usize)
    }

    /// Takes in how a conversation stands now.
    fn learn(self, summary: Summary) {
        self.people.learn_of(&summary);
        let (id, last_seq) = (summary.id, summary.last_seq);
        if !self.conversations.summary(summary) {
            self.ask_for(id);
        }
        self.settle_reach(id);
        self.look_after(id, last_seq);
        self.read_what_is_open();
    }

    /// Changes what one wants of a conversation.
    pub(crate) async fn prefer(self, id: ConversationId, change: ChangePreferences) -> Result<(), api::Error> {
        let me = self.session.me();
        let summary = api::prefer(id, &change).await?;
        // It is nobody else's.
        if self.session.me() == me {
            self.learn(summary);
        }
        Ok(())
    }

    /// Asks for a conversation that is not in the list.
    pub(crate) fn ask_for(self, id: ConversationId) {
        let Some(asking) = self.conversations.ask(id) else { return };
        if let Some(seq) = asking.read {
            self.link.drive(self, |machine| machine.read(id, seq));
        }
        leptos::task::spawn_local(async move {
            if ask(self, asking).await.is_err() {
                self.conversations.fail(asking);
            }
        });
    }

    async fn ask(self, asking: Asking) {
        let id = asking.conversation;
        let summary = match api::conversation(id).await {
            Ok(summary) => Some(summary),
            Err(error) if error.is(shared::code::Code::NotFound) => None,
            Err(_) => return self.conversations.fail(asking),
        };
        let last_seq = summary.as_ref().map(|summary| summary.last_seq);
        summary.iter().for_each(|summary| self.people.learn_of(summary));
        let is_certain = self.conversations.answer(asking, summary);
        if let Some(last_seq) = last_seq {
            self.settle_reach(id);
            self.look_after(id, last_seq);
            self.begin_late(id);
            self.read_what_is_open();
        }
        if !is_certain && self.link.is_open() {
            set_timeout(move || self.ask_for(id), LOAD_AGAIN);
        }
    }

    /// Forgets everything of the person who has signed out.
    pub(crate) fn forget(self) {
        self.link.drive(self, client::connection::Connection::stop);
        self.link.outbox.leave();
        self.conversations.forget();
        self.timelines.forget();
        self.drafts.forget(None);
        self.changes.forget();
        self.quotes.forget();
        self.receipts.forget();
        self.searching.set((String::new(), None));
        self.overlay.set(None);
        self.picking.set(None);
        self.first_messages.set(Vec::new());
        self.beginning.set(Vec::new());
        self.group_requests.set(0);
        self.left.set(None);
    }
}
