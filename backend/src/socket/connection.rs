//! The task that serves one socket. It alone reads and writes it, so there is no lock, and it waits
//! for three things only: its peer, its queue, and its next deadline.
//!
//! Everything to be sent comes through the queue: answers and events leave in the order in which they
//! were decided. What waits is written together, about 32 KiB at a time.
//!
//! Most sockets are quiet most of the time, so what the task keeps is small: one future written out by hand, with one
//! timer, and no buffer while nothing is under way. Beginning and ending need more room and get it for as long as they
//! last.

use super::frame::{self, Wrong};
use super::queue::Taken;
use super::watch::{Verdict, Watch};
use super::wire::{Fault, Said, Wire};
use crate::app::App;
use crate::chat;
use crate::chat::presence::Mark;
use crate::config::Switch;
use crate::ledger::slot::PersonPlace;
use crate::ledger::{Person, toll};
use crate::registry::Registration;
use crate::server::descriptors::Held;
use crate::store::{FirstScreen, SessionRow};
use axum::extract::ws::Utf8Bytes;
use futures_util::FutureExt;
use shared::close;
use shared::code::{Code, ErrorFrame, Rejected, Rejection};
use shared::frame::{ClientFrame, Refusal, ServerFrame};
use shared::welcome::Draining;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// How long a peer has to answer a close frame.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// How soon a peer is looked at again that was late and is not any more.
const AGAIN: Duration = Duration::from_secs(1);
/// When people are told to come back after a planned stop.
const DRAIN_MS: u64 = 500;
/// Rounds of writing and reading before others' sockets get their turn.
const ROUNDS_AT_ONCE: usize = 8;

thread_local! {
    /// What is written together.
    static FRAMES: RefCell<Vec<Utf8Bytes>> = RefCell::default();
}

/// Somebody who was let in, and has not been welcomed.
#[derive(Debug)]
pub struct Arrival {
    /// Their connection.
    pub stream: TcpStream,
    /// What has come of it behind the handshake.
    pub ahead: Vec<u8>,
    /// What the handshake is answered, if it has not been: it goes out with the first frame.
    pub answer: Vec<u8>,
    /// Their session.
    pub session: SessionRow,
    /// The socket's place.
    pub registration: Registration,
    /// What it is told first, read after it had its place; `None`: the session has ended meanwhile.
    pub screen: Option<FirstScreen>,
    /// Given back when the first frame is made.
    pub turn: OwnedSemaphorePermit,
    /// Its place among the sockets of its person.
    pub place: PersonPlace,
}

/// Somebody who may be let in.
type Arriving = Pin<Box<dyn Future<Output = Option<Arrival>> + Send>>;

/// Serves a socket until it ends, however it ends. `_held` counts its descriptor as long.
pub async fn run(app: Arc<App>, _held: Held, arriving: Arriving) {
    // In boxes, so that a task that lives for days is not as large as its first moment.
    let Some(mut connection) = Box::pin(begin(app, arriving)).await else { return };
    let end = match connection.end.take() {
        Some(end) => end,
        None => {
            let timer = sleep_until(connection.started);
            tokio::pin!(timer);
            // Whatever goes wrong in here is this socket's end and nobody else's: what it shares with others is
            // behind locks that are whole at any moment.
            let talking = AssertUnwindSafe(poll_fn(|cx| connection.poll(cx, timer.as_mut())));
            talking.catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(user = %connection.registration.socket.user, "socket.panicked");
                End::Close(close::FAULT)
            })
        }
    };
    // One box after the other: a crowd that leaves together waits in the second, which is small.
    if let Some(hanging_up) = Box::pin(connection.finish(end)).await {
        hanging_up.await;
    }
}

/// Welcomes somebody.
async fn begin(app: Arc<App>, arriving: Arriving) -> Option<Connection> {
    let Arrival { stream, ahead, answer, session, registration, screen, turn, place } = arriving.await?;
    let user = session.user.id;
    let wire = Wire::new(stream, app.config.rate_limits == Switch::On);
    let mark = app.presences.connected(user, screen.as_ref().map(|(_, contacts, _)| contacts));
    let started = Instant::now();
    let watch = Watch::new(started);
    let mut connection =
        Connection { app, wire, registration, place, mark, watch, started, first: None, end: None, heard: 0, sent: 0 };
    let begun = AssertUnwindSafe(connection.welcome(session, screen)).catch_unwind().await;
    drop(turn);
    let end = match begun {
        Ok(Ok(welcome)) => {
            connection.first = Some(Box::new(First { answer, welcome, ahead }));
            return Some(connection);
        }
        Ok(Err(end)) => end,
        Err(_) => {
            tracing::error!(%user, "socket.panicked");
            End::Close(close::FAULT)
        }
    };
    connection.end = Some(end);
    // Whoever is told to go was let in before.
    let _ = poll_fn(|cx| Poll::Ready(connection.wire.write(cx, |out| out.extend_from_slice(&answer)))).await;
    Some(connection)
}

