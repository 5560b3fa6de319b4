//! Stages that ended badly: RetryStageExecution and RollbackStage.

use aws::codepipeline::error::{
    concurrent_pipeline_executions_limit_exceeded_exception, not_latest_pipeline_execution_exception,
    pipeline_execution_outdated_exception, stage_not_retryable_exception, unable_to_rollback_stage_exception,
};
use aws::codepipeline::{RetryStageExecutionInput, RetryStageExecutionOutput, RollbackStageInput, RollbackStageOutput};
use kernel::{Caller, CommitError, Page, Scope, Stored, crash_point};

use crate::error::{Failed, stage_not_found};
use crate::model::{Execution, Pipeline, Trigger};
use crate::rules::definition::Definition;
use crate::rules::flow::{RollbackOf, Run};
use crate::rules::retry::{RetryMode, RetryRefusal, may_retry};
use crate::rules::rollback::{RollbackRefusal, may_roll_back};
use crate::rules::step::Event;
use crate::run::{ATTEMPTS, Transition, has_room};
use crate::service::Service;

impl Service {
    pub(super) async fn retry_stage(
        &self,
        scope: &Scope,
        input: RetryStageExecutionInput,
    ) -> Result<RetryStageExecutionOutput, Failed> {
        let name = input.pipeline_name.unwrap_or_default();
        let id = input.pipeline_execution_id.unwrap_or_default();
        let stage = input.stage_name.unwrap_or_default();
        let mode = RetryMode::parse(input.retry_mode.as_deref().unwrap_or_default());
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(scope, &name).await?;
            let execution = self.known_execution(scope, &pipeline, &id).await?;
            let mut transition = self.transition(scope, pipeline).await?;
            take_up(&mut transition, execution, &stage, mode)?;
            crash_point!("codepipeline_before_retry");
            match self.commit(scope, transition, |batch| batch).await {
                Ok(()) => return Ok(RetryStageExecutionOutput { pipeline_execution_id: Some(id) }),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The pipeline's execution of that id, if there is one.
    async fn known_execution(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        id: &str,
    ) -> Result<Option<Stored<Execution>>, Failed> {
        let found = self.documents.find::<Execution>(scope, Execution::ID, id, Page::first(1)).await?;
        Ok(found.into_iter().find(|execution| execution.pipeline_id == pipeline.id))
    }

    pub(super) async fn roll_back(
        &self,
        caller: &Caller,
        input: RollbackStageInput,
    ) -> Result<RollbackStageOutput, Failed> {
        let scope = caller.scope();
        let name = input.pipeline_name.unwrap_or_default();
        let stage = input.stage_name.unwrap_or_default();
        let target = input.target_pipeline_execution_id.unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(&scope, &name).await?;
            let definition = self.definition(&scope, &pipeline.id, pipeline.current_version).await?;
            if definition.stage(&stage).is_none() {
                return Err(stage_not_found(&name, &stage).into());
            }
            let target = self.execution(&scope, &pipeline, &target).await?;
            let mut transition = self.transition(&scope, pipeline).await?;
            let id = self.begin_rollback(caller, &mut transition, (&definition, &stage), &target)?;
            crash_point!("codepipeline_before_rollback");
            match self.commit(&scope, transition, |batch| batch.require(&target)).await {
                Ok(()) => return Ok(RollbackStageOutput { pipeline_execution_id: Some(id) }),
                Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    fn begin_rollback(
        &self,
        caller: &Caller,
        transition: &mut Transition,
        (definition, stage): (&Definition, &str),
        target: &Execution,
    ) -> Result<String, Failed> {
        let pipeline = &transition.pipeline;
        let allowed = may_roll_back(definition, &pipeline.board, stage, &target.run);
        allowed.map_err(|refusal| rollback_refused(&refusal, (&pipeline.name, stage), &target.id))?;
        let of = RollbackOf { stage: stage.to_owned(), target: target.run.ordinal, failed: None };
        let place = (pipeline.newest + 1, pipeline.current_version);
        let run = Run::rollback(place, pipeline.mode, of, transition.now());
        let trigger = Trigger { kind: "ManualRollback".to_owned(), detail: caller.arn() };
        let execution = Execution::rollback(target, self.ids.uuid(), run, trigger, transition.now());
        let id = execution.id.clone();
        transition.start(execution);
        Ok(id)
    }
}

/// Brings an execution back into the stage that it ended in, or says why not. An id that nobody knows is as far from being the latest as
/// can be: the operation has no error of its own for it.
fn take_up(
    transition: &mut Transition,
    execution: Option<Stored<Execution>>,
    stage: &str,
    mode: RetryMode,
) -> Result<(), Failed> {
    let name = transition.pipeline.name.clone();
    let Some(definition) = transition.definition().cloned() else {
        return Err(Failed::missing("a pipeline's structure"));
    };
    let refused = |refusal| Failed::from(retry_refused(refusal, &name, stage));
    if definition.stage(stage).is_none() {
        return Err(refused(RetryRefusal::NoSuchStage));
    }
    let execution = execution.ok_or_else(|| refused(RetryRefusal::NotLatest))?;
    let ordinal = execution.run.ordinal;
    transition.include(execution);
    may_retry(&definition, &transition.flow(), (ordinal, stage), mode).map_err(refused)?;
    let counts_anew = !transition.pipeline.board.active.contains(&ordinal);
    if counts_anew && !has_room(&transition.pipeline) {
        let text = format!("Pipeline '{name}' has too many executions in progress to take one up again");
        return Err(concurrent_pipeline_executions_limit_exceeded_exception(text).into());
    }
    transition.apply(Event::RetryRequested { execution: ordinal, stage: stage.to_owned(), mode });
    if let Some(execution) = transition.execution_mut(ordinal) {
        execution.stop_reason = None;
    }
    Ok(())
}

fn retry_refused(refusal: RetryRefusal, pipeline: &str, stage: &str) -> aws::Error {
    let changed = "Unable to retry. The pipeline structure or stage state might have changed while actions awaited retry, \
                   or the stage contains no failed actions.";
    match refusal {
        RetryRefusal::NoSuchStage => stage_not_found(pipeline, stage),
        RetryRefusal::NotLatest => not_latest_pipeline_execution_exception(format!(
            "Stage '{stage}' of pipeline '{pipeline}' has run in a later execution. The pipelineExecutionId of the request is out of date"
        )),
        RetryRefusal::Outdated => stage_not_retryable_exception(format!(
            "{changed} Pipeline '{pipeline}' has another version than the execution"
        )),
        RetryRefusal::NotFailed => stage_not_retryable_exception(format!(
            "{changed} The execution did not fail and was not stopped in stage '{stage}'"
        )),
        RetryRefusal::Running => stage_not_retryable_exception(format!(
            "{changed} Actions of stage '{stage}' are still in progress: retry with FAILED_ACTIONS, or wait for them"
        )),
        RetryRefusal::NothingFailed => stage_not_retryable_exception(format!(
            "{changed} No action of stage '{stage}' has failed: retry with ALL_ACTIONS"
        )),
    }
}

fn rollback_refused(refusal: &RollbackRefusal, (pipeline, stage): (&str, &str), target: &str) -> aws::Error {
    match refusal {
        RollbackRefusal::NoSuchStage => stage_not_found(pipeline, stage),
        RollbackRefusal::Outdated => pipeline_execution_outdated_exception(format!(
            "Execution '{target}' ran in another version of pipeline '{pipeline}' and cannot be the target of a rollback"
        )),
        RollbackRefusal::Unable(why) => unable_to_rollback_stage_exception(format!(
            "Unable to roll back stage '{stage}' of pipeline '{pipeline}' to execution '{target}': {why}"
        )),
    }
}
