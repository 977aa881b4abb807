//! The store: the log of every conversation and what belongs to it, on disk.
//!
//! Writing goes through one [`Writer`], which commits whatever waits in one transaction and hands the
//! outcomes on; reading goes through [`Store`]'s verbs, each on a read-only connection of its own.
//! Reading a conversation needs a [`Member`], and only [`Store::member`] makes one: a forgotten
//! permission check does not compile.
//!
//! There is one implementation, SQLite (`sqlite/`), and therefore no trait. The verbs here are the
//! product's, not the tables', so that a second one can take their place.

mod access;
pub mod account;
pub mod attachment;
mod growth;
mod health;
mod journal;
mod preferences;
pub mod push;
pub mod search;
pub mod size;
mod tail;
pub mod writer;

mod sqlite;

use health::Cause;
pub use health::Health;
use search::SearchQuery;
pub use sqlite::copy::{CopyError, backup, restore};
pub use sqlite::open::FILE;
pub use sqlite::pool::Readers;
pub use writer::Writer;

use self::sqlite::pool::{Lane, Step};
use crate::accounts::SessionKind;
use crate::clock;
use crate::task::Part;
use shared::account::{Privacy, Session, Token, User};
use shared::conversation::{ChannelList, ConversationKind, MemberList, Summary};
use shared::event::Event;
use shared::fold;
use shared::group_request::GroupRequest;
use shared::ids::{ConversationId, Cursor, Epoch, SessionId, Timestamp, UserId};
use shared::limits::MEMBERS_MAX;
use shared::receipt::Receipt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The database could not do what was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No space left on the disk.
    #[error("the disk is full")]
    Full,
    /// The disk failed, now or earlier; nothing is written until the server is started again.
    #[error("the disk has failed")]
    Failed,
    /// A part of the server has panicked; nothing is written, and the process is about to end.
    #[error("a part of the server has panicked")]
    Broken,
    /// What was to be done has panicked; it is undone.
    #[error("it has panicked")]
    Panicked,
    /// Anything else the database reports.
    #[error("the database failed: {0}")]
    Database(rusqlite::Error),
    /// A row that this program would never have written.
    #[error("the database holds what it cannot: {0}")]
    Corrupt(String),
    /// The server is stopping.
    #[error("the store is closed")]
    Closed,
    /// What somebody showed to be let in is good no more.
    #[error("the session or the password has changed meanwhile")]
    SignedOut,
    /// More waits to be written than the queue holds.
    #[error("the store is overloaded")]
    Overloaded,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error().map(|error| Cause::of(error.extended_code)) {
            Some(Cause::Full) => Error::Full,
            _ => Error::Database(error),
        }
    }
}

/// Why a data folder cannot be used. The texts are for the person who starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made or written to.
    #[error("The data folder {path} cannot be used: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Another server has it.
    #[error(
        "Another Confab server is using the data folder {0}. Stop that server first, or choose another folder with --data"
    )]
    InUse(PathBuf),
    /// A later version of the program has written it.
    #[error(
        "The data folder {path} was written by a newer Confab (its database has version {found}, this program knows \
         up to {known}). Start the newer program, or restore a backup made before the upgrade"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The database is damaged.
    #[error("The database in {path} is damaged ({detail}). Restore a backup; Confab does not start on damaged data")]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What the check found first.
        detail: String,
    },
    /// Anything else.
    #[error("The database in {path} cannot be opened: {source}")]
    Database {
        /// The folder.
        path: PathBuf,
        /// What the database says.
        source: Error,
    },
}

/// Everything that reads; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Readers,
    epoch: Epoch,
    health: health::Gauge,
    tail: tail::Tail,
    index: search::Index,
    /// For whoever pushes.
    pushing: Arc<growth::Growth>,
}

/// Proof that somebody may read a conversation: they were a member when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    key: i64,
    conversation: ConversationId,
    user: UserId,
}

impl Member {
    /// Which conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }
}

/// What a sign-in is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose.
    pub user: User,
    /// The password's hash, in PHC string format.
    pub password_hash: String,
}

/// A session somebody presented the secret of.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Whose, with the address, if it is a browser's.
    pub user: User,
    /// Of what kind.
    pub kind: SessionKind,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
}

/// Which part of a log is asked for. Bounds are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The newest.
    Newest,
    /// The nearest ones before this number.
    Before(Cursor),
    /// The nearest ones after this number.
    After(Cursor),
    /// Half of them before this number, the rest from it on.
    Around(Cursor),
    /// Those from this moment on.
    At(Timestamp),
}

/// Some of somebody's conversations, read at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The most recent conversations first.
    pub conversations: Vec<Summary>,
    /// Whether there are more.
    pub more: bool,
}