struct Connection {
    app: Arc<App>,
    wire: Wire,
    registration: Registration,
    /// Its place among the sockets of its person, who pays for what comes.
    place: PersonPlace,
    /// The person is there for as long as this lives.
    mark: Mark,
    /// What the peer is held to.
    watch: Watch,
    started: Instant,
    first: Option<Box<First>>,
    /// If it ends before it has begun.
    end: Option<End>,
    heard: u64,
    sent: u64,
}

/// What is sent first, and what came behind the handshake.
struct First {
    answer: Vec<u8>,
    welcome: Utf8Bytes,
    ahead: Vec<u8>,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// The peer is told, with this code.
    Close(u16),
    /// The peer said good-bye, with this code.
    Left(Option<u16>),
    /// There is nobody left to tell; this code goes into the log.
    Gone(u16),
}

impl From<Wrong> for End {
    fn from(wrong: Wrong) -> Self {
        End::Close(match wrong {
            Wrong::Protocol => close::PROTOCOL,
            Wrong::TooBig => close::TOO_BIG,
            Wrong::Binary => close::UNSUPPORTED,
            Wrong::Utf8 => close::INVALID_TEXT,
        })
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        match fault {
            // The peer does not read, so it would not read a close frame either.
            Fault::Stuck => End::Gone(close::SLOW_CONSUMER),
            // It comes back by itself: most often the rest got lost on its way.
            Fault::Unfinished => End::Close(close::SILENT),
            Fault::Flooding => End::Close(close::FLOODING),
            Fault::Wrong(wrong) => wrong.into(),
            Fault::Lost => End::Gone(close::ABNORMAL),
        }
    }
}

