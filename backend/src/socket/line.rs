//! The line below HTTP: TCP that knows whether it moves.
//!
//! TCP alone bears for ever what costs memory and places. A line fails instead when what is written makes no progress
//! at all for a while: the peer does not read. Reading slowly is progress. How long a request may take to come is
//! hyper's to watch; once the line is a WebSocket's, [`super::wire`] watches both.

use socket2::SockRef;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What the system keeps for a peer that has not read it, in bytes: enough for 20 MB/s over a line of 10 ms.
const SEND_BUFFER: usize = 256 * 1024;

/// A TCP connection, watched.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    /// What was read of it before, and how much of that has been taken.
    ahead: (Vec<u8>, usize),
    stuck_max: Duration,
    /// Runs while a write waits and nothing moves.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Line {
    /// A connection of which this has been read. Writes that do not move for `stuck_max` fail.
    #[must_use]
    pub fn new(stream: TcpStream, ahead: Vec<u8>, stuck_max: Duration) -> Self {
        // Without it an answer that nobody reads costs megabytes of the system's memory. If it does not work, it costs those.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self { stream, ahead: (ahead, 0), stuck_max, stuck: None }
    }

    /// The connection itself.
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
        Poll::Ready(Err(io::Error::other("nothing that was written went out")))
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (ahead, taken) = &mut self.ahead;
        if *taken < ahead.len() {
            let count = buffer.remaining().min(ahead.len() - *taken);
            buffer.put_slice(&ahead[*taken..*taken + count]);
            *taken += count;
            if *taken == ahead.len() {
                self.ahead = Default::default();
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
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
