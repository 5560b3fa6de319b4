use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::layers::Fetched;
use super::wanted::{Resolved, Wanted};
use crate::blocking::blocking;
use crate::registry::Found;
use crate::store::{ImageRecord, Install, Reservation};
use crate::{Digest, ImageConfig, ImageError, ImageManifest, ImageRequest, Images, Limits, Platform, read_config};

impl Images {
    /// Brings an image's layers here and makes it one that is there.
    pub(super) async fn install(
        &self,
        request: &ImageRequest,
        wanted: &Wanted<'_>,
        resolved: &Resolved,
    ) -> Result<ImageRecord, ImageError> {
        let id = resolved.image.config.digest.clone();
        let store = self.store.clone();
        if let Some(record) = blocking(move || store.image(&id)).await? {
            check_platform(&record.platform, &wanted.platform).map_err(|reason| wanted.broken(&reason))?;
            return Ok(record);
        }
        let bytes = resolved.repository.blob(&resolved.image.config).await.map_err(|fault| wanted.error(&fault))?;
        let config = read_config(&bytes).map_err(|reason| wanted.broken(&reason))?;
        check(&config, &resolved.image, &wanted.platform, self.shared.options.limits)
            .map_err(|reason| wanted.broken(&reason))?;
        self.install_layers(request, wanted, resolved, (bytes, config)).await
    }

    /// Downloads the missing layers and unpacks them meanwhile.
    async fn install_layers(
        &self,
        request: &ImageRequest,
        wanted: &Wanted<'_>,
        resolved: &Resolved,
        (bytes, config): (Bytes, ImageConfig),
    ) -> Result<ImageRecord, ImageError> {
        let cancel = Cancel::default();
        let reservation = {
            let (images, flag, diff_ids) = (self.clone(), cancel.flag(), config.diff_ids.clone());
            blocking(move || images.installing(&flag).reserve(&diff_ids)).await?
        };
        let (sender, layers) = mpsc::unbounded_channel();
        let missing = reservation.missing();
        let unpacking = {
            let (images, flag) = (self.clone(), cancel.flag());
            let (id, manifest) = (resolved.image.config.digest.clone(), resolved.manifest.clone());
            let unpack = move || images.unpack_all(&flag, reservation, layers, (&id, &bytes, &config), &manifest);
            tokio::task::spawn_blocking(unpack)
        };
        let fetched = self.fetch_all(request, resolved, &missing, sender).await;
        let unpacked = unpacking.await.map_err(|error| ImageError::Content(format!("unpacking failed: {error}")))?;
        // What the download says explains why unpacking got too little; else unpacking has the last word.
        match (fetched, unpacked) {
            (Err(fault), Ok(None) | Err(_)) => Err(wanted.error(&fault)),
            (_, Err(ImageError::Content(reason))) => Err(wanted.broken(&reason)),
            (_, Err(error)) => Err(error),
            (_, Ok(Some(record))) => Ok(record),
            (Ok(()), Ok(None)) => Err(wanted.broken("its layers did not all come")),
        }
    }

    fn installing<'i>(&'i self, cancelled: &'i AtomicBool) -> Install<'i> {
        Install { store: &self.store, limits: self.shared.options.limits, cancelled }
    }

    /// Unpacks layers as they come; `None` where they end too early. What was unpacked is kept in any case.
    fn unpack_all(
        &self,
        cancelled: &AtomicBool,
        mut reservation: Reservation,
        mut layers: mpsc::UnboundedReceiver<(usize, Fetched)>,
        config: (&Digest, &[u8], &ImageConfig),
        manifest: &Found,
    ) -> Result<Option<ImageRecord>, ImageError> {
        let install = self.installing(cancelled);
        let mut left = reservation.missing().len();
        while let (true, Some((at, layer))) = (left > 0, layers.blocking_recv()) {
            if let Err(error) = layer.unpack(&install, &mut reservation, at) {
                install.keep(&mut reservation)?;
                return Err(error);
            }
            left -= 1;
        }
        if left > 0 || cancelled.load(Ordering::Relaxed) {
            install.keep(&mut reservation)?;
            return Ok(None);
        }
        install.finish(reservation, config, Some((&manifest.digest, &manifest.bytes))).map(Some)
    }
}

/// Ends the blocking work of a pull whose future is dropped.
#[derive(Default)]
struct Cancel(Arc<AtomicBool>);

impl Cancel {
    fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether manifest and configuration belong together, and fit this machine and the limits.
fn check(config: &ImageConfig, image: &ImageManifest, platform: &Platform, limits: Limits) -> Result<(), String> {
    if config.diff_ids.len() != image.layers.len() {
        let (named, there) = (config.diff_ids.len(), image.layers.len());
        return Err(format!("its configuration names {named} layers, and its manifest {there}"));
    }
    check_platform(&config.platform, platform)?;
    let bytes = image.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
    if bytes > limits.image_bytes {
        return Err(format!("it has {bytes} bytes compressed; {} are allowed (--image-limit)", limits.image_bytes));
    }
    Ok(())
}

fn check_platform(image: &Platform, wanted: &Platform) -> Result<(), String> {
    match wanted.fit(image) {
        Some(_) => Ok(()),
        None => Err(format!("it is for {image}, not for {wanted}")),
    }
}
