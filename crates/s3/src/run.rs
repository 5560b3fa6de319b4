//! The reconcilers: blobs without use, and deletes of buckets that died half-way.

use crate::Service;
use crate::model::{BucketRecord, Garbage, scope};
use async_trait::async_trait;
use kernel::work::{self, Reconciler, WorkOptions};
use kernel::{Lease, Scope, StepError, Stop, Stored};
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
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(AT_ONCE), garbage),
            work::run(documents(), clock(), stop.clone(), WorkOptions::concurrent(1), buckets),
        );
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
