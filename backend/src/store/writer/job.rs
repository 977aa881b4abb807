//! What can be asked of the writer, and what comes of it.

use super::Call;
use super::queue::{Turn, Weight};
use shared::code::Rejection;
use shared::conversation::{ConversationKind, Role, Summary};
use shared::ids::{AttachmentId, CommandId, ConversationId, Cursor, Seq, Timestamp, UserId};
use shared::mention::Names;
use shared::message::Accepted;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Whom a message is for, checked: who is meant exists only once the writer has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// The conversation of exactly these people, sorted, each once, the sender among them.
    Set(Vec<UserId>),
    /// A conversation that may exist and that the sender may be a member of.
    Conversation(ConversationId),
    /// The same, if exactly these people are in it: sorted, each once, the sender among them.
    Group(ConversationId, Vec<UserId>),
    /// The conversation everybody is in.
    Everyone,
}

/// A text and the possible names in it. Finding them is the work that grows with the text, so it is done where a
/// `Content` is made, before it is queued.
#[derive(Debug)]
pub struct Content {
    text: String,
    /// In a box: most texts have none.
    names: Option<Box<Names>>,
}

impl Content {
    /// Reads the names out of a text that is checked and trimmed. Linear in its length and below a millisecond for the longest
    /// text a message may have, so it is done on the socket's task: the commands of a socket stay in order.
    #[must_use]
    pub fn new(text: String) -> Self {
        let names = Names::read(&text).map(Box::new);
        Self { text, names }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The possible names in it.
    pub(super) fn names(&self) -> Option<&Names> {
        self.names.as_deref()
    }

    /// The text, and the names no more.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A message to be stored.
#[derive(Debug)]
pub struct NewMessage {
    /// The command's id.
    pub id: CommandId,
    /// Whom it is for.
    pub to: Recipients,
    /// Its text.
    pub content: Content,
    /// The message it answers.
    pub reply_to: Option<Seq>,
    /// Its files, each once.
    pub attachments: Vec<AttachmentId>,
}

/// What is done to a message that exists.
#[derive(Debug)]
pub struct Amendment {
    /// The command's id.
    pub id: CommandId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Which message.
    pub target: Seq,
    /// What is done to it.
    pub action: Action,
}

/// What can be done to a message that exists; texts are checked.
#[derive(Debug)]
pub enum Action {
    /// It has this text from now on.
    Edit(Content),
    /// Its text goes.
    Delete,
    /// A reaction is set or taken back.
    React {
        /// Which.
        emoji: String,
        /// Set or taken back.
        on: bool,
    },
}

/// A change of a conversation itself.
#[derive(Debug)]
pub enum Change {
    /// A group or channel is made; the members are sorted, each once, its maker among them.
    Create {
        /// Group or channel.
        kind: ConversationKind,
        /// Its name, checked.
        name: Option<String>,
        /// What it is about, checked.
        topic: Option<String>,
        /// Whether everybody here finds it and may join.
        is_public: bool,
        /// Who is in it.
        members: Vec<UserId>,
    },
    /// It has another name, checked.
    Rename(ConversationId, String),
    /// It is about something else, has another picture, or is open to others than before.
    Describe(ConversationId, Description),
    /// Somebody comes.
    Add(ConversationId, UserId),
    /// Somebody goes, or is sent away.
    Remove(ConversationId, UserId),
    /// Somebody may do more, or less.
    Appoint(ConversationId, UserId, Role),
    /// A group request is declined.
    Decline(ConversationId),
}

/// What is to be different about a conversation; `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// What it is about, checked; empty: nothing in particular.
    pub topic: Option<String>,
    /// Whether everybody here finds it and may join.
    pub is_public: Option<bool>,
    /// The picture, or none.
    pub avatar: Option<Option<AttachmentId>>,
}

/// How far somebody has come in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has arrived.
    Delivered,
    /// It was read, and so has arrived.
    Read,
}

/// Where an event stands in the log, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which log.
    pub conversation: ConversationId,
    /// Its number there.
    pub seq: Seq,
    /// When it was stored.
    pub at: Timestamp,
}

impl Place {
    /// The answer to the command that has this id.
    #[must_use]
    pub fn accepted(self, id: CommandId) -> Accepted {
        let Self { conversation, seq, at } = self;
        Accepted { id, conversation, seq, at }
    }
}

/// What came of a command, after its commit.
#[derive(Debug)]
pub struct Outcome<A> {
    /// Where the answer goes.
    pub asker: A,
    /// Who asked.
    pub user: UserId,
    /// The command's id, for those that have one.
    pub command: Option<CommandId>,
    /// What happened.
    pub effect: Effect,
}

