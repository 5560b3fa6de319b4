//! A whole rollout against hosts that end in any order with any result.

#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn minimum() -> impl Strategy<Value = MinimumHealthy> {
    prop_oneof![
        Just(MinimumHealthy::OneAtATime),
        (0u32..12).prop_map(MinimumHealthy::HostCount),
        (0u32..100).prop_map(MinimumHealthy::FleetPercent),
    ]
}

/// Each host's result, and for each step the one of those in flight that ends next.
fn rollout() -> impl Strategy<Value = (Vec<bool>, Vec<usize>)> {
    (1usize..30)
        .prop_flat_map(|size| (prop::collection::vec(any::<bool>(), size), prop::collection::vec(any::<usize>(), size)))
}

struct Simulation {
    minimum: MinimumHealthy,
    hosts: Vec<Host>,
    gave_up: bool,
}

impl Simulation {
    fn new(minimum: MinimumHealthy, size: usize) -> Self {
        let host = |index| Host { id: format!("{index}"), standing: Standing::Unhealthy, progress: Progress::Pending };
        Self { minimum, hosts: (0..size).map(host).collect(), gave_up: false }
    }

    fn set(&mut self, ids: &[String], progress: Progress) {
        for host in self.hosts.iter_mut().filter(|host| ids.contains(&host.id)) {
            assert_eq!(host.progress, Progress::Pending, "only untouched hosts are started or skipped");
            host.progress = progress;
        }
    }

    fn end_one(&mut self, choice: usize, results: &[bool]) {
        let flying: Vec<usize> =
            (0..self.hosts.len()).filter(|i| self.hosts[*i].progress == Progress::InProgress).collect();
        let chosen = flying[choice % flying.len()];
        self.hosts[chosen].progress = if results[chosen] { Progress::Succeeded } else { Progress::Failed };
    }

    /// Runs to the end and returns the closing decision.
    fn run(&mut self, results: &[bool], choices: &[usize]) -> Decision {
        let mut choices = choices.iter();
        for _ in 0..self.hosts.len() * 4 + 4 {
            match next(self.minimum, &self.hosts) {
                Decision::Start(ids) => {
                    assert!(!self.gave_up && !ids.is_empty());
                    self.set(&ids, Progress::InProgress);
                }
                Decision::GiveUp(ids) => {
                    self.gave_up = true;
                    self.set(&ids, Progress::Skipped);
                }
                Decision::Wait => self.end_one(*choices.next().expect("one choice per host"), results),
                end => return end,
            }
            self.check_enough_stay_healthy();
        }
        panic!("the rollout did not end: {:?}", self.hosts)
    }

    fn check_enough_stay_healthy(&self) {
        let tally = Tally::of(&self.hosts);
        assert!(tally.in_flight + tally.failed <= self.minimum.concurrency(tally.fleet), "{:?}", self.hosts);
    }
}

proptest! {
    #[test]
    fn a_rollout_ends_keeps_the_minimum_healthy_and_tells_the_truth(minimum in minimum(), (results, choices) in rollout()) {
        let mut simulation = Simulation::new(minimum, results.len());
        let end = simulation.run(&results, &choices);
        let tally = Tally::of(&simulation.hosts);
        prop_assert_eq!(tally.pending + tally.in_flight, 0);
        prop_assert_eq!(end == Decision::Succeed, tally.skipped == 0 && tally.succeeded >= minimum.successes(tally.fleet));
        prop_assert_eq!(tally.skipped > 0, simulation.gave_up);
        if !minimum.can_start(tally.fleet) {
            prop_assert_eq!(tally.skipped, tally.fleet);
        }
    }

    #[test]
    fn hosts_that_all_succeed_make_a_success(minimum in minimum(), choices in prop::collection::vec(any::<usize>(), 1..30)) {
        let size = choices.len();
        prop_assume!(minimum.can_start(size));
        let mut simulation = Simulation::new(minimum, size);
        prop_assert_eq!(simulation.run(&vec![true; size], &choices), Decision::Succeed);
    }
}
