use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, files};
use crate::{Digest, ImageError, Platform, Reference, RunConfig};

/// An image: `images/HEX.json`. Written when all its layers are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageRecord {
    /// The digest of its configuration.
    pub(crate) id: Digest,
    /// Its manifest, where it came with one.
    pub(crate) manifest: Option<Digest>,
    pub(crate) platform: Platform,
    pub(crate) created: Option<String>,
    pub(crate) run: RunConfig,
    /// The chain ids of its layers, lowest first.
    pub(crate) layers: Vec<Digest>,
    /// Bytes of all its files.
    pub(crate) bytes: u64,
}

/// A name of an image: `names/HEX.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NameRecord {
    pub(crate) reference: Reference,
    /// For which machine it was asked: an index leads to one image for each.
    pub(crate) platform: Platform,
    pub(crate) id: Digest,
    /// What the registry has under this name, an index or a manifest; none where the image was loaded from a file.
    pub(crate) digest: Option<Digest>,
}

/// A layer: `layers/HEX/layer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayerRecord {
    pub(crate) diff_id: Digest,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// Things in its archive.
    pub(crate) entries: u64,
    /// Devices that were left out.
    #[serde(default)]
    pub(crate) devices: u64,
}

impl Store {
    pub(crate) fn image_file(&self, id: &Digest) -> PathBuf {
        self.path("images").join(format!("{}.json", id.hex()))
    }

    pub(crate) fn image(&self, id: &Digest) -> Result<Option<ImageRecord>, ImageError> {
        files::read_json(&self.image_file(id))
    }

    pub(crate) fn remove_image(&self, id: &Digest) -> Result<(), ImageError> {
        files::remove(&self.image_file(id))
    }

    pub(crate) fn remove_blob(&self, digest: &Digest) -> Result<(), ImageError> {
        files::remove(&self.blob(digest))
    }

    /// All images, ordered by id.
    pub(crate) fn images(&self) -> Result<Vec<ImageRecord>, ImageError> {
        self.all("images")
    }

    fn name_file(&self, reference: &Reference, platform: &Platform) -> PathBuf {
        let digest = Digest::of(format!("{reference} {platform}").as_bytes());
        self.path("names").join(format!("{}.json", digest.hex()))
    }

    pub(crate) fn name(&self, reference: &Reference, platform: &Platform) -> Result<Option<NameRecord>, ImageError> {
        files::read_json(&self.name_file(reference, platform))
    }

    /// Lets a name lead to an image from now on.
    pub(crate) fn set_name(&self, name: &NameRecord) -> Result<(), ImageError> {
        crash_point::crash_point!("images_before_name");
        files::write_json(&self.name_file(&name.reference, &name.platform), name)
    }

    pub(crate) fn remove_name(&self, name: &NameRecord) -> Result<(), ImageError> {
        files::remove(&self.name_file(&name.reference, &name.platform))
    }

    /// All names, ordered by reference.
    pub(crate) fn names(&self) -> Result<Vec<NameRecord>, ImageError> {
        let mut names: Vec<NameRecord> = self.all("names")?;
        names.sort_by(|a, b| (&a.reference, &a.platform).cmp(&(&b.reference, &b.platform)));
        Ok(names)
    }

    fn all<T: serde::de::DeserializeOwned>(&self, part: &str) -> Result<Vec<T>, ImageError> {
        let names = self.names_in(part)?;
        let whole = names.iter().filter(|name| name.ends_with(".json"));
        let read = whole.map(|name| files::read_json(&self.path(part).join(name)));
        // One that was removed since the folder was read is not there.
        read.filter_map(Result::transpose).collect()
    }
}
