//! Where the bytes of files lie: `attachments/3f/<id>`, the small form of a picture beside it as `<id>.small`, and what
//! is still coming in under `attachments/incoming/`.

use crate::behind;
use crate::disk::flush_folder;
use shared::ids::AttachmentId;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// The folder's name in the data folder.
pub const NAME: &str = "attachments";
const INCOMING: &str = "incoming";
const SMALL: &str = "small";

/// The folder of files.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder in this data folder, which is made when the first file comes. What had not come in when the server
    /// stopped is thrown away.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(data: &Path) -> io::Result<Self> {
        let root = data.join(NAME);
        let incoming = root.join(INCOMING);
        match std::fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { root })
    }

    /// Makes the folder, so that it stays.
    fn make(&self) -> io::Result<()> {
        make_own(&self.root.join(INCOMING))?;
        flush_folder(&self.root)?;
        self.root.parent().map_or(Ok(()), flush_folder)
    }

    /// Where the bytes of a file lie.
    #[must_use]
    pub fn file(&self, id: AttachmentId) -> PathBuf {
        self.shelf(id).join(id.to_string())
    }

    /// Where the small form of a picture lies.
    #[must_use]
    pub fn small(&self, id: AttachmentId) -> PathBuf {
        self.shelf(id).join(format!("{id}.{SMALL}"))
    }

    /// How many bytes the small form of a picture has: none if it is not there. Reads the disk.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn small_bytes(&self, id: AttachmentId) -> io::Result<u64> {
        match std::fs::metadata(self.small(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            metadata => Ok(metadata?.len()),
        }
    }

    /// Begins a file under a name that nobody asks for.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn begin(&self, id: AttachmentId) -> io::Result<Incoming> {
        self.begin_named(id.to_string()).await
    }

    /// Begins the small form of a picture.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn begin_small(&self, id: AttachmentId) -> io::Result<Incoming> {
        self.begin_named(format!("{id}.{SMALL}")).await
    }

    async fn begin_named(&self, name: String) -> io::Result<Incoming> {
        let folder = self.clone();
        // In one piece: whoever stops waiting for it leaves no file.
        blocking(move || {
            let path = folder.root.join(INCOMING).join(&name);
            let mut options = std::fs::File::options();
            options.create(true).truncate(true).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    folder.make()?;
                    options.open(&path)?
                }
                file => file?,
            };
            Ok(Incoming { path, file: File::from_std(file), size: 0 })
        })
        .await
    }

    /// Gives what has come in its place. It is there for good when this returns.
    ///
    /// # Errors
    /// When the disk says no; then nothing is left of it.
    pub async fn publish(&self, id: AttachmentId, file: Incoming, small: Option<Incoming>) -> io::Result<()> {
        let shelf = self.shelf(id);
        tokio::fs::create_dir_all(&shelf).await?;
        if let Some(mut small) = small {
            small.flush().await?;
            tokio::fs::rename(&small.path, self.small(id)).await?;
        }
        let mut file = file;
        let moved = async {
            file.flush().await?;
            tokio::fs::rename(&file.path, self.file(id)).await?;
            let (shelf, root) = (shelf.clone(), self.root.clone());
            blocking(move || flush_folder(&shelf).and_then(|()| flush_folder(&root))).await
        };
        let moved = moved.await;
        if moved.is_err() {
            let _ = self.remove(id).await;
        }
        moved
    }

    /// Removes a file. One that is not there is removed already.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn remove(&self, id: AttachmentId) -> io::Result<()> {
        for path in [self.small(id), self.file(id)] {
            match tokio::fs::remove_file(&path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files on each shelf, one shelf after the other. Reads the disk.
    pub fn shelves(&self) -> impl Iterator<Item = Vec<AttachmentId>> + use<> {
        let shelves = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        shelves.filter(|shelf| shelf.file_name() != INCOMING).map(|shelf| {
            let files = std::fs::read_dir(shelf.path()).into_iter().flatten().flatten();
            let id = |file: std::fs::DirEntry| file.file_name().to_str()?.split('.').next()?.parse().ok();
            let mut ids: Vec<AttachmentId> = files.filter_map(id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        })
    }

    /// The last digits of an id are random: each shelf gets its share.
    fn shelf(&self, id: AttachmentId) -> PathBuf {
        self.root.join(format!("{:02x}", id.as_bytes()[15]))
    }
}

/// Copies all files from one such folder into a new one, and says how many: none if there is no such folder. What goes
/// away meanwhile was deleted.
///
/// # Errors
/// When the disk says no.
pub fn copy(from: &Path, to: &Path) -> io::Result<usize> {
    let mut count = 0;
    let shelves = match std::fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        shelves => shelves?,
    };
    for shelf in shelves {
        let shelf = shelf?;
        if shelf.file_name() == INCOMING {
            continue;
        }
        let target = to.join(shelf.file_name());
        make_own(&target)?;
        for file in std::fs::read_dir(shelf.path())? {
            let file = file?;
            let copy = target.join(file.file_name());
            match std::fs::copy(file.path(), &copy) {
                Ok(_) => std::fs::File::open(copy)?.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            count += 1;
        }
        flush_folder(&target)?;
    }
    if count > 0 {
        flush_folder(to)?;
    }
    Ok(count)
}

/// Makes a folder that only its owner can look into.
fn make_own(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A file on its way in. Dropped before it is published, it goes away.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Incoming {
    /// Adds to its end.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Waits until the system has what was written. It may be in memory only, but is missing in what the disk has free.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn settle(&mut self) -> io::Result<()> {
        self.file.flush().await
    }

    /// Makes sure that it is on disk.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await
    }

    /// To be read from its beginning.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn read(&self) -> io::Result<std::fs::File> {
        std::fs::File::open(&self.path)
    }

    /// To be changed in its place. It may become shorter; [`Self::measure`] notes that.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn edit(&self) -> io::Result<std::fs::File> {
        std::fs::File::options().read(true).write(true).open(&self.path)
    }

    /// Notes how long it is.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn measure(&mut self) -> io::Result<()> {
        self.size = self.file.metadata().await?.len();
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Published, it has this name no longer.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    behind::spawn(work).await.unwrap_or_else(|_| Err(io::Error::other("a task has panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn what_is_published_is_there_and_what_is_not_leaves_nothing() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(data.path()).expect("opens");
        let (kept, dropped) = (clock::id(AttachmentId::v7), clock::id(AttachmentId::v7));
        let mut file = folder.begin(kept).await.expect("begins");
        file.write(b"some ").await.expect("written");
        file.write(b"bytes").await.expect("written");
        assert_eq!(file.size(), 10);
        let mut small = folder.begin_small(kept).await.expect("begins");
        small.write(b"small").await.expect("written");
        folder.publish(kept, file, Some(small)).await.expect("published");
        let mut half = folder.begin(dropped).await.expect("begins");
        half.write(b"half").await.expect("written");
        drop(half);

        assert_eq!(std::fs::read(folder.file(kept)).expect("there"), b"some bytes");
        assert_eq!(std::fs::read(folder.small(kept)).expect("there"), b"small");
        assert!(!folder.file(dropped).exists());
        assert_eq!(std::fs::read_dir(data.path().join("attachments/incoming")).expect("there").count(), 0);
        assert_eq!(folder.shelves().collect::<Vec<_>>(), [vec![kept]]);
        folder.remove(kept).await.expect("removed");
        folder.remove(kept).await.expect("it is gone already");
        assert_eq!(folder.shelves().flatten().count(), 0);
    }

    #[tokio::test]
    async fn a_start_throws_away_what_had_not_come_in() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(data.path()).expect("opens");
        assert!(!data.path().join("attachments").exists(), "nothing is made before there is something");
        folder.make().expect("made");
        std::fs::write(data.path().join("attachments/incoming/x"), "half").expect("written");
        drop(folder);
        Folder::open(data.path()).expect("opens");
        assert!(!data.path().join("attachments/incoming/x").exists());
    }
}
