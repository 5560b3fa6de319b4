//! Pulling: what a reference leads to, its layers side by side, unpacked as they come.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;

use crate::blocking::blocking;
use crate::lease::lock_of;
use crate::registry::{Fault, Found, Partial, Repository, download};
use crate::store::{ImageRecord, Install, Lock, NameRecord, Reservation, Store};
use crate::{
    Descriptor, Digest, Image, ImageConfig, ImageError, ImageManifest, ImageRequest, Images, Limits, Manifest,
    Platform, PullPolicy, PullProgress, Reference, RegistryCredentials, choose, read_config, read_manifest,
};

/// So many layers of an image come at once: what registries and their proxies bear from one client.
const AT_ONCE: usize = 4;

/// How often a download that another process is at is looked at again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a registry has for a reference.
struct Resolved {
    repository: Repository,
    /// What the reference leads to: an index or a manifest.
    digest: Digest,
    manifest: Found,
    image: ImageManifest,
}

/// What was asked and by whom.
struct Wanted<'r> {
    reference: Reference,
    platform: Platform,
    credentials: Option<&'r RegistryCredentials>,
}

impl Images {
    /// Makes an image be here and answers it; see [`PullPolicy`] for when its registry is asked.
    ///
    /// # Errors
    /// All of [`ImageError`]; each says what would do.
    pub async fn pull(&self, request: &ImageRequest) -> Result<Image, ImageError> {
        let record = self.pulled(request).await?;
        let images = self.clone();
        blocking(move || images.describe(&record)).await
    }

    /// As [`pull`](Self::pull), answering the image's id alone, which costs little where it is here.
    ///
    /// # Errors
    /// All of [`ImageError`]; each says what would do.
    pub async fn prepare(&self, request: &ImageRequest) -> Result<String, ImageError> {
        let record = self.pulled(request).await?;
        let id = record.id.clone();
        let store = self.store.clone();
        blocking(move || store.stamp(&record.id)).await?;
        Ok(id.to_string())
    }

    async fn pulled(&self, request: &ImageRequest) -> Result<ImageRecord, ImageError> {
        let reference: Reference = request.reference.parse()?;
        let platform = request.platform.clone().unwrap_or_else(Platform::here);
        let wanted = Wanted { reference, platform, credentials: request.credentials.as_ref() };
        let key = wanted.key();
        let _turn = self.shared.turns.wait(&key).await;
        let known = {
            let (images, reference, platform) = (self.clone(), wanted.reference.clone(), wanted.platform.clone());
            blocking(move || images.known(&reference, &platform)).await?
        };
        let local = request.pull == PullPolicy::Never || wanted.reference.is_local_only();
        let Some((name, record)) = known else {
            if local {
                return Err(ImageError::not_here(&wanted.reference.familiar()));
            }
            return self.fetch(request, &wanted, None).await.map(|record| self.noted(&key, record));
        };
        let sure = wanted.reference.digest.is_some()
            || name.digest.is_none()
            || self.shared.turns.fresh(&key, self.shared.options.fresh);
        if local || (sure && request.pull != PullPolicy::Always) {
            return Ok(record);
        }
        let known = name.digest.map(|digest| (digest, record.clone()));
        match self.fetch(request, &wanted, known).await {
            Err(ImageError::Unreachable(reason)) if request.pull != PullPolicy::Always => {
                tracing::warn!(image = %wanted.reference, reason, "its registry does not answer; taken as it is here");
                Ok(record)
            }
            fetched => fetched.map(|record| self.noted(&key, record)),
        }
    }

    fn noted(&self, key: &str, record: ImageRecord) -> ImageRecord {
        self.shared.turns.note(key);
        record
    }

    /// Asks the registry, and installs what it has, unless that is `known`.
    async fn fetch(
        &self,
        request: &ImageRequest,
        wanted: &Wanted<'_>,
        known: Option<(Digest, ImageRecord)>,
    ) -> Result<ImageRecord, ImageError> {
        let (digest, record) = known.unzip();
        let resolved = match (self.resolve(wanted, digest.as_ref()).await?, record) {
            (Some(resolved), _) => resolved,
            (None, Some(record)) => return Ok(record),
            (None, None) => return Err(wanted.error(&Fault::Passing("its registry changes its mind".to_owned()))),
        };
        let record = self.install(request, wanted, &resolved).await?;
        let (reference, platform) = (wanted.reference.clone(), wanted.platform.clone());
        let name = NameRecord { reference, platform, id: record.id.clone(), digest: Some(resolved.digest) };
        let store = self.store.clone();
        blocking(move || -> Result<_, ImageError> {
            // The image may be collected as long as its name is not there.
            let _lock = store.lock(&lock_of(&record.id), true, &AtomicBool::new(false))?;
            store.stamp(&record.id)?;
            store.set_name(&name)?;
            Ok(record)
        })
        .await
    }

