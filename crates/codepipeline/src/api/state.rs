//! GetPipelineState: who is where.

use std::collections::BTreeMap;

use aws::codepipeline::{
    ActionExecution as ActionExecutionShape, ActionRevision, ActionState, ErrorDetails, GetPipelineStateInput,
    GetPipelineStateOutput, RetryStageMetadata, StageExecution, StageState, TransitionState, retry_trigger,
};
use kernel::{Caller, Page, Scope, Stored};

use super::executions::execution_type;
use crate::error::Failed;
use crate::model::{ActionExecution, Execution, Pipeline};
use crate::rules::definition::{Action, ExecutionMode, Stage};
use crate::rules::flow::{Lane, Ordinal};
use crate::rules::links::Links;
use crate::rules::retry::RetryTrigger;
use crate::rules::status::StageStatus;
use crate::service::Service;

/// Executions by their number.
type Known = BTreeMap<Ordinal, Execution>;

impl Service {
    pub(super) async fn get_state(
        &self,
        caller: &Caller,
        input: GetPipelineStateInput,
    ) -> Result<GetPipelineStateOutput, Failed> {
        let scope = &caller.scope();
        let pipeline = self.pipeline(scope, &input.name.unwrap_or_default()).await?;
        let definition = self.definition(scope, &pipeline.id, pipeline.current_version).await?;
        let known = self.executions_on_board(scope, &pipeline).await?;
        let mut stages = Vec::with_capacity(definition.stages.len());
        for (index, stage) in definition.stages.iter().enumerate() {
            stages.push(self.stage_state(caller, &pipeline, (index, stage), &known).await?);
        }
        Ok(GetPipelineStateOutput {
            pipeline_name: Some(pipeline.name.clone()),
            pipeline_version: Some(pipeline.current_version),
            stage_states: Some(stages),
            created: Some(pipeline.created),
            updated: Some(pipeline.updated),
        })
    }

    /// The executions that the board speaks of.
    async fn executions_on_board(&self, scope: &Scope, pipeline: &Pipeline) -> Result<Known, Failed> {
        let named = |lane: &Lane| {
            lane.inbound.iter().copied().chain(lane.latest.map(|latest| latest.execution)).collect::<Vec<_>>()
        };
        let mut ordinals: Vec<Ordinal> = pipeline.board.lanes.values().flat_map(named).collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        let keys: Vec<String> = ordinals.iter().map(|ordinal| Execution::key_of(&pipeline.id, *ordinal)).collect();
        let found = self.documents.get_many::<Execution>(scope, &keys).await?;
        Ok(found.into_iter().flatten().map(|execution| (execution.run.ordinal, execution.value)).collect())
    }

    async fn stage_state(
        &self,
        caller: &Caller,
        pipeline: &Pipeline,
        (index, stage): (usize, &Stage),
        known: &Known,
    ) -> Result<StageState, Failed> {
        let lane = pipeline.board.lanes.get(&stage.name).cloned().unwrap_or_default();
        let waiting: Vec<StageExecution> = lane
            .inbound
            .iter()
            .filter_map(|ordinal| stage_execution(known, *ordinal, StageStatus::InProgress))
            .collect();
        let mut actions = Vec::with_capacity(stage.actions.len());
        for action in &stage.actions {
            actions.push(self.action_state(caller, pipeline, &stage.name, action).await?);
        }
        Ok(StageState {
            stage_name: Some(stage.name.clone()),
            inbound_execution: waiting.first().cloned().filter(|_| pipeline.mode == ExecutionMode::Superseded),
            inbound_executions: Some(waiting).filter(|waiting| !waiting.is_empty()),
            inbound_transition_state: (index > 0).then(|| transition_state(pipeline, stage)),
            action_states: Some(actions),
            latest_execution: lane.latest.and_then(|latest| stage_execution(known, latest.execution, latest.status)),
            retry_stage_metadata: lane.latest.and_then(|latest| retry_metadata(known, latest.execution, &stage.name)),
            ..StageState::default()
        })
    }

