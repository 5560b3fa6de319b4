//! Content too large for a document, as files named by their SHA-256.
//!
//! A blob is written beside its place, fsynced, renamed into it, and the folder fsynced: a reference that
//! was given is to content that is on disk. Each service has an area of its own, so that removing what it
//! no longer refers to takes nothing from another.

mod unused;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use ring::digest;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use unused::UnusedBlobs;

use crate::Folders;
use crate::removal::Removals;

/// The size of the pieces in which blobs are read.
const CHUNK: usize = 256 * 1024;

/// What a blob is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of the content in lower-case hex.
    pub digest: String,
    /// Length in bytes.
    pub size: u64,
}

/// Why a blob cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The file system failed, or the content's source did.
    #[error("blob storage failed: {0}")]
    Io(#[from] io::Error),
    /// No such blob in this area.
    #[error("there is no blob {0}")]
    Missing(String),
    /// Not a SHA-256 in lower-case hex.
    #[error("'{0}' is no SHA-256 digest")]
    Digest(String),
}

/// A blob's content, in pieces.
pub type BlobStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The blobs of one area (a service). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    dir: Arc<Path>,
    removals: Removals,
    folders: Arc<Folders>,
    /// Shared by who puts a blob in its place, alone for who looks whether one is old and removes it.
    places: Arc<RwLock<()>>,
}

impl Blobs {
    /// The area `area` in the data folder `data_dir`; clears what a crash left half-written there.
    pub fn open(data_dir: &Path, area: &str) -> Result<Self, BlobError> {
        let dir = data_dir.join("blobs").join(area);
        fs::create_dir_all(&dir)?;
        let unfinished = dir.join("new");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::create_dir_all(&unfinished)?,
        }
        let (removals, folders) = (Removals::in_folder(data_dir), Arc::new(Folders::below(data_dir)));
        Ok(Self { dir: dir.into(), removals, folders, places: Arc::default() })
    }

    /// Writes the whole of `content`. When this resolves it is on disk. Dropped or failed, nothing is left.
    pub async fn put(&self, content: impl Stream<Item = io::Result<Bytes>> + Send) -> Result<BlobRef, BlobError> {
        self.stage(content).await?.keep().await
    }

    /// Writes the whole of `content` to where nobody finds it, on disk when this resolves. So its digest is known
    /// before it becomes a blob. Dropped or failed, nothing is left.
    pub async fn stage(&self, content: impl Stream<Item = io::Result<Bytes>> + Send) -> Result<Staged, BlobError> {
        let (sender, receiver) = mpsc::channel(8);
        let area = self.clone();
        let writer = tokio::task::spawn_blocking(move || write(area, receiver));
        let mut content = std::pin::pin!(content);
        while let Some(piece) = content.next().await {
            let failed = piece.is_err();
            // A closed channel means that the writer failed; it says why below.
            if sender.send(piece.map(Some)).await.is_err() || failed {
                break;
            }
        }
        let _ = sender.send(Ok(None)).await;
        drop(sender);
        writer.await.map_err(io::Error::other)?
    }

    /// Writes `content`.
    pub async fn put_bytes(&self, content: impl Into<Bytes>) -> Result<BlobRef, BlobError> {
        let content = content.into();
        self.put(futures::stream::once(async move { Ok(content) })).await
    }

    /// The content, or the part in `range` (held to the blob's length).
    pub async fn get(&self, digest: &str, range: Option<Range<u64>>) -> Result<BlobStream, BlobError> {
        let path = self.path(digest)?;
        let file = tokio::task::spawn_blocking(move || File::open(path)).await.map_err(io::Error::other)?;
        let file = file.map_err(|error| missing(error, digest))?;
        let (sender, receiver) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || read(file, range, &sender));
        Ok(Box::pin(futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        })))
    }

    /// The whole content; only for blobs known to be small.
    pub async fn read(&self, digest: &str) -> Result<Vec<u8>, BlobError> {
        let mut stream = self.get(digest, None).await?;
        let mut content = Vec::new();
        while let Some(piece) = stream.next().await {
            content.extend_from_slice(&piece?);
        }
        Ok(content)
    }

    /// The length in bytes, or `None` if there is no such blob.
    pub async fn size(&self, digest: &str) -> Result<Option<u64>, BlobError> {
        match tokio::fs::metadata(self.path(digest)?).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the blob; an absent one is no error. The same content has the same blob: only who knows that
    /// nothing else of this area refers to it may call this.
    pub async fn remove(&self, digest: &str) -> Result<(), BlobError> {
        let (path, removals) = (self.path(digest)?, self.removals.clone());
        let remove = move || removals.file(&path);
        Ok(tokio::task::spawn_blocking(remove).await.map_err(io::Error::other)??)
    }

    /// The next `limit` digests behind `after`, in their order: for who looks for blobs that nothing refers to.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, BlobError> {
        let (dir, after) = (Arc::clone(&self.dir), after.unwrap_or_default().to_owned());
        tokio::task::spawn_blocking(move || list(&dir, &after, limit)).await.map_err(io::Error::other)?
    }

    /// Where the content lies, for programs that take a path. Read only.
    pub fn path(&self, digest: &str) -> Result<PathBuf, BlobError> {
        place(&self.dir, digest).ok_or_else(|| BlobError::Digest(digest.chars().take(80).collect()))
    }
}

