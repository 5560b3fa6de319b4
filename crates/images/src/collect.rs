use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use crate::images::is_there;
use crate::lease::lock_of;
use crate::store::{self, ImageRecord, NameRecord, Store};
use crate::{Digest, Image, ImageError, Images};

/// Longer than it takes to write one of the store's own files.
const WRITING: Duration = Duration::from_secs(3600);

/// Which images a collection removes.
#[derive(Debug, Clone, Copy)]
pub struct Unused {
    /// Those that were last used before this.
    pub since: SystemTime,
    /// Only those that a registry can bring back: not what was loaded from a file or made here.
    pub only_pulled: bool,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What a collection removed, or in a dry run would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The images.
    pub images: Vec<Image>,
    /// Bytes of the layers that no other image has, and of downloads that nobody went on with.
    pub bytes: u64,
}

/// What a removal removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The image that was meant.
    pub id: String,
    /// The image went too, not only one of its names.
    pub image: Option<String>,
    /// Bytes of layers that went.
    pub bytes: u64,
}

impl Images {
    /// Removes a reference, and its image with its last one; or by id an image with all its references.
    ///
    /// # Errors
    /// [`ImageError::NotHere`], [`ImageError::Ambiguous`], and [`ImageError::InUse`] while containers run from it.
    pub fn remove(&self, name: &str) -> Result<Removed, ImageError> {
        let (record, reference) = self.record(name)?;
        let id = record.id.to_string();
        let mut others = self.store.names()?;
        others.retain(|other| other.id == record.id && Some(other) != reference.as_ref());
        if let (Some(reference), false) = (&reference, others.is_empty()) {
            self.store.remove_name(reference)?;
            return Ok(Removed { id, image: None, bytes: 0 });
        }
        match self.remove_image(&record)? {
            None => Ok(Removed { image: Some(id.clone()), id, bytes: self.collect_layers()? }),
            Some(holder) => Err(ImageError::InUse { name: name.to_owned(), holder }),
        }
    }

    /// Removes images that nobody has used for long and no container runs from, then the layers that no image has. Safe
    /// beside pulls and starts: what somebody is about to need is locked, and left.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn collect(&self, unused: &Unused) -> Result<Collected, ImageError> {
        let mut collected = Collected::default();
        let mut gone = Vec::new();
        let names = self.store.names()?;
        for record in self.store.images()? {
            if let (Some(_lock), false) = (self.store.try_lock(&lock_of(&record.id), false)?, unused.dry_run) {
                self.store.forget_holders(&record.id)?;
            }
            let made_here = |name: &&NameRecord| name.id == record.id && name.digest.is_none();
            let described = self.describe(&record);
            if !is_there(&described) {
                continue;
            }
            let image = described?;
            let kept = unused.only_pulled && names.iter().any(|name| made_here(&name));
            if image.used >= unused.since || image.in_use || kept {
                continue;
            }
            if unused.dry_run {
                gone.push(record.id);
                collected.images.push(image);
            } else if self.remove_image(&record)?.is_none() {
                collected.images.push(image);
            }
        }
        collected.bytes = if unused.dry_run { self.orphans(&gone)?.1 } else { self.collect_layers()? };
        collected.bytes += self.old_downloads(unused)? + self.cut_off_writes(unused)?;
        Ok(collected)
    }

    /// Removes an image with its names; answers who holds it, if somebody does.
    fn remove_image(&self, record: &ImageRecord) -> Result<Option<std::path::PathBuf>, ImageError> {
        let store = &self.store;
        let Some(lock) = store.try_lock(&lock_of(&record.id), false)? else {
            // A container is being started from it just now.
            return Ok(Some(store.path("locks")));
        };
        if let Some(holder) = store.holder(&record.id)? {
            return Ok(Some(holder));
        }
        // The record first: without it, the rest is only waste.
        store.remove_image(&record.id)?;
        for name in store.names()?.iter().filter(|name| name.id == record.id) {
            store.remove_name(name)?;
        }
        store.forget_uses(&record.id)?;
        for blob in [Some(&record.id), record.manifest.as_ref()].into_iter().flatten() {
            store.remove_blob(blob)?;
        }
        lock.retire()?;
        Ok(None)
    }

    /// The layers that no image has but those in `gone`, and their bytes.
    fn orphans(&self, gone: &[Digest]) -> Result<(Vec<Digest>, u64), ImageError> {
        let mut kept = self.store.images()?;
        kept.retain(|record| !gone.contains(&record.id));
        let mut orphans = self.store.layers()?;
        orphans.retain(|layer| !kept.iter().any(|record| record.layers.contains(layer)));
        let mut bytes = 0;
        for layer in &orphans {
            bytes += self.store.layer(layer)?.map_or(0, |layer| layer.bytes);
        }
        Ok((orphans, bytes))
    }

    /// Removes the layers that no image has, and what interrupted unpackings and removals have left. A pull holds the locks
    /// of its layers until its image is written: so who has a layer's lock alone and finds it in no image may
    /// remove it.
    fn collect_layers(&self) -> Result<u64, ImageError> {
        let store = &self.store;
        let (orphans, _) = self.orphans(&[])?;
        let mut locked = Vec::new();
        for layer in orphans.into_iter().chain(store.leftovers()?) {
            if let Some(lock) = store.try_lock(&Store::lock_of(&layer), false)? {
                locked.push((layer, lock));
            }
        }
        let (orphans, _) = self.orphans(&[])?;
        let mut bytes = 0;
        for (layer, lock) in locked {
            if orphans.contains(&layer) {
                bytes += store.layer(&layer)?.map_or(0, |layer| layer.bytes);
                store.remove_layer(&layer)?;
                lock.retire()?;
            } else {
                store.clear_leftovers(&layer)?;
            }
        }
        Ok(bytes)
    }

    /// Removes what writers that were killed have left beside the store's files; those that are written just now are younger.
    fn cut_off_writes(&self, unused: &Unused) -> Result<u64, ImageError> {
        let before = unused.since.checked_sub(WRITING).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut bytes = 0;
        for part in ["images", "names", "blobs"] {
            for name in self.store.names_in(part)?.into_iter().filter(|name| name.contains(store::UNFINISHED)) {
                let path = self.store.path(part).join(name);
                let Ok(metadata) = fs::metadata(&path) else { continue };
                if metadata.modified().is_ok_and(|modified| modified < before) {
                    bytes += metadata.len();
                    if !unused.dry_run {
                        store::remove(&path)?;
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// Removes downloads that nobody has gone on with.
    fn old_downloads(&self, unused: &Unused) -> Result<u64, ImageError> {
        let folder = self.store.path("partial");
        let mut bytes = 0;
        for name in self.store.names_in("partial")? {
            let path = folder.join(&name);
            let metadata = match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata.map_err(ImageError::io("cannot look at", &path))?,
            };
            if metadata.modified().is_ok_and(|modified| modified >= unused.since) {
                continue;
            }
            let Some(lock) = self.store.try_lock(&format!("blob-{name}"), false)? else { continue };
            bytes += metadata.len();
            if !unused.dry_run {
                fs::remove_file(&path).map_err(ImageError::io("cannot remove", &path))?;
                lock.retire()?;
            }
        }
        Ok(bytes)
    }
}
