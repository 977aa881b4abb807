//! Files on their way in.
//!
//! Bounds: a file's size, how much one person may keep, how many come in at once ([`super::place`]), how long
//! one may pause and take, how many are cleaned at once, and how much of the disk is left ([`super::room`]). What is refused
//! leaves nothing on the disk.

use super::clean::{self, Fault, Format};
use super::folder::{Folder, Incoming};
use super::kind;
use super::picture::{Busy, Pictures};
use super::place::{Place, Places, all_taken};
use super::room::{Promise, Room};
use crate::behind;
use crate::clock;
use crate::store;
use crate::store::attachment::SmallForm;
use axum::body::{Body, Bytes, HttpBody};
use futures_util::{Stream, StreamExt};
use shared::attachment::{Attachment, file_name};
use shared::code::{Code, Rejection};
use shared::ids::AttachmentId;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long nothing may come of a file.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// How long a file may take.
const TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Bytes after which it is asked again whether the disk has room.
const STEP: u64 = 1024 * 1024;
/// How much of a file that is refused is read to throw it away, if a file may not have more: whoever is still writing
/// when the connection closes never sees the answer.
const DISCARDED_MIN: u64 = 4 * 1024 * 1024;
/// And for how long.
const DISCARDED_TIME_MAX: Duration = Duration::from_secs(10);

/// How many files are cleaned at once: each may take 80 MiB of memory.
const CLEANED_AT_ONCE: usize = 2;
/// How long a file waits for that.
const CLEANING_PATIENCE: Duration = Duration::from_secs(60);

/// Everything about files but their rows in the database.
#[derive(Debug)]
pub struct Attachments {
    /// Where they lie.
    pub folder: Folder,
    room: Room,
    pictures: Pictures,
    cleaning: Semaphore,
    /// Of files that come in.
    pub places: Places,
    /// Something has been removed.
    pub(super) removed: tokio::sync::Notify,
}

/// A file that has come in and is on disk, under no name yet that anybody asks for.
#[derive(Debug)]
pub struct Received {
    /// What is known of it.
    pub attachment: Attachment,
    /// Its small form.
    pub small_form: Option<SmallForm>,
    file: Incoming,
    small: Option<Incoming>,
    /// Until both are flushed.
    promise: Promise,
    place: Place,
}

/// What becomes of a file whose metadata cannot be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclean {
    /// Its sender is told.
    Refused,
    /// Its sender was told, and wants it to be sent as it is.
    Kept,
}

/// Why a file did not come in.
#[derive(Debug)]
pub enum UploadError {
    /// It is told so.
    Refused(Rejection),
    /// It has stopped coming.
    TimedOut,
}

impl From<Rejection> for UploadError {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "attachment.write_failed");
        Self::Refused(match store::Error::of_write(&error) {
            store::Error::Full => full(),
            short @ store::Error::Overloaded => short.rejection(),
            _ => Rejection::internal(),
        })
    }
}

/// What is told when the disk is full.
fn full() -> Rejection {
    Rejection::new(Code::StorageFull, "The server's disk is full. Please tell whoever runs it, and try again later")
        .retry_after_ms(30_000)
}

/// What is told when metadata cannot be removed.
fn unclean() -> Rejection {
    let message = "This file may contain where and when it was taken, and the server cannot take that out: it is damaged, or \
                   of a kind that is not known well enough. Send it as JPEG, PNG or MP4, or send it anyway, as it is";
    Rejection::new(Code::UncleanFile, message)
}

/// What is told when a file is too large.
fn too_large(bytes_max: u64) -> Rejection {
    let message =
        format!("A file has at most {} MB. Send it in parts, or put it somewhere else", bytes_max / 1_048_576);
    Rejection::new(Code::TooLarge, message)
}

impl Attachments {
    /// The files of a data folder, on whose disk so many MiB are left to messages (see [`Room::new`]).
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(data: &std::path::Path, reserve_mib: Option<u64>) -> io::Result<Self> {
        let folder = Folder::open(data)?;
        Ok(Self {
            folder,
            room: Room::new(data, reserve_mib),
            pictures: Pictures::default(),
            cleaning: Semaphore::new(CLEANED_AT_ONCE),
            places: Places::default(),
            removed: tokio::sync::Notify::new(),
        })
    }

