//! Removes executions that are past their time, and what they put into artifact stores.
//!
//! The keys of artifacts are in the action executions that made them: an execution stays for as long as its artifacts do, where these
//! have a time at all. What a stage shows, was rolled back to or would be, stays whatever its age. Long texts are blobs,
//! which several documents may share: the sweep of blobs takes them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws::s3::{DeleteObject, GetObject};
use kernel::retention::{Collected, Collector, Removed, Retention};
use kernel::{Batch, Caller, CommitError, Page, Scope, StoreError, Stored, Timestamp};

use super::PRINCIPAL;
use crate::model::{ActionExecution, Artifact, Execution, Pipeline, PipelineVersion};
use crate::rules::flow::{Board, Ordinal};
use crate::service::Service;

/// How many documents are read, and at most removed, at a time.
const AT_ONCE: usize = 100;

/// What a collection calls them.
const EXECUTIONS: &str = "pipeline executions";
const ARTIFACTS: &str = "pipeline artifacts";

#[async_trait]
impl Collector for Service {
    async fn collect(&self, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let now = self.clock.now();
        let (executions, artifacts) = (retention.executions.cutoff(now), retention.artifacts.cutoff(now));
        let executions = executions.map(|cutoff| artifacts.map_or(cutoff, |artifacts| cutoff.min(artifacts)));
        let done = Collected::from([(EXECUTIONS, Removed::default()), (ARTIFACTS, Removed::default())]);
        let mut collection = Collection { service: self, executions, artifacts, dry_run, done };
        for scope in self.documents.scopes::<Execution>().await? {
            collection.of_scope(&scope).await?;
        }
        Ok(collection.done)
    }
}

/// A collection on its way.
struct Collection<'a> {
    service: &'a Service,
    /// Executions that ended before go; none if nothing does.
    executions: Option<Timestamp>,
    /// Artifacts of executions that ended before go.
    artifacts: Option<Timestamp>,
    dry_run: bool,
    done: Collected,
}

