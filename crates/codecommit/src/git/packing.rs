//! Packing: loose objects into packs, small packs into larger ones, references into one file.
//!
//! Nothing that a repository holds is ever dropped, reachable or not: a push, a clone or a reader beside it finds every
//! object in the old place or in the new. (`git repack --geometric` takes loose objects without asking who refers to
//! them; what it deletes is in the new pack.)

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use kernel::Timestamp;

use super::{Git, GitError};

/// What Git was writing when it was killed is left alone for this long.
const ABANDONED: Duration = Duration::from_secs(24 * 3_600);

/// How much there is to pack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) loose: u64,
    /// Bytes of the loose objects.
    pub(crate) bytes: u64,
    pub(crate) packs: u64,
}

impl Git {
    /// Packs what is loose in the repository with this id.
    pub(crate) async fn pack(&self, id: &str) -> Result<(), GitError> {
        let folder = self.folder(id);
        let _turn = self.processes.acquire().await.map_err(io::Error::other)?;
        self.run(&folder, &["repack", "--geometric=2", "-d", "-q"]).await?;
        kernel::crash_point!("codecommit_after_packing");
        self.run(&folder, &["pack-refs", "--all"]).await?;
        Ok(())
    }

    /// How much there is to pack; nothing of a repository without a folder. Blocks.
    pub(crate) fn unpacked(&self, id: &str) -> io::Result<Unpacked> {
        let objects = self.folder(id).join("objects");
        let mut unpacked = Unpacked::default();
        for name in names(&objects)?.into_iter().filter(|name| name.len() == 2) {
            for file in names(&objects.join(&name))?.into_iter().filter(|file| !file.starts_with("tmp_")) {
                unpacked.loose += 1;
                unpacked.bytes += fs::metadata(objects.join(&name).join(file)).map_or(0, |metadata| metadata.len());
            }
        }
        let packs = names(&objects.join("pack"))?;
        unpacked.packs = packs.iter().filter(|name| name.ends_with(".pack")).count() as u64;
        Ok(unpacked)
    }

    /// Removes what pushes were writing when they or the server were killed, long ago. Blocks.
    pub(crate) fn clear_abandoned(&self, id: &str, now: Timestamp) -> io::Result<u64> {
        let objects = self.folder(id).join("objects");
        let mut cleared = 0;
        for folder in [objects.clone(), objects.join("pack")] {
            for name in names(&folder)?.into_iter().filter(|name| name.starts_with("tmp_")) {
                let path = folder.join(name);
                if is_abandoned(&path, now) {
                    cleared += 1;
                    if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
                }
            }
        }
        Ok(cleared)
    }
}

/// Not of one that vanished meanwhile.
fn is_abandoned(path: &Path, now: Timestamp) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = written.ok().and_then(|written| written.duration_since(UNIX_EPOCH).ok());
    since.is_some_and(|since| now.since(Timestamp::from_millis(0) + since) >= ABANDONED)
}

/// The names in a folder; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kernel::{Clock, SystemClock};

    use super::*;

    async fn repository_with(objects: usize) -> (tempfile::TempDir, Git) {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::in_folder(dir.path());
        let folder = git.ensure("1").await.unwrap();
        for n in 0..objects {
            let file = dir.path().join("content");
            fs::write(&file, format!("object {n}")).unwrap();
            git.run(&folder, &["hash-object", "-w", file.to_str().unwrap()]).await.unwrap();
        }
        (dir, git)
    }

    async fn has(git: &Git, n: usize, dir: &Path) -> bool {
        let file = dir.join("content");
        fs::write(&file, format!("object {n}")).unwrap();
        let folder = git.folder("1");
        let id = git.run(&folder, &["hash-object", file.to_str().unwrap()]).await.unwrap();
        let id = String::from_utf8(id).unwrap();
        git.run(&folder, &["cat-file", "-e", id.trim()]).await.is_ok()
    }

    #[tokio::test]
    async fn loose_objects_are_packed_and_none_is_lost_though_nothing_refers_to_them() {
        let (dir, git) = repository_with(5).await;
        assert_eq!(git.unpacked("1").unwrap().loose, 5);
        git.pack("1").await.unwrap();
        let after = git.unpacked("1").unwrap();
        assert_eq!((after.loose, after.bytes, after.packs), (0, 0, 1));
        for n in 0..5 {
            assert!(has(&git, n, dir.path()).await, "{n}");
        }
        git.pack("1").await.unwrap();
        assert_eq!(git.unpacked("1").unwrap(), after, "packed twice is packed once");
        assert_eq!(git.unpacked("absent").unwrap(), Unpacked::default());
    }

    #[tokio::test]
    async fn what_was_being_written_is_cleared_a_day_later() {
        let (_dir, git) = repository_with(0).await;
        let objects = git.folder("1").join("objects");
        fs::create_dir(objects.join("tmp_objdir-incoming-1")).unwrap();
        fs::write(objects.join("pack/tmp_pack_1"), "half").unwrap();
        let now = SystemClock.now();
        assert_eq!(git.clear_abandoned("1", now).unwrap(), 0);
        assert_eq!(git.clear_abandoned("1", now + ABANDONED + Duration::from_secs(60)).unwrap(), 2);
        assert!(objects.is_dir() && !objects.join("tmp_objdir-incoming-1").exists());
    }
}
