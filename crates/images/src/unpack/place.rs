use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fsetxattr, fstat, linkat, mkdirat, mknodat, open, openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// A folder that is a layer's root: nothing is ever made or followed outside of it, whatever links are in it. The kernel
/// sees to that (`openat2`, RESOLVE_IN_ROOT).
pub(super) struct Place {
    root: OwnedFd,
}

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    Folder,
    /// An overlay's mark that lower layers' thing of this name is gone.
    Whiteout,
    Other,
}

impl Place {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let root = open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> io::Result<OwnedFd> {
        self.folder(&[])?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The folder at this path, links followed inside; `None` where there is none.
    pub(super) fn folder(&self, parts: &[Vec<u8>]) -> io::Result<Option<OwnedFd>> {
        self.open_folder(parts, OFlags::empty())
    }

    /// The folder at this path, if its last part is no link.
    pub(super) fn real_folder(&self, parts: &[Vec<u8>]) -> io::Result<Option<OwnedFd>> {
        self.open_folder(parts, OFlags::NOFOLLOW)
    }

    fn open_folder(&self, parts: &[Vec<u8>], follow: OFlags) -> io::Result<Option<OwnedFd>> {
        let path = if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | follow;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, path, flags, Mode::empty(), resolve) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is at `name` in `folder`, links not followed.
pub(super) fn there(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<There> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => There::Folder,
            FileType::CharacterDevice if stat.st_rdev == 0 => There::Whiteout,
            _ => There::Other,
        }),
        Err(Errno::NOENT) => Ok(There::Nothing),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn stat_of(folder: &OwnedFd) -> io::Result<Stat> {
    Ok(fstat(folder)?)
}

pub(super) fn make_folder(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    mkdirat(folder, name, Mode::RWXU)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

/// A new file, which must not be there.
pub(super) fn make_file(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

pub(super) fn make_symlink(folder: BorrowedFd<'_>, name: &[u8], target: &[u8]) -> io::Result<()> {
    Ok(symlinkat(target, folder, name)?)
}

pub(super) fn make_hard_link(
    (from_folder, from): (BorrowedFd<'_>, &[u8]),
    (folder, name): (BorrowedFd<'_>, &[u8]),
) -> io::Result<()> {
    Ok(linkat(from_folder, from, folder, name, AtFlags::empty())?)
}

pub(super) fn make_fifo(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    Ok(mknodat(folder, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// The device 0:0, which the kernel lets everybody make.
pub(super) fn make_whiteout(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    Ok(mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), 0)?)
}

/// Removes what is at `name`, with all that is in it.
pub(super) fn remove(folder: BorrowedFd<'_>, name: &[u8], there: There) -> io::Result<()> {
    match there {
        There::Nothing => Ok(()),
        There::Whiteout | There::Other => Ok(unlinkat(folder, name, AtFlags::empty())?),
        There::Folder => {
            let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
            remove_tree(&path.join(OsStr::from_bytes(name)))
        }
    }
}

/// Removes a folder with all that is in it, however deep that is, and also where folders are closed to their owner. One folder
/// is open at a time: a layer may be deeper than this process may have files open.
pub(crate) fn remove_tree(folder: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut within = open(above, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // The names of the folders in which this is, each with those in it that are left.
    let mut path: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    let mut next = name.as_bytes().to_vec();
    loop {
        within = open_to_empty(&within, &next)?;
        let folders = remove_files(&within)?;
        path.push((std::mem::take(&mut next), folders));
        // Up, as long as nothing is left.
        while let Some((name, folders)) = path.last_mut() {
            if let Some(deeper) = folders.pop() {
                next = deeper;
                break;
            }
            within = openat(&within, "..", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            unlinkat(&within, name.as_slice(), AtFlags::REMOVEDIR)?;
            path.pop();
        }
        if path.is_empty() {
            return Ok(());
        }
    }
}

/// Opens a folder that is to be emptied, whatever its permissions are.
fn open_to_empty(within: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let is_open = |folder: &OwnedFd| fstat(folder).is_ok_and(|stat| stat.st_mode & 0o300 == 0o300);
    match openat(within, name, flags, Mode::empty()) {
        Ok(folder) if is_open(&folder) || geteuid().is_root() => Ok(folder),
        Ok(folder) => {
            fchmod(&folder, Mode::RWXU)?;
            Ok(folder)
        }
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(within, name, Mode::RWXU, AtFlags::empty())?;
            Ok(openat(within, name, flags, Mode::empty())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes what is in a folder, but for folders that are not empty; answers their names.
fn remove_files(folder: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => folders.push(name.to_vec()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(folders)
}

/// Sets owner and group of what is at `name` itself, not of what it links to.
pub(super) fn set_owner(folder: BorrowedFd<'_>, name: &[u8], uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    Ok(chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets the permissions of a pipe, which cannot be opened.
pub(super) fn set_mode_at(folder: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<()> {
    Ok(rustix::fs::chmodat(folder, name, Mode::from_raw_mode(mode), AtFlags::empty())?)
}

pub(super) fn set_mode(file: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    Ok(fchmod(file, Mode::from_raw_mode(mode))?)
}

pub(super) fn set_xattr(file: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> io::Result<()> {
    Ok(fsetxattr(file, name, value, XattrFlags::empty())?)
}

/// Sets when it was last changed and read.
pub(super) fn set_time(folder: BorrowedFd<'_>, name: &[u8], (seconds, nanoseconds): (i64, u32)) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets when an open folder was last changed.
pub(super) fn set_folder_time(folder: &OwnedFd, (seconds, nanoseconds): (i64, u32)) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    Ok(rustix::fs::futimens(folder, &Timestamps { last_access: time, last_modification: time })?)
}

/// Brings everything that was written to the file system of `folder` to the disk.
pub(crate) fn sync_all(folder: &Path) -> io::Result<()> {
    let folder = openat(CWD, folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::syncfs(&folder)?)
}

/// Bytes of all files beneath a folder; one with several names counts once.
pub(crate) fn bytes_of(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let (mut bytes, mut folders, mut seen) = (0, vec![folder.to_owned()], std::collections::HashSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() && (metadata.nlink() == 1 || seen.insert(metadata.ino())) {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}
