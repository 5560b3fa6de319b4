//! Whether a stage may be rolled back (user guide, "Configure stage rollback").

use super::definition::{Definition, ExecutionMode};
use super::flow::{Board, Run};

/// Why a stage cannot be rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackRefusal {
    /// `StageNotFoundException`.
    NoSuchStage,
    /// `UnableToRollbackStageException`, for this reason.
    Unable(&'static str),
    /// The target ran in another version of the pipeline: `PipelineExecutionOutdatedException`.
    Outdated,
}

/// RollbackStage: a stage that nobody is in, other than the first, goes back to what an earlier execution of the same version made
/// of it.
///
/// # Errors
/// The reason against it.
pub fn may_roll_back(definition: &Definition, board: &Board, stage: &str, target: &Run) -> Result<(), RollbackRefusal> {
    use RollbackRefusal::Unable;
    let index = definition.stages.iter().position(|candidate| candidate.name == stage);
    let index = index.ok_or(RollbackRefusal::NoSuchStage)?;
    if definition.pipeline_type() != "V2" {
        return Err(Unable("only pipelines of type V2 can roll a stage back"));
    }
    if definition.mode == ExecutionMode::Parallel {
        return Err(Unable("stages of a pipeline in PARALLEL mode cannot be rolled back"));
    }
    if index == 0 {
        return Err(Unable("the source stage cannot be rolled back"));
    }
    if board.lanes.get(stage).is_some_and(|lane| lane.holder.is_some()) {
        return Err(Unable("the stage is in progress"));
    }
    if target.version != definition.version {
        return Err(RollbackRefusal::Outdated);
    }
    if target.rollback.is_some() {
        return Err(Unable("the target execution is itself a rollback"));
    }
    if !target.succeeded_stages.iter().any(|passed| passed == stage) {
        return Err(Unable("the target execution did not succeed in the stage"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::super::flow::{Lane, RollbackOf};
    use super::super::samples::pipeline;
    use super::*;

    fn target() -> Run {
        let run = Run::new(1, 1, ExecutionMode::Superseded, Timestamp::from_millis(0));
        Run { succeeded_stages: vec!["Source".into(), "Build".into(), "Deploy".into()], ..run }
    }

    fn v2() -> Definition {
        Definition { declared_type: Some("V2".into()), ..pipeline() }
    }

    #[test]
    fn a_stage_goes_back_to_what_it_was_in_the_same_version() {
        let unable = |definition: &Definition, stage: &str, target: &Run| match may_roll_back(
            definition,
            &Board::default(),
            stage,
            target,
        ) {
            Err(RollbackRefusal::Unable(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(may_roll_back(&v2(), &Board::default(), "Deploy", &target()), Ok(()));
        assert_eq!(may_roll_back(&v2(), &Board::default(), "Nope", &target()), Err(RollbackRefusal::NoSuchStage));
        assert!(unable(&pipeline(), "Deploy", &target()).contains("V2"));
        let parallel = Definition { mode: ExecutionMode::Parallel, ..v2() };
        assert!(unable(&parallel, "Deploy", &target()).contains("PARALLEL"));
        assert!(unable(&v2(), "Source", &target()).contains("source stage"));
        let failed = Run { succeeded_stages: vec!["Source".into()], ..target() };
        assert!(unable(&v2(), "Deploy", &failed).contains("did not succeed"));
        let of = RollbackOf { stage: "Deploy".into(), target: 1, failed: None };
        assert!(unable(&v2(), "Deploy", &Run { rollback: Some(of), ..target() }).contains("itself a rollback"));
    }

    #[test]
    fn an_older_version_is_outdated_and_a_busy_stage_waits() {
        let older = Definition { version: 2, ..v2() };
        assert_eq!(may_roll_back(&older, &Board::default(), "Deploy", &target()), Err(RollbackRefusal::Outdated));
        let busy = Lane { holder: Some(7), ..Lane::default() };
        let board = Board { lanes: [("Deploy".to_owned(), busy)].into(), ..Board::default() };
        let refused = may_roll_back(&v2(), &board, "Deploy", &target());
        assert_eq!(refused, Err(RollbackRefusal::Unable("the stage is in progress")));
    }
}
