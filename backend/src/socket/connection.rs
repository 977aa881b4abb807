//! The task that serves one socket. It alone reads and writes it, so there is no lock, and it waits
//! for three things only: its peer, its queue, and its next deadline.
//!
//! Everything to be sent comes through the queue: answers and events leave in the order in which they
//! were decided. What waits is written together, about 32 KiB at a time.

use super::queue::Taken;
use crate::app::App;
use crate::chat;
use crate::chat::presence::Mark;
use crate::config::Switch;
use crate::rate::{Bucket, Rate};
use crate::registry::{Registration, Socket};
use crate::store::SessionRow;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt, StreamExt};
use shared::close;
use shared::code::Code;
use shared::frame::{ClientFrame, ServerFrame};
use shared::welcome::Draining;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How often a quiet client should send `ping`; a client that is quiet for as long is asked with a
/// WebSocket ping, which every browser answers.
pub const HEARTBEAT: Duration = Duration::from_secs(25);
/// After this long without any frame the peer is gone: two questions were not answered.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A write of at most 32 KiB that takes longer than this has a reader that does not read.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long a peer has to answer a close frame.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Frames handled in one go before others' sockets get their turn.
const FRAMES_AT_ONCE: usize = 32;
/// So many texts that are no JSON object within [`BAD_JSON_WINDOW`] end the socket.
const BAD_JSON_MAX: usize = 3;
/// See [`BAD_JSON_MAX`].
const BAD_JSON_WINDOW: Duration = Duration::from_secs(10);

/// Frames of any kind a socket may send at once, far above what a page does.
const FRAMES_BURST: u32 = 500;
/// Frames of any kind a socket may go on to send in ten seconds.
const FRAMES_IN_10_S: u32 = 1_000;
/// When people are told to come back after a planned stop.
const DRAIN_MS: u64 = 500;
/// Rounds of writing before the peer is listened to again.
const WRITES_AT_ONCE: usize = 8;

/// Serves a socket until it ends, however it ends.
pub async fn run(app: Arc<App>, ws: WebSocket, session: SessionRow) {
    let started = Instant::now();
    let user = session.user.id;
    let registration = app.registry.register(user, session.id, session.kind);
    let mark = app.presences.connected(user);
    let mut connection = Connection {
        app,
        ws,
        registration,
        mark,
        frames: Vec::new(),
        last_heard: started,
        is_asked: false,
        bad_json: VecDeque::new(),
        frames_allowed: Bucket::new(Rate::new(FRAMES_BURST, FRAMES_IN_10_S, Duration::from_secs(10))),
        heard: 0,
        sent: 0,
    };
    let code = match connection.serve(session).await {
        End::Gone(code) => code,
        End::Left(code) => {
            // tungstenite has the answer to a close frame ready; it only has to go out.
            let _ = timeout(CLOSE_MAX, connection.ws.flush()).await;
            code
        }
        End::Close(code) => {
            connection.close(code).await;
            code
        }
    };
    let Connection { heard, sent, .. } = connection;
    tracing::info!(%user, code, heard, sent, seconds = started.elapsed().as_secs(), "socket.closed");
}

struct Connection {
    app: Arc<App>,
    ws: WebSocket,
    registration: Registration,
    /// The person is there for as long as this lives.
    mark: Mark,
    /// Reused for what is written together.
    frames: Vec<Utf8Bytes>,
    last_heard: Instant,
    /// Whether a ping is out that nothing has answered yet.
    is_asked: bool,
    bad_json: VecDeque<Instant>,
    /// All frames of this socket, whatever they ask for.
    frames_allowed: Bucket,
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
    Heard(Option<Result<Message, axum::Error>>),
    Changed,
    Deadline,
}

impl Connection {
    fn socket(&self) -> &Socket {
        &self.registration.socket
    }

