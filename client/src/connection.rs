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
use crate::outbox::{Full, Outbox, Refusal};
use shared::close::{self, ComeBack};
use shared::code::Rejection;
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, Seq, UserId};
use shared::message::{Send, Target};
use shared::welcome::Ping;
use std::collections::VecDeque;

/// How long the server may take to speak after a connection was asked for.
const CONNECT_MAX: Millis = 15_000;
/// How long an answer to `ping` may take.
const PONG_MAX: Millis = 10_000;
/// The heartbeat until the server says another.
const HEARTBEAT: Millis = 25_000;

/// What the person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not started, or stopped on purpose.
    Idle,
    /// Asked for; the server has not spoken yet.
    Connecting,
    /// The server has spoken.
    Open,
    /// Tries again at this moment.
    Waiting {
        /// When.
        until: Millis,
    },
    /// The browser has no network; tries again when it has.
    Offline,
    /// Does not come back by itself.
    Ended(Ended),
}

/// Why a connection does not come back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The session is over: sign in again.
    SignedOut,
    /// The server closed with this code; coming back at once would meet the same end.
    Refused(u16),
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a socket.
    Open,
    /// Send this on it.
    Transmit(ClientFrame),
    /// Close it, if it is still there; nothing it says counts any more.
    Close,
    /// The handshake failed, and a browser does not say why: ask whether the session is still good,
    /// and call [`Connection::handle_session_over`] if it is not.
    CheckSession,
    /// The server greets somebody else: another person has signed in in this browser. Nothing of the
    /// one before may stay on the screen or be sent; the outbox is empty already.
    OtherPerson,
    /// The server refused this message of one's own for good.
    Failed(CommandId, Target, Rejection),
}

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
    /// Whom the server greeted last.
    user: Option<UserId>,
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
            user: None,
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
                Some(self.outbox.next_due().map_or(beat, |due| due.min(beat)))
            }
            Status::Idle | Status::Offline | Status::Ended(_) => None,
        }
    }

    /// Begins, or begins again after the person asked for it.
    pub fn start(&mut self, now: Millis) {
        if !matches!(self.status, Status::Open | Status::Connecting) {
            self.connect(now);
        }
    }

    /// Ends on purpose; what was not accepted is dropped.
    pub fn stop(&mut self) {
        self.output.clear();
        self.output.push_back(Output::Close);
        self.outbox = Outbox::default();
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
            ServerFrame::Welcome(welcome) => {
                self.status = Status::Open;
                self.heartbeat = welcome.heartbeat_ms.clamp(1_000, 300_000);
                self.backoff.reset();
                self.come_back_ms = None;
                if self.user.replace(welcome.user.id).is_some_and(|before| before != welcome.user.id) {
                    self.outbox = Outbox::default();
                    self.output.push_back(Output::OtherPerson);
                }
                self.transmit_due(now);
            }
            ServerFrame::Pong(_) => return None,
            ServerFrame::Draining(draining) => self.come_back_ms = Some(draining.retry_after_ms),
            ServerFrame::Rejected(rejected) => {
                let target = self.outbox.entries().find(|entry| entry.send.id == rejected.id);
                let target = target.map(|entry| entry.send.to.clone());
                let refusal = self.outbox.rejected(rejected.id, rejected.rejection.clone(), now);
                if let (Refusal::Final, Some(target)) = (refusal, target) {
                    self.output.push_back(Output::Failed(rejected.id, target, rejected.rejection.clone()));
                }
            }
            _ => {}
        }
        Some(frame)
    }

    /// `accepted` came in: takes the message out of the outbox.
    pub fn take_accepted(&mut self, id: CommandId, now: Millis) -> Option<Send> {
        let send = self.outbox.accepted(id);
        self.transmit_due(now);
        send
    }

    /// The socket is gone, with this close code (1006 if there was none).
    pub fn handle_close(&mut self, code: u16, now: Millis) {
        if !matches!(self.status, Status::Open | Status::Connecting) {
            return;
        }
        // A browser tells a refused handshake and a server that is away with the same 1006.
        let is_handshake = self.status == Status::Connecting && !self.is_socket_open;
        self.outbox.handle_cut();
        self.pong_due = None;
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
                self.transmit_due(now);
            }
            _ => {}
        }
    }

    /// The browser has a network again, or the person wants to try now.
    pub fn handle_online(&mut self, now: Millis) {
        match self.status {
            Status::Waiting { .. } | Status::Offline => self.connect(now),
            // The old network's connection may be dead without knowing it.
            Status::Open => self.ping(now),
            _ => {}
        }
    }

    /// The browser has lost its network.
    pub fn handle_offline(&mut self) {
        if matches!(self.status, Status::Open | Status::Connecting | Status::Waiting { .. }) {
            self.outbox.handle_cut();
            self.pong_due = None;
            self.output.push_back(Output::Close);
            self.status = Status::Offline;
        }
    }

    /// The person has come back to the page, perhaps after hours of sleep.
    pub fn handle_visible(&mut self, now: Millis) {
        self.handle_online(now);
    }

    /// Takes a message from the person. It is transmitted at once if there is a connection.
    ///
    /// # Errors
    /// [`Full`] if too many messages wait already.
    pub fn send(
        &mut self,
        id: CommandId,
        to: Target,
        content: String,
        reply_to: Option<Seq>,
        now: Millis,
    ) -> Result<(), Full> {
        self.outbox.push(id, to, content, reply_to)?;
        self.transmit_due(now);
        Ok(())
    }

    /// Tries a failed message again.
    pub fn retry(&mut self, id: CommandId, now: Millis) -> bool {
        let is_there = self.outbox.retry(id);
        self.transmit_due(now);
        is_there
    }

    /// Drops a message that is not accepted.
    pub fn discard(&mut self, id: CommandId) -> Option<Send> {
        self.outbox.discard(id)
    }

    /// Sends a frame that is no command, if there is a connection. It is not kept.
    pub fn transmit(&mut self, frame: ClientFrame) -> bool {
        let is_open = self.status == Status::Open;
        if is_open {
            self.output.push_back(Output::Transmit(frame));
        }
        is_open
    }

    fn connect(&mut self, now: Millis) {
        self.status = Status::Connecting;
        self.connecting_since = now;
        self.is_socket_open = false;
        self.output.push_back(Output::Open);
    }

    fn wait(&mut self, now: Millis, floor: Millis) {
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

    fn transmit_due(&mut self, now: Millis) {
        if self.status == Status::Open {
            let due = self.outbox.due(now);
            self.output.extend(due.into_iter().map(|send| Output::Transmit(ClientFrame::Send(send))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::account::User;
    use shared::ids::{ConversationId, Epoch, SessionId, Timestamp};
    use shared::limits::Limits;
    use shared::message::Accepted;
    use shared::welcome::{Draining, Welcome};

    fn welcome() -> ServerFrame {
        welcome_to(1)
    }

    fn welcome_to(person: u8) -> ServerFrame {
        let at = Timestamp::from_millis(1);
        let id = UserId::v7(at, [person; 10]);
        ServerFrame::Welcome(Box::new(Welcome {
            user: User { id, display_name: "Ada".into(), avatar: None, email: None },
            session: SessionId::v7(at, [2; 10]),
            epoch: Epoch::new("e".into()).expect("short"),
            now: at,
            heartbeat_ms: 25_000,
            limits: Limits::default(),
            conversations: vec![],
            more: false,
            presence: vec![],
        }))
    }

    fn id(number: u8) -> CommandId {
        CommandId::v7(Timestamp::from_millis(1), [number; 10])
    }

    fn outputs(connection: &mut Connection) -> Vec<Output> {
        std::iter::from_fn(|| connection.poll_output()).collect()
    }

    fn open() -> Connection {
        let mut connection = Connection::new(7);
        connection.start(0);
        connection.handle_open(10);
        connection.handle_frame(welcome(), 20);
        outputs(&mut connection);
        connection
    }

    fn until(connection: &Connection) -> Millis {
        match connection.status() {
            Status::Waiting { until } => *until,
            other => panic!("not waiting but {other:?}"),
        }
    }

    #[test]
    fn it_is_open_when_the_server_has_spoken() {
        let mut connection = Connection::new(7);
        connection.start(0);
        assert_eq!(outputs(&mut connection), [Output::Open]);
        connection.handle_open(10);
        assert_eq!(*connection.status(), Status::Connecting);
        connection.handle_frame(welcome(), 20);
        assert_eq!(*connection.status(), Status::Open);
    }

    #[test]
    fn what_was_written_before_it_was_open_goes_out_with_the_welcome() {
        let mut connection = Connection::new(7);
        connection.start(0);
        connection.send(id(1), Target::Everyone, "early".into(), None, 5).expect("room");
        assert_eq!(outputs(&mut connection), [Output::Open]);
        connection.handle_frame(welcome(), 20);
        let out = outputs(&mut connection);
        assert!(matches!(&out[..], [Output::Transmit(ClientFrame::Send(send))] if send.content == "early"));
    }

    #[test]
    fn a_cut_line_is_tried_again_and_what_was_under_way_goes_again() {
        let mut connection = open();
        connection.send(id(1), Target::Everyone, "x".into(), None, 30).expect("room");
        assert_eq!(outputs(&mut connection).len(), 1);
        connection.handle_close(1006, 100);
        let until = until(&connection);
        assert!((600..=1_100).contains(&until), "{until}");
        assert_eq!(connection.next_timeout(), Some(until));
        connection.handle_timeout(until - 1);
        assert_eq!(outputs(&mut connection), []);
        connection.handle_timeout(until);
        assert_eq!(outputs(&mut connection), [Output::Open]);
        connection.handle_frame(welcome(), until + 5);
        assert!(matches!(&outputs(&mut connection)[..], [Output::Transmit(ClientFrame::Send(_))]));
        assert!(connection.take_accepted(id(1), until + 6).is_some());
        assert!(connection.outbox().is_empty());
    }

    #[test]
    fn codes_decide_whether_it_comes_back() {
        for code in [1002, 1003, 1007, 1009, 4400, 4403, 4409] {
            let mut connection = open();
            connection.handle_close(code, 100);
            assert_eq!(*connection.status(), Status::Ended(Ended::Refused(code)));
            assert_eq!(connection.next_timeout(), None);
            connection.start(200);
            assert_eq!(outputs(&mut connection), [Output::Open], "the person may ask");
        }
        let mut connection = open();
        connection.handle_close(4401, 100);
        assert_eq!(*connection.status(), Status::Ended(Ended::SignedOut));
        for code in [1013, 4429] {
            let mut connection = open();
            connection.handle_close(code, 100);
            assert!(until(&connection) >= 30_100);
        }
    }

    #[test]
    fn a_server_that_drains_says_when_to_come_back() {
        let mut connection = open();
        connection.handle_frame(ServerFrame::Draining(Draining { retry_after_ms: 5_000 }), 50);
        connection.handle_close(1012, 100);
        assert!((5_100..=5_200).contains(&until(&connection)));
    }

    #[test]
    fn a_failed_handshake_asks_for_the_session() {
        let mut connection = Connection::new(7);
        connection.start(0);
        outputs(&mut connection);
        connection.handle_close(1006, 100);
        assert_eq!(outputs(&mut connection), [Output::CheckSession]);
        connection.handle_session_over();
        assert_eq!(*connection.status(), Status::Ended(Ended::SignedOut));
    }

    #[test]
    fn what_one_person_wrote_is_never_sent_as_another() {
        let mut connection = open();
        connection.handle_close(1006, 100);
        connection.send(id(1), Target::Everyone, "mine".into(), None, 110).expect("room");
        connection.handle_online(200);
        outputs(&mut connection);
        connection.handle_frame(welcome_to(2), 300);
        assert_eq!(outputs(&mut connection), [Output::OtherPerson]);
        assert!(connection.outbox().is_empty());
    }

    #[test]
    fn a_silent_server_is_asked_and_then_given_up() {
        let mut connection = open();
        assert_eq!(connection.next_timeout(), Some(25_020));
        connection.handle_timeout(25_020);
        assert!(matches!(&outputs(&mut connection)[..], [Output::Transmit(ClientFrame::Ping(_))]));
        assert_eq!(connection.next_timeout(), Some(35_020));
        connection.handle_frame(ServerFrame::Pong(Ping::default()), 26_000);
        assert_eq!(connection.next_timeout(), Some(51_000));
        connection.handle_timeout(51_000);
        outputs(&mut connection);
        connection.handle_timeout(61_000);
        assert_eq!(outputs(&mut connection), [Output::Close]);
        assert!(matches!(connection.status(), Status::Waiting { .. }));
    }

    #[test]
    fn the_network_going_and_coming_is_followed_at_once() {
        let mut connection = open();
        connection.handle_offline();
        assert_eq!(outputs(&mut connection), [Output::Close]);
        assert_eq!(*connection.status(), Status::Offline);
        connection.handle_close(1006, 70);
        assert_eq!(*connection.status(), Status::Offline);
        connection.handle_online(80);
        assert_eq!(outputs(&mut connection), [Output::Open]);
        let mut waiting = open();
        waiting.handle_close(1006, 100);
        waiting.handle_visible(101);
        assert_eq!(outputs(&mut waiting), [Output::Open]);
        let mut probing = open();
        probing.handle_visible(5_000);
        assert!(matches!(&outputs(&mut probing)[..], [Output::Transmit(ClientFrame::Ping(_))]));
        assert_eq!(probing.next_timeout(), Some(15_000));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send(u8),
        Open,
        Welcome,
        Close(u16),
        Accept,
        Offline,
        Online,
        Wait(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<u8>().prop_map(Step::Send),
            Just(Step::Open),
            Just(Step::Welcome),
            prop_oneof![Just(1006u16), Just(1012), Just(1013), Just(4410)].prop_map(Step::Close),
            Just(Step::Accept),
            Just(Step::Offline),
            Just(Step::Online),
            any::<u16>().prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// A toy server that accepts what arrives: whatever happens to the line, every message written is
        /// stored once the line holds, and none twice under different ids.
        #[test]
        fn whatever_happens_everything_written_arrives_once(steps in prop::collection::vec(step(), 0..80)) {
            let mut connection = Connection::new(3);
            let mut now = 0;
            let mut written = std::collections::BTreeSet::new();
            let mut stored = std::collections::BTreeSet::new();
            let mut arrived = VecDeque::new();
            connection.start(now);
            let mut drive = |connection: &mut Connection, step: Option<Step>, now: &mut Millis| {
                match step {
                    Some(Step::Send(number)) if written.insert(id(number)) => {
                        connection.send(id(number), Target::Everyone, "x".into(), None, *now).expect("room");
                    }
                    Some(Step::Open) => connection.handle_open(*now),
                    Some(Step::Welcome) if *connection.status() == Status::Connecting => {
                        connection.handle_frame(welcome(), *now);
                    }
                    Some(Step::Close(code)) => connection.handle_close(code, *now),
                    Some(Step::Accept) => {
                        if let (Status::Open, Some(id)) = (connection.status().clone(), arrived.pop_front()) {
                            let conversation = ConversationId::v7(Timestamp::from_millis(1), [9; 10]);
                            let accepted = Accepted { id, conversation, seq: Seq::FIRST, at: Timestamp::default() };
                            connection.handle_frame(ServerFrame::Accepted(accepted), *now);
                            connection.take_accepted(id, *now);
                        }
                    }
                    Some(Step::Offline) => connection.handle_offline(),
                    Some(Step::Online) => connection.handle_online(*now),
                    Some(Step::Wait(millis)) => {
                        *now += u64::from(millis);
                        connection.handle_timeout(*now);
                    }
                    _ => {}
                }
                while let Some(output) = connection.poll_output() {
                    match output {
                        Output::Transmit(ClientFrame::Send(send)) => {
                            stored.insert(send.id);
                            arrived.push_back(send.id);
                        }
                        Output::Close | Output::Open => arrived.clear(),
                        _ => {}
                    }
                }
                (written.clone(), stored.clone(), arrived.len())
            };
            for step in steps {
                drive(&mut connection, Some(step), &mut now);
            }
            // The line holds from here on.
            for _ in 0..20 {
                drive(&mut connection, Some(Step::Wait(60_000)), &mut now);
                drive(&mut connection, Some(Step::Online), &mut now);
                drive(&mut connection, Some(Step::Welcome), &mut now);
                loop {
                    let (_, _, waiting) = drive(&mut connection, Some(Step::Accept), &mut now);
                    if waiting == 0 { break }
                }
                connection.handle_frame(ServerFrame::Pong(Ping::default()), now);
            }
            let (written, stored, _) = drive(&mut connection, None, &mut now);
            prop_assert_eq!(written, stored);
            prop_assert!(connection.outbox().is_empty());
        }
    }
}
