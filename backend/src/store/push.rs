//! Who is told of messages while the page is closed.

use super::sqlite::{push, session};
use super::writer::Turn;
use super::{Error, Store, Writer};
use crate::clock;
use shared::ids::{SessionId, Timestamp, UserId};
use shared::push::PushNotice;

/// A browser's place at its push service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// A point of P-256, uncompressed.
    pub public_key: [u8; 65],
    /// Known to the browser and this server.
    pub secret: [u8; 16],
}

/// Something to push.
#[derive(Debug, Clone)]
pub struct Notice {
    /// To whom.
    pub user: UserId,
    /// To which browser of theirs.
    pub endpoint: Endpoint,
    /// Whether a browser of theirs has it already; `None`: it is not known.
    pub is_delivered: Option<bool>,
    /// What.
    pub notice: PushNotice,
}

/// Of when messages are pushed.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// What was said before is told to nobody.
    pub since: Timestamp,
    /// For what was said after it is too early.
    pub until: Timestamp,
    /// What was said after is by another clock.
    pub now: Timestamp,
    /// A session that was silent since before this moment has ended, and its browser is not told.
    pub not_before: Timestamp,
}

/// Some of what is to be pushed.
#[derive(Debug, Default)]
pub struct Portion {
    /// What, and to whom.
    pub notices: Vec<Notice>,
    /// The last event that was looked at, if any was.
    pub last: Option<i64>,
    /// It is too early for what comes next.
    pub is_early: bool,
}

impl Store {
    /// What the server signs with, if that was ever needed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn push_signer(&self) -> Result<Option<[u8; 32]>, Error> {
        self.readers.read(|database| Ok(push::state(database)?.map(|(signer, _)| signer))).await
    }

    /// Waits until there may be something to push.
    pub async fn grown_to_push(&self) {
        self.pushing.wait().await;
    }

    /// There is something to push that it is too early for.
    pub fn look_again_to_push(&self) {
        self.pushing.note();
    }

    /// What the server signs with and the last event that was seen to; `None`: nobody has wanted to be told yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn push_state(&self) -> Result<Option<([u8; 32], i64)>, Error> {
        self.readers.read(|database| Ok(if push::any(database)? { push::state(database)? } else { None })).await
    }

    /// Whom the messages after this position are to be pushed to, in portions of about `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn push_notices(&self, after: i64, span: Span, most: usize) -> Result<Portion, Error> {
        self.tail.caught_up().await?;
        self.readers.read(move |database| push::notices(database, after, span, most)).await
    }
}

impl<A: Send + 'static> Writer<A> {
    /// What the server signs with; made with these bytes if it is not there yet.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn push_signer(&self, new: [u8; 32]) -> Result<[u8; 32], Error> {
        self.call(Turn::Program, move |database| push::signer(database, new)).await
    }

    /// From now on this session's browser is told.
    ///
    /// # Errors
    /// [`Error::SignedOut`], or when the database fails or is overloaded.
    pub async fn push_subscribe(&self, user: UserId, by: SessionId, endpoint: Endpoint) -> Result<(), Error> {
        self.call(Turn::Person(user), move |database| {
            if !session::exists(database, by, clock::now())? {
                return Err(Error::SignedOut);
            }
            push::subscribe(database, by, user, &endpoint, clock::now())
        })
        .await
    }

    /// This session's browser is not told any more.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn push_unsubscribe(&self, user: UserId, by: SessionId) -> Result<(), Error> {
        self.call(Turn::Person(user), move |database| push::unsubscribe(database, by)).await
    }

    /// The push service knows this address no more.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn push_forget(&self, url: String) -> Result<(), Error> {
        self.call(Turn::Program, move |database| push::forget(database, &url)).await
    }

    /// Everything up to here was seen to.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn set_push_position(&self, position: i64) -> Result<(), Error> {
        self.call(Turn::Program, move |database| push::set_position(database, position)).await
    }
}
