use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Store;
use crate::ImageError;

/// How often a lock that somebody else holds is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// A lock on something in the store, against other threads and other processes; the kernel lets go of it when its holder
/// dies, however that is.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Lets others share it too.
    pub(crate) fn share(&self) -> Result<(), ImageError> {
        self.file.lock_shared().map_err(ImageError::io("cannot share the lock", &self.path))
    }

    /// Removes the lock itself, with what it guarded; only its single holder may.
    pub(crate) fn retire(self) -> Result<(), ImageError> {
        super::files::remove(&self.path)
    }
}

impl Store {
    /// Takes the lock `name` for itself alone, or with others who `share` it; `None` where somebody else has it.
    pub(crate) fn try_lock(&self, name: &str, share: bool) -> Result<Option<Lock>, ImageError> {
        let path = self.path("locks").join(name);
        let failed = |error| ImageError::io("cannot lock", &path)(error);
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            let locked = if share { file.try_lock_shared() } else { file.try_lock() };
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Its last holder may have retired it before this one came: then the file of this name is another.
            if is_at(&file, &path).map_err(failed)? {
                return Ok(Some(Lock { file, path }));
            }
        }
    }

    /// Waits for the lock until `cancelled`.
    pub(crate) fn lock(&self, name: &str, share: bool, cancelled: &AtomicBool) -> Result<Lock, ImageError> {
        loop {
            if let Some(lock) = self.try_lock(name, share)? {
                return Ok(lock);
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(ImageError::io("cannot wait for", &self.path("locks"))(io::ErrorKind::Interrupted.into()));
            }
            std::thread::sleep(AGAIN);
        }
    }
}

fn is_at(file: &File, path: &std::path::Path) -> io::Result<bool> {
    let mine = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((mine.dev(), mine.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_alone_or_several_who_share() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let alone = store.try_lock("a", false).unwrap().unwrap();
        assert!(store.try_lock("a", false).unwrap().is_none());
        assert!(store.try_lock("a", true).unwrap().is_none());
        assert!(store.try_lock("b", false).unwrap().is_some());
        alone.share().unwrap();
        let shared = store.try_lock("a", true).unwrap().unwrap();
        assert!(store.try_lock("a", false).unwrap().is_none());
        drop((alone, shared));
        store.try_lock("a", false).unwrap().unwrap().retire().unwrap();
        assert!(store.try_lock("a", false).unwrap().is_some());
    }

    #[test]
    fn who_waited_for_a_retired_lock_gets_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = store.try_lock("a", false).unwrap().unwrap();
        let waiting = {
            let store = store.clone();
            std::thread::spawn(move || store.lock("a", false, &AtomicBool::new(false)).unwrap())
        };
        first.retire().unwrap();
        let lock = waiting.join().unwrap();
        assert!(is_at(&lock.file, &lock.path).unwrap());
        assert!(store.try_lock("a", false).unwrap().is_none());
        let cancelled = store.lock("a", false, &AtomicBool::new(true));
        assert!(cancelled.is_err());
    }
}
