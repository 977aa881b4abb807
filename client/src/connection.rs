//! The connection: connecting, open, waiting to come back, ended; and which frames go out.
//!
//! ```text
//!          start                 welcome
//! Idle ───────────▶ Connecting ──────────▶ Open
//!                    ▲      │ closed         │ closed
//!                    │ time ▼                ▼
//!                    └──── Waiting ◀─────────┤
//!                                            ▼ a code that says: not by itself
//!                                          Ended
//! ```
//! A connection counts as open when the server has spoken (`welcome`), not when the browser says so:
//! only then is the session known to be good.

use crate::Millis;
use crate::backoff::Backoff;
use crate::command::Command;
use crate::outbox::{Full, Kept, Outbox, Refusal};
use crate::receipt::Deliveries;
use crate::sync::Sync;
use shared::attachment::Attachment;
use shared::close::{self, ComeBack};
use shared::code::{Code, Rejected, Rejection};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Cursor, Epoch, Seq, Timestamp, UserId};
use shared::receipt::UpTo;
use shared::welcome::{Ping, Welcome};
use std::collections::VecDeque;

mod output;

pub use output::{Ended, Output, Status};

/// How long the server may take to speak after a connection was asked for.
const CONNECT_MAX: Millis = 15_000;
/// How long an answer to `ping` may take.
const PONG_MAX: Millis = 10_000;
/// The heartbeat until the server says another.
const HEARTBEAT: Millis = 25_000;

/// The machine.
#[derive(Debug)]
pub struct Connection {
    status: Status,
    outbox: Outbox,
    backoff: Backoff,
    output: VecDeque<Output>,
    heartbeat: Millis,
    last_heard: Millis,
    /// When the answer to a `ping` is overdue.
    pong_due: Option<Millis>,
    /// Since when the server has been expected to speak.
    connecting_since: Millis,
    /// Whether the browser said that the socket is open.
    is_socket_open: bool,
    come_back_ms: Option<Millis>,
    /// The server does not want to be asked before this moment.
    not_before: Millis,
    /// Whom the server greeted last.
    user: Option<UserId>,
    sync: Sync,
    deliveries: Deliveries,
}

