//! A server that keeps the contract, without a database or a network: what is stored survives a crash,
//! what is queued does not. It can be told to break the contract in one way ([`Fault`]).

use crate::log::{Log, cursor};
use crate::random::Random;
use client::command::Command;
use shared::account::User;
use shared::code::{Code, Rejected, Rejection};
use shared::conversation::{ConversationChanged, ConversationKind, EventList, Summary};
use shared::event::{Event, EventKind};
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Cursor, Epoch, SessionId, Timestamp, UserId};
use shared::limits::Limits;
use shared::message::{Accepted, Deleted, Edited, Message, Target};
use shared::reaction::Reacted;
use shared::receipt::{Receipt, UpTo};
use shared::resume::{Resume, Resumed, Resync};
use shared::welcome::Welcome;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// A further event does not fit into a socket's queue: its conversation gets `resync`.
pub(crate) const QUEUE_MAX: usize = 12;
/// A cursor further behind gets `resync`.
const REPLAY_MAX: u64 = 20;
/// What a page of history holds.
const PAGE: usize = 5;

/// A way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Answers before the commit is safe: a crash forgets what was accepted.
    DeliversBeforeCommit,
    /// Leaves out an event of a replay.
    SkipsAReplayedEvent,
    /// Sends events to those who have left.
    ForgetsMembership,
    /// Does not know a command that comes again.
    StoresTwice,
    /// Tells some of an event's receivers nothing.
    LosesALiveEvent,
    /// This one is a client's: it sends again under another id.
    SendsAgainAsNew,
}

pub(crate) type SocketId = u64;

/// What a crash leaves.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) epoch: Epoch,
    pub(crate) logs: Vec<Log>,
    pub(crate) commands: HashMap<(UserId, CommandId), (Command, Accepted)>,
}

pub(crate) struct Server {
    pub(crate) stored: Stored,
    pub(crate) sockets: BTreeMap<SocketId, Socket>,
    pub(crate) now: u64,
    /// Whether it may refuse for now.
    pub(crate) is_moody: bool,
    welcome_max: usize,
    fault: Fault,
    /// What was stored before the last commit: what a crash leaves if that was not safe.
    unsafe_before: Option<Stored>,
    inbox: VecDeque<(SocketId, UserId, Command)>,
    outcomes: VecDeque<Outcome>,
    made: u64,
}

pub(crate) struct Socket {
    pub(crate) user: UserId,
    pub(crate) queue: VecDeque<ServerFrame>,
    /// Up to where each conversation was sent, by the welcome, live or by a replay.
    sent: HashMap<ConversationId, u64>,
    replays: VecDeque<Replay>,
    /// Conversations of which an event did not fit.
    lost: BTreeSet<ConversationId>,
}

struct Replay {
    conversation: ConversationId,
    at: u64,
    has_begun: bool,
}

/// What a commit has to tell.
struct Outcome {
    asking: Option<SocketId>,
    answer: Option<ServerFrame>,
    event: Option<Event>,
    receivers: Vec<UserId>,
    newcomers: Vec<UserId>,
}

impl Server {
    pub(crate) fn new(users: &[UserId], fault: Fault, welcome_max: usize) -> Self {
        let mut server = Self {
            stored: Stored { epoch: epoch(0), logs: Vec::new(), commands: HashMap::new() },
            sockets: BTreeMap::new(),
            now: 1_000,
            is_moody: true,
            welcome_max,
            fault,
            unsafe_before: None,
            inbox: VecDeque::new(),
            outcomes: VecDeque::new(),
            made: 0,
        };
        server.make(ConversationKind::Everyone, users);
        server.make(ConversationKind::Group, users);
        server
    }

    pub(crate) fn log(&self, id: ConversationId) -> Option<&Log> {
        self.stored.logs.iter().find(|log| log.id == id)
    }

    /// The log of a member; others are told that there is none.
    pub(crate) fn member_log(&self, id: ConversationId, user: UserId) -> Option<&Log> {
        self.log(id).filter(|log| log.members.contains_key(&user))
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.inbox.is_empty() || !self.outcomes.is_empty()
    }