impl Collection<'_> {
    async fn of_scope(&mut self, scope: &Scope) -> Result<(), StoreError> {
        let Some(latest) = self.executions.max(self.artifacts) else { return Ok(()) };
        let shown = self.shown(scope).await?;
        let mut after = None;
        loop {
            let page = Page::first(AT_ONCE).after(after);
            let found: Vec<Stored<Execution>> = self.service.documents.list(scope, page).await?;
            after = found.last().map(|execution| execution.position().to_owned());
            for execution in found.iter().filter(|execution| ended_before(execution, latest)) {
                let kept = shown.get(&execution.pipeline_id).is_some_and(|kept| kept.contains(&execution.run.ordinal));
                if !kept {
                    self.of_execution(scope, execution).await?;
                }
            }
            if found.len() < AT_ONCE {
                break;
            }
        }
        self.lost_versions(scope, &shown, latest).await
    }

    /// By pipeline id, the executions that the stages of living pipelines speak of, and those that these build upon.
    async fn shown(&self, scope: &Scope) -> Result<BTreeMap<String, BTreeSet<Ordinal>>, StoreError> {
        let mut shown = BTreeMap::new();
        let mut after = None;
        loop {
            let page = Page::first(AT_ONCE).after(after);
            let found: Vec<Stored<Pipeline>> = self.service.documents.list(scope, page).await?;
            after = found.last().map(|pipeline| pipeline.position().to_owned());
            let last = found.len() < AT_ONCE;
            for pipeline in found {
                let mut kept = on_board(&pipeline.board);
                kept.extend(self.rollback_targets(scope, &pipeline.id, &kept).await?);
                shown.insert(pipeline.value.id, kept);
            }
            if last {
                return Ok(shown);
            }
        }
    }

    /// What the rollbacks among these executions build upon.
    async fn rollback_targets(
        &self,
        scope: &Scope,
        pipeline_id: &str,
        kept: &BTreeSet<Ordinal>,
    ) -> Result<Vec<Ordinal>, StoreError> {
        let keys: Vec<String> = kept.iter().map(|ordinal| Execution::key_of(pipeline_id, *ordinal)).collect();
        let found: Vec<Option<Stored<Execution>>> = self.service.documents.get_many(scope, &keys).await?;
        let rollbacks = found.into_iter().flatten().filter_map(|execution| execution.value.run.rollback);
        Ok(rollbacks.map(|of| of.target).collect())
    }

    async fn of_execution(&mut self, scope: &Scope, execution: &Stored<Execution>) -> Result<(), StoreError> {
        if self.artifacts.is_some_and(|cutoff| ended_before(execution, cutoff)) {
            self.remove_artifacts(scope, execution).await?;
        }
        if self.executions.is_some_and(|cutoff| ended_before(execution, cutoff)) {
            let gone = self.dry_run || self.remove_execution(scope, execution).await?;
            self.done.entry(EXECUTIONS).or_default().count += u64::from(gone);
        }
        Ok(())
    }

    /// The execution goes last, so that the next collection finishes what this one left.
    async fn remove_execution(&self, scope: &Scope, execution: &Stored<Execution>) -> Result<bool, StoreError> {
        loop {
            let actions = self.actions(scope, execution, None).await?;
            let last = actions.len() < AT_ONCE;
            let batch = actions.iter().fold(Batch::new(scope), Batch::remove);
            match self.service.documents.commit(if last { batch.remove(execution) } else { batch }).await {
                Ok(()) if last => {
                    kernel::crash_point!("codepipeline_execution_removed");
                    return Ok(true);
                }
                Ok(()) => {}
                Err(CommitError::Store(error)) => return Err(error),
                // It was taken up again just now, or another collection runs.
                Err(_) => return Ok(false),
            }
        }
    }

    async fn actions(
        &self,
        scope: &Scope,
        execution: &Execution,
        after: Option<String>,
    ) -> Result<Vec<Stored<ActionExecution>>, StoreError> {
        let prefix = ActionExecution::prefix(&execution.pipeline_id, execution.run.ordinal);
        self.service.documents.list(scope, Page::first(AT_ONCE).prefix(prefix).after(after)).await
    }

    async fn remove_artifacts(&mut self, scope: &Scope, execution: &Execution) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let actions = self.actions(scope, execution, after).await?;
            after = actions.last().map(|action| action.position().to_owned());
            let last = actions.len() < AT_ONCE;
            for action in actions.into_iter().filter(|action| !action.outputs.is_empty() && !action.artifacts_removed) {
                self.remove_outputs(scope, action).await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// An action execution is marked when all of its objects are gone: until then the next collection tries again.
    async fn remove_outputs(&mut self, scope: &Scope, mut action: Stored<ActionExecution>) -> Result<(), StoreError> {
        for artifact in &action.outputs {
            match self.remove_object(scope, artifact).await {
                Ok(Some(size)) => {
                    let Removed { count, bytes } = self.done.entry(ARTIFACTS).or_default();
                    (*count, *bytes) = (*count + 1, *bytes + size);
                }
                Ok(None) => {}
                Err(error) => {
                    let Artifact { bucket, key, .. } = artifact;
                    tracing::warn!(%error, bucket, key, "an artifact past its time could not be removed");
                    return Ok(());
                }
            }
        }
        if self.dry_run {
            return Ok(());
        }
        kernel::crash_point!("codepipeline_artifacts_removed");
        action.value.artifacts_removed = true;
        match self.service.documents.replace(scope, action).await {
            Err(CommitError::Store(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// The size of the object that was there, in bytes. In a versioned bucket its only version goes: a key is never used twice.
    async fn remove_object(&self, scope: &Scope, artifact: &Artifact) -> Result<Option<u64>, aws::Error> {
        let s3 = &self.service.s3;
        let caller = Caller { request_id: self.service.ids.uuid(), ..Caller::service(scope, PRINCIPAL) };
        let found = match s3.head_object(&caller, GetObject::new(&artifact.bucket, &artifact.key)).await {
            Ok(found) => found,
            Err(error) if error.status == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        if !self.dry_run {
            let delete = DeleteObject {
                bucket: artifact.bucket.clone(),
                key: artifact.key.clone(),
                version_id: found.version_id,
                ..DeleteObject::default()
            };
            s3.delete_object(&caller, delete).await?;
        }
        Ok(Some(found.size))
    }

    /// The structures of pipelines that are deleted, once nothing of their history is left.
    async fn lost_versions(
        &self,
        scope: &Scope,
        living: &BTreeMap<String, BTreeSet<Ordinal>>,
        cutoff: Timestamp,
    ) -> Result<(), StoreError> {
        let documents = &self.service.documents;
        let mut after = None;
        if self.dry_run {
            return Ok(());
        }
        loop {
            let page = Page::first(AT_ONCE).after(after);
            let found: Vec<Stored<PipelineVersion>> = documents.list(scope, page).await?;
            after = found.last().map(|version| version.position().to_owned());
            // One that is younger may be of a pipeline that was created since the living ones were read.
            let lost = |version: &&Stored<PipelineVersion>| {
                version.created < cutoff && !living.contains_key(&version.pipeline_id)
            };
            for version in found.iter().filter(lost) {
                let prefix = format!("{}/", version.pipeline_id);
                let history: Vec<Stored<Execution>> = documents.list(scope, Page::first(1).prefix(prefix)).await?;
                if history.is_empty() {
                    documents.remove(scope, version).await.or_else(unless_store)?;
                }
            }
            if found.len() < AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// Others' changes in between are for the next collection.
fn unless_store(error: CommitError) -> Result<(), StoreError> {
    match error {
        CommitError::Store(error) => Err(error),
        _ => Ok(()),
    }
}

fn ended_before(execution: &Execution, cutoff: Timestamp) -> bool {
    !execution.run.status.is_active() && execution.run.updated < cutoff
}

/// The executions that a pipeline's stages show, or would be rolled back to.
fn on_board(board: &Board) -> BTreeSet<Ordinal> {
    let of_lanes = board.lanes.values().flat_map(|lane| {
        let latest = lane.latest.map(|latest| latest.execution);
        latest.into_iter().chain(lane.succeeded).chain(lane.holder).chain(lane.inbound.iter().copied())
    });
    of_lanes.chain(board.active.iter().copied()).collect()
}
