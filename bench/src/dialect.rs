//! What is said to each kind of server, and how what comes back is recognised without reading it as JSON.
//!
//! Every message has a number. Confab's carries it in the last twelve digits of its id, the others' at the beginning
//! of the text; so what arrives says which message it is, and counting is exact.

use crate::frame;
use crate::seed;
use anyhow::{Context, Result};
use memchr::memmem;
use shared::frame::{ClientFrame, ServerFrame};
use shared::ids::{CommandId, ConversationId, Timestamp};
use shared::message::{Send, Target};
use std::net::SocketAddr;

/// How long each text is, in bytes.
pub const TEXT_BYTES: usize = seed::TEXT_BYTES;
/// Digits of a message's number.
const DIGITS: usize = 12;
/// Characters of an id.
const ID_CHARACTERS: usize = 36;

/// How a server is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Confab's contract.
    Confab,
    /// `{"targetUserId", "content"}`, passed on to that user; the user is named in the address.
    Forward,
}

/// What a server's frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// The first frame: everything may begin.
    Welcome,
    /// This message is stored.
    Accepted(usize),
    /// This message has arrived.
    Arrived(usize),
    /// Something refused.
    Refused,
    /// Anything else.
    Other,
}

impl Dialect {
    /// The request that opens a socket as `person`.
    #[must_use]
    pub fn handshake(self, address: SocketAddr, person: usize) -> Vec<u8> {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        match self {
            Dialect::Confab => format!(
                "GET /ws HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {}\r\n{upgrade}\
                 Sec-WebSocket-Protocol: chat.v1\r\n\r\n",
                seed::cookie(person)
            ),
            Dialect::Forward => {
                format!("GET /?userId={} HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\n", seed::user(person))
            }
        }
        .into_bytes()
    }

    /// Whether the server speaks first.
    #[must_use]
    pub fn has_welcome(self) -> bool {
        self == Dialect::Confab
    }

    /// What a frame is. Looks at as few of its bytes as it can.
    #[must_use]
    pub fn read(self, text: &[u8]) -> Incoming {
        match self {
            Dialect::Confab => {
                let Some(rest) = text.strip_prefix(b"{\"type\":\"") else { return Incoming::Other };
                if rest.starts_with(b"accepted\"") {
                    id_number(rest).map_or(Incoming::Other, Incoming::Accepted)
                } else if rest.starts_with(b"event\"") {
                    id_number(rest).map_or(Incoming::Other, Incoming::Arrived)
                } else if rest.starts_with(b"welcome\"") {
                    Incoming::Welcome
                } else if rest.starts_with(b"rejected\"") || rest.starts_with(b"error\"") {
                    Incoming::Refused
                } else {
                    Incoming::Other
                }
            }
            Dialect::Forward => {
                let key = b"\"content\":\"";
                let found = memmem::find(text, key).and_then(|at| number(text.get(at + key.len()..)?));
                found.map_or(Incoming::Other, Incoming::Arrived)
            }
        }
    }
}

/// The number in the first `"id"` of a frame.
fn id_number(text: &[u8]) -> Option<usize> {
    let key = b"\"id\":\"";
    let at = memmem::find(text, key)? + key.len();
    number(text.get(at + ID_CHARACTERS - DIGITS..)?)
}

fn number(text: &[u8]) -> Option<usize> {
    let mut number = 0;
    for digit in text.get(..DIGITS)? {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        number = number << 4 | usize::from(value);
    }
    Some(number)
}

/// A frame that is sent again and again with another number.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    /// Where the time stands in an id, if it has one.
    time_at: Option<usize>,
    number_at: usize,
}

impl Template {
    /// A `send` of Confab's.
    ///
    /// # Errors
    /// Never, unless ids change their shape.
    pub fn send(to: Target) -> Result<Self> {
        let id = CommandId::v7(Timestamp::from_millis(0), [0xff; 10]);
        let content = text(DIGITS);
        let send = Send { id, to, content, reply_to: None, attachments: Vec::new() };
        let json = ClientFrame::Send(send).encode();
        let mut bytes = Vec::new();
        frame::write_client(&mut bytes, frame::TEXT, json.as_bytes());
        let at = memmem::find(&bytes, id.to_string().as_bytes()).context("the frame has no id")?;
        Ok(Self { bytes, time_at: Some(at), number_at: at + ID_CHARACTERS - DIGITS })
    }

