//! The image `host`: a copy-on-write view of the machine's own files.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use agent::shim::Bundle;

use crate::EngineError;

/// The image's name.
const NAME: &str = "host";

/// Top-level folders that are made anew in each container, with their modes.
pub(super) const FRESH: [(&str, u32); 5] =
    [("tmp", 0o1777), ("var/tmp", 0o1777), ("run", 0o755), ("home", 0o755), ("root", 0o700)];

/// Top-level folders that no container sees: the kernel's own, which are mounted anew, and where
/// other disks and the boot loader are mounted, which overlays do not follow.
const LEFT_OUT: [&str; 7] = ["boot", "dev", "lost+found", "media", "mnt", "proc", "sys"];

/// What containers of image `host` see of the machine, and what not.
pub(super) struct HostImage {
    root: PathBuf,
    shares: Vec<PathBuf>,
    masked: Vec<PathBuf>,
}

/// Accepts the image `host`, if it is trusted, and explains for all others what to do.
pub(super) fn check(image: &str, trusted: bool) -> Result<(), EngineError> {
    match (image == NAME, trusted) {
        (true, true) => Ok(()),
        (true, false) => Err(EngineError::Image(
            "image `host` shows this machine's files to every build; allow it with --trust-host-image".to_owned(),
        )),
        (false, _) => Err(EngineError::Image(format!(
            "image {image} cannot be pulled yet; use image `host` or --image-map '{image}=host'"
        ))),
    }
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

    /// Makes the bundle's root folder and an empty upper layer for each top-level folder; answers their names.
    pub(super) fn lay_out(&self, bundle: &Bundle) -> io::Result<Vec<String>> {
        let root = root(bundle);
        DirBuilder::new().mode(0o755).create(&root)?;
        let mut overlaid = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            // A name that is not text cannot stand in an overlay's options.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = entry.metadata()?;
            if metadata.is_symlink() {
                symlink(fs::read_link(entry.path())?, root.join(&name))?;
            } else if metadata.is_dir() && is_overlaid(&name) {
                add_layers(bundle, &name, &metadata)?;
                overlaid.push(name);
            }
        }
        overlaid.sort();
        Ok(overlaid)
    }
}

/// Commas and colons have a meaning in an overlay's options.
fn is_overlaid(name: &str) -> bool {
    let fresh = FRESH.iter().any(|(fresh, _)| *fresh == name);
    !fresh && !LEFT_OUT.contains(&name) && !name.contains([',', ':', '\\'])
}

/// The bundle's root folder, relative to which the container's other folders are mounted.
pub(super) fn root(bundle: &Bundle) -> PathBuf {
    bundle.path().join("rootfs")
}

/// What the container wrote under a top-level folder.
pub(super) fn upper(bundle: &Bundle, top: &str) -> PathBuf {
    bundle.path().join("layers").join(top).join("upper")
}

/// The overlay's own folder, beside the upper one.
pub(super) fn work(bundle: &Bundle, top: &str) -> PathBuf {
    bundle.path().join("layers").join(top).join("work")
}

/// An upper layer's top folder is what the container sees, so it gets the lower one's mode and owner.
fn add_layers(bundle: &Bundle, top: &str, lower: &Metadata) -> io::Result<()> {
    let upper = upper(bundle, top);
    DirBuilder::new().recursive(true).mode(0o700).create(&upper)?;
    DirBuilder::new().mode(0o700).create(work(bundle, top))?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(lower.mode() & 0o7777))?;
    chown(upper, Some(lower.uid()), Some(lower.gid()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_the_trusted_host_image_is_taken() {
        assert!(check("host", true).is_ok());
        assert!(check("host", false).is_err_and(|error| error.to_string().contains("--trust-host-image")));
        let other = check("alpine:3", true).unwrap_err().to_string();
        assert_eq!(other, "image alpine:3 cannot be pulled yet; use image `host` or --image-map 'alpine:3=host'");
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
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        assert_eq!(image.lay_out(&bundle).unwrap(), ["etc", "usr"]);
        assert_eq!(fs::read_link(root(&bundle).join("bin")).unwrap(), Path::new("usr/bin"));
        assert_eq!(upper(&bundle, "usr").metadata().unwrap().mode() & 0o7777, 0o751);
        assert!(work(&bundle, "etc").is_dir());
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
