//! Retries, rollbacks and closed transitions, one test per sentence of their description.

use super::super::flow::{InboundTransition, RollbackOf};
use super::super::retry::{RetryMode, RetryRefusal, may_retry};
use super::tests::Pipeline;
use super::*;
use crate::rules::definition::OnFailure;

use ActionStatus::{Failed, Succeeded};

const TWO: [&str; 2] = ["Source: git", "Build: compile lint@1 pack@2"];

fn superseded(stages: &[&str]) -> Pipeline {
    Pipeline::new(ExecutionMode::Superseded, stages)
}

fn retry(pipeline: &mut Pipeline, execution: Ordinal, stage: &str, mode: RetryMode) -> Vec<Command> {
    pipeline.event(Event::RetryRequested { execution, stage: stage.into(), mode })
}

fn close(pipeline: &mut Pipeline, stage: &str, reason: Option<&str>) {
    let changed_at = Timestamp::from_millis(1);
    let transition = InboundTransition { disabled: reason.map(Into::into), changed_by: "me".into(), changed_at };
    pipeline.event(Event::TransitionChanged { stage: stage.into(), transition });
}

fn open(pipeline: &mut Pipeline, stage: &str) -> Vec<String> {
    let waiting = pipeline.lane(stage).inbound;
    close(pipeline, stage, None);
    waiting.into_iter().flat_map(|execution| started(&pipeline.event(Event::TurnAsked { execution }))).collect()
}

fn started(commands: &[Command]) -> Vec<String> {
    let start = |command: &Command| match command {
        Command::StartAction { execution, stage, action, .. } => Some(format!("{execution} {stage}/{action}")),
        _ => None,
    };
    commands.iter().filter_map(start).collect()
}

/// Execution 1 whose `lint` has failed in Build.
fn failed_build() -> Pipeline {
    let mut pipeline = superseded(&TWO);
    pipeline.start(1);
    pipeline.pass(1, &["git", "compile"]);
    pipeline.finish(1, "lint", Failed);
    assert_eq!(pipeline.status(1), ExecutionStatus::Failed);
    pipeline
}

