//! Loading images from files: OCI layouts and Docker's archives, and file systems as images of one layer.

mod archive;
mod docker;
mod oci;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::config::write_config;
use crate::lease::lock_of;
use crate::store::{ImageRecord, Install};
use crate::unpack::Bounded;
use crate::{Digest, Image, ImageError, Images, Platform, Reference, RunConfig, decode, read_config};
use archive::{Archive, Spool};

/// Nobody ends a loading but with the process.
static NEVER: AtomicBool = AtomicBool::new(false);

/// An image in an archive, read up to its layers.
struct Loadable {
    config: Vec<u8>,
    manifest: Option<(Digest, Vec<u8>)>,
    /// Where its layers are in the archive, lowest first.
    layers: Vec<String>,
    /// What the archive calls it.
    names: Vec<Reference>,
}

impl Images {
    /// Loads the images of an OCI layout (a folder or a tar archive) or of what `docker save` writes, compressed or not. They
    /// get the archive's names, or `name`, if there is one image.
    ///
    /// # Errors
    /// [`ImageError::Content`] where the file is no such archive, or its images are broken.
    pub fn load(&self, path: &Path, name: Option<&str>) -> Result<Vec<Image>, ImageError> {
        let name = name.map(str::parse::<Reference>).transpose()?;
        let broken = |reason: String| ImageError::Content(format!("{}: {reason}", path.display()));
        let mut archive = Archive::open(&self.store, path, self.shared.options.limits)?;
        let mut found = match docker::read(&mut archive).map_err(broken)? {
            Some(found) => found,
            None => oci::read(&mut archive).map_err(broken)?.ok_or_else(|| {
                broken("it has neither manifest.json (docker save) nor index.json (an OCI layout)".to_owned())
            })?,
        };
        if let Some(name) = name {
            let [only] = &mut found[..] else {
                return Err(broken(format!("it has {} images, which cannot all be called {name}", found.len())));
            };
            only.names = vec![name];
        }
        let mut loaded = BTreeMap::new();
        for image in found {
            let record = self.install_from(&mut archive, &image).map_err(|error| match error {
                ImageError::Content(reason) => broken(reason),
                other => other,
            })?;
            loaded.insert(record.id.clone(), record);
        }
        loaded.values().map(|record| self.describe(record)).collect()
    }

    /// Makes an image of one layer: a file system as a tar archive, compressed or not.
    ///
    /// # Errors
    /// [`ImageError::Content`] where that is none, or too large.
    pub fn import(&self, root: impl Read, run: &RunConfig, name: &str) -> Result<Image, ImageError> {
        let reference: Reference = name.parse()?;
        let most = self.shared.options.limits.image_bytes;
        let too_much = format!("it is larger than {most} bytes (--image-limit)");
        let broken = |error: io::Error| ImageError::Content(format!("the file system cannot be read: {error}"));
        let mut spool = Spool::new(&self.store)?;
        let diff_id = spool.fill(Bounded::new(decode(root).map_err(broken)?, most, too_much)).map_err(broken)?;
        let config = write_config(&Platform::here(), run, &diff_id);
        let image = Loadable { config, manifest: None, layers: vec![String::new()], names: vec![reference] };
        self.install_from(&mut spool, &image).and_then(|record| self.describe(&record))
    }

    fn install_from(&self, layers: &mut impl Layers, image: &Loadable) -> Result<ImageRecord, ImageError> {
        let id = Digest::of(&image.config);
        let config = read_config(&image.config).map_err(ImageError::Content)?;
        if config.diff_ids.len() != image.layers.len() {
            let (named, there) = (config.diff_ids.len(), image.layers.len());
            return Err(ImageError::Content(format!("the configuration names {named} layers, and there are {there}")));
        }
        let install = Install { store: &self.store, limits: self.shared.options.limits, cancelled: &NEVER };
        let mut reservation = install.reserve(&config.diff_ids)?;
        for at in reservation.missing() {
            let layer = layers.open(&image.layers[at]).map_err(ImageError::Content)?;
            if let Err(error) = install.unpack(&mut reservation, at, layer) {
                install.keep(&mut reservation)?;
                return Err(error);
            }
        }
        let _lock = self.store.lock(&lock_of(&id), true, &NEVER)?;
        let manifest = image.manifest.as_ref().map(|(digest, bytes)| (digest, &bytes[..]));
        let record = install.finish(reservation, (&id, &image.config, &config), manifest)?;
        for name in &image.names {
            self.name(&record, name.clone())?;
        }
        Ok(record)
    }
}

/// Where layers are found by name.
trait Layers {
    fn open(&mut self, name: &str) -> Result<Box<dyn Read + '_>, String>;
}

/// A JSON file of an archive.
fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("its {name} cannot be read: {error}"))
}

/// Removes a file that is no longer needed; what is left is collected some day.
fn forget(path: &Path) {
    let _ = fs::remove_file(path);
}
