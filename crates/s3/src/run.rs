//! The reconcilers: blobs without use, and deletes of buckets that died half-way.

use crate::Service;
use crate::model::{BucketRecord, Garbage, scope};
use async_trait::async_trait;
use kernel::work::{self, Reconciler, WorkOptions};
use kernel::{Lease, Scope, StepError, Stop, Stored};
use sigv4::EMPTY_SHA256;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How many blobs are looked at at once.
const AT_ONCE: usize = 4;

impl Service {
    /// Runs S3's reconcilers until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let documents = || self.documents.clone();
        let clock = || Arc::clone(&self.clock);
        let garbage = Arc::new(Collector(Arc::clone(&self)));
        let buckets = Arc::new(Reopener(Arc::clone(&self)));
        tokio::join!(
            self.sweep(&stop),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(AT_ONCE), garbage),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(1), buckets),
        );
    }

    /// Removes, once after a start, the blobs that a crash left between their arrival and the document's.
    async fn sweep(&self, stop: &Stop) {
        let root = self.blobs.path(EMPTY_SHA256).ok();
        let Some(area) = root.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned) else {
            return;
        };
        let listed = tokio::task::spawn_blocking(move || digests(&area)).await;
        let digests = listed.map_err(io::Error::other).and_then(|digests| digests);
        match digests {
            Ok(digests) => {
                for digest in digests.into_iter().take_while(|_| !stop.is_stopped()) {
                    if let Err(error) = self.collect(&digest).await {
                        tracing::warn!(%error, digest, "a blob could not be swept");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the blobs could not be listed"),
        }
    }
}

/// The digests of the blobs in an area: `ab/cdef…`.
fn digests(area: &Path) -> io::Result<Vec<String>> {
    let mut digests = Vec::new();
    for folder in std::fs::read_dir(area)? {
        let folder = folder?;
        let start = folder.file_name().to_string_lossy().into_owned();
        if start.len() != 2 {
            continue;
        }
        for file in std::fs::read_dir(folder.path())? {
            digests.push(format!("{start}{}", file?.file_name().to_string_lossy()));
        }
    }
    Ok(digests)
}

/// Removes blobs that documents stopped referring to.
struct Collector(Arc<Service>);

#[async_trait]
impl Reconciler for Collector {
    type Document = Garbage;

    async fn step(&self, _: &Scope, garbage: Stored<Garbage>, _: &Lease) -> Result<(), StepError> {
        self.0.collect(&garbage.digest).await?;
        kernel::crash_point!("s3_blob_removed");
        self.0.documents.remove(&scope(), &garbage).await?;
        Ok(())
    }
}

/// Allows writes again in a bucket whose delete never came to its end.
struct Reopener(Arc<Service>);

#[async_trait]
impl Reconciler for Reopener {
    type Document = BucketRecord;

    async fn step(&self, _: &Scope, bucket: Stored<BucketRecord>, _: &Lease) -> Result<(), StepError> {
        self.0.reopen(bucket).await?;
        Ok(())
    }
}