    /// Takes a file in, which has a place until it is published.
    ///
    /// # Errors
    /// See [`UploadError`]; then nothing is left of it.
    pub async fn receive(
        &self,
        name: &str,
        body: Body,
        bytes_max: u64,
        place: Place,
        unclean: Unclean,
    ) -> Result<Received, UploadError> {
        let announced = body.size_hint().exact();
        let mut chunks = body.into_data_stream();
        let received = self.take_in(name, &mut chunks, announced, bytes_max, place, unclean).await;
        if matches!(received, Err(UploadError::Refused(_))) {
            // The part that had come in is gone by now, and the place is free.
            discard(&mut chunks, bytes_max).await;
        }
        received
    }

    async fn take_in<E>(
        &self,
        name: &str,
        chunks: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
        announced: Option<u64>,
        bytes_max: u64,
        place: Place,
        unclean: Unclean,
    ) -> Result<Received, UploadError> {
        let mut promise = self.room.take(announced.unwrap_or(0)).await?;
        let id = clock::id(AttachmentId::v7);
        let mut file = self.folder.begin(id).await?;
        let reading = fill(&mut file, chunks, &mut promise, bytes_max, &place);
        let head = tokio::time::timeout(TIME_MAX, reading).await.map_err(|_| UploadError::TimedOut)??;
        place.note_whole();
        file.flush().await?;

        let mut media_type = kind::of(&head);
        let (mut small, mut small_form, mut width, mut height) = (None, None, None, None);
        let mut animated = false;
        let cleaned = self.clean(&mut file, Format::of(&head), unclean).await?;
        if let Cleaned::Film(size) = cleaned
            && media_type.starts_with("video/")
        {
            (width, height) = (Some(size.0), Some(size.1));
        }
        if kind::picture(media_type).is_some() {
            // What could not be walked is not decoded either.
            let looked = match cleaned {
                Cleaned::Not => None,
                _ => self.pictures.look(file.read()?).await.map_err(|Busy| all_taken())?,
            };
            if let Some(picture) = looked {
                let small_bytes = picture.small.len() as u64;
                promise.extend(small_bytes, 0).await?;
                let mut form = self.folder.begin_small(id).await?;
                form.write(&picture.small).await?;
                let described = SmallForm { media_type: picture.small_type, bytes: small_bytes };
                (small, small_form) = (Some(form), Some(described));
                (width, height) = (Some(picture.width), Some(picture.height));
                animated = picture.is_animated;
            } else {
                // What cannot be read is not shown either.
                media_type = kind::UNKNOWN;
            }
        }
        let media_type = media_type.to_owned();
        let (name, size) = (file_name(name), file.size());
        let attachment = Attachment { id, name, media_type, size, width, height, animated };
        Ok(Received { attachment, small_form, file, small, promise, place })
    }

    /// Removes metadata from a file.
    async fn clean(&self, file: &mut Incoming, format: Format, unclean: Unclean) -> Result<Cleaned, UploadError> {
        if format == Format::Other {
            return Ok(Cleaned::Whole);
        }
        // The semaphore is never closed.
        let turn = tokio::time::timeout(CLEANING_PATIENCE, self.cleaning.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(all_taken().into()) };
        let (checked, cleaned) = (file.edit()?, file.edit()?);
        let cleaning = behind::spawn(move || {
            if unclean == Unclean::Kept {
                // It must not be half clean.
                clean::check(checked, format)?;
            }
            clean::clean(cleaned, format)
        });
        match cleaning.await {
            Ok(Ok(size)) => {
                file.measure().await?;
                Ok(size.map_or(Cleaned::Whole, Cleaned::Film))
            }
            Ok(Err(Fault::Io(error))) => Err(error.into()),
            Ok(Err(Fault::Unclean(reason))) => {
                tracing::info!(?format, reason, "attachment.unclean");
                match unclean {
                    Unclean::Refused => Err(self::unclean().into()),
                    Unclean::Kept => Ok(Cleaned::Not),
                }
            }
            Err(error) => {
                tracing::error!(%error, ?format, "attachment.cleaning_failed");
                Err(Rejection::internal().into())
            }
        }
    }

