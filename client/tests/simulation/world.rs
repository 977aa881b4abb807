//! The world of one seed: devices, links that are cut, a server that crashes, and chance that decides
//! what happens next. What must hold is checked after every step, and that everything is well at the
//! end once the links hold.

mod compare;
mod people;

use crate::device::{Answer, Device, Request, Wish};
use crate::random::Random;
use crate::server::{Fault, QUEUE_MAX, Server, SocketId};
use shared::event::EventKind;
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Timestamp, UserId};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Frames on their way to a device, beside those in the server's queue.
const WINDOW: usize = 4;

/// A device's socket, from both ends. Frames keep their order; a cut loses those on their way down,
/// while those on their way up may still arrive.
struct Link {
    device: usize,
    user: UserId,
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    is_accepted: bool,
    /// The device has let go of it.
    is_cut: bool,
    /// The server has let go of it, with this code.
    closed: Option<u16>,
}

pub(crate) struct World {
    random: Random,
    server: Server,
    devices: Vec<Device>,
    links: BTreeMap<SocketId, Link>,
    next_link: SocketId,
    requests: Vec<(usize, Request, Option<Answer>)>,
    ledger: Ledger,
    now: u64,
    fault: Fault,
    is_traced: bool,
    /// Something came in that was no heartbeat.
    has_moved: bool,
}

