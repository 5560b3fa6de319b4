use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::name::{self, Name, refused};
use super::place::{self, Place, There};
use crate::tar::{Entry, Kind, TarReader};

/// Whose the files of a layer become, and in which attributes overlays look for their marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// As the layer says; this process is root.
    Kept,
    /// All this process's own: it may not give files away, and in a container it is root.
    Squashed,
}

impl Ownership {
    /// What this process can do.
    pub(crate) fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Kept } else { Self::Squashed }
    }

    /// An overlay that is mounted in a user namespace looks for its marks in attributes of users.
    fn opaque_mark(self) -> &'static [u8] {
        match self {
            Self::Kept => b"trusted.overlay.opaque",
            Self::Squashed => b"user.overlay.opaque",
        }
    }

    /// Capabilities of files are root's to set; overlays' own marks are nobody's.
    fn takes(self, xattr: &[u8]) -> bool {
        let users = xattr.starts_with(b"user.") && !xattr.starts_with(b"user.overlay.");
        users || (xattr == b"security.capability" && self == Self::Kept)
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Bytes of files.
    pub(crate) bytes: u64,
    /// Things in the archive.
    pub(crate) entries: u64,
    /// Devices that were left out: containers have their own /dev, and no others.
    pub(crate) devices: u64,
}

/// The most that may be unpacked, and a flag that ends it.
pub(crate) struct Bounds<'b> {
    pub(crate) entries: u64,
    /// Bytes of memory for what is kept of folders until all is unpacked.
    pub(crate) memory: usize,
    pub(crate) cancelled: &'b AtomicBool,
}

/// Unpacks a layer's archive (not compressed) into `folder`, which is empty. `parents` are the folders of the layers
/// beneath, uppermost first: a folder that the archive writes into without naming it is as it is there.
///
/// # Errors
/// `InvalidData` for what no layer may have, with the entry's path; the system's for what it refuses.
pub(crate) fn unpack(
    archive: impl Read,
    folder: &Path,
    parents: &[PathBuf],
    ownership: Ownership,
    bounds: &Bounds<'_>,
) -> io::Result<Unpacked> {
    let mut layer = Layer {
        place: Place::open(folder)?,
        parents: parents.iter().map(|parent| Place::open(parent)).collect::<io::Result<_>>()?,
        ownership,
        folders: BTreeMap::new(),
        memory: bounds.memory,
        last: None,
        unpacked: Unpacked::default(),
    };
    layer.imply(&[])?;
    let mut archive = TarReader::new(archive);
    while let Some(entry) = archive.next_entry()? {
        layer.unpacked.entries += 1;
        if layer.unpacked.entries > bounds.entries {
            return Err(io::Error::other(format!("it has more than {} entries", bounds.entries)));
        }
        if bounds.cancelled.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        layer.take(&entry, &mut archive)?;
    }
    // What follows the end belongs to the digest.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    layer.finish()
}

/// About what a part of a path takes besides its bytes.
const MEMORY_OF_PART: usize = 48;

/// A path by its parts from the layer's root.
type Parts = Vec<Vec<u8>>;

struct Layer {
    place: Place,
    parents: Vec<Place>,
    ownership: Ownership,
    /// What folders will be when everything is in them: permissions and time.
    folders: BTreeMap<Parts, (u32, (i64, u32))>,
    /// About the bytes that they may still take.
    memory: usize,
    /// The folder of the entry before, for most follow each other in one.
    last: Option<(Parts, OwnedFd)>,
    unpacked: Unpacked,
}

impl Layer {
    fn take(&mut self, entry: &Entry, content: &mut impl Read) -> io::Result<()> {
        match name::read(&entry.path)? {
            Name::Nothing => Ok(()),
            Name::Opaque(parts) => self.opaque(&parts),
            Name::Whiteout(parts) => self.whiteout(&parts),
            Name::Thing(parts) => match parts.split_last() {
                None if entry.kind == Kind::Folder => self.root(entry),
                None => Err(refused(&entry.path, "the root is a folder")),
                Some(_) if entry.kind == Kind::Device => {
                    self.unpacked.devices += 1;
                    Ok(())
                }
                Some((name, parents)) => self.thing(entry, parents, name, content),
            },
        }
    }

    fn root(&mut self, entry: &Entry) -> io::Result<()> {
        let root = self.place.root()?;
        self.dress_folder(&root, entry)?;
        self.remember(&[], (entry.mode, entry.mtime))
    }

    fn opaque(&mut self, parts: &[Vec<u8>]) -> io::Result<()> {
        self.imply(parts)?;
        let folder = self.place.folder(parts)?.ok_or(io::ErrorKind::NotFound)?;
        self.mark_opaque(&folder)
    }

