//! Files, as the database knows them. (They are no part of any log; each change is one call in the writer's next
//! transaction. Which message carries a file is decided where the message is stored.)

use super::sqlite::attachment;
use super::writer::Turn;
use super::{Error, Store, Writer};
use crate::clock;
use shared::attachment::Attachment;
use shared::code::{Code, Rejection};
use shared::ids::{AttachmentId, Timestamp, UserId};

/// A file that is on disk and that nobody knows of yet.
#[derive(Debug)]
pub struct NewAttachment {
    /// Whose.
    pub owner: UserId,
    /// What is known of it.
    pub attachment: Attachment,
    /// Its small form, if it has one.
    pub small_form: Option<SmallForm>,
}

/// The small form of a picture, beside its file.
#[derive(Debug, Clone, Copy)]
pub struct SmallForm {
    /// The media type.
    pub media_type: &'static str,
    /// The size.
    pub bytes: u64,
}

/// A file that somebody may have.
#[derive(Debug)]
pub struct StoredAttachment {
    /// What is known of it.
    pub attachment: Attachment,
    /// The media type of its small form, if it has one.
    pub small_type: Option<String>,
}

/// What is told to whoever names a picture that is none, not theirs, or in use.
#[must_use]
pub fn no_picture() -> Rejection {
    let message = "This is no picture that you have uploaded. Choose one in PNG, JPEG, GIF or WebP";
    Rejection::new(Code::Invalid, message).field("avatar")
}

/// Part of a person's room that a file takes at least, in bytes: a disk gives it a block, and a place among those it can
/// name. So 2 GiB are at most 524,288 files.
pub const FILE_BYTES_MIN: u64 = 4_096;

/// Part of a person's room that a file of so many bytes takes.
#[must_use]
pub fn charged(bytes: u64) -> u64 {
    bytes.max(FILE_BYTES_MIN)
}

impl Store {
    /// A file, if `user` may have it: because it is theirs and not sent yet, because they are in the conversation of
    /// its message, or because it is somebody's picture.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment(&self, user: UserId, id: AttachmentId) -> Result<Option<StoredAttachment>, Error> {
        self.readers.read(move |database| attachment::find(database, user, id)).await
    }

    /// How many bytes of their room the files of `user` take, and the small forms of their pictures ([`charged`]).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment_bytes(&self, user: UserId) -> Result<u64, Error> {
        self.readers.read(move |database| attachment::bytes_of(database, user)).await
    }

    /// Pictures, at most `limit`, that come `after` this one in the order of ids and have a small form of which nobody
    /// knows how large it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unmeasured_attachments(
        &self,
        after: Option<AttachmentId>,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Error> {
        self.readers.read(move |database| attachment::unmeasured(database, after, limit)).await
    }

    /// Whether there are files from before this moment that no message names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_unsent_attachments(&self, before: Timestamp) -> Result<bool, Error> {
        self.readers.read(move |database| attachment::has_unsent(database, before)).await
    }

    /// Files that nobody may have any more, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn removed_attachments(&self, limit: u32) -> Result<Vec<AttachmentId>, Error> {
        self.readers.read(move |database| attachment::removed(database, limit)).await
    }

    /// Those of these that have no row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>, Error> {
        self.readers.read(move |database| attachment::unknown(database, &ids)).await
    }
}

impl<A: Send + 'static> Writer<A> {
    /// Notes a file that is on disk. `Ok(false)`: its owner would have more than `bytes_max`.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then it is not noted.
    pub async fn add_attachment(&self, new: NewAttachment, bytes_max: u64) -> Result<bool, Error> {
        self.call(Turn::Person(new.owner), move |database| {
            let bytes = attachment::bytes_of(database, new.owner)?;
            let small_bytes = new.small_form.map_or(0, |small| charged(small.bytes));
            if bytes.saturating_add(charged(new.attachment.size)).saturating_add(small_bytes) > bytes_max {
                return Ok(false);
            }
            attachment::insert(database, &new, clock::now())?;
            Ok(true)
        })
        .await
    }

    /// Notes how large the small forms of these pictures are.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn note_small_sizes(&self, sizes: Vec<(AttachmentId, u64)>) -> Result<(), Error> {
        self.call(Turn::Program, move |database| attachment::set_small_sizes(database, &sizes)).await
    }

    /// Takes a file back that no message names. `Ok(false)`: there is none of theirs.
    ///
    /// # Errors
    /// When the database fails or is overloaded; then it stays.
    pub async fn remove_attachment(&self, user: UserId, id: AttachmentId) -> Result<bool, Error> {
        self.call(Turn::Person(user), move |database| attachment::remove_one(database, user, id, clock::now())).await
    }

    /// Takes away what came before this moment and no message names.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn remove_unsent_attachments(&self, before: Timestamp) -> Result<(), Error> {
        self.call(Turn::Program, move |database| attachment::remove_unsent(database, before, clock::now())).await
    }

    /// Forgets files whose bytes are gone.
    ///
    /// # Errors
    /// When the database fails or is overloaded.
    pub async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Error> {
        self.call(Turn::Program, move |database| attachment::forget(database, &ids)).await
    }
}