    /// Somebody connects: the socket is registered with what the welcome shows.
    pub(crate) fn connect(&mut self, id: SocketId, user: UserId) {
        let mut logs: Vec<_> = self.stored.logs.iter().filter(|log| log.members.contains_key(&user)).collect();
        logs.sort_by_key(|log| std::cmp::Reverse(log.events.last().map(|event| event.at)));
        let sent = logs.iter().map(|log| (log.id, log.end())).collect();
        let more = logs.len() > self.welcome_max;
        let conversations = logs.iter().take(self.welcome_max).map(|log| log.summary(user)).collect();
        let welcome = Welcome {
            user: User {
                id: user,
                display_name: "Somebody".into(),
                avatar: None,
                status: None,
                privacy: None,
                email: None,
            },
            session: SessionId::v7(Timestamp::default(), [9; 10]),
            epoch: self.stored.epoch.clone(),
            now: Timestamp::from_millis(self.now),
            heartbeat_ms: 25_000,
            limits: Limits::default(),
            conversations,
            more,
            presence: Vec::new(),
            group_requests: 0,
        };
        let queue = VecDeque::from([ServerFrame::Welcome(Box::new(welcome))]);
        let socket = Socket { user, queue, sent, replays: VecDeque::new(), lost: BTreeSet::new() };
        self.sockets.insert(id, socket);
    }

    /// A frame arrives, perhaps from a socket that is gone.
    pub(crate) fn handle_frame(&mut self, id: SocketId, user: UserId, frame: ClientFrame) {
        match frame {
            ClientFrame::Send(send) => self.inbox.push_back((id, user, Command::Send(send))),
            ClientFrame::Edit(edit) => self.inbox.push_back((id, user, Command::Edit(edit))),
            ClientFrame::Delete(delete) => self.inbox.push_back((id, user, Command::Delete(delete))),
            ClientFrame::React(react) => self.inbox.push_back((id, user, Command::React(react))),
            ClientFrame::Read(up_to) => self.advance(id, user, up_to, true),
            ClientFrame::Delivered(up_to) => self.advance(id, user, up_to, false),
            ClientFrame::Resume(resume) => self.resume(id, resume),
            ClientFrame::Ping(ping) => self.push(id, ServerFrame::Pong(ping)),
            ClientFrame::Typing(_) => {}
        }
    }

    /// Stores the next command, or refuses it.
    pub(crate) fn commit(&mut self, random: &mut Random) {
        let Some((asking, user, command)) = self.inbox.pop_front() else { return };
        if self.is_moody && random.is_lucky(7) {
            let code = [Code::RateLimited, Code::Overloaded, Code::Internal][random.below(3)];
            return self.refuse(asking, command.id(), Rejection::new(code, "not now").retry_after_ms(300));
        }
        if self.fault == Fault::DeliversBeforeCommit {
            self.unsafe_before = Some(self.stored.clone());
        }
        match self.store(asking, user, command.clone()) {
            Ok(outcome) => self.outcomes.push_back(outcome),
            Err(rejection) => self.refuse(asking, command.id(), rejection),
        }
    }

    /// Tells the next outcome.
    pub(crate) fn deliver(&mut self, random: &mut Random) {
        let Some(outcome) = self.outcomes.pop_front() else { return };
        let Outcome { asking, answer, event, receivers, newcomers } = outcome;
        if let Some(event) = event {
            let (id, seq) = (event.conversation, event.seq.get());
            for (socket, user) in self.sockets_of(&newcomers) {
                if let Some(log) = self.member_log(id, user) {
                    let summary = log.summary(user);
                    self.push(socket, changed(summary));
                }
            }
            let loses = self.fault == Fault::LosesALiveEvent && random.is_lucky(10);
            for (socket, _) in self.sockets_of(&receivers) {
                if Some(socket) == asking {
                    self.note_sent(socket, id, seq);
                } else if !loses {
                    self.push_live(socket, &event);
                }
            }
        }
        if let (Some(asking), Some(answer)) = (asking, answer) {
            self.push(asking, answer);
        }
    }