    fn mark_opaque(&self, folder: &OwnedFd) -> io::Result<()> {
        place::set_xattr(folder.as_fd(), self.ownership.opaque_mark(), b"y")
    }

    /// Marks that a thing of lower layers is gone. What this layer itself has at the name stays (its folder does
    /// not show the lower one's content then).
    fn whiteout(&mut self, parts: &[Vec<u8>]) -> io::Result<()> {
        let Some((name, parents)) = parts.split_last() else { return Ok(()) };
        let folder = self.parent(parents)?;
        match place::there(folder.as_fd(), name)? {
            There::Nothing => place::make_whiteout(folder.as_fd(), name)?,
            There::Folder => {
                let inner = self.place.real_folder(parts)?.ok_or(io::ErrorKind::NotFound)?;
                self.mark_opaque(&inner)?;
            }
            There::Whiteout | There::Other => {}
        }
        self.last = Some((parents.to_vec(), folder));
        Ok(())
    }

    fn thing(&mut self, entry: &Entry, parents: &[Vec<u8>], name: &[u8], content: &mut impl Read) -> io::Result<()> {
        let folder = self.parent(parents)?;
        let there = place::there(folder.as_fd(), name)?;
        if entry.kind == Kind::Folder {
            let parts = [parents, &[name.to_vec()]].concat();
            self.folder(entry, &folder, &parts, there)?;
        } else {
            // The folder that goes may be the one that is remembered, or lie in its path.
            self.last = None;
            if entry.kind == Kind::HardLink {
                self.hard_link(entry, &folder, name, there)?;
            } else {
                place::remove(folder.as_fd(), name, there)?;
                self.make(entry, &folder, name, content)?;
            }
        }
        self.last = Some((parents.to_vec(), folder));
        Ok(())
    }

    fn folder(&mut self, entry: &Entry, parent: &OwnedFd, parts: &[Vec<u8>], there: There) -> io::Result<()> {
        let Some(name) = parts.last() else { return Ok(()) };
        let folder = match there {
            There::Folder => self.inner(parent, name)?,
            _ => {
                self.last = None;
                place::remove(parent.as_fd(), name, there)?;
                place::make_folder(parent.as_fd(), name)?
            }
        };
        if there == There::Whiteout {
            self.mark_opaque(&folder)?;
        }
        self.dress_folder(&folder, entry)?;
        self.remember(parts, (entry.mode, entry.mtime))
    }

