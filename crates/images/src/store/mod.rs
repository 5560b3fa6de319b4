//! What is kept on the disk, and how it stays whole.
//!
//! ```text
//! images/HEX.json      an image, by its id: its layers, what it says about containers
//! names/HEX.json       a reference for a platform: which image it leads to
//! blobs/HEX            manifests and configurations, as they came
//! layers/HEX/tree      a layer's files, by its chain id; layers/HEX/layer.json says how much that is
//! l/SHORT              a link to a layer's tree: overlays take few bytes of options
//! partial/HEX          compressed layers that are on their way; gone when they are unpacked
//! uses/HEX/            when an image was used last, and the folders of containers that run from it
//! locks/NAME           who may change what
//! ```
//!
//! A file that is there is whole: everything is written under another name, made durable and renamed. Compressed layers are
//! not kept: what is needed to start containers is the unpacked ones, and both would take the disk twice.

mod files;
mod install;
mod layers;
mod locks;
mod records;
mod uses;

pub(crate) use files::{UNFINISHED, remove};
pub(crate) use install::{Install, Reservation};
pub(crate) use layers::{Chain, chains};
pub(crate) use locks::Lock;
pub(crate) use records::{ImageRecord, LayerRecord, NameRecord};

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::{Digest, ImageError};

/// The store's folder; any number of processes may have it open.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

const FOLDERS: [&str; 8] = ["images", "names", "blobs", "layers", "l", "partial", "uses", "locks"];

impl Store {
    /// Opens the store, making it where it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, ImageError> {
        for name in FOLDERS {
            let path = folder.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(ImageError::io("cannot make", &path))?;
        }
        let folder = folder.canonicalize().map_err(ImageError::io("cannot find", folder))?;
        Ok(Self { folder })
    }

    /// A folder of the store.
    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.path("blobs").join(digest.hex())
    }

    /// Where a compressed layer grows.
    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.path("partial").join(digest.hex())
    }

    /// The files of a folder of the store, whole ones only, in order.
    pub(crate) fn names_in(&self, part: &str) -> Result<Vec<String>, ImageError> {
        let folder = self.path(part);
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let entries = entries.map_err(ImageError::io("cannot read", &folder))?;
        let mut names: Vec<_> = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }
}