    /// Replays one event to a socket, or ends the replay. `false`: there is nothing to replay.
    pub(crate) fn replay(&mut self, id: SocketId) -> bool {
        let forgets = self.fault == Fault::ForgetsMembership;
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        let Some(replay) = socket.replays.front_mut() else { return false };
        if socket.queue.len() >= QUEUE_MAX {
            return false;
        }
        let conversation = replay.conversation;
        replay.has_begun = true;
        let log = self.stored.logs.iter().find(|log| log.id == conversation);
        let log = log.filter(|log| forgets || log.members.contains_key(&socket.user));
        let Some(log) = log else {
            socket.replays.pop_front();
            socket.queue.push_back(ServerFrame::Resync(Resync { conversation }));
            return true;
        };
        if replay.at < log.end() {
            let mut event = log.folded(usize::try_from(replay.at).expect("a short log"));
            if let EventKind::Message(message) = &mut event.kind {
                message.reactions.clear();
            }
            replay.at += 1;
            // Always the same one: what is left out once only, a client asks for again.
            if self.fault != Fault::SkipsAReplayedEvent || replay.at % 3 != 0 {
                socket.queue.push_back(ServerFrame::Event(event));
            }
        } else {
            socket.sent.insert(conversation, log.end());
            let seq = cursor(log.end());
            socket.replays.pop_front();
            socket.queue.push_back(ServerFrame::Resumed(Resumed { conversation, seq }));
        }
        true
    }

    /// The queue of a socket has room again: what did not fit is to be loaded anew.
    pub(crate) fn drain(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && socket.queue.len() < QUEUE_MAX / 2
        {
            for conversation in std::mem::take(&mut socket.lost) {
                socket.replays.retain(|replay| replay.conversation != conversation);
                socket.queue.push_back(ServerFrame::Resync(Resync { conversation }));
            }
        }
    }

    /// Everything that is not stored is lost.
    pub(crate) fn crash(&mut self) {
        self.sockets.clear();
        self.inbox.clear();
        self.outcomes.clear();
        if let Some(before) = self.unsafe_before.take() {
            self.stored = before;
        }
    }

    /// A backup was restored that holds everything: its history has another name.
    pub(crate) fn rename_history(&mut self) {
        self.crash();
        self.made += 1;
        self.stored.epoch = epoch(self.made);
    }

    /// Somebody is added to the group or taken out of it.
    pub(crate) fn change_member(&mut self, user: UserId) {
        let at = Timestamp::from_millis(self.now);
        let Some(group) = self.stored.logs.iter_mut().find(|log| log.kind == ConversationKind::Group) else { return };
        let is_member = group.members.contains_key(&user);
        let event = if is_member { group.leave(user, at) } else { group.join(user, at) };
        let mut receivers: Vec<_> = group.members.keys().copied().collect();
        let newcomers = if is_member { Vec::new() } else { vec![user] };
        receivers.extend(is_member.then_some(user));
        self.outcomes.push_back(Outcome { asking: None, answer: None, event: Some(event), receivers, newcomers });
    }

    /// A page of history; `None` if it is not there.
    pub(crate) fn page(&self, id: ConversationId, before: Option<Cursor>, user: UserId) -> Option<EventList> {
        let log = self.member_log(id, user)?;
        let end = before.map_or(log.end(), |before| before.get().saturating_sub(1));
        let end = usize::try_from(end).expect("a short log");
        let start = end.saturating_sub(PAGE);
        Some(EventList { events: (start..end).map(|index| log.folded(index)).collect(), more: start > 0 })
    }

    fn make(&mut self, kind: ConversationKind, members: &[UserId]) -> ConversationId {
        self.made += 1;
        let mut random = [3; 10];
        random[2..].copy_from_slice(&self.made.to_be_bytes());
        let id = ConversationId::v7(Timestamp::from_millis(self.made), random);
        self.stored.logs.push(Log::new(id, kind, members));
        id
    }

