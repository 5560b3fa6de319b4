//! A change of a pipeline's flow on its way into one commit: the pipeline with its locks, the executions that moved, the
//! action executions that start or are abandoned, and the events that tell of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Batch, Event as Notice, Ids, Scope, Stored, Timestamp};

use super::notices::Notices;
use crate::model::{ActionExecution, Execution, Pipeline, Trigger};
use crate::rules::definition::{Action, Definition, ExecutionMode};
use crate::rules::flow::{Flow, Ordinal, Run};
use crate::rules::status::ActionStatus;
use crate::rules::step::{Command, Event, step};

/// The documents of one pipeline's flow, as read, and what is to become of them.
pub(crate) struct Transition {
    scope: Scope,
    now: Timestamp,
    ids: Arc<dyn Ids>,
    /// The pipeline as it is to become.
    pub(crate) pipeline: Pipeline,
    /// The pipeline as it was read; nothing if it is new.
    before: Option<Stored<Pipeline>>,
    /// The structures that are needed, by version: the current one, and those of executions in PARALLEL mode.
    definitions: BTreeMap<i32, Arc<Definition>>,
    executions: BTreeMap<Ordinal, Held>,
    /// The executions that stages may go back to.
    targets: BTreeMap<Ordinal, Stored<Execution>>,
    new_actions: Vec<ActionExecution>,
    abandoned: Vec<(Ordinal, u32)>,
    notices: Vec<Notice>,
}

/// An execution of the flow.
enum Held {
    New(Execution),
    Known { stored: Stored<Execution>, changed: bool },
}

impl Held {
    fn execution(&self) -> &Execution {
        match self {
            Self::New(execution) => execution,
            Self::Known { stored, .. } => stored,
        }
    }

    fn execution_mut(&mut self) -> &mut Execution {
        match self {
            Self::New(execution) => execution,
            Self::Known { stored, changed } => {
                *changed = true;
                &mut stored.value
            }
        }
    }
}