fn list(dir: &Path, after: &str, limit: usize) -> Result<Vec<String>, BlobError> {
    let mut digests = Vec::new();
    for folder in names(dir)?.into_iter().filter(|folder| folder.len() == 2) {
        if after.get(..2).is_some_and(|begun| *folder < *begun) {
            continue;
        }
        let rest = names(&dir.join(&folder))?.into_iter().map(|rest| format!("{folder}{rest}"));
        digests.extend(rest.filter(|digest| place(dir, digest).is_some() && **digest > *after));
        if digests.len() >= limit {
            break;
        }
    }
    digests.truncate(limit);
    Ok(digests)
}

/// The names in a folder, in their order.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = entries.collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn missing(error: io::Error, digest: &str) -> BlobError {
    match error.kind() {
        io::ErrorKind::NotFound => BlobError::Missing(digest.to_owned()),
        _ => error.into(),
    }
}

/// `ab/cdef…`, if the digest is one.
fn place(dir: &Path, digest: &str) -> Option<PathBuf> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let well_formed = digest.len() == 64 && digest.bytes().all(hex);
    well_formed.then(|| dir.join(&digest[..2]).join(&digest[2..]))
}

/// `Ok(None)` marks the end: a channel that closes without it means that the source was dropped.
type Piece = io::Result<Option<Bytes>>;

fn write(area: Blobs, mut pieces: mpsc::Receiver<Piece>) -> Result<Staged, BlobError> {
    let mut temporary = Temporary::create(&area.dir)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut size = 0;
    loop {
        match pieces.blocking_recv() {
            Some(Ok(Some(bytes))) => {
                hash.update(&bytes);
                temporary.file.write_all(&bytes).map_err(|error| full(error, &area.dir))?;
                size += bytes.len() as u64;
            }
            Some(Ok(None)) => break,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
    temporary.file.sync_all()?;
    let blob = BlobRef { digest: hex::encode(hash.finish()), size };
    Ok(Staged { blob, temporary, area })
}

/// Tells the operator where there is no room.
fn full(error: io::Error, dir: &Path) -> io::Error {
    if error.kind() == io::ErrorKind::StorageFull {
        tracing::error!("the disk of {} is full: content is refused until there is room", dir.display());
    }
    error
}

/// Content that is on disk and not a blob yet; see [`Blobs::stage`]. Dropped, it is removed.
#[derive(Debug)]
pub struct Staged {
    blob: BlobRef,
    temporary: Temporary,
    area: Blobs,
}

impl Staged {
    /// The blob that it will be.
    pub fn blob(&self) -> &BlobRef {
        &self.blob
    }

    /// Makes it a blob, also where the same content is one already. When this resolves it is there after a crash.
    pub async fn keep(self) -> Result<BlobRef, BlobError> {
        let Self { blob, temporary, area } = self;
        let keep = move || temporary.keep(&area, &blob.digest).map(|()| blob);
        tokio::task::spawn_blocking(keep).await.map_err(io::Error::other)?
    }
}

/// A file being written; removed unless kept.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join("new").join(uuid::Uuid::new_v4().to_string());
        Ok(Self { file: File::create_new(&path)?, path })
    }

    fn keep(self, area: &Blobs, digest: &str) -> Result<(), BlobError> {
        let place = area.path(digest)?;
        let folder = place.parent().unwrap_or(&area.dir);
        area.folders.make(folder)?;
        crate::crash_point!("blob_before_rename");
        {
            let _placing = area.places.read().unwrap_or_else(PoisonError::into_inner);
            fs::rename(&self.path, &place)?;
        }
        crate::crash_point!("blob_after_rename");
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After `keep` there is nothing here any more.
        let _ = fs::remove_file(&self.path);
    }
}

fn read(file: File, range: Option<Range<u64>>, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    if let Err(error) = read_pieces(file, range, pieces) {
        // The reader may be gone.
        let _ = pieces.blocking_send(Err(error));
    }
}

fn read_pieces(mut file: File, range: Option<Range<u64>>, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let range = range.unwrap_or(0..u64::MAX);
    file.seek(SeekFrom::Start(range.start.min(file.metadata()?.len())))?;
    let mut left = range.end.saturating_sub(range.start);
    while left > 0 {
        let want = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        let mut piece = Vec::with_capacity(want);
        let got = (&mut file).take(want as u64).read_to_end(&mut piece)?;
        if got == 0 || pieces.blocking_send(Ok(piece.into())).is_err() {
            break;
        }
        left -= got as u64;
    }
    Ok(())
}
