//! Files that are to go with what is being written: chosen, on their way to the server, there.
//!
//! What transfers and shows them is a part that is loaded later (`components/tray.rs`); here is what the rest of the
//! page has to know.

use crate::browser::{File, Request};
use leptos::prelude::*;
use shared::attachment::Attachment;
use std::cell::Cell;

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// Another one for each.
    pub(crate) key: u32,
    /// What it is called.
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Where it comes from; one that is there already needs none.
    pub(crate) file: Option<File>,
    /// What transfers it.
    pub(crate) request: ArcStoredValue<Option<Request>>,
    /// The person was told that it may contain where it was taken, and sends it as it is.
    pub(crate) is_kept: ArcStoredValue<bool>,
    /// How it stands.
    pub(crate) stage: ArcRwSignal<Stage>,
}

/// How a file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its turn has not come.
    Waiting,
    /// So many percent are there.
    Sending(u8),
    /// The server has it.
    There(Attachment),
    /// It is not, because it may contain where it was taken; the text says so.
    Unclean(String),
    /// It is not; the text says why.
    Failed(String),
}

/// The files of a draft.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files {
    pub(crate) all: RwSignal<Vec<Upload>>,
    /// More were chosen than a message carries.
    pub(crate) has_too_many: RwSignal<bool>,
    /// A folder was dropped: it is not sent, and what is written does not wait for it. Whatever the person does then ends that.
    pub(crate) has_folder: RwSignal<bool>,
    /// What is written is to be sent as soon as all of them are there. Whatever the person changes ends that.
    pub(crate) is_awaited: RwSignal<bool>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let is_not = || RwSignal::new(false);
        Self { all: RwSignal::new(Vec::new()), has_too_many: is_not(), has_folder: is_not(), is_awaited: is_not() }
    }

    /// Adds files up to `most`.
    pub(crate) fn add(self, files: impl IntoIterator<Item = File>, most: usize) {
        self.wait_no_more();
        let mut files = files.into_iter().peekable();
        let room = most.saturating_sub(self.all.with_untracked(Vec::len));
        let added: Vec<_> = files.by_ref().take(room).map(Upload::of).collect();
        if !added.is_empty() {
            self.all.update(|all| all.extend(added));
        }
        self.has_too_many.set(files.peek().is_some());
    }

    /// Puts files back that the server has, up to `most` in all.
    pub(crate) fn put_back(self, files: Vec<Attachment>, most: usize) {
        self.wait_no_more();
        let count = files.len();
        self.all.update(|all| {
            let room = most.saturating_sub(all.len());
            all.extend(files.into_iter().take(room).map(Upload::there));
            self.has_too_many.set(count > room);
        });
    }

    /// The person goes on writing or choosing: nothing is sent by itself any more.
    pub(crate) fn wait_no_more(self) {
        for is_so in [self.is_awaited, self.has_folder] {
            if is_so.get_untracked() {
                is_so.set(false);
            }
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.all.with(Vec::is_empty)
    }

    /// Whether some are neither there nor failed.
    pub(crate) fn is_busy(self) -> bool {
        self.any(|stage| matches!(stage, Stage::Waiting | Stage::Sending(_)))
    }

    pub(crate) fn has_failed(self) -> bool {
        self.any(|stage| matches!(stage, Stage::Failed(_) | Stage::Unclean(_)))
    }

    fn any(self, is: impl Fn(&Stage) -> bool) -> bool {
        self.all.with(|all| all.iter().any(|upload| upload.stage.with(&is)))
    }

    /// Those that are there, in order.
    pub(crate) fn there(self) -> Vec<Attachment> {
        let there = |upload: &Upload| match upload.stage.get_untracked() {
            Stage::There(attachment) => Some(attachment),
            _ => None,
        };
        self.all.with_untracked(|all| all.iter().filter_map(there).collect())
    }

    /// A message has them.
    pub(crate) fn clear(self) {
        self.wait_no_more();
        self.has_too_many.set(false);
        if !self.all.with_untracked(Vec::is_empty) {
            self.all.set(Vec::new());
        }
    }
}

impl Upload {
    fn of(file: File) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53")]
        let size = file.size() as u64;
        Self::new(file.name(), size, Some(file), Stage::Waiting)
    }

    fn there(attachment: Attachment) -> Self {
        Self::new(attachment.name.clone(), attachment.size, None, Stage::There(attachment))
    }

    fn new(name: String, size: u64, file: Option<File>, stage: Stage) -> Self {
        thread_local!(static KEYS: Cell<u32> = const { Cell::new(0) });
        let key = KEYS.replace(KEYS.get().wrapping_add(1));
        let (request, is_kept) = (ArcStoredValue::new(None), ArcStoredValue::new(false));
        Self { key, name, size, file, request, is_kept, stage: ArcRwSignal::new(stage) }
    }
}
