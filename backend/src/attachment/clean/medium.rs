//! A file that is changed in its place, and a view of it that changes nothing.

use super::Fault;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes that are read, overwritten and cut off.
pub(super) trait Medium: Read + Write + Seek {
    /// Cuts off what is behind this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// How many bytes there are.
    fn length(&mut self) -> io::Result<u64> {
        self.seek(SeekFrom::End(0))
    }

    /// Reads from this place until `bytes` is full or the file ends, and says how many bytes there were.
    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(at))?;
        let mut read = 0;
        while read < bytes.len() {
            match self.read(&mut bytes[read..]) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Reads a part whole.
    fn part(&mut self, from: u64, to: u64, bytes_max: u64) -> Result<Vec<u8>, Fault> {
        let length = to.saturating_sub(from);
        if length > bytes_max {
            return Err(Fault::Unclean("a part of it is too large"));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| Fault::Unclean("a part of it is too large"))?];
        if self.read_at(from, &mut bytes)? < bytes.len() {
            return Err(Fault::Unclean("it ends too early"));
        }
        Ok(bytes)
    }

    /// Overwrites from this place on.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(bytes)
    }

    /// Overwrites a part with zeros.
    fn zero(&mut self, from: u64, to: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 8 * 1024];
        self.seek(SeekFrom::Start(from))?;
        let mut left = to.saturating_sub(from);
        while left > 0 {
            let count = left.min(ZEROS.len() as u64);
            #[expect(clippy::cast_possible_truncation, reason = "at most as many as there are zeros")]
            self.write_all(&ZEROS[..count as usize])?;
            left -= count;
        }
        Ok(())
    }
}

impl Medium for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A view of a file that forgets what is written.
#[derive(Debug)]
pub(super) struct Dry {
    file: File,
    length: u64,
    at: u64,
}

impl Dry {
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        let length = file.length()?;
        Ok(Self { file, length, at: 0 })
    }
}

impl Read for Dry {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let read = self.file.read(bytes)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Dry {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Dry {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.length.saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

impl Medium for Dry {
    fn cut(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Medium for io::Cursor<Vec<u8>> {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.get_mut().truncate(usize::try_from(length).expect("it is in memory"));
        Ok(())
    }
}

#[cfg(test)]
impl<M: Medium> Medium for &mut M {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        (**self).cut(length)
    }
}