    /// What the first address that has it has for the reference; `None` where that is `known`.
    async fn resolve(&self, wanted: &Wanted<'_>, known: Option<&Digest>) -> Result<Option<Resolved>, ImageError> {
        let mut faults = Vec::new();
        for endpoint in self.shared.options.registries.endpoints(&wanted.reference.registry)? {
            let (name, own) = (&wanted.reference.repository, !self.shared.options.registries.is_mirror(&endpoint));
            let repository = Repository::new(&self.shared.connection, endpoint, name, wanted.credentials.cloned());
            let tag = wanted.reference.wanted();
            if known.is_some() && repository.digest(&tag).await.ok().flatten().as_ref() == known {
                return Ok(None);
            }
            match repository.manifest(&tag).await {
                Ok(found) if Some(&found.digest) == known => return Ok(None),
                Ok(found) => return wanted.image_of(repository, found).await.map(Some),
                Err(fault) => faults.push(fault),
            }
            // What the registry itself says counts; only where it speaks no TLS on this machine is it asked in clear.
            if own && !matches!(faults.last(), Some(Fault::NoConnection(_))) {
                break;
            }
        }
        // A registry that answered knows more than one that did not.
        let silent = |fault: &&Fault| matches!(fault, Fault::NoConnection(_));
        let told = faults.iter().rev().find(|fault| !silent(fault)).or(faults.last());
        Err(wanted.error(told.unwrap_or(&Fault::Lasting("its registry has no address".to_owned()))))
    }

    async fn install(
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
        let cancel = Cancel::default();
        let reservation = {
            let (images, flag, diff_ids) = (self.clone(), cancel.flag(), config.diff_ids.clone());
            blocking(move || images.installing(&flag).reserve(&diff_ids)).await?
        };
        let (sender, layers) = mpsc::unbounded_channel();
        let missing = reservation.missing();
        let unpacking = {
            let (images, flag) = (self.clone(), cancel.flag());
            let (config_id, manifest) = (resolved.image.config.digest.clone(), resolved.manifest.clone());
            tokio::task::spawn_blocking(move || {
                let config = (&config_id, &bytes[..], &config);
                images.unpack_all(&flag, reservation, layers, config, &manifest)
            })
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

    /// Downloads the missing layers, some at once, and hands each on in its order. A receiver that is gone has failed,
    /// and says itself why.
    async fn fetch_all(
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

/// A whole compressed layer under a name of its own, so that nobody waits for its unpacking who wants to download it too.
struct Fetched {
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

    fn unpack(mut self, install: &Install<'_>, reservation: &mut Reservation, at: usize) -> Result<(), ImageError> {
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

impl Wanted<'_> {
    /// Who may have what is asked of the registry for each user anew.
    fn key(&self) -> String {
        let user = self.credentials.map_or_else(String::new, |user| {
            Digest::of(format!("{}\0{}", user.username, user.password.0).as_bytes()).to_string()
        });
        format!("{} {} {user}", self.reference, self.platform)
    }

    /// The manifest of the image itself, chosen by platform where there is an index.
    async fn image_of(&self, repository: Repository, found: Found) -> Result<Resolved, ImageError> {
        let digest = found.digest.clone();
        let read = |found: &Found| read_manifest(&found.bytes).map_err(|reason| self.broken(&reason));
        let (manifest, image) = match read(&found)? {
            Manifest::Image(image) => (found, image),
            Manifest::Index(entries) => {
                let chosen = choose(&entries, &self.platform).map_err(|reason| self.broken(&reason))?;
                let wanted = chosen.digest.to_string();
                let found = repository.manifest(&wanted).await.map_err(|fault| self.error(&fault))?;
                match read(&found)? {
                    Manifest::Image(image) => (found, image),
                    Manifest::Index(_) => return Err(self.broken("its index leads to another index")),
                }
            }
        };
        Ok(Resolved { repository, digest, manifest, image })
    }

    fn broken(&self, reason: &str) -> ImageError {
        ImageError::Content(format!("image {} cannot be used: {reason}", self.reference.familiar()))
    }

    /// What a registry's answer means for who wanted the image.
    fn error(&self, fault: &Fault) -> ImageError {
        let (image, registry, said) = (self.reference.familiar(), &self.reference.registry, fault.text());
        match fault {
            Fault::Unknown(_) => ImageError::Unknown(format!("{said}: {registry} has no image {image}")),
            Fault::Unauthorized(_) => {
                let whom = self.credentials.map_or("without credentials", |_| "with these credentials");
                ImageError::Unauthorized(format!(
                    "pull access denied for {image}: {registry} does not hand it out {whom}, or has no such repository ({said})"
                ))
            }
            Fault::NoConnection(_) | Fault::Passing(_) => ImageError::Unreachable(format!(
                "image {image} cannot be pulled: {said}. Where its registry is not reached, load it from a file with \
                 `landfall images load`, or run another in its place with --image-map"
            )),
            Fault::Lasting(_) => ImageError::Registry(format!("image {image} cannot be pulled: {said}")),
        }
    }
}
