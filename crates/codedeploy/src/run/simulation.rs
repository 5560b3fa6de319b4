//! A rollout as the reconcilers drive it: decisions are made from what was read and committed later, if at all; hosts acknowledge and
//! report in any order, twice, late or never; somebody stops the deployment, or its time runs out.

use proptest::prelude::*;

use crate::model::{DeploymentTarget, LifecycleEvent};
use crate::rules::deadlines::Deadlines;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::lifecycle::{EventStatus, IN_PLACE};
use crate::rules::wave::{self, Decision, Host, MinimumHealthy, Progress, Standing};
use kernel::Timestamp;

#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The deployment's reconciler reads and decides.
    Decide,
    /// What it decided is committed.
    Commit,
    /// It dies in between.
    Crash,
    /// A host takes its command over, perhaps again.
    Acknowledge {
        which: usize,
    },
    /// A host reports an event's end: the one it runs, or an older one again.
    Report {
        which: usize,
        well: bool,
        stale: bool,
    },
    /// A host is not heard of in time.
    Overdue {
        which: usize,
    },
    Stop,
    TimeOut,
}

fn happening() -> impl Strategy<Value = Happening> {
    let host = any::<usize>;
    prop_oneof![
        200 => Just(Happening::Decide),
        200 => Just(Happening::Commit),
        20 => Just(Happening::Crash),
        250 => host().prop_map(|which| Happening::Acknowledge { which }),
        400 => (host(), prop::bool::weighted(0.95), prop::bool::weighted(0.1))
            .prop_map(|(which, well, stale)| Happening::Report { which, well, stale }),
        10 => host().prop_map(|which| Happening::Overdue { which }),
        1 => Just(Happening::Stop),
        1 => Just(Happening::TimeOut),
    ]
}

fn minimum() -> impl Strategy<Value = MinimumHealthy> {
    prop_oneof![
        Just(MinimumHealthy::OneAtATime),
        Just(MinimumHealthy::HostCount(0)),
        Just(MinimumHealthy::FleetPercent(50)),
        (0_u32..10).prop_map(MinimumHealthy::HostCount),
        (0_u32..100).prop_map(MinimumHealthy::FleetPercent),
    ]
}

fn standings() -> impl Strategy<Value = Vec<Standing>> {
    let standing = [Standing::Unhealthy, Standing::UnknownRevision, Standing::OldRevision, Standing::CurrentRevision];
    prop::collection::vec(prop::sample::select(standing.to_vec()), 1..10)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
    Stopped,
}

/// A decision, and the versions of what it is about.
struct Decided {
    deployment: u64,
    step: Step,
}

enum Step {
    Start(Vec<(usize, u64)>),
    Stop(Vec<(usize, u64)>),
    End(End),
    Wait,
}

struct Rollout {
    minimum: MinimumHealthy,
    ignore_application_stop_failures: bool,
    /// Each with the number of its writes.
    targets: Vec<(u64, DeploymentTarget)>,
    deployment: u64,
    stop: bool,
    timed_out: bool,
    gave_up: bool,
    end: Option<End>,
    decided: Option<Decided>,
    /// How often each event of each host was handed out.
    handed_out: Vec<[u32; IN_PLACE.len()]>,
}

fn now() -> Timestamp {
    Timestamp::from_millis(0)
}

impl Rollout {
    fn new(minimum: MinimumHealthy, standings: &[Standing], ignore: bool) -> Self {
        let targets = standings.iter().enumerate().map(|(index, standing)| (0, target(index, *standing, ignore)));
        Self {
            minimum,
            ignore_application_stop_failures: ignore,
            targets: targets.collect(),
            deployment: 0,
            stop: false,
            timed_out: false,
            gave_up: false,
            end: None,
            decided: None,
            handed_out: vec![[0; IN_PLACE.len()]; standings.len()],
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Decide if self.end.is_none() => self.decide(),
            Happening::Commit => self.commit(),
            Happening::Crash => self.decided = None,
            Happening::Acknowledge { which } => {
                self.write(which, |target| target.acknowledge(now(), &Deadlines::default()));
            }
            Happening::Report { which, well, stale } => self.report(which, well, stale),
            Happening::Overdue { which } => self.report(which, false, false),
            Happening::Stop if self.end.is_none() => (self.stop, self.deployment) = (true, self.deployment + 1),
            Happening::TimeOut => self.timed_out = true,
            Happening::Decide | Happening::Stop => {}
        }
        self.check();
    }

