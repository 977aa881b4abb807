//! Who is connected: a map from user id to that user's live sockets.
//!
//! A socket is in the map from [`Registry::register`] until its [`Registration`] is dropped, however
//! its task ends. Pushing never waits: it puts bytes into the sockets' bounded queues.

use crate::accounts::SessionKind;
use crate::socket::backlog::Backlog;
use crate::socket::queue::{FrameQueue, Item};
use foldhash::{HashMap, HashMapExt};
use shared::ids::{SessionId, UserId};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names one socket for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u64);

/// One live WebSocket, as everybody but its own task sees it.
#[derive(Debug)]
pub struct Socket {
    /// Which.
    pub id: SocketId,
    /// Whose.
    pub user: UserId,
    /// By which session it was opened.
    pub session: SessionId,
    /// Whether that is a browser's or an API token.
    pub kind: SessionKind,
    /// What it still has to be sent.
    pub queue: FrameQueue,
    /// Whether it has sent a command.
    has_written: AtomicBool,
}

impl Socket {
    fn new(id: SocketId, user: UserId, session: SessionId, kind: SessionKind, backlog: Arc<Backlog>) -> Self {
        let queue = FrameQueue::new(backlog);
        Self { id, user, session, kind, queue, has_written: AtomicBool::new(false) }
    }

    /// Notes that a command was sent: its answer may be on its way from now on.
    pub fn write(&self) {
        self.has_written.store(true, Ordering::Release);
    }

    /// Whether a command was ever sent.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Acquire)
    }
}

/// User id → live sockets, oldest first.
#[derive(Debug)]
pub struct Registry {
    users: Mutex<HashMap<UserId, Vec<Arc<Socket>>>>,
    next: AtomicU64,
    sockets_per_user_max: usize,
    backlog: Arc<Backlog>,
}

/// A socket's place in the map; dropping it takes that socket, and no other, out.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<Registry>,
    /// The socket.
    pub socket: Arc<Socket>,
}

impl Registry {
    /// An empty map that lets each user have so many sockets.
    #[must_use]
    pub fn new(sockets_per_user_max: usize) -> Arc<Self> {
        Arc::new(Self {
            users: Mutex::new(HashMap::new()),
            next: AtomicU64::new(1),
            sockets_per_user_max,
            backlog: Arc::default(),
        })
    }

    /// Adds a socket. If the user has too many, the oldest is told to close with 4409.
    #[must_use]
    pub fn register(self: &Arc<Self>, user: UserId, session: SessionId, kind: SessionKind) -> Registration {
        let id = SocketId(self.next.fetch_add(1, Ordering::Relaxed));
        let socket = Arc::new(Socket::new(id, user, session, kind, self.backlog.clone()));
        let mut users = self.lock();
        let sockets = users.entry(user).or_default();
        // The ones already told to go do not count: they leave by themselves.
        let open: Vec<_> = sockets.iter().filter(|socket| !socket.queue.is_closing()).collect();
        if open.len() >= self.sockets_per_user_max
            && let Some(oldest) = open.first()
        {
            oldest.queue.close(shared::close::TOO_MANY_SOCKETS);
        }
        sockets.push(socket.clone());
        drop(users);
        Registration { registry: self.clone(), socket }
    }

    /// Sockets that have something to write and have not had their turn.
    #[must_use]
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Puts a frame into the queue of every socket of `user`, except one.
    pub fn push(&self, user: UserId, item: &Item, except: Option<SocketId>) {
        if let Some(sockets) = self.lock().get(&user) {
            push_all(sockets, item, except);
        }
    }

