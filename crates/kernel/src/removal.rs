//! Removing content while a backup may be copying it.
//!
//! A backup copies what its snapshot of the store refers to, which takes a while. Whatever is removed meanwhile is not
//! removed but set aside, under `DIR/set-aside` at its old path, where the backup finds it; once no backup runs it
//! goes. The backup is a process of its own, so the sign is a lock on `DIR/backup.lock`, which the kernel frees however
//! that process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where what was removed during a backup waits for its end.
pub const SET_ASIDE: &str = "set-aside";

/// The file whose lock says that a backup runs.
pub const BACKUP_LOCK: &str = "backup.lock";

/// How files and folders of one data folder are removed. Cheap to clone; its calls block for a moment.
#[derive(Debug, Clone)]
pub struct Removals {
    data_dir: Arc<Path>,
}

/// Held by who moves content from one file to others: no backup begins before it is dropped.
#[derive(Debug)]
pub struct NoBackup(#[expect(dead_code, reason = "held open for its lock")] File);

/// Held by a backup: while it lives, nothing that is removed is lost.
#[derive(Debug)]
pub struct BackupRuns(#[expect(dead_code, reason = "held open for its lock")] File);

impl Removals {
    /// Of the data folder `data_dir`.
    #[must_use]
    pub fn in_folder(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.into() }
    }

    /// Removes the file at `path`, which is in the data folder; one that is gone is no error.
    pub fn file(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(match self.no_backup()? {
            Some(_held) => fs::remove_file(path),
            None => self.set_aside(path),
        })
    }

    /// Removes the folder at `path`, which is in the data folder, with all that is in it; one that is gone is no error.
    pub fn folder(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(match self.no_backup()? {
            Some(_held) => fs::remove_dir_all(path),
            None => self.set_folder_aside(path),
        })
    }

    /// Keeps backups from beginning; `None` while one runs.
    pub fn no_backup(&self) -> io::Result<Option<NoBackup>> {
        let file = self.lock_file()?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(NoBackup(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Begins a backup; `None` while another runs or something is just being removed or moved. What was set aside for one
    /// before is older than this one's snapshot, and goes.
    pub fn begin_backup(&self) -> io::Result<Option<BackupRuns>> {
        self.clear()?;
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(BackupRuns(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes what was set aside, unless a backup runs.
    pub fn clear(&self) -> io::Result<()> {
        match self.no_backup()? {
            Some(_held) => absent_is_fine(fs::remove_dir_all(self.data_dir.join(SET_ASIDE))),
            None => Ok(()),
        }
    }

    fn set_aside(&self, path: &Path) -> io::Result<()> {
        let place = self.data_dir.join(SET_ASIDE).join(self.within(path)?);
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(path, place)
    }

    /// Where part of the folder was set aside before, the rest joins it. What lies there already stays: something newer at the
    /// same path is newer than the snapshot.
    fn set_folder_aside(&self, path: &Path) -> io::Result<()> {
        match self.set_aside(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {}
            done => return done,
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let aside = self.data_dir.join(SET_ASIDE).join(self.within(&entry.path())?);
            if entry.file_type()?.is_dir() {
                self.set_folder_aside(&entry.path())?;
            } else if !aside.exists() {
                fs::rename(entry.path(), aside)?;
            }
        }
        fs::remove_dir_all(path)
    }

    fn within(&self, path: &Path) -> io::Result<PathBuf> {
        path.strip_prefix(&*self.data_dir).map(Path::to_owned).map_err(io::Error::other)
    }

    fn lock_file(&self) -> io::Result<File> {
        let path: PathBuf = self.data_dir.join(BACKUP_LOCK);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let (lock, folder) = (file.metadata()?, fs::metadata(&*self.data_dir)?);
        if lock.uid() != folder.uid() && lock.uid() == 0 {
            // A backup that root makes must not leave a file that the server may not open.
            fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
        }
        Ok(file)
    }
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn folder_with(name: &str) -> (tempfile::TempDir, Removals, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blobs/x").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "content").unwrap();
        let removals = Removals::in_folder(dir.path());
        (dir, removals, path)
    }

    #[test]
    fn without_a_backup_what_is_removed_is_gone() {
        let (dir, removals, path) = folder_with("a");
        removals.file(&path).unwrap();
        removals.file(&path).unwrap();
        assert!(!path.exists());
        removals.folder(&dir.path().join("blobs")).unwrap();
        removals.folder(&dir.path().join("blobs")).unwrap();
        assert!(!dir.path().join("blobs").exists() && !dir.path().join(SET_ASIDE).exists());
    }

    #[test]
    fn during_a_backup_it_is_set_aside_and_goes_afterwards() {
        let (dir, removals, path) = folder_with("a");
        let backup = removals.begin_backup().unwrap().unwrap();
        assert!(removals.begin_backup().unwrap().is_none(), "one at a time");
        removals.file(&path).unwrap();
        fs::create_dir_all(dir.path().join("git/1.git/refs")).unwrap();
        removals.folder(&dir.path().join("git/1.git")).unwrap();
        removals.clear().unwrap();
        assert!(!path.exists() && !dir.path().join("git/1.git").exists());
        assert_eq!(fs::read(dir.path().join(SET_ASIDE).join("blobs/x/a")).unwrap(), b"content");
        assert!(dir.path().join(SET_ASIDE).join("git/1.git/refs").is_dir());
        drop(backup);
        removals.clear().unwrap();
        assert!(!dir.path().join(SET_ASIDE).exists());
    }

    #[test]
    fn a_backup_finds_nothing_that_was_set_aside_for_one_before() {
        let (dir, removals, path) = folder_with("a");
        let first = removals.begin_backup().unwrap();
        removals.file(&path).unwrap();
        assert!(removals.begin_backup().unwrap().is_none() && dir.path().join(SET_ASIDE).exists());
        drop(first);
        assert!(removals.begin_backup().unwrap().is_some());
        assert!(!dir.path().join(SET_ASIDE).exists());
    }

    #[test]
    fn a_folder_joins_what_of_it_was_set_aside_before_and_nothing_of_that_is_replaced() {
        let (dir, removals, _) = folder_with("a");
        let _backup = removals.begin_backup().unwrap().unwrap();
        let (group, kept) = (dir.path().join("logs/g"), dir.path().join(SET_ASIDE).join("logs/g"));
        for (stream, text) in [("one/0", "expired"), ("one/1", "kept"), ("two/0", "other")] {
            fs::create_dir_all(group.join(stream).parent().unwrap()).unwrap();
            fs::write(group.join(stream), text).unwrap();
        }
        removals.file(&group.join("one/0")).unwrap();
        fs::write(group.join("one/0"), "newer").unwrap();
        removals.folder(&group).unwrap();
        assert!(!group.exists());
        let texts = ["one/0", "one/1", "two/0"].map(|stream| fs::read_to_string(kept.join(stream)).unwrap());
        assert_eq!(texts, ["expired", "kept", "other"]);
        removals.folder(&group).unwrap();
    }

    #[test]
    fn a_backup_waits_for_who_moves_content() {
        let (_dir, removals, _) = folder_with("a");
        let moving = removals.no_backup().unwrap().unwrap();
        assert!(removals.begin_backup().unwrap().is_none());
        drop(moving);
        let backup = removals.begin_backup().unwrap();
        assert!(backup.is_some() && removals.no_backup().unwrap().is_none());
    }

    /// Sees something only where it is run by root; others cannot make the file wrong.
    #[test]
    fn the_lock_is_the_folder_owner_s_also_when_root_makes_it() {
        let (dir, removals, _) = folder_with("a");
        let owner = if fs::metadata(dir.path()).unwrap().uid() == 0 { Some(12_345) } else { None };
        std::os::unix::fs::chown(dir.path(), owner, owner).unwrap();
        removals.begin_backup().unwrap().unwrap();
        let uid = |path: &Path| fs::metadata(path).unwrap().uid();
        assert_eq!(uid(&dir.path().join(BACKUP_LOCK)), uid(dir.path()));
    }
}