    fn store(&mut self, asking: SocketId, user: UserId, command: Command) -> Result<Outcome, Rejection> {
        let key = (user, command.id());
        if self.fault != Fault::StoresTwice
            && let Some((known, accepted)) = self.stored.commands.get(&key)
        {
            return if *known == command {
                Ok(answered(asking, *accepted))
            } else {
                Err(Rejection::new(Code::Conflict, "another command has this id"))
            };
        }
        let mut newcomers = Vec::new();
        let id = match &command {
            Command::Send(send) => self.target(user, &send.to, &mut newcomers)?,
            Command::Edit(edit) => edit.conversation,
            Command::Delete(delete) => delete.conversation,
            Command::React(react) => react.conversation,
        };
        let log = self.member_log(id, user).ok_or_else(Rejection::not_found)?;
        let bad_reference = || Rejection::new(Code::BadReference, "no such message");
        if let Some(target) = command.changes() {
            let (event, _) = log.message(target).ok_or_else(bad_reference)?;
            if log.is_deleted(target) {
                return Err(bad_reference());
            }
            if event.sender != user && !matches!(command, Command::React(_)) {
                return Err(Rejection::new(Code::Forbidden, "not yours"));
            }
        }
        let kind = match &command {
            Command::Send(send) => {
                EventKind::Message(Message::new(send.id, send.content.trim().to_owned(), send.reply_to))
            }
            Command::Edit(edit) => EventKind::Edited(Edited {
                target: edit.target,
                content: edit.content.trim().to_owned(),
                mentions: Vec::new(),
                mention_names: Vec::new(),
            }),
            Command::Delete(delete) => EventKind::Deleted(Deleted { target: delete.target }),
            Command::React(react) => {
                let known = log.reaction(user, react.target, &react.emoji);
                if known.is_none() && !react.on {
                    return Err(bad_reference());
                }
                if let Some((event, on)) = known
                    && on == react.on
                {
                    let accepted = Accepted { id: react.id, conversation: id, seq: event.seq, at: event.at };
                    self.stored.commands.insert(key, (command, accepted));
                    return Ok(answered(asking, accepted));
                }
                EventKind::Reacted(Reacted { target: react.target, emoji: react.emoji.clone(), on: react.on })
            }
        };
        let forgets = self.fault == Fault::ForgetsMembership;
        let at = Timestamp::from_millis(self.now);
        let log = self.stored.logs.iter_mut().find(|log| log.id == id).ok_or_else(Rejection::not_found)?;
        let event = log.append(user, at, kind);
        let mut receivers: Vec<_> = log.members.keys().copied().collect();
        if forgets {
            receivers.extend(log.left.keys());
        }
        let accepted = Accepted { id: command.id(), conversation: id, seq: event.seq, at };
        self.stored.commands.insert(key, (command, accepted));
        let outcome = answered(asking, accepted);
        Ok(Outcome { event: Some(event), receivers, newcomers, ..outcome })
    }

    /// The conversation a message is for, made if it is not there.
    fn target(
        &mut self,
        user: UserId,
        target: &Target,
        newcomers: &mut Vec<UserId>,
    ) -> Result<ConversationId, Rejection> {
        let direct = |users: &[UserId]| {
            let is_it = |log: &&Log| log.kind == ConversationKind::Direct && log.members.keys().eq(users.iter());
            self.stored.logs.iter().find(is_it).map(|log| log.id)
        };
        match target {
            Target::Everyone => Ok(self.stored.logs[0].id),
            Target::Conversation(id) => Ok(*id),
            Target::Group(group) => Ok(group.conversation),
            Target::Users(_) => Err(Rejection::not_found()),
            Target::User(other) => {
                let users: BTreeSet<_> = [user, *other].into();
                let users: Vec<_> = users.into_iter().collect();
                Ok(direct(&users).unwrap_or_else(|| {
                    newcomers.extend(&users);
                    self.make(ConversationKind::Direct, &users)
                }))
            }
        }
    }

