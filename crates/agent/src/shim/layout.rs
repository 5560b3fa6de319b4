use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};
use serde::{Deserialize, Serialize};

/// What the shim makes in a container's fresh writable space before anything runs, in the fields' order. Paths are relative to
/// that space, and no path leads through a link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// A folder of the space that is in memory, and comes before all others. The many small things that only hide or replace
    /// something lie there: made on ext4 and removed with each container, they would cost more than all the rest, for it
    /// looks for inodes that were not removed lately.
    #[serde(default)]
    pub veil: Option<PathBuf>,
    /// Folders, each after the one that it is in.
    pub folders: Vec<Folder>,
    /// Symbolic links.
    pub links: Vec<Link>,
    /// Small files.
    pub files: Vec<TextFile>,
    /// Copies of the machine's files; of what this user cannot read there is none.
    #[serde(default)]
    pub copies: Vec<CopiedFile>,
    /// In an overlay's upper folder: what the overlay shall not show of the lower ones.
    #[serde(default)]
    pub hidden: Vec<PathBuf>,
    /// Overlays, mounted in the shim's own mount namespace: the machine's never sees them.
    pub overlays: Vec<Overlay>,
}

/// A folder; those above it are made too, for root alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Where.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where.
    pub path: PathBuf,
    /// What it says.
    pub target: PathBuf,
}

/// A small file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    /// Where; in a folder that is there.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
    /// Its permission bits.
    pub mode: u32,
}

impl TextFile {
    /// A file that all may read.
    pub fn readable(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), mode: 0o644 }
    }
}

/// A copy of one of the machine's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedFile {
    /// Where the copy is made.
    pub path: PathBuf,
    /// The absolute path of the file.
    pub from: PathBuf,
}

/// A writable view of folders that are not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The folder over which it is mounted; made where it is missing.
    pub target: PathBuf,
    /// The folder that the names of the lower ones begin at: short names, for all together must fit a page of memory.
    pub base: PathBuf,
    /// Folders of the machine below [`Self::base`], the uppermost first.
    pub lower: Vec<PathBuf>,
    /// Folders of the space that lie over those and are not written to, the uppermost first.
    #[serde(default)]
    pub over: Vec<PathBuf>,
    /// What is written goes here.
    pub upper: PathBuf,
    /// The overlay's own folder, beside the upper one.
    pub work: PathBuf,
}

impl Layout {
    /// Makes all of it in `space`. `rootless`: in a user namespace of this process's own, where owners that are not mapped
    /// stay as they are, and overlays keep their marks in attributes that need no privilege.
    pub(super) fn make(&self, space: &Path, rootless: bool) -> io::Result<()> {
        if let Some(veil) = &self.veil {
            in_memory(&inside(space, veil)?).map_err(about("cannot mount", veil))?;
        }
        for folder in &self.folders {
            folder.make(space, rootless).map_err(about("cannot make", &folder.path))?;
        }
        for link in &self.links {
            symlink(&link.target, inside(space, &link.path)?).map_err(about("cannot link", &link.path))?;
        }
        for file in &self.files {
            file.write(space).map_err(about("cannot write", &file.path))?;
        }
        for copy in &self.copies {
            copy.make(space).map_err(about("cannot copy", &copy.from))?;
        }
        for path in &self.hidden {
            hide(&inside(space, path)?).map_err(about("cannot hide", path))?;
        }
        for overlay in &self.overlays {
            overlay.mount(space, rootless).map_err(about("cannot mount the overlay on", &overlay.target))?;
        }
        Ok(())
    }
}

impl Folder {
    fn make(&self, space: &Path, rootless: bool) -> io::Result<()> {
        let path = inside(space, &self.path)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(self.mode & 0o7777))?;
        match chown(&path, Some(self.uid), Some(self.gid)) {
            Err(_) if rootless => Ok(()),
            changed => changed,
        }
    }
}

impl TextFile {
    fn write(&self, space: &Path) -> io::Result<()> {
        let path = inside(space, &self.path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(self.text.as_bytes())?;
        fs::set_permissions(&path, Permissions::from_mode(self.mode & 0o7777))
    }
}

impl CopiedFile {
    fn make(&self, space: &Path) -> io::Result<()> {
        match fs::copy(&self.from, inside(space, &self.path)?) {
            // It may have been removed since it was listed.
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound) => Ok(()),
            copied => copied.map(drop),
        }
    }
}

