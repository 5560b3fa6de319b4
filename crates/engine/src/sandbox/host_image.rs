//! The image `host`: a copy-on-write view of the machine's own files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent::shim::{Bundle, Folder, Layout, Link, Overlay, TextFile};

use super::root::Fresh;
use crate::EngineError;

/// The image's name.
pub(super) const NAME: &str = "host";

/// Folders that are made anew in each container: what programs keep while they run, and what is somebody's own.
pub(super) const FRESH: &[Fresh] = &[
    Fresh { path: "tmp", mode: 0o1777 },
    Fresh { path: "var/tmp", mode: 0o1777 },
    Fresh { path: "run", mode: 0o755 },
    Fresh { path: "home", mode: 0o755 },
    Fresh { path: "root", mode: 0o700 },
];

/// Top-level folders that no container sees: the kernel's own, which are mounted anew, and where
/// other disks and the boot loader are mounted, which overlays do not follow.
const LEFT_OUT: [&str; 7] = ["boot", "dev", "lost+found", "media", "mnt", "proc", "sys"];

/// What containers of image `host` see of the machine, and what not.
pub(super) struct HostImage {
    root: PathBuf,
    shares: Vec<PathBuf>,
    masked: Vec<PathBuf>,
}

/// Accepts the image `host` if it is trusted.
pub(super) fn check(trusted: bool) -> Result<(), EngineError> {
    if trusted {
        return Ok(());
    }
    Err(EngineError::Image(
        "image `host` shows this machine's files to every build; allow it with --trust-host-image".to_owned(),
    ))
}

impl HostImage {
    /// Shares `shares`, which must be folders, and hides the data folder and `masked`.
    pub(super) fn new(data_dir: &Path, shares: Vec<PathBuf>, mut masked: Vec<PathBuf>) -> Result<Self, EngineError> {
        for share in &shares {
            if !share.is_absolute() || !share.is_dir() {
                return Err(EngineError::Unusable(format!(
                    "--host-share {}: not the absolute path of a folder",
                    share.display()
                )));
            }
        }
        masked.push(data_dir.to_path_buf());
        Ok(Self { root: PathBuf::from("/"), shares, masked })
    }

    /// The folders that containers see read-only under the same path.
    pub(super) fn shares(&self) -> &[PathBuf] {
        &self.shares
    }

    /// The paths that containers see empty.
    pub(super) fn masked(&self) -> impl Iterator<Item = &Path> {
        self.masked.iter().map(PathBuf::as_path)
    }

    /// The root: an overlay for each top-level folder (one over `/` cannot be had in a user namespace), and the links beside
    /// them. `etc` are texts that go over files in /etc.
    pub(super) fn layout(&self, etc: &[(&str, String)]) -> Result<Layout, EngineError> {
        let read = || fs::read_dir(&self.root)?.collect::<io::Result<Vec<_>>>();
        let mut entries = read().map_err(EngineError::io("cannot read", &self.root))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut layout = Layout { folders: vec![folder(Bundle::ROOT.into(), 0o755)], ..Layout::default() };
        for entry in entries {
            // A name that is not text cannot stand in an overlay's options.
            let Ok(name) = entry.file_name().into_string() else { continue };
            add(&mut layout, &entry.path(), &name).map_err(EngineError::io("cannot look at", &entry.path()))?;
        }
        let upper = upper("etc");
        let text = |(name, text): &(&str, String)| TextFile { path: upper.join(name), text: text.clone() };
        layout.files = etc.iter().map(text).collect();
        Ok(layout)
    }
}

/// Adds a top-level folder or link, unless it is none that containers see.
fn add(layout: &mut Layout, path: &Path, name: &str) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    let target = Path::new(Bundle::ROOT).join(name);
    if metadata.is_symlink() {
        layout.links.push(Link { path: target, target: fs::read_link(path)? });
    } else if metadata.is_dir() && is_overlaid(name) {
        // An upper layer's top folder is what the container sees, so it gets the lower one's mode and owner.
        let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        layout.folders.push(Folder { path: upper(name), mode, uid, gid });
        layout.folders.push(folder(work(name), 0o700));
        let (base, lower) = (path.parent().unwrap_or(path).to_path_buf(), vec![name.into()]);
        layout.overlays.push(Overlay { target, base, lower, upper: upper(name), work: work(name) });
    }
    Ok(())
}

/// Commas and colons have a meaning in an overlay's options.
fn is_overlaid(name: &str) -> bool {
    let fresh = FRESH.iter().any(|fresh| fresh.path == name);
    !fresh && !LEFT_OUT.contains(&name) && !name.contains([',', ':', '\\'])
}

/// A folder of root's own.
fn folder(path: PathBuf, mode: u32) -> Folder {
    Folder { path, mode, uid: 0, gid: 0 }
}

/// What the container wrote under a top-level folder.
fn upper(top: &str) -> PathBuf {
    Path::new("layers").join(top).join("upper")
}

/// The overlay's own folder, beside the upper one.
fn work(top: &str) -> PathBuf {
    Path::new("layers").join(top).join("work")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_the_trusted_host_image_is_taken() {
        assert!(check(true).is_ok());
        assert!(check(false).is_err_and(|error| error.to_string().contains("--trust-host-image")));
    }

    #[test]
    fn lays_out_folders_and_links_and_leaves_out_the_rest() {
        let machine = tempfile::tempdir().unwrap();
        for folder in ["usr", "etc", "tmp", "proc", "home", "boot", "odd,name"] {
            fs::create_dir(machine.path().join(folder)).unwrap();
        }
        fs::set_permissions(machine.path().join("usr"), fs::Permissions::from_mode(0o751)).unwrap();
        fs::write(machine.path().join("swapfile"), "").unwrap();
        symlink("usr/bin", machine.path().join("bin")).unwrap();
        let image = HostImage { root: machine.path().to_path_buf(), shares: vec![], masked: vec![] };
        let layout = image.layout(&[("hosts", "me".to_owned())]).unwrap();
        let targets: Vec<_> = layout.overlays.iter().map(|overlay| overlay.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["rootfs/etc", "rootfs/usr"]);
        assert_eq!(
            (&*layout.overlays[1].base, &*layout.overlays[1].lower),
            (machine.path(), &[PathBuf::from("usr")][..])
        );
        assert_eq!(layout.links, [Link { path: "rootfs/bin".into(), target: "usr/bin".into() }]);
        let usr = layout.folders.iter().find(|folder| folder.path == layout.overlays[1].upper).unwrap();
        assert_eq!(usr.mode, 0o751);
        assert_eq!(layout.files, [TextFile { path: "layers/etc/upper/hosts".into(), text: "me".into() }]);
    }

    #[test]
    fn shares_must_be_folders() {
        for wrong in ["relative", "/nowhere/at/all"] {
            let image = HostImage::new(Path::new("/d"), vec![wrong.into()], vec![]);
            assert!(image.is_err_and(|error| error.to_string().contains(wrong)));
        }
        let image = HostImage::new(Path::new("/d"), vec!["/usr".into()], vec!["/x".into()]).unwrap();
        assert_eq!(image.masked().collect::<Vec<_>>(), [Path::new("/x"), Path::new("/d")]);
    }
}