/// What happened.
#[derive(Debug)]
pub enum Effect {
    /// An event was stored.
    Stored(Stored),
    /// It was so already, by this event: the command had been stored before, or asks for what is.
    Repeated(Place),
    /// It was so already, and no event says so.
    Unchanged,
    /// Somebody was asked into a conversation, and no event says so. Nobody is told who was asked before.
    Asked(Requests),
    /// A group request was declined, and no event says so.
    Declined(Requests),
    /// Somebody's positions moved forward.
    Moved {
        /// Where.
        conversation: ConversationId,
        /// People who are told: the members. `None`: nobody, because it is the conversation for everyone, or others put this
        /// person there and they have not written.
        told: Option<Arc<[UserId]>>,
        /// The new position of what has arrived, if it moved.
        delivered: Option<Cursor>,
        /// The new position of what was read, if it moved.
        read: Option<Cursor>,
    },
    /// Nothing changed, and nobody needs to know.
    Nothing,
    /// It was refused.
    Refused(Rejection),
    /// Everything before this one has been handed on; see [`super::Writer::flushed`].
    Flushed(oneshot::Sender<()>),
}

/// A stored event and who is to hear of it.
#[derive(Debug)]
pub struct Stored {
    /// Where it stands.
    pub place: Place,
    /// The contract's `kind` object, as JSON: the same bytes that are in the database.
    pub kind: String,
    /// Who hears of it.
    pub audience: Audience,
    /// What it means for people's lists.
    pub news: News,
    /// People whose group requests have changed with it; nobody's for messages.
    pub requests: Requests,
}

/// People whose group requests have changed, and how many they have now.
pub type Requests = Vec<(UserId, u64)>;

/// What an event means for people's lists of conversations.
#[derive(Debug)]
pub enum News {
    /// Nothing but that it is there.
    None,
    /// The conversation is new to its whole audience; it stood like this before the event.
    Made(Box<Summary>),
    /// It is new to this person; it stood like this before the event.
    Joined(UserId, Box<Summary>),
    /// This person has left, and hears of nothing after it.
    Left(UserId),
}

/// Who hears of an event.
#[derive(Debug, Clone)]
pub enum Audience {
    /// Everybody connected.
    Everyone,
    /// These people, sorted.
    Members(Arc<[UserId]>),
}

impl Audience {
    pub(super) fn contains(&self, user: UserId) -> bool {
        match self {
            Audience::Everyone => true,
            Audience::Members(members) => members.binary_search(&user).is_ok(),
        }
    }
}

/// One entry of the writer's queue.
pub(super) enum Job<A> {
    Send { asker: A, user: UserId, message: NewMessage },
    Amend { asker: A, user: UserId, amendment: Amendment },
    Change { asker: A, user: UserId, change: Change },
    Progress { asker: A, user: UserId, conversation: ConversationId, seq: Seq, progress: Progress },
    Call(Turn, Box<dyn Call>),
    Flush { asker: A, user: UserId, done: oneshot::Sender<()> },
}

impl<A> Job<A> {
    /// Whose turn it takes.
    pub(super) fn turn(&self) -> Turn {
        match self {
            Job::Send { user, .. }
            | Job::Amend { user, .. }
            | Job::Change { user, .. }
            | Job::Progress { user, .. } => Turn::Person(*user),
            Job::Call(turn, _) => *turn,
            Job::Flush { .. } => Turn::Last,
        }
    }

    /// How much of a turn it takes. A job that may need a transaction, or a look-up of names, has a turn of its own.
    pub(super) fn weight(&self) -> Weight {
        match self {
            Job::Send { message, .. } => message.weight(),
            Job::Progress { .. } | Job::Flush { .. } => Weight::units(1),
            Job::Amend { .. } | Job::Change { .. } | Job::Call(..) => Weight::WHOLE_TURN,
        }
    }
}

/// Bytes of a text that cost as much as the rest of a message: they are copied, hashed and escaped.
const BYTES_PER_UNIT: usize = 256;

impl NewMessage {
    fn weight(&self) -> Weight {
        let is_for_known = match &self.to {
            Recipients::Conversation(_) | Recipients::Group(..) | Recipients::Everyone => true,
            // A direct conversation is made once.
            Recipients::Set(members) => members.len() <= 2,
        };
        if is_for_known && self.attachments.is_empty() && self.content.names().is_none() {
            Weight::units(1 + self.content.text().len() / BYTES_PER_UNIT)
        } else {
            Weight::WHOLE_TURN
        }
    }
}
