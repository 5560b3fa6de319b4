//! The image `host`: a copy-on-write view of the machine's own files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent::shim::Layout;

use super::host_layers::{Layers, can_be_overlaid};
use super::host_secrets;
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

/// Of those, the ones that every container has all the same, empty.
const EMPTY: [&str; 2] = ["media", "mnt"];

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

    /// The root: overlays of the top-level folders (one over `/` cannot be had in a user namespace), and the links beside
    /// them. `etc` are texts that go over files in /etc.
    pub(super) fn layout(&self, etc: &[(&str, String)], rootless: bool) -> Result<Layout, EngineError> {
        let laid_out = self.lay_out(etc, &if rootless { mount_points() } else { Vec::new() });
        laid_out.map_err(EngineError::io("cannot look at", &self.root))
    }

    fn lay_out(&self, etc: &[(&str, String)], mounted: &[PathBuf]) -> io::Result<Layout> {
        let mut layers = Layers::new(&self.root, mounted);
        for name in EMPTY {
            layers.empty(name);
        }
        let tops = self.tops()?;
        for top in &tops {
            layers.add(Path::new(top))?;
        }
        for (name, text) in etc {
            layers.put(&Path::new("etc").join(name), text.clone(), 0o644);
        }
        for (name, text) in host_secrets::without_passwords(&self.root) {
            layers.put(&Path::new("etc").join(name), text, 0o640);
        }
        for path in host_secrets::hidden(&self.root, &tops) {
            layers.hide(&path)?;
        }
        Ok(layers.layout())
    }

    /// The names of the top-level folders and links that containers see, in order.
    fn tops(&self) -> io::Result<Vec<String>> {
        let mut tops = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name().into_string().ok().filter(|name| is_seen(name));
            tops.extend(name.filter(|_| kind.is_dir() || kind.is_symlink()));
        }
        tops.sort();
        Ok(tops)
    }
}

fn is_seen(name: &str) -> bool {
    let fresh = FRESH.iter().any(|fresh| fresh.path == name);
    !fresh && !LEFT_OUT.contains(&name) && can_be_overlaid(Path::new(name))
}

/// Where something is mounted on the machine.
fn mount_points() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

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
        fs::write(machine.path().join("swapfile"), "").unwrap();
        fs::write(machine.path().join("etc/shadow"), "root:hash:1\n").unwrap();
        symlink("usr/bin", machine.path().join("bin")).unwrap();
        let image = HostImage { root: machine.path().to_path_buf(), shares: vec![], masked: vec![] };
        let layout = image.layout(&[("hosts", "me".to_owned())], false).unwrap();
        let targets: Vec<_> = layout.overlays.iter().map(|overlay| overlay.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["rootfs/etc", "rootfs/usr"]);
        assert_eq!(layout.links.len(), 1);
        let texts: Vec<_> = layout.files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["me", "root:*:1\n"]);
        assert!(layout.folders.iter().any(|folder| folder.path == Path::new("rootfs/mnt")));
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
