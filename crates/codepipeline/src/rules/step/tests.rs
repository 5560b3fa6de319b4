//! One test per sentence of the execution modes' description.

use super::super::definition::{Action, Stage};
use super::super::flow::Board;
use super::*;

fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

/// A definition from `"stage: action@order action@order"` lines.
pub(super) fn definition(mode: ExecutionMode, stages: &[&str]) -> Definition {
    let action = |text: &str| {
        let (name, order) = text.split_once('@').unwrap_or((text, "1"));
        Action { name: name.into(), run_order: order.parse().unwrap(), ..Action::default() }
    };
    let stage = |text: &&str| {
        let (name, actions) = text.split_once(": ").unwrap();
        Stage { name: name.into(), actions: actions.split(' ').map(action).collect(), ..Stage::default() }
    };
    Definition {
        name: "p".into(),
        version: 1,
        mode,
        stages: stages.iter().map(stage).collect(),
        ..Definition::default()
    }
}

const THREE: [&str; 3] = ["Source: git", "Build: compile lint", "Deploy: beta@1 prod@5"];

/// A pipeline under test, its commands remembered.
pub(super) struct Pipeline {
    pub(super) definition: Definition,
    pub(super) flow: Flow,
    pub(super) log: Vec<Command>,
}

impl Pipeline {
    pub(super) fn new(mode: ExecutionMode, stages: &[&str]) -> Self {
        Self { definition: definition(mode, stages), flow: Flow::default(), log: Vec::new() }
    }

    pub(super) fn event(&mut self, event: Event) -> Vec<Command> {
        let (flow, commands) = step(&self.definition, std::mem::take(&mut self.flow), event, now());
        self.flow = flow;
        self.log.extend(commands.clone());
        commands
    }

    pub(super) fn start(&mut self, ordinal: Ordinal) -> Vec<Command> {
        let run = Run::new(ordinal, self.definition.version, self.definition.mode, now());
        self.event(Event::Started(run))
    }

    pub(super) fn finish(&mut self, execution: Ordinal, action: &str, status: ActionStatus) -> Vec<Command> {
        let run = &self.flow.runs[&execution];
        let action =
            run.actions.iter().find(|candidate| candidate.name == action).expect("no such action in its stage");
        let Progress::Running(number) = action.progress else { panic!("{action:?} does not run") };
        self.event(Event::ActionEnded { execution, number, status })
    }

    pub(super) fn pass(&mut self, execution: Ordinal, actions: &[&str]) -> Vec<Command> {
        actions.iter().flat_map(|action| self.finish(execution, action, ActionStatus::Succeeded)).collect()
    }

    pub(super) fn status(&self, execution: Ordinal) -> ExecutionStatus {
        self.flow.runs[&execution].status
    }

    pub(super) fn lane(&self, stage: &str) -> Lane {
        self.flow.board.lanes.get(stage).cloned().unwrap_or_default()
    }
}

fn started(commands: &[Command]) -> Vec<String> {
    let start = |command: &Command| match command {
        Command::StartAction { execution, stage, action, .. } => Some(format!("{execution} {stage}/{action}")),
        _ => None,
    };
    commands.iter().filter_map(start).collect()
}

#[test]
fn an_execution_passes_all_stages_and_run_orders() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    assert_eq!(started(&pipeline.start(1)), ["1 Source/git"]);
    assert_eq!(started(&pipeline.pass(1, &["git"])), ["1 Build/compile", "1 Build/lint"]);
    assert_eq!(started(&pipeline.pass(1, &["lint"])), [""; 0]);
    assert_eq!(started(&pipeline.pass(1, &["compile"])), ["1 Deploy/beta"]);
    assert_eq!(started(&pipeline.pass(1, &["beta"])), ["1 Deploy/prod"]);
    pipeline.pass(1, &["prod"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Succeeded);
    assert_eq!(pipeline.flow.runs[&1].succeeded_stages, ["Source", "Build", "Deploy"]);
    assert!(pipeline.flow.board.active.is_empty());
}

#[test]
fn every_change_of_state_is_announced_in_order() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &["Source: git", "Deploy: prod"]);
    pipeline.start(1);
    pipeline.pass(1, &["git", "prod"]);
    let stage = |name: &str, status| Command::AnnounceStage(1, name.into(), status);
    let action = |number, stage: &str, action: &str| Command::StartAction {
        execution: 1,
        number,
        stage: stage.into(),
        action: action.into(),
    };
    assert_eq!(
        pipeline.log,
        [
            Command::AnnounceExecution(1, ExecutionStatus::InProgress),
            stage("Source", StageStatus::InProgress),
            action(1, "Source", "git"),
            stage("Source", StageStatus::Succeeded),
            stage("Deploy", StageStatus::InProgress),
            action(2, "Deploy", "prod"),
            stage("Deploy", StageStatus::Succeeded),
            Command::AnnounceExecution(1, ExecutionStatus::Succeeded),
        ]
    );
}