impl Transition {
    /// `known` are at least the active executions, `targets` those that stages may go back to by themselves.
    pub(super) fn new(
        (scope, now, ids): (Scope, Timestamp, Arc<dyn Ids>),
        (pipeline, before): (Pipeline, Option<Stored<Pipeline>>),
        definitions: BTreeMap<i32, Arc<Definition>>,
        known: Vec<Stored<Execution>>,
        targets: Vec<Stored<Execution>>,
    ) -> Self {
        let held = |stored: Stored<Execution>| (stored.run.ordinal, Held::Known { stored, changed: false });
        Self {
            scope,
            now,
            ids,
            pipeline,
            before,
            definitions,
            executions: known.into_iter().map(held).collect(),
            targets: targets.into_iter().map(|stored| (stored.run.ordinal, stored)).collect(),
            new_actions: Vec::new(),
            abandoned: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// The time of all its changes.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The pipeline's current structure.
    pub(crate) fn definition(&self) -> Option<&Arc<Definition>> {
        self.definitions.get(&self.pipeline.current_version)
    }

    /// Makes `definition` the pipeline's current structure, without telling the executions yet.
    pub(crate) fn adopt(&mut self, definition: Arc<Definition>) {
        self.pipeline.adopt(&definition, self.now);
        self.definitions.insert(definition.version, definition);
    }

    /// An active execution.
    pub(crate) fn execution(&self, ordinal: Ordinal) -> Option<&Execution> {
        self.executions.get(&ordinal).map(Held::execution)
    }

    /// An active execution, to be changed otherwise than by events.
    pub(crate) fn execution_mut(&mut self, ordinal: Ordinal) -> Option<&mut Execution> {
        self.executions.get_mut(&ordinal).map(Held::execution_mut)
    }

    /// Adds a new execution and starts it.
    pub(crate) fn start(&mut self, execution: Execution) {
        let run = execution.run.clone();
        self.pipeline.newest = run.ordinal;
        self.executions.insert(run.ordinal, Held::New(execution));
        self.apply(Event::Started(run));
    }

    /// Moves the flow by one event.
    pub(crate) fn apply(&mut self, event: Event) {
        let Some(definition) = self.definition_for(&event) else { return };
        let runs = self.executions.iter().map(|(ordinal, held)| (*ordinal, held.execution().run.clone())).collect();
        let flow = Flow { board: std::mem::take(&mut self.pipeline.board), runs, newest: self.pipeline.newest };
        let (flow, commands) = step(&definition, flow, event, self.now);
        self.pipeline.board = flow.board;
        self.pipeline.newest = flow.newest;
        for (ordinal, run) in flow.runs {
            self.keep(ordinal, run);
        }
        for command in commands {
            self.obey(&definition, command);
        }
    }

    /// The flow as it stands, for rules that ask before they act.
    pub(crate) fn flow(&self) -> Flow {
        let runs = self.executions.iter().map(|(ordinal, held)| (*ordinal, held.execution().run.clone())).collect();
        Flow { board: self.pipeline.board.clone(), runs, newest: self.pipeline.newest }
    }

    /// Takes in an execution that is over, for the event that may bring it back.
    pub(crate) fn include(&mut self, stored: Stored<Execution>) {
        self.executions.entry(stored.run.ordinal).or_insert(Held::Known { stored, changed: false });
    }

    fn keep(&mut self, ordinal: Ordinal, run: Run) {
        match self.executions.get_mut(&ordinal) {
            Some(held) if held.execution().run != run => held.execution_mut().run = run,
            Some(_) => {}
            None => {
                let begun = self.automatic_rollback(run);
                self.executions.extend(begun.map(|execution| (ordinal, Held::New(execution))));
            }
        }
    }

    /// The execution that a failed stage began to go back by itself.
    fn automatic_rollback(&self, run: Run) -> Option<Execution> {
        let of = run.rollback.as_ref()?;
        let failed = of.failed.and_then(|failed| self.execution(failed)).map(|failed| failed.id.clone());
        let detail = serde_json::json!({"FailedPipelineExecutionId": failed}).to_string();
        let trigger = Trigger { kind: "AutomatedRollback".to_owned(), detail };
        let target = self.targets.get(&of.target)?;
        Some(Execution::rollback(target, self.ids.uuid(), run, trigger, self.now))
    }

    /// An execution in PARALLEL mode goes on in the structure that it began with.
    fn definition_for(&self, event: &Event) -> Option<Arc<Definition>> {
        let ordinal = match event {
            Event::ActionEnded { execution, .. }
            | Event::StopRequested { execution, .. }
            | Event::TurnAsked { execution } => Some(execution),
            _ => None,
        };
        let run = ordinal.and_then(|ordinal| self.execution(*ordinal)).map(|execution| &execution.run);
        let version = run
            .filter(|run| run.mode == ExecutionMode::Parallel)
            .map_or(self.pipeline.current_version, |run| run.version);
        self.definitions.get(&version).cloned()
    }

    fn obey(&mut self, definition: &Definition, command: Command) {
        match command {
            Command::StartAction { execution, number, stage, action } => {
                if let Some(declared) = definition.action(&stage, &action) {
                    self.start_action(definition, (execution, number), &stage, declared);
                }
            }
            Command::AbandonAction { execution, number } => self.abandoned.push((execution, number)),
            Command::AnnounceResumed(ordinal, stage) => {
                let notices = self.execution(ordinal).map(|execution| self.notices().resumed(execution, &stage));
                self.notices.extend(notices.into_iter().flatten());
            }
            Command::AnnounceExecution(ordinal, status) => {
                let notice = self.execution(ordinal).map(|execution| self.notices().execution(execution, status));
                self.notices.extend(notice);
            }
            Command::AnnounceStage(ordinal, stage, status) => {
                let notice = self.execution(ordinal).map(|execution| self.notices().stage(execution, &stage, status));
                self.notices.extend(notice);
            }
        }
    }

    fn start_action(
        &mut self,
        definition: &Definition,
        (ordinal, number): (Ordinal, u32),
        stage: &str,
        action: &Action,
    ) {
        let Some(execution) = self.execution(ordinal) else { return };
        let id = (self.ids.uuid(), self.now);
        let started = ActionExecution::new(execution, number, (stage, action), &definition.role, id);
        let notice = self.notices().action(execution, &started);
        self.notices.push(notice);
        self.new_actions.push(started);
    }

    fn notices(&self) -> Notices<'_> {
        Notices { scope: &self.scope, ids: &*self.ids, now: self.now }
    }

    /// The keys of the action executions that are abandoned; [`Transition::add_to`] wants their documents.
    pub(super) fn abandoned_keys(&self) -> Vec<String> {
        let key = |(ordinal, number): &(Ordinal, u32)| {
            format!("{}{number:06}", ActionExecution::prefix(&self.pipeline.id, *ordinal))
        };
        self.abandoned.iter().map(key).collect()
    }

    /// Tells of an action execution that this change is about.
    pub(crate) fn announce_action(&mut self, action: &ActionExecution) {
        let notice = self.execution(action.ordinal).map(|execution| self.notices().action(execution, action));
        self.notices.extend(notice);
    }

    /// Adds all of it to a batch, which fails to commit if anybody wrote the pipeline or one of its moved executions since.
    pub(super) fn add_to(mut self, batch: Batch, abandoned: Vec<Stored<ActionExecution>>) -> Batch {
        let batch = match self.before.take() {
            None => batch.insert(&self.pipeline),
            Some(before) if before.value == self.pipeline => batch.require(&before),
            Some(mut before) => {
                before.value = self.pipeline.clone();
                batch.replace(&before)
            }
        };
        self.add_flow_to(batch, abandoned)
    }

    /// Adds the pipeline's removal to a batch. Its history stays under its id.
    pub(super) fn add_removal_to(mut self, batch: Batch, abandoned: Vec<Stored<ActionExecution>>) -> Batch {
        let batch = match self.before.take() {
            None => batch,
            Some(before) => batch.remove(&before),
        };
        self.add_flow_to(batch, abandoned)
    }

    fn add_flow_to(mut self, mut batch: Batch, abandoned: Vec<Stored<ActionExecution>>) -> Batch {
        for mut action in abandoned {
            action.value.end(ActionStatus::Abandoned, self.now);
            self.announce_action(&action);
            batch = batch.replace(&action);
        }
        for held in self.executions.values() {
            batch = match held {
                Held::New(execution) => batch.insert(execution),
                Held::Known { stored, changed: true } => batch.replace(stored),
                Held::Known { changed: false, .. } => batch,
            };
        }
        batch = self.new_actions.iter().fold(batch, |batch, action| batch.insert(action));
        self.notices.iter().fold(batch, |batch, notice| batch.publish(notice))
    }
}
