//! Files that are to go with what is being written: chosen, on their way to the server, there.
//!
//! What transfers and shows them is a part that is loaded later (`components/tray.rs`); here is what the rest of the
//! page has to know.

use leptos::prelude::*;
use shared::attachment::Attachment;
use std::cell::Cell;
use web_sys::{File, XmlHttpRequest};

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
    pub(crate) request: ArcStoredValue<Option<XmlHttpRequest>>,
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
    /// It is not; the text says why.
    Failed(String),
}

/// The files of a draft.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files {
    pub(crate) all: RwSignal<Vec<Upload>>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { all: RwSignal::new(Vec::new()) }
    }

    /// Adds files up to `most`. `false`: there were more.
    pub(crate) fn add(self, files: impl IntoIterator<Item = File>, most: usize) -> bool {
        let mut files = files.into_iter().peekable();
        let room = most.saturating_sub(self.all.with_untracked(Vec::len));
        let added: Vec<_> = files.by_ref().take(room).map(Upload::of).collect();
        if !added.is_empty() {
            self.all.update(|all| all.extend(added));
        }
        files.peek().is_none()
    }

    /// Puts files back that the server has.
    pub(crate) fn put_back(self, files: Vec<Attachment>) {
        self.all.update(|all| all.extend(files.into_iter().map(Upload::there)));
    }

    pub(crate) fn is_empty(self) -> bool {
        self.all.with(Vec::is_empty)
    }

    /// Whether some are neither there nor failed.
    pub(crate) fn is_busy(self) -> bool {
        self.any(|stage| matches!(stage, Stage::Waiting | Stage::Sending(_)))
    }

    pub(crate) fn has_failed(self) -> bool {
        self.any(|stage| matches!(stage, Stage::Failed(_)))
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
        Self { key, name, size, file, request: ArcStoredValue::new(None), stage: ArcRwSignal::new(stage) }
    }
}

/// The files of a list the browser gives.
pub(crate) fn files_of(list: Option<web_sys::FileList>) -> Vec<File> {
    list.map(|list| (0..list.length()).filter_map(|index| list.get(index)).collect()).unwrap_or_default()
}
