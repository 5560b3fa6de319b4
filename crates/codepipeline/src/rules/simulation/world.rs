//! People, workers and what runs outside, all of whom may come between each other.

use std::collections::BTreeMap;

use super::laws::History;
use super::people::Wish;
use super::pipelines::{Shape, definition};
use super::store::{ActionExecution, Attempt, Change, Conflict, Phase, Store, Stored};
use crate::rules::definition::Stage;
use crate::rules::flow::Ordinal;
use crate::rules::status::ActionStatus;
use crate::rules::step::Event;

/// How what runs outside ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Well,
    Badly,
    /// Nobody knows of it any more.
    Lost,
}

#[derive(Debug, Clone)]
pub(super) enum Happening {
    Wish(Wish),
    /// One of the changes that are decided is committed.
    Commit {
        which: usize,
    },
    /// A worker takes a due action, perhaps one that another worker has in hand.
    Work {
        which: usize,
    },
    JobEnds {
        which: usize,
        outcome: Outcome,
    },
    WakeUp {
        which: usize,
    },
    LoseWakeUp {
        which: usize,
    },
    DoubleWakeUp {
        which: usize,
    },
    /// All that wait are looked at in their own time.
    SafetyNet,
    /// The server dies: decisions that are not committed are gone.
    Crash,
    /// An execution that is over is not kept any longer.
    Forget {
        which: usize,
    },
    /// Everything that is due is done, then something outside ends, and that is done, too.
    Smoothly {
        which: usize,
        outcome: Outcome,
    },
}

/// Why a change is made.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Wish(Wish),
    /// A worker's step.
    Step(Attempt),
    /// An action execution ends.
    End(Attempt, ActionStatus, Stored<ActionExecution>),
    Delete,
}

pub(super) struct World {
    pub(super) store: Store,
    decided: Vec<(Deed, Change)>,
    /// What runs or ran outside, by its token.
    jobs: BTreeMap<Attempt, Option<Outcome>>,
    wake_ups: Vec<Attempt>,
    history: History,
}

/// More changes under way than this are committed first.
const AT_ONCE: usize = 6;

pub(super) fn pick<T: Clone>(mut items: impl ExactSizeIterator<Item = T>, which: usize) -> Option<T> {
    let count = items.len();
    items.nth(which.checked_rem(count)?)
}

