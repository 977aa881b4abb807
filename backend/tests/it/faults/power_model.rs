//! A disk as it may be after the power was lost, made from the list of what a server asked of the
//! system.
//!
//! Certain is what was flushed: a file's bytes up to its last `fsync`, its name from the `fsync` of its
//! folder on. Whatever came later may be there, whole or in pieces of a page, or not.

use super::dice::Dice;
use shared::frame::ServerFrame;
use shared::ids::CommandId;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Pieces of this size reach the disk or do not.
const PAGE: usize = 4_096;

/// One thing a server asked of the system, in the order in which it did.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Created(PathBuf),
    Unlinked(PathBuf),
    Wrote {
        file: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: PathBuf,
        length: usize,
    },
    /// A file, or the names in a folder.
    Flushed(PathBuf),
    /// These commands were called accepted, under these numbers.
    Accepted(Vec<(CommandId, u64)>),
}

/// What a file is.
#[derive(Debug, Clone, Default)]
struct File {
    certain: Vec<u8>,
    uncertain: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
            Change::Cut(length) => content.resize(*length, 0),
        }
    }

    /// What can reach the disk by itself.
    fn pieces(&self) -> Vec<Change> {
        let Change::Write { at, bytes } = self else { return vec![self.clone()] };
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let to = (from + PAGE - (at + from) % PAGE).min(bytes.len());
            pieces.push(Change::Write { at: at + from, bytes: bytes[from..to].to_vec() });
            from = to;
        }
        pieces
    }
}

/// A data folder's files by their place in `files`.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    folder: PathBuf,
    files: Vec<File>,
    /// The names as the server sees them.
    names: HashMap<PathBuf, usize>,
    /// The names that are certain.
    certain_names: HashMap<PathBuf, usize>,
    /// Names given and taken since then.
    uncertain_names: Vec<(PathBuf, Option<usize>)>,
    /// What was called accepted so far.
    pub(super) accepted: HashMap<CommandId, u64>,
}

impl Disk {
    pub(super) fn empty(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            names: HashMap::new(),
            certain_names: HashMap::new(),
            uncertain_names: Vec::new(),
            accepted: HashMap::new(),
        }
    }

    pub(super) fn apply(&mut self, call: &Call) {
        match call {
            Call::Created(path) => {
                self.files.push(File::default());
                self.name(path, Some(self.files.len() - 1));
            }
            Call::Unlinked(path) => self.name(path, None),
            Call::Wrote { file, at, bytes } => {
                let change = Change::Write { at: *at, bytes: bytes.clone() };
                self.file(file).uncertain.push(change);
            }
            Call::Cut { file, length } => self.file(file).uncertain.push(Change::Cut(*length)),
            Call::Flushed(path) if *path == self.folder => {
                for (path, file) in self.uncertain_names.drain(..) {
                    match file {
                        Some(file) => self.certain_names.insert(path, file),
                        None => self.certain_names.remove(&path),
                    };
                }
            }
            Call::Flushed(path) => {
                let file = self.file(path);
                for change in std::mem::take(&mut file.uncertain) {
                    change.apply(&mut file.certain);
                }
            }
            Call::Accepted(commands) => self.accepted.extend(commands.iter().copied()),
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let place = *self.names.get(path).unwrap_or_else(|| panic!("{} was never made", path.display()));
        &mut self.files[place]
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(place) => self.names.insert(path.to_owned(), place),
            None => self.names.remove(path),
        };
        self.uncertain_names.push((path.to_owned(), file));
    }

    /// Whether this file has the name at this moment.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.names.contains_key(path)
    }

    /// Writes what is certain into the folder `to`; with dice, some of the uncertain as well.
    pub(super) fn lose_power(&self, to: &Path, mut dice: Option<&mut Dice>) {
        let mut names = self.certain_names.clone();
        if let Some(dice) = &mut dice {
            // A file system keeps the order of names.
            for (path, file) in self.uncertain_names.iter().take(dice.below(self.uncertain_names.len() + 1)) {
                match file {
                    Some(file) => names.insert(path.clone(), *file),
                    None => names.remove(path),
                };
            }
        }
        for (path, place) in names {
            let File { certain, uncertain } = &self.files[place];
            let mut content = certain.clone();
            if let Some(dice) = &mut dice {
                for piece in uncertain.iter().flat_map(Change::pieces) {
                    if dice.below(2) == 0 {
                        piece.apply(&mut content);
                    }
                }
            }
            std::fs::write(to.join(path.file_name().unwrap()), content).unwrap();
        }
    }
}

/// What strace needs to be told so that its log can be read here.
pub(super) const OPTIONS: &[&str] = &[
    "-y",
    "-xx",
    "-s",
    "2000000",
    "-e",
    "trace=openat,open,creat,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fsync,fdatasync,sync_file_range,\
     ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2",
];

/// Reads strace's log of a server on the data folder `folder`. The index beside the log (`-shm`) is
/// memory and is left out.
pub(super) fn read(log: &str, folder: &Path) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut disk = Disk::empty(folder);
    // Calls that have begun and not ended, by thread.
    let mut begun: HashMap<&str, String> = HashMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            // What is sent or written may be there as soon as it is asked for.
            push(&mut calls, &mut disk, begins(start, folder));
            begun.insert(thread, start.to_owned());
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let Some(start) = begun.remove(thread) else { continue };
            let end = end.split_once(" resumed>").map_or("", |(_, end)| end);
            let call = ends(&format!("{start}{end}"), folder, &disk);
            push(&mut calls, &mut disk, call);
        } else {
            push(&mut calls, &mut disk, begins(rest, folder));
            let call = ends(rest, folder, &disk);
            push(&mut calls, &mut disk, call);
        }
    }
    calls
}

