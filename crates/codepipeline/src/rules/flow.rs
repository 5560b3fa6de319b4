//! The state that [`step`](super::step::step) moves: who holds each stage, who waits in front of it, and how far each active
//! execution has come. Plain data; the documents in `model` store its parts.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::definition::{ExecutionMode, Stage};
use super::retry::Retries;
use super::status::{ActionStatus, ExecutionStatus, StageStatus};

/// Number of an execution within its pipeline, counted from 1 in the order of their start. A larger one is newer.
pub type Ordinal = u64;

/// All that moves in one pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flow {
    /// The stages' locks and queues.
    pub board: Board,
    /// At least every active execution.
    pub runs: BTreeMap<Ordinal, Run>,
    /// The newest execution's number, 0 before the first.
    pub newest: Ordinal,
}

/// The locks and inbound queues of a pipeline's stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// By stage name. A stage that never saw an execution has no lane.
    pub lanes: BTreeMap<String, Lane>,
    /// The executions that are `InProgress` or `Stopping`.
    pub active: BTreeSet<Ordinal>,
    /// The inbound transitions that were ever disabled or enabled, by stage name; all others are open.
    #[serde(default)]
    pub transitions: BTreeMap<String, InboundTransition>,
}

impl Board {
    /// Whether executions may enter a stage.
    #[must_use]
    pub fn is_open(&self, stage: &str) -> bool {
        self.transitions.get(stage).is_none_or(|transition| transition.disabled.is_none())
    }
}

/// The way into a stage, once somebody has closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundTransition {
    /// The reason why it is closed; nothing while it is open.
    pub disabled: Option<String>,
    /// Who changed it last: an ARN.
    pub changed_by: String,
    /// When that was.
    pub changed_at: Timestamp,
}

/// One stage: at most one execution inside (none in PARALLEL mode), others in front of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The execution that holds the stage's lock.
    pub holder: Option<Ordinal>,
    /// Who waits, oldest first. SUPERSEDED mode has one place here, QUEUED mode any number.
    pub inbound: Vec<Ordinal>,
    /// The execution that entered the stage last.
    pub latest: Option<Latest>,
    /// The newest execution of the current version that passed the stage, rollbacks left out: what an automatic rollback
    /// goes back to.
    #[serde(default)]
    pub succeeded: Option<Ordinal>,
}

/// The execution that entered a stage last, and what became of it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// Which execution.
    pub execution: Ordinal,
    /// Its status in this stage.
    pub status: StageStatus,
}

/// How far one execution has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub ordinal: Ordinal,
    /// The pipeline version it started with and keeps.
    pub version: i32,
    /// The mode it started in and keeps.
    pub mode: ExecutionMode,
    /// Its status.
    pub status: ExecutionStatus,
    /// Where it is.
    pub place: Place,
    /// The actions of the stage it is in; after its end, of the stage it ended in.
    pub actions: Vec<ActionRun>,
    /// How many actions it has started; the newest one's number.
    pub actions_started: u32,
    /// The stages it has left with success.
    pub succeeded_stages: Vec<String>,
    /// When it last changed.
    pub updated: Timestamp,
    /// The stage that it ended in, if it ended inside of one without success.
    #[serde(default)]
    pub ended_in: Option<String>,
    /// How often stages of it were retried.
    #[serde(default)]
    pub retries: BTreeMap<String, Retries>,
    /// Of a rollback: where it goes back to.
    #[serde(default)]
    pub rollback: Option<RollbackOf>,
}

/// What a rollback is about. Such an execution runs one stage only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackOf {
    /// The stage that is rolled back.
    pub stage: String,
    /// The execution whose artifacts and variables it takes.
    pub target: Ordinal,
    /// The execution whose failure brought it about; nothing if somebody asked for it.
    pub failed: Option<Ordinal>,
}

/// Where an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Not yet in front of the first stage.
    Outside,
    /// Waiting in front of the named stage.
    Before(String),
    /// In the named stage, whose lock it holds unless its mode is PARALLEL.
    Inside(String),
    /// At its end.
    Over,
}

/// One action of the stage that an execution is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRun {
    /// The action's name.
    pub name: String,
    /// Actions of equal order run together, lower ones first.
    pub run_order: i32,
    /// How far it has come.
    pub progress: Progress,
}

/// How far an action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not started.
    Pending,
    /// Started as the execution's action number so-and-so.
    Running(u32),
    /// Ended.
    Ended(u32, ActionStatus),
}

impl Run {
    /// An execution that is about to arrive at the first stage.
    #[must_use]
    pub fn new(ordinal: Ordinal, version: i32, mode: ExecutionMode, now: Timestamp) -> Self {
        Self {
            ordinal,
            version,
            mode,
            status: ExecutionStatus::InProgress,
            place: Place::Outside,
            actions: Vec::new(),
            actions_started: 0,
            succeeded_stages: Vec::new(),
            updated: now,
            ended_in: None,
            retries: BTreeMap::new(),
            rollback: None,
        }
    }

    /// An execution that is about to roll a stage back.
    #[must_use]
    pub fn rollback((ordinal, version): (Ordinal, i32), mode: ExecutionMode, of: RollbackOf, now: Timestamp) -> Self {
        Self { rollback: Some(of), ..Self::new(ordinal, version, mode, now) }
    }

    /// How often it was begun or taken up again, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        1 + self.retries.values().map(|retries| retries.automatic + retries.manual).sum::<u32>()
    }

    /// Puts the execution into `stage`, none of whose actions has started.
    pub(super) fn enter(&mut self, stage: &Stage) {
        self.place = Place::Inside(stage.name.clone());
        self.actions = stage
            .actions
            .iter()
            .map(|action| ActionRun {
                name: action.name.clone(),
                run_order: action.run_order,
                progress: Progress::Pending,
            })
            .collect();
    }

    /// The numbers of the actions that run now.
    pub fn running(&self) -> impl Iterator<Item = u32> + '_ {
        self.actions.iter().filter_map(|action| match action.progress {
            Progress::Running(number) => Some(number),
            _ => None,
        })
    }

    /// The lowest order among the actions that have not started.
    pub(super) fn next_run_order(&self) -> Option<i32> {
        self.actions.iter().filter(|action| action.progress == Progress::Pending).map(|action| action.run_order).min()
    }

    /// Whether an action of the stage has ended otherwise than well.
    pub(super) fn has_failed_action(&self) -> bool {
        self.actions
            .iter()
            .any(|action| matches!(action.progress, Progress::Ended(_, status) if status != ActionStatus::Succeeded))
    }
}
