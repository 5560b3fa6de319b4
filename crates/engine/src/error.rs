use std::path::{Path, PathBuf};

use crate::spec::SpecError;

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine cannot work on this machine or for this user; the text says what to do about it.
    #[error("{0}")]
    Unusable(String),
    /// The image cannot be used; the text says why and what would do.
    #[error("{0}")]
    Image(String),
    /// The container's description breaks a rule.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no container of this id.
    #[error("there is no container {0:?}")]
    NoContainer(String),
    /// The container has ended, so nothing can be run in it or sent to it.
    #[error("container {0:?} has ended")]
    Ended(String),
    /// The container or command could not be started: the runtime's own words.
    #[error("container {id:?} could not be started: {reason}")]
    Start {
        /// The container's id.
        id: String,
        /// What the runtime said.
        reason: String,
    },
    /// The container daemon did not do what it was asked.
    #[error("the container daemon could not {action}: {reason}")]
    Daemon {
        /// What it was asked.
        action: &'static str,
        /// Its own words.
        reason: String,
    },
    /// The container's OCI configuration could not be put together.
    #[error("the container's OCI configuration: {0}")]
    Configuration(#[from] oci_spec::OciSpecError),
    /// A file or process of the engine's own failed.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, for example `cannot write`.
        action: &'static str,
        /// On which file or program.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Each of its sentences says what would do; what is the store's own fault is this engine's.
impl From<images::ImageError> for EngineError {
    fn from(error: images::ImageError) -> Self {
        match error {
            images::ImageError::Io { action, path, source } => Self::Io { action, path, source },
            images::ImageError::Setting(text) => Self::Unusable(text),
            other => Self::Image(other.to_string()),
        }
    }
}

impl EngineError {
    /// Puts the action and file to a system's error, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