    fn refuse(&mut self, asking: SocketId, id: CommandId, rejection: Rejection) {
        let answer = Some(ServerFrame::Rejected(Rejected { id, rejection }));
        let (receivers, newcomers) = (Vec::new(), Vec::new());
        self.outcomes.push_back(Outcome { asking: Some(asking), answer, event: None, receivers, newcomers });
    }

    fn advance(&mut self, asking: SocketId, user: UserId, up_to: UpTo, is_read: bool) {
        let UpTo { conversation, seq } = up_to;
        let Some(log) = self.stored.logs.iter_mut().find(|log| log.id == conversation) else { return };
        let (kind, end) = (log.kind, log.end());
        let Some(position) = log.members.get_mut(&user) else { return };
        let before = *position;
        let to = seq.get().min(end);
        position.read = if is_read { before.read.max(to) } else { before.read };
        position.delivered = before.delivered.max(to);
        let after = *position;
        if after == before {
            return;
        }
        let others: Vec<_> = log.members.keys().copied().filter(|other| *other != user).collect();
        let summary = log.summary(user);
        if kind != ConversationKind::Everyone {
            let read = (after.read > before.read).then(|| cursor(after.read));
            let receipt = Receipt { conversation, user, delivered: Some(cursor(after.delivered)), read };
            for (socket, _) in self.sockets_of(&others) {
                self.push(socket, ServerFrame::Receipt(receipt));
            }
        }
        for (socket, _) in self.sockets_of(&[user]) {
            if socket != asking && after.read > before.read {
                self.push(socket, changed(summary.clone()));
            }
        }
    }

    fn resume(&mut self, id: SocketId, resume: Resume) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.replays.clear();
        for (conversation, cursor) in resume.cursors {
            let at = cursor.get();
            let log = self.stored.logs.iter().find(|log| log.id == conversation);
            let is_there = log.is_some_and(|log| {
                log.members.contains_key(&socket.user) && at <= log.end() && log.end() - at <= REPLAY_MAX
            });
            if is_there && resume.epoch == self.stored.epoch {
                socket.replays.push_back(Replay { conversation, at, has_begun: false });
            } else {
                socket.queue.push_back(ServerFrame::Resync(Resync { conversation }));
            }
        }
    }

    fn push_live(&mut self, id: SocketId, event: &Event) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let conversation = event.conversation;
        let is_replayed = socket.replays.iter().any(|replay| replay.has_begun && replay.conversation == conversation);
        let is_sent = socket.sent.get(&conversation).is_some_and(|sent| event.seq.get() <= *sent);
        if is_replayed || is_sent {
            return;
        }
        socket.sent.insert(conversation, event.seq.get());
        if socket.queue.len() >= QUEUE_MAX || socket.lost.contains(&conversation) {
            socket.lost.insert(conversation);
        } else {
            socket.queue.push_back(ServerFrame::Event(event.clone()));
        }
    }

    fn note_sent(&mut self, id: SocketId, conversation: ConversationId, seq: u64) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            let sent = socket.sent.entry(conversation).or_default();
            *sent = seq.max(*sent);
        }
    }

    fn push(&mut self, id: SocketId, frame: ServerFrame) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.queue.push_back(frame);
        }
    }

    fn sockets_of(&self, users: &[UserId]) -> Vec<(SocketId, UserId)> {
        let of = |(id, socket): (&SocketId, &Socket)| users.contains(&socket.user).then_some((*id, socket.user));
        self.sockets.iter().filter_map(of).collect()
    }
}

fn answered(asking: SocketId, accepted: Accepted) -> Outcome {
    Outcome {
        asking: Some(asking),
        answer: Some(ServerFrame::Accepted(accepted)),
        event: None,
        receivers: Vec::new(),
        newcomers: Vec::new(),
    }
}

fn changed(summary: Summary) -> ServerFrame {
    ServerFrame::Conversation(Box::new(ConversationChanged { summary }))
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(format!("history {number}")).expect("short")
}