#[test]
fn a_failed_action_lets_its_siblings_end_and_starts_nothing_more() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &["Source: git", "Test: unit@1 lint@1 slow@2"]);
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    pipeline.finish(1, "unit", ActionStatus::Failed);
    assert_eq!(pipeline.status(1), ExecutionStatus::InProgress, "lint still runs, the stage is still locked");
    assert_eq!(started(&pipeline.pass(1, &["lint"])), [""; 0]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Failed);
    assert_eq!(pipeline.lane("Test").latest, Some(Latest { execution: 1, status: StageStatus::Failed }));
    assert_eq!(pipeline.lane("Test").holder, None);
}

#[test]
fn a_newer_execution_takes_the_place_of_the_one_that_waits() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    for ordinal in 1..=3 {
        pipeline.start(ordinal);
        pipeline.pass(ordinal, &["git"]);
    }
    assert_eq!(pipeline.lane("Build").holder, Some(1));
    assert_eq!(pipeline.lane("Build").inbound, [3]);
    assert_eq!(pipeline.status(2), ExecutionStatus::Superseded);
    pipeline.finish(1, "compile", ActionStatus::Failed);
    let commands = pipeline.finish(1, "lint", ActionStatus::Succeeded);
    assert_eq!(started(&commands), ["3 Build/compile", "3 Build/lint"]);
    assert_eq!(pipeline.lane("Build").inbound, [0; 0]);
}

#[test]
fn the_first_stage_has_a_place_to_wait_too() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.start(2);
    pipeline.start(3);
    assert_eq!(pipeline.status(2), ExecutionStatus::Superseded);
    assert_eq!(started(&pipeline.pass(1, &["git"])), ["1 Build/compile", "1 Build/lint", "3 Source/git"]);
}

#[test]
fn nothing_is_superseded_inside_a_stage() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    pipeline.start(2);
    pipeline.pass(2, &["git"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::InProgress);
    assert_eq!(pipeline.lane("Build").holder, Some(1));
}

#[test]
fn queued_executions_wait_in_line_and_none_is_lost() {
    let mut pipeline = Pipeline::new(ExecutionMode::Queued, &["Source: git", "Deploy: prod"]);
    for ordinal in 1..=4 {
        pipeline.start(ordinal);
    }
    assert_eq!(pipeline.lane("Source").inbound, [2, 3, 4]);
    for ordinal in 1..=4 {
        pipeline.pass(ordinal, &["git", "prod"]);
        assert_eq!(pipeline.status(ordinal), ExecutionStatus::Succeeded);
    }
}

#[test]
fn parallel_executions_neither_lock_nor_wait() {
    let mut pipeline = Pipeline::new(ExecutionMode::Parallel, &["Source: git", "Deploy: prod"]);
    pipeline.start(1);
    pipeline.start(2);
    assert_eq!(started(&pipeline.pass(2, &["git"])), ["2 Deploy/prod"]);
    assert_eq!(started(&pipeline.pass(1, &["git"])), ["1 Deploy/prod"]);
    assert_eq!(pipeline.flow.board.lanes.len(), 0, "no stage state in PARALLEL mode");
}

#[test]
fn stop_and_wait_lets_running_actions_end_first() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    pipeline.event(Event::StopRequested { execution: 1, abandon: false });
    assert_eq!(pipeline.status(1), ExecutionStatus::Stopping);
    assert_eq!(pipeline.lane("Build").latest.unwrap().status, StageStatus::Stopping);
    pipeline.pass(1, &["compile"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Stopping);
    assert_eq!(started(&pipeline.pass(1, &["lint"])), [""; 0]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Stopped);
    assert_eq!(pipeline.lane("Build").latest.unwrap().status, StageStatus::Stopped);
}

#[test]
fn stop_and_abandon_ends_at_once_even_while_stopping() {
    for first_stop_and_wait in [false, true] {
        let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
        pipeline.start(1);
        pipeline.pass(1, &["git"]);
        if first_stop_and_wait {
            pipeline.event(Event::StopRequested { execution: 1, abandon: false });
        }
        let commands = pipeline.event(Event::StopRequested { execution: 1, abandon: true });
        assert!(commands.contains(&Command::AbandonAction { execution: 1, number: 2 }));
        assert!(commands.contains(&Command::AbandonAction { execution: 1, number: 3 }));
        assert_eq!(pipeline.status(1), ExecutionStatus::Stopped);
        assert_eq!(pipeline.lane("Build").holder, None);
    }
}

