use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::fault::Fault;
use super::repository::Repository;
use crate::Descriptor;
use crate::digest::Hasher;

/// Over which time a blob's speed is looked at.
const SPEED_WINDOW: Duration = Duration::from_secs(60);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A blob that grows in a file, hashed as it comes.
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
}

impl Partial {
    /// Goes on where an earlier download stopped.
    pub(crate) fn open(path: &Path, size: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut partial = Self { path: path.to_owned(), file, hasher: Hasher::default(), length: 0 };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = partial.file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            partial.hasher.update(&buffer[..read]);
            partial.length += read as u64;
            if partial.length > size {
                partial.restart()?;
                break;
            }
        }
        Ok(partial)
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn is(&self, blob: &Descriptor) -> bool {
        self.hasher.clone().finish() == blob.digest
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::default();
        self.length = 0;
        Ok(())
    }
}

/// Downloads a blob into `partial`'s file, from where it stands; each failed try goes on from where it failed. Tries are
/// bounded: those that bring nothing, and all. `progress` hears how many bytes are there.
///
/// # Errors
/// The last try's fault, or [`Fault::Lasting`] where what came is not the blob.
pub(crate) async fn download(
    repository: &Repository,
    blob: &Descriptor,
    mut partial: Partial,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Fault> {
    let patience = repository.connection.patience;
    let (mut fruitless, mut pause) = (0, patience.pause);
    // What a crash of the machine left in the file need not be what came: then all is asked for again, once.
    let mut doubtful = partial.length > 0;
    // A registry that cuts each answer after some bytes is bounded too.
    for _ in 0..patience.tries.saturating_mul(16) {
        let before = partial.length;
        match attempt(repository, blob, &mut partial, progress).await {
            Ok(()) if doubtful && !partial.is(blob) => {
                doubtful = false;
                partial.restart().map_err(on_disk)?;
                continue;
            }
            Ok(()) => return verify(blob, partial),
            Err(Fault::Passing(_) | Fault::NoConnection(_)) if fruitless + 1 < patience.tries => {}
            Err(fault) => return Err(fault),
        }
        if partial.length > before {
            (fruitless, pause) = (0, patience.pause);
        } else {
            fruitless += 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Err(Fault::Passing(format!("the layer {} breaks off again and again", blob.digest)))
}

/// What is whole and not the blob is removed, so that the next pull begins anew.
fn verify(blob: &Descriptor, partial: Partial) -> Result<(), Fault> {
    let Partial { path, hasher, length, .. } = partial;
    let digest = hasher.finish();
    if digest == blob.digest {
        return Ok(());
    }
    fs::remove_file(&path).map_err(on_disk)?;
    Err(Fault::Lasting(format!("the layer {} came with the content of {digest} ({length} bytes)", blob.digest)))
}

async fn attempt(
    repository: &Repository,
    blob: &Descriptor,
    partial: &mut Partial,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Fault> {
    progress(partial.length);
    if partial.length == blob.size {
        return Ok(());
    }
    let response = repository.open_blob(&blob.digest, range(partial.length)).await?;
    if partial.length > 0 && !continues(response.status(), response.headers(), partial.length) {
        partial.restart().map_err(on_disk)?;
        if response.status() != StatusCode::OK {
            return Err(Fault::Passing(format!("the layer {} cannot be had in parts", blob.digest)));
        }
    }
    let mut body = response.into_body();
    let patience = repository.connection.patience;
    let mut window = (Instant::now(), partial.length);
    while partial.length < blob.size {
        let frame = tokio::time::timeout(patience.idle, body.frame()).await;
        let broken = |why: &str| Fault::Passing(format!("the layer {} {why}", blob.digest));
        let frame = match frame {
            Err(_) => return Err(broken("comes no further")),
            Ok(None) => return Err(broken("broke off")),
            Ok(Some(Err(error))) => return Err(broken(&format!("broke off: {error}"))),
            Ok(Some(Ok(frame))) => frame,
        };
        let Some(bytes) = frame.data_ref() else { continue };
        if partial.length + bytes.len() as u64 > blob.size {
            partial.restart().map_err(on_disk)?;
            return Err(Fault::Lasting(format!("the layer {} is longer than its {} bytes", blob.digest, blob.size)));
        }
        partial.push(bytes).map_err(on_disk)?;
        progress(partial.length);
        if window.0.elapsed() > SPEED_WINDOW.min(patience.idle * 2) {
            let milliseconds = u64::try_from(window.0.elapsed().as_millis()).unwrap_or(u64::MAX);
            if partial.length - window.1 < patience.slowest.saturating_mul(milliseconds) / 1000 {
                return Err(broken("comes too slowly"));
            }
            window = (Instant::now(), partial.length);
        }
    }
    Ok(())
}

/// Asks for what is missing.
fn range(from: u64) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("bytes={from}-"));
    match value {
        Ok(value) if from > 0 => HeaderMap::from_iter([(RANGE, value)]),
        _ => HeaderMap::new(),
    }
}

/// Whether the answer begins where the file ends.
fn continues(status: StatusCode, headers: &HeaderMap, from: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    status == StatusCode::PARTIAL_CONTENT && range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn on_disk(error: io::Error) -> Fault {
    Fault::Lasting(format!("a layer cannot be written to the store: {error}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn a_part_is_gone_on_with_and_too_much_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        fs::write(&path, "hello").unwrap();
        let mut partial = Partial::open(&path, 11).unwrap();
        assert_eq!(partial.length, 5);
        partial.push(b" world").unwrap();
        let blob = Descriptor { media_type: String::new(), digest: Digest::of(b"hello world"), size: 11 };
        verify(&blob, partial).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"hello world");
        assert_eq!(Partial::open(&path, 10).unwrap().length, 0);
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert!(verify(&blob, Partial::open(&path, 11).unwrap()).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn only_an_answer_that_begins_there_continues() {
        let headers = |range: &'static str| HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(range))]);
        assert!(continues(StatusCode::PARTIAL_CONTENT, &headers("bytes 5-9/10"), 5));
        assert!(!continues(StatusCode::PARTIAL_CONTENT, &headers("bytes 0-9/10"), 5));
        assert!(!continues(StatusCode::PARTIAL_CONTENT, &HeaderMap::new(), 5));
        assert!(!continues(StatusCode::OK, &headers("bytes 5-9/10"), 5));
        assert!(range(0).is_empty());
        assert_eq!(range(5)[RANGE], "bytes=5-");
    }
}
