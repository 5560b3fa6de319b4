//! Images end to end: from registries that behave well and badly, from files, and hostile ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod auth;
mod breaking;
mod collecting;
mod content;
mod fake;
mod hostile;
mod layers;
mod loading;
mod pulling;
#[path = "../../src/testing.rs"]
mod testing;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use images::{Image, ImageError, ImageRequest, Images, Options, Patience};

/// A store in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    images: Images,
}

impl Place {
    fn new() -> Self {
        Self::with(options())
    }

    fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::open(folder.path().join("images"), options).unwrap();
        Self { folder, images }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folders of an image's layers, uppermost first.
    fn layers(&self, image: &Image) -> Vec<PathBuf> {
        let lease = self.images.lease(&image.id, Path::new("/nowhere")).unwrap();
        lease.layers().iter().map(|layer| lease.folder().join(layer)).collect()
    }

    /// What is in a folder of the store.
    fn count(&self, part: &str) -> usize {
        std::fs::read_dir(self.path("images").join(part)).unwrap().count()
    }

    async fn pull(&self, reference: &str) -> Result<Image, ImageError> {
        self.images.pull(&ImageRequest::of(reference)).await
    }
}

/// Nobody waits long in a test.
fn options() -> Options {
    let patience = Patience {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(2),
        idle: Duration::from_millis(300),
        pause: Duration::from_millis(5),
        ..Patience::default()
    };
    Options { patience, ..Options::default() }
}
