//! Pulling: what a reference leads to, its layers side by side, unpacked as they come.

mod install;
mod layers;
mod wanted;

use std::sync::atomic::AtomicBool;

use crate::blocking::blocking;
use crate::lease::lock_of;
use crate::registry::{Fault, Repository};
use crate::store::{ImageRecord, NameRecord};
use crate::{Digest, Image, ImageError, ImageRequest, Images, Platform, PullPolicy, Reference};
use wanted::{Resolved, Wanted};

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
}
