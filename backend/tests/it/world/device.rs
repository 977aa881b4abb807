//! A person's device: the client's machines, driven as the page drives them, and the server's real
//! socket at the other end. What it asks over HTTP it asks the functions the handlers ask.

use super::lookup;
use backend::app::App;
use backend::chat;
use backend::chat::presence::Mark;
use backend::registry::Registration;
use backend::socket::queue::Taken;
use client::command::Command;
use client::connection::{Connection, Ended, Output, Status};
use client::conversations::{Asking, Conversations};
use client::presence::People;
use client::receipt::Receipts;
use client::timeline::{Bounds, Load, Loading, Missing, RowState, Timeline};
use client::typing::Typing;
use shared::conversation::{ConversationKind, EventList, Summary};
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Cursor, Seq, SessionId, Timestamp, UserId};
use shared::limits::PAGE_MAX;
use shared::message::Accepted;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Small bounds, so that short logs reach them.
const BOUNDS: Bounds = Bounds { gap: 12, ahead: 12, waiting: 12 };
/// A page of history, for the same reason.
const PAGE: u32 = 10;
/// How long until what could not be loaded is asked for again.
const LOAD_AGAIN: u64 = 3_000;

/// What it waits for.
#[derive(Debug)]
enum Wish {
    Open,
    Page(ConversationId, Loading),
    Summary(Asking),
}

/// A session, and what its secret hashes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) token_hash: [u8; 32],
}

pub(super) struct Device {
    app: Arc<App>,
    pub(super) user: UserId,
    /// By which session it is signed in.
    pub(super) session: Session,
    pub(super) connection: Connection,
    pub(super) list: Conversations,
    pub(super) timelines: BTreeMap<ConversationId, Timeline>,
    pub(super) receipts: Receipts,
    pub(super) typing: Typing,
    pub(super) presence: People,
    /// The commands that were refused for good.
    pub(super) refused: Vec<CommandId>,
    /// Its place in the registry and on the presence board.
    socket: Option<(Registration, Mark)>,
    wishes: VecDeque<Wish>,
    /// What is asked for again, and when.
    again: Vec<(u64, ConversationId, bool)>,
    /// Where its person is no member any more, and must hear nothing of.
    left: BTreeSet<ConversationId>,
    now: u64,
    /// Whether it takes what the server has for it.
    pub(super) is_reading: bool,
    /// A device that only looks changes nothing.
    is_looking: bool,
    has_moved: bool,
}

impl Device {
    pub(super) fn new(app: Arc<App>, user: UserId, session: Session, now: u64) -> Self {
        let mut device = Self {
            app,
            user,
            session,
            connection: Connection::new(now),
            list: Conversations::default(),
            timelines: BTreeMap::new(),
            receipts: Receipts::default(),
            typing: Typing::default(),
            presence: People::default(),
            refused: Vec::new(),
            socket: None,
            wishes: VecDeque::new(),
            again: Vec::new(),
            left: BTreeSet::new(),
            now,
            is_reading: true,
            is_looking: false,
            has_moved: false,
        };
        device.drive(|connection| connection.start(now));
        device
    }

    /// Another device of the same person that has just loaded everything there is, and changes nothing.
    pub(super) async fn fresh(&self) -> Self {
        let mut device = Self::new(self.app.clone(), self.user, self.session, self.now);
        device.is_looking = true;
        loop {
            while device.work().await {}
            let older: Vec<_> = device.timelines.values().filter(|timeline| timeline.has_older()).collect();
            let older: Vec<_> = older.iter().map(|timeline| timeline.conversation()).collect();
            if older.is_empty() {
                return device;
            }
            older.into_iter().for_each(|id| device.scroll_back(id));
        }
    }

    /// Does what waits to be done. `false`: there was nothing.
    pub(super) async fn work(&mut self) -> bool {
        while let Some(wish) = self.wishes.pop_front() {
            self.has_moved = true;
            match wish {
                Wish::Open => self.open_socket().await,
                Wish::Page(id, loading) => {
                    let limit = if self.is_looking { PAGE_MAX } else { PAGE };
                    let page = lookup::events(&self.app, self.user, id, loading.load, limit).await;
                    self.page(id, loading, page);
                }
                Wish::Summary(asking) => {
                    let summary = self.app.store.summary(self.user, asking.conversation).await.unwrap();
                    self.summary(asking, summary);
                }
            }
        }
        self.receive();
        for id in self.list.order().to_vec() {
            self.open(id);
        }
        std::mem::take(&mut self.has_moved) || !self.wishes.is_empty()
    }