    fn inner(&self, parent: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(parent, name, flags, Mode::empty())?)
    }

    fn dress_folder(&self, folder: &OwnedFd, entry: &Entry) -> io::Result<()> {
        if self.ownership == Ownership::Kept {
            place::set_owner(folder.as_fd(), b".", entry.uid, entry.gid)?;
        }
        self.set_xattrs(folder, entry)
    }

    fn set_xattrs(&self, file: impl AsFd, entry: &Entry) -> io::Result<()> {
        let taken = entry.xattrs.iter().filter(|(name, _)| self.ownership.takes(name));
        taken.into_iter().try_for_each(|(name, value)| match place::set_xattr(file.as_fd(), name, value) {
            // Files are used without them, where the store's file system has none.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            set => set,
        })
    }

    /// A further name of a file of this layer. The file is looked up as everything else: never outside.
    fn hard_link(&mut self, entry: &Entry, folder: &OwnedFd, name: &[u8], there: There) -> io::Result<()> {
        let nothing = || refused(&entry.path, "it is a hard link to what is not in this layer");
        let Name::Thing(parts) = name::read(&entry.link)? else { return Err(nothing()) };
        let Some((from, parents)) = parts.split_last() else { return Err(nothing()) };
        let from_folder = self.place.folder(parents)?.ok_or_else(nothing)?;
        if place::there(from_folder.as_fd(), from)? != There::Other {
            return Err(nothing());
        }
        let same = |a: &OwnedFd, b: &OwnedFd| -> io::Result<bool> {
            let (a, b) = (place::stat_of(a)?, place::stat_of(b)?);
            Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
        };
        // A link to itself would remove what it links to.
        if from == name && same(&from_folder, folder)? {
            return Ok(());
        }
        place::remove(folder.as_fd(), name, there)?;
        place::make_hard_link((from_folder.as_fd(), from), (folder.as_fd(), name))
    }

    fn make(&mut self, entry: &Entry, folder: &OwnedFd, name: &[u8], content: &mut impl Read) -> io::Result<()> {
        let at = folder.as_fd();
        match entry.kind {
            Kind::Symlink => place::make_symlink(at, name, &entry.link)?,
            Kind::Fifo => place::make_fifo(at, name)?,
            _ => {
                let mut file = place::make_file(at, name)?;
                self.unpacked.bytes += io::copy(content, &mut file)?;
                if self.ownership == Ownership::Kept {
                    place::set_owner(at, name, entry.uid, entry.gid)?;
                }
                // After the owner: a change of owner takes setuid and capabilities away.
                place::set_mode(file.as_fd(), entry.mode)?;
                self.set_xattrs(&file, entry)?;
                return place::set_time(at, name, entry.mtime);
            }
        }
        if self.ownership == Ownership::Kept {
            place::set_owner(at, name, entry.uid, entry.gid)?;
        }
        if entry.kind == Kind::Fifo {
            place::set_mode_at(at, name, entry.mode)?;
        }
        place::set_time(at, name, entry.mtime)
    }

    /// The folder that an entry lies in.
    fn parent(&mut self, parts: &[Vec<u8>]) -> io::Result<OwnedFd> {
        if let Some((last, folder)) = self.last.take()
            && last == parts
        {
            return Ok(folder);
        }
        if let Some(folder) = self.place.folder(parts)? {
            return Ok(folder);
        }
        self.imply(parts)?;
        let path = parts.join(&b'/');
        self.place.folder(parts)?.ok_or_else(|| refused(&path, "it leads through what is no folder"))
    }

    /// Makes the folders of this path that are not there, as the layers beneath have them.
    fn imply(&mut self, parts: &[Vec<u8>]) -> io::Result<()> {
        for depth in 0..=parts.len() {
            let path = &parts[..depth];
            let folder = match (self.place.folder(path)?, path.split_last()) {
                (Some(_), Some(_)) => continue,
                (Some(root), None) if !self.folders.contains_key(path) => root,
                (Some(_), None) => continue,
                (None, None) => return Err(io::ErrorKind::NotFound.into()),
                (None, Some((name, parents))) => {
                    let within = self.place.folder(parents)?.ok_or(io::ErrorKind::NotFound)?;
                    let there = place::there(within.as_fd(), name)?;
                    if !matches!(there, There::Nothing | There::Whiteout) {
                        return Err(refused(&path.join(&b'/'), "it leads through what is no folder"));
                    }
                    place::remove(within.as_fd(), name, there)?;
                    let made = place::make_folder(within.as_fd(), name)?;
                    if there == There::Whiteout {
                        self.mark_opaque(&made)?;
                    }
                    made
                }
            };
            self.inherit(path, &folder)?;
        }
        Ok(())
    }

    /// Makes an implied folder as it is in the layers beneath; where none has it, as root's own.
    fn inherit(&mut self, path: &[Vec<u8>], folder: &OwnedFd) -> io::Result<()> {
        for parent in &self.parents {
            let Some(beneath) = parent.real_folder(path)? else { continue };
            let stat = place::stat_of(&beneath)?;
            if self.ownership == Ownership::Kept {
                place::set_owner(folder.as_fd(), b".", stat.st_uid, stat.st_gid)?;
            }
            let time = (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0));
            return self.remember(path, (stat.st_mode & 0o7777, time));
        }
        self.remember(path, (0o755, (0, 0)))
    }

    /// Keeps what a folder will be when everything is in it.
    fn remember(&mut self, path: &[Vec<u8>], dress: (u32, (i64, u32))) -> io::Result<()> {
        if self.folders.insert(path.to_vec(), dress).is_none() {
            let size = path.iter().map(|part| part.len() + MEMORY_OF_PART).sum::<usize>() + MEMORY_OF_PART;
            let left = self.memory.checked_sub(size);
            self.memory =
                left.ok_or_else(|| refused(&path.join(&b'/'), "there are too many folders with long paths"))?;
        }
        Ok(())
    }

    /// Gives folders their permissions and times, the inner ones first.
    fn finish(self) -> io::Result<Unpacked> {
        for (parts, (mode, time)) in self.folders.iter().rev() {
            // It may have been replaced since.
            let Some(folder) = self.place.real_folder(parts)? else { continue };
            place::set_mode(folder.as_fd(), *mode)?;
            place::set_folder_time(&folder, *time)?;
        }
        Ok(self.unpacked)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::TarMaker;

    #[test]
    fn what_is_kept_of_folders_is_bounded() {
        let archive = (0..20).fold(TarMaker::default(), |tar, n| tar.file(&format!("{n}/a/b/c/d/e/f/g"), b"")).finish();
        let unpacked = |memory| {
            let folder = tempfile::tempdir().unwrap();
            let bounds = Bounds { entries: 100, memory, cancelled: &AtomicBool::new(false) };
            unpack(&archive[..], folder.path(), &[], Ownership::of_this_process(), &bounds)
        };
        assert!(unpacked(1 << 20).is_ok());
        assert!(unpacked(10 << 10).unwrap_err().to_string().contains("too many folders"));
    }
}