/// Those one shares a conversation with, other than the one for everyone, and when they were last
/// there.
pub type Contacts = Vec<(UserId, Option<Timestamp>)>;

/// Rows of the first screen: conversations, contacts, and how many group requests wait.
pub type FirstScreen = (Snapshot, Contacts, u64);

/// A page of what somebody has missed: what is said of each conversation it reaches.
#[derive(Debug, Default)]
pub struct MissedPage {
    /// In the order asked for.
    pub conversations: Vec<(ConversationId, Missed)>,
}

/// What somebody has missed of one conversation.
#[derive(Debug)]
pub enum Missed {
    /// Nothing: they have its end.
    Nothing,
    /// These events, and then they have its end.
    All(Vec<Event>),
    /// These events, and there are more.
    Some(Vec<Event>),
    /// It cannot be said: the cursor is too far back or in the future, or the conversation is not
    /// theirs or not there.
    Unknown,
}

/// A conversation's members.
#[derive(Debug)]
pub enum Members {
    /// Everybody with an account.
    Everyone,
    /// These people.
    These(Vec<UserId>),
}

impl Store {
    /// Opens the data folder, bringing its database up to this program's version. The writer's
    /// outcomes go to `outcomes`, batch by batch, in commit order; `queue_max` jobs may wait for it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open<A: Send + 'static>(
        folder: &Path,
        queue_max: usize,
        outcomes: tokio::sync::mpsc::Sender<Vec<writer::Outcome<A>>>,
    ) -> Result<(Self, Writer<A>), OpenError> {
        Self::open_with(folder, queue_max, writer::Invites::default(), outcomes)
    }

    /// Opens the data folder as [`Store::open`] does; `invites` says who may put whom into groups.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with<A: Send + 'static>(
        folder: &Path,
        queue_max: usize,
        invites: writer::Invites,
        outcomes: tokio::sync::mpsc::Sender<Vec<writer::Outcome<A>>>,
    ) -> Result<(Self, Writer<A>), OpenError> {
        let opened = sqlite::open::open(folder)?;
        let (database, second, journal) = (opened.connection, opened.second, opened.journal);
        let parts = writer::Parts { database, second, journal, invites };
        let (writer, tail) = Writer::start(parts, opened.lock, queue_max, outcomes)
            .map_err(|source| OpenError::Database { path: folder.to_owned(), source })?;
        let index = search::Index::open(folder, &opened.epoch)
            .map_err(|source| OpenError::Database { path: folder.to_owned(), source })?;
        let store = Store {
            readers: opened.readers,
            epoch: opened.epoch,
            health: writer.health(),
            tail,
            index,
            pushing: Arc::new(growth::Growth::new()),
        };
        Ok((store, writer))
    }

    /// Which history this is.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Whether what is written can be kept.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.get()
    }

    /// Notes that a part of the server has panicked: nothing is written any more.
    pub fn break_down(&self, part: Part) {
        self.health.break_down(part);
    }

    /// Waits until a part of the server has panicked.
    pub async fn broken(&self) {
        self.health.broken().await;
    }

    /// Runs `work` once everything accepted before this call is in the tables.
    async fn read_all<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&rusqlite::Connection) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.tail.caught_up().await?;
        self.readers.read(work).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.readers.read(|database| Ok(database.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    /// The account with this address, in any case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error> {
        let key = email.to_lowercase();
        self.readers.read(move |database| sqlite::account::credentials(database, &key)).await
    }

    /// The session whose token has this SHA-256, unless it was silent since before `not_before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token_hash: [u8; 32], not_before: Timestamp) -> Result<Option<SessionRow>, Error> {
        self.readers.read(move |database| sqlite::session::find(database, &token_hash, not_before, clock::now())).await
    }

    /// Lets somebody in who shows a secret: finds their session as [`Store::session`] does, asks `admit`, and, if that
    /// is so, reads what the first screen needs, at one moment after it. `None`: there is no such session, or they
    /// were not admitted. No screen: the session has ended meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enter<T: Send + 'static>(
        &self,
        token_hash: [u8; 32],
        not_before: Timestamp,
        limit: u32,
        admit: impl FnOnce(&SessionRow) -> Option<T> + Send + 'static,
    ) -> Result<Option<(SessionRow, T, Option<FirstScreen>)>, Error> {
        let tail = self.tail.clone();
        let entered = self.readers.read_in_turns(Lane::Entering, move |database| {
            let Some(session) = sqlite::session::find(database, &token_hash, not_before, clock::now())? else {
                return Ok(Step::Done(None));
            };
            let Some(admitted) = admit(&session) else { return Ok(Step::Done(None)) };
            // Asked after they were admitted: what is accepted from here on reaches them by itself.
            if !tail.is_caught_up() {
                return Ok(Step::Done(Some((session, admitted, None))));
            }
            // And read in a transaction that begins after they were.
            Ok(Step::Then(Box::new(move |database| {
                let screen = first_screen(database, &session, &token_hash, limit)?;
                Ok(Some((session, admitted, Some(screen))))
            })))
        });
        let Some((session, admitted, screen)) = entered.await? else { return Ok(None) };
        let screen = match screen {
            Some(screen) => screen,
            None => {
                self.tail.caught_up().await?;
                let asked = session.clone();
                let read = move |database: &_| first_screen(database, &asked, &token_hash, limit);
                self.readers.read_in_turn(Lane::Entering, read).await?
            }
        };
        Ok(Some((session, admitted, screen)))
    }

    /// Those of whom others are not told everything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn discreet(&self) -> Result<Vec<(UserId, Privacy)>, Error> {
        self.readers.read(sqlite::account::discreet).await
    }

    /// Those of these sessions that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ended_sessions(&self, ids: Vec<SessionId>) -> Result<Vec<SessionId>, Error> {
        self.readers.read(move |database| sqlite::session::missing(database, &ids, clock::now())).await
    }

    /// The signed-in devices of `user`, those used last first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, user: UserId, current: SessionId) -> Result<Vec<Session>, Error> {
        self.readers.read(move |database| sqlite::session::list(database, user, current, clock::now())).await
    }

    /// The API tokens of `user`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<Token>, Error> {
        self.readers.read(move |database| sqlite::session::tokens(database, user, clock::now())).await
    }

    /// The contacts of each of these people.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contacts(&self, users: Vec<UserId>) -> Result<Vec<Contacts>, Error> {
        self.readers
            .read(move |database| users.iter().map(|user| sqlite::account::contacts(database, *user)).collect())
            .await
    }

    /// Groups and channels of `user`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(&self, user: UserId, limit: u32) -> Result<Vec<ConversationId>, Error> {
        self.readers.read(move |database| sqlite::conversation::groups(database, user, limit)).await
    }

    /// Who is in a conversation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&self, member: &Member) -> Result<Members, Error> {
        let key = member.key;
        self.readers
            .read(move |database| match sqlite::conversation::kind(database, key)? {
                ConversationKind::Everyone => Ok(Members::Everyone),
                _ => sqlite::conversation::member_ids(database, key).map(Members::These),
            })
            .await
    }

    /// Channels that everybody may join, by name, those with a word that starts with `search`, after the first `skip`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn channels(&self, user: UserId, search: &str, skip: u32, limit: u32) -> Result<ChannelList, Error> {
        let search = fold::search_key(search);
        self.readers
            .read(move |database| {
                let mut channels = sqlite::conversation::channels(database, user, &search, skip, limit + 1)?;
                let more = cut(&mut channels, limit);
                Ok(ChannelList { channels, more })
            })
            .await
    }

    /// Members by name, those with a word that starts with `search`, after the first `skip`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_page(&self, member: &Member, search: &str, skip: u32, limit: u32) -> Result<MemberList, Error> {
        let (key, search) = (member.key, fold::search_key(search));
        self.readers
            .read(move |database| {
                let mut members = sqlite::conversation::member_page(database, key, &search, skip, limit + 1)?;
                let more = cut(&mut members, limit);
                Ok(MemberList { members, more })
            })
            .await
    }

    /// How far the members other than `user` have received and read a conversation; none of the one for
    /// everyone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receipts(&self, member: &Member, user: UserId) -> Result<Vec<Receipt>, Error> {
        let Member { key, conversation, .. } = *member;
        self.read_all(move |database| match sqlite::conversation::kind(database, key)? {
            ConversationKind::Everyone => Ok(Vec::new()),
            _ => sqlite::conversation::receipts(database, key, conversation, user, MEMBERS_MAX),
        })
        .await
    }

    /// The next page of what comes after these cursors, in their order. The reader's membership is
    /// looked at in the same moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missed(&self, user: UserId, cursors: Vec<(ConversationId, Cursor)>) -> Result<MissedPage, Error> {
        self.tail.caught_up().await?;
        self.readers
            .read_in_turn(Lane::CatchingUp, move |database| sqlite::resume::page(database, user, &cursors))
            .await
    }

    /// People whose name has a word that starts with `search`, by name; all of them if it is empty.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, search: &str, limit: u32) -> Result<Vec<User>, Error> {
        let key = fold::search_key(search);
        self.readers.read(move |database| sqlite::account::users(database, &key, limit)).await
    }

    /// The people of these ids that exist, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_by_id(&self, ids: Vec<UserId>) -> Result<Vec<User>, Error> {
        self.readers.read(move |database| sqlite::account::users_by_id(database, &ids)).await
    }

    /// Somebody as others see them, and those who are shown that: everybody they share one of their newest conversations
    /// with, themselves among them. `None`: there is no such person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shown_to(&self, user: UserId) -> Result<Option<(User, Vec<UserId>)>, Error> {
        self.read_all(move |database| {
            let Some(person) = sqlite::account::users_by_id(database, &[user])?.pop() else { return Ok(None) };
            Ok(Some((person, sqlite::summary::people_of_newest(database, user)?)))
        })
        .await
    }

    /// Proof that `user` may read `conversation`; `None` if it is not there or not theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member(&self, user: UserId, conversation: ConversationId) -> Result<Option<Member>, Error> {
        self.readers.read(move |database| sqlite::conversation::member(database, user, conversation)).await
    }

    /// The group requests of `user`, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_requests(&self, user: UserId) -> Result<Vec<GroupRequest>, Error> {
        self.readers.read(move |database| sqlite::group_request::list(database, user)).await
    }

    /// How many group requests `user` has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_request_count(&self, user: UserId) -> Result<u64, Error> {
        self.readers.read(move |database| sqlite::group_request::count(database, user)).await
    }

    /// People whom `asker` asks into a conversation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn asked_by(&self, asker: UserId, conversation: ConversationId) -> Result<Vec<UserId>, Error> {
        self.readers.read(move |database| sqlite::group_request::asked_by(database, conversation, asker)).await
    }

    /// The kind of a conversation that `user` has left and may come back to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn departure(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationKind>, Error> {
        self.readers
            .read(move |database| {
                let Some(key) = sqlite::conversation::find_by_id(database, conversation)? else { return Ok(None) };
                match sqlite::audience::departed(database, key, user)? {
                    Some(true) => sqlite::conversation::kind(database, key).map(Some),
                    Some(false) | None => Ok(None),
                }
            })
            .await
    }

    /// A part of a log in `seq` order, and whether there is more in the asked direction: as many events as are asked for
    /// and fit into [`shared::limits::EVENTS_BYTES_MAX`], at least one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(&self, member: &Member, range: Range, limit: u32) -> Result<(Vec<Event>, bool), Error> {
        let member = *member;
        self.read_all(move |database| sqlite::event::range(database, member, range, limit)).await
    }

    /// One conversation as `user` sees it; `None` if it is not there or not theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn summary(&self, user: UserId, conversation: ConversationId) -> Result<Option<Summary>, Error> {
        self.read_all(move |database| sqlite::summary::find(database, user, conversation)).await
    }

    /// The conversations of `user`, most recent first, after the one named `before`: as many as are asked for and fit into
    /// [`shared::limits::LIST_BYTES_MAX`], at least one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conversations(
        &self,
        user: UserId,
        before: Option<ConversationId>,
        limit: u32,
    ) -> Result<Snapshot, Error> {
        self.read_all(move |database| sqlite::summary::list(database, user, before, limit)).await
    }
}