    fn write(&mut self, which: usize, change: impl FnOnce(&mut DeploymentTarget)) {
        let index = which % self.targets.len();
        let (version, target) = &mut self.targets[index];
        let before = target.command.as_ref().map(|command| command.event);
        change(target);
        *version += 1;
        if let Some(command) = target.command.as_ref().filter(|command| Some(command.event) != before) {
            self.handed_out[index][command.event] += 1;
        }
    }

    /// The first report of a command counts, and no report of another.
    fn report(&mut self, which: usize, well: bool, stale: bool) {
        let Some(command) = self.targets[which % self.targets.len()].1.command.clone() else { return };
        let reported = if stale { command.event.wrapping_sub(1) } else { command.event };
        if reported == command.event {
            let status = if well { EventStatus::Succeeded } else { EventStatus::Failed };
            self.write(which, |target| target.end_event(status, Diagnostics::default(), now(), &Deadlines::default()));
        }
    }

    fn hosts(&self) -> Vec<Host> {
        self.targets.iter().map(|(_, target)| target.host()).collect()
    }

    /// As `Service::roll_on`.
    fn decide(&mut self) {
        let versions = |chosen: &dyn Fn(&DeploymentTarget) -> bool| {
            let chosen = self.targets.iter().enumerate().filter(|(_, (_, target))| chosen(target));
            chosen.map(|(index, (version, _))| (index, *version)).collect::<Vec<_>>()
        };
        let step = if self.stop || self.timed_out {
            let unaware = versions(&|target| !target.ended() && !target.stopping);
            match (unaware.is_empty(), self.targets.iter().all(|(_, target)| target.ended())) {
                (false, _) => Step::Stop(unaware),
                (true, false) => Step::Wait,
                (true, true) => Step::End(if self.timed_out { End::Failed } else { End::Stopped }),
            }
        } else {
            match wave::next(self.minimum, &self.hosts()) {
                Decision::Start(ids) => Step::Start(versions(&|target| ids.contains(&target.id))),
                Decision::GiveUp(ids) => Step::Stop(versions(&|target| ids.contains(&target.id))),
                Decision::Wait => Step::Wait,
                Decision::Succeed => Step::End(End::Succeeded),
                Decision::Fail => Step::End(End::Failed),
            }
        };
        self.decided = Some(Decided { deployment: self.deployment, step });
    }

    fn commit(&mut self) {
        let Some(Decided { deployment, step }) = self.decided.take() else { return };
        let current =
            |written: &[(usize, u64)]| written.iter().all(|(index, version)| self.targets[*index].0 == *version);
        let fresh = deployment == self.deployment
            && match &step {
                Step::Start(written) | Step::Stop(written) => current(written),
                Step::End(_) | Step::Wait => true,
            };
        if !fresh {
            return;
        }
        self.deployment += 1;
        match step {
            Step::Start(written) => {
                self.starts_the_neediest(&written);
                written
                    .iter()
                    .for_each(|(index, _)| self.write(*index, |target| target.advance(now(), &Deadlines::default())));
            }
            Step::Stop(written) => {
                self.gave_up |= !self.stop && !self.timed_out;
                written
                    .iter()
                    .for_each(|(index, _)| self.write(*index, |target| target.stop(now(), &Deadlines::default())));
            }
            Step::End(end) => self.end = Some(end),
            Step::Wait => {}
        }
    }

    /// Unhealthy hosts before those of unknown, old and current revisions.
    fn starts_the_neediest(&self, written: &[(usize, u64)]) {
        let started = |index: &usize| written.iter().any(|(other, _)| other == index);
        let waiting = (0..self.targets.len()).filter(|index| self.targets[*index].1.progress == Progress::Pending);
        let (now, later): (Vec<usize>, Vec<usize>) = waiting.partition(started);
        let standing = |index: &usize| self.targets[*index].1.standing;
        assert!(now.iter().map(standing).max() <= later.iter().map(standing).min() || later.is_empty());
    }

    fn count(&self, progress: Progress) -> usize {
        self.targets.iter().filter(|(_, target)| target.progress == progress).count()
    }

    fn check(&self) {
        let fleet = self.targets.len();
        let healthy = fleet - self.count(Progress::InProgress) - self.count(Progress::Failed);
        let untouched =
            self.targets.iter().all(|(_, target)| matches!(target.progress, Progress::Pending | Progress::Skipped));
        assert!(untouched || healthy >= needed_healthy(self.minimum, fleet), "{healthy} of {fleet} are healthy");
        for (index, (_, target)) in self.targets.iter().enumerate() {
            assert!(self.handed_out[index].iter().all(|times| *times <= 1), "an event ran twice on {}", target.id);
            events_are_in_order(target, self.ignore_application_stop_failures);
        }
    }