#[test]
fn a_stopped_stage_lets_the_waiting_execution_in() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.start(2);
    let commands = pipeline.event(Event::StopRequested { execution: 1, abandon: true });
    assert_eq!(started(&commands), ["2 Source/git"]);
}

#[test]
fn a_waiting_execution_is_stopped_at_once() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.start(2);
    pipeline.event(Event::StopRequested { execution: 2, abandon: false });
    assert_eq!(pipeline.status(2), ExecutionStatus::Stopped);
    assert_eq!(pipeline.lane("Source").inbound, [0; 0]);
}

#[test]
fn a_new_version_cancels_executions_of_the_old_one() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.start(2);
    pipeline.definition.version = 2;
    pipeline.event(Event::DefinitionChanged);
    assert_eq!(pipeline.status(2), ExecutionStatus::Cancelled, "it waited");
    assert_eq!(pipeline.status(1), ExecutionStatus::InProgress, "its action still runs");
    pipeline.start(3);
    assert_eq!(pipeline.lane("Source").inbound, [3]);
    let commands = pipeline.pass(1, &["git"]);
    assert_eq!(pipeline.status(1), ExecutionStatus::Cancelled);
    assert_eq!(started(&commands), ["3 Source/git"]);
}

#[test]
fn a_removed_stage_loses_its_lane_once_empty() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.pass(1, &["git", "compile", "lint", "beta", "prod"]);
    pipeline.definition = definition(ExecutionMode::Superseded, &["Source: git", "Ship: it"]);
    pipeline.definition.version = 2;
    pipeline.event(Event::DefinitionChanged);
    assert_eq!(pipeline.flow.board.lanes.keys().collect::<Vec<_>>(), ["Source"]);
}

#[test]
fn executions_in_parallel_mode_outlive_a_new_version() {
    let mut pipeline = Pipeline::new(ExecutionMode::Parallel, &["Source: git", "Deploy: prod"]);
    pipeline.start(1);
    let old = pipeline.definition.clone();
    pipeline.definition =
        Definition { version: 2, ..definition(ExecutionMode::Superseded, &["Source: git", "Ship: it"]) };
    pipeline.event(Event::DefinitionChanged);
    assert_eq!(pipeline.status(1), ExecutionStatus::InProgress);
    pipeline.definition = old;
    assert_eq!(started(&pipeline.pass(1, &["git"])), ["1 Deploy/prod"]);
}

#[test]
fn a_deleted_pipeline_leaves_nothing_running() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.start(2);
    let commands = pipeline.event(Event::Deleted);
    assert!(commands.contains(&Command::AbandonAction { execution: 1, number: 1 }));
    assert_eq!(pipeline.status(1), ExecutionStatus::Cancelled);
    assert_eq!(pipeline.status(2), ExecutionStatus::Cancelled);
    assert_eq!(pipeline.flow.board, Board::default());
}

#[test]
fn what_no_longer_applies_changes_nothing() {
    let mut pipeline = Pipeline::new(ExecutionMode::Superseded, &THREE);
    pipeline.start(1);
    pipeline.event(Event::StopRequested { execution: 1, abandon: true });
    let before = pipeline.flow.clone();
    for event in [
        Event::ActionEnded { execution: 1, number: 1, status: ActionStatus::Succeeded },
        Event::ActionEnded { execution: 9, number: 1, status: ActionStatus::Succeeded },
        Event::StopRequested { execution: 1, abandon: true },
    ] {
        assert_eq!(pipeline.event(event), []);
        assert_eq!(pipeline.flow, before);
    }
}

#[test]
fn who_goes_on_in_parallel_mode_waits_beside_those_of_the_next_mode() {
    let mut pipeline = Pipeline::new(ExecutionMode::Parallel, &THREE);
    pipeline.start(1);
    pipeline.pass(1, &["git"]);
    (pipeline.definition.version, pipeline.definition.mode) = (2, ExecutionMode::Superseded);
    pipeline.event(Event::DefinitionChanged);
    let disabled = Some("freeze".to_owned());
    let transition = InboundTransition { disabled, changed_by: "me".into(), changed_at: now() };
    pipeline.event(Event::TransitionChanged { stage: "Deploy".into(), transition });
    pipeline.pass(1, &["compile", "lint"]);
    for execution in [2, 3] {
        pipeline.start(execution);
        pipeline.pass(execution, &["git", "compile", "lint"]);
    }
    assert_eq!(pipeline.lane("Deploy").inbound, [1, 3]);
    assert_eq!(pipeline.status(2), ExecutionStatus::Superseded);
}