    /// A message in the other dialect, for `target`.
    ///
    /// # Errors
    /// Never.
    pub fn forward(target: &str) -> Result<Self> {
        let json = format!("{{\"targetUserId\":\"{target}\",\"content\":\"{}\"}}", text(DIGITS));
        let mut bytes = Vec::new();
        frame::write_client(&mut bytes, frame::TEXT, json.as_bytes());
        let key = b"\"content\":\"";
        let number_at = memmem::find(&bytes, key).context("the frame has no content")? + key.len();
        Ok(Self { bytes, time_at: None, number_at })
    }

    /// Appends the frame with this number, made at this time (milliseconds since 1970).
    pub fn write(&self, out: &mut Vec<u8>, number: usize, unix_ms: u64) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let frame = &mut out[start..];
        write_hex(&mut frame[self.number_at..self.number_at + DIGITS], number as u64);
        if let Some(at) = self.time_at {
            // RFC 9562 section 5.7: 48 bits of time, with a hyphen after the first 32.
            write_hex(&mut frame[at..at + 8], unix_ms >> 16);
            write_hex(&mut frame[at + 9..at + 13], unix_ms & 0xffff);
        }
    }
}

fn write_hex(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// A text whose first characters are overwritten by a number, if the dialect puts it there.
fn text(digits: usize) -> String {
    let words = "the quick brown fox jumps over the lazy dog and asks what there is for dinner tonight at the farm ";
    let mut text = "0".repeat(digits);
    text.extend(words.chars().cycle().take(TEXT_BYTES - digits - 1));
    // No white space at the end: it would be trimmed.
    text.push('.');
    text
}

/// Which conversation an `accepted` is about. (Set-up, so it may take its time.)
#[must_use]
pub fn accepted_in(text: &[u8]) -> Option<ConversationId> {
    match ServerFrame::decode(std::str::from_utf8(text).ok()?) {
        Ok(Some(ServerFrame::Accepted(accepted))) => Some(accepted.conversation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::event::{Event, EventKind};
    use shared::ids::{Seq, UserId};
    use shared::message::{Accepted, Message};

    fn sent(template: &Template, number: usize) -> String {
        let mut out = Vec::new();
        template.write(&mut out, number, 1_790_000_000_123);
        let frame = frame::read(&out, 0).expect("good").expect("whole");
        String::from_utf8(out[frame.begin..frame.end].to_vec()).expect("UTF-8")
    }

    #[test]
    fn confab_understands_what_is_sent_and_its_answers_are_recognised() {
        let user: UserId = seed::user(7);
        let template = Template::send(Target::User(user)).expect("a template");
        let ClientFrame::Send(send) = ClientFrame::decode(&sent(&template, 0xabc_def)).expect("a frame") else {
            panic!("it is a send")
        };
        assert_eq!(
            (send.content.len(), send.content.trim(), send.to),
            (TEXT_BYTES, &*send.content, Target::User(user))
        );
        assert!(send.id.to_string().starts_with(&format!("{:08x}", 1_790_000_000_123_u64 >> 16)));

        let conversation = ConversationId::v7(Timestamp::from_millis(5), [1; 10]);
        let (seq, at) = (Seq::FIRST, Timestamp::from_millis(6));
        let accepted = ServerFrame::Accepted(Accepted { id: send.id, conversation, seq, at }).encode();
        assert_eq!(Dialect::Confab.read(accepted.as_bytes()), Incoming::Accepted(0xabc_def));
        assert_eq!(accepted_in(accepted.as_bytes()), Some(conversation));
        let kind = EventKind::Message(Message::new(send.id, send.content, None));
        let event = ServerFrame::Event(Event { conversation, seq, at, sender: user, kind }).encode();
        assert_eq!(Dialect::Confab.read(event.as_bytes()), Incoming::Arrived(0xabc_def));
    }

    #[test]
    fn the_other_dialect_carries_its_number_in_the_text() {
        let template = Template::forward("ben").expect("a template");
        let text = sent(&template, 42);
        assert!(text.starts_with("{\"targetUserId\":\"ben\",\"content\":\"00000000002athe quick"), "{text}");
        assert_eq!(Dialect::Forward.read(text.as_bytes()), Incoming::Arrived(42));
        assert_eq!(Dialect::Forward.read(b"{}"), Incoming::Other);
    }
}
