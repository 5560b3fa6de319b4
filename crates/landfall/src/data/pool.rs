//! A backup's contents: files named by their SHA-256, in `DIR/content`.

use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of the contents, and that of what is being written.
pub(super) const FOLDERS: [&str; 2] = ["content", "new"];

/// Bytes that are copied at once.
const CHUNK: usize = 1024 * 1024;

/// Contents by their digest.
pub(super) struct Pool {
    dir: PathBuf,
    new: PathBuf,
}

/// What was read and copied: how much, and its SHA-256.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Pool {
    /// The pool of the backup in `dir`, for writing; clears what a backup left half-written.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let pool = Self::of(dir);
        match fs::remove_dir_all(&pool.new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for folder in [&pool.dir, &pool.new] {
            make_private(folder)?;
        }
        Ok(pool)
    }

    /// The pool of the backup in `dir`, for reading.
    pub(super) fn of(dir: &Path) -> Self {
        let [content, new] = FOLDERS;
        Self { dir: dir.join(content), new: dir.join(new) }
    }

    /// Where a content lies.
    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        let (folder, rest) = sha256.split_at_checked(2).unwrap_or((sha256, "-"));
        self.dir.join(folder).join(rest)
    }

    /// A name for a file that is being written.
    pub(super) fn temporary(&self) -> PathBuf {
        self.new.join("file")
    }

    /// Copies what `source` gives, up to `limit` bytes. It is on disk only after the file system was synced.
    pub(super) fn copy(&self, source: &mut dyn Read, limit: u64) -> io::Result<Copied> {
        let temporary = self.temporary();
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let read = copy(&mut source.take(limit), &mut file)?;
        drop(file);
        self.keep(&temporary, &read.sha256)?;
        Ok(read)
    }

    /// Takes over a file that was written beside the contents.
    pub(super) fn keep(&self, temporary: &Path, sha256: &str) -> io::Result<()> {
        let place = self.path(sha256);
        place.parent().map_or(Ok(()), make_private)?;
        fs::rename(temporary, place)
    }

    /// Reads a content and gives what it really is.
    pub(super) fn read(&self, sha256: &str) -> io::Result<Copied> {
        copy(&mut File::open(self.path(sha256))?, &mut io::sink())
    }

    /// Removes all contents but `wanted`; gives how many.
    pub(super) fn prune(&self, wanted: &BTreeSet<&str>) -> io::Result<u64> {
        let mut removed = 0;
        for folder in fs::read_dir(&self.dir)? {
            let folder = folder?;
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let digest = [folder.file_name().to_string_lossy(), file.file_name().to_string_lossy()].concat();
                if !wanted.contains(&*digest) {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Copies and hashes.
pub(super) fn copy(source: &mut dyn Read, target: &mut dyn io::Write) -> io::Result<Copied> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match source.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        target.write_all(read)?;
        size += read.len() as u64;
    }
    Ok(Copied { size, sha256: hex::encode(hash.finalize()) })
}

/// Makes a folder and those above it where they are missing, for no other user's eyes.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    #[test]
    fn content_lies_under_its_digest_for_the_owner_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let pool = Pool::open(dir.path()).expect("a pool");
        let copied = pool.copy(&mut &b"foobar"[..], 3).expect("copied");
        assert_eq!(copied, Copied { size: 3, sha256: FOO.to_owned() });
        assert_eq!(pool.read(FOO).expect("read"), copied);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&pool.path(FOO)), mode(&dir.path().join("content"))), (0o600, 0o700));
        assert!(pool.path(FOO).ends_with(format!("content/2c/{}", &FOO[2..])));
    }

    #[test]
    fn what_is_not_wanted_goes_and_what_was_half_written_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let pool = Pool::open(dir.path()).expect("a pool");
        let other = pool.copy(&mut &b"other"[..], 99).expect("copied").sha256;
        pool.copy(&mut &b"foo"[..], 99).expect("copied");
        assert_eq!(pool.prune(&BTreeSet::from([FOO])).expect("pruned"), 1);
        assert!(pool.read(FOO).is_ok() && pool.read(&other).is_err());
        fs::write(pool.temporary(), "half").expect("written");
        let pool = Pool::open(dir.path()).expect("a pool");
        assert!(!pool.temporary().exists() && pool.read(FOO).is_ok());
    }
}
