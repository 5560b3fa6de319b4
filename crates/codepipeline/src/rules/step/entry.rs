//! Who gets into a stage, who waits in front of it, and who takes whose place there.

use super::Step;
use crate::rules::definition::{ExecutionMode, Stage};
use crate::rules::flow::{Ordinal, Place};
use crate::rules::status::{ExecutionStatus, StageStatus};

impl Step<'_> {
    /// Puts an execution in front of the stage at `index`, or at its end when there is no such stage.
    pub(super) fn arrive(&mut self, ordinal: Ordinal, index: usize) {
        let Some(stage) = self.definition.stages.get(index) else {
            return self.end(ordinal, ExecutionStatus::Succeeded);
        };
        let lane = self.flow.board.lanes.get(&stage.name);
        let free = lane.is_none_or(|lane| lane.holder.is_none() && lane.inbound.is_empty());
        let parallel = self.mode(ordinal) == ExecutionMode::Parallel;
        if self.flow.board.is_open(&stage.name) && (free || parallel) {
            self.enter(ordinal, stage);
        } else {
            self.wait(ordinal, stage);
        }
    }

    pub(super) fn wait(&mut self, ordinal: Ordinal, stage: &Stage) {
        let mode = self.mode(ordinal);
        if let Some(run) = self.touch(ordinal) {
            run.place = Place::Before(stage.name.clone());
        }
        let lane = self.lane(&stage.name);
        lane.inbound.push(ordinal);
        lane.inbound.sort_unstable();
        if mode == ExecutionMode::Superseded {
            self.supersede(&stage.name);
        }
    }

    /// The newest in SUPERSEDED mode takes the one place. Executions that go on in PARALLEL mode, begun before the pipeline's mode
    /// was changed, wait beside it.
    fn supersede(&mut self, stage: &str) {
        let waiting = self.lane(stage).inbound.clone();
        let mut waiting: Vec<Ordinal> =
            waiting.into_iter().filter(|ordinal| self.mode(*ordinal) == ExecutionMode::Superseded).collect();
        waiting.pop();
        for older in waiting {
            self.end(older, ExecutionStatus::Superseded);
        }
    }

    pub(super) fn enter(&mut self, ordinal: Ordinal, stage: &Stage) {
        let Some(run) = self.touch(ordinal) else { return };
        run.enter(stage);
        if run.mode != ExecutionMode::Parallel {
            self.lane(&stage.name).holder = Some(ordinal);
        }
        self.mark_stage(ordinal, StageStatus::InProgress);
        self.start_next_actions(ordinal, &stage.name);
    }

    /// Lets the first of those who wait in front of a free and open stage in.
    pub(super) fn admit(&mut self, stage: &str) {
        let Some(stage) = self.definition.stage(stage) else { return };
        if !self.flow.board.is_open(&stage.name) {
            return;
        }
        let Some(lane) = self.flow.board.lanes.get_mut(&stage.name) else { return };
        if lane.holder.is_none() && !lane.inbound.is_empty() {
            let first = lane.inbound.remove(0);
            self.enter(first, stage);
        }
    }

    /// In PARALLEL mode each goes by itself, in the structure that it began with.
    pub(super) fn turn_asked(&mut self, ordinal: Ordinal) {
        let Some(Place::Before(name)) = self.flow.runs.get(&ordinal).map(|run| run.place.clone()) else { return };
        if self.mode(ordinal) != ExecutionMode::Parallel {
            return self.admit(&name);
        }
        let Some(stage) = self.definition.stage(&name).filter(|_| self.flow.board.is_open(&name)) else { return };
        self.lane(&name).inbound.retain(|waiting| *waiting != ordinal);
        self.enter(ordinal, stage);
    }

    pub(super) fn unlock(&mut self, ordinal: Ordinal, stage: &str) {
        if let Some(lane) = self.flow.board.lanes.get_mut(stage)
            && lane.holder == Some(ordinal)
        {
            lane.holder = None;
        }
    }
}