#[test]
fn failed_actions_run_again_and_succeeded_ones_keep_their_results() {
    let mut pipeline = failed_build();
    let commands = retry(&mut pipeline, 1, "Build", RetryMode::FailedActions);
    assert_eq!(commands[0], Command::AnnounceResumed(1, "Build".into()));
    assert_eq!(started(&commands), ["1 Build/lint"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::InProgress);
    assert_eq!(pipeline.lane("Build").holder, Some(1));
    assert_eq!(started(&pipeline.pass(1, &["lint"])), ["1 Build/pack"]);
    pipeline.pass(1, &["pack"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Succeeded);
    assert_eq!(pipeline.flow.runs[&1].attempt(), 2);
}

#[test]
fn all_actions_run_again_from_the_first_order() {
    let mut pipeline = failed_build();
    let commands = retry(&mut pipeline, 1, "Build", RetryMode::AllActions);
    assert_eq!(started(&commands), ["1 Build/compile", "1 Build/lint"]);
    pipeline.pass(1, &["compile", "lint", "pack"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Succeeded);
    assert_eq!(pipeline.flow.runs[&1].actions_started, 6, "each attempt has a number of its own");
}

#[test]
fn a_failed_action_runs_again_while_its_sibling_still_does() {
    let mut pipeline = superseded(&TWO);
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    pipeline.finish(1, "lint", Failed);
    let all = may_retry(&pipeline.definition, &pipeline.flow, (1, "Build"), RetryMode::AllActions);
    assert_eq!(all, Err(RetryRefusal::Running));
    assert_eq!(started(&retry(&mut pipeline, 1, "Build", RetryMode::FailedActions)), ["1 Build/lint"]);
    pipeline.pass(1, &["compile", "lint", "pack"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Succeeded);
}

#[test]
fn a_stopped_stage_goes_on_where_it_stopped() {
    let mut pipeline = superseded(&TWO);
    pipeline.start(1);
    pipeline.pass(1, &["git", "compile"]);
    pipeline.event(Event::StopRequested { execution: 1, abandon: true });
    assert_eq!(started(&retry(&mut pipeline, 1, "Build", RetryMode::FailedActions)), ["1 Build/lint"]);
    pipeline.event(Event::StopRequested { execution: 1, abandon: false });
    pipeline.pass(1, &["lint"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Stopped, "nothing failed, but pack was never begun");
    assert_eq!(started(&retry(&mut pipeline, 1, "Build", RetryMode::FailedActions)), ["1 Build/pack"]);
    pipeline.event(Event::StopRequested { execution: 1, abandon: false });
    pipeline.pass(1, &["pack"]);
    let nothing = may_retry(&pipeline.definition, &pipeline.flow, (1, "Build"), RetryMode::FailedActions);
    assert_eq!(nothing, Err(RetryRefusal::NothingFailed));
    assert_eq!(retry(&mut pipeline, 1, "Build", RetryMode::AllActions).len(), 3, "resumed, and two actions");
}

#[test]
fn what_may_not_be_retried() {
    let refusal = |pipeline: &Pipeline, execution, stage: &str| {
        may_retry(&pipeline.definition, &pipeline.flow, (execution, stage), RetryMode::FailedActions).unwrap_err()
    };
    let mut pipeline = failed_build();
    assert_eq!(refusal(&pipeline, 1, "Nope"), RetryRefusal::NoSuchStage);
    assert_eq!(refusal(&pipeline, 9, "Build"), RetryRefusal::NotLatest, "nobody knows execution 9");
    assert_eq!(refusal(&pipeline, 1, "Source"), RetryRefusal::NotFailed, "it succeeded there");
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    assert_eq!(refusal(&pipeline, 1, "Build"), RetryRefusal::NotLatest, "2 was there later");
    assert_eq!(refusal(&pipeline, 2, "Build"), RetryRefusal::NotFailed, "2 is still at it");
    pipeline.start(3);
    pipeline.pass(3, &["git"]);
    pipeline.event(Event::StopRequested { execution: 3, abandon: false });
    assert_eq!(refusal(&pipeline, 3, "Build"), RetryRefusal::NotFailed, "it was stopped in front of the stage");
    let mut pipeline = failed_build();
    pipeline.definition.version = 2;
    assert_eq!(refusal(&pipeline, 1, "Build"), RetryRefusal::Outdated);
    let before = pipeline.flow.clone();
    assert_eq!(retry(&mut pipeline, 1, "Build", RetryMode::FailedActions), [], "the step refuses too");
    assert_eq!(pipeline.flow, before);
}

#[test]
fn an_execution_in_parallel_mode_is_retried_by_itself() {
    let mut pipeline = Pipeline::new(ExecutionMode::Parallel, &TWO);
    for ordinal in [1, 2] {
        pipeline.start(ordinal);
        pipeline.pass(ordinal, &["git", "compile"]);
        pipeline.finish(ordinal, "lint", Failed);
    }
    assert_eq!(started(&retry(&mut pipeline, 1, "Build", RetryMode::FailedActions)), ["1 Build/lint"]);
    assert_eq!(pipeline.status(2), ExecutionStatus::Failed);
}

#[test]
fn a_stage_retries_itself_once() {
    let mut pipeline = superseded(&TWO);
    pipeline.definition.stages[1].on_failure = Some(OnFailure::Retry(RetryMode::AllActions));
    pipeline.start(1);
    pipeline.pass(1, &["git", "compile"]);
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    let commands = pipeline.finish(1, "lint", Failed);
    assert_eq!(started(&commands), ["1 Build/compile", "1 Build/lint"], "before anybody else gets the stage");
    assert!(commands.contains(&Command::AnnounceStage(1, "Build".into(), StageStatus::Failed)));
    pipeline.finish(1, "compile", Failed);
    let commands = pipeline.finish(1, "lint", Failed);
    assert_eq!(pipeline.status(1), ExecutionStatus::Failed);
    assert_eq!(started(&commands), ["2 Build/compile", "2 Build/lint"]);
    assert_eq!(pipeline.flow.runs[&1].retries["Build"].automatic, 1);
}

const THREE: [&str; 3] = ["Source: git", "Deploy: prod", "Check: probe"];

/// A pipeline whose Deploy rolls itself back.
fn rolling_back() -> Pipeline {
    let mut pipeline = superseded(&THREE);
    pipeline.definition.stages[1].on_failure = Some(OnFailure::RollBack);
    pipeline
}

#[test]
fn a_failed_stage_goes_back_to_its_last_success() {
    let mut pipeline = rolling_back();
    pipeline.start(1);
    pipeline.pass(1, &["git", "prod", "probe"]);
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    pipeline.start(3);
    pipeline.pass(3, &["git"]);
    let commands = pipeline.finish(2, "prod", Failed);
    assert_eq!(started(&commands), ["4 Deploy/prod"], "before the execution that waits");
    assert_eq!(pipeline.status(2), ExecutionStatus::Failed);
    let of = RollbackOf { stage: "Deploy".into(), target: 1, failed: Some(2) };
    assert_eq!(pipeline.flow.runs[&4].rollback, Some(of));
    assert_eq!(started(&pipeline.pass(4, &["prod"])), ["3 Deploy/prod"], "only that stage, then the next comes");
    assert_eq!(pipeline.status(4), ExecutionStatus::Succeeded);
    assert_eq!(pipeline.lane("Deploy").succeeded, Some(1), "a rollback is no target of a rollback");
    assert_eq!(pipeline.flow.newest, 4);
}

#[test]
fn without_a_success_of_this_version_nothing_is_rolled_back() {
    let mut pipeline = rolling_back();
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    assert_eq!(started(&pipeline.finish(1, "prod", Failed)), [""; 0]);
    pipeline.start(2);
    pipeline.pass(2, &["git", "prod", "probe"]);
    pipeline.definition.version = 2;
    pipeline.event(Event::DefinitionChanged);
    pipeline.start(3);
    pipeline.pass(3, &["git"]);
    assert_eq!(started(&pipeline.finish(3, "prod", Failed)), [""; 0], "execution 2 ran in version 1");
}

#[test]
fn a_rollback_that_fails_is_not_rolled_back() {
    let mut pipeline = rolling_back();
    pipeline.start(1);
    pipeline.pass(1, &["git", "prod", "probe"]);
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    pipeline.finish(2, "prod", Failed);
    assert_eq!(started(&pipeline.finish(3, "prod", Failed)), [""; 0]);
    assert_eq!(pipeline.status(3), ExecutionStatus::Failed);
    assert_eq!(pipeline.lane("Deploy").holder, None);
}

#[test]
fn nobody_passes_a_closed_transition_and_the_newest_waits_there() {
    let mut pipeline = superseded(&THREE);
    close(&mut pipeline, "Deploy", Some("freeze"));
    for ordinal in 1..=3 {
        pipeline.start(ordinal);
        assert_eq!(started(&pipeline.pass(ordinal, &["git"])), [""; 0]);
    }
    assert_eq!(pipeline.lane("Deploy").inbound, [3]);
    assert_eq!(pipeline.status(2), ExecutionStatus::Superseded);
    assert_eq!(open(&mut pipeline, "Deploy"), ["3 Deploy/prod"]);
    assert_eq!(open(&mut pipeline, "Deploy"), [""; 0], "again is nothing new");
}

#[test]
fn what_is_inside_a_closed_stage_goes_on_and_those_behind_it_wait() {
    let mut pipeline = Pipeline::new(ExecutionMode::Queued, &THREE);
    for ordinal in 1..=3 {
        pipeline.start(ordinal);
    }
    pipeline.pass(1, &["git"]);
    close(&mut pipeline, "Deploy", Some("freeze"));
    assert_eq!(started(&pipeline.pass(1, &["prod"])), ["1 Check/probe"]);
    pipeline.pass(2, &["git"]);
    pipeline.pass(3, &["git"]);
    assert_eq!(pipeline.lane("Deploy").inbound, [2, 3]);
    assert_eq!(open(&mut pipeline, "Deploy"), ["2 Deploy/prod"], "one at a time");
    assert_eq!(started(&pipeline.pass(2, &["prod"])), ["2 Check/probe", "3 Deploy/prod"][1..].to_vec());
}

#[test]
fn in_parallel_mode_all_wait_and_all_go_on() {
    let mut pipeline = Pipeline::new(ExecutionMode::Parallel, &THREE);
    close(&mut pipeline, "Deploy", Some("freeze"));
    for ordinal in [1, 2] {
        pipeline.start(ordinal);
        pipeline.pass(ordinal, &["git"]);
    }
    assert_eq!(open(&mut pipeline, "Deploy"), ["1 Deploy/prod", "2 Deploy/prod"]);
}

#[test]
fn a_rollback_passes_a_closed_transition() {
    let mut pipeline = superseded(&THREE);
    pipeline.start(1);
    pipeline.pass(1, &["git", "prod", "probe"]);
    close(&mut pipeline, "Deploy", Some("incident"));
    let of = RollbackOf { stage: "Deploy".into(), target: 1, failed: None };
    let run = Run::rollback((2, 1), ExecutionMode::Superseded, of, Timestamp::from_millis(1));
    assert_eq!(started(&pipeline.event(Event::Started(run))), ["2 Deploy/prod"]);
    assert_eq!(started(&pipeline.pass(2, &["prod"])), [""; 0]);
    assert_eq!(pipeline.status(2), ExecutionStatus::Succeeded);
}

#[test]
fn a_new_version_keeps_closed_what_is_still_there() {
    let mut pipeline = superseded(&THREE);
    close(&mut pipeline, "Deploy", Some("freeze"));
    close(&mut pipeline, "Check", Some("freeze"));
    pipeline.definition.stages.pop();
    pipeline.definition.version = 2;
    pipeline.event(Event::DefinitionChanged);
    assert_eq!(pipeline.flow.board.transitions.keys().collect::<Vec<_>>(), ["Deploy"]);
}

#[test]
fn a_failed_execution_may_take_its_stage_back_while_another_waits_outside() {
    let mut pipeline = failed_build();
    close(&mut pipeline, "Build", Some("look at it first"));
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    assert_eq!(started(&retry(&mut pipeline, 1, "Build", RetryMode::FailedActions)), ["1 Build/lint"]);
    let _ = pipeline.finish(1, "lint", Succeeded);
    pipeline.pass(1, &["pack"]);
    assert_eq!(pipeline.lane("Build").inbound, [2], "it is still closed");
}
