//! The lines of a conversation, and what happens to them.

use shared::attachment::Attachment;
use shared::ids::{CommandId, Seq, Timestamp, UserId};
use shared::reaction::Reaction;

/// One line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What names it, as long as it lives.
    pub key: CommandId,
    /// Who wrote it.
    pub sender: UserId,
    /// When: by the server's clock once it is accepted, by one's own before.
    pub at: Timestamp,
    /// Its text; empty once deleted.
    pub content: String,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// The people it names.
    pub mentions: Vec<UserId>,
    /// For each of them the text that names them, as far as it was noted.
    pub mention_names: Vec<String>,
    /// The message it answers.
    pub reply_to: Option<Seq>,
    /// When its text was changed last.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Who reacted with what, in the order they did.
    pub reactions: Vec<Reaction>,
    /// How it stands.
    pub state: RowState,
}

/// How a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    /// On its way.
    Pending,
    /// Refused; the text says why.
    Failed(String),
    /// In the log, under this number.
    Accepted(Seq),
}

/// What happened to the rows, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// All rows are new.
    Reset,
    /// A row was put in here.
    Insert(usize, Row),
    /// The row here is another now; its key is the same.
    Update(usize, Row),
    /// The row here is gone.
    Remove(usize),
}

impl Row {
    /// Its number, once it is in the log.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self.state {
            RowState::Accepted(seq) => Some(seq),
            RowState::Pending | RowState::Failed(_) => None,
        }
    }
}
