//! The journal: what has been accepted is flushed here first, and copied into the database's tables a
//! little later, many messages at a time.
//!
//! A transaction of SQLite costs some hundred pages when its messages belong to some hundred
//! conversations and people: each of them has its own place in the indexes. An append costs the
//! message's own bytes. So the commit point of a message is one append and one flush, shared by all
//! messages of the batch, and the tables follow in transactions large enough to be cheap
//! ([`super::tail`]).
//!
//! Two files take turns. Each is a run of records; when one has grown to [`FILE_BYTES`] and everything
//! in the other is in the tables, the other is written anew from its beginning, over what it held. A
//! record names its number, one more than the one before it, and is closed by a checksum that knows the
//! database's seal: half a record, a record of an earlier turn, and a record of another database are
//! all no record, and the run ends there.
//!
//! ```text
//! record   length of the entries (u32) · checksum (u32) · number (u64) · entries
//! ```
//! After the flush a third file, the mark, notes the number of the record. It is written and not flushed, so it costs
//! next to nothing: after the process was killed it is exact, after the power was lost it may be behind, and it is never
//! ahead. Records up to it were accepted, so a journal that lacks one of them is refused: files that are gone, filled
//! with zeros, or damaged in the last record. A loss that is not noticed: the last records damaged together with a loss of
//! power (half a record that nobody was told of looks the same), and the journal and the mark gone together.
//!
//! All numbers are little-endian. The entries are described in [`entry`].

pub(super) mod entry;

use super::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The files that take turns, in the data folder.
const FILES: [&str; 2] = ["confab.journal-0", "confab.journal-1"];
/// The number of the last record that was flushed.
const MARK: &str = "confab.accepted";
/// From this size on the other file's turn comes: small enough to be read back in a moment, large
/// enough that it is in the tables by the time its turn comes again.
const FILE_BYTES: u64 = 8 << 20;
/// A file grows by so much at a time, filled with zeros: a flush that must note another length writes twice.
const GROWTH: usize = 256 << 10;
/// Before a record's entries.
const HEADER: usize = 16;
/// No record is larger: a batch has at most 1,024 messages of some ten kilobytes.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// The files hold fewer records than this, so that a number further ahead is none.
const NEWER_MAX: u64 = 1 << 24;

/// A record's number. They are dense, and go on after a restart.
pub(super) type Number = u64;

/// One batch as it was accepted: its number and its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) number: Number,
    bytes: Vec<u8>,
}

impl Record {
    /// A record without entries yet. `room` is what the last one needed.
    pub(super) fn new(number: Number, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + room);
        bytes.resize(HEADER, 0);
        Self { number, bytes }
    }

    /// Where entries are written to.
    pub(super) fn entries_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes back the entries behind the first so many bytes.
    pub(super) fn cut(&mut self, entry_bytes: usize) {
        self.bytes.truncate(HEADER + entry_bytes);
    }

    /// What was written.
    pub(super) fn entries(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Writes the header, which nothing but the entries decides.
    fn close(&mut self, seal: &str) {
        let length = u32::try_from(self.entries().len()).expect("a batch is far below 4 GiB");
        let sum = checksum(seal, self.number, self.entries());
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
    }

    /// The record at the beginning of these bytes, if there is a whole one of this database.
    fn read(bytes: &[u8], seal: &str) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let number32 = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let length = usize::try_from(number32(0)?).ok().filter(|length| *length <= RECORD_BYTES_MAX)?;
        let number = u64::from_le_bytes(header[8..16].try_into().ok()?);
        let entries = rest.get(..length)?;
        let is_whole = length > 0 && number32(4)? == checksum(seal, number, entries);
        is_whole.then(|| Self { number, bytes: bytes[..HEADER + length].to_vec() })
    }
}

/// See [`FILE_BYTES`]. Tests have the other file's turn come sooner.
fn file_bytes() -> u64 {
    #[cfg(debug_assertions)]
    if let Some(bytes) = crate::fault::number("CONFAB_JOURNAL_BYTES") {
        return bytes;
    }
    FILE_BYTES
}

fn checksum(seal: &str, number: Number, entries: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(seal.as_bytes());
    hash.update(&number.to_le_bytes());
    hash.update(entries);
    hash.finalize()
}

