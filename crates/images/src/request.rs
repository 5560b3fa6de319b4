use std::fmt;
use std::sync::Arc;

use crate::Platform;

/// An image that is wanted.
#[derive(Clone, Default)]
pub struct ImageRequest {
    /// Its reference as in `docker pull`: `debian:12`, `example.com/team/app@sha256:…`; or `host`.
    pub reference: String,
    /// Who asks its registry; nobody in particular where absent.
    pub credentials: Option<RegistryCredentials>,
    /// Hears how far the pull is.
    pub progress: Option<Progress>,
    /// Whether its registry may be asked.
    pub pull: PullPolicy,
    /// For which machine; this one where absent.
    pub platform: Option<Platform>,
}

/// Whether an image's registry may be asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Where it is not here; where a tag led to it, its registry is asked now and then whether the tag has moved on, and
    /// what is here does where that does not answer. Each user's right to it is asked of the registry so. Images that were
    /// loaded from files, and what is named by its digest, are taken as they are here.
    #[default]
    IfMissing,
    /// Always, also for what was loaded.
    Always,
    /// Never: it is here, or it is an error.
    Never,
}

/// Called now and then while an image is pulled; must return at once.
pub type Progress = Arc<dyn Fn(PullProgress) + Send + Sync>;

/// How far a pull is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes of compressed layers that are here.
    pub done: u64,
    /// Bytes of all of them; 0 while it is not known.
    pub total: u64,
}

/// A user of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryCredentials {
    /// The user's name; `AWS` for ECR.
    pub username: String,
    /// The password or token.
    pub password: Password,
}

/// A registry's password, which is in no `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl ImageRequest {
    /// A public image, asked for by nobody in particular.
    #[must_use]
    pub fn of(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), ..Self::default() }
    }
}

impl fmt::Debug for ImageRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageRequest").field("reference", &self.reference).finish_non_exhaustive()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let credentials = RegistryCredentials { username: "ann".into(), password: Password("hunter2".into()) };
        let request = ImageRequest { credentials: Some(credentials.clone()), ..ImageRequest::of("debian:12") };
        let shown = format!("{request:?} {credentials:?}");
        assert!(shown.contains("debian:12") && shown.contains("ann") && !shown.contains("hunter2"), "{shown}");
    }
}