    /// Gives a received file the place where it is asked for.
    ///
    /// # Errors
    /// When the disk says no; then nothing is left of it.
    pub async fn publish(&self, received: Received) -> Result<Attachment, UploadError> {
        let Received { attachment, file, small, promise, place, .. } = received;
        self.folder.publish(attachment.id, file, small).await?;
        drop((promise, place));
        Ok(attachment)
    }

    /// Says that something was removed: its bytes go soon.
    pub fn note_removed(&self) {
        self.removed.notify_one();
    }
}

/// What became of a file's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cleaned {
    /// There is none.
    Whole,
    /// There is none, and it is a film of this width and height.
    Film(clean::Size),
    /// It could not be removed, and its sender knows.
    Not,
}

/// Writes what comes, and gives its beginning.
async fn fill<E>(
    file: &mut Incoming,
    chunks: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    promise: &mut Promise,
    bytes_max: u64,
    place: &Place,
) -> Result<Vec<u8>, UploadError> {
    let mut given_up = pin!(place.given_up());
    let mut head = Vec::new();
    // Bytes that the disk may not count yet.
    let mut unsettled = 0;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(PAUSE_MAX, chunks.next()) => next.map_err(|_| UploadError::TimedOut)?,
            rejection = &mut given_up => return Err(rejection.into()),
        };
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|_| Rejection::new(Code::BadJson, "The file was cut off"))?;
        let bytes = chunk.len() as u64;
        place.note(bytes);
        if file.size() + bytes > bytes_max {
            return Err(too_large(bytes_max).into());
        }
        let missing = (unsettled + bytes).saturating_sub(promise.bytes());
        if missing > 0 {
            // The file has not said how long it is.
            promise.extend(missing.max(STEP.min(bytes_max - file.size())), 0).await?;
        }
        let wanted = kind::HEAD_BYTES.saturating_sub(head.len()).min(chunk.len());
        head.extend_from_slice(&chunk[..wanted]);
        file.write(&chunk).await?;
        unsettled += bytes;
        if unsettled >= STEP {
            file.settle().await?;
            promise.settle(std::mem::take(&mut unsettled));
            promise.extend(0, 0).await?;
        }
    }
    file.settle().await?;
    promise.settle(unsettled);
    Ok(head)
}

/// Refuses a file that says beforehand that it is too large.
///
/// # Errors
/// `too_large`, after some of it was read.
pub async fn check_length(announced: Option<u64>, body: Body, bytes_max: u64) -> Result<Body, Rejection> {
    if announced.is_some_and(|length| length > bytes_max) {
        discard_body(body, bytes_max).await;
        return Err(too_large(bytes_max));
    }
    Ok(body)
}

/// Reads a file that is refused and throws it away: as much as a file may have, for a while.
pub async fn discard_body(body: Body, bytes_max: u64) {
    discard(&mut body.into_data_stream(), bytes_max).await;
}

async fn discard<E>(chunks: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin), bytes_max: u64) {
    let mut left = bytes_max.max(DISCARDED_MIN).saturating_add(1);
    let reading = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len() as u64);
            if left == 0 {
                return;
            }
        }
    };
    // Whatever has not come by then is not waited for.
    let _ = tokio::time::timeout(DISCARDED_TIME_MAX, reading).await;
}

#[cfg(test)]
mod tests {
    use super::super::place::Sender;
    use super::*;
    use shared::ids::UserId;
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn attachments() -> (tempfile::TempDir, Attachments) {
        let data = tempfile::tempdir().expect("a folder");
        let attachments = Attachments::open(data.path(), Some(0)).expect("opens");
        (data, attachments)
    }

    /// A place of somebody new at this address.
    fn place(attachments: &Attachments, address: u8) -> Place {
        let address = IpAddr::from([10, 0, 0, address]);
        attachments.places.take(Sender { user: clock::id(UserId::v7), address, site: address }).expect("a place")
    }

