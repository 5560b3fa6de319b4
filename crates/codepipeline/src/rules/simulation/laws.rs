//! What must be true after each commit, and at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::people::Wish;
use super::store::{ActionExecution, Attempt, Phase, Store, Stored};
use super::world::Deed;
use crate::rules::definition::ExecutionMode;
use crate::rules::flow::{Ordinal, Place, Progress, Run};
use crate::rules::status::{ActionStatus, ExecutionStatus, StageStatus};
use crate::rules::step::Command;

/// What has been seen.
#[derive(Default)]
pub(super) struct History {
    /// Who entered each stage, in this order; rollbacks, retries and PARALLEL mode left out.
    entered: BTreeMap<String, Vec<Ordinal>>,
    /// Who was the last to enter each stage, rollbacks among them.
    last: BTreeMap<String, Ordinal>,
    retried: BTreeMap<(Ordinal, String), usize>,
    stopped: BTreeSet<Ordinal>,
    /// The executions that ran when the pipeline was changed or deleted.
    outdated: BTreeSet<Ordinal>,
    forgotten: BTreeSet<Ordinal>,
}

impl History {
    pub(super) fn forget(&mut self, ordinal: Ordinal) {
        self.forgotten.insert(ordinal);
    }

    /// Checks a commit.
    pub(super) fn check(&mut self, before: &Store, after: &Store, deed: &Deed, commands: &[Command]) {
        if matches!(deed, Deed::Wish(Wish::Update(_) | Wish::Switch(_)) | Deed::Delete) {
            self.outdated.extend(&before.pipeline.board.active);
        }
        for command in commands {
            self.note(after, deed, command);
        }
        locks_are_exclusive(after);
        all_that_can_move_moves(after);
        let tries = runs(after).flat_map(|run| run.retries.values()).map(|retries| retries.automatic);
        assert!(tries.max() <= Some(1), "more than one automatic retry");
        for stored in after.executions.values() {
            self.status_changed_lawfully(before, after, &stored.value, commands);
            status_is_justified(after, &stored.value, self);
        }
        for (stage, entered) in &self.entered {
            assert!(entered.is_sorted_by(|one, next| one < next), "{stage} was entered out of order: {entered:?}");
        }
    }

    fn note(&mut self, after: &Store, deed: &Deed, command: &Command) {
        match command {
            Command::StartAction { execution, stage, action, number } => {
                self.started_once(after, (*execution, *number), (stage, action));
            }
            Command::AnnounceResumed(execution, stage) => {
                let parallel = after.executions[execution].value.mode == ExecutionMode::Parallel;
                assert!(parallel || self.last.get(stage) == Some(execution), "{execution} is not the last in {stage}");
                *self.retried.entry((*execution, stage.clone())).or_default() += 1;
            }
            Command::AnnounceStage(execution, stage, StageStatus::InProgress) => {
                let run = &after.executions[execution].value;
                let open = after.pipeline.board.is_open(stage);
                assert!(open || run.rollback.is_some(), "{execution} entered {stage} by a closed way");
                if run.mode != ExecutionMode::Parallel {
                    self.last.insert(stage.clone(), *execution);
                }
                if run.mode != ExecutionMode::Parallel && run.rollback.is_none() {
                    self.entered.entry(stage.clone()).or_default().push(*execution);
                }
            }
            Command::AnnounceExecution(execution, ExecutionStatus::Stopping | ExecutionStatus::Stopped) => {
                let asked = matches!(deed, Deed::Wish(Wish::Stop { .. })) || self.stopped.contains(execution);
                assert!(asked, "{execution} stopped, and nobody asked for it");
                self.stopped.insert(*execution);
            }
            _ => {}
        }
    }

    /// An action runs once, and once more for each retry of its stage; after all of lower orders succeeded; as declared in its own version.
    fn started_once(&self, after: &Store, attempt: Attempt, (stage, action): (&str, &str)) {
        let run = &after.executions[&attempt.0].value;
        let here = |stored: &Stored<ActionExecution>| stored.value.stage == stage && stored.value.action == action;
        let attempts = of(after, attempt.0).filter(|(_, stored)| here(stored)).count();
        let retries = self.retried.get(&(attempt.0, stage.to_owned())).copied().unwrap_or_default();
        assert!(attempts <= 1 + retries, "{attempt:?} is attempt {attempts} at {stage}/{action} of {retries} retries");
        let declared = &after.definitions[&run.version];
        let order = declared.action(stage, action).expect("an action of the execution's own version").run_order;
        for lower in declared.stage(stage).into_iter().flat_map(|stage| &stage.actions).filter(|a| a.run_order < order)
        {
            let latest = latest(after, attempt.0, stage, &lower.name);
            assert_eq!(latest, Some(Phase::Ended(ActionStatus::Succeeded)), "{} before {stage}/{action}", lower.name);
        }
    }

    fn status_changed_lawfully(&self, before: &Store, after: &Store, run: &Run, commands: &[Command]) {
        use ExecutionStatus::{Failed, InProgress, Stopped, Stopping, Succeeded, Superseded};
        let Some(was) = before.executions.get(&run.ordinal).map(|stored| &stored.value) else { return };
        let resumed = |command: &Command| matches!(command, Command::AnnounceResumed(who, _) if *who == run.ordinal);
        match (was.status, run.status) {
            (one, other) if one == other => {}
            (Failed | Stopped, InProgress | Succeeded | Failed) => {
                assert!(commands.iter().any(resumed), "{run:?} rose");
            }
            (InProgress, Superseded) => superseded_by_a_newer_one(after, was),
            (InProgress, _) => {}
            (Stopping, Stopped | ExecutionStatus::Cancelled) => {}
            (one, other) => panic!("{} went from {one:?} to {other:?}", run.ordinal),
        }
    }

