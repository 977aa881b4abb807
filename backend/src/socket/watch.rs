//! What a socket's peer is held to, as plain rules that are told the time: to be heard of now and then,
//! and to speak JSON.

use std::time::Duration;
use tokio::time::Instant;

/// How often a quiet client should send `ping`; a client that is quiet for as long is asked with a
/// WebSocket ping, which every browser answers.
pub const HEARTBEAT: Duration = Duration::from_secs(25);
/// So many texts that are no JSON object within [`BAD_JSON_WINDOW`] end the socket.
const BAD_JSON_MAX: usize = 3;
/// See [`BAD_JSON_MAX`].
const BAD_JSON_WINDOW: Duration = Duration::from_secs(10);

/// So many units of a person who may send nothing more within [`LIMITED_WINDOW`] end the socket: more than a page
/// sends that has heard so.
const LIMITED_UNITS_MAX: u32 = 100;
/// See [`LIMITED_UNITS_MAX`].
const LIMITED_WINDOW: Duration = Duration::from_secs(10);

/// The state of one socket's peer.
#[derive(Debug)]
pub struct Watch {
    last_heard: Instant,
    /// Whether a ping is out that nothing has answered yet.
    is_asked: bool,
    bad_json: Vec<Instant>,
    /// Units that came although their person may send nothing more, and since when they are counted.
    limited: (Instant, u32),
}

/// What is to be done about a peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing until then.
    Wait(Instant),
    /// It is to be asked whether it is there, and looked at again then.
    Ask(Instant),
    /// It is gone: the question was not answered.
    Gone,
}

impl Watch {
    /// A peer that was heard of just now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { last_heard: now, is_asked: false, bad_json: Vec::new(), limited: (now, 0) }
    }

    /// Any frame has come.
    pub fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.is_asked = false;
    }

    /// A text has come that is no JSON object. `true`: that is one too many.
    pub fn is_bad_json_too_much(&mut self, now: Instant) -> bool {
        self.bad_json.push(now);
        self.bad_json.retain(|moment| now.saturating_duration_since(*moment) < BAD_JSON_WINDOW);
        self.bad_json.len() >= BAD_JSON_MAX
    }

    /// A frame of so many units has come although its person may send nothing more. `true`: that was too much.
    pub fn is_limited_too_much(&mut self, units: u32, now: Instant) -> bool {
        if now.saturating_duration_since(self.limited.0) >= LIMITED_WINDOW {
            self.limited = (now, 0);
        }
        self.limited.1 = self.limited.1.saturating_add(units);
        self.limited.1 > LIMITED_UNITS_MAX
    }

    /// What to do now about a peer that may be silent for so long.
    pub fn check(&mut self, now: Instant, silence_max: Duration) -> Verdict {
        let silence = now.saturating_duration_since(self.last_heard);
        // After how long without a frame the peer is asked.
        let heartbeat = HEARTBEAT.min(silence_max / 2);
        if silence >= silence_max {
            return Verdict::Gone;
        }
        if silence < heartbeat {
            return Verdict::Wait(self.last_heard + heartbeat);
        }
        let end = self.last_heard + silence_max;
        if std::mem::replace(&mut self.is_asked, true) { Verdict::Wait(end) } else { Verdict::Ask(end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_quiet_peer_is_asked_once_and_given_up_after_a_minute() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(watch.check(start, 60 * SECOND), Verdict::Wait(start + HEARTBEAT));
        assert_eq!(watch.check(start + HEARTBEAT, 60 * SECOND), Verdict::Ask(start + 60 * SECOND));
        assert_eq!(watch.check(start + 40 * SECOND, 60 * SECOND), Verdict::Wait(start + 60 * SECOND));
        assert_eq!(watch.check(start + 60 * SECOND, 60 * SECOND), Verdict::Gone);
        let later = start + 59 * SECOND;
        watch.heard(later);
        assert_eq!(watch.check(start + 60 * SECOND, 60 * SECOND), Verdict::Wait(later + HEARTBEAT));
        assert_eq!(watch.check(later + HEARTBEAT, 60 * SECOND), Verdict::Ask(later + 60 * SECOND), "it is asked anew");
    }

    #[test]
    fn peer_that_goes_on_although_it_may_not_is_one_too_many() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!((0..999).take_while(|_| !watch.is_limited_too_much(1, start)).count(), 100);
        let mut watch = Watch::new(start);
        assert_eq!((0..999).take_while(|_| !watch.is_limited_too_much(17, start)).count(), 5, "large ones count more");
        assert!(!watch.is_limited_too_much(17, start + 10 * SECOND), "and later it may again");
    }

    #[test]
    fn the_third_text_in_ten_seconds_that_is_no_json_is_one_too_many() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        for second in [0, 6, 12, 18, 24] {
            assert!(!watch.is_bad_json_too_much(start + second * SECOND), "{second}");
        }
        assert!(watch.is_bad_json_too_much(start + 25 * SECOND));
    }
}
