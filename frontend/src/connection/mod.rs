//! Drives `client::Connection` with the browser: its socket, its clock, its network and visibility
//! events. What comes in is handed to [`State::apply`] by a function call, never through a signal:
//! wake-ups of effects coalesce, messages must not.

pub(crate) mod last;
pub(crate) mod outbox;
pub(crate) mod push;
pub(crate) mod socket;
mod storage;
pub(crate) mod tabs;

use crate::browser;
use crate::state::State;
use client::Millis;
use client::connection::{Connection, Output, Status};
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use outbox::KeptOutbox;
use socket::{Socket, SocketSignals};
use std::time::Duration;

/// The connection of the page. `Copy`: everything behind it lives as long as the page.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    inner: StoredValue<Inner, LocalStorage>,
    /// What the person is shown of it.
    pub(crate) status: RwSignal<Status>,
    /// What the browser says of its socket.
    pub(crate) socket: SocketSignals,
    /// What is not accepted yet, on disk.
    pub(crate) outbox: KeptOutbox,
    /// The server has asked for patience: nothing is sent before this moment.
    pub(crate) held_back: RwSignal<Option<Millis>>,
    /// How much is not accepted yet.
    pub(crate) unsent: RwSignal<usize>,
}

struct Inner {
    machine: Connection,
    socket: Option<Socket>,
    /// What wakes the machine, and when.
    timer: Option<(TimeoutHandle, Millis)>,
}

impl Link {
    pub(crate) fn new() -> Self {
        let machine = Connection::new(u64::from_le_bytes(browser::random()));
        Self {
            inner: StoredValue::new_local(Inner { machine, socket: None, timer: None }),
            status: RwSignal::new(Status::Idle),
            socket: SocketSignals::new(),
            outbox: KeptOutbox::new(),
            held_back: RwSignal::new(None),
            unsent: RwSignal::new(0),
        }
    }

    /// Follows the browser's network and the page's visibility.
    pub(crate) fn watch(self, state: State) {
        let now = browser::monotonic;
        let on = |name: &'static str, act: Box<dyn Fn()>| {
            window_event_listener_untyped(name, move |_| act());
        };
        on("online", Box::new(move || self.drive(state, |machine| machine.handle_online(now()))));
        on("offline", Box::new(move || self.drive(state, Connection::handle_offline)));
        // A page that comes back from the browser's cache has slept without knowing.
        on(
            "pageshow",
            Box::new(move || {
                self.outbox.wake();
                self.drive(state, |machine| machine.handle_visible(now()));
            }),
        );
        on(
            "pagehide",
            Box::new(move || {
                state.delete_all_now();
                self.outbox.sleep();
            }),
        );
        let on_visible = move || {
            if browser::is_visible() {
                self.drive(state, |machine| machine.handle_visible(now()));
                state.come_back();
            }
        };
        on("visibilitychange", Box::new(on_visible));
        on("focus", Box::new(on_visible));
        self.outbox.watch(state);
    }

    /// Tells the machine something, does what it asks for, and sets the clock for what comes next.
    pub(crate) fn drive<T>(self, state: State, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = self.with(|inner| act(&mut inner.machine));
        self.follow(state);
        result
    }

    /// Does what the machine asks for. (Once for all that is told to it.)
    fn follow(self, state: State) {
        while let Some(output) = self.with(|inner| inner.machine.poll_output()) {
            self.execute(state, output);
        }
        self.set_timer(state);
        let status = self.with(|inner| inner.machine.status().clone());
        set_if_new(self.status, status);
        let (held_back, unsent) = self.with(|inner| (inner.machine.held_back_until(), inner.machine.outbox().len()));
        set_if_new(self.held_back, held_back);
        set_if_new(self.unsent, unsent);
    }

    /// Whether the server can be asked just now.
    pub(crate) fn is_open(self) -> bool {
        self.status.get_untracked() == Status::Open
    }

    fn with<T>(self, act: impl FnOnce(&mut Inner) -> T) -> T {
        self.inner.try_update_value(act).expect("the link lives as long as the page")
    }

    fn execute(self, state: State, output: Output) {
        match output {
            Output::Open => {
                let socket = Socket::open(self, state);
                let old = self.with(|inner| inner.socket.replace(socket));
                drop(old);
            }
            Output::Transmit(frame) => self.with(|inner| {
                if let Some(socket) = &inner.socket {
                    socket.send(frame.encode());
                }
            }),
            Output::Close => drop(self.with(|inner| inner.socket.take())),
            // A page begun anew has nothing of the person before.
            Output::OtherPerson => _ = browser::window().location().reload(),
            Output::CheckSession => state.session.check(state),
            Output::OtherHistory => state.begin_anew(),
            Output::Failed(command, rejection) => state.fail(&command, &rejection),
            Output::Keep(kept) => self.outbox.keep(kept),
            Output::Forget(id) => self.outbox.forget(id),
        }
    }

    /// Sees to the machine's being woken in time. A timer that comes too early is left as it is: the browser keeps a
    /// timer that was taken back, with all it holds, until it clears up, and each message moves the next moment.
    fn set_timer(self, state: State) {
        let Some(next) = self.with(|inner| inner.machine.next_timeout()) else { return };
        let is_in_time = self.with(|inner| inner.timer.as_ref().is_some_and(|(_, due)| *due <= next));
        if is_in_time {
            return;
        }
        if let Some((late, _)) = self.with(|inner| inner.timer.take()) {
            late.clear();
        }
        let wait = Duration::from_millis(next.saturating_sub(browser::monotonic()));
        let on_time = move || {
            self.with(|inner| inner.timer = None);
            self.drive(state, |machine| machine.handle_timeout(browser::monotonic()));
        };
        // Without a timer the next event of any kind moves the machine on.
        let timer = set_timeout_with_handle(on_time, wait).ok();
        self.with(|inner| inner.timer = timer.map(|timer| (timer, next)));
    }
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}
