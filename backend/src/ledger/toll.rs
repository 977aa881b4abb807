//! Cost of requests and frames, in units. One unit is about what reading a small page of the database costs.

use crate::store::search::Work;
use shared::frame::ClientFrame;

/// So many bytes that came cost a unit.
const BYTES_PER_UNIT: usize = 4 * 1024;
/// Bytes of history, lists or events for somebody that cost a unit: making them costs more than reading from the
/// database. Ordinary pages are smaller; one of long messages (1 MiB) costs 64.
const ANSWER_BYTES_PER_UNIT: u64 = 16 * 1024;
/// Cost of a body whose size is not said beforehand, beyond the request: that of the largest JSON body (128 KiB).
const UNKNOWN_BODY: u32 = 32;
/// Cost of opening a socket: its first screen is read.
pub const HANDSHAKE: u32 = 10;
/// Cost of a frame that was refused, beyond that of the frame.
pub const REFUSED_FRAME: u32 = 4;
/// Cost of a page of a replay: up to 256 KiB of events are read and written.
pub const REPLAY_PAGE: u32 = 5;
/// Bytes of another text for a message that cost a unit beyond its frame: its words are taken out of the index of
/// words one by one, and put in again.
const EDIT_BYTES_PER_UNIT: usize = 1024;
/// Conversations and people looked at by a search that cost a unit.
const SEARCHED_PER_UNIT: usize = 25;
/// Cost of showing a secret that is no session's, beyond the unit of the request: whoever makes them up has a fifth of the
/// requests that others have.
pub const MISSED_LOOK: u32 = 4;
/// So many conversations that are resumed cost a unit.
const CURSORS_PER_UNIT: usize = 10;

/// Cost of a route, and who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toll {
    /// How many units.
    pub units: u32,
    /// Who pays them.
    pub payer: Payer,
    /// Whether it is answered although memory is nearly full.
    pub is_small: bool,
    /// Whether its body is a file: it may take long to come, and files have a bound of their own.
    pub is_file: bool,
}

/// Who pays for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The person whose session is shown.
    Person,
    /// The address it comes from: nobody is signed in.
    Address,
}

impl Toll {
    /// A request of somebody who is signed in.
    #[must_use]
    pub const fn person(units: u32) -> Self {
        Self { units, payer: Payer::Person, is_small: false, is_file: false }
    }

    /// A request of anybody.
    #[must_use]
    pub const fn address(units: u32) -> Self {
        Self { units, payer: Payer::Address, is_small: false, is_file: false }
    }

    /// It takes little memory.
    #[must_use]
    pub const fn small(self) -> Self {
        Self { is_small: true, ..self }
    }

    /// Its body is a file.
    #[must_use]
    pub const fn file(self) -> Self {
        Self { is_file: true, ..self }
    }

    /// All of it, with a body of so many bytes; `None`: it is not said how many. Files have a bound
    /// of their own.
    #[must_use]
    pub fn with_body(self, bytes: Option<u64>) -> u32 {
        let body = match bytes {
            Some(bytes) => u32::try_from(bytes / BYTES_PER_UNIT as u64).unwrap_or(u32::MAX).min(UNKNOWN_BODY),
            None => UNKNOWN_BODY,
        };
        if self.is_file { self.units } else { self.units + body }
    }
}

/// Cost of any text that comes on a socket, whatever it is.
#[must_use]
pub fn text(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX).saturating_add(1)
}

/// Cost of an answer of so many bytes, beyond that of what asked for it. It is known when the answer is made.
#[must_use]
pub fn answer(bytes: u64) -> u32 {
    u32::try_from(bytes / ANSWER_BYTES_PER_UNIT).unwrap_or(u32::MAX)
}

/// Cost of a frame beyond its [`text`].
#[must_use]
pub fn frame(frame: &ClientFrame) -> u32 {
    match frame {
        // A conversation to look up, and everybody in it to tell.
        ClientFrame::Typing(_) => 1,
        ClientFrame::Resume(resume) => u32::try_from(resume.cursors.len() / CURSORS_PER_UNIT).unwrap_or(u32::MAX),
        ClientFrame::Edit(edit) => u32::try_from(edit.content.len() / EDIT_BYTES_PER_UNIT).unwrap_or(u32::MAX),
        // Commands have a rate of their own beside this.
        ClientFrame::Send(_) | ClientFrame::Delete(_) | ClientFrame::React(_) => 0,
        ClientFrame::Delivered(_) | ClientFrame::Read(_) | ClientFrame::Ping(_) => 0,
    }
}

/// Cost of a search beyond its request.
#[must_use]
pub fn search(work: Work) -> u32 {
    u32::try_from(work.names / SEARCHED_PER_UNIT + work.terms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cost_in_requests_and_in_texts() {
        assert_eq!((text(0), text(4_095), text(4_096), text(65_536)), (1, 1, 2, 17));
        let toll = Toll::person(5);
        assert_eq!((toll.with_body(Some(0)), toll.with_body(Some(8_192)), toll.with_body(None)), (5, 7, 37));
        assert_eq!(toll.file().with_body(Some(1 << 30)), 5);
        assert_eq!((answer(16_383), answer(16_384), answer(1 << 20)), (0, 1, 64));
    }

    #[test]
    fn resuming_costs_by_the_number_of_conversations() {
        let cursors: Vec<_> = (0..1_000).map(|n| format!("\"018f0000-0000-7000-8000-{n:012}\":1")).collect();
        let resume = format!("{{\"type\":\"resume\",\"epoch\":\"x\",\"cursors\":{{{}}}}}", cursors.join(","));
        assert_eq!(frame(&ClientFrame::decode(&resume).expect("a frame")), 100);
    }
}
