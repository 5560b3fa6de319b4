use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::store::{ImageRecord, Lock, Store};
use crate::{Digest, ImageError, Images, RunConfig};

/// An image that is about to be run. Nobody removes it while this is there, nor as long as the container's folder is.
#[derive(Debug)]
pub struct Lease {
    folder: PathBuf,
    record: ImageRecord,
    _lock: Lock,
}

/// The lock of an image: shared by those who need it, alone for who removes it.
pub(crate) fn lock_of(id: &Digest) -> String {
    format!("image-{}", id.hex())
}

impl Images {
    /// Holds the image with this id for the container whose folder `holder` is, or will be before the lease is
    /// dropped; notes that it is used now.
    ///
    /// # Errors
    /// [`ImageError::NotHere`].
    pub fn lease(&self, id: &str, holder: &Path) -> Result<Lease, ImageError> {
        let digest: Digest = id.parse().map_err(|_| ImageError::not_here(id))?;
        // Who removes an image holds its lock for as long as a few files take.
        let lock = self.store.lock(&lock_of(&digest), true, &AtomicBool::new(false))?;
        let record = self.store.image(&digest)?.ok_or_else(|| ImageError::not_here(id))?;
        self.store.hold(&digest, holder)?;
        self.store.stamp(&digest)?;
        for layer in &record.layers {
            self.store.link(layer)?;
        }
        Ok(Lease { folder: self.store.path("l"), record, _lock: lock })
    }
}

impl Lease {
    /// The folder in which [`layers`](Self::layers) are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The names of the layers' folders, the uppermost first, as overlays want them; short, because an overlay's options
    /// must fit a page.
    #[must_use]
    pub fn layers(&self) -> Vec<String> {
        self.record.layers.iter().rev().map(|layer| Store::short(layer).to_owned()).collect()
    }

    /// What the image says about containers.
    #[must_use]
    pub fn run(&self) -> &RunConfig {
        &self.record.run
    }
}
