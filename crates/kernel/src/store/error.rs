//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a data folder could not be opened; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("cannot use the data folder {}: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the folder.
    #[error("another landfall server (pid {pid}) uses {}; stop it or give another --data-dir", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The other's process id, `unknown` if it could not be read.
        pid: String,
    },
    /// The folder was written by a newer release.
    #[error("the data folder has format {found}, this landfall knows formats up to {known}; use a newer release")]
    Newer {
        /// Its format.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// SQLite refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread could be started.
    #[error("cannot start a thread for the store: {0}")]
    Thread(io::Error),
}

/// A fault of the store or of its use; never the user's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed: disk full, file damaged.
    #[error("the store failed: {0}")]
    Database(Arc<rusqlite::Error>),
    /// The disk did not keep what was written. The store takes nothing more until it is opened again: a further sync would
    /// succeed, and yet not mean that everything before it is on disk.
    #[error("the disk of {} does not keep what is written to it ({reason}); see to the disk, then start landfall again", dir.display())]
    Unsynced {
        /// The data folder.
        dir: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A document cannot be read as its type.
    #[error("document {kind} '{key}' cannot be read: {reason}")]
    Decode {
        /// Kind of the document.
        kind: String,
        /// Its key.
        key: String,
        /// What did not fit.
        reason: String,
    },
    /// A document cannot be written: it is no JSON, too large, or its key too long.
    #[error("document {kind} '{key}' cannot be written: {reason}")]
    Encode {
        /// Kind of the document.
        kind: String,
        /// Its key, shortened.
        key: String,
        /// Which bound it breaks.
        reason: String,
    },
    /// A service used another one's kind.
    #[error("{service} must not touch documents of kind {kind}")]
    ForeignKind {
        /// The handle's service.
        service: String,
        /// The kind refused.
        kind: String,
    },
    /// Content that lies beside the store (blobs, repositories, log segments) could not be read or removed.
    #[error("content in the data folder: {0}")]
    Content(Arc<dyn std::error::Error + Send + Sync>),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether it is for want of room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Why a commit was not made. Nothing of it was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The document changed or vanished since it was read; read again.
    #[error("{kind} '{key}' was changed by another writer")]
    Conflict {
        /// Kind of the document, or `consumer` for a cursor.
        kind: String,
        /// Its key.
        key: String,
    },
    /// A document that should be new is there already.
    #[error("{kind} '{key}' exists already")]
    Exists {
        /// Kind of the document.
        kind: String,
        /// Its key.
        key: String,
    },
    /// The lease that the commit depends on went to another worker.
    #[error("the lease of {kind} '{key}' was lost")]
    LeaseLost {
        /// Kind of the document.
        kind: String,
        /// Its key.
        key: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