    async fn action_state(
        &self,
        caller: &Caller,
        pipeline: &Pipeline,
        stage: &str,
        action: &Action,
    ) -> Result<ActionState, Failed> {
        let links = links(caller, action.region.as_deref());
        let entity_url = links.entity(&action.kind, |key| action.setting(key).map(str::to_owned));
        let mut state = ActionState { action_name: Some(action.name.clone()), entity_url, ..ActionState::default() };
        if pipeline.mode == ExecutionMode::Parallel {
            return Ok(state);
        }
        let place = format!("{}/{stage}/{}", pipeline.id, action.name);
        let page = Page::first(1).descending();
        let newest =
            self.documents.find::<ActionExecution>(&caller.scope(), ActionExecution::PLACE, &place, page).await?;
        if let Some(newest) = newest.first() {
            state.current_revision = current_revision(newest);
            state.latest_execution = Some(latest(newest, links));
        }
        Ok(state)
    }
}

fn stage_execution(known: &Known, ordinal: Ordinal, status: StageStatus) -> Option<StageExecution> {
    let execution = known.get(&ordinal)?;
    Some(StageExecution {
        pipeline_execution_id: Some(execution.id.clone()),
        status: Some(status.api().to_owned()),
        type_: Some(execution_type(execution).to_owned()),
    })
}

/// The way into a stage; nobody has changed one that was always open.
fn transition_state(pipeline: &Pipeline, stage: &Stage) -> TransitionState {
    let changed = pipeline.board.transitions.get(&stage.name);
    TransitionState {
        enabled: Some(pipeline.board.is_open(&stage.name)),
        disabled_reason: changed.and_then(|changed| changed.disabled.clone()),
        last_changed_by: changed.map(|changed| changed.changed_by.clone()),
        last_changed_at: changed.map(|changed| changed.changed_at),
    }
}

fn retry_metadata(known: &Known, ordinal: Ordinal, stage: &str) -> Option<RetryStageMetadata> {
    let retries = known.get(&ordinal)?.run.retries.get(stage)?;
    let count = |times: u32| i32::try_from(times).ok().filter(|times| *times > 0);
    let trigger = match retries.latest {
        RetryTrigger::Automatic => retry_trigger::AUTOMATED_STAGE_RETRY,
        RetryTrigger::Manual => retry_trigger::MANUAL_STAGE_RETRY,
    };
    Some(RetryStageMetadata {
        auto_stage_retry_attempt: count(retries.automatic),
        manual_stage_retry_attempt: count(retries.manual),
        latest_retry_trigger: Some(trigger.to_owned()),
    })
}

fn current_revision(action: &Stored<ActionExecution>) -> Option<ActionRevision> {
    let revision = action.revision.as_ref()?;
    Some(ActionRevision {
        revision_id: Some(revision.id.clone()),
        revision_change_id: Some(revision.id.clone()),
        created: Some(revision.created),
    })
}

fn latest(action: &ActionExecution, links: Links<'_>) -> ActionExecutionShape {
    ActionExecutionShape {
        action_execution_id: Some(action.id.clone()),
        status: Some(action.status.api().to_owned()),
        summary: action.summary.clone(),
        last_status_change: Some(action.updated),
        token: action.approval_token().filter(|_| action.awaits_approval()).map(str::to_owned),
        last_updated_by: action.updated_by.clone(),
        external_execution_id: action.external_id().map(str::to_owned),
        external_execution_url: external_url(action, links),
        error_details: action.failure.as_ref().map(error_details),
        ..ActionExecutionShape::default()
    }
}

/// Links to where the caller asks, for an action that may run in another region.
pub(super) fn links<'a>(caller: &'a Caller, region: Option<&'a str>) -> Links<'a> {
    Links { endpoint: caller.endpoint.as_deref(), region: region.unwrap_or(&caller.region) }
}

/// Where to look at what runs outside for an action.
pub(super) fn external_url(action: &ActionExecution, links: Links<'_>) -> Option<String> {
    let external = action.external()?;
    external.url.clone().or_else(|| links.external(&action.kind, &external.id))
}

/// Why an action failed, as answers show it.
pub(super) fn error_details(failure: &crate::model::ActionFailure) -> ErrorDetails {
    ErrorDetails { code: Some(failure.code.clone()), message: Some(failure.message.clone()) }
}
