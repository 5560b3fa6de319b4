//! What people ask for, and what becomes of it.

use kernel::Timestamp;

use super::pipelines::{Shape, definition, switched};
use super::store::{ActionExecution, Attempt, Change, Phase, Stored};
use super::world::{World, pick};
use crate::rules::definition::{Definition, ExecutionMode};
use crate::rules::flow::{InboundTransition, RollbackOf, Run};
use crate::rules::retry::{RetryMode, may_retry};
use crate::rules::rollback::may_roll_back;
use crate::rules::status::ActionStatus;
use crate::rules::step::Event;
use crate::rules::stop::may_stop;

/// What somebody asks for; which one is meant, as raw numbers.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    Start,
    Stop {
        execution: usize,
        abandon: bool,
    },
    Retry {
        execution: usize,
        stage: usize,
        all: bool,
    },
    RollBack {
        stage: usize,
        target: usize,
    },
    Gate {
        stage: usize,
        closed: bool,
    },
    Answer {
        approval: usize,
        well: bool,
    },
    Update(Shape),
    /// An update of the mode alone.
    Switch(ExecutionMode),
}

impl World {
    /// What becomes of a wish; nothing if it is refused.
    pub(super) fn wished(&self, wish: &Wish) -> Option<Change> {
        let mut change = self.store.begin();
        let (version, mode) = (change.pipeline.version, change.pipeline.mode);
        let next = change.pipeline.newest + 1;
        match wish {
            Wish::Start => change.start(Run::new(next, version, mode, Timestamp::from_millis(0))),
            Wish::Stop { execution, abandon } => {
                let execution = pick(self.store.executions.keys().copied(), *execution)?;
                may_stop(self.store.executions[&execution].value.status, *abandon).ok()?;
                change.apply(Event::StopRequested { execution, abandon: *abandon });
            }
            Wish::Retry { execution, stage, all } => {
                let stored = pick(self.store.executions.values().cloned(), *execution)?;
                change.include(&stored);
                let execution = stored.value.ordinal;
                // Somebody looks at where it failed before they ask.
                let failed_in = stored.value.ended_in.filter(|_| stage % 4 > 0);
                let stage = failed_in.map_or_else(|| self.stage(*stage), Some)?;
                let mode = if *all { RetryMode::AllActions } else { RetryMode::FailedActions };
                may_retry(change.definition(), &change.flow(), (execution, &stage), mode).ok()?;
                change.apply(Event::RetryRequested { execution, stage, mode });
            }
            Wish::RollBack { stage, target } => {
                let (stage, target) = (self.stage(*stage)?, pick(self.store.executions.values().cloned(), *target)?);
                may_roll_back(change.definition(), &change.pipeline.board, &stage, &target.value).ok()?;
                let of = RollbackOf { stage, target: target.value.ordinal, failed: None };
                change.start(Run::rollback((next, version), mode, of, Timestamp::from_millis(0)));
            }
            Wish::Gate { stage, closed } => gate(&mut change, 1 + stage % (self.stages().len() - 1), *closed),
            Wish::Answer { approval, well } => return self.answered(*approval, *well),
            Wish::Update(shape) => update(&mut change, definition(shape, version + 1)),
            Wish::Switch(mode) => {
                let next = switched(change.definition(), *mode);
                update(&mut change, next);
            }
        }
        Some(change)
    }

    fn answered(&self, which: usize, well: bool) -> Option<Change> {
        let open = |(_, stored): &(&Attempt, &Stored<ActionExecution>)| {
            stored.value.approval && stored.value.phase == Phase::Waiting
        };
        let open: Vec<_> = self.store.actions.iter().filter(open).collect();
        let (attempt, stored) = pick(open.into_iter(), which)?;
        let status = if well { ActionStatus::Succeeded } else { ActionStatus::Failed };
        Some(self.ended(*attempt, status, stored.clone()))
    }
}

fn update(change: &mut Change, next: Definition) {
    change.adopt(next);
    change.apply(Event::DefinitionChanged);
}

/// Closes or opens the way into a stage; an opened one lets in whoever waits.
fn gate(change: &mut Change, index: usize, closed: bool) {
    let stage = change.definition().stages[index].name.clone();
    let disabled = closed.then(|| "freeze".to_owned());
    let transition = InboundTransition { disabled, changed_by: "me".into(), changed_at: Timestamp::from_millis(0) };
    let waiting = change.pipeline.board.lanes.get(&stage).map(|lane| lane.inbound.clone()).unwrap_or_default();
    change.apply(Event::TransitionChanged { stage, transition });
    for execution in waiting.into_iter().filter(|_| !closed) {
        change.apply(Event::TurnAsked { execution });
    }
}
