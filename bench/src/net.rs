//! Many sockets, one thread: what has arrived for a socket is read with one call, what waits for it is written with
//! one call when the turn ends. Whoever uses this is told of frames and answers into the socket's buffer.

use crate::frame;
use anyhow::{Context, Result, bail};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::{Domain, Socket as Socket2, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// What is read at once. One read takes everything that waits, as long as it is less.
const READ_BYTES: usize = 256 * 1024;
const EVENTS_AT_ONCE: usize = 1024;
/// What the system says of a connection that is on its way (errno(3)).
const EINPROGRESS: i32 = 115;
/// The ports of own choice: those below the system's choice (`ip_local_port_range`).
const PORTS: RangeInclusive<u16> = 10_000..=32_767;
/// What epoll calls the listener.
const LISTENER: Token = Token(usize::MAX);

/// Who is told what happens. Times are nanoseconds of [`Net::now`].
pub trait Handler {
    /// A socket's handshake is over.
    ///
    /// # Errors
    /// Ends the run.
    fn opened(&mut self, _net: &mut Net, _socket: usize) -> Result<()> {
        Ok(())
    }

    /// Somebody asks to come in, where this end is the server: the answer is the handler's to write.
    ///
    /// # Errors
    /// Ends the run.
    fn asked(&mut self, _net: &mut Net, _socket: usize, _request: &[u8]) -> Result<()> {
        bail!("nobody was expected")
    }

    /// A text has arrived; over HTTP, a whole answer with its head.
    ///
    /// # Errors
    /// Ends the run.
    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], now: u64) -> Result<()>;

    /// A socket was closed by the other side, and is gone.
    ///
    /// # Errors
    /// Ends the run.
    fn closed(&mut self, _net: &mut Net, socket: usize, why: &str) -> Result<()> {
        bail!("socket {socket} was closed: {why}")
    }
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// Whether the other side came to us.
    is_guest: bool,
    /// Whether it speaks plain HTTP.
    is_http: bool,
    is_open: bool,
    is_dirty: bool,
    /// The beginning of a frame whose end has not come.
    unread: Vec<u8>,
    /// What waits to be written, from `written` on.
    unwritten: Vec<u8>,
    written: usize,
}

/// The sockets and the loop below them.
#[derive(Debug)]
pub struct Net {
    poll: Poll,
    events: Events,
    listener: Option<TcpListener>,
    sockets: Slab<Socket>,
    buffer: Vec<u8>,
    dirty: Vec<usize>,
    next_port: u16,
    started: Instant,
}

