//! The index of words: what it knows follows the log, and is asked for what somebody may read.
//!
//! Messages do not wait for it, nor does their delivery share the processor with it: it is filled in quiet moments
//! ([`QUIET`] without a message, at the latest after [`LOOKS`] looks), and when somebody searches. Whoever searches finds
//! all that was accepted before.

use super::growth::Growth;
use super::sqlite::{event, search};
use super::{Error, Store};
use rusqlite::Connection;
use shared::code::Rejection;
use shared::ids::{ConversationId, Epoch, Timestamp, UserId};
use shared::search::SearchResult;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long nobody has said anything before the index is filled.
const QUIET: Duration = Duration::from_secs(3);
/// How often it is looked for quiet before it is filled all the same.
const LOOKS: u32 = 20;
/// Events in one transaction.
const PORTION: u32 = 1_000;
/// How long somebody who searches waits for the index.
const PATIENCE: Duration = Duration::from_secs(5);
/// Searches at the same time; others wait.
const SEARCHES: usize = 2;
/// How long until it is tried again after it failed.
const RETRY: Duration = Duration::from_secs(10);

/// A search. Texts are folded: words and symbols, with one space between two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// All of these have to be there.
    pub terms: Vec<Term>,
    /// Written by somebody with a word like this in their name.
    pub from: Option<String>,
    /// In a conversation called like this.
    pub within: Option<String>,
    /// In this conversation.
    pub conversation: Option<ConversationId>,
    /// Before this time.
    pub before: Option<Timestamp>,
    /// At this time or later.
    pub after: Option<Timestamp>,
    /// With all of these.
    pub has: Vec<Has>,
}

/// Words that stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// One word, or several in this order.
    pub text: String,
    /// Whether the last word may go on.
    pub is_start: bool,
}

/// What a message can have beside its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    /// A file.
    File,
    /// A link.
    Link,
}

impl Has {
    /// All of them.
    pub const ALL: [Has; 2] = [Has::File, Has::Link];

    /// What people write for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Has::File => "file",
            Has::Link => "link",
        }
    }
}

/// Work that a search takes, known before the index is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Conversations that are looked at, and conversations and people in the questions to the index.
    pub names: usize,
    /// Words.
    pub terms: usize,
}

/// What a search comes to. Nothing of it depends on what the reader may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Messages.
    Page {
        /// The newest first.
        results: Vec<SearchResult>,
        /// Whether there are more.
        more: bool,
    },
    /// More conversations, or more people of a name, than are searched at once: it has to be narrowed.
    TooMuch,
    /// Refused: the person may not have so much work done now.
    Refused(Rejection),
}

/// The index, shared by whoever fills and whoever asks it.
#[derive(Debug, Clone)]
pub(super) struct Index(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Fills it.
    filling: Mutex<Connection>,
    /// Those that ask it and are idle.
    asking: Mutex<Vec<Connection>>,
    /// Turns to ask it.
    searches: Semaphore,
    /// The last event that is in it.
    position: watch::Sender<i64>,
    /// Somebody has said something since it was looked last.
    growth: Growth,
    /// Somebody searches.
    wanted: Notify,
}

impl Index {
    pub(super) fn open(folder: &Path, epoch: &Epoch) -> Result<Self, Error> {
        let filling = search::open(folder, epoch)?;
        Ok(Self(Arc::new(Inner {
            folder: folder.to_owned(),
            position: watch::Sender::new(search::position(&filling)?),
            filling: Mutex::new(filling),
            asking: Mutex::default(),
            searches: Semaphore::new(SEARCHES),
            growth: Growth::new(),
            wanted: Notify::new(),
        })))
    }

    /// Brings changes into it, up to and including the event at `last`.
    fn apply(&self, changes: &search::Changes, last: i64) -> Result<(), Error> {
        search::apply(&self.0.filling.lock().unwrap_or_else(PoisonError::into_inner), changes)?;
        self.0.position.send_replace(last);
        Ok(())
    }

    fn ask<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let asking = || self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = asking().pop();
        let connection = idle.map_or_else(|| search::open_to_ask(&self.0.folder), Ok)?;
        let result = work(&connection)?;
        // One that failed is not used again.
        asking().push(connection);
        Ok(result)
    }
}

impl Store {
    /// Something was added to the log.
    pub fn note_growth(&self) {
        self.index.0.growth.note();
        self.pushing.note();
    }

    /// Fills the index whenever it is time to, until the server stops.
    pub async fn follow_log(&self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = self.quiet() => {}
                () = self.index.0.wanted.notified() => {}
                () = stopping.cancelled() => return,
            }
            match self.fill().await {
                Ok(()) => {}
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "search.fill_failed");
                    self.index.0.growth.note();
                    tokio::select! {
                        () = sleep(RETRY) => {}
                        () = stopping.cancelled() => return,
                    }
                }
            }
        }
    }

    /// Waits until there is something to fill in and it is time to.
    async fn quiet(&self) {
        let growth = &self.index.0.growth;
        growth.wait().await;
        for _ in 0..LOOKS {
            sleep(QUIET).await;
            // What is said from here on is noted again.
            if !growth.take() {
                break;
            }
        }
    }

    /// Brings into the index what is in the log.
    async fn fill(&self) -> Result<(), Error> {
        self.tail.caught_up().await?;
        loop {
            let (index, after) = (self.index.clone(), *self.index.0.position.borrow());
            let is_done = self.readers.read(move |database| {
                let changes = search::changes(database, after, PORTION)?;
                let Some(last) = changes.last() else { return Ok(true) };
                index.apply(&changes, last)?;
                Ok(false)
            });
            if is_done.await? {
                return Ok(());
            }
        }
    }

    /// Messages that `user` may read and that are as asked, after the first `skip`. `pay` is told how much work it is
    /// before it is done, and may refuse it; whoever hangs up then has paid.
    ///
    /// # Errors
    /// When the database fails, or the index is not ready in good time.
    pub async fn search(
        &self,
        user: UserId,
        query: SearchQuery,
        skip: u32,
        limit: u32,
        pay: impl FnOnce(Work) -> Result<(), Rejection> + Send + 'static,
    ) -> Result<Found, Error> {
        self.tail.caught_up().await?;
        let end = self.readers.read(event::last_position).await?;
        let mut position = self.index.0.position.subscribe();
        if *position.borrow() < end {
            self.index.0.wanted.notify_one();
            let filled = position.wait_for(|position| *position >= end);
            timeout(PATIENCE, filled).await.map_err(|_| Error::Overloaded)?.map_err(|_| Error::Closed)?;
        }
        let _turn = self.index.0.searches.acquire().await.map_err(|_| Error::Closed)?;
        let index = self.index.clone();
        self.readers
            .read(move |database| {
                index.ask(|index| search::find(index, database, user, &query, skip as usize, limit as usize, pay))
            })
            .await
    }
}
