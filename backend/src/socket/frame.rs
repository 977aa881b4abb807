//! Frames (RFC 6455, the server's side), as plain rules without I/O.
//!
//! Reading takes whatever bytes have come and says what each whole frame in them means, in place: nothing is copied
//! but a frame that is not complete and the fragments of a message. So a socket that is between two messages holds
//! no buffer at all. What is forbidden is refused as soon as the header shows it.
//!
//! Own code, because what a library needs for each socket (a buffer to read into and one to write from) is most of
//! what a socket costs, and because a frame is handed on without a copy. A test compares it with tungstenite.

/// A client's frames, as far as they have come.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Option<Box<Partial>>,
}

/// What is kept until the rest has come.
#[derive(Debug, Default)]
struct Partial {
    /// A frame from its first byte on, as far as it is here.
    frame: Vec<u8>,
    /// The fragments of a message so far, unmasked.
    message: Vec<u8>,
    /// Whether a message was begun whose last fragment has not come.
    is_fragmented: bool,
}

/// What one frame means.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A whole text message.
    Text(&'a str),
    /// To be answered with the same bytes.
    Ping(&'a [u8]),
    /// Nothing yet, or nothing at all: a fragment, a pong.
    Other,
    /// The peer closes, with a code if it gave one. What comes after it means nothing.
    Close(Option<u16>),
}

/// Why a frame is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is forbidden.
    Protocol,
    /// It is, or the message becomes, longer than allowed.
    TooBig,
    /// It is no text.
    Binary,
    /// A text that is no UTF-8.
    Utf8,
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// The longest payload of a control frame, and the longest length that needs no more bytes.
const SHORT_MAX: usize = 125;

impl Reader {
    /// Takes what has come and tells `hear` of each whole frame, in order, until it or the rules say that it is
    /// enough. `bytes` are unmasked in place. Frames and messages have at most `bytes_max` bytes.
    ///
    /// # Errors
    /// What `hear` says, or what is wrong; then nothing more is to be read.
    pub fn read<E: From<Wrong>>(
        &mut self,
        mut bytes: &mut [u8],
        bytes_max: usize,
        mut hear: impl FnMut(Heard<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(mut frame) = self.take_begun() {
            let (used, header) = self.complete(&mut frame, bytes, bytes_max)?;
            bytes = &mut bytes[used..];
            match header {
                Some(header) => self.end(&header, &mut frame[header.bytes..], &mut hear)?,
                None => self.partial.get_or_insert_default().frame = frame,
            }
        }
        while let Some(header) = Header::of(bytes) {
            let whole = header.bytes + self.check(&header, bytes_max)?;
            if bytes.len() < whole {
                break;
            }
            let (frame, rest) = bytes.split_at_mut(whole);
            bytes = rest;
            self.end(&header, &mut frame[header.bytes..], &mut hear)?;
        }
        if !bytes.is_empty() {
            self.partial.get_or_insert_default().frame.extend_from_slice(bytes);
            #[cfg(debug_assertions)]
            if crate::fault::is_on("allocate_announced") {
                let length = Header::of(bytes).map_or(0, |header| header.length as usize);
                // Written to, as memory that nobody has touched costs nothing.
                let frame = &mut self.partial.get_or_insert_default().frame;
                frame.resize(bytes.len() + length, 1);
                frame.truncate(bytes.len());
            }
        }
        Ok(())
    }

    /// Whether no frame and no message is under way.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.partial.is_none()
    }

    fn is_fragmented(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.is_fragmented)
    }

    /// The frame under way, if there is one.
    fn take_begun(&mut self) -> Option<Vec<u8>> {
        let partial = self.partial.as_mut()?;
        let frame = std::mem::take(&mut partial.frame);
        if !partial.is_fragmented {
            self.partial = None;
        }
        (!frame.is_empty()).then_some(frame)
    }

    /// Moves what belongs to a frame under way from `bytes` to it. Gives how much that was, and the header if the
    /// frame is whole now.
    fn complete(&self, frame: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) -> Result<(usize, Option<Header>), Wrong> {
        let mut used = 0;
        loop {
            let header = Header::of(frame);
            let wanted = match &header {
                Some(header) => header.bytes + self.check(header, bytes_max)? - frame.len(),
                // One at a time until the header is whole.
                None => 1,
            };
            if wanted == 0 {
                return Ok((used, header));
            }
            let count = wanted.min(bytes.len() - used);
            if count == 0 {
                return Ok((used, None));
            }
            frame.extend_from_slice(&bytes[used..used + count]);
            used += count;
        }
    }

    /// Whether a frame with this header may come now; gives the length of its payload.
    fn check(&self, header: &Header, bytes_max: usize) -> Result<usize, Wrong> {
        let opcode = header.opcode();
        let is_known = matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
        if header.first & RESERVED != 0 || !is_known || header.mask.is_none() {
            return Err(Wrong::Protocol);
        }
        if header.is_control() {
            let is_short = header.length <= SHORT_MAX as u64;
            return if header.is_last() && is_short { Ok(header.length as usize) } else { Err(Wrong::Protocol) };
        }
        if (opcode == CONTINUATION) != self.is_fragmented() {
            return Err(Wrong::Protocol);
        }
        let before = self.partial.as_ref().map_or(0, |partial| partial.message.len());
        match usize::try_from(header.length) {
            Ok(length) if length <= bytes_max - before.min(bytes_max) => {
                if opcode == BINARY {
                    Err(Wrong::Binary)
                } else {
                    Ok(length)
                }
            }
            _ => Err(Wrong::TooBig),
        }
    }

    /// A frame is whole.
    fn end<E: From<Wrong>>(
        &mut self,
        header: &Header,
        payload: &mut [u8],
        hear: &mut impl FnMut(Heard<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        unmask(payload, header.mask.unwrap_or_default());
        match header.opcode() {
            PING => hear(Heard::Ping(payload)),
            PONG => hear(Heard::Other),
            CLOSE => hear(Heard::Close(close_code(payload)?)),
            _ if header.is_last() && !self.is_fragmented() => hear(Heard::Text(text(payload)?)),
            _ => {
                let mut partial = self.partial.take().unwrap_or_default();
                partial.message.extend_from_slice(payload);
                if header.is_last() {
                    return hear(Heard::Text(text(&partial.message)?));
                }
                partial.is_fragmented = true;
                self.partial = Some(partial);
                hear(Heard::Other)
            }
        }
    }
}

/// RFC 6455 section 5.2.
#[derive(Debug)]
struct Header {
    first: u8,
    length: u64,
    mask: Option<[u8; 4]>,
    /// How long the header itself is.
    bytes: usize,
}

impl Header {
    /// The header at the start of these bytes, if it is whole.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let rest = &bytes[2..];
        let (length, extended) = match second & !MASKED {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let mask = match second & MASKED {
            0 => None,
            _ => Some(*rest[extended..].first_chunk()?),
        };
        Some(Self { first, length, mask, bytes: 2 + extended + mask.map_or(0, |mask| mask.len()) })
    }

    fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    fn is_last(&self) -> bool {
        self.first & FIN != 0
    }

    fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }
}

fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| Wrong::Utf8)
}

/// RFC 6455 sections 5.5.1 and 7.4.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Wrong> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Wrong::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    text(reason)?;
    match code {
        1000..=1003 | 1007..=1013 | 3000..=4999 => Ok(Some(code)),
        _ => Err(Wrong::Protocol),
    }
}

/// RFC 6455 section 5.3, eight bytes at a time.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends a text frame.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write(out, TEXT, text.as_bytes());
}

/// Appends a ping.
pub fn write_ping(out: &mut Vec<u8>) {
    write(out, PING, b"");
}

/// Appends the answer to a ping.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write(out, PONG, payload);
}

/// Appends a close frame, with this code and reason.
pub fn write_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    write(out, CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat());
}

/// Appends the answer to a close frame.
pub fn write_close_answer(out: &mut Vec<u8>, code: Option<u16>) {
    match code {
        Some(code) => write_close(out, code, ""),
        None => write(out, CLOSE, b""),
    }
}

fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(FIN | opcode);
    match payload.len() {
        short @ ..=SHORT_MAX => out.push(short as u8),
        length => match u16::try_from(length) {
            Ok(length) => {
                out.push(126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                out.push(127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
