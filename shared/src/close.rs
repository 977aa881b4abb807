//! Why a socket was closed, and whether a client comes back by itself.

/// How a client returns after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComeBack {
    /// By itself, with jittered waits.
    AtOnce,
    /// By itself, but not before this many milliseconds.
    After(u64),
    /// After the person has signed in again.
    AfterSignIn,
    /// Only when the person asks for it: coming back would meet the same end.
    OnRequest,
}

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $come_back:expr, $reason:literal;)*) => {
        $($(#[$doc])* pub const $name: u16 = $number;)*

        /// Every code the contract names.
        pub const ALL: &[u16] = &[$($number),*];

        /// What a client does after this code. Codes not named are treated like a cut line.
        #[must_use]
        pub fn come_back(code: u16) -> ComeBack {
            match code { $($number => $come_back,)* _ => ComeBack::AtOnce }
        }

        /// The reason text sent with a code; at most 123 bytes (RFC 6455 section 5.5).
        #[must_use]
        pub fn reason(code: u16) -> &'static str {
            match code { $($number => $reason,)* _ => "" }
        }
    };
}

use ComeBack::{After, AfterSignIn, AtOnce, OnRequest};

/// The wait after 1013 and 4429 when no `draining` frame said otherwise, in milliseconds.
pub const LATER_MS: u64 = 30_000;

close_codes! {
    /// Ended on purpose.
    NORMAL = 1000, AtOnce, "bye";
    /// The peer is going away.
    GOING_AWAY = 1001, AtOnce, "going away";
    /// A frame broke RFC 6455.
    PROTOCOL = 1002, OnRequest, "websocket protocol error";
    /// A binary frame: only text is understood.
    UNSUPPORTED = 1003, OnRequest, "binary frames are not understood";
    /// The line was cut without a close frame; never sent.
    ABNORMAL = 1006, AtOnce, "";
    /// Text that is not UTF-8.
    INVALID_TEXT = 1007, OnRequest, "text is not valid UTF-8";
    /// A frame larger than the limit.
    TOO_BIG = 1009, OnRequest, "frame too big";
    /// A fault of the server's.
    FAULT = 1011, AtOnce, "server fault";
    /// The server restarts.
    RESTART = 1012, AtOnce, "the server restarts, come back";
    /// Too busy for another socket.
    TRY_LATER = 1013, After(LATER_MS), "too busy, try later";
    /// The third text in ten seconds that was no JSON object.
    BAD_JSON = 4400, OnRequest, "not JSON, three times";
    /// The session or token has ended.
    SESSION_ENDED = 4401, AfterSignIn, "the session has ended";
    /// The account may not connect.
    BANNED = 4403, OnRequest, "banned";
    /// Nothing was heard for 60 seconds.
    SILENT = 4408, AtOnce, "nothing heard for 60 s";
    /// The user opened more sockets than allowed; the oldest goes.
    TOO_MANY_SOCKETS = 4409, OnRequest, "too many sockets, the oldest goes";
    /// The socket's queue is full and did not move for 30 seconds.
    SLOW_CONSUMER = 4410, AtOnce, "too slow to read";
    /// Frames kept coming far above the allowed rate.
    FLOODING = 4429, After(LATER_MS), "too many frames";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_fits_a_control_frame() {
        for code in ALL {
            assert!(reason(*code).len() <= 123);
        }
    }

    #[test]
    fn a_client_comes_back_as_the_contract_says() {
        for code in [1001, 1006, 1011, 1012, 4408, 4410] {
            assert_eq!(come_back(code), ComeBack::AtOnce, "{code}");
        }
        for code in [1002, 1003, 1007, 1009, 4400, 4403, 4409] {
            assert_eq!(come_back(code), ComeBack::OnRequest, "{code}");
        }
        for code in [1013, 4429] {
            assert_eq!(come_back(code), ComeBack::After(30_000), "{code}");
        }
        assert_eq!(come_back(4401), ComeBack::AfterSignIn);
    }
}
