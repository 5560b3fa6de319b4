//! Images that builds no longer use.

use async_trait::async_trait;
use engine::{Engine, EngineError, Unused};
use kernel::{Clock, Collected, Collector, Removed, Retention, StoreError};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Collects those that a registry can bring back.
pub(crate) struct UnusedImages {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
}

impl UnusedImages {
    /// Those that the engine keeps.
    pub(crate) fn new(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock }
    }
}

#[async_trait]
impl Collector for UnusedImages {
    async fn collect(&self, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let mut removed = Removed::default();
        if let Some(cutoff) = retention.images.cutoff(self.clock.now()) {
            let since = UNIX_EPOCH + Duration::from_millis(u64::try_from(cutoff.millis()).unwrap_or_default());
            let collected = self.engine.collect_images(Unused { since, only_pulled: true, dry_run }).await;
            let collected = collected.map_err(failed)?;
            removed = Removed { count: collected.images.len() as u64, bytes: collected.bytes };
        }
        Ok(Collected::from([("unused images", removed)]))
    }
}

fn failed(error: EngineError) -> StoreError {
    StoreError::Content(Arc::new(std::io::Error::other(error.to_string())))
}
