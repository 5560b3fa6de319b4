//! GetPipelineState: who is where.

use std::collections::BTreeMap;

use aws::codepipeline::{
    ActionExecution as ActionExecutionShape, ActionRevision, ActionState, ErrorDetails, GetPipelineStateInput,
    GetPipelineStateOutput, StageExecution, StageState, TransitionState,
};
use kernel::{Page, Scope, Stored};

use crate::error::Failed;
use crate::model::{ActionExecution, Execution, Pipeline};
use crate::rules::definition::{ExecutionMode, Stage};
use crate::rules::flow::{Lane, Ordinal};
use crate::rules::status::StageStatus;
use crate::service::Service;

impl Service {
    pub(super) async fn get_state(
        &self,
        scope: &Scope,
        input: GetPipelineStateInput,
    ) -> Result<GetPipelineStateOutput, Failed> {
        let pipeline = self.pipeline(scope, &input.name.unwrap_or_default()).await?;
        let definition = self.definition(scope, &pipeline.id, pipeline.current_version).await?;
        let ids = self.execution_ids(scope, &pipeline).await?;
        let mut stages = Vec::with_capacity(definition.stages.len());
        for (index, stage) in definition.stages.iter().enumerate() {
            stages.push(self.stage_state(scope, &pipeline, (index, stage), &ids).await?);
        }
        Ok(GetPipelineStateOutput {
            pipeline_name: Some(pipeline.name.clone()),
            pipeline_version: Some(pipeline.current_version),
            stage_states: Some(stages),
            created: Some(pipeline.created),
            updated: Some(pipeline.updated),
        })
    }

    /// The ids of the executions that the board speaks of.
    async fn execution_ids(&self, scope: &Scope, pipeline: &Pipeline) -> Result<BTreeMap<Ordinal, String>, Failed> {
        let named = |lane: &Lane| {
            lane.inbound.iter().copied().chain(lane.latest.map(|latest| latest.execution)).collect::<Vec<_>>()
        };
        let mut ordinals: Vec<Ordinal> = pipeline.board.lanes.values().flat_map(named).collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        let keys: Vec<String> = ordinals.iter().map(|ordinal| Execution::key_of(&pipeline.id, *ordinal)).collect();
        let found = self.documents.get_many::<Execution>(scope, &keys).await?;
        Ok(found.into_iter().flatten().map(|execution| (execution.run.ordinal, execution.value.id)).collect())
    }

    async fn stage_state(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        (index, stage): (usize, &Stage),
        ids: &BTreeMap<Ordinal, String>,
    ) -> Result<StageState, Failed> {
        let lane = pipeline.board.lanes.get(&stage.name).cloned().unwrap_or_default();
        let waiting: Vec<StageExecution> =
            lane.inbound.iter().filter_map(|ordinal| stage_execution(ids, *ordinal, StageStatus::InProgress)).collect();
        let mut actions = Vec::with_capacity(stage.actions.len());
        for action in &stage.actions {
            actions.push(self.action_state(scope, pipeline, &stage.name, &action.name).await?);
        }
        Ok(StageState {
            stage_name: Some(stage.name.clone()),
            inbound_execution: waiting.first().cloned().filter(|_| pipeline.mode == ExecutionMode::Superseded),
            inbound_executions: Some(waiting).filter(|waiting| !waiting.is_empty()),
            inbound_transition_state: (index > 0).then(open_transition),
            action_states: Some(actions),
            latest_execution: lane.latest.and_then(|latest| stage_execution(ids, latest.execution, latest.status)),
            ..StageState::default()
        })
    }

    async fn action_state(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        stage: &str,
        action: &str,
    ) -> Result<ActionState, Failed> {
        let mut state = ActionState { action_name: Some(action.to_owned()), ..ActionState::default() };
        if pipeline.mode == ExecutionMode::Parallel {
            return Ok(state);
        }
        let place = format!("{}/{stage}/{action}", pipeline.id);
        let page = Page::first(1).descending();
        let newest = self.documents.find::<ActionExecution>(scope, ActionExecution::PLACE, &place, page).await?;
        if let Some(newest) = newest.first() {
            state.current_revision = current_revision(newest);
            state.latest_execution = Some(latest(newest));
        }
        Ok(state)
    }
}

fn stage_execution(ids: &BTreeMap<Ordinal, String>, ordinal: Ordinal, status: StageStatus) -> Option<StageExecution> {
    Some(StageExecution {
        pipeline_execution_id: Some(ids.get(&ordinal)?.clone()),
        status: Some(status.api().to_owned()),
        type_: Some("STANDARD".to_owned()),
    })
}

/// Transitions cannot be disabled yet.
fn open_transition() -> TransitionState {
    TransitionState { enabled: Some(true), ..TransitionState::default() }
}

fn current_revision(action: &Stored<ActionExecution>) -> Option<ActionRevision> {
    let revision = action.revision.as_ref()?;
    Some(ActionRevision {
        revision_id: Some(revision.id.clone()),
        revision_change_id: Some(revision.id.clone()),
        created: Some(revision.created),
    })
}

fn latest(action: &ActionExecution) -> ActionExecutionShape {
    let external = action.external();
    ActionExecutionShape {
        action_execution_id: Some(action.id.clone()),
        status: Some(action.status.api().to_owned()),
        summary: action.summary.clone(),
        last_status_change: Some(action.updated),
        last_updated_by: action.updated_by.clone(),
        external_execution_id: external.map(|external| external.id.clone()),
        external_execution_url: external.and_then(|external| external.url.clone()),
        error_details: action.failure.as_ref().map(error_details),
        ..ActionExecutionShape::default()
    }
}

/// Why an action failed, as answers show it.
pub(super) fn error_details(failure: &crate::model::ActionFailure) -> ErrorDetails {
    ErrorDetails { code: Some(failure.code.clone()), message: Some(failure.message.clone()) }
}