    async fn serve(&mut self, session: SessionRow) -> End {
        // The session may have ended, or the server begun to stop, between the handshake and the
        // registration; whoever did that has not seen this socket.
        if self.app.stopping.is_cancelled() {
            return End::Close(close::RESTART);
        }
        match chat::welcome::welcome(&self.app, self.socket(), session).await {
            Ok(Some(welcome)) => self.frames.push(welcome),
            Ok(None) => return End::Close(close::SESSION_ENDED),
            Err(error) => {
                tracing::error!(%error, "socket.welcome_failed");
                return End::Close(close::FAULT);
            }
        }
        match self.talk().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        self.write().await?;
        let mut has_more = self.drain().await?;
        let socket = self.registration.socket.clone();
        let deadline = tokio::time::sleep_until(self.last_heard + HEARTBEAT);
        tokio::pin!(deadline);
        loop {
            // A socket that does not read its answers is not read either.
            let is_listening = !socket.queue.is_crowded();
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
                    let next = self.check_silence().await?;
                    deadline.as_mut().reset(next);
                }
            }
            has_more = self.drain().await?;
        }
    }

    /// Handles a message and those that have arrived behind it.
    fn hear_all(&mut self, first: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.last_heard = Instant::now();
        self.is_asked = false;
        self.hear(first)?;
        for _ in 1..FRAMES_AT_ONCE {
            match self.ws.next().now_or_never() {
                Some(message) => self.hear(message)?,
                None => break,
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let is_limited = self.app.config.rate_limits == Switch::On;
        if is_limited && self.frames_allowed.take(std::time::Instant::now()).is_err() {
            return Err(End::Close(close::FLOODING));
        }
        match message {
            Some(Ok(Message::Text(text))) => self.handle(&text),
            Some(Ok(Message::Binary(_))) => Err(End::Close(close::UNSUPPORTED)),
            // tungstenite answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => Err(End::Left(frame.map_or(close::NORMAL, |frame| frame.code))),
            Some(Err(error)) => Err(end_of(error)),
            None => Err(End::Gone(close::ABNORMAL)),
        }
    }

    fn handle(&mut self, text: &str) -> Result<(), End> {
        self.heard += 1;
        match ClientFrame::decode(text) {
            Ok(frame) => {
                if chat::is_activity(&frame) {
                    self.mark.active();
                }
                chat::handle(&self.app, &self.registration.socket, frame);
            }
            Err(refusal) => {
                let is_bad_json = refusal.code() == Code::BadJson;
                chat::answer(self.socket(), &ServerFrame::from(refusal));
                if is_bad_json && self.is_third_bad_json() {
                    return Err(End::Close(close::BAD_JSON));
                }
            }
        }
        Ok(())
    }

    fn is_third_bad_json(&mut self) -> bool {
        let now = Instant::now();
        self.bad_json.push_back(now);
        self.bad_json.retain(|moment| now - *moment < BAD_JSON_WINDOW);
        self.bad_json.len() >= BAD_JSON_MAX
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
        let ws = &mut self.ws;
        let frames = &mut self.frames;
        let written = timeout(WRITE_MAX, async {
            for frame in frames.drain(..) {
                ws.feed(Message::Text(frame)).await?;
            }
            ws.flush().await
        })
        .await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(end_of(error)),
            // The peer does not read, so it would not read a close frame either.
            Err(_) => Err(End::Gone(close::SLOW_CONSUMER)),
        }
    }

    /// Asks a quiet peer whether it is there, gives up on one that does not answer, and says when to
    /// look again.
    async fn check_silence(&mut self) -> Result<Instant, End> {
        let now = Instant::now();
        if now - self.last_heard >= SILENCE_MAX {
            return Err(End::Close(close::SILENT));
        }
        if now - self.last_heard < HEARTBEAT {
            return Ok(self.last_heard + HEARTBEAT);
        }
        if !self.is_asked {
            self.is_asked = true;
            match timeout(WRITE_MAX, self.ws.send(Message::Ping(Default::default()))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(end_of(error)),
                Err(_) => return Err(End::Gone(close::SLOW_CONSUMER)),
            }
        }
        Ok(self.last_heard + SILENCE_MAX)
    }

    /// Sends what is due before the end, a close frame, and waits a moment for the answer.
    async fn close(&mut self, code: u16) {
        if code == close::RESTART {
            let draining = ServerFrame::Draining(Draining { retry_after_ms: DRAIN_MS });
            self.frames.push(Utf8Bytes::from(draining.encode()));
        }
        // What was decided before the close is still sent: the last refusal says why.
        let _ = self.registration.socket.queue.take(&mut self.frames);
        let goodbye = async {
            self.write().await.map_err(|_| ())?;
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(close::reason(code)) };
            self.ws.send(Message::Close(Some(frame))).await.map_err(|_| ())?;
            while let Some(Ok(_)) = self.ws.next().await {}
            Ok::<(), ()>(())
        };
        // Whether it worked makes no difference: the connection is dropped next.
        let _ = timeout(CLOSE_MAX, goodbye).await;
    }
}

/// What an error of the WebSocket layer means. tungstenite sends no close frame on its own account.
fn end_of(error: axum::Error) -> End {
    use tungstenite::Error;
    use tungstenite::error::ProtocolError;
    let Ok(error) = error.into_inner().downcast::<Error>() else { return End::Gone(close::ABNORMAL) };
    match *error {
        Error::Capacity(_) => End::Close(close::TOO_BIG),
        Error::Utf8(_) => End::Close(close::INVALID_TEXT),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone(close::ABNORMAL),
        Error::Protocol(_) => End::Close(close::PROTOCOL),
        _ => End::Gone(close::ABNORMAL),
    }
}
