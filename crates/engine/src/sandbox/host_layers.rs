//! The root of image `host`: overlays of the machine's folders, by paths from the machine's root on.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent::shim::{Bundle, CopiedFile, Folder, Layout, Link, Overlay, TextFile};

/// The folder in memory of what hides or replaces the machine's.
const VEIL: &str = "veil";
/// In it, what is made anew in the root.
const ANEW: [&str; 2] = [VEIL, "anew"];

/// A layout that grows folder by folder.
///
/// One overlay stands for a folder with all that is in it, the machine's root too. In a user namespace that cannot be had
/// where something else is mounted below (the kernel lets nobody see what a mount covers): then the folder is made anew,
/// with an overlay for each of its folders and a copy of each of its files.
///
/// What hides or replaces something of the machine lies in a layer of its own in each overlay, in memory.
pub(super) struct Layers<'a> {
    root: &'a Path,
    /// Where something is mounted that stands in the way.
    mounted: &'a [PathBuf],
    overlaid: Vec<PathBuf>,
    layout: Layout,
}

impl<'a> Layers<'a> {
    /// An empty root folder.
    pub(super) fn new(root: &'a Path, mounted: &'a [PathBuf]) -> Self {
        let layout = Layout { veil: Some(PathBuf::from(VEIL)), ..Layout::default() };
        let mut layers = Self { root, mounted, overlaid: Vec::new(), layout };
        layers.folder(PathBuf::from(Bundle::ROOT), 0o755);
        layers
    }

    /// The machine's whole root as one overlay, of which only `seen` is seen, and `anew` as empty folders.
    pub(super) fn whole(&mut self, seen: &[String], anew: &[&str]) -> io::Result<()> {
        self.overlay(Path::new(""), &self.root.symlink_metadata()?);
        for entry in fs::read_dir(self.root)? {
            let name = entry?.file_name();
            if !seen.iter().any(|seen| name == seen.as_str()) {
                self.layout.hidden.push(veil(0).join(name));
            }
        }
        for name in anew {
            self.folder(ANEW.iter().chain([name]).collect(), 0o755);
        }
        Ok(())
    }

    /// Makes an empty folder of root's own.
    pub(super) fn empty(&mut self, path: &str) {
        self.folder(Path::new(Bundle::ROOT).join(path), 0o755);
    }

    /// Adds what the machine has at `path`: a link as it is, a folder with all that is in it, a file as a copy.
    pub(super) fn add(&mut self, path: &Path) -> io::Result<()> {
        let from = self.root.join(path);
        let metadata = from.symlink_metadata()?;
        let target = Path::new(Bundle::ROOT).join(path);
        if metadata.is_symlink() {
            self.layout.links.push(Link { path: target, target: fs::read_link(from)? });
        } else if metadata.is_file() {
            self.layout.copies.push(CopiedFile { path: target, from });
        } else if metadata.is_dir() && self.mounted.iter().any(|point| *point != from && point.starts_with(&from)) {
            self.layout.folders.push(like(target, &metadata));
            self.add_each(&from, path)?;
        } else if metadata.is_dir() {
            self.overlay(path, &metadata);
        }
        Ok(())
    }

