//! How `limits.disk_bytes` is kept: by counting, and ending a container that has written too much.
//!
//! Daemons can keep a size by themselves on few file systems (xfs mounted for quotas, btrfs, zfs). What a container writes
//! over its image and to its output counts; a privileged one's `/var/lib/docker` is a volume, which the daemon does not count.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Docker, Inner};
use crate::{ContainerSpec, Engine, EngineError, Signal};

/// The time between two counts, and at least so many times what a count took: the daemon looks at each file.
const PERIOD: Duration = Duration::from_secs(1);
const LEISURE: u32 = 10;

impl Docker {
    /// Watches a container that has a limit, as long as it runs and this engine is there: the next one watches anew.
    pub(super) fn watch_disk(&self, spec: &ContainerSpec) {
        if let Some(limit) = spec.limits.disk_bytes {
            tokio::spawn(watch(Arc::downgrade(&self.0), spec.id.clone(), limit));
        }
    }

    /// What the container has written; `None` where it does not run.
    async fn written(&self, id: &str) -> Result<Option<u64>, EngineError> {
        let Some(layer) = self.0.daemon.written(&self.0.records.name(id)).await? else { return Ok(None) };
        let record = self.0.records.record(id)?;
        // Both are mounted, so that all of the container may write to them.
        let sizes = [record.output(), record.word()].map(|file| file.metadata().map_or(0, |file| size(&file)));
        Ok(Some(sizes.iter().fold(layer, |sum, size| sum.saturating_add(*size))))
    }
}

/// What a file is, or keeps of the disk: space can be taken beyond a file's end.
fn size(file: &Metadata) -> u64 {
    file.len().max(file.blocks().saturating_mul(512))
}

async fn watch(engine: Weak<Inner>, id: String, limit: u64) {
    let mut pause = PERIOD;
    loop {
        sleep(pause).await;
        let Some(engine) = engine.upgrade().map(Docker) else { return };
        let begin = Instant::now();
        match engine.written(&id).await {
            Ok(None) => return,
            Ok(Some(bytes)) if bytes > limit => {
                tracing::warn!(container = id, bytes, limit, "a container has written too much and is ended");
                match engine.signal(&id, Signal::Kill).await {
                    Ok(()) | Err(EngineError::Ended(_) | EngineError::NoContainer(_)) => return,
                    Err(error) => tracing::warn!(%error, container = id, "it could not be ended"),
                }
            }
            Ok(Some(_)) => {}
            // The daemon is away: it is asked again.
            Err(error) => tracing::debug!(%error, container = id, "cannot count what it has written"),
        }
        pause = PERIOD.max(begin.elapsed() * LEISURE);
    }
}
