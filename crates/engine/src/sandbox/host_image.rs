//! The image `host`: a copy-on-write view of the machine's own files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent::shim::Layout;

use super::host_layers::{Layers, can_be_overlaid};
use super::host_secrets::{self, Secrets};
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

/// Of those, where the kernel's are mounted anew.
const KERNEL: [&str; 3] = ["dev", "proc", "sys"];

/// Of those, the ones that every container has all the same, empty.
const EMPTY: [&str; 2] = ["media", "mnt"];

/// What containers of image `host` see of the machine, and what not.
pub(super) struct HostImage {
    root: PathBuf,
    shares: Vec<PathBuf>,
    masked: Vec<PathBuf>,
    secrets: Secrets,
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
        let root = PathBuf::from("/");
        Ok(Self { secrets: Secrets::new(root.clone()), root, shares, masked })
    }

    /// The folders that containers see read-only under the same path.
    pub(super) fn shares(&self) -> &[PathBuf] {
        &self.shares
    }

    /// The paths that containers see empty.
    pub(super) fn masked(&self) -> impl Iterator<Item = &Path> {
        self.masked.iter().map(PathBuf::as_path)
    }

    /// The root: an overlay, or several where that cannot be had, as in a user namespace. `etc` are texts that go over files
    /// in /etc.
    pub(super) fn layout(&self, etc: &[(&str, String)], rootless: bool) -> Result<Layout, EngineError> {
        let mounted = mount_points();
        let laid_out = if rootless { self.by_folders(etc, &mounted) } else { self.whole(etc, &mounted) };
        laid_out.map_err(EngineError::io("cannot look at", &self.root))
    }

    /// One overlay over all, and one for each top-level folder that is another file system: overlays do not follow mounts.
    fn whole(&self, etc: &[(&str, String)], mounted: &[PathBuf]) -> io::Result<Layout> {
        let mut layers = Layers::new(&self.root, &[]);
        let tops = self.tops()?;
        let (apart, seen): (Vec<String>, Vec<String>) =
            tops.iter().cloned().partition(|top| mounted.contains(&self.root.join(top)));
        let fresh = FRESH.iter().map(|fresh| fresh.path).filter(|path| !path.contains('/'));
        let anew: Vec<&str> = fresh.chain(KERNEL).chain(EMPTY).chain(apart.iter().map(String::as_str)).collect();
        layers.whole(&seen, &anew)?;
        for top in &apart {
            layers.add(Path::new(top))?;
        }
        self.veil(layers, etc, &tops)
    }

    /// An overlay for each top-level folder, the links beside them, and smaller overlays around what is mounted below.
    fn by_folders(&self, etc: &[(&str, String)], mounted: &[PathBuf]) -> io::Result<Layout> {
        let mut layers = Layers::new(&self.root, mounted);
        for name in EMPTY {
            layers.empty(name);
        }
        let tops = self.tops()?;
        for top in &tops {
            layers.add(Path::new(top))?;
        }
        self.veil(layers, etc, &tops)
    }

    /// Replaces and hides what containers shall not see as it is.
    fn veil(&self, mut layers: Layers<'_>, etc: &[(&str, String)], tops: &[String]) -> io::Result<Layout> {
        for (name, text) in etc {
            layers.put(&Path::new("etc").join(name), text.clone(), 0o644)?;
        }
        for (name, text) in host_secrets::without_passwords(&self.root) {
            layers.put(&Path::new("etc").join(name), text, 0o640)?;
        }
        for path in self.secrets.hidden(tops) {
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

    fn image(machine: &Path) -> HostImage {
        let root = machine.to_path_buf();
        HostImage { secrets: Secrets::new(root.clone()), root, shares: vec![], masked: vec![] }
    }

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
        let image = image(machine.path());
        let etc = [("hosts", "me".to_owned())];
        let targets = |layout: &Layout| -> Vec<String> {
            layout.overlays.iter().map(|overlay| overlay.target.to_str().unwrap().to_owned()).collect()
        };
        let apart = image.layout(&etc, true).unwrap();
        assert_eq!(targets(&apart), ["rootfs/etc", "rootfs/usr"]);
        assert_eq!(apart.links.len(), 1);
        assert!(apart.folders.iter().any(|folder| folder.path == Path::new("rootfs/mnt")));
        let whole = image.layout(&etc, false).unwrap();
        assert_eq!(targets(&whole), ["rootfs"]);
        for name in ["boot", "home", "odd,name", "proc", "swapfile", "tmp"] {
            assert!(whole.hidden.contains(&Path::new("veil/0").join(name)), "{name}");
        }
        assert_eq!(whole.hidden.len(), 6);
        assert!(whole.folders.iter().any(|folder| folder.path == Path::new("veil/anew/proc")));
        for layout in [&apart, &whole] {
            let texts: Vec<_> = layout.files.iter().map(|file| file.text.as_str()).collect();
            assert_eq!(texts, ["me", "root:*:1\n"]);
        }
    }

    #[test]
    fn another_file_system_has_an_overlay_of_its_own_and_is_hidden_below() {
        let machine = tempfile::tempdir().unwrap();
        for folder in ["usr", "etc", "srv"] {
            fs::create_dir(machine.path().join(folder)).unwrap();
        }
        let layout = image(machine.path()).whole(&[("hosts", String::new())], &[machine.path().join("etc")]).unwrap();
        let targets: Vec<_> = layout.overlays.iter().map(|overlay| overlay.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["rootfs", "rootfs/etc"]);
        assert_eq!(layout.hidden, [Path::new("veil/0/etc")]);
        assert_eq!(layout.files[0].path, Path::new("veil/1/hosts"));
        assert_eq!(layout.overlays[0].over, [Path::new("veil/anew"), Path::new("veil/0")]);
        assert_eq!(layout.overlays[1].over, [Path::new("veil/1")]);
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
