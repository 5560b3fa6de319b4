//! How `limits.disk_bytes` is kept.
//!
//! A container's writable space (its layers, its root folder, a daemon's scratch) is an ext4 file system of that size in a
//! sparse file, mounted by the shim in its own mount namespace over a loop device that lets go by itself. It costs 5 ms for
//! `mke2fs` and 3 ms for the mount, takes of the disk only what is written, and gives a full build ENOSPC. Project quotas
//! would be cheaper, but the data folder's file system must have been made and mounted for them, which almost none is; a
//! tmpfs would take memory. Where there are no loop devices (ordinary users, most containers) the shim counts twice a second
//! and ends a container that has written too much.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent::shim::{Bundle, Disk};

use super::runtime::find_program;
use crate::EngineError;

/// Below this there is no room for a file system's own tables.
const LEAST: u64 = 8 << 20;

/// What can keep a size on this machine.
#[derive(Debug, Clone)]
pub(super) enum Keeper {
    /// File systems of their own, made by this program.
    Images(PathBuf),
    /// Counting alone.
    Counting,
}

impl Keeper {
    /// Root has loop devices, if the machine has any.
    pub(super) fn find(rootless: bool) -> Self {
        let loops = !rootless && Path::new("/dev/loop-control").exists();
        match find_program("mke2fs").filter(|_| loops) {
            Some(mke2fs) => Self::Images(mke2fs),
            None => Self::Counting,
        }
    }

    /// Makes what keeps `limit` bytes in the space of `bundle`.
    pub(super) fn keep(&self, bundle: &Bundle, limit: Option<u64>) -> Result<Option<Disk>, EngineError> {
        let Some(limit) = limit else { return Ok(None) };
        let Self::Images(mke2fs) = self else { return Ok(Some(Disk::Watched(limit))) };
        let image = bundle.disk_image();
        let file = File::create_new(&image).map_err(EngineError::io("cannot make", &image))?;
        file.set_len(limit.max(LEAST)).map_err(EngineError::io("cannot size", &image))?;
        let output = Command::new(mke2fs).args(OPTIONS).arg(&image).stdin(Stdio::null()).output();
        let output = output.map_err(EngineError::io("cannot run", mke2fs))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(EngineError::io("mke2fs refused", &image)(std::io::Error::other(words.trim().to_owned())));
        }
        Ok(Some(Disk::Image(image)))
    }
}

/// No journal, for nobody reads it after a crash; nothing kept for root; tables that are zeroes already are not written.
const OPTIONS: [&str; 12] = [
    "-q",
    "-F",
    "-t",
    "ext4",
    "-m",
    "0",
    "-O",
    "^has_journal,^resize_inode,sparse_super2",
    "-E",
    "lazy_itable_init=1,nodiscard,root_owner=0:0",
    "-I",
    "256",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn an_image_is_of_the_size_and_takes_next_to_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        let Some(mke2fs) = find_program("mke2fs") else { return };
        let made = Keeper::Images(mke2fs).keep(&bundle, Some(20 << 30)).unwrap();
        assert_eq!(made, Some(Disk::Image(bundle.disk_image())));
        let metadata = bundle.disk_image().metadata().unwrap();
        assert_eq!(metadata.len(), 20 << 30);
        assert!(metadata.blocks() * 512 < 4 << 20, "{} blocks", metadata.blocks());
    }

    #[test]
    fn no_limit_is_no_image_and_without_loops_it_is_counted() {
        let bundle = Bundle::new("/nowhere".into());
        assert_eq!(Keeper::Images("/mke2fs".into()).keep(&bundle, None).unwrap(), None);
        assert_eq!(Keeper::Counting.keep(&bundle, Some(7)).unwrap(), Some(Disk::Watched(7)));
        assert!(matches!(Keeper::find(true), Keeper::Counting));
    }
}