    /// Puts a frame into the queue of every socket of these users, except one.
    pub fn push_each<'a>(&self, users: impl IntoIterator<Item = &'a UserId>, item: &Item, except: Option<SocketId>) {
        let map = self.lock();
        for sockets in users.into_iter().filter_map(|user| map.get(user)) {
            push_all(sockets, item, except);
        }
    }

    /// Puts a frame into every queue there is, except one.
    pub fn push_everyone(&self, item: &Item, except: Option<SocketId>) {
        for sockets in self.lock().values() {
            push_all(sockets, item, except);
        }
    }

    /// Puts a frame into every queue but those of one user.
    pub fn push_others(&self, user: UserId, item: &Item) {
        for (_, sockets) in self.lock().iter().filter(|(other, _)| **other != user) {
            push_all(sockets, item, None);
        }
    }

    /// Those of these users who are connected.
    #[must_use]
    pub fn connected(&self, users: &[UserId]) -> Vec<UserId> {
        let map = self.lock();
        users.iter().copied().filter(|user| map.contains_key(user)).collect()
    }

    /// Every session with an open socket, with its user.
    #[must_use]
    pub fn sessions(&self) -> Vec<(UserId, SessionId)> {
        let users = self.lock();
        let mut sessions: Vec<_> = users.values().flatten().map(|socket| (socket.user, socket.session)).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// One socket of a user, if it is still there.
    #[must_use]
    pub fn find(&self, user: UserId, id: SocketId) -> Option<Arc<Socket>> {
        self.lock().get(&user)?.iter().find(|socket| socket.id == id).cloned()
    }

    /// Whether a user has a socket other than this one.
    #[must_use]
    pub fn has_other(&self, user: UserId, id: Option<SocketId>) -> bool {
        self.lock().get(&user).is_some_and(|sockets| sockets.iter().any(|socket| Some(socket.id) != id))
    }

    /// Whether a browser of this user is connected.
    #[must_use]
    pub fn has_browser(&self, user: UserId) -> bool {
        let is_browser = |socket: &Arc<Socket>| socket.kind == SessionKind::Browser && !socket.queue.is_closing();
        self.lock().get(&user).is_some_and(|sockets| sockets.iter().any(is_browser))
    }

    /// Tells the sockets of one session to close.
    pub fn close_session(&self, user: UserId, session: SessionId, code: u16) {
        if let Some(sockets) = self.lock().get(&user) {
            for socket in sockets.iter().filter(|socket| socket.session == session) {
                socket.queue.close(code);
            }
        }
    }

    /// Tells every socket to close.
    pub fn close_all(&self, code: u16) {
        for socket in self.lock().values().flatten() {
            socket.queue.close(code);
        }
    }

    /// How many users are connected, and by how many sockets.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let users = self.lock();
        (users.len(), users.values().map(Vec::len).sum())
    }

    /// What must hold at any moment.
    ///
    /// # Panics
    /// If it does not: a user without sockets, a socket under another user, or twice.
    pub fn check_invariants(&self) {
        let users = self.lock();
        let mut seen = std::collections::HashSet::new();
        for (user, sockets) in users.iter() {
            assert!(!sockets.is_empty(), "{user} is in the map without a socket");
            for socket in sockets {
                assert_eq!(socket.user, *user, "a socket stands under another user");
                assert!(seen.insert(socket.id), "a socket stands twice");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Socket>>>> {
        // Nothing in here panics half-way through a change, so a poisoned lock still guards a whole map.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push_all(sockets: &[Arc<Socket>], item: &Item, except: Option<SocketId>) {
    for socket in sockets.iter().filter(|socket| Some(socket.id) != except) {
        socket.queue.push(item.clone());
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Nobody writes any more: whoever waits for room to replay waits no longer.
        self.socket.queue.close(shared::close::ABNORMAL);
        let mut users = self.registry.lock();
        if let Some(sockets) = users.get_mut(&self.socket.user) {
            sockets.retain(|socket| socket.id != self.socket.id);
            if sockets.is_empty() {
                users.remove(&self.socket.user);
                // After a crowd has left, its room goes back.
                if users.capacity() > 1_024 && users.len() < users.capacity() / 4 {
                    users.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn person() -> (UserId, SessionId) {
        (clock::id(UserId::v7), clock::id(SessionId::v7))
    }

    fn frames(registration: &Registration) -> usize {
        let mut taken = Vec::new();
        registration.socket.queue.take(&mut taken);
        taken.len()
    }

    #[test]
    fn a_frame_reaches_all_sockets_of_its_user_and_nobody_elses() {
        let registry = Registry::new(64);
        let ((ada, a), (ben, b)) = (person(), person());
        let (first, second, other) = (
            registry.register(ada, a, SessionKind::Browser),
            registry.register(ada, a, SessionKind::Browser),
            registry.register(ben, b, SessionKind::Browser),
        );
        registry.push(ada, &Item::answer("x".into()), None);
        registry.check_invariants();
        assert_eq!((frames(&first), frames(&second), frames(&other)), (1, 1, 0));
        registry.push(ada, &Item::answer("x".into()), Some(first.socket.id));
        assert_eq!((frames(&first), frames(&second), frames(&other)), (0, 1, 0));
        registry.push_everyone(&Item::answer("x".into()), Some(second.socket.id));
        assert_eq!((frames(&first), frames(&second), frames(&other)), (1, 0, 1));
    }

    #[test]
    fn a_dropped_registration_takes_out_its_own_socket_only() {
        let registry = Registry::new(64);
        let (ada, a) = person();
        let (first, second) =
            (registry.register(ada, a, SessionKind::Browser), registry.register(ada, a, SessionKind::Browser));
        assert_eq!(registry.count(), (1, 2));
        drop(first);
        registry.check_invariants();
        assert_eq!(registry.count(), (1, 1));
        assert!(registry.find(ada, second.socket.id).is_some());
        drop(second);
        assert_eq!(registry.count(), (0, 0));
    }

    #[test]
    fn one_socket_too_many_sends_the_oldest_away() {
        let registry = Registry::new(2);
        let (ada, a) = person();
        let all: Vec<_> = (0..4).map(|_| registry.register(ada, a, SessionKind::Browser)).collect();
        let closing: Vec<_> = all.iter().map(|one| one.socket.queue.is_closing()).collect();
        assert_eq!(closing, [true, true, false, false]);
    }

    #[test]
    fn ending_a_session_closes_its_sockets_only() {
        let registry = Registry::new(64);
        let ((ada, a), (_, other)) = (person(), person());
        let (mine, theirs) =
            (registry.register(ada, a, SessionKind::Browser), registry.register(ada, other, SessionKind::Browser));
        registry.close_session(ada, a, shared::close::SESSION_ENDED);
        assert!(mine.socket.queue.is_closing() && !theirs.socket.queue.is_closing());
    }

    #[tokio::test]
    async fn whoever_waits_for_room_in_the_queue_of_a_socket_that_has_gone_waits_no_longer() {
        let registry = Registry::new(64);
        let (ada, a) = person();
        let registration = registry.register(ada, a, SessionKind::Browser);
        let socket = registration.socket.clone();
        drop(registration);
        assert!(!socket.queue.room().await);
        assert!(socket.queue.finish());
    }
}
