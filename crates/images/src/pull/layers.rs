use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;

use super::wanted::Resolved;
use crate::blocking::blocking;
use crate::registry::{Fault, Partial, Repository, download};
use crate::store::{Install, Lock, Reservation, Store};
use crate::{Descriptor, Digest, ImageError, ImageRequest, Images, PullProgress};

/// So many layers of an image come at once: what registries and their proxies bear from one client.
const AT_ONCE: usize = 4;

/// How often a download that another process is at is looked at again.
const AGAIN: Duration = Duration::from_millis(50);

impl Images {
    /// Downloads the missing layers, some at once, and hands each on in its order. A receiver that is gone has failed,
    /// and says itself why.
    pub(super) async fn fetch_all(
        &self,
        request: &ImageRequest,
        resolved: &Resolved,
        missing: &[usize],
        sender: mpsc::UnboundedSender<(usize, Fetched)>,
    ) -> Result<(), Fault> {
        let wanted: Vec<_> = missing.iter().map(|at| (*at, &resolved.image.layers[*at])).collect();
        let total = wanted.iter().map(|(_, layer)| layer.size).sum();
        let (done, told) = (AtomicU64::new(0), AtomicU64::new(0));
        let add = |before: &AtomicU64, now: u64| {
            let change = now.wrapping_sub(before.swap(now, Ordering::Relaxed));
            let done = done.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
            // A hundred times and at the end is often enough.
            let step = done * 100 / u64::max(total, 1);
            if told.swap(step, Ordering::Relaxed) != step
                && let Some(progress) = &request.progress
            {
                progress(PullProgress { done, total });
            }
        };
        let mut fetches = Vec::new();
        for (at, layer) in wanted {
            fetches.push(self.fetch_one(&resolved.repository, at, layer, &add).boxed());
        }
        let mut fetched = stream::iter(fetches).buffered(AT_ONCE);
        while let Some(layer) = fetched.try_next().await? {
            let _ = sender.send(layer);
        }
        Ok(())
    }

    async fn fetch_one(
        &self,
        repository: &Repository,
        at: usize,
        layer: &Descriptor,
        add: &(dyn Fn(&AtomicU64, u64) + Sync),
    ) -> Result<(usize, Fetched), Fault> {
        let before = AtomicU64::new(0);
        Ok((at, self.fetch_layer(repository, layer, &|now| add(&before, now)).await?))
    }

    async fn fetch_layer(
        &self,
        repository: &Repository,
        layer: &Descriptor,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Fault> {
        let on_disk = |error: &dyn std::fmt::Display| Fault::Lasting(error.to_string());
        let lock = self.download_lock(&layer.digest).await.map_err(|error| on_disk(&error))?;
        let path = self.store.partial(&layer.digest);
        let (opened, size) = (path.clone(), layer.size);
        let partial = blocking(move || Partial::open(&opened, size)).await.map_err(|error| on_disk(&error))?;
        download(repository, layer, partial, progress).await?;
        crash_point::crash_point!("images_after_download");
        let fetched = Fetched::take(&self.store, &layer.digest).map_err(|error| on_disk(&error))?;
        lock.retire().map_err(|error| on_disk(&error))?;
        Ok(fetched)
    }

    /// One download of a blob at a time, in all processes.
    async fn download_lock(&self, digest: &Digest) -> Result<Lock, ImageError> {
        let name = format!("blob-{}", digest.hex());
        loop {
            if let Some(lock) = self.store.try_lock(&name, false)? {
                return Ok(lock);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// A whole compressed layer under a name of its own, so that nobody waits for its unpacking who wants to download it too.
pub(super) struct Fetched {
    path: PathBuf,
    shared: PathBuf,
    used: bool,
}

impl Fetched {
    /// Takes the download; its lock must be held.
    fn take(store: &Store, digest: &Digest) -> std::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = store.partial(digest);
        let path = shared.with_extension(format!("{}-{number}", std::process::id()));
        fs::rename(&shared, &path)?;
        Ok(Self { path, shared, used: false })
    }

    pub(super) fn unpack(
        mut self,
        install: &Install<'_>,
        reservation: &mut Reservation,
        at: usize,
    ) -> Result<(), ImageError> {
        let file = File::open(&self.path).map_err(ImageError::io("cannot open", &self.path))?;
        install.unpack(reservation, at, file)?;
        self.used = true;
        Ok(())
    }
}

/// What was not unpacked is there for the next pull. What cannot be put back is collected some day.
impl Drop for Fetched {
    fn drop(&mut self) {
        if !self.used {
            let _ = fs::hard_link(&self.path, &self.shared);
        }
        let _ = fs::remove_file(&self.path);
    }
}