/// The files, to be appended to.
#[derive(Debug)]
pub(super) struct Journal {
    seal: String,
    files: [Turn; 2],
    mark: (PathBuf, File),
    /// Whose turn it is.
    current: usize,
}

#[derive(Debug)]
struct Turn {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// How long the file is, at least up to the end.
    length: u64,
    /// The last record in it.
    last: Number,
}

impl Journal {
    /// Opens the files of a data folder for what comes after everything that is in them. To be called
    /// when that is in the tables: it is going to be written over.
    pub(super) fn open(folder: &Path, seal: &str) -> io::Result<Self> {
        let open = |name| {
            let path = folder.join(name);
            let mut options = File::options();
            options.create(true).truncate(false).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            Ok::<_, io::Error>((path, file))
        };
        let turn = |name| {
            let (path, file) = open(name)?;
            Ok::<_, io::Error>(Turn { length: file.metadata()?.len(), file, path, end: 0, last: 0 })
        };
        let files = [turn(FILES[0])?, turn(FILES[1])?];
        let mark = open(MARK)?;
        // Their names must be there after the power was lost.
        File::open(folder)?.sync_all()?;
        Ok(Self { seal: seal.to_owned(), files, mark, current: 0 })
    }

    /// Appends a record and flushes it: when this returns it survives anything. Records up to `applied`
    /// are in the tables.
    ///
    /// After [`Error::Full`] and [`Error::Overloaded`] it is as if nothing was appended; after [`Error::Failed`] nobody can tell.
    pub(super) fn append(&mut self, record: &mut Record, applied: Number) -> Result<(), Error> {
        record.close(&self.seal);
        let other = 1 - self.current;
        if self.files[self.current].end >= file_bytes() && self.files[other].last <= applied {
            self.files[other].end = 0;
            self.current = other;
        }
        let turn = &mut self.files[self.current];
        turn.grow(record.bytes.len())?;
        write_at(&turn.file, &record.bytes, turn.end).map_err(|error| failure(&error))?;
        #[cfg(debug_assertions)]
        let is_flushed = !crate::fault::is_on("no_flush");
        #[cfg(not(debug_assertions))]
        let is_flushed = true;
        if is_flushed {
            // A flush that failed may have lost what it was to write, and succeed the next time.
            turn.file.sync_data().map_err(|error| {
                tracing::error!(%error, "journal.flush_failed");
                Error::Failed
            })?;
        }
        turn.end += record.bytes.len() as u64;
        turn.length = turn.length.max(turn.end);
        turn.last = record.number;
        if let Err(error) = write_at(&self.mark.1, &mark(&self.seal, record.number), 0) {
            // The record is safe. Its loss would not be noticed, and that is all.
            tracing::debug!(%error, "journal.mark_failed");
        }
        Ok(())
    }

    /// Removes the files. To be called when all that is in them is in the tables.
    pub(super) fn remove(self) {
        // The mark first: it speaks of the others.
        for path in std::iter::once(&self.mark.0).chain(self.files.iter().map(|turn| &turn.path)) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(%error, "journal.remove_failed");
            }
        }
    }
}

impl Turn {
    /// Makes the file longer if what comes does not fit. If there is no room for that, what comes may still fit.
    fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let end = self.end + bytes as u64;
        if end <= self.length {
            return Ok(());
        }
        let zeros = vec![0; GROWTH.max(bytes)];
        match write_at(&self.file, &zeros, self.length).map_err(|error| failure(&error)) {
            Ok(()) => self.length += zeros.len() as u64,
            Err(Error::Full | Error::Overloaded) => {
                // What was taken is given back, to whoever needs it more. If not, it is taken.
                let _ = self.file.set_len(self.length);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.seek(io::SeekFrom::Start(at))?;
    file.write_all(bytes)
}

fn failure(error: &io::Error) -> Error {
    let failure = Error::of_write(error);
    if matches!(failure, Error::Failed) {
        tracing::error!(%error, "journal.write_failed");
    }
    failure
}

/// What is in the file of the mark.
fn mark(seal: &str, number: Number) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].copy_from_slice(&checksum(seal, number, MARK.as_bytes()).to_le_bytes());
    bytes
}

