//! The files of a zip, one after the other, as streams. The archive lies in a file without a name: nothing is left behind.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use aws::s3::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use kernel::BlobError;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::rules::site::{Claims, MOST_BYTES, object_key};

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Why an archive could not be extracted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// It is no zip, or a damaged one.
    #[error("{0}")]
    Zip(#[from] zip::result::ZipError),
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It would be dangerous.
    #[error("{0}")]
    Refused(String),
}

/// A file of the archive.
pub(super) struct Unpacked {
    /// Its key in the bucket.
    pub(super) key: String,
    /// What it holds.
    pub(super) content: Body,
}

/// Writes what comes to a nameless file in `folder`.
pub(super) async fn spool(folder: &Path, mut body: Body) -> Result<File, BlobError> {
    tokio::fs::create_dir_all(folder).await?;
    let mut file = tokio::fs::File::from_std(tempfile::tempfile_in(folder)?);
    while let Some(chunk) = body.next().await {
        file.write_all(&chunk?).await?;
    }
    file.flush().await?;
    Ok(file.into_std().await)
}

/// An archive being read on a thread of its own.
pub(super) struct Unpacking {
    files: mpsc::Receiver<Unpacked>,
    reader: JoinHandle<Result<(), Broken>>,
}

impl Unpacking {
    pub(super) fn begin(archive: File, prefix: Option<String>) -> Self {
        let (sender, files) = mpsc::channel(1);
        let reader = tokio::task::spawn_blocking(move || read(archive, prefix.as_deref(), &sender));
        Self { files, reader }
    }

    /// The next file. Behind a large one it comes when that one has been read, or dropped.
    pub(super) async fn next(&mut self) -> Option<Unpacked> {
        self.files.recv().await
    }

    /// Whether that were all. Files that nobody took are left out.
    pub(super) async fn end(self) -> Result<(), Broken> {
        drop(self.files);
        self.reader.await.map_err(io::Error::other)?
    }
}

fn read(mut file: File, prefix: Option<&str>, files: &mpsc::Sender<Unpacked>) -> Result<(), Broken> {
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    claims(&mut archive)?.check(size).map_err(Broken::Refused)?;
    let mut left = MOST_BYTES;
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let key = object_key(prefix, &entry.name()?).map_err(Broken::Refused)?;
        let Some(key) = key.filter(|_| !entry.is_dir()) else { continue };
        match send(entry, key, left, files)? {
            Some(less) => left = less,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Sends a file: a small one whole, so that the next can follow at once. Gives how many bytes may still come; nothing if nobody
/// wants more.
fn send<R: Read>(
    mut entry: ZipFile<'_, R>,
    key: String,
    left: u64,
    files: &mpsc::Sender<Unpacked>,
) -> Result<Option<u64>, Broken> {
    let first = piece(&mut entry)?;
    let left = less(left, &first)?;
    if first.len() < CHUNK {
        let content = Body::from(first);
        return Ok(files.blocking_send(Unpacked { key, content }).is_ok().then_some(left));
    }
    let (sender, chunks) = mpsc::channel(2);
    if files.blocking_send(Unpacked { key, content: body(chunks) }).is_err() || sender.blocking_send(Ok(first)).is_err()
    {
        return Ok(None);
    }
    send_rest(entry, left, &sender).map(Some)
}

fn claims<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Claims, Broken> {
    let mut claims = Claims { entries: archive.len(), ..Claims::default() };
    // Too many are refused without a look at each.
    claims.check(u64::MAX).map_err(Broken::Refused)?;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if entry.encrypted() {
            return Err(Broken::Refused(format!("the entry '{}' is encrypted", entry.name()?)));
        }
        claims.packed = claims.packed.saturating_add(entry.compressed_size());
        claims.unpacked = claims.unpacked.saturating_add(entry.size());
    }
    Ok(claims)
}

fn body(chunks: mpsc::Receiver<io::Result<Bytes>>) -> Body {
    let chunks = stream::unfold(chunks, |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) });
    Body::from_stream(chunks, None)
}

