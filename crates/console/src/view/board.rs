//! A pipeline's stages and actions as they stand.

use aws::codepipeline::{
    ActionDeclaration, ActionExecution, ActionState, GetPipelineStateOutput, PipelineDeclaration, StageDeclaration,
    StageExecution, StageState, TransitionState,
};
use kernel::Timestamp;

use crate::rules::link;
use crate::rules::mark::Mark;
use crate::rules::moment::Moment;
use crate::rules::revision::Revision;

/// An execution, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) id: String,
    /// The id's first part.
    pub(crate) short: String,
    pub(crate) address: String,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) mark: Mark,
    /// What ran or runs in it last.
    pub(crate) execution: Option<Reference>,
    /// The way in; the first stage has none.
    pub(crate) transition: Option<Transition>,
    /// Executions that wait to enter.
    pub(crate) waiting: Vec<Reference>,
    pub(crate) actions: Vec<Action>,
    /// Whether the stage may be tried again.
    pub(crate) failed: bool,
}

/// The way into a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) enabled: bool,
    pub(crate) reason: String,
    /// Who changed it last.
    pub(crate) by: String,
    pub(crate) when: Option<Moment>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) mark: Mark,
    /// When its status changed last.
    pub(crate) when: Option<Moment>,
    /// What a source action found.
    pub(crate) revision: Option<Revision>,
    pub(crate) summary: String,
    /// Why it failed.
    pub(crate) problem: String,
    pub(crate) percent: Option<i32>,
    /// What it drives.
    pub(crate) external: Option<External>,
    /// The decision that it waits for.
    pub(crate) approval: Option<Approval>,
}

/// What an action drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) address: String,
    pub(crate) text: &'static str,
}

/// A decision that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) token: String,
    /// What whoever made the pipeline says of it.
    pub(crate) note: String,
    /// What is to be looked at first.
    pub(crate) look_at: Option<String>,
}

/// Where a board's pipeline is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) pipeline: &'a str,
    pub(crate) now: Timestamp,
}

/// The stages in their order.
pub(crate) fn stages(
    place: Place<'_>,
    state: &GetPipelineStateOutput,
    declaration: Option<&PipelineDeclaration>,
) -> Vec<Stage> {
    let declared = declaration.and_then(|pipeline| pipeline.stages.as_deref()).unwrap_or_default();
    let states = state.stage_states.as_deref().unwrap_or_default();
    states
        .iter()
        .map(|state| stage(place, state, declared.iter().find(|stage| stage.name == state.stage_name)))
        .collect()
}

fn stage(place: Place<'_>, state: &StageState, declared: Option<&StageDeclaration>) -> Stage {
    let latest = state.latest_execution.as_ref();
    let declared = declared.and_then(|stage| stage.actions.as_deref()).unwrap_or_default();
    let actions = state.action_states.as_deref().unwrap_or_default().iter();
    let actions: Vec<Action> = actions
        .map(|state| action(place, state, declared.iter().find(|action| action.name == state.action_name)))
        .collect();
    let status = latest.and_then(|execution| execution.status.as_deref()).unwrap_or_default();
    let decides = actions.iter().any(|action| action.approval.is_some());
    Stage {
        name: text(&state.stage_name),
        mark: if decides { Mark::approval() } else { Mark::of(status) },
        execution: latest.and_then(|execution| reference(place, execution)),
        transition: state.inbound_transition_state.as_ref().map(|state| transition(place, state)),
        waiting: waiting(place, state),
        actions,
        failed: status == "Failed",
    }
}

fn waiting(place: Place<'_>, state: &StageState) -> Vec<Reference> {
    let all = state.inbound_executions.iter().flatten().chain(&state.inbound_execution);
    let mut waiting: Vec<Reference> = all.filter_map(|execution| reference(place, execution)).collect();
    waiting.dedup();
    waiting
}

fn reference(place: Place<'_>, execution: &StageExecution) -> Option<Reference> {
    execution.pipeline_execution_id.as_deref().map(|id| Reference {
        id: id.to_owned(),
        short: short(id),
        address: link::execution(place.region, place.pipeline, id),
    })
}

/// The first part of an execution's id.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn transition(place: Place<'_>, state: &TransitionState) -> Transition {
    Transition {
        enabled: state.enabled.unwrap_or(true),
        reason: text(&state.disabled_reason),
        by: state.last_changed_by.as_deref().map(who).unwrap_or_default(),
        when: state.last_changed_at.map(|time| Moment::new(place.now, time)),
    }
}

/// The last part of an ARN: a user, a role's session, `root`.
pub(crate) fn who(arn: &str) -> String {
    arn.rsplit([':', '/']).next().unwrap_or(arn).to_owned()
}

fn action(place: Place<'_>, state: &ActionState, declared: Option<&ActionDeclaration>) -> Action {
    let none = ActionExecution::default();
    let latest = state.latest_execution.as_ref().unwrap_or(&none);
    let kind = declared.and_then(|action| action.action_type_id.as_ref());
    let provider = kind.map(|kind| text(&kind.provider)).unwrap_or_default();
    let approval = approval(latest, declared);
    let status = latest.status.as_deref().unwrap_or_default();
    let problem = latest.error_details.as_ref().map(|error| text(&error.message)).unwrap_or_default();
    let revision = state.current_revision.as_ref();
    let summary = text(&latest.summary);
    Action {
        name: text(&state.action_name),
        mark: if approval.is_some() { Mark::approval() } else { Mark::of(status) },
        when: latest.last_status_change.map(|time| Moment::new(place.now, time)),
        revision: revision.and_then(|revision| {
            Some(Revision::new(revision.revision_id.as_deref()?, Some(&summary), state.revision_url.as_deref()))
        }),
        external: external(place.region, &provider, latest),
        summary: if summary == problem || revision.is_some() { String::new() } else { summary },
        problem,
        percent: latest.percent_complete,
        provider,
        approval,
    }
}

fn external(region: &str, provider: &str, latest: &ActionExecution) -> Option<External> {
    let (id, url) = (latest.external_execution_id.as_deref(), latest.external_execution_url.as_deref());
    let text = match provider {
        "CodeBuild" => "Build",
        "CodeDeploy" => "Deployment",
        _ => "Details",
    };
    link::external(region, provider, id, url).map(|address| External { address, text })
}

fn approval(latest: &ActionExecution, declared: Option<&ActionDeclaration>) -> Option<Approval> {
    let token = latest.token.clone().filter(|_| latest.status.as_deref() == Some("InProgress"))?;
    let configuration = declared.and_then(|action| action.configuration.as_ref());
    let setting = |name: &str| configuration.and_then(|settings| settings.get(name)).cloned().unwrap_or_default();
    Some(Approval { token, note: setting("CustomData"), look_at: link::web(&setting("ExternalEntityLink")) })
}

fn text(member: &Option<String>) -> String {
    member.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests;
