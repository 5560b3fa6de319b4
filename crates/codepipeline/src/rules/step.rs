//! What a pipeline does next, as one pure function.
//!
//! Three modes by one mechanism (user guide, "How executions are processed"): a stage is locked by the execution inside it; an
//! execution that finds the next stage locked waits in front of it. In SUPERSEDED mode there is one place to wait, and the
//! newer execution takes it from the older one; in QUEUED mode they form a line; in PARALLEL mode nobody locks or waits.
//!
//! A failed action lets its siblings of the same run order end before the stage ends: the lock is held as long as
//! anything runs under it. `again` holds what may follow a failure: a retry, or a rollback; `entry` who gets
//! into a stage.

mod again;
mod entry;

use kernel::Timestamp;

use super::definition::{Definition, ExecutionMode};
use super::flow::{ActionRun, Flow, InboundTransition, Lane, Latest, Ordinal, Place, Progress, Run};
use super::retry::RetryMode;
use super::status::{ActionStatus, ExecutionStatus, StageStatus};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new execution starts: at the first stage, or a rollback at the stage that it is about
    /// (see [`may_roll_back`](super::rollback::may_roll_back)).
    Started(Run),
    /// An action of an execution ended.
    ActionEnded {
        /// The execution.
        execution: Ordinal,
        /// The action's number within it.
        number: u32,
        /// `Succeeded` or `Failed`.
        status: ActionStatus,
    },
    /// Somebody asked to stop an execution; see [`may_stop`](super::stop::may_stop).
    StopRequested {
        /// The execution.
        execution: Ordinal,
        /// Whether running actions are left behind instead of awaited.
        abandon: bool,
    },
    /// Somebody asked to take a failed or stopped stage up again; see [`may_retry`](super::retry::may_retry).
    RetryRequested {
        /// The execution.
        execution: Ordinal,
        /// The stage that it ended in.
        stage: String,
        /// Which actions run again.
        mode: RetryMode,
    },
    /// The way into a stage was closed or opened.
    TransitionChanged {
        /// The stage.
        stage: String,
        /// How it is now.
        transition: InboundTransition,
    },
    /// Whether an execution that waits may go on now, the way in front of it being open again.
    TurnAsked {
        /// The execution.
        execution: Ordinal,
    },
    /// The pipeline has a new version: executions of older ones end as soon as their running actions have.
    DefinitionChanged,
    /// The pipeline is deleted: all its executions end at once.
    Deleted,
}

/// What is to be done about it, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start an action.
    StartAction {
        /// The execution.
        execution: Ordinal,
        /// The action's number within it, never used before.
        number: u32,
        /// The stage's name.
        stage: String,
        /// The action's name.
        action: String,
    },
    /// Forget about a running action, whatever it does outside.
    AbandonAction {
        /// The execution.
        execution: Ordinal,
        /// The action's number within it.
        number: u32,
    },
    /// Tell the world that an execution and its stage were taken up again.
    AnnounceResumed(Ordinal, String),
    /// Tell the world of an execution's new status.
    AnnounceExecution(Ordinal, ExecutionStatus),
    /// Tell the world of a stage's new status.
    AnnounceStage(Ordinal, String, StageStatus),
}

/// Moves `flow` by one `event`. `definition` is the pipeline's current version; for an execution in PARALLEL mode it is the
/// version that the execution started with. An event that no longer applies (an action that was abandoned, an execution
/// that is over) changes nothing.
#[must_use]
pub fn step(definition: &Definition, flow: Flow, event: Event, now: Timestamp) -> (Flow, Vec<Command>) {
    let mut step = Step { definition, flow, now, commands: Vec::new() };
    match event {
        Event::Started(run) => step.started(run),
        Event::ActionEnded { execution, number, status } => step.action_ended(execution, number, status),
        Event::StopRequested { execution, abandon } => step.stop(execution, abandon),
        Event::RetryRequested { execution, stage, mode } => step.retry_asked(execution, &stage, mode),
        Event::TransitionChanged { stage, transition } => {
            step.flow.board.transitions.insert(stage, transition);
        }
        Event::TurnAsked { execution } => step.turn_asked(execution),
        Event::DefinitionChanged => step.definition_changed(),
        Event::Deleted => step.deleted(),
    }
    (step.flow, step.commands)
}

struct Step<'a> {
    definition: &'a Definition,
    flow: Flow,
    now: Timestamp,
    commands: Vec<Command>,
}

