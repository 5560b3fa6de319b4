use std::io;
use std::path::{Path, PathBuf};

/// Why an image cannot be had; each text says what would do.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference cannot be read.
    #[error("image {text:?} is no image reference: {reason}")]
    Reference {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The image is not in the store, and nobody was to be asked for it.
    #[error("{0}")]
    NotHere(String),
    /// Several images begin with this id.
    #[error("several images have an id that begins with {0}: write more of it")]
    Ambiguous(String),
    /// Containers run from the image.
    #[error("image {name} is in use by {holder}: remove it when that has ended", holder = holder.display())]
    InUse {
        /// The image, as it was named.
        name: String,
        /// The folder of one container.
        holder: PathBuf,
    },
    /// The registry has no such image.
    #[error("{0}")]
    Unknown(String),
    /// The registry lets not everybody have it, and not with these credentials.
    #[error("{0}")]
    Unauthorized(String),
    /// The registry was not reached, or gave no whole answer in time and in a few tries.
    #[error("{0}")]
    Unreachable(String),
    /// The registry answered what a registry must not answer.
    #[error("{0}")]
    Registry(String),
    /// The image itself is broken, hostile, too large, or for other machines.
    #[error("{0}")]
    Content(String),
    /// A setting is wrong: a mirror, a file of certificates.
    #[error("{0}")]
    Setting(String),
    /// A file of the store failed.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, for example `cannot write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl ImageError {
    /// Puts the action and file to a system's error, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// An image that is not in the store.
    pub(crate) fn not_here(name: &str) -> Self {
        let advice = if name.starts_with("landfall/standard") {
            "make it with `landfall images build standard`, or run another image in its place (`landfall serve --image-map`)"
        } else if name.starts_with("landfall/") {
            "images of this name are made or loaded here (`landfall images load`), never pulled"
        } else {
            "pull it with `landfall images pull`, or load it from a file with `landfall images load`"
        };
        Self::NotHere(format!("image {name} is not here: {advice}"))
    }
}
