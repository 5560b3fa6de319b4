//! The documents of one pipeline, and changes of them: read, decided, and committed if nobody wrote them in between. What is read
//! and what is checked is as in `run::transition`: the pipeline, its active executions, and what stages may go back to.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Timestamp;

use crate::rules::definition::{Definition, ExecutionMode, OnFailure};
use crate::rules::flow::{Board, Flow, Ordinal, Run};
use crate::rules::status::ActionStatus;
use crate::rules::step::{Command, Event, step};

/// An attempt at an action: its execution, and its number within that.
pub(super) type Attempt = (Ordinal, u32);

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pipeline {
    pub(super) board: Board,
    pub(super) newest: Ordinal,
    pub(super) version: i32,
    pub(super) mode: ExecutionMode,
}

/// How far an action execution's document has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Declared,
    Prepared,
    Waiting,
    Ended(ActionStatus),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ActionExecution {
    pub(super) stage: String,
    pub(super) action: String,
    pub(super) approval: bool,
    pub(super) phase: Phase,
    /// Whether a worker is to look at it.
    pub(super) due: bool,
}

/// A document and the number of its last write.
#[derive(Debug, Clone)]
pub(super) struct Stored<T> {
    pub(super) version: u64,
    pub(super) value: T,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    writes: u64,
    pipeline_version: u64,
    pub(super) pipeline: Pipeline,
    pub(super) definitions: BTreeMap<i32, Definition>,
    pub(super) executions: BTreeMap<Ordinal, Stored<Run>>,
    pub(super) actions: BTreeMap<Attempt, Stored<ActionExecution>>,
}

/// A change that is decided and not yet committed: what it writes, and the version that each must still have (nothing: new).
#[derive(Debug, Clone)]
pub(super) struct Change {
    pipeline_version: u64,
    pub(super) pipeline: Pipeline,
    definitions: BTreeMap<i32, Definition>,
    runs: BTreeMap<Ordinal, Run>,
    read: BTreeMap<Ordinal, u64>,
    changed: BTreeSet<Ordinal>,
    targets: BTreeSet<Ordinal>,
    actions: BTreeMap<Attempt, (Option<u64>, ActionExecution)>,
    abandoned: BTreeSet<Attempt>,
    pub(super) commands: Vec<Command>,
}

/// Who was faster.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    Action,
    Pipeline,
}

impl Store {
    /// Reads all that a change of the pipeline's flow may touch.
    pub(super) fn begin(&self) -> Change {
        let mut pipeline = self.pipeline.clone();
        let targets = self.rollback_targets(&mut pipeline);
        let active = pipeline.board.active.clone();
        let active = active.iter().filter_map(|ordinal| Some((*ordinal, self.executions.get(ordinal)?)));
        let (read, runs) =
            active.map(|(ordinal, stored)| ((ordinal, stored.version), (ordinal, stored.value.clone()))).unzip();
        Change {
            pipeline_version: self.pipeline_version,
            pipeline,
            definitions: self.definitions.clone(),
            runs,
            read,
            changed: BTreeSet::new(),
            targets,
            actions: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            commands: Vec::new(),
        }
    }

    fn rollback_targets(&self, pipeline: &mut Pipeline) -> BTreeSet<Ordinal> {
        let mut targets = BTreeSet::new();
        let stages = self.definitions.get(&pipeline.version).map(|definition| definition.stages.clone());
        for stage in stages.into_iter().flatten().filter(|stage| stage.on_failure == Some(OnFailure::RollBack)) {
            let Some(lane) = pipeline.board.lanes.get_mut(&stage.name) else { continue };
            lane.succeeded = lane.succeeded.filter(|target| self.executions.contains_key(target));
            targets.extend(lane.succeeded);
        }
        targets
    }

