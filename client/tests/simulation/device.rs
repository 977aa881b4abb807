//! A client as the page is one: the machines, and the wires between them. What the page shows is
//! compared; how it draws it is not here.

use crate::server::Fault;
use client::command::Command;
use client::connection::{Connection, Output, Status};
use client::conversations::{Asking, Conversations};
use client::outbox::{Kept, State};
use client::receipt::Receipts;
use client::timeline::{Bounds, Load, Loading, Missing, RowState, Timeline};
use shared::conversation::{ConversationKind, EventList, Summary};
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::message::{Accepted, Send, Target};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// Small bounds, so that short logs reach them.
const BOUNDS: Bounds = Bounds { gap: 8, ahead: 6, waiting: 6 };
/// How long until what could not be loaded is asked for again.
const LOAD_AGAIN: u64 = 3_000;

/// What is asked over HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Page(ConversationId, Loading),
    Summary(Asking),
}

/// What is answered: `Ok(None)` is "not there".
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Page(Result<Option<EventList>, ()>),
    Summary(Result<Option<Box<Summary>>, ()>),
}

/// What the world is to do for it.
#[derive(Debug)]
pub(crate) enum Wish {
    Open,
    Transmit(ClientFrame),
    Close,
    Request(Request),
    /// A command was refused for good and is gone.
    Dropped(CommandId),
}

pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) connection: Connection,
    pub(crate) list: Conversations,
    pub(crate) timelines: BTreeMap<ConversationId, Timeline>,
    pub(crate) receipts: Receipts,
    /// What a closed page leaves.
    pub(crate) kept: BTreeMap<CommandId, Kept>,
    pub(crate) wishes: VecDeque<Wish>,
    /// What is asked for again, and when.
    again: Vec<(u64, ConversationId, bool)>,
    pub(crate) now: u64,
    fault: Fault,
    transmitted: HashSet<CommandId>,
}

impl Device {
    pub(crate) fn new(user: UserId, seed: u64, now: u64, fault: Fault, kept: BTreeMap<CommandId, Kept>) -> Self {
        let mut device = Self {
            user,
            connection: Connection::new(seed),
            list: Conversations::default(),
            timelines: BTreeMap::new(),
            receipts: Receipts::default(),
            kept: BTreeMap::new(),
            wishes: VecDeque::new(),
            again: Vec::new(),
            now,
            fault,
            transmitted: HashSet::new(),
        };
        device.connection.restore(kept.values().cloned().collect(), user, now);
        device.kept = kept;
        device.drive(|connection| connection.start(now));
        device
    }

    /// Tells the connection something and does what it asks for.
    pub(crate) fn drive<T>(&mut self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(&mut self.connection);
        while let Some(output) = self.connection.poll_output() {
            match output {
                Output::Open => self.wishes.push_back(Wish::Open),
                Output::Transmit(frame) => {
                    let frame = self.spoiled(frame);
                    self.wishes.push_back(Wish::Transmit(frame));
                }
                Output::Close => self.wishes.push_back(Wish::Close),
                Output::CheckSession => {}
                Output::OtherPerson => panic!("nobody else signs in"),
                Output::OtherHistory => {
                    self.list = Conversations::default();
                    self.receipts.reset();
                    for timeline in self.timelines.values_mut() {
                        timeline.reset();
                    }
                }
                Output::Failed(command, rejection) => self.fail(&command, rejection.message),
                Output::Keep(kept) => drop(self.kept.insert(kept.command.id(), kept)),
                Output::Forget(id) => drop(self.kept.remove(&id)),
            }
        }
        result
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.connection.status() == Status::Open
    }

