//! Random pipelines.

use proptest::prelude::*;

use crate::rules::definition::{Action, ActionKind, Definition, ExecutionMode, OnFailure, Stage};
use crate::rules::retry::RetryMode;

/// What a pipeline looks like, apart from its version: a mode, and stages by their numbers.
pub(super) type Shape = (ExecutionMode, Vec<(usize, StageShape)>);

#[derive(Debug, Clone)]
pub(super) struct StageShape {
    /// Each action's run order, and whether a person answers it.
    actions: Vec<(i32, bool)>,
    remedy: Option<OnFailure>,
}

fn stage_shape() -> impl Strategy<Value = StageShape> {
    let remedy = prop_oneof![
        2 => Just(None),
        1 => Just(Some(OnFailure::RollBack)),
        1 => Just(Some(OnFailure::Retry(RetryMode::FailedActions))),
        1 => Just(Some(OnFailure::Retry(RetryMode::AllActions))),
    ];
    let action = (1..4_i32, prop::bool::weighted(0.2));
    (prop::collection::vec(action, 1..4), remedy).prop_map(|(actions, remedy)| StageShape { actions, remedy })
}

pub(super) fn mode() -> impl Strategy<Value = ExecutionMode> {
    prop_oneof![Just(ExecutionMode::Superseded), Just(ExecutionMode::Queued), Just(ExecutionMode::Parallel)]
}

/// Two to four of five stages in any order, so that an edit removes, adds and moves some.
pub(super) fn shape() -> impl Strategy<Value = Shape> {
    let numbers = prop::sample::subsequence(vec![0, 1, 2, 3, 4], 2..5).prop_shuffle();
    let stages = numbers
        .prop_flat_map(|numbers| numbers.into_iter().map(|number| (Just(number), stage_shape())).collect::<Vec<_>>());
    (mode(), stages)
}

/// The same stages in another mode, as the next version.
pub(super) fn switched(current: &Definition, mode: ExecutionMode) -> Definition {
    let mut next = Definition { mode, version: current.version + 1, ..current.clone() };
    for stage in &mut next.stages {
        stage.on_failure = stage.on_failure.take().filter(|remedy| allowed(remedy, mode, 1));
    }
    next
}

/// A first stage cannot be rolled back, nor any in PARALLEL mode.
fn allowed(remedy: &OnFailure, mode: ExecutionMode, index: usize) -> bool {
    *remedy != OnFailure::RollBack || (index > 0 && mode != ExecutionMode::Parallel)
}

/// A version of a pipeline, such as the structure's rules accept.
pub(super) fn definition((mode, stages): &Shape, version: i32) -> Definition {
    let stage = |(index, (number, shape)): (usize, &(usize, StageShape))| Stage {
        name: format!("s{number}"),
        actions: shape.actions.iter().enumerate().map(action).collect(),
        on_failure: shape.remedy.clone().filter(|remedy| allowed(remedy, *mode, index)),
        ..Stage::default()
    };
    Definition {
        name: "p".into(),
        version,
        mode: *mode,
        declared_type: Some("V2".into()),
        stages: stages.iter().enumerate().map(stage).collect(),
        ..Definition::default()
    }
}

fn action((index, (run_order, approval)): (usize, &(i32, bool))) -> Action {
    let category = if *approval { "Approval" } else { "Build" };
    let kind = ActionKind { category: category.into(), ..ActionKind::default() };
    Action { name: format!("a{index}"), run_order: *run_order, kind, ..Action::default() }
}
