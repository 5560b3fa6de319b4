use crate::registry::{Fault, Found, Repository};
use crate::{
    Digest, ImageError, ImageManifest, Manifest, Platform, Reference, RegistryCredentials, choose, read_manifest,
};

/// What a registry has for a reference.
pub(super) struct Resolved {
    pub(super) repository: Repository,
    /// What the reference leads to: an index or a manifest.
    pub(super) digest: Digest,
    pub(super) manifest: Found,
    pub(super) image: ImageManifest,
}

/// What was asked and by whom.
pub(super) struct Wanted<'r> {
    pub(super) reference: Reference,
    pub(super) platform: Platform,
    pub(super) credentials: Option<&'r RegistryCredentials>,
}

impl Wanted<'_> {
    /// Who may have what is asked of the registry for each user anew.
    pub(super) fn key(&self) -> String {
        let user = self.credentials.map_or_else(String::new, |user| {
            Digest::of(format!("{}\0{}", user.username, user.password.0).as_bytes()).to_string()
        });
        format!("{} {} {user}", self.reference, self.platform)
    }

    /// The manifest of the image itself, chosen by platform where there is an index.
    pub(super) async fn image_of(&self, repository: Repository, found: Found) -> Result<Resolved, ImageError> {
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

    pub(super) fn broken(&self, reason: &str) -> ImageError {
        ImageError::Content(format!("image {} cannot be used: {reason}", self.reference.familiar()))
    }

    /// What a registry's answer means for who wanted the image.
    pub(super) fn error(&self, fault: &Fault) -> ImageError {
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
                 `landfall images load`, or run another in its place (`landfall serve --image-map`)"
            )),
            Fault::Lasting(_) => ImageError::Registry(format!("image {image} cannot be pulled: {said}")),
        }
    }
}
