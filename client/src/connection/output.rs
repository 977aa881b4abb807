//! What a connection shows and asks for.

use crate::Millis;
use crate::command::Command;
use crate::outbox::Kept;
use shared::code::Rejection;
use shared::frame::ClientFrame;
use shared::ids::CommandId;

/// What the person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not started, or stopped on purpose.
    Idle,
    /// Asked for; the server has not spoken yet.
    Connecting,
    /// The server has spoken.
    Open,
    /// Tries again at this moment.
    Waiting {
        /// When.
        until: Millis,
    },
    /// The browser has no network; tries again when it has.
    Offline,
    /// Does not come back by itself.
    Ended(Ended),
}

/// Why a connection does not come back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The session is over: sign in again.
    SignedOut,
    /// The server closed with this code; coming back at once would meet the same end.
    Refused(u16),
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a socket.
    Open,
    /// Send this on it.
    Transmit(ClientFrame),
    /// Close it, if it is still there; nothing it says counts any more.
    Close,
    /// The handshake failed, and a browser does not say why: ask whether the session is still good,
    /// and call [`super::Connection::handle_session_over`] if it is not.
    CheckSession,
    /// The server greets somebody else: another person has signed in in this browser. Nothing of the
    /// one before may stay on the screen or be sent; it is out of the outbox already, and stays
    /// written down for them.
    OtherPerson,
    /// The server's history is another one: everything known of conversations is void, and what is
    /// shown has to be loaded again. The outbox is kept.
    OtherHistory,
    /// The server refused this command of one's own for good. One with a text waits in the outbox for
    /// the person to decide; any other is gone.
    Failed(Command, Rejection),
    /// Write this entry of the outbox down, in place of what was written down under its id.
    Keep(Kept),
    /// Strike what was written down under this id.
    Forget(CommandId),
}