/// What the files of a data folder hold.
#[derive(Debug)]
pub(super) struct Found {
    /// Every whole record behind those in the tables, in order.
    records: Vec<Record>,
    /// Records up to this one were accepted, by the mark; 0 if there is none.
    accepted: Number,
}

/// What the files of a data folder hold, in order, without the records up to `applied`; and whether that
/// was all. What follows a gap is left out.
pub(super) fn read(folder: &Path, seal: &str, applied: Number) -> io::Result<(Vec<Record>, bool)> {
    Ok(following(read_whole(folder, seal, applied)?, applied))
}

/// What the files of a data folder hold behind `applied`.
pub(super) fn read_whole(folder: &Path, seal: &str, applied: Number) -> io::Result<Found> {
    let bytes = |name| match std::fs::read(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    };
    // First: what a server accepts meanwhile is behind it.
    let marked = bytes(MARK)?;
    let number = marked.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
    let accepted = if marked.starts_with(&mark(seal, number)) { number } else { 0 };
    let mut records = Vec::new();
    for name in FILES {
        whole(&bytes(name)?, seal, applied, &mut records);
    }
    records.sort_by_key(|record| record.number);
    Ok(Found { records, accepted })
}

/// The records that follow `applied` without a gap; and whether nothing follows a gap, nor was accepted behind them.
pub(super) fn following(found: Found, applied: Number) -> (Vec<Record>, bool) {
    let Found { mut records, accepted } = found;
    records.retain(|record| record.number > applied);
    let dense = records.iter().zip(applied + 1..).take_while(|(record, expected)| record.number == *expected).count();
    let is_all = records.len() == dense && accepted <= applied + dense as u64;
    records.truncate(dense);
    (records, is_all)
}

