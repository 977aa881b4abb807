//! A WebSocket after its handshake: TCP below, frames above ([`super::frame`]).
//!
//! What is read goes into a buffer shared by all sockets of a thread, and what is written is put together in another,
//! so a quiet socket holds neither. What the system does not take at once is kept until it does.
//!
//! A wire tells how long it has been [stuck](Wire::fault): nothing that was written goes out, or a message was begun
//! and is not finished. It counts frames of any kind; far above the allowed rate it fails.

use super::frame::{self, Heard, Reader, Wrong};
use crate::rate::{Bucket, Rate};
use socket2::SockRef;
use std::cell::RefCell;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes read at once: some dozens of usual messages, after which others get their turn.
const READ_BYTES: usize = 16 * 1024;
/// A thread keeps so much room for putting frames together; a round of the queue is half of it.
const WRITE_BYTES: usize = 64 * 1024;

/// How long a message may take from its first byte to its last.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(10);

/// What the system keeps of a socket's unread bytes (Linux doubles it for its own accounts). It reports room only
/// when a third is free, so this is also how much a slow reader must take before it is seen to read: some 20 KiB
/// in the 30 seconds of the default, 0.7 KiB/s.
const SEND_BUFFER: usize = 32 * 1024;

/// Frames of any kind a socket may send: 500 at once, 1,000 in ten seconds. Far above what a page does.
const FRAMES: Rate = Rate { burst: 500, each: Duration::from_millis(10) };

thread_local! {
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
    static OUTPUT: RefCell<Vec<u8>> = RefCell::default();
}

/// A socket's connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    reader: Reader,
    /// What has not gone out yet, and how much of it has.
    waiting: Option<Box<(Vec<u8>, usize)>>,
    /// Since when nothing moves although something waits.
    stuck: Option<Instant>,
    /// Since when a message is under way.
    unfinished: Option<Instant>,
    /// How many frames may still come; `None`: any number.
    allowed: Option<Bucket>,
}

/// Why a wire has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing that was written went out for too long.
    Stuck,
    /// A message was begun and not finished in time.
    Unfinished,
    /// Too many frames.
    Flooding,
    /// A frame that is not to be.
    Wrong(Wrong),
    /// The connection is gone.
    Lost,
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// What a peer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A text.
    Text(&'a str),
    /// Good-bye, with a code if it gave one.
    Close(Option<u16>),
}

impl Wire {
    /// A connection after its handshake. Without `is_limited` any number of frames may come.
    #[must_use]
    pub fn new(stream: TcpStream, is_limited: bool) -> Self {
        // Without it a sleeping reader costs megabytes of the system's memory. If it does not work, it costs those.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        let allowed = is_limited.then(Bucket::default);
        Self { stream, reader: Reader::default(), waiting: None, stuck: None, unfinished: None, allowed }
    }

    /// Nothing more is written: the peer sees the end behind what was.
    pub fn say_no_more(&self) {
        // It fails where the connection is gone already.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    /// Reads what still comes, and forgets it. Ready when the peer has ended, too.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        INPUT.with_borrow_mut(|input| {
            loop {
                let mut buffer = ReadBuf::new(input);
                match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                }
            }
        })
    }

    /// Reads once and tells `hear` what was said, in order, until it says that it is enough. Pings are answered.
    /// `Ready` with nothing: something has come, there may be more.
    pub fn poll_read<E: From<Fault> + From<Wrong>>(
        &mut self,
        cx: &mut Context<'_>,
        bytes_max: usize,
        hear: impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Poll<Result<(), E>> {
        INPUT.with_borrow_mut(|input| {
            let mut buffer = ReadBuf::new(input);
            // Through this call, and not `try_read`: one that did not fill the buffer is known to have been the last,
            // which saves asking the system again.
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Err(Fault::Lost.into())),
            }
            Poll::Ready(self.take(cx, buffer.filled_mut(), bytes_max, hear))
        })
    }

    /// The same with bytes that were read before.
    ///
    /// # Errors
    /// What `hear` says, or what is wrong with the frames.
    pub fn take<E: From<Fault> + From<Wrong>>(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
        bytes_max: usize,
        mut hear: impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = Instant::now();
        let (mut pongs, mut is_new) = (Vec::new(), self.unfinished.is_none());
        let Self { reader, allowed, .. } = self;
        reader.read(bytes, bytes_max, |heard| {
            if let Some(allowed) = allowed {
                allowed.take(FRAMES, now.into_std()).map_err(|_| Fault::Flooding)?;
            }
            match heard {
                Heard::Text(text) => {
                    is_new = true;
                    hear(Said::Text(text))?;
                }
                Heard::Close(code) => hear(Said::Close(code))?,
                Heard::Ping(payload) => frame::write_pong(&mut pongs, payload),
                Heard::Other => {}
            }
            Ok::<(), E>(())
        })?;
        if self.reader.is_between() {
            self.unfinished = None;
        } else if is_new {
            self.unfinished = Some(now);
        }
        if pongs.is_empty() { Ok(()) } else { self.write(cx, |out| out.append(&mut pongs)).map_err(E::from) }
    }

    /// Writes what `fill` appends, after what still waits. Whether it went out says [`Wire::poll_flush`].
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn write(&mut self, cx: &mut Context<'_>, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        if let Some(waiting) = &mut self.waiting {
            fill(&mut waiting.0);
            return Ok(());
        }
        OUTPUT.with_borrow_mut(|out| {
            out.clear();
            fill(out);
            let mut sent = 0;
            while sent < out.len() {
                match Pin::new(&mut self.stream).poll_write(cx, &out[sent..]) {
                    Poll::Ready(Ok(count)) if count > 0 => sent += count,
                    Poll::Ready(_) => return Err(Fault::Lost),
                    Poll::Pending => {
                        self.stuck = Some(Instant::now());
                        self.waiting = Some(Box::new((out[sent..].to_vec(), 0)));
                        break;
                    }
                }
            }
            out.shrink_to(WRITE_BYTES);
            Ok(())
        })
    }

    /// Whether nothing waits to go out.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.waiting.is_none()
    }

    /// Ready when nothing waits to go out.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while let Some(waiting) = &mut self.waiting {
            let (bytes, sent) = &mut **waiting;
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[*sent..]) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    *sent += count;
                    self.stuck = None;
                    if *sent == bytes.len() {
                        self.waiting = None;
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Err(Fault::Lost)),
                Poll::Pending => {
                    self.stuck.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// When the peer has waited for too long, if it goes on like this; `stuck_max` is how long nothing may move.
    #[must_use]
    pub fn deadline(&self, stuck_max: Duration) -> Option<Instant> {
        let stuck = self.stuck.map(|since| since + stuck_max);
        let unfinished = self.unfinished.map(|since| since + MESSAGE_TIME_MAX);
        [stuck, unfinished].into_iter().flatten().min()
    }

    /// Whether it has waited for too long by now, and for what.
    #[must_use]
    pub fn fault(&self, stuck_max: Duration, now: Instant) -> Option<Fault> {
        if self.stuck.is_some_and(|since| now >= since + stuck_max) {
            // What waits in the system would be kept for minutes; nobody is going to read it.
            let _ = self.stream.set_zero_linger();
            return Some(Fault::Stuck);
        }
        self.unfinished.is_some_and(|since| now >= since + MESSAGE_TIME_MAX).then_some(Fault::Unfinished)
    }
}
