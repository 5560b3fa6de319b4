//! Every call to the system that the kernel makes is made to fail, one after the other: what was acknowledged is there, what was
//! not is wholly there or wholly absent, and so it is when the power is cut at that moment.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

#[path = "../../../../tests/failing_io/harness.rs"]
mod harness;
mod scenario;

use harness::{Faults, fail_each, run_with_faults};
use scenario::{Acknowledged, check, live};

/// Some thousand runs of the scenario: it takes seconds.
#[test]
fn whatever_fails_nothing_acknowledged_is_lost() {
    run_with_faults("every_call_fails_once");
}

#[test]
#[ignore = "run by the other test as a child process"]
fn every_call_fails_once() {
    let faults = Faults::here().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    fail_each(&faults, "", |folder, arm, case| {
        let (mut acknowledged, mut cut) = (Acknowledged::default(), None);
        let evening = || cut = Some(faults.power_cut(folder));
        runtime.block_on(live(folder, &mut acknowledged, arm, || faults.rest(), evening));
        runtime.block_on(check(folder, &acknowledged, case));
        runtime.block_on(check(&cut.expect("a power cut"), &acknowledged, &format!("{case}, and a power cut")));
    });
}