impl World {
    pub(super) fn new(shape: &Shape) -> Self {
        let mut store = Store::default();
        let first = definition(shape, 1);
        (store.pipeline.version, store.pipeline.mode) = (1, first.mode);
        store.definitions.insert(1, first);
        let (decided, jobs, wake_ups, history) = Default::default();
        Self { store, decided, jobs, wake_ups, history }
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wish(wish) => self.decide(Deed::Wish(wish)),
            Happening::Commit { .. } if self.decided.is_empty() => {}
            Happening::Commit { which } => self.commit(which % self.decided.len()),
            Happening::Work { which } => {
                let due = self.due();
                pick(due.into_iter(), which).into_iter().for_each(|attempt| self.decide(Deed::Step(attempt)));
            }
            Happening::JobEnds { which, outcome } => self.end_job(which, outcome),
            Happening::WakeUp { which } => self.wake_up(which, true),
            Happening::LoseWakeUp { which } => {
                let count = self.wake_ups.len();
                which.checked_rem(count).map(|which| self.wake_ups.remove(which));
            }
            Happening::DoubleWakeUp { which } => self.wake_up(which, false),
            Happening::SafetyNet => self.look_at_all(),
            Happening::Crash => self.decided.clear(),
            Happening::Forget { which } => self.forget(which),
            Happening::Smoothly { which, outcome } => self.smoothly(which, outcome),
        }
        while self.decided.len() > AT_ONCE {
            self.commit(0);
        }
    }

    fn smoothly(&mut self, which: usize, outcome: Outcome) {
        self.do_all_due();
        self.end_job(which, outcome);
        self.wake_up(self.wake_ups.len().wrapping_sub(1), true);
        self.do_all_due();
    }

    fn do_all_due(&mut self) {
        for _ in 0..10_000 {
            match self.due().first() {
                Some(attempt) => self.decide(Deed::Step(*attempt)),
                None if self.decided.is_empty() => return,
                None => {}
            }
            while !self.decided.is_empty() {
                self.commit(0);
            }
        }
        panic!("work without end: {:?}", self.due());
    }

    fn due(&self) -> Vec<Attempt> {
        self.store.actions.iter().filter(|(_, stored)| stored.value.due).map(|(attempt, _)| *attempt).collect()
    }

    fn end_job(&mut self, which: usize, outcome: Outcome) {
        let running: Vec<Attempt> =
            self.jobs.iter().filter(|(_, ended)| ended.is_none()).map(|(attempt, _)| *attempt).collect();
        let Some(attempt) = pick(running.into_iter(), which) else { return };
        self.jobs.insert(attempt, Some(outcome));
        self.wake_ups.push(attempt);
    }

    fn wake_up(&mut self, which: usize, consumed: bool) {
        let Some(which) = which.checked_rem(self.wake_ups.len()) else { return };
        let attempt = self.wake_ups[which];
        if consumed {
            self.wake_ups.remove(which);
        }
        self.look_at(attempt);
    }

    fn look_at_all(&mut self) {
        let all: Vec<Attempt> = self.store.actions.keys().copied().collect();
        all.into_iter().for_each(|attempt| self.look_at(attempt));
    }

    /// Makes a waiting action due: a write of its own.
    fn look_at(&mut self, attempt: Attempt) {
        let Some(stored) = self.store.actions.get(&attempt) else { return };
        if stored.value.phase == Phase::Waiting && !stored.value.due {
            let mut stored = stored.clone();
            stored.value.due = true;
            let mut change = self.store.begin();
            change.write(attempt, &stored);
            self.store.commit(change).expect("nobody comes between");
        }
    }

    fn forget(&mut self, which: usize) {
        let over = self.store.executions.values().filter(|stored| !stored.value.status.is_active());
        let over: Vec<Ordinal> = over.map(|stored| stored.value.ordinal).collect();
        let Some(ordinal) = pick(over.into_iter(), which) else { return };
        self.store.executions.remove(&ordinal);
        self.history.forget(ordinal);
    }

    fn decide(&mut self, deed: Deed) {
        let change = match &deed {
            Deed::Wish(wish) => self.wished(wish),
            Deed::Step(attempt) => self.stepped(*attempt),
            Deed::End(attempt, status, stored) => Some(self.ended(*attempt, *status, stored.clone())),
            Deed::Delete => {
                let mut change = self.store.begin();
                change.apply(Event::Deleted);
                Some(change)
            }
        };
        self.decided.extend(change.map(|change| (deed, change)));
    }

    /// Commits one of the decided changes, or decides anew if somebody was faster.
    fn commit(&mut self, which: usize) {
        let (deed, change) = self.decided.remove(which);
        let before = self.store.clone();
        match self.store.commit(change.clone()) {
            Ok(()) => self.history.check(&before, &self.store, &deed, &change.commands),
            // Whoever ended the action was faster; a step is claimed again if it is still due.
            Err(Conflict::Action) if !matches!(deed, Deed::Wish(_)) => {}
            Err(_) => self.decide(deed),
        }
    }

    fn stepped(&mut self, attempt: Attempt) -> Option<Change> {
        let mut stored = self.store.actions.get(&attempt)?.clone();
        match stored.value.phase {
            Phase::Declared => stored.value.phase = Phase::Prepared,
            Phase::Prepared => {
                // The effect comes before the commit, and is there once however often it is asked for.
                if !stored.value.approval {
                    self.jobs.entry(attempt).or_insert(None);
                }
                stored.value.phase = Phase::Waiting;
            }
            Phase::Waiting => match self.jobs.get(&attempt).copied().flatten() {
                None => stored.value.due = false,
                Some(outcome) => {
                    let well = outcome == Outcome::Well;
                    let status = if well { ActionStatus::Succeeded } else { ActionStatus::Failed };
                    self.decide(Deed::End(attempt, status, stored));
                    return None;
                }
            },
            Phase::Ended(_) => return None,
        }
        let mut change = self.store.begin();
        change.write(attempt, &stored);
        Some(change)
    }

    pub(super) fn ended(
        &self,
        (execution, number): Attempt,
        status: ActionStatus,
        mut stored: Stored<ActionExecution>,
    ) -> Change {
        (stored.value.phase, stored.value.due) = (Phase::Ended(status), false);
        let mut change = self.store.begin();
        change.write((execution, number), &stored);
        change.apply(Event::ActionEnded { execution, number, status });
        change
    }

    pub(super) fn stages(&self) -> &[Stage] {
        &self.store.definitions[&self.store.pipeline.version].stages
    }

    pub(super) fn stage(&self, which: usize) -> Option<String> {
        pick(self.stages().iter().map(|stage| stage.name.clone()), which)
    }

    pub(super) fn delete(&mut self) {
        self.decided.clear();
        self.decide(Deed::Delete);
        self.commit(0);
    }

    /// Nothing is in the way any more: doors open, people answer, what runs outside ends.
    pub(super) fn carry_to_the_end(&mut self) {
        self.do_all_due();
        for stage in 0..self.stages().len() {
            self.decide(Deed::Wish(Wish::Gate { stage, closed: false }));
            self.do_all_due();
        }
        // Each round ends at least one action, and no execution has many.
        for _ in 0..2_000 {
            self.decide(Deed::Wish(Wish::Answer { approval: 0, well: true }));
            self.end_job(0, Outcome::Well);
            self.look_at_all();
            self.do_all_due();
            if self.store.pipeline.board.active.is_empty() {
                return;
            }
        }
        panic!("stuck: {:#?}", self.store.pipeline.board);
    }

    pub(super) fn check_the_end(&self) {
        assert!(self.store.pipeline.board.active.is_empty(), "{:?} never end", self.store.pipeline.board.active);
        self.history.check_the_end(&self.store);
    }
}
