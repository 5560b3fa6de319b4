//! Folders whose names are on disk: else a power cut could take a folder from under content that was acknowledged.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The folders below one folder that are known to be on disk. What an earlier process has left, or what another task is just
/// making, is not: it was perhaps never synced.
#[derive(Debug)]
pub struct Folders {
    root: PathBuf,
    known: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Of `root`, which is there, and on disk.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default() }
    }

    /// Makes `folder`, which is below the root, and those above it where they are missing. When this returns a power cut
    /// leaves them there. Blocks.
    ///
    /// # Errors
    /// The system's; another call begins again with what is not known to be on disk.
    pub fn make(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.known().contains(folder) {
            return Ok(());
        }
        let above = folder.parent().ok_or_else(|| io::Error::other("a folder outside of the root"))?;
        self.make(above)?;
        match fs::create_dir(folder) {
            // What is there may be a file.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => return Err(error),
            _ => {}
        }
        File::open(above)?.sync_all()?;
        self.known().insert(folder.to_owned());
        Ok(())
    }

    /// The folder is not there any more, nor what was in it.
    pub fn forget(&self, folder: &Path) {
        self.known().retain(|known| !known.starts_with(folder));
    }

    fn known(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_again_when_they_are_gone() {
        let root = tempfile::tempdir().unwrap();
        let (folders, deep) = (Folders::below(root.path()), root.path().join("a/b/c"));
        folders.make(&deep).unwrap();
        folders.make(&root.path().join("a/x")).unwrap();
        assert!(deep.is_dir());
        fs::remove_dir_all(root.path().join("a/b")).unwrap();
        folders.forget(&root.path().join("a/b"));
        folders.make(&deep).unwrap();
        assert!(deep.is_dir() && folders.known().contains(&root.path().join("a/x")));
        assert!(folders.make(Path::new("elsewhere")).is_err());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(folders.make(&root.path().join("file")).is_err(), "a file is no folder");
    }
}
