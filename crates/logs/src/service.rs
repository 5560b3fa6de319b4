//! The service and what it stands on.

use crate::segments::{Arrivals, Shelf};
use kernel::{Clock, Documents, Ids};
use std::path::PathBuf;
use std::sync::Arc;

/// What logs stands on.
pub struct Dependencies {
    /// The store's handle for service `logs`.
    pub documents: Documents,
    /// Dates events.
    pub clock: Arc<dyn Clock>,
    /// Names folders.
    pub ids: Arc<dyn Ids>,
    /// The data folder; events lie under `logs/` in it.
    pub data_dir: PathBuf,
}

/// CloudWatch Logs.
pub struct Service {
    pub(crate) documents: Documents,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) arrivals: Arc<Arrivals>,
}

impl Service {
    /// The service over its documents and files.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { documents, clock, ids, data_dir } = dependencies;
        let shelf = Arc::new(Shelf::new(&data_dir));
        Arc::new(Self { documents, clock, ids, shelf, arrivals: Arc::default() })
    }
}
