//! Whether a stage may be retried, and how often it was (user guide, "Configure stage retry").

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::definition::{Definition, ExecutionMode};
use super::flow::{Flow, Latest, Ordinal, Run};
use super::status::{ExecutionStatus, StageStatus};

/// Which actions of the stage run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryMode {
    /// Those that failed or were abandoned; those that never started follow.
    FailedActions,
    /// All of them.
    AllActions,
}

impl RetryMode {
    /// Reads `FAILED_ACTIONS` or `ALL_ACTIONS`; the validator has passed the text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "ALL_ACTIONS" { Self::AllActions } else { Self::FailedActions }
    }
}

/// Who takes a failed stage up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryTrigger {
    /// The stage's own `onFailure`.
    Automatic,
    /// RetryStageExecution.
    Manual,
}

/// How often a stage of an execution was retried: `retryStageMetadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// By the stage's own `onFailure`: at most once.
    pub automatic: u32,
    /// By RetryStageExecution.
    pub manual: u32,
    /// Which of them came last.
    pub latest: RetryTrigger,
    /// When that was.
    pub at: Timestamp,
}

impl Retries {
    /// One more.
    #[must_use]
    pub fn and(known: Option<Self>, trigger: RetryTrigger, now: Timestamp) -> Self {
        let (automatic, manual) = known.map_or((0, 0), |known| (known.automatic, known.manual));
        let (automatic, manual) = match trigger {
            RetryTrigger::Automatic => (automatic + 1, manual),
            RetryTrigger::Manual => (automatic, manual + 1),
        };
        Self { automatic, manual, latest: trigger, at: now }
    }
}

/// Why a stage cannot be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryRefusal {
    /// `StageNotFoundException`.
    NoSuchStage,
    /// A later execution was in the stage: `NotLatestPipelineExecutionException`.
    NotLatest,
    /// The pipeline has another version now: `StageNotRetryableException`, like all that follow.
    Outdated,
    /// The execution did not fail or stop in that stage.
    NotFailed,
    /// Actions are still running, so that not all can run again.
    Running,
    /// No action has failed.
    NothingFailed,
}

/// RetryStageExecution: the latest execution in a stage may be taken up again where it failed or was stopped, in the structure that it
/// ran in. Failed actions may run again while their siblings still do.
///
/// # Errors
/// The reason against it.
pub fn may_retry(
    definition: &Definition,
    flow: &Flow,
    (ordinal, stage): (Ordinal, &str),
    mode: RetryMode,
) -> Result<(), RetryRefusal> {
    if definition.stage(stage).is_none() {
        return Err(RetryRefusal::NoSuchStage);
    }
    let run = flow.runs.get(&ordinal).ok_or(RetryRefusal::NotLatest)?;
    if run.version != definition.version {
        return Err(RetryRefusal::Outdated);
    }
    let latest = latest_in(flow, run, stage)?;
    match latest {
        StageStatus::Failed | StageStatus::Stopped => {}
        StageStatus::InProgress if run.status == ExecutionStatus::InProgress && run.has_failed_action() => {}
        _ => return Err(RetryRefusal::NotFailed),
    }
    match mode {
        RetryMode::AllActions if run.running().next().is_some() => Err(RetryRefusal::Running),
        RetryMode::AllActions => Ok(()),
        RetryMode::FailedActions if run.has_failed_action() || run.next_run_order().is_some() => Ok(()),
        RetryMode::FailedActions => Err(RetryRefusal::NothingFailed),
    }
}

/// What became of the execution in the stage, if it was the last one there.
fn latest_in(flow: &Flow, run: &Run, stage: &str) -> Result<StageStatus, RetryRefusal> {
    let was_there = run.ended_in.as_deref() == Some(stage);
    if run.mode == ExecutionMode::Parallel {
        let inside = run.place == super::flow::Place::Inside(stage.to_owned());
        return match run.status {
            ExecutionStatus::Failed if was_there => Ok(StageStatus::Failed),
            ExecutionStatus::Stopped if was_there => Ok(StageStatus::Stopped),
            ExecutionStatus::InProgress if inside => Ok(StageStatus::InProgress),
            _ => Err(RetryRefusal::NotFailed),
        };
    }
    match flow.board.lanes.get(stage).and_then(|lane| lane.latest) {
        Some(Latest { execution, status }) if execution == run.ordinal => Ok(status),
        Some(_) if was_there || run.succeeded_stages.iter().any(|passed| passed == stage) => {
            Err(RetryRefusal::NotLatest)
        }
        _ => Err(RetryRefusal::NotFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_counted_by_who_asked() {
        let [first, second] = [1, 2].map(Timestamp::from_millis);
        let once = Retries::and(None, RetryTrigger::Automatic, first);
        assert_eq!(once, Retries { automatic: 1, manual: 0, latest: RetryTrigger::Automatic, at: first });
        let twice = Retries::and(Some(once), RetryTrigger::Manual, second);
        assert_eq!(twice, Retries { automatic: 1, manual: 1, latest: RetryTrigger::Manual, at: second });
    }

    #[test]
    fn modes_are_read_from_the_api() {
        assert_eq!(RetryMode::parse("ALL_ACTIONS"), RetryMode::AllActions);
        assert_eq!(RetryMode::parse("FAILED_ACTIONS"), RetryMode::FailedActions);
    }
}
