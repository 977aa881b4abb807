//! The task that serves one socket. It alone reads and writes it, so there is no lock, and it waits
//! for three things only: its peer, its queue, and its next deadline.
//!
//! Everything to be sent comes through the queue: answers and events leave in the order in which they
//! were decided. What waits is written together, about 32 KiB at a time.

use super::line::{Fault, Line};
use super::queue::Taken;
use super::watch::{Verdict, Watch};
use crate::app::App;
use crate::chat;
use crate::chat::presence::Mark;
use crate::registry::{Registration, Socket};
use crate::store::SessionRow;
use axum::extract::ws::Utf8Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use shared::close;
use shared::code::Code;
use shared::frame::{ClientFrame, ServerFrame};
use shared::welcome::Draining;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::tungstenite::{self, Error};

/// How long a peer has to answer a close frame.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Frames handled in one go before others' sockets get their turn.
const FRAMES_AT_ONCE: usize = 32;
/// When people are told to come back after a planned stop.
const DRAIN_MS: u64 = 500;
/// Rounds of writing before the peer is listened to again.
const WRITES_AT_ONCE: usize = 8;

/// A WebSocket of ours.
pub type WebSocket = WebSocketStream<Line>;

/// Serves a socket until it ends, however it ends. `turn` is given back when the first frame is made.
pub async fn run(app: Arc<App>, ws: WebSocket, session: SessionRow, turn: OwnedSemaphorePermit) {
    let started = Instant::now();
    let user = session.user.id;
    let registration = app.registry.register(user, session.id, session.kind);
    let mark = app.presences.connected(user);
    let silence_max = Duration::from_secs(app.config.silence_seconds);
    let mut connection = Connection {
        app,
        ws,
        registration,
        mark,
        frames: Vec::new(),
        watch: Watch::new(started, silence_max),
        heard: 0,
        sent: 0,
    };
    // Whatever goes wrong in here is this socket's end and nobody else's: what it shares with others is behind locks
    // that are whole at any moment.
    let end = AssertUnwindSafe(connection.serve(session, turn)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(%user, "socket.panicked");
        End::Close(close::FAULT)
    });
    let (code, was_told) = match end {
        End::Gone(code) => (code, false),
        // tungstenite has the answer to a close frame ready; it only has to go out.
        End::Left(code) => (code, timeout(CLOSE_MAX, connection.ws.flush()).await.is_ok()),
        End::Close(code) => (code, connection.close(code).await),
    };
    let Connection { heard, sent, ws, registration, mark, .. } = connection;
    drop((registration, mark));
    tracing::info!(%user, code, heard, sent, seconds = started.elapsed().as_secs(), "socket.closed");
    if was_told {
        hang_up(ws).await;
    }
}

