//! Where runs live: `$XDG_CACHE_HOME/landfall`, with the images that all of them share and a folder for each run.
//!
//! A run holds a lock on `runs/ID.lock` as long as it lives. What was killed holds none: the next run ends its
//! containers and removes its folder.

use crate::exit::user_error;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The cache folder of this user.
pub(crate) fn cache(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = || format!("landfall-{}", nix::unistd::geteuid());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map_or_else(|| std::env::temp_dir().join(of_user()), |cache| cache.join("landfall"))
}

/// The folder of one run; removed with its content when it is closed.
pub(crate) struct Home {
    path: PathBuf,
    lock: PathBuf,
    /// Held to say that this run lives.
    _held: File,
}

impl Home {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// The user's: the cache cannot be written.
    pub(crate) fn new(cache: &Path) -> anyhow::Result<Self> {
        Self::make(&cache.join("runs")).map_err(|error| {
            let cache = cache.display();
            user_error(format!("{cache}: {error}; let XDG_CACHE_HOME name a folder that this user may write"))
        })
    }

    fn make(runs: &Path) -> io::Result<Self> {
        private_folder(runs)?;
        runs.ancestors().take(2).try_for_each(not_anothers)?;
        loop {
            let (held, lock) = tempfile::Builder::new().prefix("").suffix(".lock").tempfile_in(runs)?.keep()?;
            // Whoever clears up may have taken it for one that was left, in between.
            if held.try_lock().is_ok() && lock.exists() {
                let path = lock.with_extension("");
                private_folder(&path)?;
                return Ok(Self { path, lock, _held: held });
            }
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn close(self) -> io::Result<()> {
        remove(&self.path)?;
        std::fs::remove_file(&self.lock)
    }
}

/// The run that a lock belongs to which nobody holds: it was killed. The lock is held from then on.
pub(crate) fn left_behind(cache: &Path) -> Vec<Home> {
    let Ok(entries) = std::fs::read_dir(cache.join("runs")) else { return Vec::new() };
    let locks =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "lock"));
    locks.filter_map(take_over).collect()
}

fn take_over(lock: PathBuf) -> Option<Home> {
    let held = File::options().write(true).open(&lock).ok()?;
    match held.try_lock() {
        Ok(()) => Some(Home { path: lock.with_extension(""), lock, _held: held }),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Where everybody may make folders, one of a name that can be guessed may be somebody else's, who could then bring files in.
fn not_anothers(path: &Path) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    let shared = path.starts_with(std::env::temp_dir());
    if shared && !(metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw()) {
        return Err(io::Error::other(format!("{} is another user's", path.display())));
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_cache_is_where_the_user_keeps_such() {
        let with = |set: &'static [(&str, &str)]| {
            cache(&move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(with(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Path::new("/c/landfall"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]), Path::new("/h/.cache/landfall"));
        assert!(with(&[]).to_string_lossy().contains("landfall-"));
    }

    #[test]
    fn a_run_that_lives_is_left_alone_and_one_that_was_killed_is_found() {
        let cache = tempfile::tempdir().unwrap();
        let living = Home::new(cache.path()).unwrap();
        assert_eq!(std::fs::metadata(living.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let killed = Home::new(cache.path()).unwrap().path().to_owned();
        std::fs::write(killed.join("file"), "left").unwrap();
        let left = left_behind(cache.path());
        assert_eq!(left.iter().map(Home::path).collect::<Vec<_>>(), [killed.as_path()]);
        assert!(left_behind(cache.path()).is_empty(), "two would clear up at once");
        for home in left {
            home.close().unwrap();
        }
        assert!(!killed.exists() && living.path().exists());
        living.close().unwrap();
        assert_eq!(std::fs::read_dir(cache.path().join("runs")).unwrap().count(), 0);
    }

    #[test]
    fn a_cache_that_somebody_else_laid_down_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let cache = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(cache.path(), Some(65_534), None).unwrap();
        let error = Home::new(cache.path()).err().unwrap().to_string();
        assert!(error.contains("another user's") && error.contains("XDG_CACHE_HOME"), "{error}");
    }

    #[test]
    fn what_cannot_be_written_says_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Home::new(file.path()).err().unwrap().to_string();
        assert!(error.contains("XDG_CACHE_HOME"), "{error}");
    }
}
