//! The reconcilers: blobs without use, deletes of buckets that died half-way, and lifecycle rules.

mod lifecycle;

use crate::Service;
use crate::model::{BucketRecord, Garbage, scope};
use async_trait::async_trait;
use kernel::work::{self, Reconciler, WorkOptions};
use kernel::{Lease, Scope, StepError, Stop, Stored};
use std::sync::Arc;

/// How many blobs are looked at at once.
const AT_ONCE: usize = 4;
/// How many blobs the sweep lists at once.
const SWEPT_AT_ONCE: usize = 1_000;

impl Service {
    /// Runs S3's reconcilers until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let documents = || self.documents.clone();
        let clock = || Arc::clone(&self.clock);
        let garbage = Arc::new(Collector(Arc::clone(&self)));
        let buckets = Arc::new(Reopener(Arc::clone(&self)));
        let walks = Arc::new(lifecycle::Walker(Arc::clone(&self)));
        tokio::join!(
            self.sweep(&stop),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(AT_ONCE), garbage),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(1), buckets),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(1), walks),
        );
    }

    /// Removes, once after a start, the blobs that a crash left between their arrival and the document's.
    async fn sweep(&self, stop: &Stop) {
        let mut after = None;
        while let Some(last) = self.sweep_some(after.as_deref(), stop).await {
            after = Some(last);
        }
    }

    /// Looks at the next blobs, and answers the last of them.
    async fn sweep_some(&self, after: Option<&str>, stop: &Stop) -> Option<String> {
        let digests = match self.blobs.list(after, SWEPT_AT_ONCE).await {
            Ok(digests) => digests,
            Err(error) => {
                tracing::warn!(%error, "the blobs could not be listed");
                return None;
            }
        };
        for digest in digests.iter().take_while(|_| !stop.is_stopped()) {
            if let Err(error) = self.collect(digest).await {
                tracing::warn!(%error, digest, "a blob could not be swept");
            }
        }
        digests.last().filter(|_| !stop.is_stopped()).cloned()
    }
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