    fn left(data: &tempfile::TempDir) -> usize {
        std::fs::read_dir(data.path().join("attachments/incoming")).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn a_file_is_taken_up_to_the_limit_and_not_a_byte_more() {
        let (data, attachments) = attachments();
        let receive = async |text: &'static str| {
            attachments.receive("a.txt", Body::from(text), 5, place(&attachments, 1), Unclean::Refused).await
        };
        let received = receive("12345").await.expect("taken");
        assert_eq!((received.attachment.size, received.attachment.media_type.as_str()), (5, "text/plain"));
        let attachment = attachments.publish(received).await.expect("published");
        assert_eq!(std::fs::read(attachments.folder.file(attachment.id)).expect("there"), b"12345");
        let refused = receive("123456").await;
        assert!(matches!(refused, Err(UploadError::Refused(rejection)) if rejection.code == Code::TooLarge));
        let empty = receive("").await.expect("taken");
        assert_eq!(empty.attachment.size, 0);
        drop(empty);
        assert_eq!(left(&data), 0);
    }

    #[tokio::test]
    async fn a_file_without_room_is_refused_and_what_comes_of_it_is_read_away() {
        let data = tempfile::tempdir().expect("a folder");
        // No disk has such a reserve.
        let attachments = Attachments::open(data.path(), Some(u64::MAX)).expect("opens");
        let read = Arc::new(AtomicUsize::new(0));
        let counted = read.clone();
        let chunks = (0..9).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(Bytes::from_static(b"some"))
        });
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        let refused = attachments.receive("a.txt", body, 99, place(&attachments, 1), Unclean::Refused).await;
        let Err(UploadError::Refused(rejection)) = refused else { panic!("it is taken: {refused:?}") };
        assert_eq!((rejection.code, rejection.field.as_deref()), (Code::StorageFull, Some("reserve")));
        assert!(rejection.retry_after_ms.is_some());
        assert_eq!((read.load(Ordering::Relaxed), left(&data)), (9, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_coming_is_given_up() {
        let (data, attachments) = attachments();
        let begun = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"some"))]);
        let body = Body::from_stream(begun.chain(futures_util::stream::pending()));
        let received = attachments.receive("a", body, 99, place(&attachments, 1), Unclean::Refused).await;
        assert!(matches!(received, Err(UploadError::TimedOut)));
        assert_eq!(left(&data), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_trickles_is_given_up_for_another_and_leaves_nothing() {
        let (data, attachments) = attachments();
        let trickle = |address| {
            let chunks = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(PAUSE_MAX / 2).await;
                Some((Ok::<_, io::Error>(Bytes::from_static(b"x")), ()))
            });
            attachments.receive("a", Body::from_stream(chunks), 9_999, place(&attachments, address), Unclean::Refused)
        };
        let mut files: Vec<_> = (0..64).map(|_| Box::pin(trickle(1))).collect();
        for file in &mut files {
            assert!(futures_util::poll!(file).is_pending());
        }
        let first = files.remove(0);
        let waits = async {
            // Not before it is known to be slow: then there is none for somebody else at the address.
            tokio::time::sleep(Duration::from_secs(29)).await;
            let sender = |address| Sender { user: clock::id(UserId::v7), address, site: address };
            let taken = || attachments.places.take(sender(IpAddr::from([10, 0, 0, 1])));
            assert_eq!(taken().expect_err("refused").code, Code::RateLimited);
            tokio::time::sleep(Duration::from_secs(1)).await;
            taken().expect("a place")
        };
        let (place, refused) = tokio::join!(waits, first);
        assert!(matches!(refused, Err(UploadError::Refused(rejection)) if rejection.code == Code::Overloaded));
        drop((place, files));
        // Some of them were just being begun.
        for _ in 0..5_000 {
            if left(&data) == 0 {
                return;
            }
            let pause = behind::spawn(|| std::thread::sleep(Duration::from_millis(1)));
            pause.await.expect("a pause");
        }
        panic!("{} files are left", left(&data));
    }
}