    pub(super) fn check_the_end(&self, after: &Store) {
        for (attempt, stored) in &after.actions {
            assert!(matches!(stored.value.phase, Phase::Ended(_)), "{attempt:?} is left behind: {stored:?}");
        }
        for (name, lane) in &after.pipeline.board.lanes {
            assert_eq!((lane.holder, lane.inbound.as_slice()), (None, &[][..]), "{name} is not free at the end");
        }
        for ordinal in 1..=after.pipeline.newest {
            let known = after.executions.contains_key(&ordinal) || self.forgotten.contains(&ordinal);
            assert!(known, "execution {ordinal} is lost");
        }
    }
}

fn of(store: &Store, ordinal: Ordinal) -> impl DoubleEndedIterator<Item = (&Attempt, &Stored<ActionExecution>)> {
    store.actions.range((ordinal, 0)..=(ordinal, u32::MAX))
}

/// How the latest attempt at an action stands.
fn latest(store: &Store, ordinal: Ordinal, stage: &str, action: &str) -> Option<Phase> {
    let here = |stored: &Stored<ActionExecution>| stored.value.stage == stage && stored.value.action == action;
    of(store, ordinal).rev().find(|(_, stored)| here(stored)).map(|(_, stored)| stored.value.phase)
}

fn runs(store: &Store) -> impl Iterator<Item = &Run> {
    store.executions.values().map(|stored| &stored.value)
}

fn locks_are_exclusive(store: &Store) {
    for (name, lane) in &store.pipeline.board.lanes {
        let locks = |run: &&Run| run.place == Place::Inside(name.clone()) && run.mode != ExecutionMode::Parallel;
        let inside: Vec<Ordinal> = runs(store).filter(locks).map(|run| run.ordinal).collect();
        assert_eq!(inside, Vec::from_iter(lane.holder), "the lock of {name}");
        let waits = |run: &&Run| run.place == Place::Before(name.clone());
        let waiting: Vec<Ordinal> = runs(store).filter(waits).map(|run| run.ordinal).collect();
        assert_eq!(waiting, lane.inbound, "who waits before {name}");
        let one_place = |run: &&Run| waits(run) && run.mode == ExecutionMode::Superseded;
        assert!(runs(store).filter(one_place).count() <= 1, "more than one waits before {name}");
    }
    let active: BTreeSet<Ordinal> = runs(store).filter(|run| run.status.is_active()).map(|run| run.ordinal).collect();
    assert_eq!(active, store.pipeline.board.active);
}

/// Whoever is inside runs something; whoever waits, waits for somebody inside or for a person to open the way.
fn all_that_can_move_moves(store: &Store) {
    for run in runs(store) {
        let open = |(attempt, stored): (&Attempt, &Stored<ActionExecution>)| {
            (!matches!(stored.value.phase, Phase::Ended(_))).then_some(attempt.1)
        };
        let outside: BTreeSet<u32> = of(store, run.ordinal).filter_map(open).collect();
        assert_eq!(run.running().collect::<BTreeSet<u32>>(), outside, "what runs of {run:?}");
        match &run.place {
            Place::Inside(_) => assert!(!outside.is_empty(), "nothing moves {run:?}"),
            Place::Before(stage) => {
                let lane = &store.pipeline.board.lanes[stage];
                let locked = lane.holder.is_some() && run.mode != ExecutionMode::Parallel;
                assert!(locked || !store.pipeline.board.is_open(stage), "nothing holds {run:?}");
            }
            Place::Outside | Place::Over => assert!(!run.status.is_active(), "{run:?} is nowhere"),
        }
    }
}

/// Only who waited is superseded, by a newer execution that waits in its place now.
fn superseded_by_a_newer_one(after: &Store, was: &Run) {
    assert_eq!(was.mode, ExecutionMode::Superseded, "{was:?}");
    let Place::Before(stage) = &was.place else { panic!("superseded while it ran: {was:?}") };
    let newer = |run: &Run| {
        run.place == Place::Before(stage.clone()) && run.ordinal > was.ordinal && run.mode == ExecutionMode::Superseded
    };
    assert!(runs(after).any(newer), "nobody took the place of {was:?}");
}

fn status_is_justified(store: &Store, run: &Run, seen: &History) {
    let ended_badly = |progress: &Progress| matches!(progress, Progress::Ended(_, s) if *s != ActionStatus::Succeeded);
    match run.status {
        ExecutionStatus::Succeeded => {
            let definition = &store.definitions[&run.version];
            let passed = |stage: &str| run.rollback.as_ref().is_none_or(|of| of.stage == stage);
            for (_, stage, action) in definition.actions().filter(|(_, stage, _)| passed(&stage.name)) {
                let latest = latest(store, run.ordinal, &stage.name, &action.name);
                let succeeded = Some(Phase::Ended(ActionStatus::Succeeded));
                assert_eq!(latest, succeeded, "{}/{} of a success {run:?}", stage.name, action.name);
            }
        }
        ExecutionStatus::Failed => {
            assert!(
                run.ended_in.is_some() && run.actions.iter().any(|action| ended_badly(&action.progress)),
                "{run:?}"
            );
        }
        ExecutionStatus::Stopping | ExecutionStatus::Stopped => assert!(seen.stopped.contains(&run.ordinal), "{run:?}"),
        ExecutionStatus::Cancelled => assert!(seen.outdated.contains(&run.ordinal), "{run:?}"),
        ExecutionStatus::InProgress | ExecutionStatus::Superseded => {}
    }
}
