use std::fs;

use crate::{Digest, ImageError, Images};

/// Something in the store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The image that it belongs to.
    pub image: String,
    /// What is wrong, as a sentence.
    pub what: String,
}

impl Images {
    /// Looks whether all images are whole: their configurations and manifests have their digests, and their layers are
    /// there with as many bytes of files as were unpacked.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn verify(&self) -> Result<Vec<Damage>, ImageError> {
        let mut damages = Vec::new();
        for record in self.store.images()? {
            let image = record.id.to_string();
            let mut damaged = |what: String| damages.push(Damage { image: image.clone(), what });
            for blob in [Some(&record.id), record.manifest.as_ref()].into_iter().flatten() {
                match fs::read(self.store.blob(blob)) {
                    Ok(bytes) if Digest::of(&bytes) == *blob => {}
                    Ok(_) => damaged(format!("the content of {blob} has changed")),
                    Err(error) => damaged(format!("{blob} cannot be read: {error}")),
                }
            }
            for layer in &record.layers {
                if let Some(what) = self.damage_of(layer)? {
                    damaged(what);
                }
            }
        }
        Ok(damages)
    }

    fn damage_of(&self, layer: &Digest) -> Result<Option<String>, ImageError> {
        let Some(record) = self.store.layer(layer)? else {
            return Ok(Some(format!("the layer {layer} is missing")));
        };
        let tree = self.store.tree(layer);
        match crate::unpack::bytes_of(&tree) {
            Err(error) => Ok(Some(format!("the layer {layer} cannot be read: {error}"))),
            Ok(bytes) if bytes != record.bytes => {
                Ok(Some(format!("the layer {layer} has {bytes} bytes of files, and had {}", record.bytes)))
            }
            Ok(_) => Ok(None),
        }
    }
}