/// The records of a file behind `applied`: the run at its beginning, and what is whole behind its end.
///
/// A record is written once the one before it is flushed. So behind one that was cut off there are only
/// records of earlier turns, which are in the tables; a newer one shows that a record before it, which was
/// accepted, has been damaged. It is found here, and the gap before it is seen.
fn whole(mut bytes: &[u8], seal: &str, applied: Number, records: &mut Vec<Record>) {
    let mut last = None;
    while let Some(record) = Record::read(bytes, seal).filter(|record| last.is_none_or(|one| record.number == one + 1))
    {
        bytes = &bytes[record.bytes.len()..];
        last = Some(record.number);
        if record.number > applied {
            records.push(record);
        }
    }
    let mut last = last.map_or(applied, |last| last.max(applied));
    while let Some(number) = bytes.get(8..HEADER).and_then(|number| number.try_into().ok()).map(u64::from_le_bytes) {
        let is_newer = number.checked_sub(last).is_some_and(|newer| (1..=NEWER_MAX).contains(&newer));
        match is_newer.then(|| Record::read(bytes, seal)).flatten() {
            Some(record) => {
                bytes = &bytes[record.bytes.len()..];
                last = record.number;
                records.push(record);
            }
            None => bytes = &bytes[1..],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: &str = "an epoch";

    fn record(number: Number, size: usize) -> Record {
        let mut record = Record::new(number, size);
        record.entries_mut().extend(vec![u8::try_from(number % 251).expect("it is small"); size]);
        record
    }

    fn numbers(folder: &Path, epoch: &str, applied: Number) -> Vec<Number> {
        read(folder, epoch, applied).expect("it can be read").0.iter().map(|record| record.number).collect()
    }

    #[test]
    fn what_was_appended_is_read_back_in_order_and_only_by_its_own_database() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        for number in 5..9 {
            journal.append(&mut record(number, 100), 4).expect("appended");
        }
        assert_eq!(numbers(folder.path(), EPOCH, 4), [5, 6, 7, 8]);
        assert_eq!(numbers(folder.path(), EPOCH, 6), [7, 8]);
        let (records, is_all) = read(folder.path(), EPOCH, 3).expect("it can be read");
        assert!(records.is_empty() && !is_all, "what follows a gap is nobody's");
        assert_eq!(numbers(folder.path(), "another", 4), [0_u64; 0]);
        let (records, is_all) = read(folder.path(), EPOCH, 7).expect("it can be read");
        assert!(is_all);
        assert_eq!(records[0].entries(), record(8, 100).entries());
    }

    #[test]
    fn wherever_a_file_is_cut_or_damaged_the_records_before_are_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        for number in 1..=3 {
            journal.append(&mut record(number, 20), 0).expect("appended");
        }
        // As the mark is when the power goes before it was written.
        std::fs::remove_file(folder.path().join(MARK)).expect("it is there");
        let path = folder.path().join(FILES[0]);
        let each = HEADER + 20;
        let mut whole = std::fs::read(&path).expect("it can be read");
        whole.truncate(3 * each);
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            assert_eq!(numbers(folder.path(), EPOCH, 0).len(), cut / each, "cut at {cut}");
            let mut damaged = whole.clone();
            damaged[cut] ^= 0x10;
            std::fs::write(&path, damaged).expect("written");
            let (records, is_all) = read(folder.path(), EPOCH, 0).expect("it can be read");
            assert_eq!(records.len(), cut / each, "damaged at {cut}");
            // Behind the last one there is nothing: it may have been cut off as it was written.
            assert_eq!(is_all, cut / each == 2, "damaged at {cut}");
        }
    }

    #[test]
    fn what_was_accepted_and_is_gone_is_noticed_by_the_mark() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        let (path, marked) = (folder.path().join(FILES[0]), folder.path().join(MARK));
        let is_all = |applied| read(folder.path(), EPOCH, applied).expect("it can be read").1;
        let mut marks = Vec::new();
        for number in 1..=3 {
            journal.append(&mut record(number, 20), 0).expect("appended");
            marks.push(std::fs::read(&marked).expect("it can be read"));
        }
        assert!(is_all(0));
        let whole = std::fs::read(&path).expect("it can be read");
        let damaged = {
            let mut damaged = whole.clone();
            damaged[2 * (HEADER + 20) + 3] ^= 1;
            damaged
        };
        for bytes in [damaged, vec![0; whole.len()], whole[..2 * (HEADER + 20)].to_vec(), Vec::new()] {
            std::fs::write(&path, &bytes).expect("written");
            std::fs::write(&marked, &marks[2]).expect("written");
            assert!(!is_all(0) && is_all(3), "the third was accepted");
            std::fs::write(&marked, &marks[1]).expect("written");
            assert_eq!(is_all(0), bytes.get(..HEADER) == whole.get(..HEADER), "nobody was told of the third");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_all(0), "the second was accepted");
        for mark in [&marks[1][..11], &[0; 12], &[0xff; 40], b""] {
            std::fs::write(&marked, mark).expect("written");
            assert!(is_all(0), "it says nothing: {mark:?}");
        }
    }

    #[test]
    fn the_files_take_turns_and_keep_what_is_not_in_the_tables() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        let mut applied = 0;
        for number in 1..=60_u64 {
            journal.append(&mut record(number, 1 << 20), applied).expect("appended");
            // The tables are some records behind, and at times far.
            if number % 7 == 0 {
                applied = number.saturating_sub(if number % 14 == 0 { 20 } else { 3 }).max(applied);
            }
            let expected: Vec<_> = (applied + 1..=number).collect();
            assert_eq!(numbers(folder.path(), EPOCH, applied), expected, "after {number}");
        }
        let sizes: u64 = FILES.iter().map(|name| folder.path().join(name).metadata().expect("it is there").len()).sum();
        assert!(sizes < 60 << 20, "{sizes} bytes: no file was written anew");
    }

    #[test]
    fn damage_to_what_is_in_the_tables_takes_nothing_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        for number in 1..=4 {
            journal.append(&mut record(number, 20), 0).expect("appended");
        }
        let path = folder.path().join(FILES[0]);
        let mut bytes = std::fs::read(&path).expect("it can be read");
        bytes[40] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(numbers(folder.path(), EPOCH, 2), [3, 4]);
        assert_eq!(read(folder.path(), EPOCH, 1).expect("it can be read"), (Vec::new(), false));
    }

    #[test]
    fn a_record_of_an_earlier_turn_does_not_follow_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        for number in 1..=5 {
            journal.append(&mut record(number, 50), 0).expect("appended");
        }
        let mut journal = Journal::open(folder.path(), EPOCH).expect("opens");
        journal.append(&mut record(6, 50), 5).expect("appended");
        assert_eq!(numbers(folder.path(), EPOCH, 5), [6]);
    }
}