/// Sends what really comes, whatever was claimed. A damaged file breaks its own upload off.
fn send_rest<R: Read>(
    mut entry: ZipFile<'_, R>,
    mut left: u64,
    chunks: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<u64, Broken> {
    loop {
        let chunk = piece(&mut entry).and_then(|chunk| less(left, &chunk).map(|less| (chunk, less)));
        match chunk {
            Ok((chunk, _)) if chunk.is_empty() => return Ok(left),
            Ok((chunk, less)) => {
                left = less;
                // Else the upload has failed, and says why.
                if chunks.blocking_send(Ok(chunk)).is_err() {
                    return Ok(left);
                }
            }
            Err(broken) => {
                let _ = chunks.blocking_send(Err(io::Error::other(broken.to_string())));
                return Err(broken.into());
            }
        }
    }
}

/// The next piece; a short one is the last.
fn piece(entry: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::new();
    entry.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

fn less(left: u64, chunk: &Bytes) -> io::Result<u64> {
    left.checked_sub(chunk.len() as u64).ok_or_else(|| io::Error::other("it holds more than it claims"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> File {
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in entries {
            if name.ends_with('/') {
                writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
            } else {
                writer.start_file(*name, SimpleFileOptions::default()).unwrap();
                writer.write_all(content).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    async fn all(file: File) -> (Vec<(String, usize)>, Result<(), Broken>) {
        let mut unpacking = Unpacking::begin(file, Some("site".into()));
        let mut found = Vec::new();
        while let Some(file) = unpacking.next().await {
            let length = file.content.collect(10 << 20).await.map_or(0, |content| content.len());
            found.push((file.key, length));
        }
        (found, unpacking.end().await)
    }

    #[tokio::test]
    async fn files_come_with_their_keys_and_folders_do_not() {
        let large = vec![7; 3 * CHUNK + 1];
        let (found, end) = all(archive(&[("a/", b""), ("a/b.txt", b"hi"), ("big", &large), ("empty", b"")])).await;
        assert!(end.is_ok());
        let expected = [("site/a/b.txt", 2), ("site/big", large.len()), ("site/empty", 0)];
        assert_eq!(found, expected.map(|(key, length)| (key.to_owned(), length)));
    }

    #[tokio::test]
    async fn names_that_lead_out_and_files_that_are_no_zip_are_refused() {
        let (found, end) = all(archive(&[("ok", b"1"), ("../evil", b"2")])).await;
        assert_eq!(found.len(), 1);
        assert!(end.unwrap_err().to_string().contains("leads out"));
        let mut nonsense = tempfile::tempfile().unwrap();
        nonsense.write_all(b"no zip at all").unwrap();
        assert!(all(nonsense).await.1.is_err());
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_and_no_object() {
        for size in [50_000, 2 * CHUNK + 7] {
            let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
            let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            writer.start_file("a.txt", stored).unwrap();
            writer.write_all(&vec![b'x'; size]).unwrap();
            let mut file = writer.finish().unwrap();
            file.seek(SeekFrom::Start(100)).unwrap();
            file.write_all(&[0xff; 8]).unwrap();
            let mut unpacking = Unpacking::begin(file, None);
            if let Some(file) = unpacking.next().await {
                assert!(file.content.collect(1 << 20).await.is_err(), "{size}");
            }
            assert!(unpacking.end().await.is_err(), "{size}");
        }
    }

    #[tokio::test]
    async fn who_wants_no_more_ends_the_reading() {
        let large = vec![7; 9 * CHUNK];
        let mut unpacking = Unpacking::begin(archive(&[("a", &large), ("b", &large)]), None);
        assert!(unpacking.next().await.is_some(), "and it is dropped unread");
        assert!(unpacking.end().await.is_ok());
    }

    #[tokio::test]
    async fn what_comes_is_spooled_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = spool(&folder.path().join("spool"), Body::from(vec![1; 600_000])).await.unwrap();
        assert_eq!(file.seek(SeekFrom::End(0)).unwrap(), 600_000);
        assert_eq!(std::fs::read_dir(folder.path().join("spool")).unwrap().count(), 0, "it has no name");
    }
}
