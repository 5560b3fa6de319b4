use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::{Chain, ImageRecord, LayerRecord, Lock, Store, chains, files};
use crate::digest::Hashing;
use crate::limits::FOLDERS_MEMORY;
use crate::unpack::{Bounded, Bounds, Ownership, decode, sync_all, unpack};
use crate::{Digest, ImageConfig, ImageError, Limits};

/// What an installation works with.
pub(crate) struct Install<'i> {
    pub(crate) store: &'i Store,
    pub(crate) limits: Limits,
    pub(crate) cancelled: &'i AtomicBool,
}

/// An image's layers, held so that nobody else unpacks or collects them: those that are there shared with others, those
/// that are missing alone.
pub(crate) struct Reservation {
    chains: Vec<Chain>,
    /// Held until the image is there.
    _locks: Vec<Lock>,
    /// The layers that are there.
    present: Vec<Option<LayerRecord>>,
    /// The layers that were unpacked since.
    unpacked: Vec<(usize, LayerRecord)>,
}

impl Install<'_> {
    /// Waits for the layers' locks, the lowest first: as all do so, nobody waits in a circle.
    pub(crate) fn reserve(&self, diff_ids: &[Digest]) -> Result<Reservation, ImageError> {
        let chains = chains(diff_ids);
        let (mut locks, mut present) = (Vec::new(), Vec::new());
        for chain in &chains {
            let name = Store::lock_of(&chain.id);
            let shared = self.store.layer(&chain.id)?.is_some();
            let mut lock = self.store.lock(&name, shared, self.cancelled)?;
            let mut layer = self.store.layer(&chain.id)?;
            if shared && layer.is_none() {
                // It was collected just before.
                drop(lock);
                lock = self.store.lock(&name, false, self.cancelled)?;
                layer = self.store.layer(&chain.id)?;
            }
            if layer.is_some() {
                lock.share()?;
            }
            locks.push(lock);
            present.push(layer);
        }
        Ok(Reservation { chains, _locks: locks, present, unpacked: Vec::new() })
    }

    /// Unpacks the missing layer `at` from its archive, compressed or not; those beneath must have been unpacked.
    ///
    /// # Errors
    /// [`ImageError::Content`] where the archive is not the layer, has what no layer may have, or is too much.
    pub(crate) fn unpack(
        &self,
        reservation: &mut Reservation,
        at: usize,
        archive: impl Read,
    ) -> Result<(), ImageError> {
        let chain = reservation.chains[at].clone();
        let unpacked = self.unpack_into(reservation, at, archive);
        if unpacked.is_err() {
            // Hostile ones may be large, and the layer will not be tried again soon.
            self.store.clear_leftovers(&chain.id)?;
        }
        reservation.unpacked.push((at, unpacked?));
        Ok(())
    }

    fn unpack_into(&self, reservation: &Reservation, at: usize, archive: impl Read) -> Result<LayerRecord, ImageError> {
        let chain = &reservation.chains[at];
        let tree = self.store.new_layer(&chain.id)?;
        let parents: Vec<PathBuf> = (0..at).rev().map(|beneath| reservation.tree(self.store, beneath)).collect();
        let (bytes, entries) = self.left(reservation);
        let too_much = format!("the image is larger than {} bytes unpacked (--image-limit)", self.limits.image_bytes);
        let broken = |error: io::Error| explain(&chain.diff_id, error);
        let plain = decode(archive).map_err(broken)?;
        let mut hashing = Hashing::new(Bounded::new(plain, bytes, too_much));
        let bounds = Bounds { entries, memory: FOLDERS_MEMORY, cancelled: self.cancelled };
        let unpacked = unpack(&mut hashing, &tree, &parents, Ownership::of_this_process(), &bounds).map_err(broken)?;
        let (diff_id, stream) = hashing.finish().map_err(broken)?;
        if diff_id != chain.diff_id {
            return Err(ImageError::Content(format!(
                "the layer {} is not what the image's configuration says: its content is {diff_id}",
                chain.diff_id
            )));
        }
        if unpacked.devices > 0 {
            tracing::info!(layer = %chain.diff_id, devices = unpacked.devices, "devices of a layer were left out");
        }
        let record =
            LayerRecord { diff_id, bytes: unpacked.bytes, entries: unpacked.entries, devices: unpacked.devices };
        tracing::debug!(layer = %chain.diff_id, stream, bytes = record.bytes, "unpacked");
        Ok(record)
    }

    /// What the layers that are there leave of the limits.
    fn left(&self, reservation: &Reservation) -> (u64, u64) {
        let there = reservation.present.iter().flatten();
        let all = there.chain(reservation.unpacked.iter().map(|(_, record)| record));
        all.fold((self.limits.image_bytes, self.limits.entries), |(bytes, entries), record| {
            (bytes.saturating_sub(record.bytes), entries.saturating_sub(record.entries))
        })
    }

    /// Makes the layers that were unpacked ones that are there. Their files reach the disk first, all at once. Done also
    /// where a later layer failed: the next try goes on from here.
    pub(crate) fn keep(&self, reservation: &mut Reservation) -> Result<(), ImageError> {
        let layers = self.store.path("layers");
        if !reservation.unpacked.is_empty() {
            sync_all(&layers).map_err(ImageError::io("cannot write", &layers))?;
            crash_point::crash_point!("images_after_unpacking");
        }
        for (at, record) in std::mem::take(&mut reservation.unpacked) {
            self.store.finish_layer(&reservation.chains[at].id, &record)?;
            reservation.present[at] = Some(record);
        }
        Ok(())
    }

    /// Makes the image one that is there.
    pub(crate) fn finish(
        &self,
        mut reservation: Reservation,
        config: (&Digest, &[u8], &ImageConfig),
        manifest: Option<(&Digest, &[u8])>,
    ) -> Result<ImageRecord, ImageError> {
        self.keep(&mut reservation)?;
        let (id, bytes, config) = config;
        files::write(&self.store.blob(id), bytes)?;
        if let Some((digest, bytes)) = manifest {
            files::write(&self.store.blob(digest), bytes)?;
        }
        let record = ImageRecord {
            id: id.clone(),
            manifest: manifest.map(|(digest, _)| digest.clone()),
            platform: config.platform.clone(),
            created: config.created.clone(),
            run: config.run.clone(),
            layers: reservation.chains.iter().map(|chain| chain.id.clone()).collect(),
            bytes: reservation.present.iter().flatten().map(|record| record.bytes).sum(),
        };
        crash_point::crash_point!("images_before_image");
        files::write_json(&self.store.image_file(id), &record)?;
        self.store.stamp(id)?;
        Ok(record)
    }
}

impl Reservation {
    /// Which layers are missing, lowest first.
    pub(crate) fn missing(&self) -> Vec<usize> {
        (0..self.chains.len()).filter(|at| self.present[*at].is_none()).collect()
    }

    fn tree(&self, store: &Store, at: usize) -> PathBuf {
        let chain = &self.chains[at].id;
        if self.present[at].is_some() { store.tree(chain) } else { store.unfinished(chain).join("tree") }
    }
}

/// What the archive's reader or the system says, about which layer.
fn explain(layer: &Digest, error: io::Error) -> ImageError {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            ImageError::Content(format!("the layer {layer} cannot be unpacked: no space is left on the store's disk"))
        }
        io::ErrorKind::UnexpectedEof => ImageError::Content(format!("the layer {layer} is cut off")),
        _ => ImageError::Content(format!("the layer {layer} cannot be unpacked: {error}")),
    }
}