/// Cuts a list, of which one more was read than is wanted, to a page. Whether there is more.
fn cut<T>(list: &mut Vec<T>, limit: u32) -> bool {
    let more = list.len() > limit as usize;
    list.truncate(limit as usize);
    more
}

/// What the first screen of a session needs, inside a transaction; `None` if it has ended, or its secret is another.
fn first_screen(
    transaction: &rusqlite::Connection,
    session: &SessionRow,
    token_hash: &[u8; 32],
    limit: u32,
) -> Result<Option<FirstScreen>, Error> {
    if !sqlite::session::is_valid(transaction, session.id, token_hash)? {
        return Ok(None);
    }
    let user = session.user.id;
    let snapshot = sqlite::summary::list_in(transaction, user, None, limit)?;
    let contacts = sqlite::account::contacts(transaction, user)?;
    Ok(Some((snapshot, contacts, sqlite::group_request::count(transaction, user)?)))
}

/// A conversation's kind as it stands in the database.
fn kind_name(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
        ConversationKind::Channel => "channel",
        ConversationKind::Everyone => "everyone",
    }
}

fn kind_of(name: &str) -> Result<ConversationKind, Error> {
    match name {
        "direct" => Ok(ConversationKind::Direct),
        "group" => Ok(ConversationKind::Group),
        "channel" => Ok(ConversationKind::Channel),
        "everyone" => Ok(ConversationKind::Everyone),
        other => Err(Error::Corrupt(format!("conversation kind {other:?}"))),
    }
}
