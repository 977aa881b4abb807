//! A file that is walked once from its beginning: parts are kept or dropped, and what is kept moves towards the beginning
//! of the same file. No more is ever written than was read, so nothing is overwritten before it was seen.

use super::Fault;
use super::medium::Medium;
use std::io;

/// How much is read or written at once, in bytes.
const STEP: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Tape<M> {
    medium: M,
    length: u64,
    /// Bytes that were read; those not walked yet begin at `begin` of these bytes; its place in the file is `at`.
    window: Vec<u8>,
    begin: usize,
    at: u64,
    /// Bytes that are kept and not written yet; their place in the file is `written`.
    out: Vec<u8>,
    written: u64,
}

impl<M: Medium> Tape<M> {
    pub(super) fn new(mut medium: M) -> io::Result<Self> {
        let length = medium.length()?;
        Ok(Self { medium, length, window: Vec::new(), begin: 0, at: 0, out: Vec::new(), written: 0 })
    }

    /// How many bytes are not walked yet.
    pub(super) fn left(&self) -> u64 {
        self.length - self.at
    }

    /// How many bytes are kept so far.
    pub(super) fn kept(&self) -> u64 {
        self.written + self.out.len() as u64
    }

    /// The next `count` bytes, fewer at the end of the file. `count` is bounded by the caller.
    pub(super) fn ahead(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.window.len() - self.begin < count {
            self.window.drain(..self.begin);
            self.begin = 0;
            let had = self.window.len();
            let wanted = count.max(STEP) as u64;
            #[expect(clippy::cast_possible_truncation, reason = "`wanted` came from a usize")]
            self.window.resize(wanted.min(self.left()) as usize, 0);
            if self.window.len() > had {
                let read = self.medium.read_at(self.at + had as u64, &mut self.window[had..])?;
                self.window.truncate(had + read);
            }
        }
        let all = &self.window[self.begin..];
        Ok(&all[..all.len().min(count)])
    }

    /// The next `N` bytes, if there are so many.
    pub(super) fn exactly<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        Ok(self.ahead(N)?.try_into().ok())
    }

    /// As much of what comes next as is in memory, and something unless the file has ended.
    pub(super) fn some(&mut self) -> io::Result<&[u8]> {
        if self.window.len() == self.begin {
            self.ahead(1)?;
        }
        Ok(&self.window[self.begin..])
    }

    /// Drops so many bytes, or what is left.
    pub(super) fn skip(&mut self, count: u64) {
        let count = count.min(self.left());
        self.at += count;
        let in_window = self.window.len() - self.begin;
        match usize::try_from(count) {
            Ok(count) if count < in_window => self.begin += count,
            _ => {
                self.window.clear();
                self.begin = 0;
            }
        }
    }

    /// Keeps so many bytes, or what is left, and says whether all of them were there.
    pub(super) fn keep(&mut self, count: u64) -> io::Result<bool> {
        let there = count.min(self.left());
        if self.kept() == self.at {
            // Nothing was dropped yet: it is in its place.
            self.flush()?;
            self.skip(there);
            self.written += there;
            return Ok(there == count);
        }
        let mut left = there;
        while left > 0 {
            let available = self.some()?.len();
            if available == 0 {
                return Ok(false);
            }
            let part = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.out.extend_from_slice(&self.window[self.begin..self.begin + part]);
            self.skip(part as u64);
            left -= part as u64;
            if self.out.len() >= STEP {
                self.flush()?;
            }
        }
        Ok(there == count)
    }

    /// Adds these bytes to what is kept, in the place of some that were dropped.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.kept() + bytes.len() as u64 > self.at {
            return Err(Fault::Unclean("it has no room for which way up it is"));
        }
        self.out.extend_from_slice(bytes);
        if self.out.len() >= STEP {
            self.flush()?;
        }
        Ok(())
    }

    /// Overwrites what was kept before.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        self.medium.write_at(at, bytes)
    }

    /// Cuts the file off behind what was kept.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.medium.cut(self.written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.medium.write_at(self.written, &self.out)?;
            self.written += self.out.len() as u64;
            self.out.clear();
        }
        Ok(())
    }
}