    /// Writes all of a change, or nothing.
    pub(super) fn commit(&mut self, change: Change) -> Result<(), Conflict> {
        let known = |attempt: &Attempt| self.actions.get(attempt).map(|stored| stored.version);
        if change.actions.iter().any(|(attempt, (version, _))| known(attempt) != *version) {
            return Err(Conflict::Action);
        }
        let moved = |ordinal: &Ordinal| {
            self.executions.get(ordinal).map(|stored| stored.version) != change.read.get(ordinal).copied()
        };
        if change.pipeline_version != self.pipeline_version || change.changed.iter().any(moved) {
            return Err(Conflict::Pipeline);
        }
        self.writes += 1;
        let version = self.writes;
        if self.pipeline != change.pipeline {
            (self.pipeline, self.pipeline_version) = (change.pipeline, version);
        }
        self.definitions = change.definitions;
        let changed = change.runs.into_iter().filter(|(ordinal, _)| change.changed.contains(ordinal));
        self.executions.extend(changed.map(|(ordinal, value)| (ordinal, Stored { version, value })));
        let actions = change.actions.into_iter();
        self.actions.extend(actions.map(|(attempt, (_, value))| (attempt, Stored { version, value })));
        for attempt in change.abandoned {
            if let Some(stored) = self.actions.get_mut(&attempt) {
                stored.version = version;
                (stored.value.phase, stored.value.due) = (Phase::Ended(ActionStatus::Abandoned), false);
            }
        }
        Ok(())
    }
}

impl Change {
    pub(super) fn definition(&self) -> &Definition {
        &self.definitions[&self.pipeline.version]
    }

    /// The flow as it stands, for rules that ask before they act.
    pub(super) fn flow(&self) -> Flow {
        Flow { board: self.pipeline.board.clone(), runs: self.runs.clone(), newest: self.pipeline.newest }
    }

    /// Takes in an execution that is over.
    pub(super) fn include(&mut self, stored: &Stored<Run>) {
        self.read.entry(stored.value.ordinal).or_insert(stored.version);
        self.runs.entry(stored.value.ordinal).or_insert_with(|| stored.value.clone());
    }

    /// Makes `definition` the current one.
    pub(super) fn adopt(&mut self, definition: Definition) {
        (self.pipeline.version, self.pipeline.mode) = (definition.version, definition.mode);
        self.definitions.insert(definition.version, definition);
    }

    /// Writes an action execution.
    pub(super) fn write(&mut self, attempt: Attempt, stored: &Stored<ActionExecution>) {
        self.actions.insert(attempt, (Some(stored.version), stored.value.clone()));
    }

    /// Adds a new execution and starts it.
    pub(super) fn start(&mut self, run: Run) {
        self.pipeline.newest = run.ordinal;
        self.runs.insert(run.ordinal, run.clone());
        self.changed.insert(run.ordinal);
        self.apply(Event::Started(run));
    }

    /// Moves the flow by one event.
    pub(super) fn apply(&mut self, event: Event) {
        let definition = self.definition_for(&event);
        let (flow, commands) = step(&definition, self.flow(), event, Timestamp::from_millis(0));
        (self.pipeline.board, self.pipeline.newest) = (flow.board, flow.newest);
        for (ordinal, run) in flow.runs {
            let known = self.runs.get(&ordinal);
            let begins = run.rollback.as_ref().is_some_and(|of| self.targets.contains(&of.target));
            if known.map_or(begins, |known| *known != run) {
                self.changed.insert(ordinal);
                self.runs.insert(ordinal, run);
            }
        }
        for command in &commands {
            self.obey(&definition, command);
        }
        self.commands.extend(commands);
    }

    fn definition_for(&self, event: &Event) -> Definition {
        let ordinal = match event {
            Event::ActionEnded { execution, .. }
            | Event::StopRequested { execution, .. }
            | Event::TurnAsked { execution } => Some(execution),
            _ => None,
        };
        let parallel = ordinal.and_then(|ordinal| self.runs.get(ordinal));
        let version = parallel.filter(|run| run.mode == ExecutionMode::Parallel).map(|run| run.version);
        self.definitions[&version.unwrap_or(self.pipeline.version)].clone()
    }

    fn obey(&mut self, definition: &Definition, command: &Command) {
        match command {
            Command::StartAction { execution, number, stage, action } => {
                let declared = definition.action(stage, action).expect("a declared action");
                let started = ActionExecution {
                    stage: stage.clone(),
                    action: action.clone(),
                    approval: declared.kind.category == "Approval",
                    phase: Phase::Declared,
                    due: true,
                };
                let other = self.actions.insert((*execution, *number), (None, started));
                assert!(other.is_none(), "number {number} of execution {execution} is used twice");
            }
            Command::AbandonAction { execution, number } => {
                self.abandoned.insert((*execution, *number));
            }
            _ => {}
        }
    }
}
