//! What holds for every pipeline and every order of events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::definition::OnFailure;
use super::tests::Pipeline;
use super::*;

/// A random thing that may happen, its choices as raw numbers.
#[derive(Debug, Clone)]
enum Happening {
    Start,
    ActionEnds { which: usize, well: bool },
    Stop { which: usize, abandon: bool },
    Update,
    Retry { which: usize, stage: usize, all: bool },
    Gate { stage: usize, closed: bool },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Start),
        10 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(which, well)| Happening::ActionEnds { which, well }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, abandon)| Happening::Stop { which, abandon }),
        1 => Just(Happening::Update),
        2 => (any::<usize>(), any::<usize>(), any::<bool>())
            .prop_map(|(which, stage, all)| Happening::Retry { which, stage, all }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(stage, closed)| Happening::Gate { stage, closed }),
    ]
}

fn stages() -> impl Strategy<Value = Vec<Vec<i32>>> {
    prop::collection::vec(prop::collection::vec(1..4_i32, 1..4), 2..5)
}

fn mode() -> impl Strategy<Value = ExecutionMode> {
    prop_oneof![Just(ExecutionMode::Superseded), Just(ExecutionMode::Queued)]
}

fn pipeline(mode: ExecutionMode, orders: &[Vec<i32>]) -> Pipeline {
    let stage = |(index, orders): (usize, &Vec<i32>)| {
        let actions: Vec<String> =
            orders.iter().enumerate().map(|(action, order)| format!("a{action}@{order}")).collect();
        format!("s{index}: {}", actions.join(" "))
    };
    let stages: Vec<String> = orders.iter().enumerate().map(stage).collect();
    Pipeline::new(mode, &stages.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What stages do when they have failed, by their position.
fn remedies() -> impl Strategy<Value = Vec<Option<OnFailure>>> {
    let remedy = prop_oneof![
        2 => Just(None),
        1 => Just(Some(OnFailure::RollBack)),
        1 => Just(Some(OnFailure::Retry(RetryMode::FailedActions))),
        1 => Just(Some(OnFailure::Retry(RetryMode::AllActions))),
    ];
    prop::collection::vec(remedy, 5)
}

/// A pipeline, the actions that run outside, and what has been seen of them.
struct World {
    pipeline: Pipeline,
    executions: Ordinal,
    running: BTreeSet<(Ordinal, u32)>,
    started: BTreeMap<(Ordinal, String, String), u32>,
    retried: BTreeMap<(Ordinal, String), u32>,
    statuses: BTreeMap<Ordinal, ExecutionStatus>,
    entered: BTreeMap<String, Vec<Ordinal>>,
}

impl World {
    fn new(pipeline: Pipeline) -> Self {
        let (running, started, retried) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let (statuses, entered) = (BTreeMap::new(), BTreeMap::new());
        Self { pipeline, executions: 0, running, started, retried, statuses, entered }
    }

    fn happen(&mut self, happening: &Happening) {
        let commands = match *happening {
            Happening::Start => self.pipeline.start(self.pipeline.flow.newest + 1),
            Happening::ActionEnds { which, well } => self.end_action(which, well),
            Happening::Stop { which, abandon } if self.executions > 0 => {
                let execution = which as u64 % self.executions + 1;
                self.pipeline.event(Event::StopRequested { execution, abandon })
            }
            Happening::Stop { .. } | Happening::Retry { .. } if self.executions == 0 => vec![],
            Happening::Stop { .. } => vec![],
            Happening::Retry { which, stage, all } => {
                let execution = which as u64 % self.executions + 1;
                let stage = self.stage(stage);
                let mode = if all { RetryMode::AllActions } else { RetryMode::FailedActions };
                self.pipeline.event(Event::RetryRequested { execution, stage, mode })
            }
            Happening::Gate { stage, closed } => self.gate(stage, closed),
            Happening::Update => {
                self.pipeline.definition.version += 1;
                self.pipeline.event(Event::DefinitionChanged)
            }
        };
        self.executions = self.pipeline.flow.newest;
        for command in commands {
            self.obey(command);
        }
        self.check();
    }

    fn stage(&self, number: usize) -> String {
        let stages = &self.pipeline.definition.stages;
        stages[number % stages.len()].name.clone()
    }

    fn gate(&mut self, stage: usize, closed: bool) -> Vec<Command> {
        // Nothing leads into the first.
        let later = self.pipeline.definition.stages.len() - 1;
        let stage = self.stage(1 + stage % later);
        let waiting = self.pipeline.flow.board.lanes.get(&stage).map(|lane| lane.inbound.clone()).unwrap_or_default();
        let disabled = closed.then(|| "freeze".to_owned());
        let changed_at = Timestamp::from_millis(0);
        let transition = InboundTransition { disabled, changed_by: "me".into(), changed_at };
        let mut commands = self.pipeline.event(Event::TransitionChanged { stage, transition });
        for execution in waiting.into_iter().filter(|_| !closed) {
            commands.extend(self.pipeline.event(Event::TurnAsked { execution }));
        }
        commands
    }

    fn end_action(&mut self, which: usize, well: bool) -> Vec<Command> {
        let Some((execution, number)) = self.running.iter().nth(which % self.running.len().max(1)).copied() else {
            return vec![];
        };
        self.running.remove(&(execution, number));
        let status = if well { ActionStatus::Succeeded } else { ActionStatus::Failed };
        self.pipeline.event(Event::ActionEnded { execution, number, status })
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::StartAction { execution, number, stage, action } => {
                assert!(self.running.insert((execution, number)), "number {number} of {execution} used twice");
                *self.started.entry((execution, stage, action)).or_default() += 1;
            }
            Command::AbandonAction { execution, number } => {
                assert!(self.running.remove(&(execution, number)), "abandoned what did not run");
            }
            Command::AnnounceResumed(execution, stage) => {
                *self.retried.entry((execution, stage)).or_default() += 1;
                let before = self.statuses.insert(execution, ExecutionStatus::InProgress);
                let again = [ExecutionStatus::InProgress, ExecutionStatus::Failed, ExecutionStatus::Stopped];
                assert!(before.is_some_and(|before| again.contains(&before)), "{before:?} was taken up again");
            }
            Command::AnnounceExecution(execution, status) => {
                let before = self.statuses.insert(execution, status);
                assert!(
                    before.is_none_or(ExecutionStatus::is_active),
                    "{execution} went from {before:?} to {status:?}"
                );
            }
            Command::AnnounceStage(execution, stage, StageStatus::InProgress) if !self.rolls_back(execution) => {
                self.entered.entry(stage).or_default().push(execution);
            }
            _ => {}
        }
    }

    fn rolls_back(&self, execution: Ordinal) -> bool {
        self.pipeline.flow.runs[&execution].rollback.is_some()
    }

    fn check(&self) {
        let flow = &self.pipeline.flow;
        for (name, lane) in &flow.board.lanes {
            let inside: Vec<Ordinal> = flow
                .runs
                .values()
                .filter(|run| run.place == Place::Inside(name.clone()))
                .map(|run| run.ordinal)
                .collect();
            assert_eq!(inside, Vec::from_iter(lane.holder), "the lock of {name} is exclusive");
            let waiting: Vec<Ordinal> = flow
                .runs
                .values()
                .filter(|run| run.place == Place::Before(name.clone()))
                .map(|run| run.ordinal)
                .collect();
            assert_eq!(waiting, lane.inbound, "who waits before {name}");
            let shut = lane.holder.is_some() || !flow.board.is_open(name);
            assert!(shut || lane.inbound.is_empty(), "{name} is free, yet {waiting:?} wait");
            if self.pipeline.definition.mode == ExecutionMode::Superseded {
                assert!(lane.inbound.len() <= 1, "one place before {name}");
            }
        }
        let active: BTreeSet<Ordinal> =
            flow.runs.values().filter(|run| run.status.is_active()).map(|run| run.ordinal).collect();
        assert_eq!(active, flow.board.active);
        let running: BTreeSet<(Ordinal, u32)> =
            flow.runs.values().flat_map(|run| run.running().map(|number| (run.ordinal, number))).collect();
        assert_eq!(running, self.running, "the outside runs what the pipeline thinks it runs");
        for (stage, entered) in &self.entered {
            assert!(entered.is_sorted_by(|one, next| one < next), "{stage} was entered out of order: {entered:?}");
        }
    }

    fn drain(&mut self) {
        for stage in 0..self.pipeline.definition.stages.len() {
            self.happen(&Happening::Gate { stage, closed: false });
        }
        while !self.running.is_empty() {
            self.happen(&Happening::ActionEnds { which: 0, well: true });
        }
    }

    fn check_end(&self) {
        let flow = &self.pipeline.flow;
        assert_eq!(flow.board.active, BTreeSet::new(), "every execution ends");
        for ((execution, stage, action), times) in &self.started {
            let retries = self.retried.get(&(*execution, stage.clone())).copied().unwrap_or_default();
            assert!(*times <= 1 + retries, "{action} ran {times} times, retried {retries} times");
        }
        let whole = |run: &&Run| run.status == ExecutionStatus::Succeeded && run.rollback.is_none();
        for run in flow.runs.values().filter(whole) {
            for (_, stage, action) in self.pipeline.definition.actions() {
                let key = (run.ordinal, stage.name.clone(), action.name.clone());
                assert!(self.started.contains_key(&key), "{key:?} was lost");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_execution_ends_and_no_action_is_lost_or_doubled(
        mode in mode(), orders in stages(), remedies in remedies(),
        happenings in prop::collection::vec(happening(), 0..120),
    ) {
        let mut pipeline = pipeline(mode, &orders);
        for (stage, remedy) in pipeline.definition.stages.iter_mut().zip(remedies) {
            stage.on_failure = remedy;
        }
        let mut world = World::new(pipeline);
        for happening in &happenings {
            world.happen(happening);
        }
        world.drain();
        world.check_end();
    }

    #[test]
    fn the_newest_execution_is_never_superseded(orders in stages(), happenings in prop::collection::vec(happening(), 1..120)) {
        let mut world = World::new(pipeline(ExecutionMode::Superseded, &orders));
        for happening in &happenings {
            world.happen(happening);
            let superseded = world.pipeline.flow.runs.values().filter(|run| run.status == ExecutionStatus::Superseded);
            let newest = superseded.map(|run| run.ordinal).max().unwrap_or(0);
            prop_assert!(newest < world.executions.max(1));
        }
    }

    #[test]
    fn actions_of_a_later_order_wait_for_all_of_the_earlier(orders in stages()) {
        let mut world = World::new(pipeline(ExecutionMode::Superseded, &orders));
        world.happen(&Happening::Start);
        while !world.running.is_empty() {
            let run = &world.pipeline.flow.runs[&1];
            let running: BTreeSet<i32> = run
                .actions
                .iter()
                .filter(|action| matches!(action.progress, Progress::Running(_)))
                .map(|action| action.run_order)
                .collect();
            prop_assert_eq!(running.len(), 1, "one order at a time");
            world.happen(&Happening::ActionEnds { which: 0, well: true });
        }
        prop_assert_eq!(world.pipeline.flow.runs[&1].status, ExecutionStatus::Succeeded);
    }
}
