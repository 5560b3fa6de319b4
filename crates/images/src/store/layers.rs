use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{LayerRecord, Store, files};
use crate::unpack::remove_tree;
use crate::{Digest, ImageError};

/// A layer with all that lie beneath it: as folders that it does not name are theirs, it is unpacked for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The chain id (OCI image specification, `config.md`).
    pub(crate) id: Digest,
    /// The layer itself.
    pub(crate) diff_id: Digest,
}

/// The chain ids of an image's layers, lowest first.
pub(crate) fn chains(diff_ids: &[Digest]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let id = match chains.last() {
            None => diff_id.clone(),
            Some(beneath) => Digest::of(format!("{} {diff_id}", beneath.id).as_bytes()),
        };
        chains.push(Chain { id, diff_id: diff_id.clone() });
    }
    chains
}

/// So many digits of a chain id name its short link: no two in one store are alike, and nobody can make them so.
const SHORT: usize = 20;

impl Store {
    fn layer_folder(&self, chain: &Digest) -> PathBuf {
        self.path("layers").join(chain.hex())
    }

    /// A layer's files.
    pub(crate) fn tree(&self, chain: &Digest) -> PathBuf {
        self.layer_folder(chain).join("tree")
    }

    /// The name of a layer's link in `l/`.
    pub(crate) fn short(chain: &Digest) -> &str {
        &chain.hex()[..SHORT]
    }

    pub(crate) fn lock_of(chain: &Digest) -> String {
        format!("layer-{}", chain.hex())
    }

    /// A layer that is there, whole.
    pub(crate) fn layer(&self, chain: &Digest) -> Result<Option<LayerRecord>, ImageError> {
        files::read_json(&self.layer_folder(chain).join("layer.json"))
    }

    /// The chain ids of all layers that are there.
    pub(crate) fn layers(&self) -> Result<Vec<Digest>, ImageError> {
        let names = self.names_in("layers")?;
        Ok(names.iter().filter_map(|name| format!("sha256:{name}").parse().ok()).collect())
    }

    /// An empty folder for a layer's files, beside the others; the layer's lock must be held.
    pub(super) fn new_layer(&self, chain: &Digest) -> Result<PathBuf, ImageError> {
        self.clear_leftovers(chain)?;
        let tree = self.unfinished(chain).join("tree");
        fs::create_dir_all(&tree).map_err(ImageError::io("cannot make", &tree))?;
        Ok(tree)
    }

    pub(super) fn unfinished(&self, chain: &Digest) -> PathBuf {
        self.path("layers").join(format!(".new-{}", chain.hex()))
    }

    fn removed(&self, chain: &Digest) -> PathBuf {
        self.path("layers").join(format!(".old-{}", chain.hex()))
    }

    /// Clears what an interrupted unpacking or removal has left; the layer's lock must be held.
    pub(crate) fn clear_leftovers(&self, chain: &Digest) -> Result<(), ImageError> {
        for folder in [self.unfinished(chain), self.removed(chain)] {
            remove_folder(&folder).map_err(ImageError::io("cannot remove", &folder))?;
        }
        Ok(())
    }

    /// The chains of which an interrupted unpacking or removal may have left something.
    pub(crate) fn leftovers(&self) -> Result<Vec<Digest>, ImageError> {
        let names = self.names_in("layers")?;
        let hex = names.iter().filter_map(|name| name.strip_prefix(".new-").or(name.strip_prefix(".old-")));
        Ok(hex.filter_map(|hex| format!("sha256:{hex}").parse().ok()).collect())
    }

    /// Makes an unpacked layer, whose files are on the disk, one that is there.
    pub(super) fn finish_layer(&self, chain: &Digest, record: &LayerRecord) -> Result<(), ImageError> {
        let unfinished = self.unfinished(chain);
        files::write_json(&unfinished.join("layer.json"), record)?;
        self.link(chain)?;
        crash_point::crash_point!("images_before_layer");
        let folder = self.layer_folder(chain);
        let renamed = || -> io::Result<()> {
            fs::rename(&unfinished, &folder)?;
            fs::File::open(self.path("layers"))?.sync_all()
        };
        renamed().map_err(ImageError::io("cannot write", &folder))
    }

    /// Makes a layer's short link; one that a crash has left is the same.
    pub(crate) fn link(&self, chain: &Digest) -> Result<(), ImageError> {
        let link = self.path("l").join(Self::short(chain));
        match symlink(format!("../layers/{}/tree", chain.hex()), &link) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(ImageError::io("cannot make", &link)),
        }
    }

    /// Removes a layer; it is gone at once, whatever interrupts the deletion. Its lock must be held.
    pub(crate) fn remove_layer(&self, chain: &Digest) -> Result<(), ImageError> {
        self.clear_leftovers(chain)?;
        files::remove(&self.path("l").join(Self::short(chain)))?;
        let (folder, removed) = (self.layer_folder(chain), self.removed(chain));
        match fs::rename(&folder, &removed) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            renamed => renamed.map_err(ImageError::io("cannot remove", &folder))?,
        }
        crash_point::crash_point!("images_before_layer_removal");
        remove_folder(&removed).map_err(ImageError::io("cannot remove", &removed))
    }
}

fn remove_folder(folder: &std::path::Path) -> io::Result<()> {
    match remove_tree(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_layers_chain_is_itself() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let found = chains(&[a.clone(), b.clone()]);
        assert_eq!(found[0].id, a);
        assert_eq!(found[1].id, Digest::of(format!("{a} {b}").as_bytes()));
        assert_eq!(found[1].diff_id, b);
        assert!(chains(&[]).is_empty());
    }

    #[test]
    fn what_an_interruption_leaves_is_known_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let chain = Digest::of(b"a");
        fs::write(store.new_layer(&chain).unwrap().join("f"), "half").unwrap();
        assert_eq!((store.leftovers().unwrap(), store.layers().unwrap()), (vec![chain.clone()], vec![]));
        let record = LayerRecord { diff_id: chain.clone(), bytes: 0, entries: 0, devices: 0 };
        store.new_layer(&chain).unwrap();
        store.finish_layer(&chain, &record).unwrap();
        assert_eq!((store.leftovers().unwrap(), store.layers().unwrap()), (vec![], vec![chain.clone()]));
        assert_eq!(store.layer(&chain).unwrap(), Some(record));
        let short = store.path("l").join(Store::short(&chain));
        assert_eq!(fs::read_dir(&short).unwrap().count(), 0);
        store.remove_layer(&chain).unwrap();
        store.remove_layer(&chain).unwrap();
        assert!(store.layers().unwrap().is_empty() && fs::symlink_metadata(short).is_err());
    }
}