impl Overlay {
    fn mount(&self, space: &Path, rootless: bool) -> io::Result<()> {
        let target = inside(space, &self.target)?;
        DirBuilder::new().recursive(true).mode(0o755).create(&target)?;
        let options = self.options(space, rootless)?;
        std::env::set_current_dir(&self.base)?;
        Ok(mount(Some("overlay"), &target, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
    }

    /// `volatile`: nobody reads the upper folder after a crash of the machine, so what the container syncs need not reach
    /// the disk.
    fn options(&self, space: &Path, rootless: bool) -> io::Result<String> {
        let over = self.over.iter().map(|path| inside(space, path)).collect::<io::Result<Vec<_>>>()?;
        let lower = over.iter().chain(&self.lower).map(|path| plain(path));
        let lower = lower.collect::<io::Result<Vec<_>>>()?.join(":");
        let (upper, work) = (inside(space, &self.upper)?, inside(space, &self.work)?);
        let marks = if rootless { ",userxattr" } else { "" };
        Ok(format!("lowerdir={lower},upperdir={},workdir={},volatile{marks}", plain(&upper)?, plain(&work)?))
    }
}

/// A file system in memory at a folder that is made, in this process's mount namespace; what it may hold bounds mistakes.
fn in_memory(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    Ok(mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=700,size=16m"))?)
}

/// A whiteout as overlays know it: a character device of number 0, which everybody may make.
fn hide(path: &Path) -> io::Result<()> {
    Ok(mknod(path, SFlag::S_IFCHR, Mode::empty(), 0)?)
}

/// `path` below `space`: relative, and never out of it.
fn inside(space: &Path, path: &Path) -> io::Result<PathBuf> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let named = path.components().next().is_some();
    if plain && named {
        Ok(space.join(path))
    } else {
        Err(io::Error::other(format!("{path:?} is not below the space")))
    }
}

/// A path as it may stand in an overlay's options, where commas, colons and backslashes have a meaning.
fn plain(path: &Path) -> io::Result<&str> {
    path.to_str()
        .filter(|text| !text.contains([',', ':', '\\']))
        .ok_or_else(|| io::Error::other(format!("{path:?} has a character that overlays cannot take")))
}

fn about(action: &str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let what = format!("{action} {}", path.display());
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn folder(path: &str, mode: u32) -> Folder {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        Folder { path: path.into(), mode, uid, gid }
    }

    #[test]
    fn makes_folders_links_and_files() {
        let space = tempfile::tempdir().unwrap();
        let layout = Layout {
            veil: None,
            folders: vec![folder("layers/etc/upper", 0o1757), folder("rootfs", 0o755)],
            links: vec![Link { path: "rootfs/bin".into(), target: "usr/bin".into() }],
            files: vec![TextFile::readable("layers/etc/upper/hosts", "127.0.0.1 localhost\n")],
            copies: vec![CopiedFile { path: "rootfs/copy".into(), from: "/etc/passwd".into() }],
            hidden: vec!["layers/etc/upper/key".into()],
            overlays: Vec::new(),
        };
        layout.make(space.path(), false).unwrap();
        let at = |path: &str| space.path().join(path);
        assert_eq!(at("layers/etc/upper").metadata().unwrap().mode() & 0o7777, 0o1757);
        assert_eq!(at("layers/etc").metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read(at("rootfs/copy")).unwrap(), fs::read("/etc/passwd").unwrap());
        let hidden = at("layers/etc/upper/key").metadata().unwrap();
        assert_eq!((hidden.mode() & 0o170_000, hidden.rdev()), (0o020_000, 0));
        assert_eq!(fs::read_link(at("rootfs/bin")).unwrap(), Path::new("usr/bin"));
        assert!(fs::read_to_string(at("layers/etc/upper/hosts")).unwrap().contains("localhost"));
    }

    #[test]
    fn an_overlays_options_name_all_its_folders() {
        let overlay = Overlay {
            target: "rootfs".into(),
            base: "/images".into(),
            lower: vec!["b".into(), "a".into()],
            over: vec!["veil/0".into()],
            upper: "layers/root/upper".into(),
            work: "layers/root/work".into(),
        };
        let options = |rootless| overlay.options(Path::new("/space"), rootless).unwrap();
        let usual =
            "lowerdir=/space/veil/0:b:a,upperdir=/space/layers/root/upper,workdir=/space/layers/root/work,volatile";
        assert_eq!(options(false), usual);
        assert_eq!(options(true), format!("{usual},userxattr"));
        let odd = Overlay { lower: vec!["a:b".into()], ..overlay };
        assert!(odd.options(Path::new("/space"), false).is_err());
    }

    #[test]
    fn nothing_is_made_outside_the_space() {
        for path in ["/etc/passwd", "../x", "a/../../x", ""] {
            assert!(inside(Path::new("/space"), Path::new(path)).is_err(), "{path}");
        }
        assert_eq!(inside(Path::new("/space"), Path::new("a/b")).unwrap(), Path::new("/space/a/b"));
    }
}
