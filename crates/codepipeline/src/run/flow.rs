//! Reading a pipeline's flow, and committing a change of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws::codepipeline::PipelineDeclaration;
use kernel::{Batch, CommitError, Scope, StoreError, Stored};

use super::transition::Transition;
use crate::error::{Failed, pipeline_not_found};
use crate::model::{ActionExecution, Execution, Pipeline, PipelineVersion};
use crate::rules::definition::{Definition, ExecutionMode, OnFailure, Stage};
use crate::service::Service;

/// How often a change is tried again when others change the same pipeline in between.
pub(crate) const ATTEMPTS: usize = 32;

impl Service {
    /// The pipeline of that name.
    pub(crate) async fn pipeline(&self, scope: &Scope, name: &str) -> Result<Stored<Pipeline>, Failed> {
        let found = self.documents.get::<Pipeline>(scope, name).await?;
        found.ok_or_else(|| pipeline_not_found(scope, name).into())
    }

    /// A version's structure as its author wrote it, secrets still sealed.
    pub(crate) async fn declaration(
        &self,
        scope: &Scope,
        pipeline_id: &str,
        version: i32,
    ) -> Result<Option<PipelineDeclaration>, Failed> {
        let key = PipelineVersion::key_of(pipeline_id, version);
        let Some(stored) = self.documents.get::<PipelineVersion>(scope, &key).await? else { return Ok(None) };
        if let Some(declaration) = stored.read.get() {
            return Ok(Some(declaration.clone()));
        }
        let declaration = PipelineVersion::parse(&stored.declaration.read(&self.blobs).await?)?;
        // A long one would take more memory than the document that is kept for it.
        if stored.declaration.blob().is_none() {
            let _ = stored.read.set(declaration.clone());
        }
        Ok(Some(declaration))
    }

    /// A version's structure.
    pub(crate) async fn definition(
        &self,
        scope: &Scope,
        pipeline_id: &str,
        version: i32,
    ) -> Result<Arc<Definition>, Failed> {
        let declaration = self.declaration(scope, pipeline_id, version).await?;
        let declaration =
            declaration.ok_or_else(|| Failed::missing(format!("version {version} of pipeline {pipeline_id}")))?;
        Ok(Arc::new(Definition::read(&declaration)))
    }

    /// Reads all that a change of the pipeline's flow may touch.
    pub(crate) async fn transition(&self, scope: &Scope, stored: Stored<Pipeline>) -> Result<Transition, Failed> {
        let mut pipeline = stored.value.clone();
        let keys: Vec<String> =
            pipeline.board.active.iter().map(|ordinal| Execution::key_of(&pipeline.id, *ordinal)).collect();
        let active = self.documents.get_many::<Execution>(scope, &keys).await?;
        let active: Vec<Stored<Execution>> = active.into_iter().flatten().collect();
        let parallel = active.iter().filter(|execution| execution.run.mode == ExecutionMode::Parallel);
        let mut versions: BTreeSet<i32> = parallel.map(|execution| execution.run.version).collect();
        versions.insert(pipeline.current_version);
        let mut definitions = BTreeMap::new();
        for version in versions {
            definitions.insert(version, self.definition(scope, &pipeline.id, version).await?);
        }
        let targets = self.rollback_targets(scope, &mut pipeline, &definitions).await?;
        let around = (scope.clone(), self.clock.now(), Arc::clone(&self.ids));
        Ok(Transition::new(around, (pipeline, Some(stored)), definitions, active, targets))
    }

    /// The executions that failing stages go back to by themselves. One that is not kept any more is forgotten.
    async fn rollback_targets(
        &self,
        scope: &Scope,
        pipeline: &mut Pipeline,
        definitions: &BTreeMap<i32, Arc<Definition>>,
    ) -> Result<Vec<Stored<Execution>>, Failed> {
        let mut targets = Vec::new();
        let Some(definition) = definitions.get(&pipeline.current_version) else { return Ok(targets) };
        let goes_back = |stage: &&Stage| stage.on_failure == Some(OnFailure::RollBack);
        for stage in definition.stages.iter().filter(goes_back) {
            let Some(lane) = pipeline.board.lanes.get_mut(&stage.name) else { continue };
            let Some(ordinal) = lane.succeeded else { continue };
            match self.documents.get::<Execution>(scope, &Execution::key_of(&pipeline.id, ordinal)).await? {
                Some(target) => targets.push(target),
                None => lane.succeeded = None,
            }
        }
        Ok(targets)
    }

    /// The first change of a new pipeline.
    pub(crate) fn creation(&self, scope: &Scope, pipeline: Pipeline, definition: Arc<Definition>) -> Transition {
        let around = (scope.clone(), pipeline.created, Arc::clone(&self.ids));
        Transition::new(
            around,
            (pipeline, None),
            BTreeMap::from([(definition.version, definition)]),
            Vec::new(),
            Vec::new(),
        )
    }

    /// Commits a change of the flow together with what `with` adds.
    pub(crate) async fn commit(
        &self,
        scope: &Scope,
        transition: Transition,
        with: impl FnOnce(Batch) -> Batch,
    ) -> Result<(), CommitError> {
        let abandoned = self.abandoned(scope, &transition).await?;
        self.documents.commit(with(transition.add_to(Batch::new(scope), abandoned))).await?;
        kernel::crash_point!("codepipeline_after_move");
        Ok(())
    }

    /// Commits a change of the flow together with the pipeline's removal.
    pub(crate) async fn commit_removal(&self, scope: &Scope, transition: Transition) -> Result<(), CommitError> {
        let abandoned = self.abandoned(scope, &transition).await?;
        self.documents.commit(transition.add_removal_to(Batch::new(scope), abandoned)).await?;
        kernel::crash_point!("codepipeline_after_removal");
        Ok(())
    }

    async fn abandoned(
        &self,
        scope: &Scope,
        transition: &Transition,
    ) -> Result<Vec<Stored<ActionExecution>>, StoreError> {
        let found = self.documents.get_many(scope, &transition.abandoned_keys()).await?;
        Ok(found.into_iter().flatten().collect())
    }
}
