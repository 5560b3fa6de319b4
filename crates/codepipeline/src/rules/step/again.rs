//! What may follow a failure: the stage is taken up again, or rolled back.

use super::{Command, Step};
use crate::rules::definition::{ExecutionMode, OnFailure, Stage};
use crate::rules::flow::{Ordinal, Place, Progress, RollbackOf, Run};
use crate::rules::retry::{Retries, RetryMode, RetryTrigger, may_retry};
use crate::rules::status::{ActionStatus, ExecutionStatus, StageStatus};

/// What a stage does by itself when it has failed.
enum Remedy {
    Retry(RetryMode),
    RollBackTo(Ordinal),
}

impl Step<'_> {
    /// All of a failed stage's actions have ended.
    pub(super) fn failed(&mut self, ordinal: Ordinal, stage: &str) {
        match self.remedy(ordinal, stage) {
            Some(Remedy::Retry(mode)) => {
                self.mark_stage(ordinal, StageStatus::Failed);
                self.take_up(ordinal, stage, mode, RetryTrigger::Automatic);
            }
            Some(Remedy::RollBackTo(target)) => {
                self.mark_stage(ordinal, StageStatus::Failed);
                self.unlock(ordinal, stage);
                self.end(ordinal, ExecutionStatus::Failed);
                self.roll_back(ordinal, stage, target);
            }
            None => self.leave(ordinal, stage, StageStatus::Failed, ExecutionStatus::Failed),
        }
    }

    /// One automatic retry, or a rollback to a success of this very version. A rollback that fails has none of them, nor has an
    /// execution whose version is not current any more.
    fn remedy(&self, ordinal: Ordinal, stage: &str) -> Option<Remedy> {
        let run = self.flow.runs.get(&ordinal)?;
        if run.rollback.is_some() || run.version != self.definition.version {
            return None;
        }
        match self.definition.stage(stage)?.on_failure.as_ref()? {
            OnFailure::Retry(mode) => {
                let fresh = run.retries.get(stage).is_none_or(|retries| retries.automatic == 0);
                fresh.then_some(Remedy::Retry(*mode))
            }
            OnFailure::RollBack if run.mode != ExecutionMode::Parallel => {
                self.flow.board.lanes.get(stage)?.succeeded.map(Remedy::RollBackTo)
            }
            _ => None,
        }
    }

    fn roll_back(&mut self, failed: Ordinal, stage: &str, target: Ordinal) {
        let of = RollbackOf { stage: stage.to_owned(), target, failed: Some(failed) };
        let (ordinal, definition) = (self.flow.newest + 1, self.definition);
        self.started(Run::rollback((ordinal, definition.version), definition.mode, of, self.now));
    }

    /// A rollback passes a closed transition and whoever waits there: somebody wants the stage as it was. It never breaks
    /// a lock.
    pub(super) fn enter_to_roll_back(&mut self, ordinal: Ordinal, stage: &Stage) {
        let locked = self.flow.board.lanes.get(&stage.name).is_some_and(|lane| lane.holder.is_some());
        if locked { self.wait(ordinal, stage) } else { self.enter(ordinal, stage) }
    }

    pub(super) fn retry_asked(&mut self, ordinal: Ordinal, stage: &str, mode: RetryMode) {
        if may_retry(self.definition, &self.flow, (ordinal, stage), mode).is_ok() {
            self.take_up(ordinal, stage, mode, RetryTrigger::Manual);
        }
    }

    /// Puts an execution back into the stage that it failed or stopped in, and starts what is to run again.
    fn take_up(&mut self, ordinal: Ordinal, stage: &str, mode: RetryMode, trigger: RetryTrigger) {
        let Some(run) = self.flow.runs.get_mut(&ordinal) else { return };
        for action in &mut run.actions {
            let again = match action.progress {
                Progress::Ended(_, status) => mode == RetryMode::AllActions || status != ActionStatus::Succeeded,
                _ => false,
            };
            if again {
                action.progress = Progress::Pending;
            }
        }
        let retries = Retries::and(run.retries.get(stage).copied(), trigger, self.now);
        run.retries.insert(stage.to_owned(), retries);
        run.status = ExecutionStatus::InProgress;
        run.place = Place::Inside(stage.to_owned());
        run.ended_in = None;
        run.updated = self.now;
        if run.mode != ExecutionMode::Parallel {
            let lane = self.lane(stage);
            lane.holder = Some(ordinal);
            lane.latest = Some(crate::rules::flow::Latest { execution: ordinal, status: StageStatus::InProgress });
        }
        self.flow.board.active.insert(ordinal);
        self.commands.push(Command::AnnounceResumed(ordinal, stage.to_owned()));
        self.start_next_actions(ordinal, stage);
    }
}
