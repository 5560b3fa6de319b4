//! Agents of earlier releases: each release unpacks its own into `DIR/bin`.

use async_trait::async_trait;
use kernel::{Clock, Collected, Collector, Removed, Retention, StoreError, Timestamp};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// A container that was made before the upgrade may still be about to start with its agent; none waits this long.
const SAFETY_AGE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Collects them.
pub(crate) struct OldAgents {
    folder: PathBuf,
    /// This release's.
    current: PathBuf,
    clock: Arc<dyn Clock>,
}

impl OldAgents {
    /// Those in the data folder, beside `current`.
    pub(crate) fn new(data_dir: &Path, current: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { folder: data_dir.join("bin"), current, clock }
    }

    fn remove(&self, dry_run: bool) -> io::Result<Removed> {
        let mut removed = Removed::default();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
            entries => entries?,
        };
        for entry in entries {
            let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
            let written =
                Timestamp::from_millis(0) + metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            if path == self.current || self.clock.now().since(written) < SAFETY_AGE {
                continue;
            }
            if !dry_run {
                fs::remove_file(&path)?;
            }
            removed.count += 1;
            removed.bytes += metadata.len();
        }
        Ok(removed)
    }
}

#[async_trait]
impl Collector for OldAgents {
    async fn collect(&self, _: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        // A few entries of one folder.
        let removed = self.remove(dry_run).map_err(|error| StoreError::Content(Arc::new(error)))?;
        Ok(Collected::from([("agents of earlier releases", removed)]))
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::{ManualClock, SystemClock};

    #[tokio::test]
    async fn only_old_ones_of_other_releases_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join("bin").join(name);
        fs::create_dir(dir.path().join("bin")).expect("bin");
        for name in ["landfall-agent-old", "landfall-agent-new"] {
            fs::write(path(name), "agent").expect("an agent");
        }
        let clock = ManualClock::at(SystemClock.now());
        let agents = OldAgents::new(dir.path(), path("landfall-agent-new"), Arc::new(clock.clone()));
        let collect = async |dry_run| {
            let collected = agents.collect(&Retention::default(), dry_run).await.expect("collected");
            collected["agents of earlier releases"]
        };
        assert_eq!(collect(false).await, Removed::default());
        clock.advance(SAFETY_AGE + Duration::from_secs(60));
        assert_eq!(collect(true).await, Removed { count: 1, bytes: 5 });
        assert_eq!(collect(false).await, Removed { count: 1, bytes: 5 });
        assert!(path("landfall-agent-new").exists() && !path("landfall-agent-old").exists());
    }
}