impl Connection {
    /// A connection that has not begun. The seed makes clients differ in their waits.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            status: Status::Idle,
            outbox: Outbox::default(),
            backoff: Backoff::new(seed),
            output: VecDeque::new(),
            heartbeat: HEARTBEAT,
            last_heard: 0,
            pong_due: None,
            connecting_since: 0,
            is_socket_open: false,
            come_back_ms: None,
            not_before: 0,
            user: None,
            sync: Sync::default(),
            deliveries: Deliveries::default(),
        }
    }

    /// What to show.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What is not accepted yet.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Whom the server greeted last.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// Which history the server has, as far as is known.
    #[must_use]
    pub fn epoch(&self) -> Option<&Epoch> {
        self.sync.epoch()
    }

    /// What to do next; to be asked until there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When to call [`Connection::handle_timeout`], if nothing else happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        match self.status {
            Status::Connecting => Some(self.connecting_since + CONNECT_MAX),
            Status::Waiting { until } => Some(until),
            Status::Open => {
                let beat = self.pong_due.unwrap_or(self.last_heard + self.heartbeat);
                let others = [self.outbox.held_back_until(), self.sync.next_timeout(), self.deliveries.next_timeout()];
                Some(others.into_iter().flatten().fold(beat, Millis::min))
            }
            Status::Idle | Status::Offline | Status::Ended(_) => None,
        }
    }

    /// Begins, or begins again because the person asked for it: at once, whatever the server wished.
    pub fn start(&mut self, now: Millis) {
        if !matches!(self.status, Status::Open | Status::Connecting) {
            self.connect(now);
        }
    }

    /// Ends on purpose. What was not accepted is out of the outbox; what was written down of it stays
    /// so, for when the same person comes back.
    pub fn stop(&mut self) {
        self.output.retain(|output| matches!(output, Output::Keep(_) | Output::Forget(_)));
        self.output.push_back(Output::Close);
        self.outbox = Outbox::default();
        self.sync = Sync::default();
        self.deliveries = Deliveries::default();
        self.user = None;
        self.status = Status::Idle;
        self.pong_due = None;
    }

    /// The browser says the socket is open.
    pub fn handle_open(&mut self, now: Millis) {
        self.is_socket_open = true;
        self.last_heard = now;
    }

    /// The server says something. Gives back what the rest of the client should know of.
    pub fn handle_frame(&mut self, frame: ServerFrame, now: Millis) -> Option<ServerFrame> {
        self.last_heard = now;
        self.pong_due = None;
        match &frame {
            ServerFrame::Welcome(welcome) => self.welcome(welcome, now),
            ServerFrame::Event(event) => self.sync.handle_event(event, now),
            ServerFrame::Resumed(resumed) => self.end_replay(resumed.conversation, now),
            ServerFrame::Resync(resync) => self.end_replay(resync.conversation, now),
            ServerFrame::Pong(_) => return None,
            ServerFrame::Draining(draining) => self.come_back_ms = Some(draining.retry_after_ms),
            ServerFrame::Rejected(rejected) => self.rejected(rejected, now),
            _ => {}
        }
        Some(frame)
    }

    /// `accepted` came in: takes the command out of the outbox. `None`: it is not there, because it was
    /// discarded or answered before. The event it made is not sent to this socket again, so the
    /// conversation has to be looked after like one with a gap.
    pub fn take_accepted(&mut self, id: CommandId, now: Millis) -> Option<Command> {
        let command = self.outbox.accepted(id);
        if command.is_some() {
            self.output.push_back(Output::Forget(id));
        }
        self.transmit_due(now);
        command
    }

    /// The socket is gone, with this close code (1006 if there was none).
    pub fn handle_close(&mut self, code: u16, now: Millis) {
        if !matches!(self.status, Status::Open | Status::Connecting) {
            return;
        }
        // A browser tells a refused handshake and a server that is away with the same 1006.
        let is_handshake = self.status == Status::Connecting && !self.is_socket_open;
        self.cut();
        match close::come_back(code) {
            ComeBack::AtOnce => {
                let floor = self.come_back_ms.take().unwrap_or(0);
                self.wait(now, floor);
                if is_handshake {
                    self.output.push_back(Output::CheckSession);
                }
            }
            ComeBack::After(millis) => {
                let floor = self.come_back_ms.take().unwrap_or(millis);
                self.wait(now, floor);
            }
            ComeBack::AfterSignIn => self.status = Status::Ended(Ended::SignedOut),
            ComeBack::OnRequest => self.status = Status::Ended(Ended::Refused(code)),
        }
    }

    /// The session turned out to be over.
    pub fn handle_session_over(&mut self) {
        self.output.push_back(Output::Close);
        self.status = Status::Ended(Ended::SignedOut);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Millis) {
        match self.status {
            Status::Waiting { until } if now >= until => self.connect(now),
            Status::Connecting if now >= self.connecting_since + CONNECT_MAX => self.give_up(now),
            Status::Open => {
                if self.pong_due.is_some_and(|due| now >= due) {
                    self.give_up(now);
                    return;
                }
                if self.pong_due.is_none() && now >= self.last_heard + self.heartbeat {
                    self.ping(now);
                }
                self.sync.handle_timeout(now);
                self.transmit_due(now);
            }
            _ => {}
        }
    }

    /// The browser has a network again. A server that asked for patience is not asked sooner.
    pub fn handle_online(&mut self, now: Millis) {
        match self.status {
            Status::Waiting { .. } | Status::Offline if now < self.not_before => {
                self.status = Status::Waiting { until: self.not_before };
            }
            Status::Waiting { .. } | Status::Offline => self.connect(now),
            // The old network's connection may be dead without knowing it.
            Status::Open => self.ping(now),
            _ => {}
        }
    }

    /// The browser has lost its network.
    pub fn handle_offline(&mut self) {
        if matches!(self.status, Status::Open | Status::Connecting | Status::Waiting { .. }) {
            self.cut();
            self.output.push_back(Output::Close);
            self.status = Status::Offline;
        }
    }

    /// The person has come back to the page, perhaps after hours of sleep.
    pub fn handle_visible(&mut self, now: Millis) {
        self.handle_online(now);
    }

    /// Takes a command from the person who is signed in. It is transmitted at once if there is a
    /// connection, and otherwise with the next one that greets the same person.
    ///
    /// # Errors
    /// [`Full`] if too many wait already.
    pub fn write(&mut self, command: Command, by: UserId, written_at: Timestamp, now: Millis) -> Result<(), Full> {
        self.write_with(command, Vec::new(), by, written_at, now)
    }

    /// The same with what is known of the files of a message.
    ///
    /// # Errors
    /// [`Full`] if too many wait already.
    pub fn write_with(
        &mut self,
        command: Command,
        files: Vec<Attachment>,
        by: UserId,
        written_at: Timestamp,
        now: Millis,
    ) -> Result<(), Full> {
        let id = command.id();
        self.outbox.push(command, files, by, written_at)?;
        self.keep(id);
        self.transmit_due(now);
        Ok(())
    }

    /// Puts back what was written down and not accepted, in the order it was written; see
    /// [`Outbox::restore`]. What is in the outbox afterwards is in [`Connection::outbox`].
    pub fn restore(&mut self, kept: Vec<Kept>, me: UserId, now: Millis) {
        self.outbox.restore(kept, me);
        self.transmit_due(now);
    }

    /// What is shown was written down when the server greeted this person with this history: a greeting of anybody
    /// else, or with another history, makes it void like what came over a connection.
    pub fn remember(&mut self, user: UserId, epoch: &Epoch) {
        self.user = Some(user);
        self.sync.remember(epoch);
    }

    /// Tries a failed command again.
    pub fn retry(&mut self, id: CommandId, now: Millis) -> bool {
        let is_there = self.outbox.retry(id);
        if is_there {
            self.keep(id);
        }
        self.transmit_due(now);
        is_there
    }

    /// Changes the text of what is certainly not stored ([`Outbox::is_editable`]) and tries it again
    /// under a new id.
    pub fn edit(&mut self, id: CommandId, new_id: CommandId, content: String, now: Millis) -> bool {
        let is_changed = self.outbox.edit(id, new_id, content);
        if is_changed {
            self.output.push_back(Output::Forget(id));
            self.keep(new_id);
            self.transmit_due(now);
        }
        is_changed
    }

    /// Drops a command that is not accepted. One under way may be stored all the same.
    pub fn discard(&mut self, id: CommandId, now: Millis) -> Option<Command> {
        let command = self.outbox.discard(id);
        if command.is_some() {
            self.output.push_back(Output::Forget(id));
            self.transmit_due(now);
        }
        command
    }

    /// Until when the server has asked for patience with what is in the outbox.
    #[must_use]
    pub fn held_back_until(&self) -> Option<Millis> {
        self.outbox.held_back_until()
    }

    /// Asks for what comes after these cursors, in one frame. What is being replayed already is not
    /// asked for again. Without a connection nothing happens: the next welcome shows what is missing.
    pub fn resume(&mut self, missing: impl IntoIterator<Item = (ConversationId, Cursor)>, now: Millis) {
        if self.status == Status::Open {
            for (conversation, cursor) in missing {
                self.sync.ask(conversation, cursor);
            }
            self.transmit_resume(now);
        }
    }

    /// Everything of this conversation up to here has arrived. (Not for the conversation everybody is
    /// in.) The server is told soon.
    pub fn note_delivered(&mut self, conversation: ConversationId, seq: Seq, now: Millis) {
        if self.status == Status::Open {
            self.deliveries.handle_delivered(conversation, seq);
            self.transmit_delivered(now);
        }
    }

    /// The person has read everything up to here. Without a connection nothing is sent; the list of
    /// conversations tells what to send with the next welcome.
    pub fn read(&mut self, conversation: ConversationId, seq: Seq) {
        if self.transmit(ClientFrame::Read(UpTo { conversation, seq })) {
            self.deliveries.handle_read(conversation, seq);
        }
    }

    /// Sends a frame that is no command, if there is a connection. It is not kept.
    pub fn transmit(&mut self, frame: ClientFrame) -> bool {
        let is_open = self.status == Status::Open;
        if is_open {
            self.output.push_back(Output::Transmit(frame));
        }
        is_open
    }

    fn welcome(&mut self, welcome: &Welcome, now: Millis) {
        self.status = Status::Open;
        self.heartbeat = welcome.heartbeat_ms.clamp(1_000, 300_000);
        self.backoff.reset();
        self.come_back_ms = None;
        let me = welcome.user.id;
        let is_other = self.user.replace(me).is_some_and(|before| before != me);
        if self.outbox.drop_others(me) || is_other {
            self.output.push_back(Output::OtherPerson);
        }
        self.deliveries.handle_cut();
        if self.sync.handle_welcome(&welcome.epoch) {
            self.output.push_back(Output::OtherHistory);
            for command in self.outbox.drop_changes() {
                let message = "The server was restored from a backup. Please try again";
                self.output.push_back(Output::Forget(command.id()));
                self.output.push_back(Output::Failed(command, Rejection::new(Code::BadReference, message)));
            }
        }
        self.transmit_due(now);
    }

    fn rejected(&mut self, rejected: &Rejected, now: Millis) {
        let Rejected { id, rejection } = rejected;
        match self.outbox.rejected(*id, rejection.clone(), now) {
            Refusal::Failed(command) => {
                self.keep(*id);
                self.output.push_back(Output::Failed(command, rejection.clone()));
            }
            Refusal::Dropped(command) => {
                self.output.push_back(Output::Forget(*id));
                self.output.push_back(Output::Failed(command, rejection.clone()));
            }
            Refusal::Later | Refusal::Unknown => {}
        }
        self.transmit_due(now);
    }

    fn end_replay(&mut self, conversation: ConversationId, now: Millis) {
        self.sync.handle_end(conversation, now);
        self.transmit_resume(now);
    }

    fn connect(&mut self, now: Millis) {
        self.status = Status::Connecting;
        self.connecting_since = now;
        self.is_socket_open = false;
        self.output.push_back(Output::Open);
    }

    fn cut(&mut self) {
        self.outbox.handle_cut();
        self.sync.handle_cut();
        self.deliveries.handle_cut();
        self.pong_due = None;
    }

    /// Waits for as long as chance says, and not less than the server wishes.
    fn wait(&mut self, now: Millis, floor: Millis) {
        self.not_before = now + floor;
        self.status = Status::Waiting { until: now + self.backoff.next_wait().max(floor) };
    }

    fn give_up(&mut self, now: Millis) {
        self.output.push_back(Output::Close);
        self.handle_close(close::ABNORMAL, now);
    }

    fn ping(&mut self, now: Millis) {
        self.pong_due.get_or_insert(now + PONG_MAX);
        self.output.push_back(Output::Transmit(ClientFrame::Ping(Ping::default())));
    }

    fn keep(&mut self, id: CommandId) {
        if let Some(entry) = self.outbox.get(id) {
            self.output.push_back(Output::Keep(entry.kept()));
        }
    }

    /// Sends what waits for this moment.
    fn transmit_due(&mut self, now: Millis) {
        if self.status == Status::Open {
            let due = self.outbox.due(now);
            self.output.extend(due.into_iter().map(|command| Output::Transmit(command.into())));
            self.transmit_resume(now);
            self.transmit_delivered(now);
        }
    }

    fn transmit_resume(&mut self, now: Millis) {
        if let Some(resume) = self.sync.poll_resume(now) {
            self.output.push_back(Output::Transmit(ClientFrame::Resume(resume)));
        }
    }

    fn transmit_delivered(&mut self, now: Millis) {
        let due = self.deliveries.poll_due(now);
        self.output.extend(due.into_iter().map(|up_to| Output::Transmit(ClientFrame::Delivered(up_to))));
    }
}

#[cfg(test)]
mod tests;
