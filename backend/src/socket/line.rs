//! The line below HTTP and below a WebSocket: TCP that knows whether it moves.
//!
//! TCP alone bears for ever what costs memory and places. A line fails instead when
//!
//! * what is written makes no progress at all for a while ([`Fault::Stuck`]): the peer does not read. Reading
//!   slowly is progress.
//! * a message was begun and is not finished in time ([`Fault::Unfinished`]), in HTTP's place hyper watches that.
//! * frames come far above the allowed rate ([`Fault::Flooding`]). They are counted here, because the WebSocket
//!   layer above shows neither the fragments of a message nor the empty ones among them.
//!
//! What a frame means is the layer's above; here only their lengths are read (RFC 6455 section 5.2).

use crate::rate::Bucket;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long a message may take from its first byte to its last.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(10);

/// What the system keeps of a socket's unread bytes (Linux doubles it for its own accounts). It reports room only
/// when a third is free, so this is also how much a slow reader must take before it is seen to read: some 20 KiB
/// in the 30 seconds of the default, 0.7 KiB/s.
const SEND_BUFFER: usize = 32 * 1024;

/// A TCP connection, watched.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    stuck_max: Duration,
    /// Runs while a write waits and nothing moves.
    stuck: Option<Pin<Box<Sleep>>>,
    /// What comes in, once it is frames.
    frames: Option<Frames>,
}

/// Why a line ended itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing that was written went out for too long.
    Stuck,
    /// A message was begun and not finished in time.
    Unfinished,
    /// Too many frames.
    Flooding,
}

impl Line {
    /// A fresh connection. Writes that do not move for `stuck_max` fail.
    #[must_use]
    pub fn new(stream: TcpStream, stuck_max: Duration) -> Self {
        Self { stream, stuck_max, stuck: None, frames: None }
    }

    /// The same connection after its upgrade. `ahead` has been read already; each frame takes a token of `allowed`.
    #[must_use]
    pub fn upgraded(mut self, ahead: Vec<u8>, allowed: Option<Bucket>) -> Self {
        // Without it a sleeping reader costs megabytes of the system's memory. If it does not work, it costs those.
        let _ = SockRef::from(&self.stream).set_send_buffer_size(SEND_BUFFER);
        self.frames = Some(Frames { ahead, scanner: Scanner::default(), allowed, unfinished: None });
        self
    }

    /// The connection itself, to be closed.
    #[must_use]
    pub fn into_tcp(self) -> TcpStream {
        self.stream
    }

    /// Lets a write wait, but not for ever.
    fn watch(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if polled.is_ready() {
            self.stuck = None;
            return polled;
        }
        let stuck_max = self.stuck_max;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(stuck_max)));
        ready!(stuck.as_mut().poll(cx));
        // What waits in the system would be kept for minutes; nobody is going to read it.
        let _ = self.stream.set_zero_linger();
        Poll::Ready(Err(Fault::Stuck.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let Some(frames) = &mut line.frames else { return Pin::new(&mut line.stream).poll_read(cx, buffer) };
        let before = buffer.filled().len();
        if frames.ahead.is_empty() {
            match Pin::new(&mut line.stream).poll_read(cx, buffer) {
                Poll::Ready(read) => read?,
                Poll::Pending => return frames.poll_unfinished(cx),
            }
        } else {
            let count = frames.ahead.len().min(buffer.remaining());
            buffer.put_slice(&frames.ahead[..count]);
            frames.ahead.drain(..count);
            if frames.ahead.is_empty() {
                frames.ahead = Vec::new();
            }
        }
        frames.read(&buffer.filled()[before..])?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Fault {
    /// The fault behind an error of the layers above.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stuck => "nothing that was written went out",
            Self::Unfinished => "a message was begun and not finished",
            Self::Flooding => "too many frames",
        })
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        io::Error::other(fault)
    }
}

/// What comes in after the upgrade.
#[derive(Debug)]
struct Frames {
    /// Read together with the handshake.
    ahead: Vec<u8>,
    scanner: Scanner,
    allowed: Option<Bucket>,
    /// Runs while a message is begun and not finished.
    unfinished: Option<Pin<Box<Sleep>>>,
}