fn push(calls: &mut Vec<Call>, names: &mut Disk, call: Option<Call>) {
    if let Some(call) = call {
        // Only the names matter while reading.
        if matches!(call, Call::Created(_) | Call::Unlinked(_)) {
            names.apply(&call);
        }
        calls.push(call);
    }
}

/// What a call does as soon as it is asked for.
fn begins(text: &str, folder: &Path) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    match name {
        "pwrite64" => {
            let file = kept(&path(rest)?, folder)?;
            let bytes = string(rest)?;
            let at = rest.split(')').next()?.rsplit(", ").next()?.parse().ok()?;
            Some(Call::Wrote { file, at, bytes })
        }
        "ftruncate" => {
            let file = kept(&path(rest)?, folder)?;
            Some(Call::Cut { file, length: rest.split(')').next()?.rsplit(", ").next()?.parse().ok()? })
        }
        "write" | "writev" | "sendto" | "sendmsg" => {
            let to = path(rest)?;
            assert!(kept(&to, folder).is_none(), "this model knows only pwrite64: {}", &text[..80.min(text.len())]);
            let accepted = accepted(rest);
            (!accepted.is_empty()).then_some(Call::Accepted(accepted))
        }
        // The allocator looks at the system's settings this way; a file of ours is opened with openat.
        "open" => {
            let is_kept =
                string(rest).is_some_and(|name| Path::new(std::ffi::OsStr::from_bytes(&name)).starts_with(folder));
            assert!(!is_kept, "this model does not know open of {folder:?}");
            None
        }
        "pwritev" | "pwritev2" | "fallocate" | "rename" | "renameat" | "renameat2" | "unlinkat" | "creat" => {
            panic!("this model does not know {}", &text[..80.min(text.len())])
        }
        _ => None,
    }
}

/// What a call has done once it returns.
fn ends(text: &str, folder: &Path, disk: &Disk) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (_, result) = text.rsplit_once(" = ")?;
    if result.starts_with(['-', '?']) {
        return None;
    }
    match name {
        "openat" if rest.contains("O_CREAT") => {
            let made = kept(&path(result)?, folder)?;
            (!disk.has(&made)).then_some(Call::Created(made))
        }
        "unlink" => {
            let gone = PathBuf::from(String::from_utf8(string(rest)?).ok()?);
            kept(&gone, folder).map(Call::Unlinked)
        }
        "fsync" | "fdatasync" => {
            let file = path(rest)?;
            if file == folder { Some(Call::Flushed(file)) } else { kept(&file, folder).map(Call::Flushed) }
        }
        _ => None,
    }
}

/// Files of the data folder, without the index that is memory.
fn kept(path: &Path, folder: &Path) -> Option<PathBuf> {
    let is_kept = path.parent() == Some(folder) && !path.to_string_lossy().ends_with("-shm");
    is_kept.then(|| path.to_owned())
}

/// The path behind a file descriptor: `12<\x2f…>`.
fn path(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(String::from_utf8(bytes(path)).ok()?.into())
}

/// The bytes of the first string.
fn string(text: &str) -> Option<Vec<u8>> {
    Some(bytes(text.split('"').nth(1)?))
}

/// Bytes as strace writes them: `\x2f`, and what is no such escape as it is.
fn bytes(text: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap_or(0)).unwrap();
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut place = 0;
    while place < text.len() {
        if text[place] == b'\\' && text.len() >= place + 4 {
            bytes.push(digit(text[place + 2]) << 4 | digit(text[place + 3]));
            place += 4;
        } else {
            bytes.push(text[place]);
            place += 1;
        }
    }
    bytes
}

/// The `accepted` frames among what is sent. Frames of the server are not masked, so they stand in the
/// bytes as they are.
fn accepted(text: &str) -> Vec<(CommandId, u64)> {
    let sent: Vec<u8> = text.split('"').skip(1).step_by(2).flat_map(bytes).collect();
    let sent = String::from_utf8_lossy(&sent);
    let frames = sent.match_indices(r#"{"type":"accepted""#).filter_map(|(start, _)| {
        let end = sent[start..].find('}')?;
        match ServerFrame::decode(&sent[start..=start + end]) {
            Ok(Some(ServerFrame::Accepted(accepted))) => Some((accepted.id, accepted.seq.get())),
            _ => None,
        }
    });
    frames.collect()
}

#[test]
fn only_what_was_flushed_is_certain() {
    let folder = Path::new("/data");
    let file = folder.join("file");
    let wrote = |at, byte: u8| Call::Wrote { file: file.clone(), at, bytes: vec![byte; 2] };
    let after = |calls: &[Call], dice: Option<&mut Dice>| {
        let mut disk = Disk::empty(folder);
        calls.iter().for_each(|call| disk.apply(call));
        let to = tempfile::tempdir().unwrap();
        disk.lose_power(to.path(), dice);
        std::fs::read(to.path().join("file")).ok()
    };
    let created = Call::Created(file.clone());
    let flushed = Call::Flushed(file.clone());
    let named = Call::Flushed(folder.to_owned());
    assert_eq!(after(&[created.clone(), wrote(0, 7), flushed.clone()], None), None, "its name is not flushed");
    assert_eq!(after(&[created.clone(), named.clone(), wrote(0, 7)], None), Some(vec![]));
    let whole = [created, named, wrote(0, 7), flushed, wrote(1, 8), Call::Cut { file: file.clone(), length: 1 }];
    assert_eq!(after(&whole, None), Some(vec![7, 7]));
    let mut dice = Dice::new();
    let seen: std::collections::HashSet<_> = (0..100).map(|_| after(&whole, Some(&mut dice)).unwrap()).collect();
    assert_eq!(seen.len(), 3, "{seen:?}");
}