    /// Everybody answers, until nothing is left to do.
    fn carry_to_the_end(&mut self) -> End {
        for _ in 0..self.targets.len() * 20 + 20 {
            self.happen(Happening::Decide);
            self.happen(Happening::Commit);
            if let Some(end) = self.end {
                return end;
            }
            for which in 0..self.targets.len() {
                self.happen(Happening::Report { which, well: true, stale: false });
            }
        }
        panic!("the rollout did not end: {:?}", self.hosts())
    }

    /// What the user guide says of the end, counted apart from the rule.
    fn check_end(&self, end: End) {
        let fleet = self.targets.len();
        let needed = needed_healthy(self.minimum, fleet).max(1);
        let (succeeded, failed) = (self.count(Progress::Succeeded), self.count(Progress::Failed));
        assert_eq!(self.count(Progress::Pending) + self.count(Progress::InProgress), 0);
        if self.gave_up {
            let never = needed_healthy(self.minimum, fleet) >= fleet && self.minimum != MinimumHealthy::OneAtATime;
            assert!(
                never || fleet - failed <= needed_healthy(self.minimum, fleet) || fleet - failed < needed,
                "gave up too early"
            );
        }
        if !self.stop && !self.timed_out {
            let whole = self.count(Progress::Skipped) == 0 && succeeded >= needed;
            assert_eq!(end == End::Succeeded, whole, "{succeeded} succeeded, {needed} needed: {end:?}");
            assert_ne!(end, End::Stopped);
        }
    }
}

fn target(index: usize, standing: Standing, ignore_application_stop_failures: bool) -> DeploymentTarget {
    let text = String::new;
    let event = |name: &&str| LifecycleEvent {
        name: (*name).to_owned(),
        status: EventStatus::Pending,
        started: None,
        ended: None,
        diagnostics: None,
    };
    DeploymentTarget {
        deployment: "d".to_owned(),
        id: format!("web-{index}"),
        arn: text(),
        identity: text(),
        application: text(),
        group: text(),
        group_id: text(),
        revision_id: text(),
        standing,
        progress: Progress::Pending,
        updated: now(),
        chosen: now(),
        events: IN_PLACE.iter().map(event).collect(),
        command: None,
        stopping: false,
        ignore_application_stop_failures,
        due: None,
    }
}

/// Minimum healthy hosts, counted apart from the rule: of a percentage, the first whole number of hosts that is not below it.
fn needed_healthy(minimum: MinimumHealthy, fleet: usize) -> usize {
    match minimum {
        MinimumHealthy::OneAtATime => fleet - 1,
        MinimumHealthy::HostCount(count) => count as usize,
        MinimumHealthy::FleetPercent(percent) => {
            (0..=fleet).find(|hosts| hosts * 100 >= fleet * percent as usize).unwrap_or(fleet)
        }
    }
}

/// Ended ones, then at most one that runs, then pending ones, or skipped ones once the host has ended; nothing follows a failure that counts.
fn events_are_in_order(target: &DeploymentTarget, ignore: bool) {
    let letter = |event: &LifecycleEvent| match event.status {
        EventStatus::Succeeded => '+',
        EventStatus::Failed if ignore && event.name == "ApplicationStop" => '+',
        EventStatus::Failed => 'x',
        EventStatus::InProgress => '>',
        EventStatus::Pending => '.',
        EventStatus::Skipped => '-',
    };
    let letters: String = target.events.iter().map(letter).collect();
    let rest = letters.trim_start_matches('+');
    let allowed = match target.progress {
        Progress::Pending => letters.chars().all(|letter| letter == '.'),
        Progress::InProgress => rest.starts_with('>') && rest[1..].chars().all(|letter| letter == '.'),
        Progress::Succeeded => rest.is_empty(),
        Progress::Failed => rest.starts_with('x') && rest[1..].chars().all(|letter| letter == '-'),
        Progress::Skipped => !rest.is_empty() && rest.chars().all(|letter| letter == '-'),
    };
    assert!(allowed, "{letters} of a host that is {:?}", target.progress);
    assert_eq!(target.command.is_some(), target.progress == Progress::InProgress);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn a_rollout_keeps_enough_hosts_healthy_and_ends_as_documented(
        minimum in minimum(), standings in standings(), ignore in any::<bool>(),
        happenings in prop::collection::vec(happening(), 0..200),
    ) {
        let mut rollout = Rollout::new(minimum, &standings, ignore);
        for happening in happenings {
            rollout.happen(happening);
        }
        let end = rollout.carry_to_the_end();
        rollout.check_end(end);
    }
}
