//! States as AWS answers them, and what is shown of them.

use std::collections::BTreeMap;

use aws::codepipeline::{ActionRevision, ActionTypeId, ErrorDetails};

use super::*;

fn place() -> Place<'static> {
    Place { region: "eu-west-1", pipeline: "app", now: Timestamp::from_seconds(1_000_100) }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn ran(status: &str) -> ActionExecution {
    ActionExecution {
        status: some(status),
        last_status_change: Some(Timestamp::from_seconds(1_000_000)),
        ..ActionExecution::default()
    }
}

fn declared(provider: &str, settings: &[(&str, &str)]) -> ActionDeclaration {
    let configuration: BTreeMap<_, _> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ActionDeclaration {
        name: some("a"),
        action_type_id: Some(ActionTypeId { provider: some(provider), ..ActionTypeId::default() }),
        configuration: Some(configuration),
        ..ActionDeclaration::default()
    }
}

fn shown(latest: ActionExecution, declared: Option<&ActionDeclaration>) -> Action {
    let state = ActionState { action_name: some("a"), latest_execution: Some(latest), ..ActionState::default() };
    action(place(), &state, declared)
}

#[test]
fn an_action_that_never_ran() {
    let state = ActionState { action_name: some("a"), ..ActionState::default() };
    let action = action(place(), &state, Some(&declared("S3", &[])));
    assert_eq!((action.name.as_str(), action.provider.as_str()), ("a", "S3"));
    assert_eq!(action.mark, Mark::of(""));
    assert_eq!((action.when, action.external, action.approval), (None, None, None));
}

#[test]
fn a_build_that_failed_says_why_and_where() {
    let failed = ActionExecution {
        external_execution_id: some("app:1"),
        summary: some("Build terminated with state: FAILED"),
        error_details: Some(ErrorDetails {
            code: some("JobFailed"),
            message: some("Build terminated with state: FAILED"),
        }),
        ..ran("Failed")
    };
    let action = shown(failed, Some(&declared("CodeBuild", &[])));
    assert_eq!(action.mark.shape, "bad");
    assert_eq!((action.problem.as_str(), action.summary.as_str()), ("Build terminated with state: FAILED", ""));
    assert_eq!(action.when.map(|when| when.ago).as_deref(), Some("1 min ago"));
    let external = External { address: link::build("eu-west-1", "app:1"), text: "Build" };
    assert_eq!(action.external, Some(external));
}

#[test]
fn an_approval_is_open_while_it_runs_and_has_a_token() {
    let settings = [("CustomData", "Look first"), ("ExternalEntityLink", "https://x.example")];
    let approves = declared("Manual", &settings);
    let open = ActionExecution { token: some("t"), ..ran("InProgress") };
    let action = shown(open.clone(), Some(&approves));
    assert_eq!(action.mark, Mark::approval());
    let approval = Approval { token: "t".into(), note: "Look first".into(), look_at: some("https://x.example") };
    assert_eq!(action.approval, Some(approval));
    let evil = declared("Manual", &[("ExternalEntityLink", "javascript:alert(1)")]);
    assert_eq!(shown(open.clone(), Some(&evil)).approval.and_then(|approval| approval.look_at), None);
    let closed = ActionExecution { status: some("Succeeded"), ..open };
    assert_eq!(shown(closed, Some(&approves)).approval, None);
    assert_eq!(shown(ran("InProgress"), Some(&approves)).approval, None);
}

#[test]
fn a_source_shows_its_revision() {
    let state = ActionState {
        action_name: some("a"),
        latest_execution: Some(ActionExecution { summary: some("Fix it\n\nMore"), ..ran("Succeeded") }),
        current_revision: Some(ActionRevision { revision_id: some("v1"), ..ActionRevision::default() }),
        ..ActionState::default()
    };
    let action = action(place(), &state, None);
    assert_eq!(action.revision.map(|revision| revision.message).as_deref(), Some("Fix it"));
    assert_eq!((action.summary.as_str(), action.provider.as_str()), ("", ""));
}

#[test]
fn stages_with_their_way_in() {
    let execution = |id: &str, status: &str| StageExecution {
        pipeline_execution_id: some(id),
        status: some(status),
        ..StageExecution::default()
    };
    let first = StageState { stage_name: some("Source"), ..StageState::default() };
    let second = StageState {
        stage_name: some("Build"),
        latest_execution: Some(execution("11111111-2222", "Failed")),
        inbound_execution: Some(execution("33333333-4444", "InProgress")),
        inbound_executions: Some(vec![execution("33333333-4444", "InProgress")]),
        inbound_transition_state: Some(TransitionState {
            enabled: Some(false),
            disabled_reason: some("freeze"),
            last_changed_by: some("arn:aws:iam::111122223333:user/jane"),
            ..TransitionState::default()
        }),
        ..StageState::default()
    };
    let state = GetPipelineStateOutput { stage_states: Some(vec![first, second]), ..GetPipelineStateOutput::default() };
    let stages = stages(place(), &state, None);
    assert_eq!((stages[0].mark.clone(), stages[0].transition.clone(), stages[0].failed), (Mark::of(""), None, false));
    assert_eq!(stages[1].execution.as_ref().map(|execution| execution.short.as_str()), Some("11111111"));
    assert!(stages[1].failed);
    assert_eq!(stages[1].waiting.len(), 1);
    let closed = Transition { enabled: false, reason: "freeze".into(), by: "jane".into(), when: None };
    assert_eq!(stages[1].transition, Some(closed));
}
