//! Removes builds that are past their time.

use async_trait::async_trait;
use kernel::retention::{Collected, Collector, Removed, Retention};
use kernel::{Batch, CommitError, Page, Scope, StoreError, Stored, Timestamp};

use crate::Service;
use crate::model::build::BY_START;
use crate::model::project::ALL;
use crate::model::{Build, PipelineStart};

/// How many builds are read, and at most removed, at a time.
const AT_ONCE: usize = 100;

/// What a collection calls them.
const BUILDS: &str = "builds";

#[async_trait]
impl Collector for Service {
    /// Complete builds, each with the token that its pipeline started it by. Log streams follow their log group;
    /// long buildspecs are blobs, which may be of several builds and projects: the sweep of blobs takes them.
    async fn collect(&self, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let mut collected = Collected::new();
        let Some(cutoff) = retention.builds.cutoff(self.dependencies.clock.now()) else { return Ok(collected) };
        let mut removed = Removed::default();
        for scope in self.dependencies.documents.scopes::<Build>().await? {
            removed.count += self.collect_builds(&scope, cutoff, dry_run).await?;
        }
        collected.insert(BUILDS, removed);
        Ok(collected)
    }
}

/// Whether a build ended before `cutoff`.
fn past(build: &Build, cutoff: Timestamp) -> bool {
    build.ended().is_some_and(|ended| ended < cutoff)
}

impl Service {
    /// Goes over the builds from the oldest on, as far as they were started before `cutoff`.
    async fn collect_builds(&self, scope: &Scope, cutoff: Timestamp, dry_run: bool) -> Result<u64, StoreError> {
        let (documents, mut after, mut count) = (&self.dependencies.documents, None, 0);
        loop {
            let page = Page::first(AT_ONCE).after(after);
            let found: Vec<Stored<Build>> = documents.find(scope, BY_START, ALL, page).await?;
            after = found.last().map(|build| build.position().to_owned());
            let old = found.iter().take_while(|build| build.started() < cutoff).count();
            for build in found[..old].iter().filter(|build| past(build, cutoff)) {
                count += u64::from(dry_run || self.collect_build(scope, build).await?);
            }
            if old < AT_ONCE {
                return Ok(count);
            }
        }
    }

    async fn collect_build(&self, scope: &Scope, build: &Stored<Build>) -> Result<bool, StoreError> {
        let documents = &self.dependencies.documents;
        let mut batch = Batch::new(scope).remove(build);
        if let Some(pipeline) = &build.pipeline
            && let Some(start) = documents.get::<PipelineStart>(scope, &pipeline.client_token).await?
        {
            batch = batch.remove(&start);
        }
        match documents.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Store(error)) => Err(error),
            // Somebody else deleted it.
            Err(_) => Ok(false),
        }
    }
}
