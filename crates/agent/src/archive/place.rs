//! Where an archive's entry may go.
//!
//! The folder stays closed by two rules that hold together: an entry's parents are real folders, never
//! links; and a link's target is `../`s that stay below the folder, then names, so that following it from
//! its real place can only lead down again.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// An entry that would be dangerous.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceError {
    /// It is absolute or climbs with `..`.
    #[error("{0}: an archive's names must be relative and without `..`")]
    Name(String),
    /// It lies below a link of the same archive.
    #[error("{0}: lies below a symbolic link")]
    BelowLink(String),
    /// It is a link to the outside.
    #[error("{name}: the link to {target} leads out of the archive's folder")]
    Link {
        /// The link.
        name: String,
        /// Where it leads.
        target: String,
    },
}

/// A checked place below a folder.
#[derive(Debug)]
pub struct Place {
    name: PathBuf,
    path: PathBuf,
}

impl Place {
    /// The place of an entry of this name; `None` for the folder itself (`./`).
    ///
    /// # Errors
    /// [`PlaceError::Name`] and [`PlaceError::BelowLink`].
    pub fn new(folder: &Path, name: &[u8]) -> Result<Option<Self>, PlaceError> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let name = plain(Path::new(OsStr::from_bytes(name))).ok_or_else(|| PlaceError::Name(shown()))?;
        if name.as_os_str().is_empty() {
            return Ok(None);
        }
        let mut parent = folder.to_owned();
        for part in name.parent().into_iter().flat_map(Path::components) {
            parent.push(part);
            if fs::symlink_metadata(&parent).is_ok_and(|metadata| !metadata.is_dir()) {
                return Err(PlaceError::BelowLink(shown()));
            }
        }
        let path = folder.join(&name);
        Ok(Some(Self { name, path }))
    }

    /// The full path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn folder(&self, mode: u32) -> io::Result<()> {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| !metadata.is_dir()) {
            fs::remove_file(&self.path)?;
        }
        fs::create_dir_all(&self.path)?;
        // Its owner must be able to fill it.
        fs::set_permissions(&self.path, Permissions::from_mode(mode & 0o777 | 0o700))
    }

    /// Makes a file, in place of whatever had the name.
    ///
    /// # Errors
    /// The disk's.
    pub fn file(&self, mode: u32) -> io::Result<File> {
        self.clear()?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&self.path)?;
        file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o400))?;
        Ok(file)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// [`PlaceError::Link`] as the inner error's source where it leads out, or the disk's.
    pub fn link(&self, target: &[u8]) -> Result<(), super::ArchiveError> {
        let target = Path::new(OsStr::from_bytes(target));
        if !stays_inside(&self.name, target) {
            return Err(PlaceError::Link {
                name: self.name.display().to_string(),
                target: target.display().to_string(),
            }
            .into());
        }
        self.clear()?;
        Ok(symlink(target, &self.path)?)
    }

    /// Makes a second name of a file that this archive gave before.
    ///
    /// # Errors
    /// The disk's.
    pub fn hard_link(&self, original: &Self) -> io::Result<()> {
        if !fs::symlink_metadata(&original.path)?.is_file() {
            return Err(io::Error::other(format!("{}: not a regular file to link to", original.name.display())));
        }
        self.clear()?;
        fs::hard_link(&original.path, &self.path)
    }

    fn clear(&self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(io::Error::other(format!("{}: a folder is in the way", self.name.display())))
            }
            Ok(_) => fs::remove_file(&self.path),
            Err(_) => Ok(()),
        }
    }
}

/// The name without `.` parts; `None` where it climbs or is absolute or holds a NUL.
fn plain(name: &Path) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&0) {
        return None;
    }
    let mut plain = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// Whether a link of this name may have this target: it leads to where the archive is unpacked, by whatever way it is
/// followed.
#[must_use]
pub fn stays_inside(link: &Path, target: &Path) -> bool {
    let depth = link.components().count().saturating_sub(1);
    let mut parts = target.components().filter(|part| *part != Component::CurDir).peekable();
    let mut climbed = 0;
    while parts.next_if_eq(&Component::ParentDir).is_some() {
        climbed += 1;
    }
    climbed <= depth && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "a/../../x", "a/..", "/etc/passwd", "a\0b"] {
            let error = Place::new(folder.path(), name.as_bytes()).unwrap_err();
            assert_eq!(error, PlaceError::Name(name.into()));
        }
        for name in ["./", ".", ""] {
            assert!(Place::new(folder.path(), name.as_bytes()).unwrap().is_none(), "{name}");
        }
        let place = Place::new(folder.path(), b"./a//b").unwrap().unwrap();
        assert_eq!(place.path(), folder.path().join("a/b"));
    }

    #[test]
    fn links_lead_only_inside() {
        let table = [
            ("a", "b", true),
            ("a", "./b/c", true),
            ("d/a", "../b", true),
            ("d/e/a", "../../b", true),
            ("a", "../b", false),
            ("d/a", "../../b", false),
            ("a", "/etc/passwd", false),
            // `b` may be a link upwards, so climbing after a name is not allowed even where it looks harmless.
            ("a", "b/../c", false),
        ];
        for (link, target, inside) in table {
            assert_eq!(stays_inside(Path::new(link), Path::new(target)), inside, "{link} -> {target}");
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/tmp", folder.path().join("out")).unwrap();
        let error = Place::new(folder.path(), b"out/file").unwrap_err();
        assert_eq!(error, PlaceError::BelowLink("out/file".into()));
        // A file in place of a link replaces the link itself.
        symlink("/etc/hostname", folder.path().join("file")).unwrap();
        Place::new(folder.path(), b"file").unwrap().unwrap().file(0o644).unwrap();
        assert!(fs::symlink_metadata(folder.path().join("file")).unwrap().is_file());
    }
}
