//! Pipeline executions: start, stop, get, list.

use std::collections::BTreeMap;

use aws::codepipeline::error::{
    duplicated_stop_request_exception, pipeline_execution_not_stoppable_exception, validation_exception,
};
use aws::codepipeline::{
    ArtifactRevision, ExecutionTrigger, GetPipelineExecutionInput, GetPipelineExecutionOutput,
    ListPipelineExecutionsInput, ListPipelineExecutionsOutput, PipelineExecution, PipelineExecutionSummary,
    PipelineRollbackMetadata, ResolvedPipelineVariable, SourceRevision, StartPipelineExecutionInput,
    StartPipelineExecutionOutput, StopExecutionTrigger, StopPipelineExecutionInput, StopPipelineExecutionOutput,
};
use kernel::{Caller, CommitError, Page, Scope, Stored, crash_point};

use super::paging::Paging;
use crate::error::{Failed, execution_not_found};
use crate::model::{ActionExecution, Execution, Pipeline, Trigger};
use crate::rules::start::RevisionOverride;
use crate::rules::step::Event;
use crate::rules::stop::{StopRefusal, may_stop};
use crate::run::{ATTEMPTS, Start};
use crate::service::Service;

/// The most executions of a page.
const PAGE: usize = 100;

impl Service {
    pub(super) async fn start_execution(
        &self,
        caller: &Caller,
        input: StartPipelineExecutionInput,
    ) -> Result<StartPipelineExecutionOutput, Failed> {
        let scope = caller.scope();
        let name = input.name.clone().unwrap_or_default();
        let start = requested(caller, input);
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(&scope, &name).await?;
            if let Some(known) = self.started_before(&scope, &pipeline, start.token.as_deref()).await? {
                return Ok(StartPipelineExecutionOutput { pipeline_execution_id: Some(known) });
            }
            let mut transition = self.transition(&scope, pipeline).await?;
            let id = self.start(&mut transition, start.clone()).await?;
            crash_point!("codepipeline_before_start");
            match self.commit(&scope, transition, |batch| batch).await {
                Ok(()) => return Ok(StartPipelineExecutionOutput { pipeline_execution_id: Some(id) }),
                Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    async fn started_before(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        token: Option<&str>,
    ) -> Result<Option<String>, Failed> {
        let Some(token) = token else { return Ok(None) };
        let value = format!("{}/{token}", pipeline.id);
        let found = self.documents.find::<Execution>(scope, Execution::TOKEN, &value, Page::first(1)).await?;
        Ok(found.into_iter().next().map(|execution| execution.value.id))
    }

    pub(super) async fn stop_execution(
        &self,
        scope: &Scope,
        input: StopPipelineExecutionInput,
    ) -> Result<StopPipelineExecutionOutput, Failed> {
        let name = input.pipeline_name.clone().unwrap_or_default();
        let id = input.pipeline_execution_id.clone().unwrap_or_default();
        let abandon = input.abandon.unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(scope, &name).await?;
            let execution = self.execution(scope, &pipeline, &id).await?;
            may_stop(execution.run.status, abandon).map_err(|refusal| stop_refused(refusal, &name, &id))?;
            let ordinal = execution.run.ordinal;
            let mut transition = self.transition(scope, pipeline).await?;
            if let Some(execution) = transition.execution_mut(ordinal) {
                execution.stop_reason = input.reason.clone().or(execution.stop_reason.take());
            }
            transition.apply(Event::StopRequested { execution: ordinal, abandon });
            match self.commit(scope, transition, |batch| batch).await {
                Ok(()) => return Ok(StopPipelineExecutionOutput { pipeline_execution_id: Some(id) }),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The pipeline's execution of that id.
    pub(super) async fn execution(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        id: &str,
    ) -> Result<Stored<Execution>, Failed> {
        let found = self.documents.find::<Execution>(scope, Execution::ID, id, Page::first(1)).await?;
        let of_pipeline = found.into_iter().find(|execution| execution.pipeline_id == pipeline.id);
        of_pipeline.ok_or_else(|| execution_not_found(&pipeline.name, id).into())
    }

    pub(super) async fn get_execution(
        &self,
        scope: &Scope,
        input: GetPipelineExecutionInput,
    ) -> Result<GetPipelineExecutionOutput, Failed> {
        let pipeline = self.pipeline(scope, &input.pipeline_name.unwrap_or_default()).await?;
        let execution = self.execution(scope, &pipeline, &input.pipeline_execution_id.unwrap_or_default()).await?;
        let sources = self.source_actions(scope, &execution).await?;
        let variables = self.execution_input(&execution).await?.variables;
        let resolved = |(name, value)| ResolvedPipelineVariable { name: Some(name), resolved_value: Some(value) };
        let shown = PipelineExecution {
            pipeline_name: Some(execution.pipeline.clone()),
            pipeline_version: Some(execution.run.version),
            pipeline_execution_id: Some(execution.id.clone()),
            status: Some(execution.run.status.api().to_owned()),
            artifact_revisions: Some(sources.iter().flat_map(|action| artifact_revisions(action)).collect()),
            variables: Some(variables.into_iter().map(resolved).collect()),
            trigger: Some(trigger(&execution)),
            execution_mode: Some(execution.run.mode.api().to_owned()),
            execution_type: Some(execution_type(&execution).to_owned()),
            rollback_metadata: rollback_metadata(&execution),
            ..PipelineExecution::default()
        };
        Ok(GetPipelineExecutionOutput { pipeline_execution: Some(shown) })
    }

    pub(super) async fn list_executions(
        &self,
        scope: &Scope,
        input: ListPipelineExecutionsInput,
    ) -> Result<ListPipelineExecutionsOutput, Failed> {
        let name = input.pipeline_name.unwrap_or_default();
        let pipeline = self.pipeline(scope, &name).await?;
        let stage = input.filter.and_then(|filter| filter.succeeded_in_stage).and_then(|filter| filter.stage_name);
        if let Some(stage) = &stage {
            let definition = self.definition(scope, &pipeline.id, pipeline.current_version).await?;
            if definition.stage(stage).is_none() {
                return Err(
                    validation_exception(format!("Pipeline '{name}' does not have a stage named '{stage}'")).into()
                );
            }
        }
        let what = format!("ListPipelineExecutions/{}/{}", pipeline.id, stage.as_deref().unwrap_or_default());
        let paging = Paging::new(scope, &what, input.next_token.as_deref(), input.max_results, PAGE)?;
        let (executions, next_token) = self.executions_page(scope, &pipeline, stage.as_deref(), &paging).await?;
        let mut summaries = Vec::with_capacity(executions.len());
        for execution in &executions {
            let sources = self.source_actions(scope, execution).await?;
            summaries.push(summary(execution, &sources));
        }
        Ok(ListPipelineExecutionsOutput { pipeline_execution_summaries: Some(summaries), next_token })
    }

    /// One page of a pipeline's executions, newest first, of all or of those that passed `stage` in the current version.
    async fn executions_page(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        stage: Option<&str>,
        paging: &Paging,
    ) -> Result<(Vec<Stored<Execution>>, Option<String>), Failed> {
        let page = paging.page().prefix(format!("{}/", pipeline.id)).descending();
        let Some(stage) = stage else { return Ok(paging.cut(self.documents.list(scope, page).await?)) };
        let mut found: Vec<Stored<Execution>> = Vec::new();
        let mut page = Page { limit: Page::MOST, ..page };
        loop {
            let read = self.documents.list::<Execution>(scope, page.clone()).await?;
            let more = read.len() == Page::MOST;
            page.after = read.last().map(|last| last.position().to_owned());
            let passed = |execution: &Stored<Execution>| {
                execution.run.version == pipeline.current_version
                    && execution.run.succeeded_stages.iter().any(|name| name == stage)
            };
            found.extend(read.into_iter().filter(passed));
            if found.len() > paging.limit() || !more {
                return Ok(paging.cut(found));
            }
        }
    }

    /// The last successful attempt at each source action, in the order they started.
    async fn source_actions(
        &self,
        scope: &Scope,
        execution: &Execution,
    ) -> Result<Vec<Stored<ActionExecution>>, Failed> {
        // What a rollback brings back came from its target's sources.
        let ordinal = execution.run.rollback.as_ref().map_or(execution.run.ordinal, |of| of.target);
        let prefix = ActionExecution::prefix(&execution.pipeline_id, ordinal);
        // Source actions are the first to start: at most 50 of them, and their retries.
        let first = self.documents.list::<ActionExecution>(scope, Page::first(100).prefix(prefix)).await?;
        let found: Vec<_> = first.into_iter().filter(|action| action.revision.is_some()).collect();
        let last = |index: usize| found[index + 1..].iter().all(|later| later.action != found[index].action);
        Ok((0..found.len()).filter(|index| last(*index)).map(|index| found[index].clone()).collect())
    }
}

fn requested(caller: &Caller, input: StartPipelineExecutionInput) -> Start {
    let variables = input.variables.unwrap_or_default();
    let overrides = input.source_revisions.unwrap_or_default();
    let wanted = |wanted: aws::codepipeline::SourceRevisionOverride| RevisionOverride {
        action: wanted.action_name.unwrap_or_default(),
        kind: wanted.revision_type.unwrap_or_default(),
        value: wanted.revision_value.unwrap_or_default(),
    };
    Start {
        trigger: started_by(caller),
        variables: variables
            .into_iter()
            .map(|variable| (variable.name.unwrap_or_default(), variable.value.unwrap_or_default()))
            .collect::<BTreeMap<_, _>>(),
        overrides: overrides.into_iter().map(wanted).collect(),
        token: input.client_request_token,
    }
}

/// A rule's target is started by the rule, all else by its caller.
fn started_by(caller: &Caller) -> Trigger {
    let rule = caller.via.as_ref().filter(|via| via.service == "events.amazonaws.com");
    match rule.and_then(|via| via.source_arn.clone()) {
        Some(rule) => Trigger { kind: "CloudWatchEvent".to_owned(), detail: rule },
        None => Trigger { kind: "StartPipelineExecution".to_owned(), detail: caller.arn() },
    }
}

fn stop_refused(refusal: StopRefusal, pipeline: &str, id: &str) -> aws::Error {
    match refusal {
        StopRefusal::NotStoppable => pipeline_execution_not_stoppable_exception(format!(
            "Execution '{id}' of pipeline '{pipeline}' is not in progress and cannot be stopped"
        )),
        StopRefusal::Duplicate => duplicated_stop_request_exception(format!(
            "Execution '{id}' of pipeline '{pipeline}' is already stopping. It can still be stopped by abandoning its actions"
        )),
    }
}

fn trigger(execution: &Execution) -> ExecutionTrigger {
    let Trigger { kind, detail } = execution.trigger.clone();
    ExecutionTrigger { trigger_type: Some(kind), trigger_detail: Some(detail) }
}

/// Whether an execution is a rollback, as answers say it.
pub(super) fn execution_type(execution: &Execution) -> &'static str {
    match execution.run.rollback {
        Some(_) => aws::codepipeline::execution_type::ROLLBACK,
        None => aws::codepipeline::execution_type::STANDARD,
    }
}

fn rollback_metadata(execution: &Execution) -> Option<PipelineRollbackMetadata> {
    let target = execution.rollback_target.clone()?;
    Some(PipelineRollbackMetadata { rollback_target_pipeline_execution_id: Some(target) })
}

fn artifact_revisions(action: &ActionExecution) -> Vec<ArtifactRevision> {
    let Some(revision) = &action.revision else { return Vec::new() };
    let of = |artifact: &crate::model::Artifact| ArtifactRevision {
        name: Some(artifact.name.clone()),
        revision_id: Some(revision.id.clone()),
        revision_summary: Some(revision.summary.clone()).filter(|summary| !summary.is_empty()),
        created: Some(revision.created),
        ..ArtifactRevision::default()
    };
    action.outputs.iter().map(of).collect()
}

fn summary(execution: &Execution, sources: &[Stored<ActionExecution>]) -> PipelineExecutionSummary {
    PipelineExecutionSummary {
        pipeline_execution_id: Some(execution.id.clone()),
        status: Some(execution.run.status.api().to_owned()),
        start_time: Some(execution.started),
        last_update_time: Some(execution.run.updated),
        source_revisions: Some(sources.iter().filter_map(|action| source_revision(action)).collect()),
        trigger: Some(trigger(execution)),
        stop_trigger: execution.stop_reason.clone().map(|reason| StopExecutionTrigger { reason: Some(reason) }),
        execution_mode: Some(execution.run.mode.api().to_owned()),
        execution_type: Some(execution_type(execution).to_owned()),
        rollback_metadata: rollback_metadata(execution),
        ..PipelineExecutionSummary::default()
    }
}

fn source_revision(action: &ActionExecution) -> Option<SourceRevision> {
    let revision = action.revision.as_ref()?;
    Some(SourceRevision {
        action_name: Some(action.action.clone()),
        revision_id: Some(revision.id.clone()),
        revision_summary: Some(revision.summary.clone()).filter(|summary| !summary.is_empty()),
        revision_url: None,
    })
}

#[cfg(test)]
mod tests {
    use kernel::Via;

    use super::*;

    #[test]
    fn an_execution_knows_who_started_it() {
        let caller = Caller::root(&Scope::new("000000000000", "us-east-1"), "r");
        let trigger = started_by(&caller);
        assert_eq!(
            (trigger.kind.as_str(), trigger.detail.as_str()),
            ("StartPipelineExecution", "arn:aws:iam::000000000000:root")
        );
        let rule = "arn:aws:events:us-east-1:000000000000:rule/nightly".to_owned();
        let via = Via { service: "events.amazonaws.com".into(), source_arn: Some(rule.clone()), source_account: None };
        let trigger = started_by(&caller.through(via));
        assert_eq!((trigger.kind.as_str(), trigger.detail), ("CloudWatchEvent", rule));
    }
}