impl Step<'_> {
    fn started(&mut self, run: Run) {
        let ordinal = run.ordinal;
        let rolled_back = run.rollback.as_ref().map(|rollback| rollback.stage.clone());
        self.flow.newest = self.flow.newest.max(ordinal);
        self.flow.board.active.insert(ordinal);
        self.flow.runs.insert(ordinal, run);
        self.commands.push(Command::AnnounceExecution(ordinal, ExecutionStatus::InProgress));
        match rolled_back.and_then(|stage| self.definition.stage(&stage)) {
            Some(stage) => self.enter_to_roll_back(ordinal, stage),
            None => self.arrive(ordinal, 0),
        }
    }

    fn action_ended(&mut self, ordinal: Ordinal, number: u32, status: ActionStatus) {
        let Some(run) = self.active(ordinal) else { return };
        let Some(action) = run.actions.iter_mut().find(|action| action.progress == Progress::Running(number)) else {
            return;
        };
        action.progress = Progress::Ended(number, status);
        self.settle(ordinal);
    }

    fn stop(&mut self, ordinal: Ordinal, abandon: bool) {
        let Some(run) = self.active(ordinal) else { return };
        match run.place.clone() {
            Place::Inside(_) => {
                if run.status != ExecutionStatus::Stopping {
                    run.status = ExecutionStatus::Stopping;
                    self.commands.push(Command::AnnounceExecution(ordinal, ExecutionStatus::Stopping));
                    self.mark_stage(ordinal, StageStatus::Stopping);
                }
                if abandon {
                    self.abandon_actions(ordinal);
                }
                self.settle(ordinal);
            }
            _ => self.end(ordinal, ExecutionStatus::Stopped),
        }
    }

    fn definition_changed(&mut self) {
        let stages: Vec<&str> = self.definition.stages.iter().map(|stage| stage.name.as_str()).collect();
        for ordinal in self.outdated().into_iter().chain(self.waiting_in_parallel_mode()) {
            if !matches!(self.flow.runs.get(&ordinal).map(|run| &run.place), Some(Place::Inside(_))) {
                self.end(ordinal, ExecutionStatus::Cancelled);
            }
        }
        let Flow { board, .. } = &mut self.flow;
        board.lanes.retain(|name, lane| lane.holder.is_some() || stages.contains(&name.as_str()));
        board.lanes.values_mut().for_each(|lane| lane.succeeded = None);
        // What was first has no way in that could be seen, or opened again.
        board.transitions.retain(|name, _| stages.iter().skip(1).any(|stage| stage == name));
    }

    /// Those in front of a closed stage, which is the only place to wait in PARALLEL mode.
    fn waiting_in_parallel_mode(&self) -> Vec<Ordinal> {
        let waits = |run: &&Run| run.mode == ExecutionMode::Parallel && matches!(run.place, Place::Before(_));
        self.flow.runs.values().filter(waits).map(|run| run.ordinal).collect()
    }

    fn deleted(&mut self) {
        for ordinal in self.flow.board.active.clone() {
            self.abandon_actions(ordinal);
            if matches!(self.flow.runs.get(&ordinal).map(|run| &run.place), Some(Place::Inside(_))) {
                self.mark_stage(ordinal, StageStatus::Cancelled);
            }
            self.end(ordinal, ExecutionStatus::Cancelled);
        }
        self.flow.board.lanes.clear();
        self.flow.board.transitions.clear();
    }

    /// Goes on, or out, once nothing of the execution's stage runs any more.
    fn settle(&mut self, ordinal: Ordinal) {
        let outdated = self.outdated().contains(&ordinal);
        let Some(run) = self.flow.runs.get(&ordinal) else { return };
        let Place::Inside(stage) = run.place.clone() else { return };
        if run.running().next().is_some() {
            return;
        }
        if run.status == ExecutionStatus::Stopping {
            self.leave(ordinal, &stage, StageStatus::Stopped, ExecutionStatus::Stopped);
        } else if run.has_failed_action() {
            self.failed(ordinal, &stage);
        } else if outdated {
            self.leave(ordinal, &stage, StageStatus::Cancelled, ExecutionStatus::Cancelled);
        } else if run.next_run_order().is_some() {
            self.start_next_actions(ordinal, &stage);
        } else {
            self.advance(ordinal, &stage);
        }
    }

    fn start_next_actions(&mut self, ordinal: Ordinal, stage: &str) {
        let Some(run) = self.flow.runs.get_mut(&ordinal) else { return };
        let Some(order) = run.next_run_order() else { return };
        let due = |action: &&mut ActionRun| action.run_order == order && action.progress == Progress::Pending;
        for action in run.actions.iter_mut().filter(due) {
            run.actions_started += 1;
            let number = run.actions_started;
            action.progress = Progress::Running(number);
            self.commands.push(Command::StartAction {
                execution: ordinal,
                number,
                stage: stage.to_owned(),
                action: action.name.clone(),
            });
        }
    }

    /// Leaves a stage that succeeded for the next one.
    fn advance(&mut self, ordinal: Ordinal, stage: &str) {
        self.mark_stage(ordinal, StageStatus::Succeeded);
        if self.flow.runs.get(&ordinal).is_some_and(|run| run.rollback.is_some()) {
            self.unlock(ordinal, stage);
            self.end(ordinal, ExecutionStatus::Succeeded);
            return self.admit(stage);
        }
        self.remember_success(ordinal, stage);
        let index = self.definition.stages.iter().position(|candidate| candidate.name == stage);
        self.unlock(ordinal, stage);
        self.arrive(ordinal, index.map_or(usize::MAX, |index| index + 1));
        self.admit(stage);
    }

    fn remember_success(&mut self, ordinal: Ordinal, stage: &str) {
        let Some(run) = self.touch(ordinal) else { return };
        run.succeeded_stages.retain(|passed| passed != stage);
        run.succeeded_stages.push(stage.to_owned());
        if run.mode != ExecutionMode::Parallel {
            self.lane(stage).succeeded = Some(ordinal);
        }
    }

    /// Leaves a stage for good.
    fn leave(&mut self, ordinal: Ordinal, stage: &str, here: StageStatus, whole: ExecutionStatus) {
        self.mark_stage(ordinal, here);
        self.unlock(ordinal, stage);
        self.end(ordinal, whole);
        self.admit(stage);
    }

    fn end(&mut self, ordinal: Ordinal, status: ExecutionStatus) {
        let Some(run) = self.touch(ordinal) else { return };
        run.status = status;
        if let Place::Inside(stage) = std::mem::replace(&mut run.place, Place::Over) {
            run.ended_in = Some(stage).filter(|_| status != ExecutionStatus::Succeeded);
        }
        self.flow.board.active.remove(&ordinal);
        for lane in self.flow.board.lanes.values_mut() {
            lane.inbound.retain(|waiting| *waiting != ordinal);
        }
        self.commands.push(Command::AnnounceExecution(ordinal, status));
    }

    fn abandon_actions(&mut self, ordinal: Ordinal) {
        let Some(run) = self.flow.runs.get_mut(&ordinal) else { return };
        for action in &mut run.actions {
            if let Progress::Running(number) = action.progress {
                action.progress = Progress::Ended(number, ActionStatus::Abandoned);
                self.commands.push(Command::AbandonAction { execution: ordinal, number });
            }
        }
    }

    /// Records and announces the status of the stage that the execution is in.
    fn mark_stage(&mut self, ordinal: Ordinal, status: StageStatus) {
        let Some(run) = self.touch(ordinal) else { return };
        let Place::Inside(stage) = run.place.clone() else { return };
        if run.mode != ExecutionMode::Parallel {
            self.lane(&stage).latest = Some(Latest { execution: ordinal, status });
        }
        self.commands.push(Command::AnnounceStage(ordinal, stage, status));
    }

    fn active(&mut self, ordinal: Ordinal) -> Option<&mut Run> {
        self.touch(ordinal).filter(|run| run.status.is_active())
    }

    fn touch(&mut self, ordinal: Ordinal) -> Option<&mut Run> {
        let run = self.flow.runs.get_mut(&ordinal)?;
        if run.status.is_active() {
            run.updated = self.now;
        }
        Some(run)
    }

    fn lane(&mut self, stage: &str) -> &mut Lane {
        self.flow.board.lanes.entry(stage.to_owned()).or_default()
    }

    fn mode(&self, ordinal: Ordinal) -> ExecutionMode {
        self.flow.runs.get(&ordinal).map_or(ExecutionMode::Superseded, |run| run.mode)
    }

    /// The active executions of an older version. Those in PARALLEL mode carry on in theirs.
    fn outdated(&self) -> Vec<Ordinal> {
        let version = self.definition.version;
        let older = |run: &&Run| run.mode != ExecutionMode::Parallel && run.version != version;
        self.flow.runs.values().filter(|run| run.status.is_active()).filter(older).map(|run| run.ordinal).collect()
    }
}

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