/// Ends the connection without taking from the peer what was sent last: closing while there are unread bytes would.
async fn hang_up(ws: WebSocket) {
    let mut stream = ws.into_inner().into_tcp();
    let waiting = async {
        stream.shutdown().await?;
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // It is dropped next, whatever came of it.
    let _ = timeout(CLOSE_MAX, waiting).await;
}

struct Connection {
    app: Arc<App>,
    ws: WebSocket,
    registration: Registration,
    /// The person is there for as long as this lives.
    mark: Mark,
    /// Reused for what is written together.
    frames: Vec<Utf8Bytes>,
    /// What the peer is held to.
    watch: Watch,
    heard: u64,
    sent: u64,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// The peer is told, with this code.
    Close(u16),
    /// The peer said good-bye, with this code.
    Left(u16),
    /// There is nobody left to tell; this code goes into the log.
    Gone(u16),
}

enum Step {
    Heard(Option<Result<Message, Error>>),
    Changed,
    Deadline,
}

impl Connection {
    fn socket(&self) -> &Socket {
        &self.registration.socket
    }

    async fn serve(&mut self, session: SessionRow, turn: OwnedSemaphorePermit) -> End {
        // The session may have ended, or the server begun to stop, between the handshake and the
        // registration; whoever did that has not seen this socket.
        if self.app.stopping.is_cancelled() {
            return End::Close(close::RESTART);
        }
        match chat::welcome::welcome(&self.app, self.socket(), session).await {
            Ok(Some(welcome)) => {
                self.frames.push(welcome);
                let settling = chat::welcome::settle(self.app.clone(), self.registration.socket.clone());
                self.app.sockets.spawn(settling);
            }
            Ok(None) => return End::Close(close::SESSION_ENDED),
            Err(error) => {
                tracing::error!(%error, "socket.welcome_failed");
                return End::Close(close::FAULT);
            }
        }
        #[cfg(debug_assertions)]
        if crate::fault::is_on("slow_welcome") {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        drop(turn);
        match self.talk().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        self.write().await?;
        let mut has_more = self.drain().await?;
        let socket = self.registration.socket.clone();
        let deadline = tokio::time::sleep_until(self.check_silence().await?);
        tokio::pin!(deadline);
        loop {
            // A socket that does not read its answers is not read either, nor one that was told to go.
            let is_listening = !socket.queue.is_crowded() && !socket.queue.is_closing();
            let step = tokio::select! {
                message = self.ws.next(), if is_listening => Step::Heard(message),
                () = socket.queue.changed(), if !has_more => Step::Changed,
                () = std::future::ready(()), if has_more => Step::Changed,
                () = &mut deadline => Step::Deadline,
            };
            match step {
                Step::Heard(message) => self.hear_all(message)?,
                Step::Changed => {}
                Step::Deadline => {
                    // It may have been heard of while a slow write kept us from listening.
                    if !socket.queue.is_closing()
                        && let Some(message) = self.ws.next().now_or_never()
                    {
                        self.hear_all(message)?;
                    }
                    let next = self.check_silence().await?;
                    deadline.as_mut().reset(next);
                }
            }
            has_more = self.drain().await?;
        }
    }

    /// Handles a message and those that have arrived behind it.
    fn hear_all(&mut self, first: Option<Result<Message, Error>>) -> Result<(), End> {
        self.watch.heard(Instant::now());
        self.hear(first)?;
        for _ in 1..FRAMES_AT_ONCE {
            if self.socket().queue.is_closing() {
                break;
            }
            match self.ws.next().now_or_never() {
                Some(message) => self.hear(message)?,
                None => break,
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => self.handle(&text),
            Some(Ok(Message::Binary(_))) => Err(End::Close(close::UNSUPPORTED)),
            // tungstenite answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => Err(End::Left(frame.map_or(close::NORMAL, |frame| frame.code.into()))),
            Some(Ok(Message::Frame(_))) => unreachable!("only whole messages are read"),
            Some(Err(error)) => Err(end_of(&error)),
            None => Err(End::Gone(close::ABNORMAL)),
        }
    }

    fn handle(&mut self, text: &str) -> Result<(), End> {
        self.heard += 1;
        match ClientFrame::decode(text) {
            #[cfg(debug_assertions)]
            Ok(ClientFrame::Ping(ping))
                if crate::fault::is_on("panic_when_asked") && ping.nonce == Some("panic".into()) =>
            {
                panic!("asked to");
            }
            Ok(frame) => {
                if chat::is_activity(&frame) {
                    self.mark.active();
                }
                chat::handle(&self.app, &self.registration.socket, frame);
            }
            Err(refusal) => {
                let is_bad_json = refusal.code() == Code::BadJson;
                chat::answer(self.socket(), &ServerFrame::from(refusal));
                if is_bad_json && self.watch.is_bad_json_too_much(Instant::now()) {
                    return Err(End::Close(close::BAD_JSON));
                }
            }
        }
        Ok(())
    }

    /// Writes what waits. `true`: there is still more, but the peer should be listened to first.
    async fn drain(&mut self) -> Result<bool, End> {
        let socket = &self.registration.socket;
        if socket.queue.claim() {
            self.app.sockets.spawn(chat::resume::run(self.app.clone(), socket.clone()));
        }
        for _ in 0..WRITES_AT_ONCE {
            match self.registration.socket.queue.take(&mut self.frames) {
                Taken::Frames => {}
                Taken::Close(code) => return Err(End::Close(code)),
                Taken::Nothing => return Ok(false),
            }
            self.write().await?;
        }
        Ok(true)
    }

    /// Sends `frames` with one write.
    async fn write(&mut self) -> Result<(), End> {
        self.sent += self.frames.len() as u64;
        let written = async {
            for frame in self.frames.drain(..) {
                self.ws.feed(Message::Frame(Frame::message(frame, OpCode::Data(Data::Text), true))).await?;
            }
            self.ws.flush().await
        };
        // The line ends a write that does not move.
        written.await.map_err(|error| end_of(&error))
    }

    /// Asks a quiet peer whether it is there, gives up on one that does not answer, and says when to
    /// look again.
    async fn check_silence(&mut self) -> Result<Instant, End> {
        match self.watch.check(Instant::now()) {
            Verdict::Wait(until) => Ok(until),
            Verdict::Ask(until) => {
                self.ws.send(Message::Ping(Default::default())).await.map_err(|error| end_of(&error))?;
                Ok(until)
            }
            Verdict::Gone => Err(End::Close(close::SILENT)),
        }
    }

    /// Sends what is due before the end, a close frame, and waits a moment for the answer. Whether that was in time.
    async fn close(&mut self, code: u16) -> bool {
        if code == close::RESTART {
            let draining = ServerFrame::Draining(Draining { retry_after_ms: DRAIN_MS });
            self.frames.push(Utf8Bytes::from(draining.encode()));
        }
        // What was decided before the close is still sent: the last refusal says why.
        let _ = self.registration.socket.queue.take(&mut self.frames);
        let goodbye = async {
            self.write().await.map_err(|_| ())?;
            let reason = tungstenite::Utf8Bytes::from_static(close::reason(code));
            let frame = CloseFrame { code: code.into(), reason };
            self.ws.send(Message::Close(Some(frame))).await.map_err(|_| ())?;
            while let Some(Ok(_)) = self.ws.next().await {}
            Ok::<(), ()>(())
        };
        timeout(CLOSE_MAX, goodbye).await.is_ok_and(|said| said.is_ok())
    }
}

/// What an error of the WebSocket layer means. tungstenite sends no close frame on its own account.
fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Close(close::TOO_BIG),
        Error::Utf8(_) => End::Close(close::INVALID_TEXT),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone(close::ABNORMAL),
        Error::Protocol(_) => End::Close(close::PROTOCOL),
        Error::Io(error) => match Fault::of(error) {
            // The peer does not read, so it would not read a close frame either.
            Some(Fault::Stuck) => End::Gone(close::SLOW_CONSUMER),
            // It comes back by itself: most often the rest got lost on its way.
            Some(Fault::Unfinished) => End::Close(close::SILENT),
            Some(Fault::Flooding) => End::Close(close::FLOODING),
            None => End::Gone(close::ABNORMAL),
        },
        _ => End::Gone(close::ABNORMAL),
    }
}
