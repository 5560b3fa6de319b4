//! The root of containers of images: one overlay over all their layers.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent::shim::{Bundle, Folder, Layout, Overlay, TextFile};
use images::Lease;

/// What containers of one image see. The image stays as long as this is there, and then as long as the container's folder
/// is.
pub(super) struct ImageRoot {
    lease: Lease,
    /// What the image's environment is: names and values.
    environment: BTreeMap<String, String>,
}

impl ImageRoot {
    pub(super) fn new(lease: Lease) -> Self {
        let environment = lease.run().env.iter().cloned().collect();
        Self { lease, environment }
    }

    /// The image's own environment.
    pub(super) fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Where the image's containers start if nobody says else.
    pub(super) fn workdir(&self) -> Option<&Path> {
        self.lease.run().workdir.as_deref().map(Path::new).filter(|folder| folder.is_absolute())
    }

    /// One overlay of all layers for the whole root. `etc` are texts that go over files in /etc, also where the image has no
    /// such folder.
    pub(super) fn layout(&self, etc: &[(&str, String)]) -> Layout {
        let layers: Vec<PathBuf> = self.lease.layers().iter().map(PathBuf::from).collect();
        let root = Path::new(Bundle::ROOT);
        // An overlay needs something beneath it; an image of nothing is an empty folder.
        let upper = if layers.is_empty() { root.to_path_buf() } else { Path::new("layers/root/upper").to_path_buf() };
        let metadata = |path: &str| self.metadata(&layers, path);
        let mut folders = vec![folder(upper.clone(), metadata("."))];
        let mut files = Vec::new();
        let there = metadata("etc");
        if there.as_ref().is_none_or(Metadata::is_dir) {
            // An upper folder is what the container sees, so it gets the lower one's mode and owner.
            folders.push(folder(upper.join("etc"), there));
            let text = |(name, text): &(&str, String)| TextFile::readable(upper.join("etc").join(name), text.clone());
            files = etc.iter().map(text).collect();
        }
        let mut overlays = Vec::new();
        if !layers.is_empty() {
            let work = PathBuf::from("layers/root/work");
            folders.push(Folder { path: work.clone(), mode: 0o700, uid: 0, gid: 0 });
            folders.push(Folder { path: root.to_path_buf(), mode: 0o755, uid: 0, gid: 0 });
            let base = self.lease.folder().to_path_buf();
            overlays.push(Overlay { target: root.to_path_buf(), base, lower: layers, over: Vec::new(), upper, work });
        }
        Layout { folders, files, overlays, ..Layout::default() }
    }

    /// What the uppermost layer that has this path has there.
    fn metadata(&self, layers: &[PathBuf], path: &str) -> Option<Metadata> {
        let base = self.lease.folder();
        layers.iter().find_map(|layer| fs::symlink_metadata(base.join(layer).join(path)).ok())
    }
}

/// A folder as it is in the image; root's own where it is not there.
fn folder(path: PathBuf, like: Option<Metadata>) -> Folder {
    match like {
        Some(like) => Folder { path, mode: like.mode() & 0o7777, uid: like.uid(), gid: like.gid() },
        None => Folder { path, mode: 0o755, uid: 0, gid: 0 },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use images::{Images, Options, RunConfig};

    use super::*;

    /// A root of an image of one layer, made of a folder by tar.
    fn root_of(files: impl FnOnce(&Path)) -> (tempfile::TempDir, ImageRoot) {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        files(&tree);
        let tar = std::process::Command::new("tar").arg("-C").arg(&tree).args(["-c", "."]).output().unwrap();
        let images = Images::open(folder.path().join("images"), Options::default()).unwrap();
        let run = RunConfig { env: vec![("A".into(), "b".into())], workdir: Some("/src".into()), user: None };
        let image = images.import(&tar.stdout[..], &run, "test").unwrap();
        let root = ImageRoot::new(images.lease(&image.id, &folder.path().join("container")).unwrap());
        (folder, root)
    }

    #[test]
    fn the_upper_etc_is_as_the_images_and_has_the_containers_texts() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, root) = root_of(|tree| {
            fs::create_dir(tree.join("etc")).unwrap();
            fs::set_permissions(tree.join("etc"), fs::Permissions::from_mode(0o750)).unwrap();
        });
        let layout = root.layout(&[("hosts", "127.0.0.1 localhost\n".to_owned())]);
        let etc = layout.folders.iter().find(|folder| folder.path.ends_with("upper/etc")).unwrap();
        assert_eq!(etc.mode, 0o750);
        assert_eq!(layout.files[0].path, Path::new("layers/root/upper/etc/hosts"));
        let overlay = &layout.overlays[0];
        assert_eq!((overlay.target.as_path(), overlay.lower.len()), (Path::new(Bundle::ROOT), 1));
        assert!(overlay.base.join(&overlay.lower[0]).join("etc").is_dir());
        assert_eq!(root.environment()["A"], "b");
        assert_eq!(root.workdir(), Some(Path::new("/src")));
    }

    #[test]
    fn an_image_without_etc_gets_one_and_a_link_is_left() {
        let (_folder, root) = root_of(|_| ());
        assert!(root.layout(&[("hosts", String::new())]).files.len() == 1);
        let (_folder, root) = root_of(|tree| std::os::unix::fs::symlink("usr/etc", tree.join("etc")).unwrap());
        assert!(root.layout(&[("hosts", String::new())]).files.is_empty());
    }
}