    /// What is in a folder. Where something is mounted, a file is as it is there, and a folder is empty.
    fn add_each(&mut self, from: &Path, path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from).into_iter().flatten().flatten() {
            let (path, mounted) = (path.join(entry.file_name()), self.mounted.contains(&entry.path()));
            let metadata = entry.metadata()?;
            if mounted && metadata.is_dir() {
                self.layout.folders.push(like(Path::new(Bundle::ROOT).join(path), &metadata));
            } else if can_be_overlaid(&path) {
                self.add(&path)?;
            }
        }
        Ok(())
    }

    fn overlay(&mut self, path: &Path, metadata: &Metadata) {
        let number = self.overlaid.len();
        let (upper, work) = (upper(number), Path::new("layers").join(number.to_string()).join("work"));
        // An upper layer's top folder is what the container sees, so it gets the lower one's mode and owner.
        self.layout.folders.push(like(upper.clone(), metadata));
        self.folder(work.clone(), 0o700);
        let whole = path == Path::new("");
        let (target, lower) = match whole {
            true => (PathBuf::from(Bundle::ROOT), PathBuf::from(".")),
            false => (Path::new(Bundle::ROOT).join(path), path.to_path_buf()),
        };
        // Above what the veil hides there are folders in the same place, made anew.
        let over = if whole { vec![ANEW.iter().collect()] } else { Vec::new() };
        let base = self.root.to_path_buf();
        self.layout.overlays.push(Overlay { target, base, lower: vec![lower], over, upper, work });
        self.overlaid.push(path.to_path_buf());
    }

    /// Puts a text at `path` in place of what the machine has there; in a folder that the container has.
    pub(super) fn put(&mut self, path: &Path, text: String, mode: u32) -> io::Result<()> {
        self.folders_above(path)?;
        let target = self.place(path);
        self.layout.copies.retain(|copy| copy.path != target);
        self.layout.links.retain(|link| link.path != target);
        self.layout.files.push(TextFile { path: target, text, mode });
        Ok(())
    }

    /// Hides what the machine has at `path`, unless a text is put there, which hides it too.
    pub(super) fn hide(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path);
        if self.layout.files.iter().any(|file| file.path == place) {
            return Ok(());
        }
        if self.covering(path).is_none() {
            let target = Path::new(Bundle::ROOT).join(path);
            self.layout.copies.retain(|copy| !copy.path.starts_with(&target));
            self.layout.overlays.retain(|overlay| !overlay.target.starts_with(&target));
            return Ok(());
        }
        self.folders_above(path)?;
        self.layout.hidden.push(place);
        Ok(())
    }

    /// Makes the folders above `path` in its overlay's veil: what the container sees of them is theirs.
    fn folders_above(&mut self, path: &Path) -> io::Result<()> {
        let Some(top) = self.covering(path).map(|number| self.overlaid[number].clone()) else { return Ok(()) };
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|above| *above != top).collect();
        for folder in above.into_iter().rev() {
            let over = self.place(folder);
            if !self.layout.folders.iter().any(|made| made.path == over) {
                self.layout.folders.push(like(over, &self.root.join(folder).symlink_metadata()?));
            }
        }
        Ok(())
    }

    /// The finished layout.
    pub(super) fn layout(mut self) -> Layout {
        for (number, overlay) in self.layout.overlays.iter_mut().enumerate() {
            let veil = veil(number);
            let made = self.layout.folders.iter().map(|folder| &folder.path);
            let made = made.chain(self.layout.files.iter().map(|file| &file.path)).chain(&self.layout.hidden);
            if made.into_iter().any(|path| path.starts_with(&veil)) {
                self.layout.folders.push(Folder { path: veil.clone(), mode: 0o755, uid: 0, gid: 0 });
                overlay.over.push(veil);
            }
        }
        self.layout.folders.sort_by_key(|folder| folder.path.components().count());
        self.layout
    }

    /// The overlay in which `path` lies.
    fn covering(&self, path: &Path) -> Option<usize> {
        self.overlaid.iter().rposition(|overlaid| path != overlaid && path.starts_with(overlaid))
    }

    /// Where what lies over the machine's `path` is in the container's space.
    fn place(&self, path: &Path) -> PathBuf {
        match self.covering(path) {
            Some(number) => veil(number).join(path.strip_prefix(&self.overlaid[number]).unwrap_or(path)),
            None => Path::new(Bundle::ROOT).join(path),
        }
    }

    fn folder(&mut self, path: PathBuf, mode: u32) {
        self.layout.folders.push(Folder { path, mode, uid: 0, gid: 0 });
    }
}

/// Commas and colons have a meaning in an overlay's options, and a name that is not text cannot stand there.
pub(super) fn can_be_overlaid(path: &Path) -> bool {
    path.to_str().is_some_and(|name| !name.contains([',', ':', '\\']))
}

/// What the container wrote over the overlay of this number.
fn upper(number: usize) -> PathBuf {
    Path::new("layers").join(number.to_string()).join("upper")
}

/// What lies over the machine's folders in the overlay of this number.
fn veil(number: usize) -> PathBuf {
    Path::new(VEIL).join(number.to_string())
}

