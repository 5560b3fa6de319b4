//! A folder to unpack into, with something beside it that must stay as it is.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CONTENT: &str = "untouched";

pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self(tempfile::tempdir().unwrap());
        fs::create_dir(scratch.folder()).unwrap();
        fs::create_dir(scratch.0.path().join("spool")).unwrap();
        fs::write(scratch.beside(), CONTENT).unwrap();
        fs::set_permissions(scratch.beside(), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("nowhere", scratch.0.path().join("link")).unwrap();
        scratch
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().join("folder")
    }

    pub(crate) fn spool(&self) -> &Path {
        self.0.path()
    }

    fn beside(&self) -> PathBuf {
        self.0.path().join("beside")
    }

    /// Nothing is beside the folder but what was.
    pub(crate) fn check(&self) {
        let mut names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["beside", "folder", "link", "spool"]);
        let beside = fs::symlink_metadata(self.beside()).unwrap();
        assert_eq!((beside.mode(), beside.nlink()), (0o100_640, 1), "mode and names of the file beside");
        assert_eq!(fs::read_to_string(self.beside()).unwrap(), CONTENT);
        assert_eq!(fs::read_link(self.0.path().join("link")).unwrap(), Path::new("nowhere"));
        assert_eq!(fs::read_dir(self.0.path().join("spool")).unwrap().count(), 0);
    }

    /// Path, mode and size or target of all that is in the folder.
    pub(crate) fn list(&self) -> Vec<(PathBuf, u32, String)> {
        let (root, mut all) = (self.folder(), Vec::new());
        walk(&root, &root, &mut all);
        all.sort();
        all
    }
}

fn walk(folder: &Path, root: &Path, all: &mut Vec<(PathBuf, u32, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let what = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            metadata.len().to_string()
        };
        all.push((path.strip_prefix(root).unwrap().to_owned(), metadata.mode(), what));
        if metadata.is_dir() {
            walk(&path, root, all);
        }
    }
}