impl Connection {
    async fn welcome(&self, session: SessionRow, screen: Option<FirstScreen>) -> Result<Utf8Bytes, End> {
        // The session may have ended, or the server begun to stop, before the socket had its place; whoever did that
        // has not seen it.
        if self.app.stopping.is_cancelled() {
            return Err(End::Close(close::RESTART));
        }
        let Some(screen) = screen else { return Err(End::Close(close::SESSION_ENDED)) };
        #[cfg(debug_assertions)]
        if crate::fault::is_on("slow_welcome") {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        Ok(chat::welcome::welcome(&self.app, &self.registration.socket, session, screen))
    }

    /// Writes what waits, reads what has come, until the end.
    fn poll(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<End> {
        match self.poll_end(cx, timer) {
            Poll::Ready(Err(end)) => Poll::Ready(end),
            Poll::Ready(Ok(())) => {
                // There is more to do: after others had their turn.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<Result<(), End>> {
        if let Some(first) = self.first.take() {
            let First { answer, welcome, mut ahead } = *first;
            self.sent += 1;
            self.wire.write(cx, |out| {
                out.extend_from_slice(&answer);
                frame::write_text(out, &welcome);
            })?;
            if !ahead.is_empty() {
                self.hear(cx, Some(&mut ahead))?.is_ready();
            }
        }
        for _ in 0..ROUNDS_AT_ONCE {
            let is_writing = self.poll_write(cx)?.is_ready();
            let is_reading = self.is_listening() && self.hear(cx, None)?.is_ready();
            if !is_writing && !is_reading {
                return self.poll_deadline(cx, timer);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes about 32 KiB of what waits. Pending: nothing waits, or the peer has to read first.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let socket = &self.registration.socket;
        if self.wire.poll_flush(cx)?.is_pending() {
            socket.queue.pass();
            return Poll::Pending;
        }
        if socket.queue.claim() {
            self.app.sockets.spawn(chat::resume::run(self.app.clone(), socket.clone()));
        }
        FRAMES.with_borrow_mut(|frames| {
            match ready!(socket.queue.poll_take(cx, frames)) {
                Taken::Frames | Taken::Nothing => {}
                Taken::Close(code) => return Poll::Ready(Err(End::Close(code))),
            }
            self.sent += frames.len() as u64;
            let written = self.wire.write(cx, |out| frames.iter().for_each(|text| frame::write_text(out, text)));
            frames.clear();
            Poll::Ready(written.map_err(End::from))
        })
    }

    /// A socket that does not read its answers is not read either, nor one that was told to go.
    fn is_listening(&self) -> bool {
        let queue = &self.registration.socket.queue;
        self.wire.is_out() && !queue.is_crowded() && !queue.is_closing()
    }

    /// Handles what has come: what was read before, or is read now. Pending: nothing has.
    fn hear(&mut self, cx: &mut Context<'_>, ahead: Option<&mut [u8]>) -> Poll<Result<(), End>> {
        let Self { app, wire, registration, place, mark, watch, heard, .. } = self;
        let now = Instant::now();
        let mut hear = |said: Said<'_>| match said {
            // Whoever was told to go is not listened to any more.
            Said::Text(_) if registration.socket.queue.is_closing() => Ok(()),
            Said::Text(text) => {
                *heard += 1;
                match handle(app, registration, place.person(), mark, text, now) {
                    Done::Well => Ok(()),
                    Done::BadJson if watch.is_bad_json_too_much(now) => Err(End::Close(close::BAD_JSON)),
                    Done::BadJson => Ok(()),
                    Done::Limited(units) if watch.is_limited_too_much(units, now) => Err(Fault::Flooding.into()),
                    Done::Limited(_) => Ok(()),
                }
            }
            Said::Close(code) => Err(End::Left(code)),
        };
        let bytes_max = app.config.frame_bytes as usize;
        match ahead {
            Some(bytes) => wire.take(cx, bytes, bytes_max, &mut hear)?,
            None => ready!(wire.poll_read(cx, bytes_max, &mut hear))?,
        }
        watch.heard(now);
        Poll::Ready(Ok(()))
    }

    /// Asks a quiet peer whether it is there, gives up on one that does not answer or holds us up for too long, and
    /// sees to being woken for the next of it.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Result<(), End>> {
        let stuck_max = Duration::from_secs(self.app.config.slow_consumer_seconds);
        let silence_max = Duration::from_secs(self.app.config.silence_seconds);
        // It is looked at when the timer has run out; only what is due before that sets it anew.
        if let Some(deadline) = self.wire.deadline(stuck_max)
            && deadline < timer.deadline()
        {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            // It may have been heard of while a slow write kept us from listening.
            let queue = &self.registration.socket.queue;
            let is_heard = !queue.is_closing() && self.hear(cx, None)?.is_ready();
            let now = Instant::now();
            match self.wire.fault(stuck_max, now) {
                Some(Fault::Unfinished) if is_heard => {}
                Some(fault) => return Poll::Ready(Err(fault.into())),
                None => {}
            }
            let next = match self.watch.check(now, silence_max) {
                Verdict::Wait(until) => until,
                Verdict::Ask(until) => {
                    self.wire.write(cx, frame::write_ping)?;
                    until
                }
                Verdict::Gone => return Poll::Ready(Err(End::Close(close::SILENT))),
            };
            // One that has passed, and was no fault, is looked at again soon.
            let deadline = self.wire.deadline(stuck_max).unwrap_or(next);
            timer.as_mut().reset(next.min(if deadline > now { deadline } else { now + AGAIN }));
            if is_heard {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Sends what is due before the end, and leaves. What is given back is the rest of it.
    async fn finish(mut self, end: End) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.registration.socket.queue.pass();
        let (code, was_told) = match end {
            End::Gone(code) => (code, false),
            End::Left(code) => {
                let answering = self.send(|out| frame::write_close_answer(out, code));
                let was_told = timeout(CLOSE_MAX, answering).await.is_ok_and(|sent| sent.is_ok());
                (code.unwrap_or(close::NORMAL), was_told)
            }
            End::Close(code) => (code, self.close(code).await),
        };
        let Connection { app, heard, sent, wire, registration, place, mark, started, .. } = self;
        let user = registration.socket.user;
        drop((registration, place, mark));
        app.ledger.forget_if_idle(user);
        tracing::info!(%user, code, heard, sent, seconds = started.elapsed().as_secs(), "socket.closed");
        if was_told { Some(Box::pin(hang_up(wire))) } else { None }
    }

    /// Sends what is due before the end, a close frame, and waits a moment for the answer. Whether that was in time.
    async fn close(&mut self, code: u16) -> bool {
        let mut frames = Vec::new();
        if code == close::RESTART {
            let draining = ServerFrame::Draining(Draining { retry_after_ms: DRAIN_MS });
            frames.push(Utf8Bytes::from(draining.encode()));
        }
        // What was decided before the close is still sent: the last refusal says why.
        let _ = self.registration.socket.queue.take(&mut frames);
        self.sent += frames.len() as u64;
        let bytes_max = self.app.config.frame_bytes as usize;
        let goodbye = async {
            self.send(|out| {
                frames.iter().for_each(|text| frame::write_text(out, text));
                frame::write_close(out, code, close::reason(code));
            })
            .await?;
            let ignore = |said: Said<'_>| match said {
                Said::Text(_) => Ok(()),
                Said::Close(code) => Err(End::Left(code)),
            };
            while poll_fn(|cx| self.wire.poll_read(cx, bytes_max, ignore)).await.is_ok() {}
            Ok::<(), Fault>(())
        };
        timeout(CLOSE_MAX, goodbye).await.is_ok_and(|said| said.is_ok())
    }

    /// Writes and waits until it has gone out.
    async fn send(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        let mut fill = Some(fill);
        poll_fn(|cx| {
            if let Some(fill) = fill.take() {
                self.wire.write(cx, fill)?;
            }
            self.wire.poll_flush(cx)
        })
        .await
    }
}

/// What became of a text.
enum Done {
    /// It was a frame, or has been answered that it is none.
    Well,
    /// It was no JSON object.
    BadJson,
    /// Its person may send nothing more now, not something of so many units.
    Limited(u32),
}

/// Does what a text says, if its person can pay for it.
fn handle(app: &Arc<App>, registration: &Registration, person: &Person, mark: &Mark, text: &str, now: Instant) -> Done {
    let (units, now) = (toll::text(text.len()), now.into_std());
    if let Err(limited) = app.ledger.take(person, units, now) {
        // It is read all the same: a command is refused by its id. How often, the watch bounds.
        refuse(registration, &ClientFrame::decode(text), limited);
        return Done::Limited(units);
    }
    let decoded = ClientFrame::decode(text);
    let more = decoded.as_ref().map_or(0, toll::frame);
    if more > 0
        && let Err(limited) = app.ledger.take(person, more, now)
    {
        refuse(registration, &decoded, limited);
        return Done::Limited(units);
    }
    match decoded {
        #[cfg(debug_assertions)]
        Ok(ClientFrame::Ping(ping))
            if crate::fault::is_on("panic_when_asked") && ping.nonce == Some("panic".into()) =>
        {
            panic!("asked to");
        }
        Ok(frame) => {
            if chat::is_activity(&frame) {
                mark.active();
            }
            chat::handle(app, &registration.socket, frame);
            Done::Well
        }
        Err(refusal) => {
            app.ledger.charge(person, toll::REFUSED_FRAME, now);
            let is_json = refusal.code() != Code::BadJson;
            chat::answer(&registration.socket, &ServerFrame::from(refusal));
            if is_json { Done::Well } else { Done::BadJson }
        }
    }
}

/// Answers a frame whose person has sent too much: a command is `rejected`, anything else an `error`.
fn refuse(registration: &Registration, decoded: &Result<ClientFrame, Refusal>, limited: Rejection) {
    let command = match decoded {
        Ok(frame) => frame.command(),
        Err(Refusal::Rejected(rejected)) => Some(rejected.id),
        Err(Refusal::Error(_)) => None,
    };
    let answer = match command {
        Some(id) => ServerFrame::Rejected(Rejected { id, rejection: limited }),
        None => ServerFrame::Error(ErrorFrame { code: limited.code, message: limited.message, reference: None }),
    };
    chat::answer(&registration.socket, &answer);
}

/// Ends the connection without taking from the peer what was sent last: closing while there are unread bytes would.
async fn hang_up(mut wire: Wire) {
    wire.say_no_more();
    // It is dropped next, whatever came of it.
    let _ = timeout(CLOSE_MAX, poll_fn(|cx| wire.poll_end(cx))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_socket_keeps_little() {
        fn future_size<T>(_: impl FnOnce(Arc<App>, Held, Arriving) -> T) -> usize {
            std::mem::size_of::<T>()
        }
        assert!(future_size(run) <= 512, "its task: {}", future_size(run));
    }

    #[test]
    fn a_socket_that_waits_for_its_end_keeps_little() {
        fn future_size<T>(_: impl FnOnce(Wire) -> T) -> usize {
            std::mem::size_of::<T>()
        }
        assert!(future_size(hang_up) <= 384, "what a crowd that leaves takes for each: {}", future_size(hang_up));
    }
}