    pub(crate) fn next_timeout(&self) -> Option<u64> {
        let again = self.again.iter().map(|(at, ..)| *at);
        again.chain(self.connection.next_timeout()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: u64) {
        self.now = now;
        self.drive(|connection| connection.handle_timeout(now));
        let (due, later) = std::mem::take(&mut self.again).into_iter().partition(|(at, ..)| *at <= now);
        self.again = later;
        for (_, id, is_page) in due {
            if is_page { self.load(id, Load::Newest) } else { self.ask_for(id) }
        }
    }

    pub(crate) fn handle_frame(&mut self, frame: ServerFrame) {
        let now = self.now;
        let Some(frame) = self.drive(|connection| connection.handle_frame(frame, now)) else { return };
        match frame {
            ServerFrame::Welcome(welcome) => self.welcome(welcome.conversations, welcome.more),
            ServerFrame::Event(event) => self.event(event),
            ServerFrame::Accepted(accepted) => self.accepted(accepted),
            ServerFrame::Conversation(changed) => self.learn(changed.summary),
            ServerFrame::Resumed(resumed) => self.look_after(resumed.conversation, resumed.seq),
            ServerFrame::Resync(resync) => {
                if let Some(timeline) = self.timelines.get_mut(&resync.conversation) {
                    timeline.reset();
                }
                self.ask_for(resync.conversation);
                self.look_after(resync.conversation, Cursor::START);
            }
            ServerFrame::Receipt(receipt) => _ = self.receipts.handle_receipt(receipt),
            _ => {}
        }
    }

    pub(crate) fn handle_answer(&mut self, request: Request, answer: Answer) {
        match (request, answer) {
            (Request::Page(id, loading), Answer::Page(answer)) => self.page(id, loading, answer),
            (Request::Summary(asking), Answer::Summary(Ok(summary))) => {
                let last_seq = summary.as_ref().map(|summary| summary.last_seq);
                if !self.list.handle_answer(asking, summary.map(|summary| *summary)) {
                    self.again.push((self.now + LOAD_AGAIN, asking.conversation, false));
                }
                if let Some(last_seq) = last_seq {
                    self.look_after(asking.conversation, last_seq);
                }
            }
            (Request::Summary(asking), Answer::Summary(Err(()))) => {
                if self.list.handle_failed(asking) {
                    self.again.push((self.now + LOAD_AGAIN, asking.conversation, false));
                }
            }
            (request, answer) => panic!("{request:?} is not answered with {answer:?}"),
        }
    }

    /// The person writes a message.
    pub(crate) fn send(&mut self, id: CommandId, to: Target, content: String) -> bool {
        let send = Send { id, to, content, reply_to: None, attachments: Vec::new() };
        let conversation = self.conversation_of(&send.to);
        if let Some(timeline) = conversation.and_then(|id| self.timelines.get_mut(&id)) {
            timeline.push_pending(&send, Vec::new(), self.user, Timestamp::from_millis(self.now));
        }
        self.write(Command::Send(send))
    }

    pub(crate) fn write(&mut self, command: Command) -> bool {
        let (user, now) = (self.user, self.now);
        self.drive(|connection| connection.write(command, user, Timestamp::from_millis(now), now)).is_ok()
    }

    /// The person decides about what was refused.
    pub(crate) fn retry(&mut self, id: CommandId) {
        let now = self.now;
        self.set_pending(id, RowState::Pending);
        self.drive(|connection| connection.retry(id, now));
    }

    pub(crate) fn edit(&mut self, id: CommandId, new_id: CommandId, content: String) -> bool {
        let now = self.now;
        let is_changed = self.drive(|connection| connection.edit(id, new_id, content, now));
        if is_changed {
            self.remove_pending(id);
            if let Some(Command::Send(send)) = self.connection.outbox().get(new_id).map(|entry| entry.command.clone())
                && let Some(timeline) =
                    self.conversation_of(&send.to).and_then(|conversation| self.timelines.get_mut(&conversation))
            {
                timeline.push_pending(&send, Vec::new(), self.user, Timestamp::from_millis(now));
            }
        }
        is_changed
    }

    pub(crate) fn discard(&mut self, id: CommandId) {
        let now = self.now;
        self.remove_pending(id);
        self.drive(|connection| connection.discard(id, now));
    }

    pub(crate) fn open(&mut self, id: ConversationId) {
        let is_loaded = self.timelines.entry(id).or_insert_with(|| Timeline::with_bounds(id, BOUNDS)).is_loaded();
        if !is_loaded {
            self.load(id, Load::Newest);
        }
    }

    pub(crate) fn older(&mut self, id: ConversationId) {
        if let Some(load) = self.timelines.get(&id).and_then(Timeline::older) {
            self.load(id, load);
        }
    }

    pub(crate) fn read_all(&mut self, id: ConversationId) {
        if let Some(seq) = self.list.read_all(id).and_then(|cursor| Seq::new(cursor.get())) {
            self.drive(|connection| connection.read(id, seq));
        }
    }

    /// What must hold after every step.
    pub(crate) fn check(&self) -> Result<(), String> {
        for timeline in self.timelines.values() {
            timeline.check_invariants();
        }
        if self.connection.outbox().len() > client::outbox::ENTRIES_MAX {
            return Err("the outbox is over its bound".into());
        }
        let entries: HashSet<_> = self.connection.outbox().entries().map(|entry| entry.command.id()).collect();
        if entries.len() != self.kept.len() || !self.kept.keys().all(|id| entries.contains(id)) {
            return Err("what is written down is not what is in the outbox".into());
        }
        Ok(())
    }

    pub(crate) fn failed(&self) -> Vec<(CommandId, bool)> {
        let failed = |entry: &client::outbox::Entry| match &entry.state {
            State::Failed(rejection) => Some((entry.command.id(), rejection.code.is_retryable())),
            _ => None,
        };
        self.connection.outbox().entries().filter_map(failed).collect()
    }

    fn welcome(&mut self, summaries: Vec<Summary>, more: bool) {
        let now = self.now;
        let newest: BTreeMap<_, _> = summaries.iter().map(|summary| (summary.id, summary.clone())).collect();
        for lost in self.list.handle_welcome(summaries, more) {
            self.drive(|connection| connection.read(lost.conversation, lost.seq));
        }
        for id in self.list.uncertain() {
            self.ask_for(id);
        }
        let mut gaps = Vec::new();
        let mut pages = Vec::new();
        for (id, timeline) in &mut self.timelines {
            match timeline.handle_welcome(newest.get(id).map(|summary| summary.last_seq)) {
                Some(Missing::Page) => pages.push(*id),
                Some(Missing::After(cursor)) => gaps.push((*id, cursor)),
                None => {}
            }
        }
        for id in pages {
            self.load(id, Load::Newest);
        }
        self.drive(|connection| connection.resume(gaps, now));
        for summary in newest.values().filter(|summary| summary.last_seq > summary.read_seq) {
            if summary.kind != ConversationKind::Everyone
                && let Some(seq) = Seq::new(summary.last_seq.get())
            {
                self.drive(|connection| connection.note_delivered(summary.id, seq, now));
            }
        }
    }

    fn event(&mut self, event: Event) {
        let id = event.conversation;
        self.receipts.handle_event(&event);
        if !self.list.handle_event(&event, self.user) {
            self.ask_for(id);
        }
        let is_leaving = matches!(&event.kind, EventKind::Left(left) if left.user == self.user);
        let known = self.list.get(id).map(|summary| summary.kind);
        if is_leaving && known.is_none() {
            if let Some(timeline) = self.timelines.get_mut(&id) {
                timeline.reset();
            }
            return;
        }
        if known.is_some_and(|kind| kind != ConversationKind::Everyone) && event.sender != self.user {
            let (seq, now) = (event.seq, self.now);
            self.drive(|connection| connection.note_delivered(id, seq, now));
        }
        if let Some(timeline) = self.timelines.get_mut(&id) {
            let (_, missing) = timeline.handle_event(event);
            self.fetch(id, missing);
        }
    }

    fn accepted(&mut self, accepted: Accepted) {
        let now = self.now;
        let id = accepted.conversation;
        let command = self.drive(|connection| connection.take_accepted(accepted.id, now));
        let Some(event) = command.and_then(|command| command.into_event(accepted, self.user)) else {
            if self.list.get(id).is_none_or(|summary| summary.last_seq < accepted.seq.into()) {
                self.ask_for(id);
            }
            return self.look_after(id, accepted.seq.into());
        };
        if !self.list.handle_event(&event, self.user) {
            self.ask_for(id);
        }
        if let Some(timeline) = self.timelines.get_mut(&id) {
            let (_, missing) = timeline.handle_accepted(event);
            self.fetch(id, missing);
        }
    }

    fn learn(&mut self, summary: Summary) {
        let (id, last_seq) = (summary.id, summary.last_seq);
        if !self.list.handle_summary(summary) {
            self.ask_for(id);
        }
        self.look_after(id, last_seq);
    }

    fn look_after(&mut self, id: ConversationId, last_seq: Cursor) {
        let missing = self.timelines.get_mut(&id).and_then(|timeline| timeline.handle_last_seq(last_seq));
        self.fetch(id, missing);
    }

    fn fetch(&mut self, id: ConversationId, missing: Option<Missing>) {
        let now = self.now;
        match missing {
            Some(Missing::Page) => self.load(id, Load::Newest),
            Some(Missing::After(cursor)) => self.drive(|connection| connection.resume([(id, cursor)], now)),
            None => {}
        }
    }

    fn load(&mut self, id: ConversationId, load: Load) {
        if let Some(loading) = self.timelines.get_mut(&id).and_then(|timeline| timeline.begin(load)) {
            self.wishes.push_back(Wish::Request(Request::Page(id, loading)));
        }
    }

    fn ask_for(&mut self, id: ConversationId) {
        if let Some(asking) = self.list.ask(id) {
            if let Some(seq) = asking.read {
                self.drive(|connection| connection.read(id, seq));
            }
            self.wishes.push_back(Wish::Request(Request::Summary(asking)));
        }
    }

    fn page(&mut self, id: ConversationId, loading: Loading, answer: Result<Option<EventList>, ()>) {
        let Some(timeline) = self.timelines.get_mut(&id) else { return };
        match answer {
            Ok(Some(page)) => {
                let (_, missing) = timeline.handle_page(loading, page);
                self.fetch(id, missing);
            }
            // It is not there, or not one's own any more.
            Ok(None) => {
                if timeline.handle_failed(loading) {
                    timeline.reset();
                    // One may be back since.
                    if self.list.get(id).is_some() {
                        self.ask_for(id);
                    }
                }
            }
            Err(()) => {
                if timeline.handle_failed(loading) && loading.load == Load::Newest {
                    self.again.push((self.now + LOAD_AGAIN, id, true));
                }
            }
        }
    }

    fn fail(&mut self, command: &Command, reason: String) {
        let id = command.id();
        if self.connection.outbox().get(id).is_none() {
            self.wishes.push_back(Wish::Dropped(id));
        }
        self.set_pending(id, RowState::Failed(reason));
    }

    fn set_pending(&mut self, id: CommandId, state: RowState) {
        for timeline in self.timelines.values_mut() {
            timeline.set_pending(id, state.clone());
        }
    }

    fn remove_pending(&mut self, id: CommandId) {
        for timeline in self.timelines.values_mut() {
            timeline.remove_pending(id);
        }
    }

    fn conversation_of(&self, target: &Target) -> Option<ConversationId> {
        match target {
            Target::Conversation(id) => Some(*id),
            Target::Group(group) => Some(group.conversation),
            Target::Everyone => {
                self.list.iter().find(|summary| summary.kind == ConversationKind::Everyone).map(|summary| summary.id)
            }
            Target::User(_) | Target::Users(_) => None,
        }
    }

    /// With [`Fault::SendsAgainAsNew`]: what goes again gets another id.
    fn spoiled(&mut self, frame: ClientFrame) -> ClientFrame {
        match frame {
            ClientFrame::Send(send) if self.fault == Fault::SendsAgainAsNew && !self.transmitted.insert(send.id) => {
                let mut bytes = *send.id.as_bytes();
                bytes[15] ^= 0xff;
                ClientFrame::Send(Send { id: CommandId::from_bytes(bytes).expect("not nil"), ..send })
            }
            frame => frame,
        }
    }
}
