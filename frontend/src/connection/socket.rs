//! The browser's WebSocket: open, message, error and close as signals, frames as function calls.

use super::Link;
use crate::browser;
use crate::state::State;
use futures_util::future::{AbortHandle, Abortable, poll_fn};
use futures_util::stream::SplitSink;
use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, State as WebSocketState, WebSocketError};
use leptos::prelude::*;
use shared::close;
use shared::frame::ServerFrame;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

/// What the browser says of the socket: four signals, one for each of its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketSignals {
    /// Whether there is an open socket (`open` has come, `close` has not).
    pub(crate) is_open: RwSignal<bool>,
    /// How many messages have come, over all sockets of this page.
    pub(crate) messages: RwSignal<u64>,
    /// The last error, until the next socket opens.
    pub(crate) error: RwSignal<Option<String>>,
    /// How the last socket ended, until the next one opens.
    pub(crate) close: RwSignal<Option<Closed>>,
}

/// How a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl SocketSignals {
    pub(crate) fn new() -> Self {
        Self {
            is_open: RwSignal::new(false),
            messages: RwSignal::new(0),
            error: RwSignal::new(None),
            close: RwSignal::new(None),
        }
    }
}

/// The sending half, once the socket is open.
type Sending = Rc<RefCell<Option<SplitSink<WebSocket, Message>>>>;

/// One socket. Dropping it closes it; nothing it says counts any more.
pub(crate) struct Socket {
    sending: Sending,
    reading: AbortHandle,
    signals: SocketSignals,
}

impl Socket {
    /// Opens a socket to this page's own server.
    pub(crate) fn open(link: Link, state: State) -> Self {
        let (reading, registration) = AbortHandle::new_pair();
        let signals = link.socket;
        let sending = Sending::default();
        match WebSocket::open(&address()) {
            Ok(socket) => {
                let reader = read(link, state, sending.clone(), socket);
                leptos::task::spawn_local(async move {
                    // Aborted means that somebody closed it on purpose and knows.
                    let _ = Abortable::new(reader, registration).await;
                });
            }
            Err(error) => {
                signals.error.set(Some(error.to_string()));
                leptos::task::spawn_local(async move { closed(link, state, close::ABNORMAL, String::new()) });
            }
        }
        Self { sending, reading, signals }
    }

    /// Hands a frame to the browser. That it took it proves nothing; only `accepted` does.
    pub(crate) fn send(&self, text: String) {
        if let Some(sending) = self.sending.borrow_mut().as_mut() {
            let sent = sending.send(Message::Text(text)).now_or_never();
            if let Some(Err(error)) = sent {
                self.signals.error.set(Some(error.to_string()));
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reading.abort();
        self.signals.is_open.set(false);
    }
}

fn address() -> String {
    let location = browser::window().location();
    let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}/ws", location.host().unwrap_or_default())
}

async fn read(link: Link, state: State, sending: Sending, mut socket: WebSocket) {
    let signals = link.socket;
    // Ready means no longer connecting: open, or failed already. (Asked of the whole socket: its
    // halves are always ready.)
    let _ = poll_fn(|context| Pin::new(&mut socket).poll_ready(context)).await;
    if matches!(socket.state(), WebSocketState::Open) {
        signals.is_open.set(true);
        signals.error.set(None);
        signals.close.set(None);
        link.drive(state, |machine| machine.handle_open(browser::monotonic()));
    }
    let (sink, mut receiving) = socket.split();
    *sending.borrow_mut() = Some(sink);
    drop(sending);
    loop {
        let message = receiving.next().await;
        match message {
            Some(Ok(Message::Text(text))) => {
                signals.messages.update(|count| *count += 1);
                hear(link, state, &text);
            }
            // The contract has no binary frames.
            Some(Ok(Message::Bytes(_))) => {}
            Some(Err(WebSocketError::ConnectionClose(event))) => {
                return closed(link, state, event.code, event.reason);
            }
            Some(Err(error)) => signals.error.set(Some(error.to_string())),
            None => return closed(link, state, close::ABNORMAL, String::new()),
        }
    }
}

fn hear(link: Link, state: State, text: &str) {
    match ServerFrame::decode(text) {
        Ok(Some(frame)) => {
            let frame = link.drive(state, |machine| machine.handle_frame(frame, browser::monotonic()));
            if let Some(frame) = frame {
                state.apply(frame);
            }
        }
        // A frame of a later version.
        Ok(None) => {}
        Err(error) => browser::log_error(&format!("a frame of the server cannot be read: {error}")),
    }
}

fn closed(link: Link, state: State, code: u16, reason: String) {
    link.socket.is_open.set(false);
    link.socket.close.set(Some(Closed { code, reason }));
    link.drive(state, |machine| machine.handle_close(code, browser::monotonic()));
}