impl Frames {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let begun = self.scanner.scan(bytes);
        if let Some(allowed) = &mut self.allowed {
            let now = Instant::now().into_std();
            for _ in 0..begun {
                allowed.take(now).map_err(|_| Fault::Flooding)?;
            }
        }
        if self.scanner.is_between() {
            self.unfinished = None;
        } else if self.unfinished.is_none() {
            self.unfinished = Some(Box::pin(sleep(MESSAGE_TIME_MAX)));
        }
        Ok(())
    }

    fn poll_unfinished(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(unfinished) = &mut self.unfinished else { return Poll::Pending };
        ready!(unfinished.as_mut().poll(cx));
        Poll::Ready(Err(Fault::Unfinished.into()))
    }
}

/// Follows where frames begin and end.
#[derive(Debug, Default)]
struct Scanner {
    /// Of the header under way: the first bytes, and how many there are.
    header: [u8; HEADER_MAX],
    have: usize,
    /// Of the payload under way.
    left: u64,
    /// Whether a message was begun whose last fragment has not begun.
    is_fragmented: bool,
}

/// The longest frame header: two bytes, a length of eight, a mask of four.
const HEADER_MAX: usize = 14;

impl Scanner {
    /// Follows these bytes and gives how many frames begin in them.
    fn scan(&mut self, mut bytes: &[u8]) -> usize {
        let mut begun = 0;
        while let Some(first) = bytes.first() {
            if self.left > 0 {
                let count = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= count as u64;
                bytes = &bytes[count..];
                continue;
            }
            begun += usize::from(self.have == 0);
            self.header[self.have] = *first;
            self.have += 1;
            bytes = &bytes[1..];
            if self.have >= 2 && self.have == header_length(self.header[1]) {
                self.begin();
            }
        }
        begun
    }

    /// The header is complete.
    fn begin(&mut self) {
        let [first, second, ..] = self.header;
        self.left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => u64::from_be_bytes(self.header[2..10].try_into().expect("it is eight bytes")),
            short => u64::from(short),
        };
        let is_data = first & 0x0f < 8;
        if is_data {
            self.is_fragmented = first & 0x80 == 0;
        }
        self.have = 0;
    }

    /// Whether no frame and no message is under way.
    fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.is_fragmented
    }
}

fn header_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 == 0 { 0 } else { 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..126 => bytes.push(0x80 | payload as u8),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        // A mask and a payload that look like headers.
        bytes.extend(vec![0x81; 4 + payload]);
        bytes
    }

    #[test]
    fn frames_are_counted_however_the_bytes_are_cut() {
        let sizes = [0, 1, 125, 126, 65_535, 65_536];
        let bytes: Vec<u8> = sizes.iter().flat_map(|size| frame(0x81, *size)).collect();
        for cut in [1, 2, 3, 7, 4_096, bytes.len()] {
            let mut scanner = Scanner::default();
            let begun: usize = bytes.chunks(cut).map(|chunk| scanner.scan(chunk)).sum();
            assert_eq!(begun, sizes.len(), "cut by {cut}");
            assert!(scanner.is_between());
        }
    }

    #[test]
    fn a_message_is_under_way_from_its_first_byte_to_its_last() {
        let mut scanner = Scanner::default();
        let whole = frame(0x81, 3);
        for byte in &whole[..whole.len() - 1] {
            scanner.scan(&[*byte]);
            assert!(!scanner.is_between());
        }
        scanner.scan(&whole[whole.len() - 1..]);
        assert!(scanner.is_between());
        scanner.scan(&frame(0x01, 3));
        assert!(!scanner.is_between(), "its other fragments are missing");
        scanner.scan(&frame(0x89, 0));
        assert!(!scanner.is_between(), "a ping in between finishes nothing");
        scanner.scan(&frame(0x80, 0));
        assert!(scanner.is_between());
    }

    #[test]
    fn no_length_is_too_long_to_follow() {
        let mut scanner = Scanner::default();
        let mut bytes = vec![0x82, 0xff];
        bytes.extend([0xff; 8]);
        bytes.extend([0; 100]);
        assert_eq!(scanner.scan(&bytes), 1);
        assert!(!scanner.is_between());
    }
}
