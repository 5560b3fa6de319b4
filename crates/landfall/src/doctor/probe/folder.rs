//! The data folder.

use super::super::facts::{Folder, FolderState};
use kernel::store::{DATABASE, FORMAT};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where SQLite keeps `user_version` in a database's header, and how long it is.
const USER_VERSION: u64 = 60;

pub(super) fn look(path: &Path) -> Folder {
    let there = existing(path);
    let on_overlay = statfs(&there).is_ok_and(|found| found.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
    let free = statvfs(&there).ok().map(|found| found.blocks_available() * found.fragment_size());
    Folder { path: path.to_owned(), state: state(path, &there), free, on_overlay }
}

/// The nearest folder above that is there.
pub(super) fn existing(path: &Path) -> PathBuf {
    let above = path.ancestors().find(|folder| !folder.as_os_str().is_empty() && folder.exists());
    above.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn state(path: &Path, there: &Path) -> FolderState {
    let writable = |folder: &Path| access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
    let Ok(metadata) = std::fs::metadata(path) else {
        return FolderState::Absent { can_be_made: writable(there) };
    };
    if !metadata.is_dir() {
        return FolderState::NoFolder;
    }
    if !writable(path) {
        return FolderState::Unwritable;
    }
    let known = u32::try_from(FORMAT).unwrap_or(u32::MAX);
    let format = format(&path.join(DATABASE));
    if let Some(found) = format.filter(|found| *found > known) {
        return FolderState::Newer { found, known };
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 { FolderState::Open(mode) } else { FolderState::Good { format } }
}

/// The format in a database's header; the file is not opened as a database, so that a running server is left alone.
fn format(database: &Path) -> Option<u32> {
    let mut bytes = [0; 4];
    File::open(database).ok()?.read_exact_at(&mut bytes, USER_VERSION).ok()?;
    Some(u32::from_be_bytes(bytes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::{Store, SystemClock};
    use std::sync::Arc;

    fn state_of(path: &Path) -> FolderState {
        look(path).state
    }

    #[test]
    fn a_folder_is_known_by_what_is_there() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        assert_eq!(state_of(&folder.join("deeper")), FolderState::Absent { can_be_made: true });
        drop(Store::open(&folder, Arc::new(SystemClock)).unwrap());
        let known = u32::try_from(FORMAT).unwrap();
        assert_eq!(state_of(&folder), FolderState::Good { format: Some(known) });
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(state_of(&folder), FolderState::Open(0o755));
        let database = File::options().write(true).open(folder.join(DATABASE)).unwrap();
        database.write_all_at(&(known + 1).to_be_bytes(), USER_VERSION).unwrap();
        assert_eq!(state_of(&folder), FolderState::Newer { found: known + 1, known });
        assert_eq!(state_of(&folder.join(DATABASE)), FolderState::NoFolder);
    }
}