impl Net {
    /// No sockets yet.
    ///
    /// # Errors
    /// When the system gives no epoll.
    pub fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("epoll")?,
            events: Events::with_capacity(EVENTS_AT_ONCE),
            listener: None,
            sockets: Slab::new(),
            buffer: vec![0; READ_BYTES],
            dirty: Vec::new(),
            next_port: *PORTS.start(),
            started: Instant::now(),
        })
    }

    /// Nanoseconds since this was made.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many sockets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether this socket is there.
    #[must_use]
    pub fn has(&self, socket: usize) -> bool {
        self.sockets.contains(socket)
    }

    /// Begins a handshake; `request` is all of its HTTP. In a new `Net`, sockets are 0, 1, 2 …
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn connect(&mut self, address: SocketAddr, request: &[u8]) -> Result<usize> {
        let stream = TcpStream::connect(address).context("connect")?;
        // Written when the system says that the connection stands.
        self.add(stream, false, request.to_vec())
    }

    /// The same from the address 127.0.0.`source`: each has its own ports, and its own places on a server.
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn connect_from(&mut self, source: u8, address: SocketAddr, request: &[u8]) -> Result<usize> {
        let socket = Socket2::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        self.bind(&socket, source)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error).context("connect"),
            _ => {}
        }
        self.add(TcpStream::from_std(socket.into()), false, request.to_vec())
    }

    /// Takes the next port that is free. The system would look through all of them for one, longer the more have been
    /// used: 30 ms after some thousand sockets, in which nobody else is turned.
    fn bind(&mut self, socket: &Socket2, source: u8) -> Result<()> {
        // Also ports of connections that have ended a moment ago.
        socket.set_reuse_address(true)?;
        for _ in PORTS {
            let port = self.next_port;
            self.next_port = if port == *PORTS.end() { *PORTS.start() } else { port + 1 };
            match socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), port)).into()) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                bound => return bound.context("bind"),
            }
        }
        bail!("no port of 127.0.0.{source} is free")
    }

    /// A connection for plain HTTP from the address 127.0.0.`source`; what is asked is appended to [`Net::out`].
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn connect_http_from(&mut self, source: u8, address: SocketAddr) -> Result<usize> {
        let socket = self.connect_from(source, address, b"")?;
        let entry = &mut self.sockets[socket];
        (entry.is_http, entry.is_open) = (true, true);
        Ok(socket)
    }

    /// Lets others come in, at a free port of this machine's own address.
    ///
    /// # Errors
    /// When there is none.
    pub fn listen(&mut self) -> Result<SocketAddr> {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        self.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        self.listener = Some(listener);
        Ok(address)
    }

    fn accept(&mut self) -> Result<()> {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nodelay(true)?;
                    self.add(stream, true, Vec::new())?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("accept"),
            }
        }
        Ok(())
    }

    fn add(&mut self, mut stream: TcpStream, is_guest: bool, unwritten: Vec<u8>) -> Result<usize> {
        let entry = self.sockets.vacant_entry();
        let socket = entry.key();
        self.poll.registry().register(&mut stream, Token(socket), Interest::READABLE | Interest::WRITABLE)?;
        let (is_http, is_open, is_dirty) = (false, false, false);
        entry.insert(Socket {
            stream,
            is_guest,
            is_http,
            is_open,
            is_dirty,
            unread: Vec::new(),
            unwritten,
            written: 0,
        });
        Ok(socket)
    }

    /// Closes a socket at once, without a word.
    pub fn close(&mut self, socket: usize) {
        // Dropping the stream also takes it out of epoll.
        self.sockets.try_remove(socket);
    }

    /// Where to append frames for a socket; they are written when the turn ends.
    pub fn out(&mut self, socket: usize) -> &mut Vec<u8> {
        let entry = &mut self.sockets[socket];
        if !entry.is_dirty {
            entry.is_dirty = true;
            self.dirty.push(socket);
        }
        &mut entry.unwritten
    }

    /// Whether all that was appended for a socket is written.
    #[must_use]
    pub fn has_written_all(&self, socket: usize) -> bool {
        self.sockets.get(socket).is_some_and(|entry| entry.unwritten.is_empty())
    }

    /// Writes what waits for each socket, one call for each.
    ///
    /// # Errors
    /// What the handler makes of a lost socket.
    pub fn flush(&mut self, handler: &mut impl Handler) -> Result<()> {
        while let Some(socket) = self.dirty.pop() {
            let Some(entry) = self.sockets.get_mut(socket) else { continue };
            entry.is_dirty = false;
            match entry.stream.write(&entry.unwritten[entry.written..]) {
                Ok(count) => {
                    entry.written += count;
                    if entry.written == entry.unwritten.len() {
                        entry.unwritten.clear();
                        entry.written = 0;
                    }
                }
                // The system says when there is room again.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => self.lose(socket, &error.to_string(), handler)?,
            }
        }
        Ok(())
    }

    /// Writes what waits, waits for something to arrive, at most `most`, and hands it out.
    ///
    /// # Errors
    /// What the handler answers, or the system.
    pub fn turn(&mut self, most: Duration, handler: &mut impl Handler) -> Result<()> {
        self.flush(handler)?;
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut buffer = std::mem::take(&mut self.buffer);
        let done = self.wait_and_read(most, &mut events, &mut buffer, handler);
        self.events = events;
        self.buffer = buffer;
        done?;
        self.flush(handler)
    }

    fn wait_and_read(
        &mut self,
        most: Duration,
        events: &mut Events,
        buffer: &mut [u8],
        handler: &mut impl Handler,
    ) -> Result<()> {
        match self.poll.poll(events, Some(most)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other.context("epoll")?,
        }
        for event in events.iter() {
            if event.token() == LISTENER {
                self.accept()?;
                continue;
            }
            let Token(socket) = event.token();
            if event.is_writable()
                && let Some(entry) = self.sockets.get(socket)
                && entry.written < entry.unwritten.len()
            {
                self.out(socket);
            }
            if event.is_readable() || event.is_error() {
                self.read(socket, buffer, handler)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, socket: usize, buffer: &mut [u8], handler: &mut impl Handler) -> Result<()> {
        loop {
            let Some(entry) = self.sockets.get_mut(socket) else { return Ok(()) };
            let count = match entry.stream.read(buffer) {
                Ok(0) => return self.lose(socket, "the end", handler),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return self.lose(socket, &error.to_string(), handler),
            };
            let now = self.now();
            let unread = std::mem::take(&mut self.sockets[socket].unread);
            if unread.is_empty() {
                let used = self.take(socket, &mut buffer[..count], now, handler)?;
                if let Some(entry) = self.sockets.get_mut(socket)
                    && used < count
                {
                    entry.unread.extend_from_slice(&buffer[used..count]);
                }
            } else {
                let mut unread = unread;
                unread.extend_from_slice(&buffer[..count]);
                let used = self.take(socket, &mut unread, now, handler)?;
                unread.drain(..used);
                if let Some(entry) = self.sockets.get_mut(socket)
                    && !unread.is_empty()
                {
                    entry.unread = unread;
                }
            }
            // Less than there was room for is all there was (epoll(7), edge-triggered).
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Hands out all frames that are there whole, and says how many bytes they were.
    fn take(&mut self, socket: usize, bytes: &mut [u8], now: u64, handler: &mut impl Handler) -> Result<usize> {
        let mut used = 0;
        if !self.sockets[socket].is_open {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            used = end + 4;
            if self.sockets[socket].is_guest {
                handler.asked(self, socket, &bytes[..used])?;
            } else if !bytes.starts_with(b"HTTP/1.1 101 ") {
                self.lose(socket, &String::from_utf8_lossy(&bytes[..bytes.len().min(600)]), handler)?;
                return Ok(bytes.len());
            }
            let entry = &mut self.sockets[socket];
            entry.is_open = true;
            if !entry.is_guest {
                // Small frames are to leave at once, whatever has not been acknowledged yet.
                entry.stream.set_nodelay(true)?;
                handler.opened(self, socket)?;
            }
        }
        if self.sockets[socket].is_http {
            return self.take_answers(socket, bytes, now, handler);
        }
        while let Some(found) = frame::read(bytes, used)? {
            let payload = &mut bytes[found.begin..found.end];
            frame::unmask(payload, found.mask);
            let payload = &*payload;
            used = found.end;
            match found.opcode {
                frame::TEXT => handler.text(self, socket, payload, now)?,
                frame::PING if self.sockets.contains(socket) => {
                    frame::write_client(self.out(socket), frame::PONG, payload)
                }
                frame::PING | frame::PONG => {}
                frame::CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    self.lose(socket, &format!("code {code}"), handler)?;
                }
                other => bail!("a frame of kind {other} was not expected"),
            }
            if !self.sockets.contains(socket) {
                return Ok(bytes.len());
            }
        }
        Ok(used)
    }

    /// The same for answers of HTTP, which end where `content-length` says.
    fn take_answers(&mut self, socket: usize, bytes: &[u8], now: u64, handler: &mut impl Handler) -> Result<usize> {
        let mut used = 0;
        while let Some(end) = answer_end(&bytes[used..])? {
            handler.text(self, socket, &bytes[used..used + end], now)?;
            used += end;
            if !self.sockets.contains(socket) {
                return Ok(bytes.len());
            }
        }
        Ok(used)
    }

    fn lose(&mut self, socket: usize, why: &str, handler: &mut impl Handler) -> Result<()> {
        self.close(socket);
        handler.closed(self, socket, why)
    }
}

/// Where an answer of HTTP ends, if all of it is there.
fn answer_end(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head]).context("the head of an answer is no text")?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let end = head + 4 + length.transpose().context("content-length")?.unwrap_or(0);
    Ok((end <= bytes.len()).then_some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_http_ends_where_its_head_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1";
        assert_eq!(answer_end(answer).expect("good"), Some(answer.len() - 8));
        assert_eq!(answer_end(&answer[..answer.len() - 9]).expect("good"), None, "a part of the body");
        assert_eq!(answer_end(&answer[..20]).expect("good"), None, "a part of the head");
        assert_eq!(answer_end(b"HTTP/1.1 204 No Content\r\n\r\n").expect("good"), Some(27));
        assert!(answer_end(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