/// A folder as the machine has it.
fn like(path: PathBuf, metadata: &Metadata) -> Folder {
    Folder { path, mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn machine() -> tempfile::TempDir {
        let machine = tempfile::tempdir().unwrap();
        for folder in ["etc/ssh", "etc/ssl/certs", "var/lib/docker", "var/lib/dpkg", "var/cache"] {
            fs::create_dir_all(machine.path().join(folder)).unwrap();
        }
        fs::set_permissions(machine.path().join("etc/ssh"), fs::Permissions::from_mode(0o711)).unwrap();
        fs::write(machine.path().join("etc/ssh/key"), "secret").unwrap();
        for file in ["etc/passwd", "etc/hosts"] {
            fs::write(machine.path().join(file), "").unwrap();
        }
        symlink("usr/bin", machine.path().join("bin")).unwrap();
        machine
    }

    fn targets(layout: &Layout) -> Vec<&str> {
        let mut targets: Vec<_> = layout.overlays.iter().map(|overlay| overlay.target.to_str().unwrap()).collect();
        targets.sort_unstable();
        targets
    }

    #[test]
    fn a_folder_is_one_overlay_and_a_link_stays_one() {
        let machine = machine();
        let mut layers = Layers::new(machine.path(), &[]);
        for name in ["bin", "etc", "var"] {
            layers.add(Path::new(name)).unwrap();
        }
        layers.put(Path::new("etc/hosts"), "me".into(), 0o644).unwrap();
        let layout = layers.layout();
        assert_eq!(targets(&layout), ["rootfs/etc", "rootfs/var"]);
        assert_eq!(
            (&*layout.overlays[0].base, &*layout.overlays[0].lower),
            (machine.path(), &[PathBuf::from("etc")][..])
        );
        assert_eq!(layout.links, [Link { path: "rootfs/bin".into(), target: "usr/bin".into() }]);
        assert_eq!(layout.files, [TextFile::readable("veil/0/hosts", "me")]);
    }

    #[test]
    fn around_what_is_mounted_below_there_are_smaller_overlays_and_copies() {
        let machine = machine();
        let mounted = ["etc/hosts", "var/lib/docker"].map(|path| machine.path().join(path));
        let mut layers = Layers::new(machine.path(), &mounted);
        layers.add(Path::new("etc")).unwrap();
        layers.add(Path::new("var")).unwrap();
        layers.put(Path::new("etc/hosts"), "me".into(), 0o644).unwrap();
        let layout = layers.layout();
        assert_eq!(targets(&layout), ["rootfs/etc/ssh", "rootfs/etc/ssl", "rootfs/var/cache", "rootfs/var/lib/dpkg"]);
        let copies: Vec<_> = layout.copies.iter().map(|copy| copy.path.to_str().unwrap()).collect();
        assert_eq!(copies, ["rootfs/etc/passwd"]);
        assert!(layout.folders.iter().any(|folder| folder.path == Path::new("rootfs/var/lib/docker")));
        assert_eq!(layout.files, [TextFile::readable("rootfs/etc/hosts", "me")]);
    }

    #[test]
    fn what_is_hidden_lies_in_folders_like_the_machines() {
        let machine = machine();
        let mut layers = Layers::new(machine.path(), &[]);
        layers.add(Path::new("etc")).unwrap();
        layers.hide(Path::new("etc/ssh/key")).unwrap();
        let layout = layers.layout();
        assert_eq!(layout.hidden, [Path::new("veil/0/ssh/key")]);
        let folder = layout.folders.iter().find(|folder| folder.path == Path::new("veil/0/ssh")).unwrap();
        assert_eq!(folder.mode, 0o711);
        assert_eq!(layout.overlays[0].over, [Path::new("veil/0")]);
    }

    #[test]
    fn what_is_hidden_is_not_copied_or_overlaid() {
        let machine = machine();
        let mounted = [machine.path().join("etc/hosts")];
        let mut layers = Layers::new(machine.path(), &mounted);
        layers.add(Path::new("etc")).unwrap();
        for path in ["etc/ssh", "etc/passwd"] {
            layers.hide(Path::new(path)).unwrap();
        }
        let layout = layers.layout();
        assert_eq!(targets(&layout), ["rootfs/etc/ssl"]);
        assert_eq!(layout.copies.len(), 1);
        assert!(layout.hidden.is_empty());
    }

    #[test]
    fn a_text_hides_what_it_covers() {
        let machine = machine();
        let mut layers = Layers::new(machine.path(), &[]);
        layers.add(Path::new("etc")).unwrap();
        layers.put(Path::new("etc/hosts"), "me".into(), 0o644).unwrap();
        layers.hide(Path::new("etc/hosts")).unwrap();
        let layout = layers.layout();
        assert!(layout.hidden.is_empty() && layout.files.len() == 1);
    }

    #[test]
    fn odd_names_are_left_out() {
        assert!(can_be_overlaid(Path::new("usr")));
        assert!(!can_be_overlaid(Path::new("odd,name")) && !can_be_overlaid(Path::new("a:b")));
    }
}