    /// Whether time alone will make it do something soon.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.connection.status(), Status::Connecting | Status::Waiting { .. }) || !self.again.is_empty()
    }

    /// Whether anything was asked of it since it last worked.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved || !self.wishes.is_empty()
    }

    pub(super) fn is_open(&self) -> bool {
        *self.connection.status() == Status::Open
    }

    pub(super) fn is_signed_out(&self) -> bool {
        *self.connection.status() == Status::Ended(Ended::SignedOut)
    }

    /// When it has to be told the time, if it waits to come back.
    pub(super) fn comes_back_at(&self) -> Option<u64> {
        match self.connection.status() {
            Status::Waiting { until } => Some(*until),
            _ => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: u64) {
        self.now = now;
        self.drive(|connection| connection.handle_timeout(now));
        self.typing.handle_timeout(now);
        let (due, later) = std::mem::take(&mut self.again).into_iter().partition(|(at, ..)| *at <= now);
        self.again = later;
        for (_, id, is_page) in due {
            if is_page { self.load(id, Load::Newest) } else { self.ask_for(id) }
        }
    }

    /// The network is gone, without a word to anybody.
    pub(super) fn lose_network(&mut self) {
        self.socket = None;
        self.drive(Connection::handle_offline);
    }

    pub(super) fn find_network(&mut self) {
        let now = self.now;
        self.drive(|connection| connection.handle_online(now));
    }

    /// The socket breaks; what was on its way to here is lost.
    pub(super) fn cut(&mut self) {
        if self.socket.take().is_some() {
            let now = self.now;
            self.drive(|connection| connection.handle_close(shared::close::ABNORMAL, now));
        }
    }

    pub(super) fn write(&mut self, command: Command) {
        let (user, now, at) = (self.user, self.now, Timestamp::from_millis(self.now));
        if let Command::Send(send) = &command
            && let Some(timeline) =
                lookup::conversation(&self.list, self.user, &send.to).and_then(|id| self.timelines.get_mut(&id))
        {
            timeline.push_pending(send, Vec::new(), user, at);
        }
        self.drive(|connection| connection.write(command, user, at, now)).expect("there is room in the outbox");
    }

    /// The page is loaded anew: nothing is left of it but what was not accepted yet.
    pub(super) fn reload(&mut self) {
        let kept = self.connection.outbox().entries().map(client::outbox::Entry::kept).collect();
        let mut device = Self::new(self.app.clone(), self.user, self.session, self.now);
        device.refused = std::mem::take(&mut self.refused);
        let (user, now) = (self.user, self.now);
        device.drive(|connection| connection.restore(kept, user, now));
        *self = device;
    }

    pub(super) fn read_all(&mut self, id: ConversationId) {
        if let Some(seq) = self.list.read_all(id).and_then(|cursor| Seq::new(cursor.get())) {
            self.drive(|connection| connection.read(id, seq));
        }
    }

    pub(super) fn type_in(&mut self, id: ConversationId) {
        if let Some(typing) = self.typing.handle_input(id, self.now) {
            self.drive(|connection| connection.transmit(ClientFrame::Typing(typing)));
        }
    }

    /// A frame that the client's machines would not send just now.
    pub(super) fn transmit(&mut self, frame: ClientFrame) {
        self.drive(|connection| connection.transmit(frame));
    }

    pub(super) fn scroll_back(&mut self, id: ConversationId) {
        if let Some(load) = self.timelines.get(&id).and_then(Timeline::older) {
            self.load(id, load);
        }
    }

    /// What must hold after every step.
    pub(super) fn check(&self) {
        for (id, timeline) in &self.timelines {
            timeline.check_invariants();
            let is_known = self.list.get(*id).is_some();
            assert!(
                is_known || !(self.is_open() && self.is_reading) || timeline.committed().is_empty(),
                "rows of what is not one's own"
            );
        }
    }

    /// Tells the connection something and does what it asks for.
    fn drive<T>(&mut self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(&mut self.connection);
        while let Some(output) = self.connection.poll_output() {
            self.has_moved = true;
            match output {
                Output::Open => self.wishes.push_back(Wish::Open),
                Output::Transmit(frame) => self.hand_over(&frame),
                Output::Close => self.socket = None,
                Output::CheckSession | Output::Keep(_) | Output::Forget(_) => {}
                Output::OtherPerson => panic!("nobody else signs in"),
                Output::OtherHistory => panic!("there is one history"),
                Output::Failed(command, rejection) => {
                    self.refused.push(command.id());
                    for timeline in self.timelines.values_mut() {
                        timeline.set_pending(command.id(), RowState::Failed(rejection.message.clone()));
                    }
                }
            }
        }
        result
    }

    /// Brings a frame to the server, as text.
    fn hand_over(&self, frame: &ClientFrame) {
        if let Some((Registration { socket, .. }, mark)) = &self.socket
            && !self.is_looking
        {
            let frame = ClientFrame::decode(&frame.encode()).expect("the client writes what the server reads");
            if chat::is_activity(&frame) {
                mark.active();
            }
            chat::handle(&self.app, socket, frame);
        }
    }

    /// The handshake, and the server's first frame.
    async fn open_socket(&mut self) {
        let now = self.now;
        let entered = chat::welcome::enter(&self.app, self.session.token_hash, Timestamp::default(), |_| true).await;
        let Some((session, registration, screen)) = entered.unwrap() else {
            // Refused before there is a socket; asked why, the server says that the session is over.
            self.drive(|connection| connection.handle_close(shared::close::ABNORMAL, now));
            return self.drive(Connection::handle_session_over);
        };
        let mark = self.app.presences.connected(self.user, screen.as_ref().map(|(_, contacts, _)| contacts));
        self.drive(|connection| connection.handle_open(now));
        match screen {
            Some(screen) => {
                let welcome = chat::welcome::welcome(&self.app, &registration.socket, session, screen);
                self.socket = Some((registration, mark));
                self.handle_text(&welcome);
            }
            None => self.drive(|connection| connection.handle_close(shared::close::SESSION_ENDED, now)),
        }
    }

    /// Takes what the socket's queue has, as the socket's task does.
    fn receive(&mut self) {
        let Some((Registration { socket, .. }, _)) = self.socket.as_ref().filter(|_| self.is_reading) else { return };
        if socket.queue.claim() {
            tokio::spawn(chat::resume::run(self.app.clone(), socket.clone()));
        }
        let mut frames = Vec::new();
        match socket.queue.take(&mut frames) {
            Taken::Frames => self.has_moved = true,
            Taken::Nothing => {}
            Taken::Close(code) => {
                let now = self.now;
                self.socket = None;
                self.has_moved = true;
                self.drive(|connection| connection.handle_close(code, now));
            }
        }
        for frame in frames {
            self.handle_text(&frame);
        }
    }

    fn handle_text(&mut self, text: &str) {
        if let Some(frame) = ServerFrame::decode(text).expect("the server writes what the client reads") {
            self.handle_frame(frame);
        }
    }

    fn handle_frame(&mut self, frame: ServerFrame) {
        let now = self.now;
        let Some(frame) = self.drive(|connection| connection.handle_frame(frame, now)) else { return };
        match frame {
            ServerFrame::Welcome(welcome) => {
                self.left.clear();
                self.presence.handle_welcome(&welcome.presence);
                self.welcome(welcome.conversations, welcome.more);
            }
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
            ServerFrame::Typing(typing) => self.typing.handle_typing(typing, now),
            ServerFrame::Presence(presence) => _ = self.presence.handle_presence(presence),
            ServerFrame::Person(changed) => _ = self.list.handle_person(&changed.user),
            _ => {}
        }
    }

    fn welcome(&mut self, summaries: Vec<Summary>, more: bool) {
        let now = self.now;
        let newest: BTreeMap<_, _> = summaries.iter().map(|summary| (summary.id, summary.clone())).collect();
        for lost in self.list.handle_welcome(summaries, more) {
            self.drive(|connection| connection.read(lost.conversation, lost.seq));
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
        assert!(!self.left.contains(&id), "{} hears of a conversation they have left: {event:?}", self.user);
        self.receipts.handle_event(&event);
        self.typing.handle_event(&event);
        if !self.list.handle_event(&event, self.user) {
            self.ask_for(id);
        }
        let is_leaving = matches!(&event.kind, EventKind::Left(left) if left.user == self.user);
        let known = self.list.get(id).map(|summary| summary.kind);
        if is_leaving && known.is_none() {
            self.left.insert(id);
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
        if self.list.get(id).is_some() {
            self.left.remove(&id);
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

    fn open(&mut self, id: ConversationId) {
        let bounds = if self.is_looking { Bounds::default() } else { BOUNDS };
        let is_loaded = self.timelines.entry(id).or_insert_with(|| Timeline::with_bounds(id, bounds)).is_loaded();
        if !is_loaded && self.is_open() {
            self.load(id, Load::Newest);
        }
    }

    fn load(&mut self, id: ConversationId, load: Load) {
        if let Some(loading) = self.timelines.get_mut(&id).and_then(|timeline| timeline.begin(load)) {
            self.wishes.push_back(Wish::Page(id, loading));
        }
    }

    fn ask_for(&mut self, id: ConversationId) {
        if let Some(asking) = self.list.ask(id) {
            self.wishes.push_back(Wish::Summary(asking));
        }
    }

    fn page(&mut self, id: ConversationId, loading: Loading, page: Option<EventList>) {
        let Some(timeline) = self.timelines.get_mut(&id) else { return };
        match page {
            Some(page) => {
                let (_, missing) = timeline.handle_page(loading, page);
                self.fetch(id, missing);
            }
            None => _ = timeline.handle_failed(loading),
        }
    }

    fn summary(&mut self, asking: Asking, summary: Option<Summary>) {
        let last_seq = summary.as_ref().map(|summary| summary.last_seq);
        if !self.list.handle_answer(asking, summary) {
            self.again.push((self.now + LOAD_AGAIN, asking.conversation, false));
        }
        if let Some(last_seq) = last_seq {
            self.look_after(asking.conversation, last_seq);
        }
    }
}