/// What people asked for.
#[derive(Default)]
struct Ledger {
    written: BTreeMap<CommandId, (UserId, Option<String>)>,
    /// May be stored or not: taken back, or refused for good.
    given_up: HashSet<CommandId>,
    /// Must not be stored: changed before it was.
    replaced: HashSet<CommandId>,
    checked: HashMap<ConversationId, usize>,
    stored: HashSet<(UserId, CommandId)>,
    texts: u64,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Fault, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        let user = |number: u8| UserId::v7(Timestamp::from_millis(1), [number; 10]);
        let users: Vec<_> = (1..=2 + u8::try_from(random.below(2)).expect("small")).map(user).collect();
        let welcome_max = if random.is_lucky(30) { 2 } else { 100 };
        let mut owners = users.clone();
        if random.is_lucky(50) {
            owners.push(users[0]);
        }
        let mut world = Self {
            server: Server::new(&users, fault, welcome_max),
            devices: Vec::new(),
            links: BTreeMap::new(),
            next_link: 1,
            requests: Vec::new(),
            ledger: Ledger::default(),
            now: 1_000,
            fault,
            is_traced,
            has_moved: false,
            random,
        };
        for owner in owners {
            let seed = world.random.draw();
            world.devices.push(Device::new(owner, seed, world.now, fault, BTreeMap::new()));
        }
        for device in 0..world.devices.len() {
            world.grant(device);
        }
        world
    }

    /// Runs the seed: `steps` of chance, then peace, then the comparison.
    pub(crate) fn run(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            self.step();
            self.check()?;
        }
        self.settle()?;
        self.compare()
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{:>8} {}", self.now, text());
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..26 => self.receive_somewhere(),
            26..40 => self.transmit_somewhere(),
            40..48 => self.server.commit(&mut self.random),
            48..56 => self.server.deliver(&mut self.random),
            56..63 => self.replay_somewhere(),
            63..70 => self.answer_somewhere(),
            70..75 => self.pass_time(),
            75..78 => self.fail_somewhere(),
            78 => self.change_member(),
            _ => self.act_somewhere(),
        }
        self.pump();
    }

    /// Does what a device wishes.
    fn grant(&mut self, index: usize) {
        while let Some(wish) = self.devices[index].wishes.pop_front() {
            match wish {
                Wish::Open => {
                    self.let_go(index);
                    let user = self.devices[index].user;
                    let (up, down) = (VecDeque::new(), VecDeque::new());
                    let link = Link { device: index, user, up, down, is_accepted: false, is_cut: false, closed: None };
                    self.links.insert(self.next_link, link);
                    self.next_link += 1;
                }
                Wish::Transmit(frame) => {
                    self.trace(|| format!("{index} → {frame:?}"));
                    if let Some(link) = self.links.values_mut().find(|link| link.device == index && !link.is_cut) {
                        link.up.push_back(frame);
                    }
                }
                Wish::Close => self.let_go(index),
                Wish::Request(request) => self.requests.push((index, request, None)),
                Wish::Dropped(id) => drop(self.ledger.given_up.insert(id)),
            }
        }
    }

    /// A device lets go of its socket. The server notices, or goes on sending into nothing for a while.
    fn let_go(&mut self, index: usize) {
        let Some((id, link)) = self.links.iter_mut().find(|(_, link)| link.device == index && !link.is_cut) else {
            return;
        };
        let id = *id;
        link.is_cut = true;
        link.down.clear();
        if self.random.is_lucky(50) {
            let arriving = self.random.below(link.up.len() + 1);
            link.up.truncate(arriving);
            self.server.sockets.remove(&id);
        }
        self.forget_dead_links();
    }

    fn forget_dead_links(&mut self) {
        let server = &self.server;
        self.links.retain(|id, link| !link.is_cut || !link.up.is_empty() || server.sockets.contains_key(id));
    }

    /// Moves frames from the server's queues onto the links.
    fn pump(&mut self) {
        for (id, link) in &mut self.links {
            let Some(socket) = self.server.sockets.get_mut(id) else { continue };
            while !link.is_cut
                && link.down.len() < WINDOW
                && let Some(frame) = socket.queue.pop_front()
            {
                link.down.push_back(frame);
            }
            self.server.drain(*id);
        }
    }

    fn pick_link(&mut self, is_it: impl Fn(&Link) -> bool) -> Option<SocketId> {
        let ids: Vec<_> = self.links.iter().filter(|(_, link)| is_it(link)).map(|(id, _)| *id).collect();
        self.random.pick(&ids).copied()
    }

    fn receive_somewhere(&mut self) {
        let has_news =
            |link: &Link| !link.is_cut && (!link.is_accepted || !link.down.is_empty() || link.closed.is_some());
        if let Some(id) = self.pick_link(has_news) {
            self.receive(id);
        }
    }

    /// The next thing that happens at a device's end of a link.
    fn receive(&mut self, id: SocketId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let index = link.device;
        if let Some(frame) = link.down.pop_front() {
            self.trace(|| format!("{index} ← {frame:?}"));
            self.has_moved |= !matches!(frame, ServerFrame::Pong(_));
            self.devices[index].now = now;
            self.devices[index].handle_frame(frame);
        } else if let Some(code) = link.closed {
            self.trace(|| format!("{index} closed with {code}"));
            self.links.remove(&id);
            self.devices[index].drive(|connection| connection.handle_close(code, now));
        } else if !link.is_accepted {
            link.is_accepted = true;
            self.server.connect(id, link.user);
            self.devices[index].drive(|connection| connection.handle_open(now));
        }
        self.grant(index);
    }

    fn transmit_somewhere(&mut self) {
        if let Some(id) = self.pick_link(|link| !link.up.is_empty() && link.is_accepted) {
            self.transmit(id);
        }
    }

    /// The next frame of a link reaches the server.
    fn transmit(&mut self, id: SocketId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(frame) = link.up.pop_front() {
            let user = link.user;
            self.server.handle_frame(id, user, frame);
        }
        self.forget_dead_links();
    }

    fn replay_somewhere(&mut self) {
        if let Some(id) = self.pick_link(|link| link.is_accepted && !link.is_cut) {
            for _ in 0..=self.random.below(4) {
                self.server.replay(id);
            }
        }
    }

    fn answer_somewhere(&mut self) {
        if !self.requests.is_empty() {
            let index = self.random.below(self.requests.len());
            let fails = self.random.is_lucky(10);
            self.answer(index, fails);
        }
    }

    /// The server reads what was asked for, or its answer arrives.
    fn answer(&mut self, index: usize, fails: bool) {
        let (device, request, answer) = &mut self.requests[index];
        let (device, request) = (*device, *request);
        let user = self.devices[device].user;
        match answer.take() {
            None => {
                *answer = Some(match request {
                    Request::Page(..) if fails => Answer::Page(Err(())),
                    Request::Summary(_) if fails => Answer::Summary(Err(())),
                    Request::Page(id, loading) => {
                        let before = match loading.load {
                            client::timeline::Load::Newest => None,
                            client::timeline::Load::Before(before) => Some(before),
                            client::timeline::Load::After(_) | client::timeline::Load::Around(_) => {
                                unreachable!("these timelines keep all rows")
                            }
                        };
                        Answer::Page(Ok(self.server.page(id, before, user)))
                    }
                    Request::Summary(asking) => {
                        let log = self.server.member_log(asking.conversation, user);
                        Answer::Summary(Ok(log.map(|log| Box::new(log.summary(user)))))
                    }
                });
            }
            Some(answer) => {
                self.trace(|| format!("{device} ⇐ {request:?} {answer:?}"));
                self.has_moved = true;
                self.requests.swap_remove(index);
                self.devices[device].now = self.now;
                self.devices[device].handle_answer(request, answer);
                self.grant(device);
            }
        }
    }

    fn pass_time(&mut self) {
        let next = self.devices.iter().filter_map(Device::next_timeout).min();
        let some = self.now + 1 + self.random.draw() % 2_000;
        let jumps = self.random.is_lucky(50);
        self.pass_time_until(next.filter(|_| jumps).map_or(some, |next| next.max(self.now)));
    }

    fn pass_time_until(&mut self, now: u64) {
        self.now = now;
        self.server.now = now;
        for index in 0..self.devices.len() {
            self.devices[index].handle_timeout(now);
            self.grant(index);
        }
    }

    fn fail_somewhere(&mut self) {
        let index = self.random.below(self.devices.len());
        let now = self.now;
        match self.random.below(20) {
            0..8 => {
                self.trace(|| format!("{index} cut"));
                if let Some((id, _)) = self.links.iter().find(|(_, link)| link.device == index && !link.is_cut) {
                    let id = *id;
                    self.let_go(index);
                    self.links.remove(&id);
                    self.server.sockets.remove(&id);
                    self.devices[index].drive(|connection| connection.handle_close(1006, now));
                }
            }
            8..10 => self.devices[index].drive(client::connection::Connection::handle_offline),
            10..12 => self.devices[index].drive(|connection| connection.handle_online(now)),
            12..14 => {
                let code = [1012, 1013, 4410, 4429][self.random.below(4)];
                if let Some(id) = self.pick_link(|link| link.is_accepted) {
                    self.close(id, code);
                }
            }
            14..16 => {
                self.trace(|| "crash".into());
                self.crash();
            }
            16 => {
                if self.random.is_lucky(20) {
                    self.trace(|| "another history".into());
                    self.crash();
                    self.server.rename_history();
                }
            }
            _ => {
                self.trace(|| format!("{index} begins anew"));
                self.let_go(index);
                self.requests.retain(|(device, ..)| *device != index);
                let (user, kept) = (self.devices[index].user, std::mem::take(&mut self.devices[index].kept));
                let seed = self.random.draw();
                self.devices[index] = Device::new(user, seed, now, self.fault, kept);
            }
        }
        self.grant(index);
    }

    fn close(&mut self, id: SocketId, code: u16) {
        if let (Some(link), Some(mut socket)) = (self.links.get_mut(&id), self.server.sockets.remove(&id)) {
            // What was on its way may come before the end.
            if self.random.is_lucky(50) {
                link.down.append(&mut socket.queue);
            }
            link.closed = Some(code);
        }
        self.forget_dead_links();
    }

    fn crash(&mut self) {
        let ids: Vec<_> = self.server.sockets.keys().copied().collect();
        for id in ids {
            self.close(id, 1006);
        }
        for link in self.links.values_mut().filter(|link| link.is_accepted) {
            link.up.clear();
            link.closed.get_or_insert(1006);
        }
        self.server.crash();
        self.forget_dead_links();
    }

    fn change_member(&mut self) {
        let index = self.random.below(self.devices.len());
        let user = self.devices[index].user;
        self.trace(|| format!("{index} comes or goes"));
        self.server.change_member(user);
    }

    /// What must hold after every step.
    fn check(&mut self) -> Result<(), String> {
        for device in &self.devices {
            device.check()?;
        }
        for log in &self.server.stored.logs {
            let checked = self.ledger.checked.entry(log.id).or_default();
            for (index, event) in log.events.iter().enumerate().skip(*checked) {
                if event.seq.get() != index as u64 + 1 {
                    return Err("a log has a gap".into());
                }
                if let EventKind::Message(message) = &event.kind
                    && !self.ledger.stored.insert((event.sender, message.id))
                {
                    return Err("a message is stored twice".into());
                }
            }
            *checked = log.events.len();
        }
        for link in self.links.values() {
            for frame in &link.down {
                self.check_frame(link, frame)?;
            }
        }
        for socket in self.server.sockets.values() {
            let events = socket.queue.iter().filter(|frame| matches!(frame, ServerFrame::Event(_))).count();
            if events > QUEUE_MAX {
                return Err("a socket's queue is over its bound".into());
            }
        }
        Ok(())
    }

    fn check_frame(&self, link: &Link, frame: &ServerFrame) -> Result<(), String> {
        match frame {
            ServerFrame::Event(event) => match self.server.log(event.conversation) {
                Some(log) if !log.may_see(link.user, event.seq) => {
                    Err(format!("{} is sent event {} after leaving", link.user, event.seq))
                }
                _ => Ok(()),
            },
            ServerFrame::Accepted(accepted) => match self.server.stored.commands.get(&(link.user, accepted.id)) {
                Some((_, stored)) if stored.seq == accepted.seq => Ok(()),
                _ => Err(format!("{} was accepted and is not stored", accepted.id)),
            },
            _ => Ok(()),
        }
    }

    /// The links hold, the server is in a good mood, people try again what was refused: until nothing is
    /// left to do.
    fn settle(&mut self) -> Result<(), String> {
        self.trace(|| "peace".into());
        self.server.is_moody = false;
        let mut quiet = 0;
        for _ in 0..60 {
            let was_idle = self.work_off()?;
            for index in 0..self.devices.len() {
                let now = self.now;
                if !self.devices[index].is_open() {
                    self.devices[index].drive(|connection| connection.start(now));
                }
                for (id, is_retryable) in self.devices[index].failed() {
                    if is_retryable {
                        self.devices[index].retry(id);
                    } else {
                        self.ledger.given_up.insert(id);
                        self.devices[index].discard(id);
                    }
                }
                self.grant(index);
            }
            let is_well = self.devices.iter().all(|device| device.is_open() && device.connection.outbox().is_empty());
            quiet = if was_idle && is_well { quiet + 1 } else { 0 };
            if quiet > 2 {
                return Ok(());
            }
            self.pass_time_until(self.now + 4_000);
        }
        let stand = self.devices.iter().map(|device| (device.connection.status(), device.connection.outbox()));
        Err(format!("it does not come to rest: {:?}", stand.collect::<Vec<_>>()))
    }

    /// Lets everything that is on its way arrive. `true`: there was nothing but heartbeats.
    fn work_off(&mut self) -> Result<bool, String> {
        self.has_moved = false;
        for _ in 0..2_000 {
            let mut is_idle = !self.server.has_work() && self.requests.is_empty();
            for id in self.links.keys().copied().collect::<Vec<_>>() {
                let Some(link) = self.links.get(&id) else { continue };
                let has_up = !link.up.is_empty() && link.is_accepted;
                let has_down = !link.is_cut && (!link.is_accepted || !link.down.is_empty() || link.closed.is_some());
                if link.is_cut && !has_up {
                    self.links.remove(&id);
                    self.server.sockets.remove(&id);
                    continue;
                }
                let replays = self.server.replay(id);
                is_idle &= !has_up && !has_down && !replays;
                if has_up {
                    self.transmit(id);
                }
                if has_down {
                    self.receive(id);
                }
            }
            self.server.commit(&mut self.random);
            self.server.deliver(&mut self.random);
            if !self.requests.is_empty() {
                self.answer(0, false);
            }
            self.pump();
            if is_idle {
                self.check()?;
                return Ok(!self.has_moved);
            }
        }
        Err("it is busy for ever".into())
    }
}
